//! `metamcp doctor` on servers that a configuration names.

use crate::support::{Installation, Servers, free_port};
use api::config::Config;
use metamcp::doctor::{Status, elsewhere};
use metamcp::embedded::tools_dir;
use std::path::Path;

async fn status(config: &Config, name: &str) -> (Status, String, String) {
    let checks = elsewhere::checks(config, &tools_dir()).await;
    let check = checks.into_iter().find(|check| check.name == name).unwrap();
    (check.status, check.found, check.mend)
}

#[tokio::test]
async fn what_serves_passes() {
    let installation = Installation::start().await;
    let checks = elsewhere::checks(&installation.config, &tools_dir()).await;
    for check in &checks {
        assert_ne!(check.status, Status::Fail, "{check:?}");
    }
    let (_, found, _) = status(&installation.config, "PostgreSQL").await;
    assert!(found.contains("all migrations applied"), "{found}");
    let (_, found, _) = status(&installation.config, "NATS").await;
    let stream = &installation.config.nats.stream;
    assert!(found.contains(&format!("commits in {stream}")), "{found}");
}

#[tokio::test]
async fn before_the_first_start_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let config = servers.fresh_config(folder.path()).await;
    for _ in 0..2 {
        let (status_of, found, _) = status(&config, "NATS").await;
        assert_eq!(status_of, Status::Ok, "{found}");
        assert!(found.contains("made at the first start"), "{found}");
        let (_, found, _) = status(&config, "PostgreSQL").await;
        assert!(found.contains("`metamcp migrate`, applies"), "{found}");
    }
    assert!(!Path::new(&config.search.index_uri).exists());
}

#[tokio::test]
async fn what_is_away_or_wrong_fails_alone_and_says_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let good = servers.fresh_config(folder.path()).await;
    let mut wrong = good.clone();
    wrong.nats.password = Some("another".into());
    wrong.nats.url = wrong.nats.url.replace("://", "://nobody:hidden@");
    let (status_of, found, mend) = status(&wrong, "NATS").await;
    assert_eq!(status_of, Status::Fail, "{found}");
    assert!(mend.contains("nats.user"), "{found}: {mend}");
    assert!(
        !found.contains("another") && !found.contains("hidden"),
        "{found}"
    );
    let (status_of, found, _) = status(&wrong, "PostgreSQL").await;
    assert_ne!(status_of, Status::Fail, "{found}");

    let mut away = good.clone();
    away.postgres.url = format!("postgres://127.0.0.1:{}/metamcp", free_port()).into();
    let (status_of, found, mend) = status(&away, "PostgreSQL").await;
    assert_eq!(status_of, Status::Fail, "{found}");
    assert!(mend.contains("postgres.url"), "{found}: {mend}");

    let mut nowhere = good;
    nowhere.auth.keys_dir = "/proc/nowhere".into();
    let (status_of, found, mend) = status(&nowhere, "signing keys").await;
    assert_eq!(status_of, Status::Fail, "{found}");
    assert!(mend.contains("auth.keys_dir"), "{found}: {mend}");
}
