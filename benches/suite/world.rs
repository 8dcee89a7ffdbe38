//! Private servers, as `metamcp up` starts them, and what a bench needs on them.

use crate::corpus::Corpus;
use crate::harness::in_flight;
use anyhow::{Context as _, Result};
use api::config::{Config, EmbedderKind};
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::{Context, stream};
use bus::{CommandContext, Dispatcher, Log};
use domain::AggregateRoot;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::server::Server;
use domain::tool::{PublishToolVersion, Tool, ToolCommand};
use futures::StreamExt;
use metamcp::embedded::{DataDir, EmbeddedServers, NATS_USER, Options};
use semver::Version;
use sqlx::{Connection, Executor, PgConnection};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// One PostgreSQL and one nats-server in a folder that goes with them.
pub(crate) struct World {
    pub(crate) embedded: EmbeddedServers,
    dir: DataDir,
    folder: TempDir,
    next: AtomicU32,
}

impl World {
    pub(crate) async fn start(sync_always: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let dir = DataDir::open(folder.path().join("data"))?;
        let embedded = EmbeddedServers::start(&dir, &options(sync_always)).await?;
        Ok(Self {
            embedded,
            dir,
            folder,
            next: AtomicU32::new(0),
        })
    }

    /// The same data, served in another mode: filled fast, measured safe.
    pub(crate) async fn restart(self, sync_always: bool) -> Result<Self> {
        let Self {
            embedded,
            dir,
            folder,
            next,
        } = self;
        embedded.stop().await;
        let embedded = EmbeddedServers::start(&dir, &options(sync_always)).await?;
        Ok(Self {
            embedded,
            dir,
            folder,
            next,
        })
    }

    /// A configuration with a stream of its own, and no database yet.
    pub(crate) fn log_only(&self) -> Config {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut config = Config::default();
        config.nats.url = self.embedded.nats.address();
        config.nats.user = Some(NATS_USER.to_owned());
        config.nats.password = Some(self.embedded.nats.password().to_owned().into());
        config.nats.stream = format!("BENCH_{number}");
        config.nats.subject_root = format!("bench-{number}.event");
        config
    }

    /// A configuration with a stream, a database and a folder of its own.
    pub(crate) async fn config(&self) -> Result<Config> {
        let mut config = self.log_only();
        self.give_database(&mut config).await?;
        Ok(config)
    }

    /// Gives a configuration an empty database, and what goes with it, where the servers listen now.
    pub(crate) async fn give_database(&self, config: &mut Config) -> Result<()> {
        let name = format!("bench_{}", self.next.fetch_add(1, Ordering::Relaxed));
        let url = self.embedded.postgres.url();
        let mut connection = PgConnection::connect(&url).await?;
        connection
            .execute(format!("CREATE DATABASE {name}").as_str())
            .await?;
        connection.close().await?;
        let (server, _) = url.rsplit_once('/').context("the address of PostgreSQL")?;
        config.postgres.url = format!("{server}/{name}").into();
        config.nats.url = self.embedded.nats.address();
        let folder = self.folder.path().join(name);
        config.search.index_uri = folder.join("search").display().to_string();
        config.search.embedder = EmbedderKind::None;
        config.auth.keys_dir = folder.join("keys");
        config.privacy.keys_dir = folder.join("vault-keys");
        config.ledger.keys_dir = folder.join("ledger-keys");
        Ok(())
    }

    /// A JetStream client without anything of ours.
    pub(crate) async fn raw(&self) -> Result<Context> {
        let password = self.embedded.nats.password().to_owned();
        let options =
            async_nats::ConnectOptions::new().user_and_password(NATS_USER.to_owned(), password);
        let client = options.connect(self.embedded.nats.address()).await?;
        Ok(async_nats::jetstream::new(client))
    }

    /// A stream for raw publishes, configured as the log is.
    pub(crate) async fn sibling(&self, raw: &Context, log: &Config) -> Result<RawStream> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let root = format!("bench-{number}.event");
        let mut stream = raw.get_stream(&log.nats.stream).await?;
        let config = stream::Config {
            name: format!("RAW_{number}"),
            subjects: vec![format!("{root}.>")],
            ..stream.info().await?.config.clone()
        };
        let stream = config.name.clone();
        raw.create_stream(config).await?;
        Ok(RawStream {
            name: stream,
            root,
            log_root: log.nats.subject_root.clone(),
        })
    }
}

fn options(sync_always: bool) -> Options {
    Options {
        sync_always,
        ..Options::default()
    }
}

/// A stream that stands beside the log.
pub(crate) struct RawStream {
    pub(crate) name: String,
    root: String,
    log_root: String,
}

impl RawStream {
    /// A message of the log as one of this stream: the same bytes and headers.
    pub(crate) fn adopt(&self, message: &async_nats::Message) -> async_nats::Message {
        let mut message = message.clone();
        let subject = message.subject.as_str();
        let tail = subject.strip_prefix(&self.log_root).unwrap_or(subject);
        message.subject = format!("{}{tail}", self.root).into();
        message
    }
}

/// Publishes and waits for the acknowledgement.
pub(crate) async fn publish(raw: &Context, message: async_nats::Message) -> Result<u64> {
    let headers = message.headers.unwrap_or_default();
    let sent = raw
        .publish_with_headers(message.subject, headers, message.payload)
        .await?;
    Ok(sent.await?.sequence)
}

/// Reads a stream from its beginning with the client library alone.
pub(crate) async fn fetch(
    raw: &Context,
    stream: &str,
    count: usize,
) -> Result<Vec<async_nats::Message>> {
    let stream = raw.get_stream(stream).await?;
    let consumer = stream.create_consumer(OrderedConfig::default()).await?;
    let mut messages = consumer.messages().await?.take(count);
    let mut all = Vec::with_capacity(count);
    while let Some(message) = messages.next().await {
        all.push(message?.message);
    }
    Ok(all)
}

/// The log of a configuration.
pub(crate) async fn log_of(config: &Config) -> Result<Log> {
    Ok(Log::connect(&config.nats.log_options()).await?)
}

pub(crate) fn tenant() -> Result<TenantId> {
    Ok(TenantId::new("bench")?)
}

/// One command, as the API and the import send it.
pub(crate) async fn dispatch<A: AggregateRoot>(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    id: &str,
    command: A::Command,
) -> Result<u64> {
    let context = CommandContext::new(tenant.clone(), Actor::system("bench"));
    let committed = dispatcher.dispatch::<A>(&context, id, command).await;
    Ok(committed
        .map_err(|error| anyhow::anyhow!("{id}: {error}"))?
        .stream_sequence)
}

/// Registers servers and tools; one tool in eight gets a second version.
pub(crate) async fn seed(
    dispatcher: &Dispatcher,
    corpus: &Corpus,
    tenant: &TenantId,
    tools: Range<usize>,
) -> Result<()> {
    let (to, of) = (dispatcher.clone(), tenant.clone());
    let register = move |(id, command): (String, _)| {
        let (to, of) = (to.clone(), of.clone());
        async move { dispatch::<Server>(&to, &of, &id, command).await.map(drop) }
    };
    in_flight(Corpus::servers(tenant, tools.clone()), register).await?;
    let (to, of) = (dispatcher.clone(), tenant.clone());
    let register = move |(number, id, command): (usize, String, ToolCommand)| {
        let (to, of) = (to.clone(), of.clone());
        async move {
            let next = next_version(&command, number);
            dispatch::<Tool>(&to, &of, &id, command).await?;
            if let Some(next) = next {
                dispatch::<Tool>(&to, &of, &id, next).await?;
            }
            Ok(())
        }
    };
    let numbers: Vec<usize> = tools.collect();
    for part in numbers.chunks(10_000) {
        let jobs = part.iter().map(|number| {
            let (id, command) = corpus.tool(tenant, *number);
            (*number, id, command)
        });
        in_flight(jobs.collect(), register.clone()).await?;
    }
    Ok(())
}

fn next_version(command: &ToolCommand, number: usize) -> Option<ToolCommand> {
    let ToolCommand::Register(register) = command else {
        return None;
    };
    let mut definition = (*register.definition).clone();
    definition.description = definition.description.chars().take(3_000).collect();
    definition.description.push_str(" (second version)");
    let publish = PublishToolVersion {
        tool_version: Version::new(2, 0, 0),
        definition: definition.into(),
    };
    number
        .is_multiple_of(8)
        .then(|| ToolCommand::PublishVersion(Box::new(publish)))
}
