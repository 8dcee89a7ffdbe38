//! Old wire forms of this aggregate's events, oldest first. A step is added here when a version in
//! `event.rs` is raised; the golden file of the old version stays and proves the step.

use crate::registry::Upcaster;
use serde_json::Value;

pub(crate) const UPCASTERS: &[Upcaster] = &[("policy.adopted", 1, adopted_1_to_2)];

/// Version 1 did not say which release of the program recorded it. Data that are no object stay as they are, for the
/// decoder to refuse.
fn adopted_1_to_2(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("program_version".to_owned(), Value::Null);
    }
    data
}
