//! Writers that send commands over HTTP, each with an id, until they are answered, and remember the answers.

use crate::support::Client;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const REGISTER: &str = "mutation($slug: String!, $text: String!, $id: UUID!) {
    registerServer(input: { slug: $slug, name: $slug, description: $text }, commandId: $id) {
        sequence notice } }";
const DESCRIBE: &str = "mutation($slug: String!, $text: String!, $id: UUID!) {
    describeServer(input: { slug: $slug, description: $text }, commandId: $id) { sequence notice } }";
const REGISTER_TOOL: &str = "mutation($slug: String!, $text: String!, $id: UUID!) {
    registerTool(input: { server: $slug, name: \"count_things\", description: $text }, commandId: $id) {
        sequence notice } }";
const DESCRIBE_TOOL: &str = "mutation($slug: String!, $text: String!, $id: UUID!) {
    describeTool(input: { server: $slug, name: \"count_things\", title: $text }, commandId: $id) {
        sequence notice } }";

/// A command that was answered with success.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) command_id: Uuid,
    /// Whether it changed a tool, which the search index holds, and not a server.
    pub(super) of_tool: bool,
    /// Where the answer says the commit lies.
    pub(super) sequence: u64,
    /// Whether the answer showed the change, so that a reader may rely on the read model.
    pub(super) visible: bool,
    /// When the request that was answered began, and when the answer came.
    pub(super) asked: Instant,
    pub(super) answered: Instant,
}

/// What the writers have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Answers after which one tries again: something was away.
    pub(super) unavailable: usize,
    /// Answers that must not occur.
    pub(super) wrong: Vec<String>,
}

/// Writers at work. Dropping it stops them.
pub(super) struct Load {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts writers. Each registers servers and describes them, and now and then a tool, one command after the
    /// other.
    pub(super) fn start(client: &Client, writers: usize) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let start = |writer| {
            let (client, seen, stop) = (client.clone(), Arc::clone(&seen), stop.clone());
            tokio::spawn(async move { write(writer, &client, &seen, &stop).await })
        };
        Self {
            writers: (0..writers).map(start).collect(),
            seen,
            stop,
        }
    }

    /// Looks at what was seen so far.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.seen.lock().unwrap())
    }

    /// Stops the writers, once the command that each is sending, and that of a tool which belongs to it, is answered.
    pub(super) async fn stop(mut self) -> Seen {
        self.stop.cancel();
        for writer in std::mem::take(&mut self.writers) {
            writer.await.unwrap();
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn write(writer: usize, client: &Client, seen: &Mutex<Seen>, stop: &CancellationToken) {
    // Not the names of an earlier load.
    let load = &Uuid::now_v7().simple().to_string()[20..];
    let mut slug = String::new();
    let mut with_tool = String::new();
    for number in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let mutation = match number % 3 {
            0 => {
                slug = format!("w{writer}-{number}-{load}");
                REGISTER
            }
            _ => DESCRIBE,
        };
        let text = format!("Number {number}");
        send(client, mutation, &slug, &text, seen).await;
        // A tool at the first number, so that every load has one. No server gets two.
        match number % 5 {
            0 => {
                with_tool.clone_from(&slug);
                send(client, REGISTER_TOOL, &with_tool, &text, seen).await;
            }
            3 => send(client, DESCRIBE_TOOL, &with_tool, &text, seen).await,
            _ => {}
        }
    }
}

/// Sends one command until it is answered, always with the same id.
async fn send(client: &Client, mutation: &str, slug: &str, text: &str, seen: &Mutex<Seen>) {
    let command_id = Uuid::now_v7();
    loop {
        let asked = Instant::now();
        let variables = json!({ "slug": slug, "text": text, "id": command_id });
        let answer = post(client, mutation, variables).await;
        match answer.as_ref().map(|(status, body)| judge(*status, body)) {
            Some(Verdict::Done { sequence, visible }) => {
                let acknowledged = Acknowledged {
                    command_id,
                    of_tool: [REGISTER_TOOL, DESCRIBE_TOOL].contains(&mutation),
                    sequence,
                    visible,
                    asked,
                    answered: Instant::now(),
                };
                return seen.lock().unwrap().acknowledged.push(acknowledged);
            }
            Some(Verdict::Wrong) => {
                let wrong = format!("{mutation} of {slug}: {answer:?}");
                return seen.lock().unwrap().wrong.push(wrong);
            }
            Some(Verdict::Later) | None => seen.lock().unwrap().unavailable += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// None when nobody answers.
async fn post(client: &Client, query: &str, variables: Value) -> Option<(StatusCode, Value)> {
    let request = client.http.post(format!("{}/graphql", client.base));
    let request = request.json(&json!({ "query": query, "variables": variables }));
    let response = client.authorize(request).send().await.ok()?;
    let status = response.status();
    Some((status, response.json().await.ok()?))
}

enum Verdict {
    Done { sequence: u64, visible: bool },
    Later,
    Wrong,
}

fn judge(status: StatusCode, body: &Value) -> Verdict {
    let payload = body["data"]
        .as_object()
        .and_then(|data| data.values().next());
    let sequence = payload.and_then(|payload| payload["sequence"].as_u64());
    let code = match status {
        StatusCode::OK => &body["errors"][0]["extensions"]["code"],
        _ => &body["code"],
    };
    match (sequence, code.as_str()) {
        (Some(sequence), None) => Verdict::Done {
            sequence,
            visible: payload.is_some_and(|payload| payload["notice"].is_null()),
        },
        (None, Some("UNAVAILABLE" | "CONFLICT")) => Verdict::Later,
        _ => Verdict::Wrong,
    }
}
