//! The laws of the files: what is exported and applied elsewhere is exported as the same, and applying twice is
//! applying once. Held for random registries.

use super::World;
use metamcp::files::{FORMAT, Manifest, read, write};
use metamcp::plan::{Reader, RegistrySpec, ServerSpec, ToolSpec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Registries that are tried; each is applied to two tenants of real servers.
const CASES: usize = 8;

/// Text as people write it, in any script, with what YAML has to quote.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-zA-Zäß日本é ]{1,12}",
        Just(": - #".to_owned()),
        Just("null".to_owned()),
        Just("1.0".to_owned()),
        Just("a\nb \n\n  c".to_owned()),
        Just("'\"\\`{}[]&*!|>%@".to_owned()),
    ];
    let joined = prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat());
    joined.prop_map(|text| format!("x{text}"))
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "string", "pattern": "^[0-9]+$" })),
        Just(json!({ "type": ["integer", "null"], "minimum": -1, "default": null })),
        Just(json!({ "type": "number", "multipleOf": 0.25, "maximum": 1e21 })),
        text().prop_map(|text| json!({ "enum": [text, true, 7] })),
    ];
    let properties = prop::collection::btree_map("[a-z$ ]{1,6}", leaf, 0..4);
    properties.prop_map(|properties| json!({ "type": "object", "properties": properties }))
}

fn tool() -> impl Strategy<Value = ToolSpec> {
    let version = (0_u64..4, 0_u64..9, 0_u64..9);
    let words = (
        text(),
        prop::option::of(text()),
        prop::option::of("[a-z]{1,8}"),
    );
    let tags = prop::collection::btree_set("[a-z]{1,6}", 0..3);
    let seen = prop::sample::select(vec!["private", "tenant", "public"]);
    let schemas = (
        prop::option::of(schema()),
        prop::option::of(schema()),
        any::<bool>(),
    );
    (version, words, tags, seen, schemas).prop_map(
        |((a, b, c), (description, title, category), tags, visibility, (input, output, hints))| {
            let hints = hints.then(|| json!({ "readOnlyHint": true }));
            serde_json::from_value(json!({
                "version": format!("{a}.{b}.{c}"), "description": description, "title": title,
                "category": category, "tags": tags, "visibility": visibility,
                "input_schema": input, "output_schema": output, "annotations": hints,
            }))
            .unwrap()
        },
    )
}

fn server() -> impl Strategy<Value = ServerSpec> {
    let words = (text(), text(), prop::option::of("[A-Z]{2,4}"));
    let transport = prop::option::of(prop::sample::select(vec![
        "stdio",
        "sse",
        "streamable-http",
    ]));
    let tools = prop::collection::btree_map("[a-z][a-z_./-]{0,8}[a-z]", tool(), 0..5);
    (words, transport, tools).prop_map(|((name, description, license), transport, tools)| {
        let mut spec: ServerSpec = serde_json::from_value(json!({
            "name": name, "description": description, "license": license, "transport": transport,
            "homepage": "https://example.com/a?b=c#d",
        }))
        .unwrap();
        spec.tools = tools;
        spec
    })
}

fn registry() -> impl Strategy<Value = RegistrySpec> {
    let servers = prop::collection::btree_map("[a-z0-9]{1,8}", server(), 0..4);
    (text(), servers).prop_map(|(name, servers)| RegistrySpec {
        tenant_name: Some(name.replace('\n', " ")),
        servers,
        lives: true,
        ..RegistrySpec::default()
    })
}

#[tokio::test]
async fn what_is_exported_and_applied_elsewhere_is_exported_as_the_same() {
    let world = World::start().await;
    let mut runner = TestRunner::deterministic();
    for case in 0..CASES {
        let wanted = registry().new_tree(&mut runner).unwrap().current();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let first = world.tenant(&format!("first-{case}")).await;
        world.apply(&first, &wanted, false).await;
        let exported = world.export(&first, folders[0].path()).await;

        let folder = read(folders[0].path()).unwrap();
        assert_eq!(folder.manifest.tenant, first.as_str());
        let second = world.tenant(&format!("second-{case}")).await;
        world.apply(&second, &folder.registry, true).await;
        let again = world.export(&second, folders[1].path()).await;
        assert_eq!(again, exported);

        // Applying what is there changes nothing, and exporting it changes no file.
        let head = world.head().await;
        let planned = world.plan(&second, &folder.registry, true).await;
        assert!(planned.plan().is_empty(), "{}", planned.plan());
        assert_eq!(world.carry_out(&planned).await.steps, 0);
        assert_eq!(world.head().await, head);
    }
}

#[tokio::test]
async fn an_export_touches_what_changed_only_and_nothing_that_is_not_its_own() {
    let world = World::start().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let mut wanted = super::registry("git", &[("add", "1.0.0", "Adds")]);
    wanted.servers.extend(super::registry("mail", &[]).servers);
    world.apply(&acme, &wanted, false).await;
    let folder = tempfile::tempdir().unwrap();
    let first = world.export(&acme, folder.path()).await;
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        ["servers/git.yaml", "servers/mail.yaml", "tenant.yaml"]
    );
    let manifest = || std::fs::read_to_string(folder.path().join("registry.yaml")).unwrap();
    let before = manifest();
    // The log goes on elsewhere: nothing of this registry has changed, and no file does.
    world.apply(&other, &wanted, false).await;
    assert_eq!(world.export(&acme, folder.path()).await, first);
    assert_eq!(manifest(), before);

    wanted.servers.remove("mail");
    world.apply(&acme, &wanted, true).await;
    let second = world.export(&acme, folder.path()).await;
    assert_eq!(
        second.keys().collect::<Vec<_>>(),
        ["servers/git.yaml", "tenant.yaml"]
    );
    assert_ne!(manifest(), before);

    let strange = tempfile::tempdir().unwrap();
    std::fs::write(strange.path().join("thesis.txt"), "mine").unwrap();
    let refused = metamcp::files::write(
        strange.path(),
        &read(folder.path()).unwrap().manifest,
        &wanted,
    );
    assert!(refused.is_err());
    assert_eq!(std::fs::read_dir(strange.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn all_versions_are_exported_when_asked_for_and_published_elsewhere() {
    let world = World::start().await;
    let [first, second, third] = ["first", "second", "third"].map(|slug| world.tenant(slug));
    let (first, second, third) = (first.await, second.await, third.await);
    for (version, description) in [
        ("1.0.0", "Shows a commit"),
        ("1.0.1", "Shows one commit"),
        ("1.0.2", "Shows commits"),
    ] {
        let wanted = super::registry("git", &[("log", version, description)]);
        world.apply(&first, &wanted, false).await;
        world.installation.settle().await;
    }
    let reader = Reader::new(&world.backend).with_all_versions();
    let whole = reader.observe(&first, None).await.unwrap();
    let tool = ("git".to_owned(), "log".to_owned());
    let published = whole.tools[&tool].published.clone();
    assert_eq!(published.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    let manifest = Manifest {
        format: FORMAT,
        tenant: first.to_string(),
        position: whole.position,
    };
    write(folder.path(), &manifest, &whole.into()).unwrap();
    let whole = read(folder.path()).unwrap().registry;

    // Without being asked for, only the current one is in the files.
    let usual: RegistrySpec = world.observe(&first).await.into();
    world.apply(&second, &usual, false).await;
    world.apply(&third, &whole, false).await;
    world.installation.settle().await;
    assert_eq!(world.observe(&second).await.tools[&tool].published.len(), 1);
    assert_eq!(
        world.observe(&third).await.tools[&tool].published,
        published
    );
    for tenant in [&first, &third] {
        let planned = world.plan(tenant, &whole, false).await;
        assert!(planned.plan().is_empty(), "{}", planned.plan());
    }
}
