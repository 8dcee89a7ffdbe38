//! `metamcp up` as a person runs it: the program itself, its output, its signals.

mod model_files;

use crate::support::{Client, PATIENCE, free_port};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const SEARCH: &str = "query($query: String!) { searchTools(query: $query, first: 3) {
    semantic notice hits { tool { name server { slug } } } } }";
const REGISTER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";

/// A running `metamcp up`; dropping it kills it.
pub(crate) struct Up {
    child: Child,
    output: Vec<String>,
    pub(crate) base: String,
}

pub(crate) fn metamcp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metamcp"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command on the installation in a data directory.
pub(crate) async fn run(data: &Path, arguments: &[&str]) -> Output {
    let mut command = metamcp(arguments);
    command.env("METAMCP_DATA_DIR", data);
    let output = tokio::time::timeout(3 * PATIENCE, command.output());
    output.await.unwrap().unwrap()
}

/// What a command that succeeds prints.
pub(crate) async fn printed(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Stops it in order.
pub(crate) async fn stop(mut up: Up) {
    up.signal(Signal::INT);
    assert!(up.ended().await.success());
}

pub(crate) async fn up(data: &Path, port: u16, variables: &[(&str, String)]) -> Up {
    let listen = format!("127.0.0.1:{port}");
    let mut command = metamcp(&[
        "up",
        "--listen",
        &listen,
        "--embedder",
        "none",
        "--data-dir",
    ]);
    command
        .arg(data)
        .envs(variables.iter().cloned())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut output = Vec::new();
    let read = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let last = line.contains("Ctrl-C");
            output.push(line);
            if last {
                return true;
            }
        }
        false
    };
    assert!(
        tokio::time::timeout(3 * PATIENCE, read).await.unwrap(),
        "{output:#?}"
    );
    Up {
        child,
        output,
        base: format!("http://{listen}"),
    }
}

impl Up {
    /// The token that a first start prints.
    fn token(&self) -> Option<String> {
        let token = self
            .output
            .iter()
            .map(|line| line.trim())
            .find(|line| line.starts_with("eyJ"));
        token.map(str::to_owned)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for its end: the program gives requests, projectors and servers time to end, each in turn.
    pub(crate) async fn ended(&mut self) -> std::process::ExitStatus {
        tokio::time::timeout(3 * PATIENCE, self.child.wait())
            .await
            .unwrap()
            .unwrap()
    }
}

#[tokio::test]
async fn from_an_empty_folder_to_a_found_tool_and_over_every_kind_of_end() {
    let folder = tempfile::tempdir().unwrap();
    let (data, port) = (folder.path().join("data"), free_port());
    let collector = Collector::start().await;
    let config = folder.path().join("given.yaml");
    let other_log = "nats: {stream: OTHER_EVENTS, subject_root: other.event}\n";
    std::fs::write(&config, other_log).unwrap();
    let given = [("METAMCP_CONFIG", config.display().to_string())];
    let traced = ("METAMCP__TELEMETRY__OTLP_ENDPOINT", collector.base.clone());
    let traced = [given[0].clone(), traced];

    // A first start registers an administrator and the sample, and finds a tool in it.
    let mut first = up(&data, port, &traced).await;
    let token = first.token().expect("a first start prints a token");
    let client = Client::new(&first.base, Some(token));
    let found = client
        .data(SEARCH, json!({ "query": "create an issue on github" }))
        .await;
    assert_eq!(found["searchTools"]["semantic"], false);
    assert!(found["searchTools"]["notice"].is_string());
    assert!(found.to_string().contains("github"), "{found:#}");
    one_trace_spans_request_commit_and_projection(&client, &collector).await;

    // A second `up` on the same folder is refused in one line that names the first.
    let second = metamcp(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--embedder",
        "none",
        "--data-dir",
    ])
    .arg(&data)
    .output()
    .await
    .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&first.child.id().unwrap().to_string()),
        "{said}"
    );

    // Other commands find the running installation, and its log, without being given its configuration.
    let check = metamcp(&["rebuild", "all", "--check", "--data-dir"])
        .arg(&data)
        .output()
        .await;
    let check = check.unwrap();
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        check.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&check.stderr)
    );
    assert!(said.contains("catalog.tools: equal"), "{said}");
    a_catalogue_brings_its_categories(&data, folder.path()).await;

    // Ctrl-C stops everything in order.
    first.signal(Signal::INT);
    let status = first.ended().await;
    assert!(status.success(), "{status}");
    for command in [
        vec!["token", "issue"],
        vec!["rebuild", "catalog"],
        vec!["tenant", "register", "--tenant", "other"],
    ] {
        let mut refused = metamcp(&command);
        let refused = refused.arg("--data-dir").arg(&data).output().await;
        let said = String::from_utf8_lossy(&refused.unwrap().stderr).into_owned();
        assert!(said.contains("nothing runs on"), "{command:?}: {said}");
    }

    // The next start shows no token, and everything is there. kill -9 loses nothing either.
    let mut again = up(&data, port, &given).await;
    assert_eq!(again.token(), None);
    client.data(REGISTER, json!({ "slug": "late" })).await;
    again.signal(Signal::KILL);
    again.ended().await;
    let mut last = up(&data, port, &given).await;
    let servers = client
        .data("{ server(slug: \"late\") { slug } }", json!({}))
        .await;
    assert_eq!(servers["server"]["slug"], "late");
    last.signal(Signal::TERM);
    assert!(last.ended().await.success());
}

/// The sample has given the tenant a taxonomy, which keeps no catalogue out.
async fn a_catalogue_brings_its_categories(data: &Path, folder: &Path) {
    let server = "{\"slug\": \"rover\", \"category\": \"space-travel\"}\n";
    let [servers, tools] = [("servers.jsonl", server), ("tools.jsonl", "")].map(|(name, text)| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    });
    let mut import = vec!["import", "catalogue", "--servers", &servers];
    import.extend(["--tools", &tools]);
    let strict = [import.as_slice(), &["--known-categories-only"]].concat();
    assert_eq!(run(data, &strict).await.status.code(), Some(3));
    let told = printed(data, &import).await;
    assert!(told.contains("1 categories added"), "{told}");
}

#[tokio::test]
async fn faults_at_the_start_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let empty = folder.path().join("no-model");
    std::fs::create_dir(&empty).unwrap();
    let newer = folder.path().join("newer");
    std::fs::create_dir(&newer).unwrap();
    std::fs::write(newer.join("VERSION"), "999\n").unwrap();
    let fresh = |name: &str| folder.path().join(name).display().to_string();
    let newer = newer.display().to_string();
    let cases = [
        (vec!["--listen", &listen, "--data-dir"], fresh("a"), "port"),
        (vec!["--listen", "127.0.0.1:0", "--data-dir"], newer, "999"),
        (
            vec!["--listen", "127.0.0.1:0", "--data-dir"],
            "/proc/nowhere".to_owned(),
            "/proc",
        ),
        (
            vec![
                "--listen",
                "127.0.0.1:0",
                "--embedder",
                "minilm",
                "--data-dir",
            ],
            fresh("b"),
            "config.json",
        ),
        (
            vec!["--embedder", "psychic", "--data-dir"],
            fresh("c"),
            "minilm, openai or none",
        ),
    ];
    for (arguments, data, expected) in cases {
        let mut command = metamcp(&["up"]);
        command
            .args(&arguments)
            .arg(&data)
            .env("METAMCP__SEARCH__MODEL_DIR", &empty);
        command.env("METAMCP__TELEMETRY__LOG_FILTER", "off");
        let done = tokio::time::timeout(2 * PATIENCE, command.output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{arguments:?} succeeded");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_first_start_that_is_interrupted_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = metamcp(&[
        "up",
        "--embedder",
        "none",
        "--listen",
        &listen,
        "--data-dir",
    ]);
    let child = command.arg(&data).stdout(Stdio::piped()).spawn().unwrap();
    let creates = || processes_with(&data.join("postgres").display().to_string());
    let begun = Instant::now();
    while creates() == 0 {
        assert!(begun.elapsed() < PATIENCE, "no database was begun");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let ended = tokio::time::timeout(3 * PATIENCE, child.wait_with_output()).await;
    let ended = ended.unwrap().unwrap();
    assert!(ended.status.success(), "{}", ended.status);
    assert!(String::from_utf8_lossy(&ended.stdout).contains("Stopping"));
    let begun = Instant::now();
    while creates() > 0 {
        assert!(begun.elapsed() < PATIENCE, "a process was left behind");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many processes name this folder in their arguments, `metamcp` itself aside.
fn processes_with(folder: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    commands
        .filter(|command| String::from_utf8_lossy(command).contains(folder))
        .count()
}

/// Sends a command with a trace of its own and waits until the collector has a span of the command and one
/// of the projection in it.
async fn one_trace_spans_request_commit_and_projection(client: &Client, collector: &Collector) {
    let trace: [u8; 16] = *b"one-trace-of-all";
    let hex: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    let request = client.http.post(format!("{}/graphql", client.base));
    let request = request.header("traceparent", format!("00-{hex}-00f067aa0ba902b7-01"));
    let body = json!({ "query": REGISTER, "variables": { "slug": "traced" } });
    let answer = client.authorize(request).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let begun = Instant::now();
    while !(collector.has_span(&trace, "dispatch") && collector.has_span(&trace, "apply")) {
        assert!(begun.elapsed() < PATIENCE, "the trace did not arrive whole");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// An OpenTelemetry collector that keeps what it is sent.
struct Collector {
    base: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let keep = |State(received): State<Arc<Mutex<Vec<u8>>>>, body: Bytes| async move {
            received.lock().unwrap().extend_from_slice(&body);
        };
        let router = Router::new()
            .route("/v1/traces", post(keep))
            .with_state(received.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, received }
    }

    /// Whether a span of this name came in this trace. In OTLP's protobuf a span's trace id (field 1) is
    /// followed by ids and flags of at most 40 bytes and then its name (field 5, tag 0x2a).
    fn has_span(&self, trace: &[u8], name: &str) -> bool {
        let received = self.received.lock().unwrap();
        let mut field = vec![0x2a, u8::try_from(name.len()).unwrap()];
        field.extend_from_slice(name.as_bytes());
        received
            .windows(trace.len())
            .enumerate()
            .any(|(at, window)| {
                let after = &received[at + window.len()..];
                let after = &after[..after.len().min(40 + field.len())];
                window == trace && after.windows(field.len()).any(|found| found == field)
            })
    }
}
