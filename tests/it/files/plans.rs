//! What a plan promises: checked as a whole, never on another state, twice the same as once.

use super::{World, actor, codes, registry};
use crate::support::PATIENCE;
use bus::CommandContext;
use domain::id::{ServerId, TaxonomyId, ToolId};
use domain::server::{Server, ServerCommand};
use domain::taxonomy::{Category, Taxonomy, TaxonomyCommand};
use domain::tool::{Tool, ToolCommand, ToolProfile};
use metamcp::plan::{Object, Plan, RegistrySpec, RehearsalError};
use std::error::Error;

#[tokio::test]
async fn nothing_is_sent_when_the_domain_refuses_one_change() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let head = world.head().await;
    let mut wanted = registry(
        "git",
        &[
            ("add", "1.0.0", "Adds"),
            ("bad!", "1.0.0", "x"),
            ("void", "1.0.0", " "),
        ],
    );
    wanted.tenant_name = Some("A better name".to_owned());
    wanted.servers.get_mut("git").unwrap().homepage = Some("nowhere".to_owned());
    let large = serde_json::json!({ "type": "object", "title": "x".repeat(65_500) });
    let mut both = wanted.servers["git"].tools["add"].clone();
    (both.input_schema, both.output_schema) = (Some(large.clone()), Some(large));
    let server = wanted.servers.get_mut("git").unwrap();
    server.tools.insert("large".to_owned(), both);
    let observed = world.observe(&tenant).await;
    let plan = Plan::make(&tenant, &wanted, &observed, false).unwrap();
    let refused = plan.rehearse(&world.backend.dispatcher).await.unwrap_err();
    let RehearsalError::Refused(problems) = refused else {
        panic!("{refused}");
    };
    let mut found = codes(&problems);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "DEFINITION_TOO_LARGE",
            "FIELD_MISSING",
            "INVALID_HOMEPAGE",
            "INVALID_TOOL_NAME"
        ]
    );
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_definition_and_its_version_change_together() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world
        .apply(
            &tenant,
            &registry("git", &[("add", "1.0.0", "Adds")]),
            false,
        )
        .await;
    let observed = world.observe(&tenant).await;
    for (version, description, code) in [
        ("1.0.0", "Adds more", "VERSION_NOT_ABOVE_LATEST"),
        ("0.9.0", "Adds more", "VERSION_NOT_ABOVE_LATEST"),
        ("1.1.0", "Adds", "DEFINITION_UNCHANGED"),
    ] {
        let wanted = registry("git", &[("add", version, description)]);
        let problems = Plan::make(&tenant, &wanted, &observed, false).unwrap_err();
        assert_eq!(codes(&problems), [code], "{version} {description}");
        assert!(code != "VERSION_NOT_ABOVE_LATEST" || problems[0].message.contains("1.0.1"));
    }
    let mut wanted = registry("git", &[("add", "1.0.1", "Adds more")]);
    let tool = wanted
        .servers
        .get_mut("git")
        .unwrap()
        .tools
        .get_mut("add")
        .unwrap();
    tool.title = Some("Add".to_owned());
    let planned = world.plan(&tenant, &wanted, false).await;
    let shown = planned.plan().to_string();
    for line in [
        "~ update  tool git/add",
        "    ~ /description: \"Adds\" → \"Adds more\"",
        "    + /title: \"Add\"",
        "    ~ /version: \"1.0.0\" → \"1.0.1\"",
        "0 to create, 1 to update, 0 to restore, 0 to retire; 1 unchanged.",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    // One object, two commands: what is said around it, and a version.
    let head = world.head().await;
    world.carry_out(&planned).await;
    assert_eq!(world.head().await, head + 2);
    assert!(world.plan(&tenant, &wanted, false).await.plan().is_empty());
}

#[tokio::test]
async fn what_is_not_named_stays_unless_it_is_pruned_and_does_not_come_back() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let mut both = registry("git", &[("add", "1.0.0", "Adds"), ("old", "1.0.0", "Old")]);
    both.servers
        .extend(registry("mail", &[("send", "1.0.0", "Sends")]).servers);
    world.apply(&tenant, &both, false).await;
    let wanted = registry("git", &[("add", "1.0.0", "Adds")]);
    let kept = world.plan(&tenant, &wanted, false).await;
    let old = Object::Tool("git".to_owned(), "old".to_owned());
    let mail = Object::Server("mail".to_owned());
    assert!(kept.plan().is_empty());
    assert_eq!(kept.plan().left_over, [mail, old]);
    let applied = world.apply(&tenant, &wanted, true).await;
    assert_eq!(applied.steps, 2);
    let observed = world.observe(&tenant).await;
    assert_eq!(RegistrySpec::from(observed.clone()).servers, wanted.servers);
    let problems = Plan::make(&tenant, &both, &observed, false).unwrap_err();
    assert_eq!(codes(&problems), ["TOOL_RETIRED", "SERVER_RETIRED"]);
}

#[tokio::test]
async fn what_is_out_of_use_and_wanted_is_restored() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let tools = [
        ("add", "1.0.0", "Adds"),
        ("old", "1.0.0", "Old"),
        ("gone", "1.0.0", "Gone"),
    ];
    let all = registry("git", &tools);
    world.apply(&tenant, &all, false).await;
    // One tool goes alone; the others go with their server.
    world
        .apply(&tenant, &registry("git", &tools[..2]), true)
        .await;
    let nothing = RegistrySpec::default();
    world.apply(&tenant, &nothing, true).await;
    let observed = world.observe(&tenant).await;
    assert!(observed.servers.is_empty() && observed.tools.is_empty());

    // Who does not ask for it is refused, and told.
    let problems = Plan::make(&tenant, &all, &observed, false).unwrap_err();
    assert_eq!(codes(&problems), ["SERVER_RETIRED"]);
    let mut wanted = registry(
        "git",
        &[("add", "1.0.0", "Adds"), ("gone", "2.0.0", "Back again")],
    );
    wanted.servers.get_mut("git").unwrap().description = "Is back".to_owned();
    let restoring = observed.restoring(&wanted);
    let plan = Plan::make(&tenant, &wanted, &restoring, true).unwrap();
    let shown = plan.to_string();
    for line in [
        "+ restore server git",
        "    + /description: \"Is back\"",
        "+ restore tool git/gone",
        "    ~ /version: \"1.0.0\" → \"2.0.0\"",
        // It comes back with its server, and the files do not name it.
        "- retire  tool git/old",
        "0 to create, 0 to update, 2 to restore, 1 to retire; 1 unchanged.",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let planned = plan.rehearse(&world.backend.dispatcher).await.unwrap();
    world.carry_out(&planned).await;
    let observed = world.observe(&tenant).await;
    let old = ("git".to_owned(), "old".to_owned());
    assert!(observed.retired_tools.keys().eq([&old]));
    let found = RegistrySpec::from(observed.restoring(&wanted)).servers;
    assert_eq!(found, wanted.servers);
    assert!(world.plan(&tenant, &wanted, false).await.plan().is_empty());
}

#[tokio::test]
async fn what_others_changed_since_the_plan_is_not_overwritten() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let tools = [("add", "1.0.0", "Adds"), ("end", "1.0.0", "Ends")];
    world.apply(&tenant, &registry("git", &tools), false).await;
    let wanted = registry(
        "git",
        &[("add", "1.1.0", "Adds more"), ("end", "1.1.0", "Ends more")],
    );
    let planned = world.plan(&tenant, &wanted, false).await;

    let id = ToolId::derive(&tenant, "git", "add");
    let context = CommandContext::new(tenant.clone(), actor());
    let profile = ToolProfile {
        title: Some("Mine".to_owned()),
        ..ToolProfile::default()
    };
    let described = world.backend.dispatcher.dispatch::<Tool>(
        &context,
        id.as_str(),
        ToolCommand::Describe(profile),
    );
    described.await.unwrap();
    let stopped = planned.carry_out(&world.backend, &actor(), PATIENCE).await;
    let stopped = stopped.unwrap_err();
    assert_eq!((stopped.done, stopped.all), (1, 2));
    let why = stopped.source().unwrap().to_string();
    assert!(
        why.contains("tool git/add") && why.contains("REGISTRY_MOVED"),
        "{why}"
    );
    let observed = world.observe(&tenant).await;
    let tool = |name: &str| &observed.tools[&("git".to_owned(), name.to_owned())].spec;
    assert_eq!(
        (
            tool("add").title.as_deref(),
            tool("add").version.to_string()
        ),
        (Some("Mine"), "1.0.0".to_owned())
    );
    assert_eq!(tool("end").version.to_string(), "1.1.0");
    // The rest is planned anew, and now it is seen what it would undo.
    let again = world.plan(&tenant, &wanted, false).await;
    assert!(
        again.plan().to_string().contains("- /title: \"Mine\""),
        "{}",
        again.plan()
    );
}

#[tokio::test]
async fn a_server_that_was_retired_since_the_plan_gets_no_tools() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world.apply(&tenant, &registry("git", &[]), false).await;
    let planned = world
        .plan(
            &tenant,
            &registry("git", &[("add", "1.0.0", "Adds")]),
            false,
        )
        .await;
    let id = ServerId::derive(&tenant, "git");
    let context = CommandContext::new(tenant.clone(), actor());
    let reason = String::new();
    let retired = world.backend.dispatcher.dispatch::<Server>(
        &context,
        id.as_str(),
        ServerCommand::Retire { reason },
    );
    retired.await.unwrap();
    let head = world.head().await;
    let stopped = planned.carry_out(&world.backend, &actor(), PATIENCE).await;
    assert_eq!(stopped.unwrap_err().done, 0);
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_plan_that_is_carried_out_again_or_twice_at_once_doubles_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let names: Vec<String> = (0..40).map(|n| format!("tool_{n}")).collect();
    let tools: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "1.0.0", "Does it"))
        .collect();
    let planned = world.plan(&tenant, &registry("git", &tools), false).await;
    let head = world.head().await;
    let (first, second) = tokio::join!(world.carry_out(&planned), world.carry_out(&planned));
    assert_eq!((first.steps, second.steps), (41, 41));
    assert_eq!(world.head().await, head + 41);
    let third = world.carry_out(&planned).await;
    assert_eq!(third.last_stream_sequence, Some(head + 41));
    assert_eq!(world.head().await, head + 41);
}

#[tokio::test]
async fn what_was_published_before_is_not_recorded_again() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let first = registry("git", &[("add", "1.0.0", "Adds")]);
    world.apply(&tenant, &first, false).await;
    // A pre-release is published and does not become the current version, so the files still differ from it.
    let next = registry("git", &[("add", "2.0.0-rc.1", "Adds more")]);
    world.apply(&tenant, &next, false).await;
    let head = world.head().await;
    world.apply(&tenant, &next, false).await;
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_plan_keeps_to_the_taxonomy() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let mut wanted = registry("git", &[("add", "1.0.0", "Adds")]);
    wanted.servers.get_mut("git").unwrap().category = Some("free".to_owned());
    world.apply(&tenant, &wanted, false).await;
    let known = Category {
        slug: "known".to_owned(),
        title: "Known".to_owned(),
        description: String::new(),
        parent: None,
    };
    let context = CommandContext::new(tenant.clone(), actor());
    let id = TaxonomyId::derive(&tenant);
    let add = TaxonomyCommand::Add(known);
    let dispatcher = &world.backend.dispatcher;
    let added = dispatcher.dispatch::<Taxonomy>(&context, id.as_str(), add);
    added.await.unwrap();
    // What was free before stays as it is; what is set from now on has to be known.
    assert!(world.plan(&tenant, &wanted, false).await.plan().is_empty());
    for (category, refused) in [("other", true), ("known", false)] {
        let server = wanted.servers.get_mut("git").unwrap();
        server.tools.get_mut("add").unwrap().category = Some(category.to_owned());
        let observed = world.observe(&tenant).await;
        let plan = Plan::make(&tenant, &wanted, &observed, false).unwrap();
        match plan.rehearse(dispatcher).await {
            Err(RehearsalError::Refused(problems)) => {
                assert_eq!(codes(&problems), ["CATEGORY_NOT_FOUND"]);
                assert!(refused, "{category}");
            }
            Ok(_) => assert!(!refused, "{category}"),
            Err(other) => panic!("{other}"),
        }
    }
}
