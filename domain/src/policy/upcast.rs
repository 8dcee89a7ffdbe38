//! Old wire forms of this aggregate's events, oldest first. A step is added here when a version in
//! `event.rs` is raised; the golden file of the old version stays and proves the step.

use crate::registry::Upcaster;

pub(crate) const UPCASTERS: &[Upcaster] = &[];
