//! From acknowledgement to visibility: 100 events a second; how long after a command's acknowledgement a
//! GraphQL query answers with what it did. The limit is a raw consumer of the same stream's sibling that
//! commits one row for each message.

use crate::corpus::Corpus;
use crate::harness::{Goal, Report, Settings, both, median, metrics, millis, percentile};
use crate::wire::{self, Wire};
use crate::world::{World, dispatch, fetch, publish, seed, tenant};
use anyhow::{Context as _, Result};
use api::config::Config;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use domain::envelope::Actor;
use domain::id::{PrincipalId, TenantId};
use domain::server::Server;
use domain::tool::Tool;
use futures::StreamExt;
use metamcp::app::{App, Role};
use secrecy::ExposeSecret;
use sqlx::{Connection, Executor, PgConnection};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const TICK: Duration = Duration::from_millis(10);
/// Requests under way at most: a pause of the machine makes the next ones late, and does not end the bench.
const CONNECTIONS: usize = 64;
/// What a projector may take at most before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let world = World::start(true).await?;
    let installation = Installation::start(world.config().await?, &corpus, 1_000).await?;
    let ours = Ours::new(&installation).await?;
    let raw = Raw::new(&world, &installation.config).await?;
    let events = settings.size(400, 100);
    installation
        .servers(1_000..1_000 + (settings.runs() + 1) * events)
        .await?;
    let mut runs = Vec::new();
    for run in 0..=settings.runs() {
        let numbers = 1_000 + run * events..1_000 + (run + 1) * events;
        let measured = if run % 2 == 0 {
            let raw = raw.run(events).await?;
            (raw, ours.run(&corpus, numbers).await?)
        } else {
            let ours = ours.run(&corpus, numbers).await?;
            (raw.run(events).await?, ours)
        };
        if run > 0 {
            runs.push(measured);
        }
    }
    let (middle, tail) = both(&runs);
    report.times(
        "ack to visible in GraphQL, 100 events/s, p50",
        &middle,
        Goal::AtMost(2.0),
    );
    let p99 = median(&tail.ours);
    let texts = (millis(p99), "20 ms".to_owned());
    report.line(
        "ack to visible in GraphQL, 100 events/s, p99",
        texts,
        p99 / 0.020,
        Goal::AtMost(1.0),
    );
    report.times("… p99 beside the limit's p99", &tail, Goal::None);
    installation.app.stop().await;
    Ok(())
}

/// A running process with a catalogue and one owner.
pub(crate) struct Installation {
    pub(crate) app: App,
    pub(crate) config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) tenant: TenantId,
}

impl Installation {
    pub(crate) async fn start(mut config: Config, corpus: &Corpus, tools: usize) -> Result<Self> {
        let listener = api::serve::bind("127.0.0.1:0".parse()?).await?;
        let address = listener.local_addr()?;
        config.http.listen = address;
        let roles = [Role::Api, Role::Projector];
        let silent = Arc::new(|_| {});
        let app = App::start(config.clone(), &roles, Some(listener), metrics(), silent).await?;
        let (tenant, actor) = (tenant()?, Actor::system("bench"));
        let dispatcher = &app.state.dispatcher;
        metamcp::provision(dispatcher, &app.state.vault, &tenant, "owner", &actor).await?;
        seed(dispatcher, corpus, &tenant, 0..tools).await?;
        let owner = PrincipalId::derive(&tenant, "owner");
        let issued = app.state.tokens.issue(&tenant, &owner, None)?;
        let token = issued.token.expose_secret().to_owned();
        let installation = Self {
            app,
            config,
            address,
            token,
            tenant,
        };
        installation.settle().await?;
        Ok(installation)
    }

    /// Registers the servers of some tools.
    pub(crate) async fn servers(&self, tools: std::ops::Range<usize>) -> Result<()> {
        for (id, command) in Corpus::servers(&self.tenant, tools) {
            dispatch::<Server>(&self.app.state.dispatcher, &self.tenant, &id, command).await?;
        }
        self.settle().await
    }

    /// Waits until every projector stands at the head of the log, and has parked nothing on its way there: that
    /// would be work which nothing of what is measured causes.
    pub(crate) async fn settle(&self) -> Result<()> {
        let head = self.app.state.log.head().await?;
        for projector in projections::registry::NAMES {
            self.app
                .state
                .positions
                .wait_for(projector, head, 10 * PATIENCE)
                .await?;
        }
        for projector in self.app.state.positions.health() {
            let (name, parked) = (projector.projector, projector.parked);
            anyhow::ensure!(parked == 0, "{name} has parked {parked} commits");
        }
        Ok(())
    }

    /// A prepared GraphQL request.
    pub(crate) fn request(&self, query: &str) -> Vec<u8> {
        wire::graphql(self.address, &self.token, query)
    }
}

struct Ours<'a> {
    installation: &'a Installation,
    wires: Arc<Mutex<Vec<Wire>>>,
}

impl<'a> Ours<'a> {
    async fn new(installation: &'a Installation) -> Result<Self> {
        let mut wires = Vec::new();
        for _ in 0..CONNECTIONS {
            wires.push(Wire::connect(installation.address).await?);
        }
        let wires = Arc::new(Mutex::new(wires));
        Ok(Self {
            installation,
            wires,
        })
    }

    /// Registers tools, one a tick; p50 and p99 from acknowledgement to answer.
    async fn run(&self, corpus: &Corpus, numbers: std::ops::Range<usize>) -> Result<(f64, f64)> {
        let mut tick = tokio::time::interval(TICK);
        let mut running = Vec::new();
        for number in numbers {
            tick.tick().await;
            let Installation {
                app,
                address,
                token,
                tenant,
                ..
            } = self.installation;
            let (dispatcher, tenant) = (app.state.dispatcher.clone(), tenant.clone());
            let (address, token, wires) = (*address, token.clone(), Arc::clone(&self.wires));
            let (id, command) = corpus.tool(&tenant, number);
            let (server, name) = (Corpus::slug(number), corpus.tool_name(number));
            running.push(tokio::spawn(async move {
                let mut wire = wires
                    .lock()
                    .await
                    .pop()
                    .context("all connections are busy")?;
                let at = dispatch::<Tool>(&dispatcher, &tenant, &id, command).await?;
                let acknowledged = Instant::now();
                let query = format!(
                    "{{ tool(server: {server:?}, name: {name:?}, minSequence: {at}) {{ name }} }}"
                );
                let answer = wire.send(&wire::graphql(address, &token, &query)).await?;
                let seconds = acknowledged.elapsed().as_secs_f64();
                wires.lock().await.push(wire);
                let answer = String::from_utf8_lossy(&answer).into_owned();
                anyhow::ensure!(answer.contains(&name), "not visible: {answer}");
                Ok::<f64, anyhow::Error>(seconds)
            }));
        }
        let mut times = Vec::new();
        for one in running {
            times.push(one.await??);
        }
        self.installation.settle().await?;
        Ok((median(&times), percentile(&times, 99)))
    }
}

struct Raw<'a> {
    world: &'a World,
    config: &'a Config,
    context: async_nats::jetstream::Context,
    messages: Vec<async_nats::Message>,
}

impl<'a> Raw<'a> {
    async fn new(world: &'a World, config: &'a Config) -> Result<Self> {
        let context = world.raw().await?;
        let messages = fetch(&context, &config.nats.stream, 1_000).await?;
        Ok(Self {
            world,
            config,
            context,
            messages,
        })
    }

    /// Publishes, one a tick; p50 and p99 from acknowledgement to committed row.
    async fn run(&self, events: usize) -> Result<(f64, f64)> {
        let sibling = self.world.sibling(&self.context, self.config).await?;
        let url = self.config.postgres.address()?;
        let mut connection = PgConnection::connect(url.expose_secret()).await?;
        let table = "DROP TABLE IF EXISTS public.bare; \
                     CREATE TABLE public.bare (position bigint PRIMARY KEY, body bytea NOT NULL)";
        connection.execute(table).await?;
        // A connection of its own, as a projector's reader has in another process.
        let reader = self.world.raw().await?.get_stream(&sibling.name).await?;
        let consumer = reader.create_consumer(OrderedConfig::default()).await?;
        let mut delivered = consumer.messages().await?.take(events);
        let committed = tokio::spawn(async move {
            let mut committed = Vec::new();
            while let Some(message) = delivered.next().await {
                let message = message?;
                let insert = "INSERT INTO public.bare VALUES ($1, $2)";
                let position = i64::try_from(committed.len())?;
                let insert = sqlx::query(insert)
                    .bind(position)
                    .bind(&message.payload[..]);
                insert.execute(&mut connection).await?;
                committed.push(Instant::now());
            }
            Ok::<_, anyhow::Error>(committed)
        });
        let mut tick = tokio::time::interval(TICK);
        let mut acknowledged = Vec::new();
        for message in self.messages.iter().cycle().skip(10).take(events) {
            tick.tick().await;
            let (to, mut message) = (self.context.clone(), sibling.adopt(message));
            // Messages come again: neither their ids nor their places are asserted.
            message.headers = None;
            acknowledged.push(tokio::spawn(async move {
                publish(&to, message).await?;
                Ok::<_, anyhow::Error>(Instant::now())
            }));
        }
        let committed = tokio::time::timeout(PATIENCE, committed).await???;
        let mut times = Vec::new();
        for (acknowledged, committed) in acknowledged.into_iter().zip(committed) {
            let waited = committed.saturating_duration_since(acknowledged.await??);
            times.push(waited.as_secs_f64());
        }
        Ok((median(&times), percentile(&times, 99)))
    }
}
