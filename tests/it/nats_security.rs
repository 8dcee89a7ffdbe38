//! The way to the log: TLS in both directions, and users with no more rights than they need, on a server that has the
//! very file that operators are given.

mod restore;
mod tls;

use crate::support::{PATIENCE, free_port};
use api::config::NatsConfig;
use async_nats::jetstream::{self, stream::Config as StreamConfig};
use bus::usage::UsageBatch;
use bus::{BusError, CommandContext, DispatchError, Dispatcher, Log, LogOptions, SignerAnswer};
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::tenant::{Tenant, TenantCommand, TenantError};
use metamcp::embedded::NatsProgram;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const ACCOUNTS: &str = include_str!("../../docker/nats-accounts.conf");
/// Commits of the aggregate: enough that it is loaded through a consumer.
const COMMITS: u64 = 9;
/// A request that is denied is not answered, so it takes this long.
const UNANSWERED: Duration = Duration::from_secs(1);

/// A user of the file of accounts: what its process is given, and what the server is given.
struct User {
    seed: &'static str,
    inbox_prefix: Option<&'static str>,
    variable: &'static str,
    public_key: &'static str,
}

const API: User = User {
    seed: "SUALUNVODCZYFMQWUYKB6CUEZNBB72KWVPJ6S3Y4552WECJ62C3N2NZOQM",
    inbox_prefix: Some("_INBOX_api"),
    variable: "METAMCP_NATS_API_NKEY",
    public_key: "UCOARGYIWE7MDEREEYY76HYAKLDYYKCBLTY4FLSOQJU3PJRT4ZP3GATD",
};
const PROJECTOR: User = User {
    seed: "SUANEGDPRTJKUPFHA2O4N25FXQ6LYPW3RKEU7FFQ73ZHNME7NPV54LDHH4",
    inbox_prefix: Some("_INBOX_projector"),
    variable: "METAMCP_NATS_PROJECTOR_NKEY",
    public_key: "UBH5GYAXMO2T6GVTMXEXOIWZ5IC6R5GY2SQBFUHAVKZCTW75CHC2HTL7",
};
const SETUP: User = User {
    seed: "SUAKTVOUWP2MYVLH7QLYV2URV7WJK2VO7R6PXXG44QWU6HQCEIHCS3RLZI",
    inbox_prefix: None,
    variable: "METAMCP_NATS_SETUP_NKEY",
    public_key: "UAULFIMAKR7IOCFYU3IB6DPTYFMKCLWU4TF4OAMES74L6HMVGSYL6IGU",
};

/// A nats-server with a configuration of the test's. Dropping it kills it.
struct Server {
    _child: Child,
    folder: TempDir,
    url: String,
}

impl Server {
    /// Starts one in a folder that may hold files that `settings` names.
    async fn start(folder: TempDir, settings: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let store = folder.path().join("store").display().to_string();
        let text = format!(
            "server_name: test\nlisten: \"{address}\"\n\
             jetstream {{ store_dir: \"{store}\", sync_interval: always }}\n{settings}\n"
        );
        let file = folder.path().join("nats.conf");
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(NatsProgram::locate().unwrap().path)
            .arg("--config")
            .arg(&file)
            .envs([API, PROJECTOR, SETUP].map(|user| (user.variable, user.public_key)))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).await.is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "nats-server ended: {ended:?}");
            assert!(Instant::now() < deadline, "nats-server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            _child: child,
            folder,
            url: format!("nats://{address}"),
        }
    }

    async fn with_accounts() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("nats-accounts.conf"), ACCOUNTS).unwrap();
        Self::start(folder, "include \"nats-accounts.conf\"").await
    }

    /// The log's address for a process that is a user.
    fn options(&self, user: &User) -> LogOptions {
        let config = NatsConfig {
            url: self.url.clone(),
            nkey: Some(user.seed.into()),
            inbox_prefix: user.inbox_prefix.map(str::to_owned),
            ..NatsConfig::default()
        };
        config.log_options()
    }

    async fn log(&self, user: &User) -> Log {
        Log::connect(&self.options(user)).await.unwrap()
    }

    /// The log for requests of which some are denied. Its connection is permitted, and made as often as it takes:
    /// a slow machine may need longer for an answer than a denied request is waited for.
    async fn impatient_log(&self, user: &User) -> Log {
        let options = LogOptions {
            timeout: UNANSWERED,
            ..self.options(user)
        };
        permitted(async || Log::connect(&options).await).await
    }

    /// What a user could do who speaks to the server without MetaMCP's code; how long it waits for an answer.
    async fn by_hand(&self, user: &User, timeout: Duration) -> jetstream::Context {
        let options = async_nats::ConnectOptions::with_nkey(user.seed.to_owned())
            .custom_inbox_prefix(user.inbox_prefix.unwrap_or("_INBOX"))
            .request_timeout(Some(timeout));
        jetstream::new(options.connect(&self.url).await.unwrap())
    }
}

/// Ends a test that waits for what does not come.
async fn bounded<T>(what: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, what).await;
    waited.expect("it takes too long")
}

/// What a request answers that is permitted, asked as often as it takes.
async fn permitted<T>(mut ask: impl AsyncFnMut() -> Result<T, BusError>) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn context() -> CommandContext {
    CommandContext::new(TenantId::new("acme").unwrap(), Actor::system("test"))
}

/// [`COMMITS`] of one object.
async fn fill(dispatcher: &Dispatcher) {
    let display_name = "Acme".to_owned();
    let register = TenantCommand::Register { display_name };
    let context = context();
    let registered = dispatcher.dispatch::<Tenant>(&context, "acme", register);
    registered.await.unwrap();
    for number in 1..COMMITS {
        let name = format!("Acme {number}");
        rename(dispatcher, &name).await.unwrap();
    }
}

async fn rename(dispatcher: &Dispatcher, name: &str) -> Result<(), DispatchError<TenantError>> {
    let display_name = name.to_owned();
    let command = TenantCommand::Rename { display_name };
    let context = context();
    let sent = dispatcher.dispatch::<Tenant>(&context, "acme", command);
    sent.await.map(drop)
}

/// The streams of a log, as the first start makes them.
async fn make_streams(server: &Server) -> Log {
    let log = server.log(&SETUP).await;
    log.tree_heads().await.unwrap();
    log.usage().await.unwrap();
    log
}

#[tokio::test]
async fn the_api_appends_and_the_projector_reads_streams_that_setup_made() {
    let server = Server::with_accounts().await;
    make_streams(&server).await;
    let api = server.log(&API).await;
    let dispatcher = Dispatcher::new(api.clone());
    fill(&dispatcher).await;
    // Nothing is cached in this one: it loads.
    let fresh = Dispatcher::new(server.log(&API).await);
    let tenant = TenantId::new("acme").unwrap();
    let loaded = bounded(fresh.load::<Tenant>(&tenant, "acme")).await;
    assert!(loaded.unwrap().is_some());
    assert!(api.entry_at(1).await.unwrap().is_some());
    let uses = UsageBatch { uses: Vec::new() };
    api.usage().await.unwrap().send(&uses).await.unwrap();

    let projector = server.log(&PROJECTOR).await;
    let usage = projector.usage().await.unwrap();
    let mut readers = [
        projector.read_from(COMMITS).await.unwrap(),
        usage.read_from(1).await.unwrap(),
        api.read_from(COMMITS).await.unwrap(),
    ];
    for reader in &mut readers {
        assert_eq!(bounded(reader.next_batch(9)).await.unwrap().len(), 1);
    }
    let heads = projector.tree_heads().await.unwrap();
    assert_eq!(heads.append("a note", 0).await.unwrap(), 1);
    assert_eq!(bounded(heads.page(1, 9)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_api_and_setup_ask_the_projector_for_a_tree_head_and_hear_the_answer() {
    let server = Server::with_accounts().await;
    make_streams(&server).await;
    let projector = server.log(&PROJECTOR).await;
    let heads = projector.tree_heads().await.unwrap();
    let mut requests = heads.requests().await.unwrap();
    // Behind its answer, the server knows who listens.
    projector.head().await.unwrap();
    let note = SignerAnswer::Note("a note".to_owned());
    for user in [&API, &SETUP] {
        let answering = async {
            let request = requests.next().await.unwrap();
            request.answer(&note).await.unwrap();
        };
        let log = server.log(user).await;
        let (asked, ()) =
            bounded(async { tokio::join!(log.ask_for_tree_head(PATIENCE), answering) }).await;
        assert_eq!(asked.unwrap(), note);
    }
}

#[tokio::test]
async fn only_setup_creates_the_streams() {
    let server = Server::with_accounts().await;
    for user in [&API, &PROJECTOR] {
        let options = LogOptions {
            timeout: UNANSWERED,
            ..server.options(user)
        };
        let begun = Instant::now();
        let error = loop {
            let error = Log::connect(&options).await.unwrap_err();
            // On a slow machine even a look at the stream, which is permitted, is not answered in time.
            if error.to_string().contains("create the stream") || begun.elapsed() > PATIENCE {
                break error;
            }
        };
        assert!(matches!(error, BusError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("create the stream"), "{error}");
    }
    make_streams(&server).await;
    for user in [&API, &PROJECTOR] {
        server.log(user).await;
    }
}

#[tokio::test]
async fn neither_the_api_nor_the_projector_can_change_or_empty_a_stream() {
    let server = Server::with_accounts().await;
    let log = make_streams(&server).await;
    let usage = log.usage().await.unwrap();
    let uses = UsageBatch { uses: Vec::new() };
    usage.send(&uses).await.unwrap();
    let other = |name: &str| StreamConfig {
        name: name.to_owned(),
        ..StreamConfig::default()
    };
    for user in [&API, &PROJECTOR] {
        // It may look at a stream, so what follows is denied because of what it is.
        let looks = server.by_hand(user, PATIENCE).await;
        let mut usage = looks.get_stream("METAMCP_USAGE").await.unwrap();
        let info = usage.info().await.unwrap();
        assert_eq!(info.state.messages, 1);
        let mut changed = info.config.clone();
        changed.max_age = Duration::from_secs(60);
        let by_hand = server.by_hand(user, UNANSWERED).await;
        let usage = by_hand.get_stream_no_info("METAMCP_USAGE").await.unwrap();
        assert!(by_hand.update_stream(changed).await.is_err());
        assert!(by_hand.create_stream(other("THEIRS")).await.is_err());
        assert!(usage.purge().await.is_err());
        assert!(usage.delete_message(1).await.is_err());
        assert!(by_hand.delete_stream("METAMCP_EVENTS").await.is_err());
    }
    let setup = server.by_hand(&SETUP, PATIENCE).await;
    let mut usage = setup.get_stream("METAMCP_USAGE").await.unwrap();
    let info = usage.info().await.unwrap();
    assert_eq!(info.state.messages, 1);
    assert_eq!(info.config.max_age, bus::usage::KEEP);
    assert!(setup.get_stream("METAMCP_EVENTS").await.is_ok());
    assert!(setup.get_stream("THEIRS").await.is_err());
    // The same requests by the one who may.
    setup.create_stream(other("OURS")).await.unwrap();
    setup.delete_stream("OURS").await.unwrap();
    assert_eq!(usage.purge().await.unwrap().purged, 1);
}

#[tokio::test]
async fn the_projector_adds_nothing_to_the_log() {
    let server = Server::with_accounts().await;
    let log = make_streams(&server).await;
    let projector = server.impatient_log(&PROJECTOR).await;
    let display_name = "Acme".to_owned();
    let register = TenantCommand::Register { display_name };
    let dispatcher = Dispatcher::new(projector.clone());
    let context = context();
    let refused = dispatcher.dispatch::<Tenant>(&context, "acme", register);
    let refused = bounded(refused).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Bus(_)), "{refused}");
    let uses = UsageBatch { uses: Vec::new() };
    let usage = permitted(async || projector.usage().await).await;
    assert!(usage.send(&uses).await.is_err());
    assert_eq!(log.head().await.unwrap(), 0);
}

#[tokio::test]
async fn a_wrong_seed_is_refused() {
    let server = Server::with_accounts().await;
    let stranger = User {
        seed: "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY",
        ..API
    };
    let refused = Log::connect(&server.options(&stranger)).await.unwrap_err();
    assert!(matches!(refused, BusError::Connect { .. }), "{refused}");
}
