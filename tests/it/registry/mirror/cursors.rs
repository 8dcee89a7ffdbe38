//! Registries whose cursors lead nowhere.

use super::silent;
use crate::support::{Installation, PATIENCE};
use chrono::Utc;
use domain::envelope::Actor;
use domain::id::TenantId;
use domain::principal::Role;
use domain::server::Mirrored;
use metamcp::import::registry::{
    FetchError, MirrorError, Registry, Summary, Target, mirror_registry,
};
use reqwest::StatusCode;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Which cursor a page leads to, by the cursor that it was asked with: an empty one ends the pass.
type Lead = fn(Option<&str>) -> Result<&'static str, StatusCode>;

/// Mirrors a registry without servers whose cursors lead as they are told, after a run that kept one, if it did.
/// Answers how that ended, and the cursors that were asked for.
async fn led(
    ours: &Installation,
    kept: Option<&str>,
    lead: Lead,
) -> (Result<Summary, MirrorError>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let answer = move |uri: axum::http::Uri| {
        let mut pairs = uri.query().unwrap_or_default().split('&');
        let cursor = pairs.find_map(|pair| pair.strip_prefix("cursor="));
        heard.lock().unwrap().push(cursor.unwrap_or("-").to_owned());
        let page = |next: &str| json!({ "servers": [], "metadata": { "nextCursor": next } });
        std::future::ready(lead(cursor).map(|next| axum::Json(page(next))))
    };
    let router = axum::Router::new().fallback(answer);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let (tenant, actor) = (TenantId::new("acme").unwrap(), Actor::operator("test"));
    let target = Target {
        dispatcher: &ours.app.state.dispatcher,
        tenant: &tenant,
        actor: &actor,
        patience: PATIENCE,
        stop: &CancellationToken::new(),
    };
    let registry = Registry::new(&base, None).unwrap();
    let now = Utc::now();
    let last = kept.map(|cursor| Mirrored {
        registry: registry.name().to_owned(),
        updated_at: now,
        began_at: now,
        since: None,
        cursor: Some(cursor.to_owned()),
    });
    let ended = mirror_registry(&target, &registry, last, &silent);
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    serving.abort();
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    (ended.expect("it ends"), asked)
}

#[tokio::test]
async fn cursors_that_are_refused_or_lead_in_a_circle_end_a_run() {
    let ours = Installation::start().await;
    ours.client("acme", "agent", &[Role::Agent]).await;
    let forgotten: Lead = |cursor| match cursor {
        None => Ok(""),
        Some(_) => Err(StatusCode::GONE),
    };
    let (ended, asked) = led(&ours, Some("kept"), forgotten).await;
    assert!(ended.is_ok(), "{ended:?}");
    // The rest of the earlier pass from its beginning, and the pass for what has changed since.
    assert_eq!(asked, ["kept", "-", "-"]);
    let refused: Lead = |cursor| match cursor {
        None => Ok("own"),
        Some(_) => Err(StatusCode::BAD_REQUEST),
    };
    let runs: [(Option<&str>, &[&str]); 2] =
        [(None, &["-", "own"]), (Some("kept"), &["kept", "-", "own"])];
    for (kept, expected) in runs {
        let (ended, asked) = led(&ours, kept, refused).await;
        let told = matches!(ended, Err(MirrorError::Fetch(FetchError::CursorRefused(_))));
        assert!(told, "{ended:?}");
        assert_eq!(asked, expected);
    }
    let round: Lead = |cursor| match cursor {
        None | Some("second") => Ok("first"),
        Some(_) => Ok("second"),
    };
    let (ended, asked) = led(&ours, None, round).await;
    let told = matches!(ended, Err(MirrorError::Fetch(FetchError::Circle)));
    assert!(told, "{ended:?}");
    assert_eq!(asked, ["-", "first", "second"]);
}
