//! Old wire forms of this aggregate's events, oldest first. A step is added here when a version in
//! `event.rs` is raised; the golden file of the old version stays and proves the step.

use crate::registry::Upcaster;
use serde_json::{Value, json};

pub(crate) const UPCASTERS: &[Upcaster] = &[("principal.registered", 1, registered_1_to_2)];

/// Version 1 had the handle in plain, and no other personal field. Data that are no object stay as they
/// are, for the decoder to refuse.
fn registered_1_to_2(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        let handle = fields.remove("handle");
        fields.insert("handle".to_owned(), json!({ "plain": handle }));
        fields.insert("display_name".to_owned(), Value::Null);
        fields.insert("email".to_owned(), Value::Null);
    }
    data
}
