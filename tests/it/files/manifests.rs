//! What servers publish, as files: exported, published elsewhere, given another status, refused.

use super::{World, codes};
use crate::support::said;
use domain::principal::Role;
use domain::server::ManifestStatus;
use metamcp::files::read;
use metamcp::plan::{ManifestSpec, Plan, RegistrySpec, ServerSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

fn document(version: &str) -> Value {
    json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.acme/weather", "description": format!("Version {version}"), "version": version,
        "remotes": [{ "type": "streamable-http", "url": "https://example.org/mcp" }],
        "_meta": { "org.example/build": { "number": 7, "share": 0.25 } },
    })
}

/// A registry with one server that publishes these versions, active ones.
fn publishing<'a>(versions: impl IntoIterator<Item = &'a str>) -> RegistrySpec {
    let server = json!({ "name": "Weather", "registry_name": "io.github.acme/weather" });
    let mut server: ServerSpec = serde_json::from_value(server).unwrap();
    for version in versions {
        let published = ManifestSpec {
            document: Some(document(version)),
            ..ManifestSpec::default()
        };
        server.manifests.insert(version.to_owned(), published);
    }
    RegistrySpec {
        servers: [("weather".to_owned(), server)].into(),
        lives: true,
        ..RegistrySpec::default()
    }
}

fn versions(registry: &mut RegistrySpec) -> &mut BTreeMap<String, ManifestSpec> {
    &mut registry.servers.get_mut("weather").unwrap().manifests
}

fn say(registry: &mut RegistrySpec, version: &str, status: ManifestStatus, message: Option<&str>) {
    let version = versions(registry).get_mut(version).unwrap();
    version.status = status;
    version.message = message.map(str::to_owned);
}

/// Versions of every kind: deprecated, deleted, in use, not semantic, with a name that is no file's.
fn full() -> RegistrySpec {
    let mut full = publishing(["1.0.0", "1.1.0", "2.0.0", "2.0.0-RC1", "2026-01-31"]);
    say(
        &mut full,
        "1.0.0",
        ManifestStatus::Deprecated,
        Some("Use 2"),
    );
    say(&mut full, "1.1.0", ManifestStatus::Deleted, None);
    full
}

#[tokio::test]
async fn what_servers_publish_is_published_elsewhere_and_exported_as_the_same() {
    let world = World::start().await;
    let (first, second) = (world.tenant("first").await, world.tenant("second").await);
    let wanted = full();
    let head = world.head().await;
    world.apply(&first, &wanted, false).await;
    // The server, and each version with its status at once.
    assert_eq!(world.head().await, head + 6);

    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let exported = world.export(&first, folders[0].path()).await;
    let names = [
        "servers/weather.yaml",
        "servers/weather/1.0.0.json",
        "servers/weather/1.1.0.json",
        "servers/weather/2.0.0-rc1~33781947d3c3.json",
        "servers/weather/2.0.0.json",
        "servers/weather/2026-01-31.json",
        "tenant.yaml",
    ];
    assert_eq!(exported.keys().collect::<Vec<_>>(), names);
    // What is usual is not said, and a document is what was published.
    assert_eq!(
        exported["servers/weather.yaml"],
        "name: Weather\nregistry_name: io.github.acme/weather\nmanifests:\n  1.0.0:\n    status: deprecated\n    \
         message: Use 2\n  1.1.0:\n    status: deleted\n"
    );
    let published = &exported["servers/weather/2.0.0.json"];
    assert_eq!(
        serde_json::from_str::<Value>(published).unwrap(),
        document("2.0.0")
    );

    let folder = read(folders[0].path()).unwrap();
    assert_eq!(folder.registry.servers, wanted.servers);
    world.apply(&second, &folder.registry, true).await;
    assert_eq!(world.export(&second, folders[1].path()).await, exported);
    let head = world.head().await;
    for tenant in [&first, &second] {
        let planned = world.plan(tenant, &folder.registry, true).await;
        assert!(planned.plan().is_empty(), "{}", planned.plan());
    }
    assert_eq!(world.head().await, head);

    // The newest is the newest there, too, whatever the order of the files.
    let reader = world
        .installation
        .client("second", "ada", &[Role::Agent])
        .await;
    let path = "/v0.1/servers/io.github.acme%2Fweather/versions/latest";
    let latest: Value = reader.get(path).await.json().await.unwrap();
    assert_eq!(latest["server"]["version"], "2.0.0", "{latest}");
}

#[tokio::test]
async fn a_changed_status_is_planned_once_and_made_once() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world.apply(&tenant, &full(), false).await;
    let mut wanted = full();
    say(&mut wanted, "1.0.0", ManifestStatus::Active, None);
    say(
        &mut wanted,
        "2.0.0",
        ManifestStatus::Deprecated,
        Some("Use 3"),
    );
    // Of a version that is published, the status may be said without its document.
    versions(&mut wanted).get_mut("2.0.0").unwrap().document = None;
    let new = publishing(["3.0.0"]).servers["weather"].manifests.clone();
    versions(&mut wanted).extend(new);
    // Published versions that the files do not name stay as they are, with `--prune`, too.
    versions(&mut wanted).remove("1.1.0");
    let planned = world.plan(&tenant, &wanted, true).await;
    let shown = planned.plan().to_string();
    let expected = [
        "~ update  server weather",
        "    - /manifests/1.0.0/message: \"Use 2\"",
        "    ~ /manifests/1.0.0/status: \"deprecated\" → \"active\"",
        "    + /manifests/2.0.0/message: \"Use 3\"",
        "    ~ /manifests/2.0.0/status: \"active\" → \"deprecated\"",
        "    + /manifests/3.0.0: {\"status\":\"active\"}",
        "Tenant acme at position",
    ];
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{shown}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{expected}\n{shown}");
    }
    let head = world.head().await;
    world.carry_out(&planned).await;
    assert_eq!(world.head().await, head + 3);
    let again = world.plan(&tenant, &wanted, true).await;
    assert!(again.plan().is_empty(), "{}", again.plan());
    // Carried out twice, the same plan is done once.
    world.carry_out(&planned).await;
    assert_eq!(world.head().await, head + 3);
    let observed = world.observe(&tenant).await;
    let gone = &observed.servers["weather"].manifests["1.1.0"];
    assert_eq!(gone.status, ManifestStatus::Deleted);
}

#[tokio::test]
async fn a_published_document_never_changes_and_the_plan_is_refused_whole() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world.apply(&tenant, &full(), false).await;
    let (head, observed) = (world.head().await, world.observe(&tenant).await);
    let mut wanted = full();
    let weather = wanted.servers.get_mut("weather").unwrap();
    weather.description = "Another".to_owned();
    let mut changed = document("1.0.0");
    changed["description"] = json!("Another");
    versions(&mut wanted).get_mut("1.0.0").unwrap().document = Some(changed);
    let unknown = ManifestSpec::default();
    versions(&mut wanted).insert("9.0.0".to_owned(), unknown);
    let problems = Plan::make(&tenant, &wanted, &observed, false).unwrap_err();
    assert_eq!(codes(&problems), ["VERSION_TAKEN", "VERSION_NOT_FOUND"]);
    assert_eq!(problems[0].place, "servers/weather/1.0.0.json");
    assert!(problems[1].message.contains("servers/weather/9.0.0.json"));
    assert_eq!(world.head().await, head);
    // The same on a tenant where the server is new: nothing of it is there without its document.
    let other = world.tenant("other").await;
    let nothing = world.observe(&other).await;
    let problems = Plan::make(&other, &wanted, &nothing, false).unwrap_err();
    assert_eq!(codes(&problems), ["VERSION_NOT_FOUND"]);
    // One number may be written in two ways.
    let mut wanted = full();
    let same = versions(&mut wanted).get_mut("1.0.0").unwrap();
    let build = "/_meta/org.example~1build/number";
    let number = same.document.as_mut().unwrap().pointer_mut(build);
    *number.unwrap() = json!(7.0);
    assert!(world.plan(&tenant, &wanted, false).await.plan().is_empty());
}

#[tokio::test]
async fn what_a_retired_server_has_published_comes_back_with_it() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world.apply(&tenant, &full(), false).await;
    let folder = tempfile::tempdir().unwrap();
    let exported = world.export(&tenant, folder.path()).await;
    let nothing = RegistrySpec {
        lives: true,
        ..RegistrySpec::default()
    };
    world.apply(&tenant, &nothing, true).await;
    let left = world.export(&tenant, folder.path()).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["tenant.yaml"]);
    assert!(!folder.path().join("servers/weather").exists());

    let mut wanted = full();
    say(&mut wanted, "2.0.0", ManifestStatus::Deprecated, None);
    let planned = world.plan(&tenant, &wanted, true).await;
    let shown = planned.plan().to_string();
    let expected = "+ restore server weather\n    ~ /manifests/2.0.0/status: \"active\" → \"deprecated\"\nTenant";
    assert!(shown.starts_with(expected), "{shown}");
    world.carry_out(&planned).await;
    assert_eq!(
        RegistrySpec::from(world.observe(&tenant).await).servers,
        wanted.servers
    );
    world.apply(&tenant, &full(), true).await;
    assert_eq!(world.export(&tenant, folder.path()).await, exported);
}

#[tokio::test]
async fn more_versions_than_one_statement_reads_are_all_exported() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let all: Vec<String> = (0..205).map(|patch| format!("1.0.{patch}")).collect();
    let wanted = publishing(all.iter().map(String::as_str));
    world.apply(&tenant, &wanted, false).await;
    let observed = world.observe(&tenant).await;
    assert_eq!(RegistrySpec::from(observed).servers, wanted.servers);
}

#[tokio::test]
async fn a_document_that_is_none_is_told_with_its_file_and_nothing_is_made() {
    let world = World::start().await;
    world.tenant("acme").await;
    let place = tempfile::tempdir().unwrap();
    let run =
        async |arguments: &[&str]| said(&world.installation.program(place.path(), arguments).await);
    let folder = place.path().join("servers/weather");
    fs::create_dir_all(&folder).unwrap();
    let write = |file: &str, text: &str| fs::write(place.path().join(file), text).unwrap();
    write("registry.yaml", "format: 2\ntenant: acme\nposition: 1\n");
    write("servers/mail.yaml", "name: Mail\n");
    let of_server = "name: Weather\nregistry_name: io.github.acme/weather\n";
    write("servers/weather.yaml", of_server);
    let mut bad = document("2.0.0");
    bad["remotes"] = json!("none");
    write(
        "servers/weather/1.0.0.json",
        "{\"name\": \"io.github.acme/weather\",\n",
    );
    write("servers/weather/2.0.0.json", &bad.to_string());
    write("servers/weather/3.0.0.json", &document("3.0.0").to_string());
    let head = world.head().await;
    let (text, code) = run(&["apply", ".", "--yes"]).await;
    assert_eq!(code, Some(3), "{text}");
    for line in [
        "servers/weather/1.0.0.json: this is no JSON document: EOF while parsing",
        "servers/weather/2.0.0.json: the manifest does not fit the schema of server.json at `/remotes`",
        "(MANIFEST_INVALID)",
        "Refused, problems: 2. Nothing was changed.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(world.head().await, head);

    write("servers/weather/1.0.0.json", &document("1.0.0").to_string());
    write("servers/weather/2.0.0.json", &document("2.0.0").to_string());
    let (text, code) = run(&["apply", ".", "--yes"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(world.head().await, head + 5);
    // What was changed since is refused, and the file named.
    let mut changed = document("2.0.0");
    changed["description"] = json!("Another");
    write("servers/weather/2.0.0.json", &changed.to_string());
    let (text, code) = run(&["apply", ".", "--dry-run"]).await;
    assert_eq!(code, Some(3), "{text}");
    let told = "servers/weather/2.0.0.json: version 2.0.0 is published with another document";
    assert!(text.contains(told), "{text}");
    // An export puts back what was published.
    let (text, code) = run(&["export", "--tenant", "acme", "--out", "."]).await;
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = run(&["apply", ".", "--dry-run", "--detailed-exitcode"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(world.head().await, head + 5);
}
