//! The benches: every figure beside a limit that is measured in the same run, on real servers.
//!
//! `cargo bench --profile dev --bench suite -- [filter ...] [--quick] [--full]`; see `benches/README.md`.
//! `harness.rs` measures and prints, `world.rs` starts servers and fills them, `wire.rs` speaks HTTP; every
//! other file is one bench.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench reports to the terminal"
)]

mod as_of;
mod corpus;
mod embed;
mod graphql;
mod harness;
mod ledger;
mod load;
mod log;
mod memory;
mod quality;
mod rebuild;
mod recommend;
mod recommend_similar;
mod search;
mod search_load;
mod search_served;
mod switch;
mod visible;
mod wire;
mod world;

use anyhow::Result;
use harness::{Report, Settings};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    if memory::was_a_job()? {
        return Ok(());
    }
    let settings = Settings::from_arguments(std::env::args().skip(1))?;
    harness::observe_as_in_production()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    let outcome = runtime.block_on(all(&settings, &mut report));
    println!("{report}");
    outcome
}

async fn all(settings: &Settings, report: &mut Report) -> Result<()> {
    for sync_always in [true, false] {
        if settings.wants("append") {
            log::append(settings, report, sync_always).await?;
        }
    }
    if settings.wants("load") {
        load::run(settings, report).await?;
    }
    if settings.wants("import") {
        log::import(settings, report).await?;
    }
    for (bench, with_ledger) in [("rebuild", false), ("rebuild_all", true)] {
        if settings.wants(bench) {
            rebuild::run(settings, report, with_ledger).await?;
        }
    }
    if settings.wants("ledger") {
        ledger::run(settings, report).await?;
    }
    if settings.wants("memory") {
        memory::run(settings, report).await?;
    }
    if settings.wants("visible") {
        visible::run(settings, report).await?;
    }
    if settings.wants("embed") {
        embed::run(settings, report).await?;
    }
    if settings.wants("search") {
        search::run(settings, report).await?;
    }
    if settings.wants("served") {
        search_served::run(settings, report).await?;
    }
    if settings.wants("quality") {
        quality::run(settings, report).await?;
    }
    if settings.wants("switch") {
        switch::run(settings, report).await?;
    }
    if settings.wants("graphql") {
        graphql::run(settings, report).await?;
    }
    if settings.wants("recommend") {
        recommend::run(settings, report).await?;
    }
    if settings.wants("as_of") {
        as_of::run(settings, report).await?;
    }
    Ok(())
}
