//! Forgetting a person: what is sealed, what erasure leaves, and that it comes to its end whatever happens
//! in between.

mod canary;
mod keys;
mod late;
mod owners;
mod server_log;

use crate::support::{Client, Installation, Servers, serve};
use domain::id::{PrincipalId, TenantId};
use domain::principal::{Principal, PrincipalCommand, Role};
use metamcp::app::Role as ProcessRole;
use projections::rebuild::{Finish, rebuild};
use projections::registry;
use serde_json::{Value, json};
use sqlx::{Executor, Row};

const REGISTER: &str =
    "mutation($handle: String!, $name: String, $email: String, $kind: PrincipalKind!) {
    registerPrincipal(input: { handle: $handle, kind: $kind, roles: [AGENT], displayName: $name,
                               email: $email }) {
        principal { handle displayName email active erasedAt } sequence } }";
const ERASE: &str = "mutation($handle: String!, $id: UUID) {
    erasePrincipal(input: { handle: $handle }, commandId: $id) {
        principal { handle displayName email roles active erasedAt } sequence } }";

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn id_of(handle: &str) -> PrincipalId {
    PrincipalId::derive(&acme(), handle)
}

async fn register(client: &Client, handle: &str) -> Value {
    let variables = json!({ "handle": handle, "kind": "USER",
        "name": format!("The person {handle}"), "email": format!("{handle}@example.org") });
    client.data(REGISTER, variables).await["registerPrincipal"].take()
}

async fn erase(client: &Client, handle: &str) -> Value {
    client.data(ERASE, json!({ "handle": handle })).await["erasePrincipal"].take()
}

async fn key_is_there(installation: &Installation, handle: &str) -> Option<bool> {
    let mut connection = installation.app.database.connect().await.unwrap();
    sqlx::query("SELECT wrapped IS NOT NULL FROM vault.data_keys WHERE subject = $1")
        .bind(id_of(handle).as_str())
        .fetch_optional(&mut connection)
        .await
        .unwrap()
        .map(|row| row.get(0))
}

async fn rebuilt_equals_live(installation: &Installation) {
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    for projector in registry::relational() {
        let name = projector.name();
        let rebuilt = rebuild(projector, log, database, Finish::SwapIfEqual, &|_, _| {}).await;
        let rebuilt = rebuilt.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(rebuilt.is_equal() && rebuilt.swapped, "{name}: {rebuilt:?}");
    }
}

#[tokio::test]
async fn an_erased_person_is_gone_and_a_rebuild_agrees() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let bob = register(&owner, "bob").await;
    assert_eq!(
        bob["principal"],
        json!({ "handle": "bob", "displayName": "The person bob", "email": "bob@example.org",
                "active": true, "erasedAt": null })
    );
    assert_eq!(
        ada.data("{ viewer { handle } }", json!({})).await["viewer"]["handle"],
        "ada"
    );
    assert_eq!(key_is_there(&installation, "ada").await, Some(true));
    rebuilt_equals_live(&installation).await;

    let gone = erase(&owner, "ada").await["principal"].take();
    assert_eq!(gone["handle"], format!("erased:{}", id_of("ada")));
    assert_eq!(
        (&gone["roles"], &gone["active"]),
        (&json!([]), &json!(false))
    );
    assert!(gone["erasedAt"].is_string(), "{gone}");
    assert_eq!(key_is_there(&installation, "ada").await, Some(false));
    ada.is_kept_out().await;
    installation.settle().await;
    rebuilt_equals_live(&installation).await;
    let bob = "{ principal(handle: \"bob\") { displayName email } }";
    let bob = owner.data(bob, json!({})).await["principal"].take();
    assert_eq!(
        bob["email"], "bob@example.org",
        "others are still readable after a rebuild"
    );
}

#[tokio::test]
async fn erasing_is_final_and_for_those_who_may() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let admin = installation.client("acme", "admin", &[Role::Admin]).await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    register(&admin, "ada").await;
    let handle = |handle: &str| json!({ "handle": handle });
    assert_eq!(agent.code(ERASE, handle("ada")).await, "NOT_FOUND");
    assert_eq!(agent.code(ERASE, handle("agent")).await, "FORBIDDEN");
    assert_eq!(admin.code(ERASE, handle("owner")).await, "FORBIDDEN");
    assert_eq!(admin.code(ERASE, handle("nobody")).await, "NOT_FOUND");
    let id = "0198c2f4-1f0e-7c3a-9d55-6f1d2b3c4d5e";
    let once = admin
        .data(ERASE, json!({ "handle": "ada", "id": id }))
        .await;
    assert_eq!(
        admin
            .data(ERASE, json!({ "handle": "ada", "id": id }))
            .await,
        once
    );
    assert_eq!(admin.code(ERASE, handle("ada")).await, "PRINCIPAL_ERASED");
    let again = json!({ "handle": "ada", "kind": "USER" });
    assert_eq!(admin.code(REGISTER, again).await, "PRINCIPAL_ERASED");
    for change in [
        "grantRole(input: { handle: \"ada\", role: AGENT })",
        "reactivatePrincipal(input: { handle: \"ada\" })",
    ] {
        let change = format!("mutation {{ {change} {{ sequence }} }}");
        assert_eq!(admin.code(&change, json!({})).await, "PRINCIPAL_ERASED");
    }
    owner.data(ERASE, handle("founder")).await;
    assert_eq!(owner.code(ERASE, handle("owner")).await, "LAST_OWNER");
    let bad = json!({ "handle": "eve", "kind": "USER", "email": "eve" });
    assert_eq!(admin.code(REGISTER, bad).await, "INVALID_EMAIL");
    assert_eq!(
        key_is_there(&installation, "eve").await,
        None,
        "no key for nothing"
    );
    let bot = json!({ "handle": "bot", "kind": "AGENT" });
    admin.data(REGISTER, bot).await;
    assert_eq!(
        key_is_there(&installation, "bot").await,
        None,
        "nothing of it is sealed"
    );
}

/// A process that dies between the event and the key's destruction, a rebuild that left a copy, and a vault brought back from a backup: each time the erasure comes to its end.
#[tokio::test]
async fn an_erasure_comes_to_its_end_after_a_crash() {
    let mut installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register(&owner, "ada").await;
    installation.settle().await;
    let mut connection = installation.app.database.connect().await.unwrap();
    connection
        .execute(
            "SELECT metamcp.clone_schema('access', 'access_rebuild');
             INSERT INTO access_rebuild.principals SELECT * FROM access.principals;
             SELECT metamcp.clone_schema('access', 'access_old');
             INSERT INTO access_old.principals SELECT * FROM access.principals;
             CREATE TABLE public.backup AS SELECT * FROM vault.data_keys",
        )
        .await
        .unwrap();
    installation.app.stop().await;

    // Nobody projects while the event is written.
    let dispatcher = bus::Dispatcher::new(Servers::log(&installation.config).await);
    let actor = domain::envelope::Actor::operator("test");
    let context = bus::CommandContext::new(acme(), actor);
    let id = id_of("ada");
    let erased = dispatcher.dispatch::<Principal>(&context, id.as_str(), PrincipalCommand::Erase);
    let at = erased.await.unwrap().stream_sequence;

    let roles = [ProcessRole::Api, ProcessRole::Projector];
    (installation.app, _) = serve(&installation.config, &roles).await;
    installation.reached("access", at).await;
    assert_eq!(key_is_there(&installation, "ada").await, Some(false));
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT rows::text FROM access_rebuild.principals AS rows
         UNION ALL SELECT rows::text FROM access_old.principals AS rows
         UNION ALL SELECT rows::text FROM access.principals AS rows",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(
        left.len() > 2 && left.iter().all(|row| !row.contains("person ada")),
        "{left:?}"
    );

    let bring_back = "UPDATE vault.data_keys AS keys
         SET kek_id = backup.kek_id, wrapped = backup.wrapped, destroyed_at = NULL
         FROM public.backup AS backup WHERE backup.subject = keys.subject";
    connection.execute(bring_back).await.unwrap();
    assert_eq!(key_is_there(&installation, "ada").await, Some(true));
    for projector in registry::relational() {
        let (log, database) = (&installation.app.state.log, &installation.app.database);
        let rebuilt = rebuild(projector, log, database, Finish::Swap, &|_, _| {}).await;
        rebuilt.unwrap();
    }
    assert_eq!(key_is_there(&installation, "ada").await, Some(false));
    connection.execute(bring_back).await.unwrap();
    assert_eq!(key_is_there(&installation, "ada").await, Some(true));
    installation.app.stop().await;
    (installation.app, _) = serve(&installation.config, &roles).await;
    assert_eq!(key_is_there(&installation, "ada").await, Some(false));
    assert_eq!(key_is_there(&installation, "owner").await, Some(true));
}

#[tokio::test]
async fn a_person_gets_everything_that_is_known_of_it() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register(&owner, "ada").await;
    let grant = "mutation { grantRole(input: { handle: \"ada\", role: PUBLISHER }) { sequence } }";
    owner.data(grant, json!({})).await;
    for (verb, team) in [("join", "pay"), ("join", "tax"), ("leave", "tax")] {
        let input = format!("handle: \"ada\", team: \"{team}\"");
        let change = format!("mutation {{ {verb}Team(input: {{ {input} }}) {{ sequence }} }}");
        owner.data(&change, json!({})).await;
    }
    let ada = installation.client("acme", "ada", &[]).await;
    let server =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    ada.data(server, json!({})).await;
    register(&owner, "bob").await;
    reviewed_and_moderated(&installation, &owner, &ada).await;

    let known = export(&installation, "ada").await;
    assert_eq!(known["principal"]["email"], "ada@example.org");
    assert_eq!(known["principal"]["display_name"], "The person ada");
    let of = |field: &str| -> Vec<String> {
        let items = known[if field == "role" { "roles" } else { "events" }].as_array();
        let items = items.unwrap().iter();
        items
            .map(|item| item[field].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of("role"), ["agent", "publisher"]);
    let held = json!(["publisher", "agent"]);
    assert_eq!(known["principal"]["roles"], held);
    assert_eq!(known["principal"]["teams"], json!(["pay"]));
    let within = json!([["pay", true], ["tax", true], ["tax", false]]);
    assert_eq!(teams(&known), within);
    assert_eq!(
        of("type"),
        [
            "principal.registered",
            "principal.role_granted",
            "principal.team_joined",
            "principal.team_joined",
            "principal.team_left",
            "server.registered",
            "review.written",
            "review.hidden",
            "review.appealed",
            "review.appeal_decided"
        ]
    );
    // What moderators did to its review is about the person, and says who did it.
    let events = known["events"].as_array().unwrap();
    let told = |at: usize| (&events[at]["by"]["id"], &events[at]["data"]);
    let moderator = json!(id_of("owner"));
    assert_eq!(told(7), (&moderator, &json!({ "reason": "rude" })));
    let decided = json!({ "decision": "restored", "reason": "it is not" });
    assert_eq!(told(9), (&moderator, &decided));
    assert_eq!(events[6]["data"]["text"], "Ada's words");
    assert!(!known.to_string().contains("not hers"));
    assert!(!known.to_string().contains("bob"));

    erase(&owner, "ada").await;
    let known = export(&installation, "ada").await;
    assert_eq!(known["principal"]["handle"], json!(null));
    // Roles and teams ended with the erasure.
    assert_eq!(known["principal"]["roles"], json!([]));
    assert_eq!(known["principal"]["teams"], json!([]));
    assert_eq!(teams(&known)[3], json!(["pay", false]));
    let roles = known["roles"].as_array().unwrap().iter();
    let held: Vec<_> = roles.map(|role| role["held"] == true).collect();
    assert_eq!(held, [true, true, false, false]);
    assert!(known["erased_at"].is_string());
    assert!(!known.to_string().contains("ada@example.org"));
}

/// Which team, and whether one is in it from then on, in the order of an export.
fn teams(known: &Value) -> Value {
    let teams = known["teams"].as_array().unwrap().iter();
    teams
        .map(|one| json!([one["team"], one["within"]]))
        .collect()
}

/// A review of one's own that is hidden, appealed and shown again, and one of another that is hidden.
async fn reviewed_and_moderated(installation: &Installation, owner: &Client, ada: &Client) {
    let tool = "mutation { registerTool(input: { server: \"git\", name: \"log\",
        description: \"Shows commits\" }) { sequence } }";
    owner.data(tool, json!({})).await;
    let review = "mutation($text: String) { reviewTool(input: { server: \"git\", name: \"log\",
        rating: 2, text: $text }) { review { id } } }";
    let written = async |client: &Client, text: &str| -> Value {
        let mut done = client.data(review, json!({ "text": text })).await;
        done["reviewTool"]["review"]["id"].take()
    };
    let change = async |client: &Client, mutation: &str, id: &Value, input: &str| {
        let change =
            format!("mutation {{ {mutation}(input: {{ review: {id}, {input} }}) {{ sequence }} }}");
        client.data(&change, json!({})).await;
    };
    let hide = |reason: &str| format!("action: HIDE, reason: \"{reason}\"");
    let other = installation.client("acme", "eve", &[Role::Agent]).await;
    let others = written(&other, "Other words").await;
    change(owner, "moderateReview", &others, &hide("not hers")).await;
    let id = written(ada, "Ada's words").await;
    change(owner, "moderateReview", &id, &hide("rude")).await;
    change(ada, "appealReview", &id, "text: \"Why?\"").await;
    let decision = "decision: RESTORED, reason: \"it is not\"";
    change(owner, "decideAppeal", &id, decision).await;
}

async fn export(installation: &Installation, handle: &str) -> Value {
    let state = &installation.app.state;
    let mut out = Vec::new();
    metamcp::privacy::export(&state.log, &state.vault, &acme(), &id_of(handle), &mut out)
        .await
        .unwrap();
    serde_json::from_slice(&out).unwrap()
}

const DESCRIBE: &str = "mutation($handle: String!, $name: String, $email: String) {
    describePrincipal(input: { handle: $handle, displayName: $name, email: $email }) {
        principal { displayName email } sequence } }";

#[tokio::test]
async fn a_name_or_an_address_is_corrected_and_an_undo_takes_it_back() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let admin = installation.client("acme", "admin", &[Role::Admin]).await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    let began = register(&admin, "ada").await;
    let said = |name: &str, email: Value| json!({ "displayName": name, "email": email });
    let named = json!({ "handle": "ada", "name": "Ada King", "email": "ada@king.example" });
    let done = admin.data(DESCRIBE, named).await["describePrincipal"].take();
    assert_eq!(
        done["principal"],
        said("Ada King", json!("ada@king.example"))
    );
    // What is left out stays, null removes.
    let only = "mutation { describePrincipal(input: { handle: \"ada\", email: null }) {
        principal { displayName email } sequence } }";
    let removed = admin.data(only, json!({})).await["describePrincipal"].take();
    assert_eq!(removed["principal"], said("Ada King", Value::Null));
    assert_eq!(admin.code(only, json!({})).await, "UNCHANGED");

    let undo = "mutation($commit: ID!) { undo(commit: $commit) { event sequence
        node { ... on Principal { displayName email } } } }";
    let commit = |of: &Value| json!({ "commit": of["sequence"].to_string() });
    assert_eq!(admin.code(undo, commit(&done)).await, "CHANGED_SINCE");
    let undone = admin.data(undo, commit(&removed)).await["undo"].take();
    assert_eq!(undone["event"], "principal.described");
    assert_eq!(undone["node"], said("Ada King", json!("ada@king.example")));
    // The history tells that it changed, and nothing of what it says.
    let history = "{ principal(handle: \"ada\") { history(first: 3) {
        nodes { type change { path before after } } } } }";
    installation.settle().await;
    let told = owner.data(history, json!({})).await["principal"]["history"]["nodes"].take();
    let changed = &told[2]["change"];
    assert_eq!(changed.as_array().map(Vec::len), Some(2), "{told:#}");
    assert!(!told.to_string().contains("King") && !told.to_string().contains("king.example"));
    // As of a moment before, a person is shown as corrected, too.
    let then = "query($at: AsOf) { principal(handle: \"ada\", asOf: $at) { displayName } }";
    let at = json!({ "at": { "sequence": began["sequence"] } });
    let then = owner.data(then, at).await;
    assert_eq!(then["principal"]["displayName"], "Ada King");
    rebuilt_equals_live(&installation).await;

    let named = |handle: &str, name: &str| json!({ "handle": handle, "name": name });
    assert_eq!(agent.code(DESCRIBE, named("agent", "I")).await, "FORBIDDEN");
    assert_eq!(agent.code(DESCRIBE, named("ada", "I")).await, "NOT_FOUND");
    assert_eq!(admin.code(DESCRIBE, named("owner", "I")).await, "FORBIDDEN");
    let bad = json!({ "handle": "ada", "email": "ada" });
    assert_eq!(admin.code(DESCRIBE, bad).await, "INVALID_EMAIL");
    erase(&owner, "ada").await;
    for code in [
        admin.code(DESCRIBE, named("ada", "Ada")).await,
        admin.code(undo, commit(&undone)).await,
    ] {
        assert_eq!(code, "PRINCIPAL_ERASED");
    }
    installation.settle().await;
    rebuilt_equals_live(&installation).await;
}
