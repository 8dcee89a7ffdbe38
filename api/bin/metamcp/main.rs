//! The `metamcp` program.

use clap::Parser;
use metamcp::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    metamcp::cli::run(Cli::parse())
}
