//! Faults, with real processes: `metamcp serve` roles, nats-server and PostgreSQL are killed, frozen, cut
//! off, run out of disk space, and get another log under them.
//!
//! `world.rs` runs the processes, `load.rs` writes and remembers what was acknowledged, `verify.rs` says
//! what must hold afterwards; every other file is one fault. All are bounded in time. `kill.rs` runs longer
//! with `METAMCP_FAULT_MINUTES=60`, and repeats a run with `METAMCP_FAULT_SEED`.

mod away;
mod clock;
mod cluster;
mod compose_health;
mod crash;
mod disk;
mod frozen;
mod kill;
mod load;
mod parked;
mod poison;
mod rebuild;
mod replaced;
mod retry;
mod shorter;
mod verify;
mod world;
