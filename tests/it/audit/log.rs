//! The audit log, and the id that holds together what one request caused.

use super::{AUDIT_LOG, all, audit, register_server};
use crate::support::{Client, Installation};
use domain::principal::Role;
use domain::registry::wire_forms;
use serde_json::{Value, json};
use std::path::Path;

#[tokio::test]
async fn filters_find_events_by_actor_object_type_time_and_text() {
    let installation = Installation::start().await;
    let ada = installation.client("acme", "ada", &[Role::Publisher]).await;
    let ben = installation.client("acme", "ben", &[Role::Publisher]).await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    register_server(&ada, "git").await;
    let middle = register_server(&ben, "mail").await;
    ben.data(
        "mutation { describeServer(input: { slug: \"mail\", description: \"Sends 100% \\\"mail\\\"\" })
            { sequence } }",
        json!({}),
    )
    .await;
    let at = installation.settle().await;

    let of_ben = audit(&auditor, json!({ "actor": "ben" }), at).await;
    assert_eq!(
        all(&of_ben, "type"),
        ["server.registered", "server.described"]
    );
    let id = of_ben[0]["actor"]["id"].clone();
    assert_eq!(audit(&auditor, json!({ "actorId": id }), at).await, of_ben);
    let founded = audit(
        &auditor,
        json!({ "actorId": "test", "type": "tenant.registered" }),
        at,
    );
    assert_eq!(founded.await.len(), 1);
    let servers = audit(&auditor, json!({ "aggregate": "server" }), at).await;
    assert_eq!(servers.len(), 3);
    let one = json!({ "aggregate": "server", "aggregateId": of_ben[0]["aggregateId"] });
    assert_eq!(audit(&auditor, one, at).await, of_ben);
    for text in ["100% \"MAIL\"", "sends 100%"] {
        let found = audit(&auditor, json!({ "text": text }), at).await;
        assert_eq!(all(&found, "type"), ["server.described"], "{text}");
    }
    for text in ["100_", "sends_100", "no such text"] {
        assert!(
            audit(&auditor, json!({ "text": text }), at)
                .await
                .is_empty(),
            "{text}"
        );
    }
    let moment = |event: &Value| event["at"].clone();
    let since = audit(&auditor, json!({ "from": moment(&of_ben[0]) }), at).await;
    assert!(
        since.len() >= 2
            && since
                .iter()
                .all(|event| event["sequence"].as_u64() >= Some(middle))
    );
    let until = audit(
        &auditor,
        json!({ "to": moment(&of_ben[0]), "aggregate": "server" }),
        at,
    )
    .await;
    assert_eq!(until.len(), 1);
    let before_all = "-5000-01-01T00:00:00Z";
    let none = audit(&auditor, json!({ "to": before_all }), at).await;
    assert!(none.is_empty(), "{none:#?}");
    let ever = json!({ "from": before_all, "aggregate": "server" });
    assert_eq!(audit(&auditor, ever, at).await, servers);
    let both = json!({ "filter": { "actor": "ben", "actorId": "x" } });
    assert_eq!(auditor.code(AUDIT_LOG, both).await, "INVALID_FILTER");
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_is_refused() {
    let installation = Installation::start().await;
    let auditor = installation.client("acme", "aud", &[Role::Auditor]).await;
    let (earlier, later) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+00:00");
    let turned = json!({ "filter": { "from": later, "to": earlier } });
    assert_eq!(auditor.code(AUDIT_LOG, turned).await, "INVALID_FILTER");
    // The same moment, written for another place.
    let moment = json!({ "filter": { "from": later, "to": "2026-01-01T02:00:00+01:00" } });
    auditor.data(AUDIT_LOG, moment).await;
}

/// No read model has the handle of an erased person, so one that nobody ever had looks the same.
#[tokio::test]
async fn whoever_is_named_is_asked_for_whether_somebody_has_that_name_or_not() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let ada = installation.client("acme", "ada", &[Role::Publisher]).await;
    register_server(&ada, "git").await;
    let erase = "mutation { erasePrincipal(input: { handle: \"ada\" }) { sequence } }";
    owner.data(erase, json!({})).await;
    let at = installation.settle().await;
    let of_ada = audit(&owner, json!({ "actor": "ada" }), at).await;
    assert_eq!(all(&of_ada, "type"), ["server.registered"]);
    let shown = format!("erased:{}", of_ada[0]["actor"]["id"].as_str().unwrap());
    let erased = json!({ "actor": shown });
    assert_eq!(audit(&owner, erased, at).await, of_ada);
    let nobody = audit(&owner, json!({ "actor": "nobody" }), at).await;
    assert!(nobody.is_empty(), "{nobody:#?}");
}

/// So that nobody has to try it.
#[test]
fn the_document_says_of_every_event_whether_it_is_taken_back() {
    const HEADING: &str = "\n## Taking a change back\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit-log.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, section) = text.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    for (name, _) in wire_forms() {
        let first = |row: &&&str| {
            let cell = row.split('|').nth(1).unwrap_or_default();
            cell.contains(&format!("`{name}`"))
        };
        assert_eq!(rows.iter().filter(first).count(), 1, "{name}");
    }
}

#[tokio::test]
async fn pages_cover_the_log_once_in_both_directions() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    for number in 0..7 {
        register_server(&owner, &format!("s{number}")).await;
    }
    let at = installation.settle().await;
    let mut told: Vec<Vec<u64>> = Vec::new();
    for direction in ["ASC", "DESC"] {
        let (mut after, mut sequences) = (Value::Null, Vec::new());
        loop {
            let variables = json!({ "first": 3, "after": after, "direction": direction, "at": at });
            let page = owner.data(AUDIT_LOG, variables).await["auditLog"].take();
            let nodes = page["nodes"].as_array().unwrap();
            sequences.extend(nodes.iter().map(|node| node["sequence"].as_u64().unwrap()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        told.push(sequences);
    }
    told[1].reverse();
    assert_eq!(told[0], told[1]);
    // The first commit is the installation's: the policy in force.
    assert_eq!(told[0], (2..=at).collect::<Vec<_>>());
    for after in ["", "nonsense", "8J-Ys_-_"] {
        let code = owner.code(AUDIT_LOG, json!({ "after": after })).await;
        assert_eq!(code, "INVALID_CURSOR", "{after}");
    }
}

#[tokio::test]
async fn the_audit_log_is_for_owners_administrators_and_auditors_of_the_tenant() {
    let installation = Installation::start().await;
    let secret = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&secret, "secret").await;
    installation.settle().await;
    for (role, may) in [
        (Role::Owner, true),
        (Role::Admin, true),
        (Role::Auditor, true),
        (Role::Publisher, false),
        (Role::Agent, false),
    ] {
        let client = installation.client("acme", role.as_str(), &[role]).await;
        if may {
            client.data(AUDIT_LOG, json!({})).await;
        } else {
            assert_eq!(
                client.code(AUDIT_LOG, json!({})).await,
                "FORBIDDEN",
                "{role}"
            );
        }
    }
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    let at = installation.settle().await;
    let own = audit(&other, json!({}), at).await;
    assert!(!own.is_empty());
    for event in own {
        assert!(!event.to_string().contains("secret"), "{event:#}");
    }
    let theirs = audit(&secret, json!({ "aggregate": "server" }), at).await;
    let filter = json!({ "aggregate": "server", "aggregateId": theirs[0]["aggregateId"] });
    assert!(audit(&other, filter, at).await.is_empty());
    let filter = json!({ "actorId": theirs[0]["actor"]["id"] });
    assert!(audit(&other, filter, at).await.is_empty());
    let variables = json!({ "after": theirs[0]["cursor"], "filter": { "aggregate": "server" } });
    let behind = other.data(AUDIT_LOG, variables).await;
    assert_eq!(behind["auditLog"]["nodes"], json!([]));
}

async fn correlation(client: &Client, traceparent: Option<&str>, query: &str) -> String {
    let request = client.http.post(format!("{}/graphql", client.base));
    let mut request = client.authorize(request).json(&json!({ "query": query }));
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.headers()["correlation-id"]
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_commits_of_one_request_share_the_id_that_its_answer_names() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let two = "mutation {
        a: registerServer(input: { slug: \"a\", name: \"A\" }) { sequence }
        b: registerServer(input: { slug: \"b\", name: \"B\" }) { sequence } }";
    let first = correlation(&owner, None, two).await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let one = "mutation { registerServer(input: { slug: \"c\", name: \"C\" }) { sequence } }";
    let second = correlation(&owner, Some(traceparent), one).await;
    assert_eq!(second.replace('-', ""), "0af7651916cd43dd8448eb211c80319c");
    let at = installation.settle().await;
    let events = audit(&owner, json!({ "aggregate": "server" }), at).await;
    assert_eq!(all(&events, "correlationId"), [&first, &first, &second]);
    let refused = owner.http.post(format!("{}/graphql", owner.base));
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("correlation-id"));
}
