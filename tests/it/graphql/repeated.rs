//! A command that is sent again under its id is answered as the first time, whatever has become since of the other
//! objects that it was checked against. Whoever sends it as a new one, and who may not send it, is refused.

use super::{register_server, register_tool};
use crate::publishers;
use crate::support::{Client, DnsServer, Installation};
use api::trust::SigningKey;
use chrono::Utc;
use domain::principal::Role;
use serde_json::{Value, json};
use uuid::Uuid;

/// A command with an id.
struct Command {
    query: String,
    variables: Value,
}

impl Command {
    /// A mutation that takes an input of this type; `shown` is asked for beside the position.
    fn new(mutation: &str, kind: &str, input: &Value, shown: &str) -> Self {
        let query = format!(
            "mutation($input: {kind}!, $id: UUID) {{
                done: {mutation}(input: $input, commandId: $id) {{ sequence {shown} }} }}"
        );
        let variables = json!({ "input": input, "id": Uuid::now_v7() });
        Self { query, variables }
    }

    fn undo(commit: &Value) -> Self {
        let query = "mutation($commit: ID!, $id: UUID) {
            done: undo(commit: $commit, commandId: $id) { sequence event } }";
        Self {
            query: query.to_owned(),
            variables: json!({ "commit": commit, "id": Uuid::now_v7() }),
        }
    }

    async fn sent(&self, client: &Client) -> Value {
        let variables = self.variables.clone();
        client.data(&self.query, variables).await["done"].take()
    }

    /// The code that it is refused with under its id.
    async fn refused(&self, client: &Client) -> String {
        client.code(&self.query, self.variables.clone()).await
    }

    /// The code that it is refused with under another id.
    async fn refused_anew(&self, client: &Client) -> String {
        let mut variables = self.variables.clone();
        variables["id"] = json!(Uuid::now_v7());
        client.code(&self.query, variables).await
    }
}

/// A mutation of this input, written out; answers its position.
async fn done(client: &Client, mutation: &str, input: &str) -> Value {
    let query = format!("mutation {{ done: {mutation}(input: {{ {input} }}) {{ sequence }} }}");
    client.data(&query, json!({})).await["done"]["sequence"].take()
}

/// Sends commands again that were answered so, and looks that they are answered the same and nothing is written.
async fn answered_again(
    installation: &Installation,
    client: &Client,
    commands: &[(Command, Value)],
) {
    let before = installation.settle().await;
    for (command, first) in commands {
        assert_eq!(command.sent(client).await, *first, "{}", command.query);
    }
    assert_eq!(installation.settle().await, before);
}

#[tokio::test]
async fn what_was_done_to_a_tool_is_answered_as_the_first_time_when_its_server_is_retired() {
    let installation = Installation::start().await;
    let maker = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let agent = installation.client("acme", "agent", &[Role::Agent]).await;
    register_server(&maker, "git").await;
    let tool = json!({ "server": "git", "name": "log" });
    let mut input = json!({ "server": "git", "name": "log", "description": "Does it" });
    let shown = "tool { id name }";
    let register = Command::new("registerTool", "RegisterToolInput", &input, shown);
    let registered = register.sent(&maker).await;
    input["version"] = json!("1.1.0");
    input["description"] = json!("Does it better");
    let publish = Command::new(
        "publishToolVersion",
        "PublishToolVersionInput",
        &input,
        shown,
    );
    let published = publish.sent(&maker).await;
    let named = "server: \"git\", name: \"log\"";
    done(&maker, "retireTool", named).await;
    let restore = Command::new("restoreTool", "RestoreToolInput", &tool, shown);
    let restored = restore.sent(&maker).await;
    let undo = Command::undo(&done(&maker, "retireTool", named).await);
    let undone = undo.sent(&maker).await;
    assert_eq!(undone["event"], "tool.restored");

    done(&maker, "retireServer", "slug: \"git\"").await;
    let commands = [
        (register, registered),
        (publish, published),
        (restore, restored),
        (undo, undone),
    ];
    for (command, _) in &commands[..3] {
        let code = command.refused_anew(&maker).await;
        assert_eq!(code, "SERVER_RETIRED", "{}", command.query);
    }
    answered_again(&installation, &maker, &commands).await;
    // Who may not do it learns nothing from knowing the id.
    assert_eq!(commands[0].0.refused(&agent).await, "FORBIDDEN");
}

#[tokio::test]
async fn what_was_given_a_category_is_answered_as_the_first_time_when_that_is_retired() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&owner, "hg").await;
    register_tool(&owner, "hg", "log", json!({})).await;
    let category = "slug: \"vcs\", title: \"Version control\"";
    done(&owner, "addCategory", category).await;
    let commands = [
        Command::new(
            "registerServer",
            "RegisterServerInput",
            &json!({ "slug": "git", "name": "Git", "category": "vcs" }),
            "server { slug category }",
        ),
        Command::new(
            "registerTool",
            "RegisterToolInput",
            &json!({ "server": "hg", "name": "diff", "description": "Does it", "category": "vcs" }),
            "tool { name category }",
        ),
        // What these say is said otherwise later, so they show where it was said.
        Command::new(
            "describeServer",
            "DescribeServerInput",
            &json!({ "slug": "hg", "category": "vcs" }),
            "",
        ),
        Command::new(
            "describeTool",
            "DescribeToolInput",
            &json!({ "server": "hg", "name": "log", "category": "vcs" }),
            "",
        ),
    ];
    let mut answers = Vec::new();
    for command in commands {
        let first = command.sent(&owner).await;
        answers.push((command, first));
    }
    done(&owner, "describeServer", "slug: \"hg\", category: null").await;
    let cleared = "server: \"hg\", name: \"log\", category: null";
    done(&owner, "describeTool", cleared).await;
    done(&owner, "retireCategory", "slug: \"vcs\"").await;
    for (command, _) in &answers {
        let code = command.refused_anew(&owner).await;
        assert_eq!(code, "CATEGORY_NOT_FOUND", "{}", command.query);
    }
    answered_again(&installation, &owner, &answers).await;
}

#[tokio::test]
async fn what_was_done_with_a_tool_of_others_is_answered_as_the_first_time_when_that_is_hidden() {
    let installation = Installation::start().await;
    let acme = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let beta = installation.client("beta", "owner", &[Role::Owner]).await;
    register_server(&acme, "maps").await;
    register_tool(&acme, "maps", "route", json!({ "visibility": "PUBLIC" })).await;
    let tool = |range: &str| json!({ "publisher": "acme", "server": "maps", "tool": "route", "range": range });
    let install = Command::new("installTool", "InstallToolInput", &tool("^1"), "");
    let installed = install.sent(&beta).await;
    let shown = "installation { range }";
    let repin = Command::new("repinTool", "RepinToolInput", &tool("~1.0"), shown);
    let repinned = repin.sent(&beta).await;
    let mut input = json!({ "publisher": "acme", "server": "maps", "name": "route", "rating": 4,
                            "version": "1.0.0" });
    let of_a_version = Command::new("reviewTool", "ReviewToolInput", &input, "");
    let reviewed = of_a_version.sent(&beta).await;
    let colleague = installation.client("beta", "ada", &[Role::Owner]).await;
    input["version"] = Value::Null;
    let of_the_latest = Command::new("reviewTool", "ReviewToolInput", &input, "");
    let reviewed_by_ada = of_the_latest.sent(&colleague).await;
    installation.settle().await;

    let hidden = "server: \"maps\", name: \"route\", visibility: TENANT";
    done(&acme, "describeTool", hidden).await;
    let commands = [
        (install, installed),
        (repin, repinned),
        (of_a_version, reviewed),
    ];
    for (command, _) in &commands {
        let code = command.refused_anew(&beta).await;
        assert_eq!(code, "NOT_FOUND", "{}", command.query);
    }
    answered_again(&installation, &beta, &commands).await;
    let commands = [(of_the_latest, reviewed_by_ada)];
    answered_again(&installation, &colleague, &commands).await;
}

#[tokio::test]
async fn a_review_of_the_latest_version_is_not_written_again_when_another_one_is_the_latest() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&owner, "git").await;
    register_tool(&owner, "git", "log", json!({})).await;
    let input = json!({ "server": "git", "name": "log", "rating": 5 });
    let shown = "review { id version }";
    let review = Command::new("reviewTool", "ReviewToolInput", &input, shown);
    let first = review.sent(&owner).await;
    assert_eq!(first["review"]["version"], "1.0.0");
    let next = "server: \"git\", name: \"log\", version: \"2.0.0\", description: \"Does more\"";
    done(&owner, "publishToolVersion", next).await;
    answered_again(&installation, &owner, &[(review, first)]).await;
}

#[tokio::test]
async fn a_proof_is_answered_as_the_first_time_when_its_record_is_gone() {
    let dns = DnsServer::start().await;
    let installation = publishers::installation(&dns, |_| {}).await;
    let maker = installation
        .client("acme", "maker", &[Role::Publisher])
        .await;
    let claim = "mutation { done: claimNamespace(input: { namespace: \"com.example\" }) { sequence
        publisher { challenge } } }";
    let claimed = maker.data(claim, json!({})).await;
    let challenge = claimed["done"]["publisher"]["challenge"].as_str().unwrap();
    let key = SigningKey::generate().unwrap();
    dns.texts("example.com", &[&key.public_key().record()]);
    let signed_at = Utc::now().to_rfc3339();
    let signature = key.sign(challenge, &signed_at);
    let input = json!({ "namespace": "com.example", "method": "DNS", "signedAt": signed_at,
                        "signature": signature });
    let shown = "publisher { status }";
    let verify = Command::new("verifyNamespace", "VerifyNamespaceInput", &input, shown);
    let first = verify.sent(&maker).await;
    assert_eq!(first["publisher"]["status"], "VERIFIED");

    dns.texts("example.com", &[]);
    verify.refused_anew(&maker).await;
    answered_again(&installation, &maker, &[(verify, first)]).await;
}
