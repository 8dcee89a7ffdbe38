//! Old wire forms of this aggregate's events, oldest first. A step is added here when a version in
//! `event.rs` is raised; the golden file of the old version stays and proves the step.

use crate::registry::Upcaster;
use serde_json::{Value, json};

pub(crate) const UPCASTERS: &[Upcaster] = &[
    ("tool.registered", 1, private_1_to_2),
    ("tool.registered", 2, without_team_2_to_3),
    ("tool.described", 1, private_1_to_2),
    ("tool.described", 2, without_team_2_to_3),
    ("tool.version_published", 1, without_annotations_1_to_2),
];

/// Version 1 called what is private now `maintainers`, and its definitions had no annotations.
fn private_1_to_2(mut data: Value) -> Value {
    if let Some(visibility) = data.pointer_mut("/profile/visibility")
        && *visibility == "maintainers"
    {
        *visibility = json!("private");
    }
    data
}

/// Version 1 had no annotations, and an absent member is read as none.
fn without_annotations_1_to_2(data: Value) -> Value {
    data
}

/// Version 2 knew no teams, and an absent member is read as none.
fn without_team_2_to_3(data: Value) -> Value {
    data
}
