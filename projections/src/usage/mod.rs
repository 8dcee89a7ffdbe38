//! Read model `usage`: which tools are used together, which one comes next, and which ones are used most these days.
//!
//! It is counted from the stream of usage ([`bus::usage`]), which is telemetry and forgets; so it is no
//! projection of the log, and a rebuild leaves it alone. Rows and position commit together: no use counts twice.

mod count;
mod counter;
mod days;
mod queries;
mod rank;

pub use count::{Counts, Session};
pub use counter::Counter;
pub use queries::{Companion, companions};
pub use rank::{By, Observed, rank};
