//! Who may read.

use super::{list, publish, register, versions};
use crate::registry::manifest;
use crate::support::{Client, Installation};
use domain::principal::Role;
use reqwest::{Method, StatusCode, header};
use serde_json::Value;

const NAME: &str = "io.github.acme/weather";
const PLACE: &str = "/v0.1/servers/io.github.acme%2Fweather/versions/latest";

async fn fill(installation: &Installation) -> Client {
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    register(&publisher, "weather", Some(NAME)).await;
    publish(&publisher, "weather", manifest(NAME, "1.0.0")).await;
    publisher
}

async fn refused(client: &Client, path: &str) -> (StatusCode, Value) {
    let response = client.get(path).await;
    let status = response.status();
    let json = response.headers()[header::CONTENT_TYPE] == "application/json";
    assert!(json, "{:?}", response.headers());
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn a_token_shows_the_servers_of_its_tenant_and_no_others() {
    let installation = Installation::start().await;
    let acme = fill(&installation).await;
    assert_eq!(
        versions(&list(&acme, "/v0.1/servers").await),
        [format!("{NAME}@1.0.0")]
    );
    let other = installation.client("other", "agent", &[Role::Agent]).await;
    let nothing = list(&other, "/v0.1/servers?include_deleted=true").await;
    assert_eq!(versions(&nothing), Vec::<String>::new());
    let (status, body) = refused(&other, PLACE).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["error"], "Server not found");
}

#[tokio::test]
async fn strangers_read_what_the_configuration_names_and_nothing_by_default() {
    let installation = Installation::start().await;
    fill(&installation).await;
    let (status, body) = refused(&installation.stranger(), "/v0.1/servers").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(body["code"], "UNAUTHENTICATED");

    let open = installation
        .restart_with(|config| config.registry.anonymous_tenant = Some("acme".to_owned()))
        .await;
    open.settle().await;
    let stranger = open.stranger();
    assert_eq!(versions(&list(&stranger, "/v0.1/servers").await).len(), 1);
    // A bad token is no token: whoever sends one believes to be somebody.
    let wrong = Client::new(&open.base, Some("abc".to_owned()));
    let (status, _) = refused(&wrong, "/v0.1/servers").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_holds_no_role_reads_nothing() {
    let installation = Installation::start().await;
    fill(&installation).await;
    let nobody = installation.client("acme", "nobody", &[]).await;
    let (status, _) = refused(&nobody, "/v0.1/servers").await;
    assert!(status.is_client_error(), "{status}");
}

#[tokio::test]
async fn pages_of_any_origin_may_read() {
    let installation = Installation::start().await;
    let acme = fill(&installation).await;
    let any = |response: &reqwest::Response| {
        response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN] == "*"
    };
    assert!(any(&acme.get(PLACE).await));
    assert!(
        any(&installation.stranger().get(PLACE).await),
        "a refusal is readable, too"
    );
    let preflight = acme
        .http
        .request(Method::OPTIONS, format!("{}{PLACE}", acme.base))
        .header(header::ORIGIN, "https://console.example.org")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success() && any(&preflight));
    let headers = &preflight.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS];
    assert!(headers.to_str().unwrap().contains("authorization"));
}
