//! `metamcp serve`: one or more roles against servers that are already there.

use crate::app::{App, Role, check_embedder};
use api::config::Config;
use api::telemetry::Telemetry;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Which configuration and which roles.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file (YAML); variables `METAMCP__…` go over it.
    #[arg(long, env = "METAMCP_CONFIG")]
    config: Option<PathBuf>,
    /// What this process does.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Api, Role::Projector])]
    roles: Vec<Role>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config.as_deref())?;
    check_embedder(&config).await?;
    let telemetry = Telemetry::start(&config.telemetry)?;
    // Every role answers probes and shows its metrics.
    let listener = api::serve::bind(config.http.listen).await?;
    let app = App::start(
        config,
        &args.roles,
        Some(listener),
        telemetry.metrics(),
        Arc::new(|_| {}),
    )
    .await?;
    tracing::info!(address = ?app.address, roles = ?args.roles, "serving");
    asked_to_stop().await?;
    app.stop().await;
    telemetry.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
