//! A tenant keeps an owner, whichever processes are told to take one away at the same moment.

use super::{acme, id_of};
use crate::support::{Client, Installation, PATIENCE, said, serve};
use domain::principal::Role;
use metamcp::app::Role as ProcessRole;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};

const REVOKE: &str = "mutation($handle: String!) {
    revokeRole(input: { handle: $handle, role: OWNER }) { sequence } }";
const GRANT: &str = "mutation($handle: String!) {
    grantRole(input: { handle: $handle, role: OWNER }) { sequence } }";
const SERVICE: &str = "mutation {
    registerPrincipal(input: { handle: \"ci\", kind: SERVICE, roles: [OWNER] }) { sequence } }";

fn handle(handle: &str) -> Value {
    json!({ "handle": handle })
}

/// The lock of the tenant's owners, which the test has first: whoever is to take one away waits.
async fn hold(installation: &Installation) -> PgConnection {
    let mut connection = installation.app.database.connect().await.unwrap();
    let lock = "SELECT pg_advisory_lock(hashtextextended('metamcp.owners.acme', 0))";
    connection.execute(lock).await.unwrap();
    connection
}

async fn until_waiting(connection: &mut PgConnection, wanted: i64) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let begun = Instant::now();
    loop {
        let count = sqlx::query_scalar(waiting).fetch_one(&mut *connection);
        let count: i64 = count.await.unwrap();
        if count == wanted {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{count} wait, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets two go on at once.
async fn release_when_two_wait(mut held: PgConnection) {
    until_waiting(&mut held, 2).await;
    held.close().await.unwrap();
}

/// Waits until the process that a client talks to knows its principal as an owner.
async fn is_owner(client: &Client) {
    let begun = Instant::now();
    loop {
        let (_, answer) = client.graphql("{ viewer { roles } }", json!({})).await;
        if answer["data"]["viewer"]["roles"] == json!(["OWNER"]) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn owners(installation: &Installation) -> i64 {
    installation.settle().await;
    let mut connection = installation.app.database.connect().await.unwrap();
    let count = "SELECT count(*) FROM access.principals
                 WHERE tenant = 'acme' AND active AND 'owner' = ANY (roles)";
    let count = sqlx::query_scalar(count).fetch_one(&mut connection);
    count.await.unwrap()
}

#[tokio::test]
async fn two_owners_who_remove_each_other_in_two_processes_leave_one() {
    let installation = Installation::start().await;
    let one = installation.client("acme", "one", &[Role::Owner]).await;
    installation.token("acme", "two", &[Role::Owner]).await;
    // Tokens name the address that issued them: each process here has an address of its own.
    let (replica, base) = serve(&installation.config, &[ProcessRole::Api]).await;
    let tokens = &replica.state.tokens;
    let token = tokens.issue(&acme(), &id_of("two"), None).unwrap().token;
    let two = Client::new(&base, Some(token.expose_secret().to_owned()));
    one.data(REVOKE, handle("founder")).await;
    for _ in 0..4 {
        is_owner(&one).await;
        is_owner(&two).await;
        let held = hold(&installation).await;
        let (by_one, by_two, ()) = tokio::join!(
            one.graphql(REVOKE, handle("two")),
            two.graphql(REVOKE, handle("one")),
            release_when_two_wait(held),
        );
        let answers = [by_one.1, by_two.1];
        let is_refused = |answer: &&Value| answer.get("errors").is_some();
        let refused: Vec<&Value> = answers.iter().filter(is_refused).collect();
        assert_eq!(refused.len(), 1, "{answers:#?}");
        let code = &refused[0]["errors"][0]["extensions"]["code"];
        assert_eq!(code, "LAST_OWNER", "{answers:#?}");
        assert_eq!(owners(&installation).await, 1);
        let (left, gone) = match is_refused(&&answers[0]) {
            true => (&two, "one"),
            false => (&one, "two"),
        };
        left.data(GRANT, handle(gone)).await;
    }
    replica.stop().await;
}

#[tokio::test]
async fn an_erasure_at_the_command_line_and_a_request_at_once_leave_an_owner() {
    let installation = Installation::start().await;
    let one = installation.client("acme", "one", &[Role::Owner]).await;
    installation.token("acme", "two", &[Role::Owner]).await;
    one.data(REVOKE, handle("founder")).await;
    let folder = tempfile::tempdir().unwrap();
    let mut look = installation.app.database.connect().await.unwrap();
    let held = hold(&installation).await;
    let request = async {
        until_waiting(&mut look, 1).await;
        one.graphql(REVOKE, handle("two")).await.1
    };
    let erase = ["privacy", "erase", "one", "--tenant", "acme"];
    let (output, answer, ()) = tokio::join!(
        installation.program(folder.path(), &erase),
        request,
        release_when_two_wait(held),
    );
    let (text, code) = said(&output);
    let (erased, revoked) = (code == Some(0), answer.get("errors").is_none());
    assert_ne!(erased, revoked, "{text}\n{answer:#}");
    assert_eq!(owners(&installation).await, 1);
}

#[tokio::test]
async fn files_that_are_applied_and_a_request_at_once_leave_an_owner() {
    let installation = Installation::start().await;
    let one = installation.client("acme", "one", &[Role::Owner]).await;
    one.data(SERVICE, json!({})).await;
    one.data(REVOKE, handle("founder")).await;
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("registry.yaml", "format: 1\ntenant: acme\nposition: 1\n"),
        ("principals.yaml", "ci: {kind: service}\n"),
    ];
    for (file, text) in files {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let mut look = installation.app.database.connect().await.unwrap();
    let held = hold(&installation).await;
    let request = async {
        until_waiting(&mut look, 1).await;
        one.graphql(REVOKE, handle("one")).await.1
    };
    let (output, answer, ()) = tokio::join!(
        installation.program(folder.path(), &["apply", ".", "--yes"]),
        request,
        release_when_two_wait(held),
    );
    let (text, code) = said(&output);
    let (applied, revoked) = (code == Some(0), answer.get("errors").is_none());
    assert_ne!(applied, revoked, "{text}\n{answer:#}");
    assert!(applied || text.contains("LAST_OWNER"), "{text}");
    assert_eq!(owners(&installation).await, 1);
}

#[tokio::test]
async fn who_waits_too_long_for_others_is_told_to_try_again() {
    let installation = Installation::start().await;
    let one = installation.client("acme", "one", &[Role::Owner]).await;
    let held = hold(&installation).await;
    assert_eq!(one.code(REVOKE, handle("founder")).await, "UNAVAILABLE");
    // Nothing is left of who gave up.
    held.close().await.unwrap();
    one.data(REVOKE, handle("founder")).await;
    assert_eq!(owners(&installation).await, 1);
    assert_eq!(one.code(REVOKE, handle("one")).await, "LAST_OWNER");
}
