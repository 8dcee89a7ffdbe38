//! The ledger: tree heads, proofs, exports that others verify, and restoring a lost log.

mod accepted_loss;
mod drill;
mod proofs;
mod restore;
mod tamper;
mod verify;

use crate::support::{Client, Installation, PATIENCE};
use domain::principal::Role;
use metamcp::audit::{Bounds, Fault, Verified, Verifier, export, verify_file};
use projections::ledger::{LedgerKeys, SignedHead};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const REGISTER_SERVER: &str = "mutation($slug: String!) {
    registerServer(input: { slug: $slug, name: $slug, description: \"A server\" }) { sequence } }";
const REGISTER_TOOL: &str = "mutation($server: String!, $name: String!) {
    registerTool(input: { server: $server, name: $name, description: \"Counts things\" }) { sequence } }";
const DESCRIBE_SERVER: &str = "mutation($slug: String!, $name: String!) {
    describeServer(input: { slug: $slug, name: $name }) { sequence } }";
const SIGN: &str = "mutation { signTreeHead { size rootHash note signers } }";

/// An installation that signs, though at an interval that no test waits for.
async fn installation() -> Installation {
    let installation = Installation::start_with(|config| {
        config.ledger.interval = std::time::Duration::from_secs(3_600);
        let keys = LedgerKeys::new(&config.ledger.keys_dir);
        keys.generate("test/log").unwrap();
    })
    .await;
    installation
        .client("acme", "auditor", &[Role::Auditor])
        .await;
    installation
}

/// Two servers, three tools, and a second commit of one server.
async fn fill(installation: &Installation, tenant: &str) {
    let publisher = installation
        .client(tenant, "publisher", &[Role::Publisher])
        .await;
    for server in ["one", "two"] {
        publisher
            .data(REGISTER_SERVER, json!({ "slug": server }))
            .await;
    }
    let renamed = json!({ "slug": "one", "name": "Uno \u{fc} \"quoted\"" });
    publisher.data(DESCRIBE_SERVER, renamed).await;
    for n in 0..3 {
        let tool = json!({ "server": "one", "name": format!("tool_{n}") });
        publisher.data(REGISTER_TOOL, tool).await;
    }
    installation.settle().await;
}

async fn auditor(installation: &Installation) -> Client {
    installation
        .client("acme", "auditor", &[Role::Auditor])
        .await
}

/// Has the log as it is signed, as an auditor does: again, as the answer says, while the signer of a process that
/// has only just begun does not lead yet.
async fn sign(installation: &Installation) -> SignedHead {
    let auditor = auditor(installation).await;
    let begun = std::time::Instant::now();
    loop {
        let (_, answer) = auditor.graphql(SIGN, json!({})).await;
        if let Some(note) = answer["data"]["signTreeHead"]["note"].as_str() {
            return SignedHead::parse(note).unwrap();
        }
        let code = &answer["errors"][0]["extensions"]["code"];
        assert!(
            code == "UNAVAILABLE" && begun.elapsed() < PATIENCE,
            "{answer:#}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// An export, and the public keys beside it.
struct Export {
    folder: tempfile::TempDir,
}

impl Export {
    async fn of(installation: &Installation, bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        let (log, database) = (&installation.app.state.log, &installation.app.database);
        let exporting = export(log, database, bounds, &mut out, &|_, _| {});
        tokio::time::timeout(PATIENCE, exporting)
            .await
            .unwrap()
            .unwrap();
        std::fs::write(folder.path().join("log.jsonl"), out).unwrap();
        let keys = LedgerKeys::new(&installation.config.ledger.keys_dir);
        let keys = keys.all().unwrap();
        let keys: String = keys
            .iter()
            .map(|key| format!("{}\n", key.verifying()))
            .collect();
        std::fs::write(folder.path().join("ledger.pub"), keys).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log.jsonl")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("ledger.pub")
    }

    fn key_text(&self) -> String {
        std::fs::read_to_string(self.key()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path()).unwrap();
        let line = |line: &str| serde_json::from_str(line).unwrap();
        text.lines().map(line).collect()
    }

    fn write(&self, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(self.path(), text).unwrap();
    }

    fn verify(&self) -> Result<Verified, Fault> {
        self.verify_with(Vec::new())
    }

    fn verify_with(&self, kept: Vec<SignedHead>) -> Result<Verified, Fault> {
        let keys = metamcp::audit::keys(&self.key()).unwrap();
        verify_file(&self.path(), Verifier::new(keys, kept)?, &|_| {}).unwrap()
    }

    /// What the verifier in Python says: its summary, or its fault.
    fn verify_in_python(&self, python: &Path) -> Result<Value, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/verify_log.py");
        let run = Command::new(python)
            .arg(script)
            .args([self.path(), self.key()])
            .output();
        let run = run.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match run.status.code() {
            Some(0) => Ok(serde_json::from_slice(&run.stdout).unwrap()),
            Some(3) => Err(text(run.stdout)),
            other => panic!("{other:?}: {}", text(run.stderr)),
        }
    }
}
