//! What `metamcp serve` needs: the servers and folders that a configuration names.

use super::{Check, Status, embedder, try_writing};
use api::config::Config;
use bus::{BusError, Log};
use projections::Database;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// How long PostgreSQL may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least PostgreSQL.
const LEAST_POSTGRES: u32 = 15;

/// Looks at everything that a configuration names, and makes nothing.
pub async fn checks(config: &Config, tools: &Path) -> Vec<Check> {
    let mut checks = vec![
        nats(config).await,
        postgres(config).await,
        embedder(&config.search, tools),
        index(&config.search.index_uri),
    ];
    checks.push(keys("signing keys", "auth.keys_dir", &config.auth.keys_dir));
    checks.push(keys(
        "vault keys",
        "privacy.keys_dir",
        &config.privacy.keys_dir,
    ));
    let mut ledger = keys("ledger keys", "ledger.keys_dir", &config.ledger.keys_dir);
    if ledger.status == Status::Fail {
        // Without a key, tree heads are not signed, and all else works.
        ledger.status = Status::Warn;
    }
    checks.push(ledger);
    checks
}

async fn nats(config: &Config) -> Check {
    const NAME: &str = "NATS";
    let url = without_credentials(&config.nats.url);
    match Log::look(&config.nats.log_options()).await {
        Ok(found) => {
            let stream = &config.nats.stream;
            let log = match found.commits {
                Some(commits) => format!("{commits} commits in {stream}"),
                None => format!("{stream} is made at the first start"),
            };
            Check::ok(NAME, format!("{} at {url}, {log}", found.server))
        }
        Err(error) => {
            let found = chain(&error).replace(&config.nats.url, &url);
            let mend = match error {
                BusError::Connect { .. } => {
                    "start it, or correct nats.url, nats.user and the password"
                }
                BusError::Unavailable { .. } => {
                    "it needs JetStream, a leader, and a user who may use the stream"
                }
                // It says itself what is needed.
                _ => "",
            };
            Check::new(NAME, Status::Fail, found, mend)
        }
    }
}

async fn postgres(config: &Config) -> Check {
    const NAME: &str = "PostgreSQL";
    let failed = |found: String, mend: &str| Check::new(NAME, Status::Fail, found, mend);
    let database = match config.postgres.address() {
        Ok(address) => Database::new(&address),
        Err(error) => return failed(error.to_string(), ""),
    };
    let mend = "start it, or correct postgres.url and the password";
    let looked = async { database?.look().await };
    let found = match tokio::time::timeout(PATIENCE, looked).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return failed(chain(&error), mend),
        Err(_elapsed) => return failed("it does not answer".to_owned(), mend),
    };
    let server = &found.server;
    if found.major < LEAST_POSTGRES {
        let mend = format!("use PostgreSQL {LEAST_POSTGRES} or newer");
        return failed(server.clone(), &mend);
    }
    if found.is_newer {
        let found = format!("{server}, migrated by a newer release");
        return failed(found, "run that release, or restore the database");
    }
    let migrations = match found.missing {
        0 => "all migrations applied".to_owned(),
        missing => format!("the next start, or `metamcp migrate`, applies {missing} migrations"),
    };
    if found.missing > 0 && !found.may_migrate {
        let mend = "let the role own the database, and give it CREATEROLE, as docker/postgres-init.sh does";
        return failed(
            format!("{server}, {migrations}, which its role may not"),
            mend,
        );
    }
    if found.is_exempt {
        let found = format!("{server}, {migrations}; its role is exempt from row-level security");
        let mend = "connect as a role that is no superuser and does not bypass it, so that nothing but its own tenant is ever within reach of a query";
        return Check::new(NAME, Status::Warn, found, mend);
    }
    Check::ok(NAME, format!("{server}, {migrations}"))
}

fn index(uri: &str) -> Check {
    const NAME: &str = "search index";
    if uri.contains("://") {
        return Check::ok(NAME, format!("{}, not looked at", without_credentials(uri)));
    }
    folder(NAME, "search.index_uri", Path::new(uri))
}

/// One that holds keys is only read; the first one is made where there is none.
fn keys(name: &'static str, key: &str, path: &Path) -> Check {
    match std::fs::read_dir(path).map(|mut files| files.next().is_some()) {
        Ok(true) => Check::ok(name, path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let found = format!("{} cannot be read: {error}", path.display());
            Check::new(name, Status::Fail, found, "make it readable for this user")
        }
        Ok(false) | Err(_) => folder(name, key, path),
    }
}

/// Addresses, separated by commas, without users and passwords.
fn without_credentials(addresses: &str) -> String {
    let one = |address: &str| match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => address.to_owned(),
    };
    addresses.split(',').map(one).collect::<Vec<_>>().join(",")
}

fn folder(name: &'static str, key: &str, path: &Path) -> Check {
    match try_writing(path) {
        Ok(()) => Check::ok(name, path.display().to_string()),
        Err(problem) => {
            let mend = format!("make it writable, or let {key} name another folder");
            Check::new(name, Status::Fail, problem, &mend)
        }
    }
}

/// An error with what is behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        source = error.source();
    }
    told.replace('\n', " ")
}
