//! The loops over numbers of search: the transformer that makes vectors of texts, and scans over many vectors.
//!
//! A crate of its own because these loops are built optimised in every profile, and because nothing here knows
//! what a tool is: numbers in, numbers out, no I/O, one thread. The inner loops are chosen for the processor when they
//! run (`kernel`), and all choices compute the same whole numbers.
//!
//! Reading order: [`planes`] (vectors of 16 bits a component and their scan), `kernel`, `dense` (a matrix product in
//! whole numbers), `functions`, [`transformer`].

mod dense;
mod functions;
mod kernel;
pub mod planes;
pub mod transformer;

pub use kernel::forgo_512_bits;
