//! `metamcp up`: everything on one machine. The same servers, statements and stream configuration as in
//! production, only started for you.
#![expect(
    clippy::print_stdout,
    reason = "the addresses and the token are the output"
)]

use crate::app::{App, Role, check_embedder};
use crate::audit;
use crate::cli::write_private;
use crate::embedded::{DataDir, EmbeddedServers, NATS_USER, Options};
use crate::import;
use crate::provision::provision;
use crate::serve::asked_to_stop;
use anyhow::Context;
use api::config::{Config, EmbedderKind, NatsConfig, PostgresConfig};
use api::telemetry::Telemetry;
use domain::envelope::Actor;
use domain::id::{PrincipalId, TenantId};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::ExposeSecret;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The sample catalogue.
const SAMPLE_SERVERS: &str = include_str!("sample/servers.jsonl");
const SAMPLE_TOOLS: &str = include_str!("sample/tools.jsonl");
/// Says that the sample was imported whole.
const SAMPLE_MARK: &str = "sample-imported";
/// Above the configuration that `up` keeps.
const KEPT: &str = "# Written by `metamcp up` at each start; holds secrets.\n";
/// How long a first indexing may hold up the ready message.
const FIRST_INDEX: Duration = Duration::from_secs(60);

/// How to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where everything is kept.
    #[arg(long, env = "METAMCP_DATA_DIR", default_value_os_t = DataDir::default_path())]
    data_dir: PathBuf,
    /// Address and port of the API. Default `127.0.0.1:8080`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// How texts become vectors: `minilm`, `openai` (see the configuration) or `none`.
    #[arg(long)]
    embedder: Option<String>,
    /// The tenant that a first start registers.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// Do not import the sample catalogue at the first start.
    #[arg(long)]
    no_sample: bool,
    /// Configuration file (YAML) for everything but the private servers' addresses.
    #[arg(long, env = "METAMCP_CONFIG")]
    config: Option<PathBuf>,
}

/// The configuration that `up` keeps, so that other commands find the running installation.
#[must_use]
pub(crate) fn config_file(data_dir: &Path) -> PathBuf {
    data_dir.join("metamcp.yaml")
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let tenant = TenantId::new(args.tenant.clone())?;
    let mut config = Config::load(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.http.listen = listen;
    }
    if let Some(embedder) = &args.embedder {
        config.search.embedder = match embedder.as_str() {
            "minilm" => EmbedderKind::MiniLm,
            "openai" => EmbedderKind::OpenAi,
            "none" => EmbedderKind::None,
            other => anyhow::bail!("--embedder {other} is unknown: use minilm, openai or none"),
        };
    }
    hold_everywhere(&mut config).context("a file or folder of the configuration")?;
    let dir = DataDir::open(&args.data_dir)?;
    // Before anything is started: a taken port is found out at once.
    let listener = api::serve::bind(config.http.listen).await?;
    config.http.listen = listener.local_addr()?;
    check_embedder(&config).await?;
    let telemetry = Telemetry::start(&config.telemetry)?;
    let mut asked = pin!(asked_to_stop());
    let options = Options::default();
    let servers = tokio::select! {
        biased; // so that the signals are listened to before anything is begun
        stopped = &mut asked => {
            // What was begun ends with the future that began it, and is begun anew at the next start.
            say_stopping();
            return stopped.map(|()| ExitCode::SUCCESS).map_err(Into::into);
        }
        servers = EmbeddedServers::start(&dir, &options) => servers?,
    };
    point_at(&mut config, &dir, &servers);
    let kept = format!("{KEPT}{}", config.to_yaml()?);
    let written = write_private(&config_file(dir.path()), &kept);
    written.context("the data directory cannot be written")?;
    let supervisor = servers.supervise();
    audit::first_key(&config)?;

    let bar = indexing_bar()?;
    let told = bar.clone();
    let embedded = Arc::new(move |more: usize| told.inc(u64::try_from(more).unwrap_or(0)));
    let roles = [Role::Api, Role::Projector];
    let app = tokio::select! {
        app = App::start(config, &roles, Some(listener), telemetry.metrics(), embedded) => app.map(Some),
        stopped = &mut asked => stopped.map(|()| None).map_err(Into::into),
    };
    let app = match app {
        Ok(Some(app)) => app,
        ended => {
            say_stopping();
            supervisor.stop().await;
            return ended.map(|_| ExitCode::SUCCESS);
        }
    };
    let ready = tokio::select! {
        ready = first_start(&app, &dir, &tenant, args.no_sample) => ready,
        stopped = &mut asked => stopped.map(|()| None).map_err(Into::into),
    };
    bar.finish_and_clear();
    let outcome = match ready {
        Ok(Some(owner)) => {
            dir.announce(&app.state.config.http.base_url())?;
            welcome(&app, &dir, &tenant, &owner)?;
            asked.await.map_err(Into::into)
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    say_stopping();
    app.stop().await;
    supervisor.stop().await;
    telemetry.stop().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Whoever read the output may be gone, which must not keep anything from stopping in order.
fn say_stopping() {
    let _ = writeln!(std::io::stdout(), "Stopping …");
}

/// The first owner, as the welcome needs it.
struct FirstOwner {
    id: PrincipalId,
    is_new: bool,
}

async fn first_start(
    app: &App,
    dir: &DataDir,
    tenant: &TenantId,
    no_sample: bool,
) -> anyhow::Result<Option<FirstOwner>> {
    let actor = Actor::system("up");
    let dispatcher = &app.state.dispatcher;
    let vault = &app.state.vault;
    let (id, mut last, is_new) = provision(dispatcher, vault, tenant, "admin", &actor).await?;
    let mark = dir.path().join(SAMPLE_MARK);
    if !no_sample && !mark.exists() {
        let options = import::Options {
            begin_taxonomy: true,
            ..import::Options::default()
        };
        let stop = tokio_util::sync::CancellationToken::new();
        let summary = import::run(
            dispatcher,
            tenant,
            &actor,
            SAMPLE_SERVERS.as_bytes(),
            SAMPLE_TOOLS.as_bytes(),
            &options,
            &import::Silent,
            &stop,
        )
        .await?;
        last = last.max(summary.last_stream_sequence.unwrap_or(0));
        write_private(&mark, "")?;
    }
    for projector in projections::registry::NAMES {
        // A large index that is still behind does not hold up the rest; /readyz shows it.
        if let Err(error) = app
            .state
            .positions
            .wait_for(projector, last, FIRST_INDEX)
            .await
        {
            tracing::warn!(%error, "the read models are still catching up");
        }
    }
    Ok(Some(FirstOwner { id, is_new }))
}

fn welcome(app: &App, dir: &DataDir, tenant: &TenantId, owner: &FirstOwner) -> anyhow::Result<()> {
    let base = app.state.config.http.base_url();
    let base = base.trim_end_matches('/');
    println!("MetaMCP is ready.\n");
    println!("  GraphiQL   {base}/graphql");
    println!("  MCP        {base}/mcp");
    println!("  Health     {base}/readyz   Metrics  {base}/metrics");
    println!("  Data       {}\n", dir.path().display());
    if owner.is_new {
        let issued = app.state.tokens.issue(tenant, &owner.id, None)?;
        println!(
            "Token of administrator `admin` of tenant `{tenant}`, shown this once, good until {}:\n",
            issued
                .expires_at
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        );
        println!("  {}\n", issued.token.expose_secret());
    } else {
        println!(
            "For a token: metamcp token issue --data-dir {}\n",
            dir.path().display()
        );
    }
    println!("Ctrl-C stops everything.");
    Ok(())
}

/// Makes the paths absolute: other commands are started elsewhere.
fn hold_everywhere(config: &mut Config) -> std::io::Result<()> {
    let openai = config.search.openai.as_mut();
    let paths = [
        &mut config.search.model_dir,
        &mut config.auth.policy_dir,
        &mut config.ledger.head_file,
    ];
    let key_file = openai.map(|openai| &mut openai.api_key_file);
    for path in paths.into_iter().chain(key_file).flatten() {
        *path = std::path::absolute(&*path)?;
    }
    Ok(())
}

/// Where the private servers and the data directory are. Other ways to reach servers do not lead to these.
pub(crate) fn point_at(config: &mut Config, dir: &DataDir, servers: &EmbeddedServers) {
    let given = std::mem::take(&mut config.nats);
    config.nats = NatsConfig {
        url: servers.nats.address(),
        user: Some(NATS_USER.to_owned()),
        password: Some(servers.nats.password().to_owned().into()),
        replicas: given.replicas,
        stream: given.stream,
        subject_root: given.subject_root,
        ..NatsConfig::default()
    };
    config.postgres = PostgresConfig {
        url: servers.postgres.url().into(),
        max_connections: config.postgres.max_connections,
        ..PostgresConfig::default()
    };
    config.search.index_uri = dir.path().join("search").display().to_string();
    config.auth.keys_dir = dir.path().join("keys");
    config.privacy.keys_dir = dir.path().join("vault-keys");
    config.ledger.keys_dir = dir.path().join("ledger-keys");
}

fn indexing_bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{spinner} indexing: {pos} tools ({per_sec})")?;
    Ok(ProgressBar::new_spinner().with_style(style))
}
