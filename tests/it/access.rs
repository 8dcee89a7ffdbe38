//! Who gets in, and who sees what.

use crate::support::{Client, Installation};
use domain::principal::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const VIEWER: &str = "{ viewer { handle roles } }";
const REGISTER_SERVER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";
const REGISTER_TOOL: &str = "mutation($server: String!, $name: String!, $visibility: Visibility) {
    registerTool(input: { server: $server, name: $name, description: \"Counts parcels in a yard\",
                          visibility: $visibility }) { sequence } }";
const TOOL: &str =
    "query($server: String!, $name: String!) { tool(server: $server, name: $name) { name } }";
const SEARCH: &str =
    "{ searchTools(query: \"count parcels in a yard\") { hits { tool { name } } } }";

async fn publish(installation: &Installation, tenant: &str) -> Client {
    let publisher = installation
        .client(tenant, "publisher", &[Role::Publisher])
        .await;
    publisher
        .data(REGISTER_SERVER, json!({ "slug": "yard" }))
        .await;
    for (name, visibility) in [("count", "TENANT"), ("hidden_count", "PRIVATE")] {
        let variables = json!({ "server": "yard", "name": name, "visibility": visibility });
        publisher.data(REGISTER_TOOL, variables).await;
    }
    installation.settle().await;
    publisher
}

fn names(found: &Value) -> Vec<String> {
    let hits = found["searchTools"]["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["tool"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_stranger_is_told_where_to_get_a_token() {
    let installation = Installation::start().await;
    for token in [None, Some("nonsense".to_owned()), Some("a.b.c".to_owned())] {
        let client = Client::new(&installation.base, token);
        let request = client.http.post(format!("{}/graphql", client.base));
        let request = client.authorize(request).json(&json!({ "query": VIEWER }));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let challenge = answer.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(challenge.starts_with("Bearer") && challenge.contains("resource_metadata="));
        let mcp = client
            .http
            .post(format!("{}/mcp", client.base))
            .json(&json!({}));
        assert_eq!(client.authorize(mcp).send().await.unwrap().status(), 401);
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let (one, two) = (Installation::start().await, Installation::start().await);
    let token = two.token("acme", "admin", &[Role::Admin]).await;
    one.token("acme", "admin", &[Role::Admin]).await;
    let (status, _) = Client::new(&one.base, Some(token))
        .graphql(VIEWER, json!({}))
        .await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn one_tenant_sees_nothing_of_another() {
    let installation = Installation::start().await;
    publish(&installation, "acme").await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    let seen = other
        .data(
            "{ tools(first: 10) { nodes { name } } servers(first: 10) { nodes { slug } } principals(first: 10) { nodes { handle } } }",
            json!({}),
        )
        .await;
    assert_eq!(seen["tools"]["nodes"], json!([]));
    assert_eq!(seen["servers"]["nodes"], json!([]));
    assert!(
        !seen["principals"].to_string().contains("publisher"),
        "{seen}"
    );
    assert_eq!(
        names(&other.data(SEARCH, json!({})).await),
        Vec::<String>::new()
    );
    let tool = json!({ "server": "yard", "name": "count" });
    assert_eq!(other.code(TOOL, tool).await, "NOT_FOUND");
    let server = "{ server(slug: \"yard\") { slug } }";
    assert_eq!(other.code(server, json!({})).await, "NOT_FOUND");
    let retire = "mutation { retireTool(input: { server: \"yard\", name: \"count\", reason: \"mine\" }) { sequence } }";
    assert!(other.code(retire, json!({})).await.ends_with("NOT_FOUND"));
}

#[tokio::test]
async fn hidden_and_absent_tools_answer_the_same() {
    let installation = Installation::start().await;
    let publisher = publish(&installation, "acme").await;
    let agent = installation.client("acme", "bot", &[Role::Agent]).await;
    assert_eq!(names(&agent.data(SEARCH, json!({})).await), ["count"]);
    let mut all = names(&publisher.data(SEARCH, json!({})).await);
    all.sort();
    assert_eq!(all, ["count", "hidden_count"]);
    let hidden = agent
        .graphql(TOOL, json!({ "server": "yard", "name": "hidden_count" }))
        .await;
    let absent = agent
        .graphql(TOOL, json!({ "server": "yard", "name": "no_such_tool" }))
        .await;
    assert_eq!(hidden, absent);
}

#[tokio::test]
async fn roles_say_what_one_may_do() {
    let installation = Installation::start().await;
    publish(&installation, "acme").await;
    let register = json!({ "slug": "mine" });
    for role in [Role::Agent, Role::Auditor] {
        let client = installation.client("acme", role.as_str(), &[role]).await;
        assert_eq!(
            client.code(REGISTER_SERVER, register.clone()).await,
            "FORBIDDEN",
            "{role}"
        );
    }
    let admin = installation.client("acme", "boss", &[Role::Admin]).await;
    let make_owner =
        "mutation { grantRole(input: { handle: \"agent\", role: OWNER }) { sequence } }";
    assert_eq!(admin.code(make_owner, json!({})).await, "FORBIDDEN");
    let nobody = installation.client("acme", "nobody", &[]).await;
    assert_eq!(nobody.code(SEARCH, json!({})).await, "FORBIDDEN");
    assert_eq!(
        nobody.data(VIEWER, json!({})).await["viewer"]["handle"],
        "nobody"
    );
}

#[tokio::test]
async fn a_deactivated_principal_and_a_revoked_token_are_out_within_five_seconds() {
    let installation = Installation::start().await;
    let admin = installation.client("acme", "boss", &[Role::Admin]).await;
    let changes = [
        "mutation { deactivatePrincipal(input: { handle: \"first\" }) { sequence } }",
        "mutation { revokeTokens(input: { handle: \"second\" }) { sequence } }",
    ];
    for (handle, change) in ["first", "second"].into_iter().zip(changes) {
        let client = installation.client("acme", handle, &[Role::Agent]).await;
        client.data(VIEWER, json!({})).await;
        // A token that is older than the moment of revocation by more than the clock's grain.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        admin.data(change, json!({})).await;
        client.is_kept_out().await;
    }
}

/// How often a client was refused that was let in when it came back a moment later, as happens on a machine that
/// stands still in between. Twice in a row is no such moment.
#[derive(Default)]
struct Refusals {
    all: usize,
    last: bool,
}

impl Refusals {
    /// Looks at answers that were asked for together.
    async fn look(&mut self, answers: &[(StatusCode, Value)]) {
        let refused = answers.iter().find(|(status, _)| *status != 200);
        if let Some((status, answer)) = refused {
            assert!(*status == 503 && !self.last, "{status}: {answer}");
            self.all += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.last = refused.is_some();
    }
}

/// A projector that keeps up is a few commits behind whenever somebody looks. It is written for longer than it may be
/// behind, so one that was never seen at the head would refuse everybody before the end.
#[tokio::test]
async fn steady_writing_refuses_nobody() {
    const LAG: Duration = Duration::from_secs(5);
    let installation = Installation::start_with(|config| config.auth.max_access_lag = LAG).await;
    let writer = installation
        .client("acme", "writer", &[Role::Publisher])
        .await;
    let reader = installation.client("other", "reader", &[Role::Agent]).await;
    let writing = async {
        let (begun, mut refusals) = (Instant::now(), Refusals::default());
        let (mut number, mut written) = (0, 0);
        while begun.elapsed() < 2 * LAG {
            let slugs = (number..number + 8).map(|number| format!("server-{number}"));
            let many = slugs.map(|slug| writer.graphql(REGISTER_SERVER, json!({ "slug": slug })));
            let answers = futures::future::join_all(many).await;
            written += answers.iter().filter(|(status, _)| *status == 200).count();
            refusals.look(&answers).await;
            number += 8;
        }
        (written, refusals.all)
    };
    let reading = async {
        let (begun, mut refusals) = (Instant::now(), Refusals::default());
        while begun.elapsed() < 2 * LAG {
            let answer = reader.graphql(VIEWER, json!({})).await;
            refusals.look(&[answer]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        refusals.all
    };
    let ((written, writes_refused), reads_refused) = tokio::join!(writing, reading);
    println!("{written} written; refused: {writes_refused} times writing, {reads_refused} reading");
    assert!(written > 8, "{written}");
}

#[tokio::test]
async fn the_last_owner_stays() {
    let installation = Installation::start().await;
    // `founder` is the first owner; this one is the second.
    let owner = installation.client("acme", "second", &[Role::Owner]).await;
    let demote = |handle: &str| {
        format!(
            "mutation {{ revokeRole(input: {{ handle: \"{handle}\", role: OWNER }}) {{ sequence }} }}"
        )
    };
    owner.data(&demote("founder"), json!({})).await;
    assert_eq!(owner.code(&demote("second"), json!({})).await, "LAST_OWNER");
}
