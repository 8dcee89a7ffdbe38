//! Private servers and `metamcp` processes, as an installation of several processes has them.

use crate::support::{Client, PATIENCE, Servers, free_port};
use api::authn::Tokens;
use api::config::Config;
use bus::{Dispatcher, Log};
use domain::envelope::Actor;
use domain::id::TenantId;
use metamcp::embedded::{DataDir, Options, Pids, Supervisor};
use projections::{Database, Vault};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long a fault may take to be over: longer than every back-off and the lease of a leader.
pub(super) const RECOVERY: Duration = Duration::from_secs(60);

/// The tenant that the tests write to.
pub(super) const TENANT: &str = "acme";

/// Supervised servers of one's own and the configuration of processes that use them. Acknowledged is on
/// disk, as in production.
pub(super) struct World {
    pub(super) config: Config,
    pub(super) pids: watch::Receiver<Pids>,
    pub(super) folder: TempDir,
    supervisor: Supervisor,
    _dir: DataDir,
}

impl World {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder).await
    }

    /// In a folder whose `data` may have been prepared.
    pub(super) async fn start_in(folder: TempDir) -> Self {
        let dir = DataDir::open(folder.path().join("data")).unwrap();
        let servers = Servers::start_in(folder, dir, &Options::default()).await;
        let config = configuration(&servers).await;
        let Servers {
            embedded,
            dir,
            folder,
            ..
        } = servers;
        let supervisor = embedded.supervise();
        Self {
            config,
            pids: supervisor.pids(),
            folder,
            supervisor,
            _dir: dir,
        }
    }

    /// Starts roles as a process of its own; see [`Process::start`].
    pub(super) async fn serve(&self, name: &str, roles: &str) -> Process {
        Process::start(self.folder.path().join(name), roles, &self.config).await
    }

    pub(super) async fn stop(self) {
        self.supervisor.stop().await;
    }
}

/// A configuration for processes of these servers, with a port to listen on.
pub(super) async fn configuration(servers: &Servers) -> Config {
    let mut config = servers.fresh_config(servers.folder.path()).await;
    config.http.listen.set_port(free_port());
    config
}

/// A `metamcp serve`. Dropping it kills it.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    roles: String,
    environment: Vec<(String, String)>,
}

impl Process {
    /// Starts roles; what the process says goes to `<path>.log`. Does not wait until it serves.
    pub(super) async fn start(path: PathBuf, roles: &str, config: &Config) -> Self {
        Self::start_with(path, roles, environment(config)).await
    }

    /// The same with more variables.
    pub(super) async fn start_with(
        path: PathBuf,
        roles: &str,
        environment: Vec<(String, String)>,
    ) -> Self {
        let log = path.with_extension("log");
        let mut environment = environment;
        if !roles.contains("api") {
            // Several processes of one installation run here, and one of them has its port.
            environment.push(("METAMCP__HTTP__LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        }
        let child = spawn(&log, roles, &environment);
        Self {
            child,
            log,
            roles: roles.to_owned(),
            environment,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// `kill -9`, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again as it was.
    pub(super) fn restart(&mut self) {
        self.child = spawn(&self.log, &self.roles, &self.environment);
    }

    /// Starts it again whenever it has ended, as a supervisor does, until it leads projectors.
    pub(super) async fn leads(&mut self, config: &Config) {
        let mut connection = postgres(config).await;
        eventually("the projector leads", async || {
            if self.has_ended() {
                self.restart();
            }
            all_are_led(&mut connection).await
        })
        .await;
    }

    /// The same without starting it again.
    pub(super) async fn leads_by_itself(&mut self, config: &Config) {
        let mut connection = postgres(config).await;
        eventually("the projector leads", async || {
            assert!(!self.has_ended(), "it has ended");
            all_are_led(&mut connection).await
        })
        .await;
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A test that fails shows what its processes said.
impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- {}\n{}", self.log.display(), self.said());
        }
    }
}

/// Whether somebody leads every projector.
async fn all_are_led(connection: &mut PgConnection) -> bool {
    let locks = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
                 WHERE locktype = 'advisory' AND granted AND datname = current_database()";
    let led: i64 = sqlx::query_scalar(locks)
        .fetch_one(connection)
        .await
        .unwrap();
    led >= i64::try_from(projections::registry::NAMES.len()).unwrap()
}

fn spawn(log: &Path, roles: &str, environment: &[(String, String)]) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_metamcp"))
        .args(["serve", "--roles", roles])
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Runs a maintenance command to its end.
pub(super) async fn metamcp(config: &Config, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metamcp"));
    command.args(arguments).envs(environment(config));
    command.stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(3 * RECOVERY, command.output())
        .await
        .expect("a maintenance command ends")
        .unwrap()
}

/// What a command said, on both channels.
pub(super) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// The configuration as variables.
pub(super) fn environment(config: &Config) -> Vec<(String, String)> {
    let secret = |secret: &secrecy::SecretString| secret.expose_secret().to_owned();
    let user = config.nats.user.clone().unwrap();
    let password = config.nats.password.as_ref().map(secret).unwrap();
    let url = config.postgres.url.expose_secret().to_owned();
    [
        ("HTTP__LISTEN", config.http.listen.to_string()),
        ("NATS__URL", config.nats.url.clone()),
        ("NATS__USER", user),
        ("NATS__PASSWORD", password),
        ("NATS__STREAM", config.nats.stream.clone()),
        ("NATS__SUBJECT_ROOT", config.nats.subject_root.clone()),
        ("NATS__REPLICAS", config.nats.replicas.to_string()),
        ("POSTGRES__URL", url),
        ("POSTGRES__MAX_CONNECTIONS", "6".to_owned()),
        ("SEARCH__INDEX_URI", config.search.index_uri.clone()),
        ("SEARCH__EMBEDDER", "none".to_owned()),
        ("AUTH__KEYS_DIR", config.auth.keys_dir.display().to_string()),
        (
            "PRIVACY__KEYS_DIR",
            config.privacy.keys_dir.display().to_string(),
        ),
        (
            "LEDGER__KEYS_DIR",
            config.ledger.keys_dir.display().to_string(),
        ),
        ("TELEMETRY__LOG_FILTER", "warn".to_owned()),
    ]
    .map(|(key, value)| (format!("METAMCP__{key}"), value))
    .into()
}

/// Registers tenant and owner in the log, and makes a client of the API with the owner's token.
pub(super) async fn owner(config: &Config, log: &Log) -> Client {
    let tenant = TenantId::new(TENANT).unwrap();
    let dispatcher = Dispatcher::new(log.clone());
    let actor = Actor::system("test");
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    let database = database.with_keys(&config.privacy.keys_dir);
    database.migrate().await.unwrap();
    let vault = Vault::open(&database).await.unwrap();
    let (owner, _, _) = metamcp::provision(&dispatcher, &vault, &tenant, "admin", &actor)
        .await
        .unwrap();
    let tokens = Tokens::open(config).unwrap();
    let issued = tokens.issue(&tenant, &owner, None).unwrap();
    let base = config.http.base_url();
    Client::new(&base, Some(issued.token.expose_secret().to_owned()))
}

pub(super) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// `/readyz`: whether it is green, and its body; none while nobody answers.
pub(super) async fn readiness(client: &Client) -> Option<(bool, Value)> {
    let request = client.http.get(format!("{}/readyz", client.base));
    let response = request.send().await.ok()?;
    let green = response.status() == 200;
    Some((green, response.json().await.ok()?))
}

pub(super) async fn ready(client: &Client) {
    eventually("the installation is ready", async || {
        readiness(client).await.is_some_and(|(green, _)| green)
    })
    .await;
}

/// A projector's entry of `/readyz`.
pub(super) async fn projector(client: &Client, name: &str) -> Value {
    let body = readiness(client).await.map(|(_, body)| body);
    let body = body.unwrap_or_default();
    let mut projectors = body["projectors"].as_array().into_iter().flatten();
    let found = projectors.find(|one| one["name"] == name);
    found.cloned().unwrap_or_default()
}

/// Waits until something holds, within [`RECOVERY`], and says how long that took.
pub(super) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < RECOVERY, "it did not come about: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{:.2} s until {what}", begun.elapsed().as_secs_f64());
}

/// A connection to the read models' database, as often as it takes.
pub(super) async fn postgres(config: &Config) -> PgConnection {
    let begun = Instant::now();
    loop {
        match PgConnection::connect(config.postgres.url.expose_secret()).await {
            Ok(connection) => return connection,
            Err(error) => assert!(begun.elapsed() < RECOVERY, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A connection to the log, as often as it takes.
pub(super) async fn log(config: &Config) -> Log {
    let begun = Instant::now();
    loop {
        match Log::connect(&config.nats.log_options()).await {
            Ok(log) => return log,
            Err(error) => assert!(begun.elapsed() < RECOVERY, "{error:?}"),
        }
        tokio::time::sleep(PATIENCE / 100).await;
    }
}
