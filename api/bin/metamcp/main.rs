//! The `metamcp` program.

use clap::Parser;
use metamcp::cli::Cli;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    metamcp::cli::run(Cli::parse())
}
