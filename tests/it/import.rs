//! The import of a catalogue, against a real log.

mod interrupted;
mod stopped;

use crate::support::Servers;
use bus::{CommandContext, Dispatcher, Log};
use domain::envelope::Actor;
use domain::id::{ServerId, TaxonomyId, TenantId};
use domain::server::{Server, ServerCommand};
use domain::taxonomy::{Category, Taxonomy, TaxonomyCommand};
use domain::text::is_clean;
use metamcp::import::{Counts, ImportError, Options, Silent, Summary, run};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const SAMPLE_SERVERS: &str = include_str!("../../api/bin/metamcp/sample/servers.jsonl");
const SAMPLE_TOOLS: &str = include_str!("../../api/bin/metamcp/sample/tools.jsonl");

/// A log with a registered tenant.
struct Registry {
    log: Log,
    dispatcher: Dispatcher,
    _servers: Arc<Servers>,
    _folder: tempfile::TempDir,
}

impl Registry {
    async fn start() -> Self {
        let servers = Servers::shared().await;
        let folder = tempfile::tempdir().unwrap();
        let config = servers.fresh_config(folder.path()).await;
        let log = Servers::log(&config).await;
        let dispatcher = Dispatcher::new(log.clone());
        metamcp::provision_tenant(&dispatcher, &acme(), &actor())
            .await
            .unwrap();
        Self {
            log,
            dispatcher,
            _servers: servers,
            _folder: folder,
        }
    }

    async fn import(&self, servers: &[u8], tools: &[u8]) -> Summary {
        // A dispatcher of its own, as another process would have it: no cache helps.
        let dispatcher = Dispatcher::new(self.log.clone());
        let (stop, options) = (CancellationToken::new(), Options::default());
        run(
            &dispatcher,
            &acme(),
            &actor(),
            servers,
            tools,
            &options,
            &Silent,
            &stop,
        )
        .await
        .unwrap()
    }
}

/// Commits of servers and tools by subject.
async fn commits(log: &Log) -> HashMap<String, u64> {
    let head = log.head().await.unwrap();
    let mut reader = log.read_from(1).await.unwrap();
    let mut commits = HashMap::new();
    let mut read = 0;
    while read < head {
        for entry in reader.next_batch(1_000).await.unwrap() {
            read += 1;
            if entry.subject.contains(".server.") || entry.subject.contains(".tool.") {
                *commits.entry(entry.subject.clone()).or_default() += 1;
            }
        }
    }
    commits
}

/// So many servers and tools, and one commit for each.
async fn assert_commits(log: &Log, count: usize) {
    let commits = commits(log).await;
    let doubled: Vec<_> = commits
        .iter()
        .filter(|(_, commits)| **commits != 1)
        .collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert_eq!(commits.len(), count);
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn actor() -> Actor {
    Actor::operator("test")
}

fn counts(registered: u64, already_there: u64, rejected: u64) -> Counts {
    Counts {
        registered,
        already_there,
        rejected,
    }
}

#[tokio::test]
async fn the_sample_imports_whole_and_a_second_run_registers_nothing() {
    let registry = Registry::start().await;
    let (servers, tools) = (SAMPLE_SERVERS.as_bytes(), SAMPLE_TOOLS.as_bytes());
    let first = registry.import(servers, tools).await;
    assert_eq!(
        (first.servers, first.tools),
        (counts(21, 0, 0), counts(199, 0, 0)),
        "{first:#?}"
    );
    assert!(first.is_whole() && first.notes.is_empty(), "{first:#?}");
    let head = registry.log.head().await.unwrap();
    assert_eq!(first.last_stream_sequence, Some(head));
    let second = registry.import(servers, tools).await;
    assert_eq!(
        (second.servers, second.tools),
        (counts(0, 21, 0), counts(0, 199, 0)),
        "{second:#?}"
    );
    assert_eq!(second.last_stream_sequence, None);
    assert_eq!(registry.log.head().await.unwrap(), head);
    assert_commits(&registry.log, 220).await;
}

/// Each schema is within its own limit, both together are not.
#[tokio::test]
async fn a_definition_that_is_too_large_as_a_whole_is_refused() {
    let registry = Registry::start().await;
    let servers = "{\"slug\":\"good\"}\n";
    let schema = format!(
        "{{\"type\":\"object\",\"title\":\"{}\"}}",
        "x".repeat(65_500)
    );
    let tools = format!(
        "{{\"server\":\"good\",\"name\":\"both\",\"description\":\"x\",\
         \"input_schema\":{schema},\"output_schema\":{schema}}}\n\
         {{\"server\":\"good\",\"name\":\"one\",\"description\":\"x\",\"input_schema\":{schema}}}\n"
    );
    let summary = registry.import(servers.as_bytes(), tools.as_bytes()).await;
    assert_eq!(summary.tools, counts(1, 0, 1), "{summary:#?}");
    assert_eq!(summary.rejected, [("DEFINITION_TOO_LARGE", 1)].into());
}

#[tokio::test]
async fn a_bad_line_is_reported_and_the_rest_goes_on() {
    let registry = Registry::start().await;
    let long = "x".repeat(4_001);
    let servers = format!(
        "\u{feff}{{\"slug\":\"good\",\"homepage\":\"ftp://x\"}}\nnot json\n{{\"name\":\"no slug\"}}\n\
         {{\"slug\":\"Bad Slug\"}}\n{{\"slug\":\"good\"}}\n{{\"slug\":\"long\",\"description\":\"{long}\"}}\n\
         {{\"slug\":7}}\n\n{{\"slug\":\"other\",\"description\":\"hid\\u200bden\"}}"
    );
    let large = "y".repeat(70_000);
    let mut tools = format!(
        "{{\"server\":\"good\",\"name\":\"one\",\"description\":\"One\"}}\n\
         {{\"server\":\"good\",\"name\":\"none\",\"description\":\" \"}}\n\
         {{\"server\":\"good\",\"name\":\"bad name!\",\"description\":\"x\"}}\n\
         {{\"server\":\"good\",\"name\":\"long\",\"description\":\"{long}\"}}\n\
         {{\"server\":\"good\",\"name\":\"list\",\"description\":\"x\",\"input_schema\":[]}}\n\
         {{\"server\":\"good\",\"name\":\"large\",\"description\":\"x\",\"input_schema\":{{\"title\":\"{large}\"}}}}\n\
         {{\"server\":\"good\",\"name\":\"one\",\"description\":\"again\"}}\n\
         {{\"server\":\"nobody\",\"name\":\"one\",\"description\":\"x\"}}\n\
         {{\"server\":\"long\",\"name\":\"one\",\"description\":\"its server was refused\"}}\n"
    )
    .into_bytes();
    tools.extend_from_slice(b"{\"server\":\"good\",\"name\":\"utf\",\"description\":\"\xff\"}\n");
    tools.extend(vec![b' '; 1 << 21]);
    tools.extend_from_slice(
        b"\n{\"server\":\"other\",\"name\":\"two\",\"description\":\"T\\u202ewo\"}\r\n",
    );

    let summary = registry.import(servers.as_bytes(), &tools).await;
    assert_eq!(
        (summary.servers, summary.tools),
        (counts(2, 0, 6), counts(2, 0, 10)),
        "{summary:#?}"
    );
    let mut notes: Vec<(u64, &str)> = summary
        .notes
        .iter()
        .map(|note| (note.line, note.code))
        .collect();
    // Many are in flight, so notes come as lines end.
    let tools_begin = summary
        .notes
        .iter()
        .position(|note| note.file == "tools.jsonl")
        .unwrap();
    notes[..tools_begin].sort_unstable();
    notes[tools_begin..].sort_unstable();
    let expected = [
        (1, "HOMEPAGE_DROPPED"),
        (2, "NOT_JSON"),
        (3, "FIELD_MISSING"),
        (4, "INVALID_SLUG"),
        (5, "DUPLICATE"),
        (6, "FIELD_TOO_LONG"),
        (7, "WRONG_TYPE"),
        (9, "HIDDEN_CHARACTERS_REMOVED"),
        (2, "FIELD_MISSING"),
        (3, "INVALID_TOOL_NAME"),
        (4, "FIELD_TOO_LONG"),
        (5, "INVALID_SCHEMA"),
        (6, "SCHEMA_TOO_LARGE"),
        (7, "DUPLICATE"),
        (8, "SERVER_NOT_FOUND"),
        (9, "SERVER_NOT_FOUND"),
        (10, "INVALID_UTF8"),
        (11, "LINE_TOO_LONG"),
        (12, "HIDDEN_CHARACTERS_REMOVED"),
    ];
    assert_eq!(notes, expected);
    assert_commits(&registry.log, 4).await;
    let id = ServerId::derive(&acme(), "other");
    let other = registry
        .dispatcher
        .load::<Server>(&acme(), id.as_str())
        .await
        .unwrap()
        .unwrap();
    let description = &other.profile().unwrap().description;
    assert!(is_clean(description) && description == "hidden");
}

#[tokio::test]
async fn a_line_that_says_otherwise_than_the_registry_is_told() {
    let registry = Registry::start().await;
    let (server, tool) = (
        b"{\"slug\":\"one\",\"description\":\"x\"}",
        b"{\"server\":\"one\",\"name\":\"a\",\"description\":\"x\"}",
    );
    registry.import(server, tool).await;
    let again = registry.import(server, tool).await;
    assert!(again.warnings.is_empty(), "{:?}", again.warnings);
    let changed = registry
        .import(
            b"{\"slug\":\"one\",\"description\":\"y\"}",
            b"{\"server\":\"one\",\"name\":\"a\",\"description\":\"y\"}",
        )
        .await;
    assert_eq!(
        (changed.servers, changed.tools),
        (counts(0, 1, 0), counts(0, 1, 0))
    );
    assert_eq!(changed.warnings, [("DIFFERS", 2)].into());
}

#[tokio::test]
async fn a_tool_goes_to_a_server_of_the_log_but_not_to_a_retired_one() {
    let registry = Registry::start().await;
    registry
        .import(b"{\"slug\":\"kept\"}\n{\"slug\":\"gone\"}", b"")
        .await;
    let context = CommandContext::new(acme(), actor());
    let id = ServerId::derive(&acme(), "gone");
    let retire = ServerCommand::Retire {
        reason: "moved".to_owned(),
    };
    registry
        .dispatcher
        .dispatch::<Server>(&context, id.as_str(), retire)
        .await
        .unwrap();
    let tools = b"{\"server\":\"kept\",\"name\":\"a\",\"description\":\"x\"}\n\
        {\"server\":\"gone\",\"name\":\"a\",\"description\":\"x\"}\n\
        {\"server\":\"gone\",\"name\":\"b\",\"description\":\"x\"}";
    // A line for a retired server is "already there": it does not come back, and its tools stay out.
    let summary = registry.import(b"{\"slug\":\"gone\"}", tools).await;
    assert_eq!(
        (summary.servers, summary.tools),
        (counts(0, 1, 0), counts(1, 0, 2))
    );
    assert_eq!(summary.rejected, [("SERVER_RETIRED", 2)].into());
}

#[tokio::test]
async fn a_taxonomy_grows_by_what_the_files_name_and_none_begins_with_them() {
    let registry = Registry::start().await;
    let id = TaxonomyId::derive(&acme());
    let any = b"{\"slug\":\"any\",\"category\":\"Any Words\"}";
    let free = registry.import(any, b"").await;
    assert_eq!(
        (free.servers, free.categories_added),
        (counts(1, 0, 0), 0),
        "{free}"
    );
    let dispatcher = &registry.dispatcher;
    let found = dispatcher.load::<Taxonomy>(&acme(), id.as_str()).await;
    assert_eq!(found.unwrap(), None);
    let context = CommandContext::new(acme(), actor());
    let databases = Category {
        slug: "databases".to_owned(),
        title: "Databases".to_owned(),
        description: String::new(),
        parent: None,
    };
    let retire = TaxonomyCommand::Retire {
        slug: "databases".to_owned(),
        successor: None,
    };
    dispatcher
        .dispatch::<Taxonomy>(&context, id.as_str(), TaxonomyCommand::Add(databases))
        .await
        .unwrap();
    let grown = registry
        .import(b"{\"slug\":\"mail\",\"category\":\"post\"}", b"")
        .await;
    assert_eq!(
        (grown.servers, grown.categories_added),
        (counts(1, 0, 0), 1),
        "{grown}"
    );
    // What was retired on purpose does not come back with a file.
    let context = CommandContext::new(acme(), actor());
    dispatcher
        .dispatch::<Taxonomy>(&context, id.as_str(), retire)
        .await
        .unwrap();
    let retired = registry
        .import(b"{\"slug\":\"pg\",\"category\":\"databases\"}", b"")
        .await;
    assert_eq!(retired.categories_added, 0);
    assert_eq!(retired.rejected, [("CATEGORY_NOT_FOUND", 1)].into());
}

#[tokio::test]
async fn an_unknown_tenant_gets_no_registry() {
    let registry = Registry::start().await;
    let head = registry.log.head().await.unwrap();
    let wrong = TenantId::new("acmee").unwrap();
    let (stop, options) = (CancellationToken::new(), Options::default());
    let (servers, tools) = (SAMPLE_SERVERS.as_bytes(), SAMPLE_TOOLS.as_bytes());
    let ended = run(
        &registry.dispatcher,
        &wrong,
        &actor(),
        servers,
        tools,
        &options,
        &Silent,
        &stop,
    )
    .await;
    assert!(matches!(ended, Err(ImportError::UnknownTenant(tenant)) if tenant == wrong));
    assert_eq!(registry.log.head().await.unwrap(), head);
}

#[tokio::test]
async fn a_real_catalogue_imports_without_a_rejected_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/catalog");
    let Ok(servers) = std::fs::read_to_string(folder.join("servers.jsonl")) else {
        println!("skipped: no large catalogue at {}", folder.display());
        return;
    };
    let tools = std::fs::read_to_string(folder.join("tools.jsonl")).unwrap();
    let tools = tools
        .lines()
        .take(2_000)
        .fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        });
    let registry = Registry::start().await;
    let lines = servers.lines().count() as u64;
    let first = registry.import(servers.as_bytes(), tools.as_bytes()).await;
    assert_eq!(
        (first.servers, first.tools),
        (counts(lines, 0, 0), counts(2_000, 0, 0)),
        "{first}"
    );
    println!("{first}");
    let second = registry.import(servers.as_bytes(), tools.as_bytes()).await;
    assert_eq!(
        (second.servers, second.tools),
        (counts(0, lines, 0), counts(0, 2_000, 0))
    );
    println!("{second}");
    assert_commits(&registry.log, usize::try_from(lines).unwrap() + 2_000).await;
}
