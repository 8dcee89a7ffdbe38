//! Three nats-servers and three copies of the stream: one is killed or frozen, then the leader. A projector follows, and
//! waits for a leader where it starts while there is none.

use super::verify::{nothing_is_lost_or_doubled, read_models_equal_a_rebuild};
use super::world::{Process, RECOVERY, eventually, log, send};
use crate::support::{Servers, free_port};
use api::config::Config;
use bus::{CommandContext, DispatchError, Dispatcher, Log};
use domain::envelope::Actor;
use domain::id::{CommandId, TenantId};
use domain::tenant::{Tenant, TenantCommand};
use metamcp::embedded::{NATS_USER, NatsProgram};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PASSWORD: &str = "of-this-test";
const STREAM: &str = "METAMCP_EVENTS";
const OBJECTS: usize = 4;
/// An object that nobody races for, of so many commits that they are read at once.
const QUIET: &str = "quiet";
const QUIET_COMMITS: usize = 30;
/// How long a consumer is waited for, of which the cluster may have put one on the frozen server.
const CONSUMER: Duration = Duration::from_secs(1);
/// One of so few that they are read one by one.
const SHORT: &str = "short";
const SHORT_COMMITS: usize = 4;

/// How long a server is left to find those before it.
const APART: Duration = Duration::from_millis(500);

/// A nats-server of a cluster on loopback. Dropping it kills it.
struct Node {
    name: String,
    config: PathBuf,
    child: Child,
}

impl Node {
    fn start(config: PathBuf, name: String) -> Self {
        let child = Self::spawn(&config);
        Self {
            name,
            config,
            child,
        }
    }

    fn spawn(config: &Path) -> Child {
        Command::new(NatsProgram::locate().unwrap().path)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    fn signal(&self, signal: Signal) {
        send(self.child.id().unwrap(), signal);
    }

    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(&self.config);
    }
}

/// Three servers that know each other, and a configuration that reaches all of them. They start one after the other:
/// of three that were started in the same moment, one had no leader for good in one of a dozen clusters, with nothing
/// else on them ("no suitable peers for placement").
async fn cluster(folder: &Path) -> (Vec<Node>, Config) {
    let [clients, routes] = [(); 2].map(|()| [(); 3].map(|()| free_port()));
    let others = routes
        .map(|port| format!("nats://127.0.0.1:{port}"))
        .join(", ");
    let start = |number: usize| {
        let (name, file) = (format!("n{number}"), folder.join(format!("n{number}.conf")));
        let store = folder.join(&name).display().to_string();
        let text = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{}\"\n\
             authorization {{ user: {NATS_USER}, password: \"{PASSWORD}\" }}\n\
             jetstream {{ store_dir: \"{store}\", sync_interval: always }}\n\
             cluster {{ name: test, listen: \"127.0.0.1:{}\", routes: [{others}] }}\n",
            clients[number], routes[number]
        );
        std::fs::write(&file, text).unwrap();
        Node::start(file, name)
    };
    let mut nodes = Vec::new();
    for (number, route) in routes.iter().enumerate() {
        nodes.push(start(number));
        let listens = async || TcpStream::connect(("127.0.0.1", *route)).await.is_ok();
        eventually("a server listens", listens).await;
        tokio::time::sleep(APART).await;
    }
    let mut config = Config::default();
    config.nats.url = clients
        .map(|port| format!("nats://127.0.0.1:{port}"))
        .join(",");
    config.nats.user = Some(NATS_USER.to_owned());
    config.nats.password = Some(PASSWORD.into());
    config.nats.replicas = 3;
    (nodes, config)
}

/// The name of the server that leads the stream, once there is one.
async fn leader(config: &Config) -> String {
    let mut found = None;
    eventually("the stream has a leader", async || {
        let connect = async_nats::ConnectOptions::with_user_and_password(
            NATS_USER.to_owned(),
            PASSWORD.to_owned(),
        );
        let addresses: Vec<&str> = config.nats.url.split(',').collect();
        let Ok(client) = connect.connect(addresses).await else {
            return false;
        };
        let stream = async_nats::jetstream::new(client).get_stream(STREAM).await;
        let info = stream.ok().map(|stream| stream.cached_info().clone());
        found = info.and_then(|info| info.cluster?.leader);
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Writers on few objects through logs of their own, so that they race.
struct Race {
    acknowledged: Arc<Mutex<Vec<(Uuid, u64)>>>,
    stop: CancellationToken,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Race {
    async fn start(config: &Config) -> Self {
        let (acknowledged, stop) = (Arc::<Mutex<Vec<_>>>::default(), CancellationToken::new());
        let mut writers = Vec::new();
        for writer in 0..4 {
            let dispatcher = Dispatcher::new(log(config).await);
            let (acknowledged, stop) = (Arc::clone(&acknowledged), stop.clone());
            writers.push(tokio::spawn(async move {
                for number in 0.. {
                    if stop.is_cancelled() {
                        return;
                    }
                    let object = format!("object-{}", number % OBJECTS);
                    let done = write(&dispatcher, &object, &format!("{writer} {number}")).await;
                    acknowledged.lock().unwrap().push(done);
                }
            }));
        }
        Self {
            acknowledged,
            stop,
            writers,
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    async fn goes_on(&self, what: &str) {
        let before = self.count();
        eventually(what, async || self.count() > before + 10).await;
    }

    /// A process that begins now does a command, and reads whole objects without waiting in vain for a copy.
    async fn begins(&self, config: &Config, what: &str) {
        let dispatcher = Dispatcher::new(log(config).await);
        let begun = Instant::now();
        let done = tokio::time::timeout(RECOVERY, write(&dispatcher, QUIET, what)).await;
        let done = done.unwrap_or_else(|_| panic!("it did not come about: {what}"));
        println!("{:.2} s until {what}", begun.elapsed().as_secs_f64());
        self.acknowledged.lock().unwrap().push(done);
        // A load that waits in vain for a copy takes five seconds and fails, and most would meet one.
        let begun = Instant::now();
        for object in [QUIET, SHORT].repeat(10) {
            let tenant = TenantId::new(object).unwrap();
            while dispatcher.load::<Tenant>(&tenant, object).await.is_err() {
                assert!(begun.elapsed() < RECOVERY, "loads are refused for a minute");
            }
        }
        let took = begun.elapsed();
        println!("{:.2} s for 20 loads beside it", took.as_secs_f64());
        assert!(
            took < 20 * CONSUMER + RECOVERY / 3,
            "copies are waited for in vain: {took:?}"
        );
    }

    async fn stop(self) -> Vec<(Uuid, u64)> {
        self.stop.cancel();
        for writer in self.writers {
            writer.await.unwrap();
        }
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}

/// Sends one command, with one id, until it is done.
async fn write(dispatcher: &Dispatcher, object: &str, name: &str) -> (Uuid, u64) {
    let command_id = Uuid::now_v7();
    loop {
        if let Ok(done) = send_once(dispatcher, object, name, command_id).await {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where it lies, or a clean refusal, in words. Any other failure is none of these faults.
async fn send_once(
    dispatcher: &Dispatcher,
    object: &str,
    name: &str,
    command_id: Uuid,
) -> Result<(Uuid, u64), String> {
    let tenant = TenantId::new(object).unwrap();
    let rename = TenantCommand::Rename {
        display_name: name.to_owned(),
    };
    let context =
        CommandContext::new(tenant, Actor::system("test")).with_command_id(CommandId(command_id));
    let sent = dispatcher.dispatch::<Tenant>(&context, object, rename);
    match sent.await {
        Ok(done) => Ok((command_id, done.stream_sequence)),
        Err(DispatchError::Bus(error)) if !error.is_unavailable() => panic!("{object}: {error:?}"),
        Err(refused @ (DispatchError::Conflict | DispatchError::Bus(_))) => {
            Err(refused.to_string())
        }
        Err(error) => panic!("{object}: {error:?}"),
    }
}

async fn register_objects(log: &Log) {
    let dispatcher = Dispatcher::new(log.clone());
    let raced = (0..OBJECTS).map(|number| (format!("object-{number}"), 1));
    let others = [(QUIET, QUIET_COMMITS), (SHORT, SHORT_COMMITS)];
    let others = others.map(|(object, commits)| (object.to_owned(), commits));
    for (object, commits) in raced.chain(others) {
        let tenant = TenantId::new(&object).unwrap();
        let context = CommandContext::new(tenant, Actor::system("test"));
        let register = TenantCommand::Register {
            display_name: object.clone(),
        };
        dispatcher
            .dispatch::<Tenant>(&context, &object, register)
            .await
            .unwrap();
        for number in 1..commits {
            write(&dispatcher, &object, &format!("{object} {number}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_servers_one_may_fail_and_no_object_ever_has_two_winners() {
    let folder = tempfile::tempdir().unwrap();
    let (mut nodes, of_cluster) = cluster(folder.path()).await;
    let servers = Servers::shared().await; // for PostgreSQL
    let config = Config {
        nats: of_cluster.nats,
        ..servers.fresh_config(folder.path()).await
    };
    let events = log(&config).await;
    register_objects(&events).await;
    let path = folder.path().join("projector");
    let mut projecting = Process::start(path, "projector", &config).await;
    // A cluster that has just come together may need longer than a start waits for it.
    projecting.leads(&config).await;
    let race = Race::start(&config).await;
    race.goes_on("commits with three servers").await;
    let follower = |nodes: &[Node], leader: &str| nodes.iter().position(|n| n.name != leader);

    // A follower dies and comes back: what it missed it gets, and until then it is not believed.
    let at = follower(&nodes, &leader(&config).await).unwrap();
    nodes[at].kill().await;
    race.goes_on("commits without a follower").await;
    nodes[at].restart();
    race.goes_on("commits while a follower catches up").await;

    // A follower is frozen: it holds its connections and answers nothing.
    let at = follower(&nodes, &leader(&config).await).unwrap();
    nodes[at].signal(Signal::STOP);
    tokio::time::sleep(Duration::from_secs(2)).await;
    race.goes_on("commits beside a frozen follower").await;
    nodes[at].signal(Signal::CONT);
    race.goes_on("commits after a frozen follower").await;

    // The leader dies, then its successor is frozen until there is another one.
    let leading = leader(&config).await;
    let at = nodes.iter().position(|node| node.name == leading).unwrap();
    nodes[at].kill().await;
    race.goes_on("commits under a new leader").await;
    nodes[at].restart();
    race.goes_on("commits with three servers again").await;
    let leading = leader(&config).await;
    let at = nodes.iter().position(|node| node.name == leading).unwrap();
    nodes[at].signal(Signal::STOP);
    eventually("another server leads", async || {
        leader(&config).await != leading
    })
    .await;
    race.begins(&config, "a new process commits beside a frozen leader")
        .await;
    race.goes_on("commits beside a frozen leader").await;
    nodes[at].signal(Signal::CONT);
    race.goes_on("commits after a frozen leader").await;

    let acknowledged = race.stop().await;
    println!("{} commits acknowledged", acknowledged.len());
    let events = log(&config).await;
    nothing_is_lost_or_doubled(&events, &acknowledged).await;
    projecting.leads(&config).await;
    read_models_equal_a_rebuild(&config, &events).await;
    drop(projecting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_starts_while_a_cluster_has_no_leader_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut nodes, of_cluster) = cluster(folder.path()).await;
    let servers = Servers::shared().await; // for PostgreSQL
    let config = Config {
        nats: of_cluster.nats,
        ..servers.fresh_config(folder.path()).await
    };
    register_objects(&log(&config).await).await;
    // One of three can choose nobody, so that it lasts until the others are back.
    for node in &mut nodes[1..] {
        node.kill().await;
    }
    let path = folder.path().join("projector");
    let mut starting = Process::start(path, "projector", &config).await;
    eventually("the start finds no leader, and says so", async || {
        starting.said().contains("the start waits for it")
    })
    .await;
    for node in &mut nodes[1..] {
        node.restart();
    }
    starting.leads_by_itself(&config).await;
}
