//! A well-known file that a web server gives out over https, for whose certificate nobody vouches.

use super::{VERIFY, claim, installation, proof};
use crate::support::{DnsServer, Need, PATIENCE, cannot_run, free_port};
use api::trust::SigningKey;
use domain::principal::Role;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const FILE: &str = ".well-known/mcp-registry-auth";
/// In order but for who signed it.
const SETTINGS: &str = "[req]\ndistinguished_name = name\nx509_extensions = server\n[name]\n\
    [server]\nsubjectAltName = DNS:example.com\nextendedKeyUsage = serverAuth\n";
const CERTIFICATE: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -config settings -subj /CN=example.com -keyout key.pem -out certificate.pem";

/// Its lack is the certificate alone: who does not look at it is given the file.
#[tokio::test]
async fn a_self_signed_certificate_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments.split_whitespace());
        openssl.current_dir(folder.path()).stdin(Stdio::null());
        openssl
    };
    if openssl("version").output().await.is_err() {
        cannot_run(
            Need::Program,
            "there is no `openssl`, which makes the certificate",
        );
        return;
    }
    std::fs::write(folder.path().join("settings"), SETTINGS).unwrap();
    let made = openssl(CERTIFICATE).output().await.unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let key = SigningKey::generate().unwrap();
    let record = key.public_key().record();
    put(folder.path(), &record);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let serve = format!("s_server -accept {address} -cert certificate.pem -key key.pem -WWW");
    let _server = serving(openssl(&serve), address).await;

    let dns = DnsServer::start().await;
    dns.address("example.com", Ipv4Addr::LOCALHOST);
    let installation = installation(&dns, |config| {
        config.publishers.allow_private_addresses = true;
        config.publishers.well_known_port = Some(address.port());
    })
    .await;
    let client = installation.client("acme", "pub", &[Role::Publisher]).await;
    let challenge = claim(&client, "com.example").await;
    let input = proof(&key, "com.example", "HTTP", &challenge);
    assert_eq!(client.code(VERIFY, input).await, "PROOF_UNREACHABLE");

    let careless = reqwest::Client::builder()
        .resolve("example.com", address)
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("https://example.com:{}/{FILE}", address.port());
    let answer = careless.get(url).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), record);
}

fn put(folder: &Path, record: &str) {
    let file = folder.join(FILE);
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(file, record).unwrap();
}

/// A server that listens. Dropping it kills it.
async fn serving(mut program: Command, address: SocketAddr) -> Child {
    program.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = program.kill_on_drop(true).spawn().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "openssl ended: {ended:?}");
        assert!(begun.elapsed() < PATIENCE, "openssl does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child
}
