//! A canary: personal values and secrets are planted, and looked for wherever they must not be.

use super::{DESCRIBE, ERASE, REGISTER, id_of};
use crate::support::{Client, Installation, PATIENCE, Servers, free_port};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use domain::principal::Role;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Personal values that occur nowhere else.
const PERSON: [&str; 3] = ["zyx-canary-handle", "Zyx Canaryname", "zyx@canary.example"];

/// What takes the place of the name and the address.
const CORRECTED: [&str; 2] = ["Zyx Kanarienname", "zyx@kanarie.example"];

/// A tool's title that was replaced before the erasure.
const REPLACED: &str = "zyxreplacedtitle";

fn person() -> serde_json::Value {
    json!({ "handle": PERSON[0], "name": PERSON[1], "email": PERSON[2], "kind": "USER" })
}

/// Corrects the person's name and address.
async fn correct(client: &Client) {
    let correction = json!({ "handle": PERSON[0], "name": CORRECTED[0], "email": CORRECTED[1] });
    client.data(DESCRIBE, correction).await;
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

/// Which of the texts stand in which messages of the log.
async fn in_log(log: &bus::Log, needles: &[String]) -> Vec<String> {
    let head = log.head().await.unwrap();
    let mut reader = log.read_from(1).await.unwrap();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < head {
        for entry in reader.next_batch(100).await.unwrap() {
            at = entry.stream_sequence;
            let hits = needles.iter().filter(|needle| holds(&entry.body, needle));
            found.extend(hits.map(|needle| format!("{needle} in message {at}")));
        }
    }
    assert!(head > 0);
    found
}

/// Which of the texts stand in which tables: all but the system's.
async fn in_tables(connection: &mut PgConnection, needles: &[String]) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    assert!(tables.len() > 8, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let statement = format!("SELECT rows::text FROM {table} AS rows");
        let rows = sqlx::query(&statement).fetch_all(&mut *connection).await;
        for row in rows.unwrap() {
            let row: String = row.get(0);
            let hits = needles
                .iter()
                .filter(|needle| holds(row.as_bytes(), needle));
            found.extend(hits.map(|needle| format!("{needle} in {table}")));
        }
    }
    found
}

/// Which of the texts stand in which files below a folder. Its servers go on: what is gone by now holds nothing.
fn in_files(folder: &Path, needles: &[String]) -> Vec<String> {
    assert!(folder.is_dir(), "{}", folder.display());
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in there(std::fs::read_dir(&folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(bytes) = there(std::fs::read(&path)) {
                let hits = needles.iter().filter(|needle| holds(&bytes, needle));
                found.extend(hits.map(|needle| format!("{needle} in {}", path.display())));
            }
        }
    }
    found
}

/// None of what is not there any more.
fn there<T>(read: std::io::Result<T>) -> Option<T> {
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        read => Some(read.unwrap()),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn nothing_of_an_erased_person_is_left_in_the_clear() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let server =
        "mutation { registerServer(input: { slug: \"git\", name: \"Git\" }) { sequence } }";
    owner.data(server, json!({})).await;
    let title = |mutation: &str, title: &str| {
        format!("mutation {{ {mutation} title: \"{title}\" }}) {{ sequence }} }}")
    };
    let tool = "server: \"git\", name: \"log\",";
    let register = format!("registerTool(input: {{ {tool} description: \"Shows commits\",");
    owner.data(&title(&register, REPLACED), json!({})).await;
    let describe = format!("describeTool(input: {{ {tool}");
    installation.settle().await;
    owner
        .data(&title(&describe, "Another title"), json!({}))
        .await;
    owner.data(REGISTER, person()).await;
    installation.settle().await;
    let index = Path::new(&installation.config.search.index_uri);
    let replaced = texts(&[REPLACED]);
    assert!(
        !in_files(index, &replaced).is_empty(),
        "an old version has the old title"
    );
    let log = &installation.app.state.log;
    let mut connection = installation.app.database.connect().await.unwrap();
    let needles = texts(&PERSON);
    assert_eq!(
        in_log(log, &needles).await,
        Vec::<String>::new(),
        "sealed from the start"
    );
    let shown = in_tables(&mut connection, &needles).await;
    assert!(
        shown.len() == 3
            && shown
                .iter()
                .all(|hit| hit.ends_with("in access.principals")),
        "the search works, and one table shows persons: {shown:?}"
    );

    correct(&owner).await;
    installation.settle().await;
    let shown = in_tables(&mut connection, &texts(&PERSON[1..])).await;
    assert_eq!(shown, Vec::<String>::new(), "what was corrected is gone");
    let needles = texts(&[&PERSON[..], &CORRECTED].concat());
    assert_eq!(in_log(log, &needles).await, Vec::<String>::new());
    assert_eq!(in_tables(&mut connection, &needles).await.len(), 3);

    owner.data(ERASE, json!({ "handle": PERSON[0] })).await;
    installation.settle().await;
    assert_eq!(in_log(log, &needles).await, Vec::<String>::new());
    assert_eq!(
        in_tables(&mut connection, &needles).await,
        Vec::<String>::new()
    );
    assert_eq!(in_files(index, &needles), Vec::<String>::new());
    assert_eq!(
        in_files(index, &replaced),
        Vec::<String>::new(),
        "old versions are gone"
    );
    let servers = installation.servers.data_dir();
    for folder in ["nats", "logs"] {
        let folder = servers.join(folder);
        assert_eq!(in_files(&folder, &needles), Vec::<String>::new());
    }
    let keys = "SELECT wrapped IS NULL AND kek_id IS NULL FROM vault.data_keys WHERE subject = $1";
    let destroyed: bool = sqlx::query_scalar(keys)
        .bind(id_of(PERSON[0]).as_str())
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(destroyed);
}

#[tokio::test]
async fn no_secret_is_in_the_log_or_in_a_table() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    owner.data(REGISTER, person()).await;
    installation.settle().await;
    let needles = secrets(&installation, &owner).await;
    let log = &installation.app.state.log;
    assert_eq!(in_log(log, &needles).await, Vec::<String>::new());
    let mut connection = installation.app.database.connect().await.unwrap();
    assert_eq!(
        in_tables(&mut connection, &needles).await,
        Vec::<String>::new()
    );
}

/// The key-encryption key, the passwords of NATS and PostgreSQL, the signature of a token, the ledger's key, which is
/// made for this, and the key that signs tokens as it might be printed.
async fn secrets(installation: &Installation, client: &Client) -> Vec<String> {
    let config = &installation.config;
    let folder = tempfile::tempdir().unwrap();
    let keygen = ["audit", "keygen", "--origin", "example.com/canary"];
    let keygen = installation.program(folder.path(), &keygen).await;
    assert!(keygen.status.success(), "{keygen:?}");
    let ledger = String::from_utf8(key(&config.ledger.keys_dir, "PRIVATE+KEY+")).unwrap();
    let kek = String::from_utf8(key(&config.privacy.keys_dir, "")).unwrap();
    let nats = config.nats.password.as_ref().unwrap().expose_secret();
    let postgres = reqwest::Url::parse(config.postgres.url.expose_secret()).unwrap();
    let signature = client.token.as_ref().unwrap().rsplit('.').next();
    // PKCS#8: what precedes the 32 bytes of the key (RFC 8410 section 7).
    let file = key(&config.auth.keys_dir, "");
    let at = file.windows(4).position(|four| four == b"\x04\x22\x04\x20");
    let seed = &file[at.unwrap() + 4..][..32];
    let secrets: [&str; 9] = [
        kek.trim(),
        nats,
        postgres.password().unwrap(),
        signature.unwrap(),
        ledger.trim().splitn(5, '+').last().unwrap(),
        &HEXLOWER.encode(seed),
        &BASE64.encode(seed),
        &BASE64URL_NOPAD.encode(seed),
        &BASE64.encode(&file),
    ];
    assert!(secrets.iter().all(|secret| secret.len() > 8));
    texts(&secrets)
}

/// The one file of a folder whose text begins so.
fn key(folder: &Path, begin: &str) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let mut files = files.filter(|bytes| bytes.starts_with(begin.as_bytes()));
    let key = files.next().unwrap();
    assert!(files.next().is_none(), "more than one in {folder:?}");
    key
}

/// Waits until a process is ready, and something holds of each of its projectors.
async fn until(client: &Client, what: &str, holds: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    let mut told = Value::Null;
    loop {
        let request = client.http.get(format!("{}/readyz", client.base)).send();
        if let Ok(answer) = request.await {
            told = answer.json().await.unwrap_or_default();
        }
        let projectors = told["projectors"].as_array().map(Vec::as_slice);
        let mut projectors = projectors.unwrap_or_default().iter();
        if told["ready"] == true && projectors.all(&holds) {
            return;
        }
        assert!(begun.elapsed() < 3 * PATIENCE, "{what}: {told:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until every projector stands at a position of the log, or behind it.
async fn reached(client: &Client, at: &Value) {
    let at = at.as_u64().unwrap();
    let there = |projector: &Value| projector["position"].as_u64() >= Some(at);
    until(client, "everything is projected", there).await;
}

/// The program's own output at its most talkative: persons are registered, shown and erased through it. It is alone: no
/// other process projects, so what opens the sealed fields of persons runs where the output is looked at.
#[tokio::test]
async fn what_the_program_prints_names_no_person_and_no_secret() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let folder = tempfile::tempdir().unwrap();
    let printed = folder.path().join("printed");
    let mut needles = texts(&[&PERSON[..], &CORRECTED].concat());
    needles.extend(secrets(&installation, &owner).await);
    installation.app.stop().await;
    let port = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (config, out) = (
        &installation.config,
        std::fs::File::create(&printed).unwrap(),
    );
    let public_url = installation.base.clone();
    let password = config.nats.password.as_ref().unwrap().expose_secret();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_metamcp"))
        .arg("serve")
        .env("METAMCP__HTTP__LISTEN", port.to_string())
        .env("METAMCP__HTTP__PUBLIC_URL", public_url)
        .env("METAMCP__NATS__URL", &config.nats.url)
        .env("METAMCP__NATS__USER", config.nats.user.as_ref().unwrap())
        .env("METAMCP__NATS__PASSWORD", password)
        .env("METAMCP__NATS__STREAM", &config.nats.stream)
        .env("METAMCP__NATS__SUBJECT_ROOT", &config.nats.subject_root)
        .env(
            "METAMCP__POSTGRES__URL",
            config.postgres.url.expose_secret(),
        )
        .env("METAMCP__SEARCH__INDEX_URI", &config.search.index_uri)
        .env("METAMCP__SEARCH__EMBEDDER", "none")
        .env("METAMCP__AUTH__KEYS_DIR", &config.auth.keys_dir)
        .env("METAMCP__PRIVACY__KEYS_DIR", &config.privacy.keys_dir)
        .env("METAMCP__LEDGER__KEYS_DIR", &config.ledger.keys_dir)
        .env("METAMCP__TELEMETRY__LOG_FILTER", "debug")
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let client = Client::new(&format!("http://{port}"), owner.token.clone());
    let leads = |projector: &Value| projector["state"] == "running";
    until(&client, "the program projects", leads).await;
    let registered = client.data(REGISTER, person()).await;
    reached(&client, &registered["registerPrincipal"]["sequence"]).await;
    let shown = "query($handle: String!) { principal(handle: $handle) { handle email } }";
    let shown = client.data(shown, json!({ "handle": PERSON[0] })).await;
    assert_eq!(shown["principal"]["email"], PERSON[2], "it was opened");
    assert_eq!(
        client.code(REGISTER, person()).await,
        "PRINCIPAL_ALREADY_REGISTERED"
    );
    correct(&client).await;
    let erased = client.data(ERASE, json!({ "handle": PERSON[0] })).await;
    reached(&client, &erased["erasePrincipal"]["sequence"]).await;
    child.kill().await.unwrap();

    let bytes = std::fs::read(&printed).unwrap();
    assert!(holds(&bytes, "serving"), "the program has said something");
    assert_eq!(in_files(folder.path(), &needles), Vec::<String>::new());
    // Another reader of the same log, such as an export, sees sealed text only.
    let log = Servers::log(config).await;
    assert_eq!(in_log(&log, &needles).await, Vec::<String>::new());
}
