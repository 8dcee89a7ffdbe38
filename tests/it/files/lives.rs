//! What a registry is beside servers and current definitions: categories, versions, aliases, warnings,
//! installations, roles. Exported, made elsewhere, changed, refused.

use super::{World, actor, codes};
use domain::id::{PrincipalId, TenantId};
use domain::principal::{Principal, PrincipalCommand, Role};
use domain::tenant::AfterSunset;
use metamcp::files::read;
use metamcp::plan::{Plan, RegistrySpec, RehearsalError, ServerSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn server(slug: &str, value: Value) -> BTreeMap<String, ServerSpec> {
    [(slug.to_owned(), serde_json::from_value(value).unwrap())].into()
}

/// What `maker` offers, or does not any more.
fn maps(visibility: &str) -> RegistrySpec {
    let route = json!({ "version": "1.4.0", "description": "Plans", "visibility": visibility });
    RegistrySpec {
        servers: server(
            "maps",
            json!({ "name": "Maps", "tools": { "route": route } }),
        ),
        ..RegistrySpec::default()
    }
}

fn read_as<T: serde::de::DeserializeOwned>(value: Value) -> Option<T> {
    Some(serde_json::from_value(value).unwrap())
}

/// A registry in which everything is said that files can say.
fn full() -> RegistrySpec {
    let log = json!({
        "version": "2.1.0", "description": "Shows 2.1.0", "category": "history",
        "aliases": { "stable": "1.0.0", "next": "2.1.0" },
        "deprecated": { "message": "It moves", "successor": "git/show@^1", "sunset": "2999-01-31" },
        "versions": {
            "0.9.0": { "description": "Shows 0.9.0", "yanked": "Deletes the history" },
            "1.0.0": { "description": "Shows 1.0.0", "input_schema": { "type": "object" },
                       "deprecated": { "message": "Old" } },
            "2.0.0": { "description": "Shows 2.0.0", "yanked": "" },
            "2.1.0": { "deprecated": { "message": "Soon" } },
            "3.0.0-rc.1": { "description": "Shows 3.0.0", "yanked": "Too early" },
        },
    });
    let show = json!({ "version": "1.0.0", "description": "Shows one commit" });
    RegistrySpec {
        tenant_name: Some("Everything".to_owned()),
        after_sunset: Some(AfterSunset::Warn),
        servers: server(
            "git",
            json!({ "name": "Git", "tools": { "log": log, "show": show } }),
        ),
        lives: true,
        categories: read_as(json!({
            "code": { "title": "Code" },
            "a-part": { "title": "A part", "description": "Of code", "parent": "code" },
            "history": { "title": "History", "parent": "a-part" },
        })),
        installations: read_as(json!({ "@maker/maps/route": "^1, <1.5" })),
        principals: read_as(json!({
            "ci": { "kind": "service", "roles": ["publisher", "auditor"] },
            "reader": { "kind": "agent" },
        })),
    }
}

impl World {
    /// A tenant that offers a tool in two versions.
    async fn maker(&self) -> TenantId {
        let maker = self.tenant("maker").await;
        self.apply(&maker, &maps("public"), false).await;
        self.installation.settle().await;
        maker
    }

    async fn refusals(&self, tenant: &TenantId, wanted: &RegistrySpec) -> Vec<&'static str> {
        let observed = self.observe_for(tenant, wanted).await;
        match Plan::make(tenant, wanted, &observed, true) {
            Err(problems) => codes(&problems),
            Ok(plan) => match plan.rehearse(&self.backend.dispatcher).await {
                Err(RehearsalError::Refused(problems)) => codes(&problems),
                other => panic!("{other:?}"),
            },
        }
    }

    async fn principal(&self, tenant: &TenantId, handle: &str, command: PrincipalCommand) {
        let context = bus::CommandContext::new(tenant.clone(), actor());
        let id = PrincipalId::derive(tenant, handle);
        let dispatcher = &self.backend.dispatcher;
        let done = dispatcher.dispatch::<Principal>(&context, id.as_str(), command);
        done.await.unwrap();
        self.installation.settle().await;
    }
}

#[tokio::test]
async fn everything_that_files_say_is_made_on_an_empty_tenant_and_exported_as_the_same() {
    let world = World::start().await;
    world.maker().await;
    let (first, second) = (world.tenant("first").await, world.tenant("second").await);
    let wanted = full();
    world.apply(&first, &wanted, true).await;
    world.installation.settle().await;
    // A person is in no file, and neither is anything personal of an agent.
    let owner = world
        .installation
        .client("first", "ada", &[Role::Owner])
        .await;
    let named =
        "mutation { registerPrincipal(input: { handle: \"bot\", kind: AGENT, roles: [AGENT],
        displayName: \"Ada's helper\", email: \"bot@example.org\" }) { sequence } }";
    owner.data(named, json!({})).await;
    world.installation.settle().await;
    let observed = world.observe(&first).await;
    let mut expected = wanted.clone();
    let bot = read_as(json!({ "kind": "agent", "roles": ["agent"] })).unwrap();
    expected
        .principals
        .as_mut()
        .unwrap()
        .insert("bot".to_owned(), bot);
    assert_eq!(RegistrySpec::from(observed), expected);

    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let exported = world.export(&first, folders[0].path()).await;
    let names = [
        "categories.yaml",
        "installations.yaml",
        "principals.yaml",
        "servers/git.yaml",
        "tenant.yaml",
    ];
    assert_eq!(exported.keys().collect::<Vec<_>>(), names);
    let all = exported.values().cloned().collect::<String>();
    for personal in ["ada", "Ada", "example.org"] {
        assert!(!all.contains(personal), "{personal}: {all}");
    }
    let folder = read(folders[0].path()).unwrap();
    assert_eq!(folder.registry, expected);
    world.apply(&second, &folder.registry, true).await;
    world.installation.settle().await;
    assert_eq!(world.export(&second, folders[1].path()).await, exported);

    let head = world.head().await;
    for tenant in [&first, &second] {
        let planned = world.plan(tenant, &folder.registry, true).await;
        assert!(planned.plan().is_empty(), "{}", planned.plan());
    }
    assert_eq!(world.head().await, head);
    // What the registry has no longer, the folder has no longer.
    let mut nothing = RegistrySpec {
        lives: true,
        ..RegistrySpec::default()
    };
    nothing.installations = Some(BTreeMap::new());
    world.apply(&second, &nothing, true).await;
    world.installation.settle().await;
    let left = world.export(&second, folders[1].path()).await;
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["categories.yaml", "principals.yaml", "tenant.yaml"]
    );
}

#[tokio::test]
async fn each_difference_is_shown_made_once_and_taken_back_by_the_earlier_files() {
    let world = World::start().await;
    world.maker().await;
    let tenant = world.tenant("acme").await;
    let before = full();
    world.apply(&tenant, &before, true).await;
    world.installation.settle().await;
    let mut wanted = before.clone();
    wanted.after_sunset = None;
    let log = wanted
        .servers
        .get_mut("git")
        .unwrap()
        .tools
        .get_mut("log")
        .unwrap();
    log.aliases.remove(&"stable".to_owned().try_into().unwrap());
    log.deprecated = None;
    let version = |text: &str| text.parse().unwrap();
    // 2.1.0 goes, 2.0.0 comes back and is current: a rollback.
    log.aliases
        .insert("next".to_owned().try_into().unwrap(), version("2.0.0"));
    log.version = version("2.0.0");
    log.description = "Shows 2.0.0".to_owned();
    log.versions.remove(&version("2.0.0"));
    let gone = log.versions.get_mut(&version("2.1.0")).unwrap();
    gone.yanked = Some("Worse".to_owned());
    let categories = wanted.categories.as_mut().unwrap();
    categories.get_mut("code").unwrap().title = "Sources".to_owned();
    wanted.installations = read_as(json!({ "@maker/maps/route": "=1.4.0" }));
    wanted.principals = read_as(json!({ "ci": { "kind": "service", "roles": ["publisher"] } }));
    let planned = world.plan(&tenant, &wanted, true).await;
    let shown = planned.plan().to_string();
    for line in [
        "~ update  tenant",
        "    - /after_sunset: \"warn\"",
        "~ update  taxonomy",
        "    ~ /code/title: \"Code\" → \"Sources\"",
        "~ update  tool git/log",
        "    ~ /aliases/next: \"2.1.0\" → \"2.0.0\"",
        "    - /aliases/stable: \"1.0.0\"",
        "    - /deprecated: {",
        "    - /versions/2.0.0: {\"yanked\":\"\"}",
        "    + /versions/2.1.0/yanked: \"Worse\"",
        "    ~ /version: \"2.1.0\" → \"2.0.0\"",
        "~ update  installation @maker/maps/route",
        "~ update  principal ci",
        "left alone: principal reader",
        "0 to create, 5 to update, 0 to restore, 0 to retire; 2 unchanged.",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    world.carry_out(&planned).await;
    world.installation.settle().await;
    let again = world.plan(&tenant, &wanted, true).await;
    assert!(again.plan().is_empty(), "{}", again.plan());
    // The files of before bring all of it back.
    world.apply(&tenant, &before, true).await;
    world.installation.settle().await;
    assert_eq!(RegistrySpec::from(world.observe(&tenant).await), before);
}

#[tokio::test]
async fn files_of_the_first_format_leave_alone_what_they_cannot_say() {
    let world = World::start().await;
    world.maker().await;
    let tenant = world.tenant("acme").await;
    world.apply(&tenant, &full(), true).await;
    world.installation.settle().await;
    let mut old = RegistrySpec {
        servers: full().servers,
        ..RegistrySpec::default()
    };
    for tool in old.servers.get_mut("git").unwrap().tools.values_mut() {
        *tool = tool.alone();
    }
    let planned = world.plan(&tenant, &old, true).await;
    assert!(planned.plan().is_empty(), "{}", planned.plan());
    assert!(planned.plan().left_over.is_empty());

    // An export makes them files of this format, although nothing else differs.
    let folder = tempfile::tempdir().unwrap();
    let exported = world.export(&tenant, folder.path()).await;
    let manifest = folder.path().join("registry.yaml");
    let newer = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, newer.replace("format: 2", "format: 1")).unwrap();
    let refused = codes(&read(folder.path()).unwrap_err());
    assert_eq!(refused, ["INVALID_FILE"], "it says what format 1 has not");
    assert_eq!(world.export(&tenant, folder.path()).await, exported);
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), newer);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_whole() {
    let world = World::start().await;
    let maker = world.maker().await;
    let tenant = world.tenant("acme").await;
    world.apply(&tenant, &full(), true).await;
    world.installation.settle().await;
    world
        .principal(&tenant, "reader", PrincipalCommand::Deactivate)
        .await;
    world
        .principal(&tenant, "ci", PrincipalCommand::GrantRole(Role::Owner))
        .await;
    let head = world.head().await;
    let tool = |log: Value| {
        let mut wanted = full();
        wanted.principals = None;
        wanted.servers = server("git", json!({ "name": "Git", "tools": { "log": log } }));
        wanted
    };
    let log = |more: Value| {
        let mut log =
            json!({ "version": "2.1.0", "description": "Shows 2.1.0", "category": "history" });
        log.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        tool(log)
    };
    for (wanted, code) in [
        (
            log(json!({ "versions": { "7.0.0": { "yanked": "" } } })),
            "VERSION_NOT_FOUND",
        ),
        (
            log(json!({ "versions": { "2.1.0": { "description": "x" } } })),
            "DEFINITION_GIVEN_TWICE",
        ),
        (
            log(json!({ "versions": { "0.1.0": { "input_schema": { "type": "object" } } } })),
            "FIELD_MISSING",
        ),
        (
            log(json!({ "versions": { "2.1.0": { "yanked": "" } } })),
            "VERSION_NOT_CURRENT",
        ),
        (
            log(json!({ "version": "3.0.0-rc.2", "description": "New" })),
            "VERSION_NOT_CURRENT",
        ),
        (
            log(json!({ "versions": { "1.0.0": { "description": "Another" } } })),
            "VERSION_TAKEN",
        ),
        (
            log(json!({ "versions": { "1.0.0+again": { "description": "Shows 1.0.0" } } })),
            "VERSION_TAKEN",
        ),
        (
            log(
                json!({ "aliases": { "stable": "0.9.0" }, "versions": { "0.9.0": { "yanked": "" } } }),
            ),
            "VERSION_YANKED",
        ),
        (
            log(json!({ "aliases": { "stable": "7.0.0" } })),
            "VERSION_NOT_FOUND",
        ),
        (
            log(json!({ "deprecated": { "message": " " } })),
            "FIELD_MISSING",
        ),
        (log(json!({ "category": "hystory" })), "CATEGORY_NOT_FOUND"),
    ] {
        assert_eq!(world.refusals(&tenant, &wanted).await, [code]);
    }
    let mut wanted = full();
    wanted
        .categories
        .as_mut()
        .unwrap()
        .get_mut("code")
        .unwrap()
        .parent = Some("history".to_owned());
    wanted.installations = read_as(json!({ "@maker/maps/none": "*", "@acme/git/log": "*" }));
    let found = world.refusals(&tenant, &wanted).await;
    // All that can be seen without the domain, at once.
    assert_eq!(
        found,
        [
            "OWN_TOOL",
            "NOT_FOUND",
            "PRINCIPAL_DEACTIVATED",
            "LAST_OWNER"
        ]
    );
    wanted.installations = None;
    wanted.principals = None;
    assert_eq!(world.refusals(&tenant, &wanted).await, ["CATEGORY_CIRCLE"]);
    let mut wanted = full();
    wanted.principals = read_as(json!({ "ci": { "kind": "agent", "roles": ["owner"] } }));
    wanted.installations = read_as(json!({ "@maker/maps/route": "^9" }));
    assert_eq!(
        world.refusals(&tenant, &wanted).await,
        ["PRINCIPAL_KIND_DIFFERS"]
    );
    wanted.principals = None;
    assert_eq!(
        world.refusals(&tenant, &wanted).await,
        ["NO_VERSION_IN_RANGE"]
    );
    // What is hidden is not there for others.
    assert_eq!(world.head().await, head);
    world.apply(&maker, &maps("private"), false).await;
    world.installation.settle().await;
    assert_eq!(world.refusals(&tenant, &wanted).await, ["NOT_FOUND"]);
    // What is installed and away stays as it is, and is no difference.
    wanted.installations = full().installations;
    let planned = world.plan(&tenant, &wanted, true).await;
    assert!(planned.plan().is_empty(), "{}", planned.plan());
}
