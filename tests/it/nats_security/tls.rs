//! TLS in both directions.

use super::{Server, bounded};
use crate::support::{Need, cannot_run};
use bus::stream::LogTls;
use bus::{BusError, Log, LogOptions};
use std::path::Path;
use tokio::process::Command;

impl Server {
    /// TLS with some of the files in the folder; the system's authorities without a name of one.
    fn tls(&self, authority: Option<&str>, certificate: Option<&str>) -> LogOptions {
        let file = |name: &str, kind: &str| self.folder.path().join(format!("{name}.{kind}"));
        let tls = LogTls {
            ca_file: authority.map(|name| file(name, "pem")),
            client: certificate.map(|name| (file(name, "pem"), file(name, "key"))),
        };
        LogOptions {
            tls: Some(tls),
            ..LogOptions::new(&self.url)
        }
    }
}

#[tokio::test]
async fn tls_is_between_those_whom_a_known_authority_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()).await {
        let why = "there is no `openssl`, which makes the certificates";
        cannot_run(Need::Program, why);
        return;
    }
    let tls = "tls { cert_file: \"server.pem\", key_file: \"server.key\", ca_file: \"ours.pem\", verify: true }";
    let server = Server::start(folder, tls).await;
    let (ours, theirs, client) = (Some("ours"), Some("theirs"), Some("client"));
    let log = Log::connect(&server.tls(ours, client)).await.unwrap();
    assert_eq!(log.head().await.unwrap(), 0);
    for (why, options) in [
        ("an unknown server", server.tls(theirs, client)),
        ("the system does not know it", server.tls(None, client)),
        ("an unknown client", server.tls(ours, None)),
        ("no settings at all", LogOptions::new(&server.url)),
    ] {
        let refused = bounded(Log::connect(&options)).await.unwrap_err();
        assert!(matches!(refused, BusError::Connect { .. }), "{why}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder, "").await;
    Log::connect(&LogOptions::new(&server.url)).await.unwrap();
    let refused = bounded(Log::connect(&server.tls(None, None))).await;
    assert!(matches!(refused, Err(BusError::Connect { .. })));
}

/// Two authorities, `ours` and `theirs`, and certificates of ours for `server` and `client`. False without openssl.
async fn make_certificates(folder: &Path) -> bool {
    const SETTINGS: &str = "[req]\ndistinguished_name = name\n[name]\n\
        [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n\
        [server]\nsubjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth\n\
        [client]\nsubjectAltName = DNS:client\nextendedKeyUsage = clientAuth\n";
    const NEW: &str =
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config settings";
    std::fs::write(folder.join("settings"), SETTINGS).unwrap();
    if Command::new("openssl")
        .arg("version")
        .output()
        .await
        .is_err()
    {
        return false;
    }
    for name in ["ours", "theirs"] {
        let files = format!("-subj /CN={name} -keyout {name}.key -out {name}.pem");
        openssl(
            folder,
            &format!("{NEW} -x509 -extensions authority -days 2 {files}"),
        )
        .await;
    }
    for name in ["server", "client"] {
        let files = format!("-subj /CN={name} -keyout {name}.key -out {name}.csr");
        openssl(folder, &format!("{NEW} {files}")).await;
        let vouched = "-CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile settings";
        let files = format!("-in {name}.csr -out {name}.pem -extensions {name}");
        openssl(folder, &format!("x509 -req {vouched} {files}")).await;
    }
    true
}

async fn openssl(folder: &Path, arguments: &str) {
    let ran = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split(' '))
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "openssl {arguments}: {said}");
}
