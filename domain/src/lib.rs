//! The rules of the registry: commands in, events out.
//!
//! **No I/O.** No clock, no randomness, no environment: time, ids and looked-up facts arrive in the
//! command. So a replay is deterministic, and a rule is tested in microseconds. `domain/.clippy.toml`
//! bans the calls that would break this.
//!
//! # Reading order
//! 1. [`id`]: who and what; how an aggregate's id follows from its natural key.
//! 2. [`envelope`]: the commit, which is the unit of the log; [`merkle`]: the tree over all commits.
//! 3. [`tool`], [`server`], [`principal`], [`tenant`], [`taxonomy`], [`review`], [`installation`], [`publisher`],
//!    [`denial`], [`policy`]: one folder per aggregate, the same files in each (`command.rs`, `event.rs`,
//!    `aggregate.rs`, `error.rs`, `upcast.rs`, `tests.rs`).
//! 4. [`personal`]: what names a person, and how events carry it. [`team`]: whom a private tool is kept to. [`undo`]: what takes an event back.
//! 5. [`registry`]: from a wire name and version to a typed event, through the upcasters.
//! 6. [`schema`] and [`compatibility`]: what a JSON Schema is, and what a change of one means for its users.
//! 7. [`state`] and [`diff`]: an object folded from its events for people, and what an event changed in it.
//!
//! # Glossary
//! | word | meaning |
//! |---|---|
//! | command | what somebody wants (imperative); decided by an aggregate |
//! | event | what has happened (past tense); never changed afterwards |
//! | commit | the events that one command decided, written as one message |
//! | aggregate | the unit of consistency: one tenant, principal, server, tool, taxonomy, review, publisher, installation or denial; or the policy |
//! | `stream_sequence` | position in the whole log |
//! | `aggregate_sequence` | position of a commit in one aggregate, from 1 |
//! | `event_version` | schema of an event's wire form |
//! | `tool_version` | semantic version of a tool's definition |
//! | manifest | the `server.json` document of one version of a server, as registries show it |
//! | `server_version` | the version that a manifest names; not always a semantic one |
//! | subject | the person that personal fields are about: a principal |
//! | sealed | encrypted under the subject's key; unreadable once that key is destroyed |
//! | upcaster | turns an old wire form into the next one |
//! | tree head | size and root of the Merkle tree over the log, signed |
//! | upstream | an MCP server that a tenant has registered |
//! | taxonomy | the categories that the servers and tools of a tenant may name |
//! | team | principals of a tenant that a private tool is kept to; named where they join it |
//! | review | what one principal thinks of one version of a tool |
//! | listing | a public tool in use, as every tenant sees it |
//! | installation | a listing in use by another tenant, pinned to a range of versions |
//! | denial | what one principal was refused on one object in one window of time |
//! | policy | the rules that all tenants of an installation are judged by; every change of them is recorded |
//! | publisher | a namespace in reverse-DNS form that a tenant has claimed, and how it was proved |

pub mod aggregate;
pub mod canonical;
pub mod compatibility;
pub mod diff;
pub mod envelope;
#[macro_use]
mod event;
pub mod denial;
pub mod id;
pub mod installation;
pub mod merkle;
mod named;
pub mod personal;
pub mod policy;
pub mod principal;
pub mod publisher;
pub mod registry;
pub mod review;
mod run;
pub mod schema;
pub mod server;
pub mod state;
pub mod taxonomy;
pub mod team;
pub mod tenant;
pub mod text;
pub mod tool;
pub mod undo;

pub use aggregate::{AggregateRoot, Rejection};
pub use event::{DecodeError, WireEvent};
pub use registry::AnyEvent;
