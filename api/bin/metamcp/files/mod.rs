//! A tenant's registry as files under version control: `metamcp export` writes them, `metamcp apply` makes the
//! registry match them. What the files look like and how to work with them: `docs/config-as-code.md`.
//!
//! # Reading order
//! `layout.rs` (which files), `yaml.rs` and `json.rs` (text), `write.rs` and `read.rs` (a folder) with `manifests.rs`
//! (the documents that servers publish), `command.rs` (the command lines). The keys of a file are the fields of
//! [`crate::plan::ServerSpec`] and its neighbours; plans are made in [`crate::plan`].

mod command;
mod json;
mod layout;
mod manifests;
mod read;
mod write;
mod yaml;

pub(crate) use command::{ApplyArgs, ExportArgs, apply, export};
pub(crate) use layout::manifest_file;
pub use layout::{FORMAT, Manifest};
pub use read::{Folder, read};
pub use write::{WriteError, Written, write};
