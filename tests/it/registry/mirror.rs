//! A mirror of one real instance in another.

mod cursors;

use super::front::Front;
use super::*;
use crate::support::{Installation, PATIENCE};
use bus::Dispatcher;
use domain::envelope::Actor;
use domain::id::{ServerId, TenantId};
use domain::principal::Role;
use domain::server::{Manifest, Mirrored};
use metamcp::import::registry::{
    FetchError, MirrorError, Registry, Summary, Target, mirror_registry, slug_of,
};
use projections::manifests;
use secrecy::ExposeSecret;
use std::path::Path;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const WEATHER: &str = "io.github.acme/weather";

/// Two installations: one is read, into the tenant `acme` of the other.
pub(super) struct Pair {
    theirs: Installation,
    publisher: Client,
    pub(super) front: Front,
    pub(super) ours: Installation,
    reader: Client,
}

impl Pair {
    pub(super) async fn start() -> Self {
        let theirs = Installation::start().await;
        let publisher = theirs.client("upstream", "pub", &[Role::Publisher]).await;
        let front = Front::before(&theirs.base).await;
        let ours = Installation::start().await;
        let reader = ours.client("acme", "agent", &[Role::Agent]).await;
        Self {
            theirs,
            publisher,
            front,
            ours,
            reader,
        }
    }

    fn registry(&self) -> Registry {
        let token = self.publisher.token.clone().map(Into::into);
        Registry::new(&self.front.base, token).unwrap()
    }

    /// Where the log says that the last run was.
    pub(super) async fn last(&self) -> Option<Mirrored> {
        self.ours.settle().await;
        let tenant = TenantId::new("acme").unwrap();
        let mut reads = self.ours.app.state.reads.tenant(&tenant).await.unwrap();
        let last = manifests::last_mirrored(&mut reads, self.registry().name()).await;
        last.unwrap()
    }

    /// A run, as a process of its own would do it.
    async fn mirror(&self, progress: &(dyn Fn(&Summary) + Sync)) -> Summary {
        self.theirs.settle().await;
        let last = self.last().await;
        let dispatcher = Dispatcher::new(self.ours.app.state.log.clone());
        let (tenant, actor) = (TenantId::new("acme").unwrap(), Actor::operator("test"));
        let stop = CancellationToken::new();
        let target = Target {
            dispatcher: &dispatcher,
            tenant: &tenant,
            actor: &actor,
            patience: PATIENCE,
            stop: &stop,
        };
        let summary = mirror_registry(&target, &self.registry(), last, progress)
            .await
            .unwrap();
        self.ours.settle().await;
        summary
    }

    pub(super) async fn head(&self) -> u64 {
        self.ours.app.state.log.head().await.unwrap()
    }

    /// So many servers without a manifest, for a run of several pages.
    pub(super) async fn fill(&self, count: usize) {
        let upstream = TenantId::new("upstream").unwrap();
        for number in 0..count {
            let slug = format!("server-{number}");
            let context = bus::CommandContext::new(upstream.clone(), Actor::operator("test"));
            let profile = domain::server::ServerProfile {
                name: slug.clone(),
                ..Default::default()
            };
            let id = ServerId::derive(&upstream, &slug);
            let register = domain::server::RegisterServer { slug, profile };
            let register = domain::server::ServerCommand::Register(register);
            let dispatcher = &self.theirs.app.state.dispatcher;
            dispatcher
                .dispatch::<domain::server::Server>(&context, id.as_str(), register)
                .await
                .unwrap();
        }
        self.theirs.settle().await;
    }

    /// Every version that the mirror has.
    pub(super) async fn versions(&self) -> usize {
        let tenant = TenantId::new("acme").unwrap();
        let mut reads = self.ours.app.state.reads.tenant(&tenant).await.unwrap();
        let filter = manifests::VersionFilter::default();
        let page = projections::PageRequest::first(1_000);
        let all = manifests::versions(&mut reads, &filter, &page).await;
        all.unwrap().items.len()
    }

    /// The program, which mirrors a source as a process of its own.
    pub(super) fn program(&self, folder: &Path, source: &str) -> tokio::process::Command {
        let (ours, token) = (&self.ours.config, self.publisher.token.as_ref().unwrap());
        let password = ours.nats.password.as_ref().unwrap().expose_secret();
        let mut command = crate::up::metamcp(&["import", "registry", source, "--json"]);
        command.args(["--tenant", "acme", "--data-dir"]).arg(folder);
        command.envs([
            ("METAMCP_REGISTRY_TOKEN", token.as_str()),
            ("METAMCP__NATS__URL", &ours.nats.url),
            ("METAMCP__NATS__USER", ours.nats.user.as_deref().unwrap()),
            ("METAMCP__NATS__PASSWORD", password),
            ("METAMCP__NATS__STREAM", &ours.nats.stream),
            ("METAMCP__NATS__SUBJECT_ROOT", &ours.nats.subject_root),
            ("METAMCP__POSTGRES__URL", ours.postgres.url.expose_secret()),
        ]);
        command
    }
}

fn silent(_: &Summary) {}

#[tokio::test]
async fn a_mirror_brings_everything_and_then_only_what_changes() {
    let pair = Pair::start().await;
    register(&pair.publisher, "plain", None).await;
    register(&pair.publisher, "weather", Some(WEATHER)).await;
    publish(&pair.publisher, "weather", manifest(WEATHER, "1.0.0")).await;
    publish(&pair.publisher, "weather", manifest(WEATHER, "1.1.0")).await;

    let first = pair.mirror(&silent).await;
    assert_eq!(
        (first.published, first.servers_registered),
        (3, 2),
        "{first}"
    );
    // The row of the profile that the manifests replaced.
    assert_eq!((first.skipped, first.refused), (1, 0), "{first}");
    let (there, here) = (
        list(&pair.publisher, "/v0.1/servers").await,
        list(&pair.reader, "/v0.1/servers").await,
    );
    let documents = |list: &Value| -> Vec<Value> {
        let items = list["servers"].as_array().unwrap();
        items.iter().map(|item| item["server"].clone()).collect()
    };
    assert_eq!(documents(&here), documents(&there));

    let head = pair.head().await;
    let second = pair.mirror(&silent).await;
    assert_eq!(second.last_stream_sequence, None, "{second}");
    assert_eq!(pair.head().await, head);

    publish(&pair.publisher, "weather", manifest(WEATHER, "2.0.0")).await;
    set_status(&pair.publisher, "weather", "1.0.0", "DEPRECATED").await;
    pair.publisher
        .data(RETIRE, json!({ "slug": "plain" }))
        .await;
    let third = pair.mirror(&silent).await;
    assert_eq!((third.published, third.status_changed), (1, 2), "{third}");
    assert_eq!(
        (third.servers_registered, third.servers_described),
        (0, 1),
        "{third}"
    );
    assert_eq!(pair.head().await, head + 4);
    let now = list(&pair.reader, "/v0.1/servers").await;
    let expected = ["1.0.0", "1.1.0", "2.0.0"].map(|version| format!("{WEATHER}@{version}"));
    assert_eq!(versions(&now), expected);
    let deprecated = now["servers"][0].pointer(OFFICIAL).unwrap();
    assert_eq!(deprecated["status"], "deprecated");
    assert_eq!(deprecated["statusMessage"], "Use 2");

    let fourth = pair.mirror(&silent).await;
    assert_eq!(fourth.last_stream_sequence, None, "{fourth}");
}

#[tokio::test]
async fn a_run_that_dies_in_the_middle_is_continued_at_its_page() {
    let pair = Pair::start().await;
    pair.fill(230).await;
    // Dropped while it is on its third page, which is what kill -9 leaves behind.
    let reached = Notify::new();
    let notice = |summary: &Summary| {
        if summary.pages == 2 {
            reached.notify_one();
        }
    };
    tokio::select! {
        summary = pair.mirror(&notice) => panic!("it came to its end: {summary}"),
        () = reached.notified() => {}
    }
    let first = pair.front.asked();
    let last = pair.last().await.unwrap();
    let cursor = last.cursor.clone().expect("it was behind the first page");
    assert!(
        first.iter().any(|query| query.contains(&cursor)),
        "{first:?}"
    );

    let second = pair.mirror(&silent).await;
    let asked = pair.front.asked();
    // What the dead run had still asked for may have come in since: look for what only a new pass asks.
    let goes_on = asked.iter().any(|query| query.contains(&cursor));
    let begins_anew =
        |query: &String| !query.contains("cursor=") && !query.contains("updated_since=");
    assert!(goes_on && !asked.iter().any(begins_anew), "{asked:?}");
    assert!((1..=130).contains(&second.published), "{second}");
    assert_eq!(second.refused, 0, "{second}");
    let page = list(&pair.reader, "/v0.1/servers?limit=100").await;
    assert!(page["metadata"]["nextCursor"].is_string());
    let head = pair.head().await;
    let third = pair.mirror(&silent).await;
    assert_eq!(
        (third.published, third.last_stream_sequence),
        (0, None),
        "{third}"
    );
    assert_eq!(pair.head().await, head);
    assert_eq!(pair.versions().await, 230);
}

#[tokio::test]
async fn a_registry_that_fails_for_a_while_only_delays() {
    let pair = Pair::start().await;
    register(&pair.publisher, "plain", None).await;
    pair.theirs.settle().await;
    pair.front.fail(3);
    let summary = pair.mirror(&silent).await;
    assert_eq!((summary.published, summary.pages), (1, 1), "{summary}");
}

#[tokio::test]
async fn a_registry_that_stays_away_or_refuses_stops_with_what_to_do() {
    let pair = Pair::start().await;
    let (tenant, actor) = (TenantId::new("acme").unwrap(), Actor::operator("test"));
    let (dispatcher, stop) = (&pair.ours.app.state.dispatcher, CancellationToken::new());
    let target = |tenant| Target {
        dispatcher,
        tenant,
        actor: &actor,
        patience: Duration::from_secs(1),
        stop: &stop,
    };
    pair.front.fail(usize::MAX);
    let ended = mirror_registry(&target(&tenant), &pair.registry(), None, &silent).await;
    let away = matches!(
        &ended,
        Err(MirrorError::Fetch(FetchError::Unavailable { .. }))
    );
    assert!(away, "{ended:?}");
    pair.front.fail(0);
    let stranger = Registry::new(&pair.front.base, None).unwrap();
    let ended = mirror_registry(&target(&tenant), &stranger, None, &silent).await;
    let refused = matches!(&ended, Err(MirrorError::Fetch(FetchError::TokenRefused(_))));
    assert!(refused, "{ended:?}");
    let elsewhere = format!("{}/elsewhere", pair.front.base);
    let elsewhere = Registry::new(&elsewhere, pair.publisher.token.clone().map(Into::into));
    let ended = mirror_registry(&target(&tenant), &elsewhere.unwrap(), None, &silent).await;
    let absent = matches!(&ended, Err(MirrorError::Fetch(FetchError::NotThere { .. })));
    assert!(absent, "{ended:?}");
    let nobody = TenantId::new("nobody").unwrap();
    let ended = mirror_registry(&target(&nobody), &pair.registry(), None, &silent).await;
    assert!(
        matches!(ended, Err(MirrorError::UnknownTenant(_))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn people_and_a_mirror_do_not_undo_each_other() {
    let pair = Pair::start().await;
    register(&pair.publisher, "weather", Some(WEATHER)).await;
    publish(&pair.publisher, "weather", manifest(WEATHER, "1.0.0")).await;
    pair.mirror(&silent).await;
    let local = pair.ours.client("acme", "pub", &[Role::Publisher]).await;
    let slug = slug_of(WEATHER);
    let describe = "mutation($slug: String!) {
        describeServer(input: { slug: $slug, category: \"weather\" }) { sequence } }";
    local.data(describe, json!({ "slug": slug })).await;
    publish(&pair.publisher, "weather", manifest(WEATHER, "1.1.0")).await;
    pair.mirror(&silent).await;
    let query =
        "query($slug: String!) { server(slug: $slug) { category description registryName } }";
    let server = local.data(query, json!({ "slug": slug })).await["server"].take();
    assert_eq!(
        server,
        json!({ "category": "weather", "description": "Version 1.1.0", "registryName": WEATHER })
    );
    // The same document here is no new version; another one is not what is published.
    assert_eq!(
        publish(&local, &slug, manifest(WEATHER, "1.1.0")).await,
        Value::Null
    );
    let mut other = manifest(WEATHER, "1.1.0");
    other["description"] = json!("Something else");
    assert!(Manifest::new(other.clone()).is_ok());
    let variables = json!({ "server": slug, "manifest": other });
    assert_eq!(local.code(PUBLISH, variables).await, "VERSION_TAKEN");
}

/// The program itself, as another process, with its token in a variable and its summary as JSON.
#[tokio::test]
async fn the_program_mirrors_and_says_how_it_went() {
    let pair = Pair::start().await;
    register(&pair.publisher, "weather", Some(WEATHER)).await;
    publish(&pair.publisher, "weather", manifest(WEATHER, "1.0.0")).await;
    pair.theirs.settle().await;
    let folder = tempfile::tempdir().unwrap();
    let run = async |source: &str| {
        let mut command = pair.program(folder.path(), source);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.expect("in time").unwrap();
        pair.ours.settle().await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), summary, said)
    };
    let (code, first, said) = run(&pair.front.base).await;
    assert_eq!((code, &first["published"]), (Some(0), &json!(1)), "{said}");
    let (code, second, said) = run(&pair.front.base).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(second["last_stream_sequence"], Value::Null, "{second}");
    let bad = folder.path().join("bad.json");
    std::fs::write(&bad, json!([{ "name": "nothing" }]).to_string()).unwrap();
    let (code, third, said) = run(bad.to_str().unwrap()).await;
    assert_eq!((code, &third["refused"]), (Some(3), &json!(1)), "{said}");
    let (code, _, said) = run("https://me:hunter2@registry.example.org").await;
    assert_eq!(code, Some(1));
    assert!(
        said.contains("METAMCP_REGISTRY_TOKEN") && !said.contains("hunter2"),
        "{said}"
    );
}
