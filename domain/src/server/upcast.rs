//! Old wire forms of this aggregate's events, oldest first. A step is added here when a version in
//! `event.rs` is raised; the golden file of the old version stays and proves the step.

use crate::registry::Upcaster;
use serde_json::Value;

pub(crate) const UPCASTERS: &[Upcaster] = &[
    ("server.registered", 1, without_registry_name_1_to_2),
    ("server.described", 1, without_registry_name_1_to_2),
];

/// Version 1 had no registry name, and an absent member is read as none.
fn without_registry_name_1_to_2(data: Value) -> Value {
    data
}
