//! Puts the parts together: log, read models, index, API. `up`, `serve` and the tests start the same thing.

use crate::waiting::Waiting;
use anyhow::Context;
use api::authn::{PrincipalCache, Tokens};
use api::authz::{
    DenialRecorder, Denials, PolarAuthorizer, RecordedPolicies, RecordingAuthorizer, put_on_record,
};
use api::config::{Config, EmbedderKind};
use api::state::{AppState, Parts};
use bus::{Dispatcher, Feed, Log, UsageRecorder};
use metrics_exporter_prometheus::PrometheusHandle;
use projections::ledger::{LedgerKeys, Signer, Sinks};
use projections::search::embed::{
    CachedEmbedder, EmbedError, Embedder, MiniLm, NoEmbedder, OpenAi, OpenAiSettings,
};
use projections::search::{CurrentIndex, SearchProjector};
use projections::usage::Counter;
use projections::{Database, Positions, Vault, registry, runner};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Query embeddings that are kept.
const CACHED_QUERIES: u64 = 10_000;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Answers GraphQL, MCP and HTTP.
    Api,
    /// Keeps the read models and the search index.
    Projector,
}

/// Connects to the log alone, for commands that only command.
///
/// # Errors
/// When it is away, refuses, or is not one to run on.
pub(crate) async fn dispatcher(config: &Config) -> anyhow::Result<Dispatcher> {
    Ok(Dispatcher::new(
        Log::connect(&config.nats.log_options()).await?,
    ))
}

/// The parts that need no listener: what the maintenance commands use, too.
pub struct Backend {
    /// The log.
    pub log: Log,
    /// Commands.
    pub dispatcher: Dispatcher,
    /// The read models' database.
    pub database: Database,
    /// Personal fields.
    pub vault: Vault,
}

impl Backend {
    /// Connects to the log and to a migrated database.
    ///
    /// # Errors
    /// When one of them is away, refuses, or is not one to run on.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        Self::connect_within(config, Waiting::none()).await
    }

    /// The same, waiting for the log as long as that lasts.
    async fn connect_within(config: &Config, waiting: Waiting) -> anyhow::Result<Self> {
        let database = Database::new(&config.postgres.address()?).context("postgres.url")?;
        let database = database.with_keys(&config.privacy.keys_dir);
        database.migrate().await.context(
            "the database cannot be migrated: check postgres.url and that PostgreSQL is running",
        )?;
        let options = config.nats.log_options();
        let log = waiting.ask(|| Log::connect(&options)).await?;
        Ok(Self {
            dispatcher: Dispatcher::new(log.clone()),
            log,
            vault: Vault::open(&database).await?,
            database,
        })
    }

    /// Opens the live search index with the configured embedder. A process that projects replaces an
    /// index of another model; any other refuses it.
    ///
    /// # Errors
    /// When the model is missing or damaged, or the index belongs to another model.
    pub async fn open_index(
        &self,
        config: &Config,
        projects: bool,
    ) -> anyhow::Result<CurrentIndex> {
        let embedder = embedder(config).await?;
        let mut connection = self.database.connect().await?;
        let uri = &config.search.index_uri;
        Ok(match projects {
            true => CurrentIndex::open_or_replace(uri, embedder, &mut connection).await?,
            false => CurrentIndex::open(uri, embedder, &mut connection).await?,
        })
    }
}

/// A running process.
pub struct App {
    /// What every handler shares.
    pub state: AppState,
    /// The live search index.
    pub index: CurrentIndex,
    /// The read models' database.
    pub database: Database,
    /// Where it listens, when it was given a listener.
    pub address: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
    /// Ends last: until then, requests are refused and want to be on record.
    recorder: Option<DenialRecorder>,
    feed: JoinHandle<()>,
    stop: CancellationToken,
}

impl App {
    /// Starts the roles. With a listener given, the API serves on it; without the role of the API, only
    /// what operators ask for. `embedded` is told how many texts more the indexing has embedded. A log that does
    /// not answer is waited for, a minute for all that is asked of it.
    ///
    /// # Errors
    /// When a part cannot be reached or is not one to run on; nothing is left running then.
    pub async fn start(
        config: Config,
        roles: &[Role],
        listener: Option<TcpListener>,
        metrics: PrometheusHandle,
        embedded: Arc<dyn Fn(usize) + Send + Sync>,
    ) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let waiting = Waiting::of_a_start();
        let backend = Backend::connect_within(&config, waiting).await?;
        let index = backend
            .open_index(&config, roles.contains(&Role::Projector))
            .await?;
        let Backend {
            log,
            dispatcher,
            database,
            vault,
        } = backend;
        let positions = Positions::start(&database, &log, &stop);
        index.watch(&database, &stop);
        let mut tasks = Vec::new();
        if roles.contains(&Role::Projector) {
            let destroyed = vault.destroy_what_was_erased().await?;
            if destroyed > 0 {
                tracing::warn!(
                    destroyed,
                    "keys of erased persons were there, and are destroyed"
                );
            }
            let search = SearchProjector::new(index.clone(), embedded);
            let uses = search.clone().follow_uses(database.clone(), stop.clone());
            tasks.push(tokio::spawn(uses));
            let projectors = registry::projectors(search);
            tasks.extend(runner::spawn(
                projectors, &log, &database, &positions, &stop,
            ));
            let signer = signer(&config, &log, &database, waiting).await?;
            let (interval, positions) = (config.ledger.interval, positions.clone());
            tasks.push(tokio::spawn(signer.run(interval, positions, stop.clone())));
        }
        let usage = waiting.ask(|| log.usage()).await?;
        if roles.contains(&Role::Projector) {
            let counter = Counter::new(usage.clone(), database.clone());
            tasks.push(tokio::spawn(counter.run(stop.clone())));
        }
        // Ends by itself when the last handler is gone.
        let (usage, _recording) = UsageRecorder::start(usage);
        let tokens = Arc::new(Tokens::open(&config)?);
        tokio::spawn(Arc::clone(tokens.keys()).watch(stop.clone()));
        let (denials, recorder) = Denials::start(dispatcher.clone(), config.limits.denial_window);
        let policy = Arc::new(PolarAuthorizer::load(config.auth.policy_dir.as_deref())?);
        if roles.contains(&Role::Api) {
            let recorded = waiting.ask(|| put_on_record(&dispatcher, &policy)).await;
            recorded.context("the policy in force cannot be put on record")?;
        }
        let (feed, feeding) = Feed::start(&log, config.limits.live_buffer);
        let state = AppState::new(Parts {
            dispatcher,
            log,
            feed,
            usage,
            policies: RecordedPolicies::new(Arc::clone(&policy)),
            authorizer: Arc::new(RecordingAuthorizer::new(policy, denials.clone())),
            denials,
            reads: database.read_pool(config.postgres.max_connections),
            positions,
            search: index.clone(),
            vault,
            tokens,
            principals: PrincipalCache::new(config.auth.access_cache_ttl),
            metrics,
            config,
        });
        let mut address = None;
        if let Some(listener) = listener {
            address = Some(listener.local_addr()?);
            let router = match roles.contains(&Role::Api) {
                true => api::router::router(&state, &stop),
                false => api::router::for_operators(&state),
            };
            let serving = api::serve::serve(listener, router, stop.clone());
            tasks.push(tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the listener failed");
                }
            }));
        }
        guard.disarm();
        Ok(Self {
            state,
            index,
            database,
            address,
            tasks,
            recorder: Some(recorder),
            feed: feeding,
            stop,
        })
    }

    /// Stops in order: no new requests, those under way end, projectors end between two batches.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has said so; there is nothing left to stop in it.
            let _ = task.await;
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.stop().await;
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.cancel();
        self.feed.abort();
        if let Some(recorder) = &self.recorder {
            recorder.stop_token().cancel();
        }
    }
}

/// Finds out before anything is started whether the configured embedder can be had.
///
/// # Errors
/// What is missing or damaged, and how to mend it.
pub(crate) async fn check_embedder(config: &Config) -> anyhow::Result<()> {
    config.search.validate()?;
    if config.search.embedder != EmbedderKind::MiniLm {
        return Ok(());
    }
    let folder = model_folder(config);
    let checked = tokio::task::spawn_blocking(move || crate::doctor::check_model(&folder)).await?;
    checked.map_err(|(file, problem)| {
        let path = file.display().to_string();
        EmbedError::ModelFile { path, problem }.into()
    })
}

fn model_folder(config: &Config) -> PathBuf {
    let named = config.search.model_dir.clone();
    named.unwrap_or_else(|| crate::doctor::model_dir(&crate::embedded::tools_dir()))
}

/// Connects to the log alone.
pub(crate) async fn connect_log(config: &Config) -> anyhow::Result<Log> {
    Ok(Log::connect(&config.nats.log_options()).await?)
}

/// Signs tree heads with the configured keys. There may be none yet.
async fn signer(
    config: &Config,
    log: &Log,
    database: &Database,
    waiting: Waiting,
) -> anyhow::Result<Signer> {
    let ledger = &config.ledger;
    let keys = LedgerKeys::new(&ledger.keys_dir);
    if keys.all()?.is_empty() {
        tracing::warn!(
            "tree heads are not signed: there is no key yet, see `metamcp audit keygen`"
        );
    }
    let url = ledger.head_url.as_ref().map(ToString::to_string);
    let sinks = Sinks::new(ledger.head_file.clone(), url);
    let heads = waiting.ask(|| log.tree_heads()).await?;
    Ok(Signer::new(
        log.clone(),
        heads,
        database.clone(),
        keys,
        sinks,
    ))
}

async fn embedder(config: &Config) -> anyhow::Result<Arc<dyn Embedder>> {
    let search = &config.search;
    let inner: Arc<dyn Embedder> = match search.embedder {
        EmbedderKind::None => return Ok(Arc::new(NoEmbedder)),
        EmbedderKind::MiniLm => {
            let folder = model_folder(config);
            Arc::new(tokio::task::spawn_blocking(move || MiniLm::load(&folder)).await??)
        }
        EmbedderKind::OpenAi => {
            let openai = search.openai.clone();
            let openai =
                openai.context("search.openai is missing: give endpoint, model and dimensions")?;
            Arc::new(OpenAi::new(OpenAiSettings {
                endpoint: openai.endpoint,
                model: openai.model,
                api_key: openai.api_key,
                dimensions: openai.dimensions,
                shorten: openai.shorten,
                timeout: openai.timeout,
            })?)
        }
    };
    Ok(Arc::new(CachedEmbedder::new(inner, CACHED_QUERIES)))
}
