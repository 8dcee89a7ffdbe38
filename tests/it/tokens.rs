//! Tokens over HTTP: which are refused, and how others verify one who have nothing but the addresses that are served.

use crate::mcp::run;
use crate::support::{Client, Installation, Live, PATIENCE, python};
use data_encoding::BASE64URL_NOPAD;
use domain::principal::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite;

const VIEWER: &str = "{ viewer { handle } }";
/// Where the metadata of a resource lies, before the resource's own path (RFC 9728 section 3.1).
const METADATA: &str = "/.well-known/oauth-protected-resource";
/// The paths that ask for a token, and the resource that each belongs to.
const SURFACES: [(&str, &str); 4] = [
    ("/graphql", "/graphql"),
    ("/mcp", "/mcp"),
    ("/v0.1/servers", ""),
    ("/graphql/ws", "/graphql"),
];

/// A part of a token: its header or its claims.
fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

/// How a surface answers: its status, and the challenge if there is one.
async fn answer(client: &Client, path: &str) -> (u16, Option<String>) {
    let address = format!("{}{path}", client.base);
    let request = match path {
        "/graphql/ws" => return opened(client).await,
        "/graphql" => client.http.post(address).json(&json!({ "query": VIEWER })),
        "/mcp" => client.http.post(address).json(&json!({})),
        _ => client.http.get(address),
    };
    let response = client.authorize(request).send().await.unwrap();
    let challenge = response.headers().get("www-authenticate");
    let challenge = challenge.map(|text| text.to_str().unwrap().to_owned());
    (response.status().as_u16(), challenge)
}

/// The same for a WebSocket that is opened with the token in its header.
async fn opened(client: &Client) -> (u16, Option<String>) {
    let bearer = client.token.as_ref().map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer
        .map(|token| ("authorization", token))
        .into_iter()
        .collect();
    match Live::open(&client.base, &headers).await {
        Ok(_) => (101, None),
        Err(tungstenite::Error::Http(response)) => {
            let challenge = response.headers().get("www-authenticate");
            let challenge = challenge.map(|text| text.to_str().unwrap().to_owned());
            (response.status().as_u16(), challenge)
        }
        Err(error) => panic!("{error}"),
    }
}

/// What stands between the quotes behind this name in a challenge.
fn parameter(challenge: &str, name: &str) -> String {
    let (_, value) = challenge.split_once(&format!("{name}=\"")).unwrap();
    value.split_once('"').unwrap().0.to_owned()
}

/// Each token is of a principal that exists, and all but two bear the signature of the installation's own key.
#[tokio::test]
async fn expired_foreign_and_otherwise_signed_tokens_are_refused_with_a_challenge_everywhere() {
    let Some(python) = python() else { return };
    let installation = Installation::start().await;
    let issued = installation.token("acme", "bot", &[Role::Agent]).await;
    let (header, claims) = (part(&issued, 0), part(&issued, 1));
    let now = chrono::Utc::now().timestamp();
    let mut expired = with(claims.clone(), "exp", json!(now - 3_600));
    for field in ["iat", "nbf"] {
        expired[field] = json!(now - 7_200);
    }
    let foreign = with(claims.clone(), "aud", json!("https://other.example/mcp"));
    let algorithm = |name: &str| with(header.clone(), "alg", json!(name));
    let wanted = json!([
        { "header": header, "claims": claims },
        { "header": header, "claims": expired },
        { "header": header, "claims": foreign },
        { "header": algorithm("ES256"), "claims": claims },
        { "header": algorithm("HS256"), "claims": claims },
        { "header": algorithm("none"), "claims": claims },
    ]);
    let file = format!("{}.pk8", header["kid"].as_str().unwrap());
    let key = installation.config.auth.keys_dir.join(file);
    let key = key.display().to_string();
    let tokens = run(&python, "tokens.py", &["sign", &key, &wanted.to_string()]).await;
    let tokens: Vec<String> = serde_json::from_value(tokens).unwrap();
    let (good, bad) = tokens.split_first().unwrap();
    assert_eq!(bad.len(), 5);

    // One that says what an issued token says is let in: the others are refused for what was changed.
    let client = Client::new(&installation.base, Some(good.clone()));
    for (path, _) in SURFACES {
        let (status, challenge) = answer(&client, path).await;
        assert!(status != 401 && challenge.is_none(), "{path}: {status}");
    }
    client.data(VIEWER, json!({})).await;

    for token in bad {
        let client = Client::new(&installation.base, Some(token.clone()));
        for (path, resource) in SURFACES {
            let (status, challenge) = answer(&client, path).await;
            assert_eq!(status, 401, "{path}: {token}");
            let challenge = challenge.expect("a challenge");
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert_eq!(parameter(&challenge, "error"), "invalid_token");
            let metadata = format!("{}{METADATA}{resource}", installation.base);
            assert_eq!(parameter(&challenge, "resource_metadata"), metadata);
        }
        let mut live = Live::open(&installation.base, &[]).await.unwrap();
        let payload = json!({ "authorization": format!("Bearer {token}") });
        live.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(live.closed().await, 4401, "{token}");
    }
}

/// The key set as strangers are given it, once it has so many keys.
async fn key_set(stranger: &Client, keys: usize) -> Value {
    let begun = Instant::now();
    loop {
        let response = stranger.get("/.well-known/jwks.json").await;
        assert_eq!(response.status(), 200);
        let set: Value = response.json().await.unwrap();
        if set["keys"].as_array().unwrap().len() == keys {
            return set;
        }
        assert!(begun.elapsed() < PATIENCE, "{set:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn others_verify_tokens_by_the_key_set_that_is_served_over_a_rotation() {
    let Some(python) = python() else { return };
    let installation = Installation::start().await;
    let stranger = installation.stranger();
    let verified = async |keys: &Value, tokens: &[&str]| -> Vec<Value> {
        let (keys, tokens) = (keys.to_string(), json!(tokens).to_string());
        let said = run(&python, "tokens.py", &["verify", &keys, &tokens]).await;
        serde_json::from_value(said).unwrap()
    };
    let old = installation.token("acme", "boss", &[Role::Admin]).await;
    let before = key_set(&stranger, 1).await;
    // Claims of one token under the signature of another.
    let other = installation.token("acme", "bob", &[Role::Agent]).await;
    let (signed, _) = old.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", other.rsplit('.').next().unwrap());
    let said = verified(&before, &[old.as_str(), &forged]).await;
    assert_eq!(said, [part(&old, 1), Value::Null]);
    assert_eq!(said[0]["tenant"], "acme");

    let folder = tempfile::tempdir().unwrap();
    let rotated = installation
        .program(folder.path(), &["token", "rotate-keys"])
        .await;
    assert!(rotated.status.success(), "{rotated:?}");
    let after = key_set(&stranger, 2).await;
    let new = installation.token("acme", "boss", &[Role::Admin]).await;
    assert_ne!(part(&old, 0)["kid"], part(&new, 0)["kid"]);
    let claims = [part(&old, 1), part(&new, 1)];
    assert_eq!(verified(&after, &[old.as_str(), &new]).await, claims);
    assert_eq!(verified(&before, &[new.as_str()]).await, [Value::Null]);
    for token in [old, new] {
        let client = Client::new(&installation.base, Some(token));
        client.data(VIEWER, json!({})).await;
    }
    // Nothing but what a public key is made of.
    for key in after["keys"].as_array().unwrap() {
        let mut fields: Vec<&str> = key.as_object().unwrap().keys().map(|key| &**key).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}

#[tokio::test]
async fn a_challenge_leads_to_the_metadata_of_the_resource_that_was_asked() {
    let installation = Installation::start().await;
    let stranger = installation.stranger();
    for (path, resource) in SURFACES {
        if path == "/graphql/ws" {
            continue; // without a header, its token comes in a message
        }
        let (status, challenge) = answer(&stranger, path).await;
        assert_eq!(status, 401, "{path}");
        let named = parameter(&challenge.expect("a challenge"), "resource_metadata");
        let response = stranger.http.get(&named).send().await.unwrap();
        assert_eq!(response.status(), 200, "{named}");
        let metadata: Value = response.json().await.unwrap();
        // RFC 9728 section 3.3: the resource into whose address the well-known path was put, and no other.
        assert_eq!(metadata["resource"], named.replacen(METADATA, "", 1));
        let expected = format!("{}{resource}", installation.base);
        assert_eq!(metadata["resource"], expected.as_str());
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
    let unknown = stranger.get(&format!("{METADATA}/metrics")).await;
    assert_eq!(unknown.status(), 404);
}
