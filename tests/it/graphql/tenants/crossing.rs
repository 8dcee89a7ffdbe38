//! Tenants A and B crossed over every operation: the schema says which there are, so that a new field has to be
//! thought of here.

use super::cases::{ANSWERED, CHANGES, CREATES, EXEMPT, LISTS, NOT_OFFERED, OFFERS, READS};
use crate::support::{Client, Installation};
use data_encoding::BASE64URL_NOPAD;
use domain::id::{InstallationId, PrincipalId, ReviewId, ServerId, TaxonomyId, TenantId, ToolId};
use domain::principal::Role;
use semver::Version;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/api/schema.graphql");

/// The codes of what is not there.
const ABSENT: [&str; 3] = ["NOT_FOUND", "SERVER_NOT_FOUND", "CATEGORY_NOT_FOUND"];

/// What only the tenant `acme` has.
const SECRETS: [&str; 8] = [
    "secret-lab",
    "launch_rockets",
    "ada-lovelace",
    "owner-of-acme",
    "com.secretive",
    "rocketry",
    "in-orbit",
    "Flies high",
];

/// What the tenant `acme` does before a stranger looks at it.
const SETTING: [&str; 8] = [
    r#"registerServer(input: { slug: "secret-lab", name: "Secret lab" }) { sequence }"#,
    r#"registerPrincipal(input: { handle: "ada-lovelace", kind: USER, roles: [AGENT] }) { sequence }"#,
    r#"claimNamespace(input: { namespace: "com.secretive" }) { sequence }"#,
    r#"addCategory(input: { slug: "rocketry", title: "Rocketry" }) { sequence }"#,
    r#"registerTool(input: { server: "secret-lab", name: "launch_rockets", version: "1.0.0",
        description: "Launches rockets", tags: ["in-orbit"], visibility: PRIVATE }) { sequence }"#,
    r#"publishToolVersion(input: { server: "secret-lab", name: "launch_rockets", version: "1.1.0",
        description: "Launches larger rockets" }) { sequence }"#,
    r#"reviewTool(input: { server: "secret-lab", name: "launch_rockets", rating: 4,
        text: "Flies high" }) { sequence }"#,
    r#"installTool(input: { publisher: "gamma", server: "maps", tool: "compass" }) { sequence }"#,
];

/// A placeholder of operations, and what it stands for.
type Word = (&'static str, String);

struct World {
    installation: Installation,
    acme: Client,
    beta: Client,
    /// Names of what `acme` has, and names of the same form that nobody has.
    real: Vec<Word>,
    absent: Vec<Word>,
}

fn tenant(slug: &str) -> TenantId {
    TenantId::new(slug).unwrap()
}

fn mutation(operation: &str) -> String {
    format!("mutation {{ {operation} }}")
}

fn query(operation: &str) -> String {
    format!("{{ {operation} }}")
}

/// The names of objects, and the global ids that follow from them.
fn words(
    owner: &str,
    [server, tool, handle, namespace, category]: [&str; 5],
    (commit, sequence): (Uuid, u64),
) -> Vec<Word> {
    let of = tenant(owner);
    let global = |kind: &str, id: &str| BASE64URL_NOPAD.encode(format!("{kind}:{id}").as_bytes());
    let tool_id = ToolId::derive(&of, server, tool);
    let author = PrincipalId::derive(&of, "owner-of-acme");
    let review = ReviewId::derive(&of, &tool_id, &Version::new(1, 1, 0), &author);
    let installed = InstallationId::derive(&of, &tenant("gamma"), "maps", "compass");
    let server_id = ServerId::derive(&of, server);
    let principal_id = PrincipalId::derive(&of, handle);
    let taxonomy_id = TaxonomyId::derive(&of);
    vec![
        ("<server>", server.to_owned()),
        ("<tool>", tool.to_owned()),
        ("<handle>", handle.to_owned()),
        ("<namespace>", namespace.to_owned()),
        ("<category>", category.to_owned()),
        ("<tenant>", owner.to_owned()),
        ("<server_id>", global("Server", server_id.as_str())),
        ("<tool_id>", global("Tool", tool_id.as_str())),
        ("<principal_id>", global("Principal", principal_id.as_str())),
        ("<tenant_id>", global("Tenant", owner)),
        ("<taxonomy_id>", global("Taxonomy", taxonomy_id.as_str())),
        ("<review_id>", global("Review", review.as_str())),
        (
            "<installation_id>",
            global("Installation", installed.as_str()),
        ),
        ("<commit>", commit.to_string()),
        ("<sequence>", sequence.to_string()),
    ]
}

fn filled(operation: &str, words: &[Word]) -> String {
    let mut filled = operation.to_owned();
    for (stands, word) in words {
        filled = filled.replace(stands, word);
    }
    filled
}

/// What is told, without what the question itself brought in.
fn told(answer: &Value, operation: &str, words: &[Word]) -> String {
    let error = |error: &Value| json!([error["message"], error["extensions"]]);
    let errors = answer["errors"].as_array();
    let errors: Vec<_> = errors.into_iter().flatten().map(error).collect();
    let mut told = json!({ "data": answer["data"], "errors": errors }).to_string();
    for (stands, word) in words {
        if operation.contains(stands) {
            told = told.replace(word, stands);
        }
    }
    told
}

impl World {
    async fn start() -> Self {
        let installation = Installation::start().await;
        let owner = async |tenant: &str| {
            let handle = format!("owner-of-{tenant}");
            installation.client(tenant, &handle, &[Role::Owner]).await
        };
        let (acme, beta, gamma) = (
            owner("acme").await,
            owner("beta").await,
            owner("gamma").await,
        );
        for offered in [
            r#"registerServer(input: { slug: "maps", name: "Maps" }) { sequence }"#,
            r#"registerTool(input: { server: "maps", name: "compass", description: "Points north",
                visibility: PUBLIC }) { sequence }"#,
        ] {
            gamma.data(&mutation(offered), json!({})).await;
        }
        installation.settle().await;
        let mut sequence = 0;
        for made in SETTING {
            let data = acme.data(&mutation(made), json!({})).await;
            sequence = data[field(made)]["sequence"].as_u64().unwrap();
        }
        let head = installation.settle().await;
        let entry = installation.app.state.log.entry_at(sequence).await;
        let commit = entry.unwrap().unwrap().commit().unwrap().commit_id;
        let names = [
            "secret-lab",
            "launch_rockets",
            "ada-lovelace",
            "com.secretive",
            "rocketry",
        ];
        let nobodys = [
            "absent-lab",
            "absent_rockets",
            "eve-lovelace",
            "com.unclaimed",
            "pottery",
        ];
        let mut real = words("acme", names, (commit.0, sequence));
        let mut absent = words("nemo", nobodys, (Uuid::now_v7(), 1_000_000));
        for words in [&mut real, &mut absent] {
            words.push(("<moment>", head.to_string()));
        }
        Self {
            installation,
            acme,
            beta,
            real,
            absent,
        }
    }

    /// A stranger hears of an object what it hears of none. Answers that.
    async fn is_told_as_of_nothing(&self, operation: &str) -> Value {
        let ask = async |words: &[Word]| {
            let (_, answer) = self
                .beta
                .graphql(&filled(operation, words), json!({}))
                .await;
            let told = told(&answer, operation, words);
            (answer, told)
        };
        let ((answer, there), (_, absent)) = (ask(&self.real).await, ask(&self.absent).await);
        assert_eq!(there, absent, "{operation}");
        answer
    }

    async fn is_refused(&self, operation: &str) {
        let answer = self.is_told_as_of_nothing(operation).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        let is_absent = code.is_some_and(|code| ABSENT.contains(&code));
        assert!(is_absent, "{operation}: {answer:#}");
        let data = answer["data"].as_object().into_iter().flatten();
        let mut shown = data.filter(|(_, value)| !value.is_null());
        assert_eq!(shown.next(), None, "{operation}");
    }

    /// Whoever has the object is answered: the refusals are not for a wrong question.
    async fn is_answered_to_its_owner(&self, operation: &str) {
        let query = filled(&query(operation), &self.real);
        let data = self.acme.data(&query, json!({})).await;
        assert!(!data[field(operation)].is_null(), "{operation}: {data:#}");
    }

    async fn shows_the_stranger_no_secret(&self, operation: &str) -> String {
        let seen = self.beta.data(&query(operation), json!({})).await;
        let seen = seen.to_string();
        for secret in SECRETS {
            assert!(!seen.contains(secret), "{operation}: {seen}");
        }
        seen
    }

    /// Whose commits lie in the log behind a position. That somebody was refused may be on record there, too.
    async fn writers_behind(&self, position: u64) -> Vec<TenantId> {
        let log = &self.installation.app.state.log;
        let mut writers = Vec::new();
        for at in position + 1..=log.head().await.unwrap() {
            let entry = log.entry_at(at).await.unwrap().unwrap();
            let commit = entry.commit().unwrap();
            if commit.aggregate != "denial" {
                writers.push(commit.tenant);
            }
        }
        writers
    }
}

/// The root field of an operation.
fn field(operation: &str) -> &str {
    let end = operation.find(|letter: char| !letter.is_ascii_alphanumeric());
    &operation[..end.unwrap()]
}

/// The fields of a root, as the committed schema has them: they are indented once, what belongs to them more.
fn root_fields(schema: &str, root: &str) -> BTreeSet<String> {
    let begin = format!("type {root} {{");
    let lines = schema.lines().skip_while(|line| *line != begin).skip(1);
    let mut described = false;
    let mut fields = BTreeSet::new();
    for line in lines.take_while(|line| *line != "}") {
        let line = line.strip_prefix("  ").unwrap_or_default();
        if line == r#"""""# {
            described = !described;
        } else if !described && line.starts_with(|first: char| first.is_ascii_lowercase()) {
            fields.insert(field(line).to_owned());
        }
    }
    fields
}

#[test]
fn every_root_field_is_crossed_or_exempt() {
    let schema = std::fs::read_to_string(SCHEMA).unwrap();
    let (queries, mutations) = (
        root_fields(&schema, "Query"),
        root_fields(&schema, "Mutation"),
    );
    assert!(queries.contains("viewer") && mutations.contains("undo"));
    let listed = LISTS.iter().chain(OFFERS).map(|(operation, _)| operation);
    let named = [READS, NOT_OFFERED, ANSWERED, CHANGES, CREATES].concat();
    let crossed: BTreeSet<_> = named.iter().chain(listed).map(|one| field(one)).collect();
    let exempt: BTreeSet<_> = EXEMPT.iter().map(|(field, _)| *field).collect();
    assert!(EXEMPT.iter().all(|(_, reason)| !reason.is_empty()));
    let both: Vec<_> = crossed.intersection(&exempt).collect();
    assert!(both.is_empty(), "crossed and exempt: {both:?}");
    let covered: BTreeSet<_> = crossed
        .union(&exempt)
        .map(|one| (*one).to_owned())
        .collect();
    let all: BTreeSet<_> = queries.union(&mutations).cloned().collect();
    let missing: Vec<_> = all.difference(&covered).collect();
    assert!(
        missing.is_empty(),
        "neither crossed nor exempt: {missing:?}"
    );
    let unknown: Vec<_> = covered.difference(&all).collect();
    assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
}

/// Has a stranger try everything, in one world.
pub(super) async fn cross_every_operation() {
    let world = World::start().await;
    for operation in READS.iter().chain(ANSWERED) {
        world.is_answered_to_its_owner(operation).await;
    }
    for operation in READS.iter().chain(NOT_OFFERED) {
        world.is_refused(&query(operation)).await;
    }
    for operation in ANSWERED {
        let answer = world.is_told_as_of_nothing(&query(operation)).await;
        let access = &answer["data"]["accessAt"];
        assert_eq!(access["allowed"], false, "{answer:#}");
        for part in ["principal", "tool", "installation"] {
            assert!(access[part].is_null(), "{answer:#}");
        }
    }
    for (operation, word) in LISTS {
        let own = world.acme.data(&query(operation), json!({})).await;
        assert!(own.to_string().contains(word), "{operation}: {own:#}");
        let seen = world.shows_the_stranger_no_secret(operation).await;
        assert!(!seen.contains(word), "{operation}: {seen}");
    }
    for (operation, word) in OFFERS {
        let seen = world.shows_the_stranger_no_secret(operation).await;
        assert!(seen.contains(word), "{operation}: {seen}");
    }

    let head = world.installation.settle().await;
    for operation in CHANGES {
        world.is_refused(&mutation(operation)).await;
    }
    let writers = world.writers_behind(head).await;
    assert!(writers.is_empty(), "what was refused is done: {writers:?}");
    for operation in CREATES {
        let made = filled(&mutation(operation), &world.real);
        world.beta.data(&made, json!({})).await;
    }
    let writers = world.writers_behind(head).await;
    assert_eq!(writers, vec![tenant("beta"); CREATES.len()]);
}
