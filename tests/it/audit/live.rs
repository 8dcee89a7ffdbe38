//! Subscriptions: every event of the tenant, in order, each once, across interruptions and instances, for as
//! long as one may.

mod bounds;

use super::{audit, register_server};
use crate::support::{Client, Heard, Installation, Live, PATIENCE, serve};
use domain::principal::Role;
use metamcp::app::Role as ProcessRole;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVENTS: &str = "subscription($filter: EventFilter, $from: Sequence, $after: String) {
    events(filter: $filter, fromSequence: $from, after: $after) {
        sequence index at actor { kind id } type aggregate aggregateId data cursor } }";

/// Something in the filter's way never comes: this is the server that each test waits for.
async fn until_server(live: &mut Live, slug: &str) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let event = live.event().await;
        let is_it = event["type"] == "server.registered" && event["data"]["slug"] == slug;
        heard.push(event);
        if is_it {
            return heard;
        }
    }
}

/// A subscription begins a moment after it was asked for: servers are registered until it hears one. The last of them,
/// which it has heard, too.
async fn until_begun(live: &mut Live, owner: &Client) -> String {
    for number in 0..PATIENCE.as_secs() {
        let probe = format!("probe-{number}");
        register_server(owner, &probe).await;
        let heard = tokio::time::timeout(Duration::from_secs(1), live.event()).await;
        if let Ok(event) = heard {
            if event["data"]["slug"] != probe.as_str() {
                until_server(live, &probe).await;
            }
            return probe;
        }
    }
    panic!("the subscription did not begin");
}

#[tokio::test]
async fn events_come_live_and_from_the_past_in_the_order_of_the_log() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register_server(&owner, "before").await;
    let mut live = Live::subscribed(&owner, EVENTS, json!({})).await;
    // What is live begins when the subscription does; a subscription from the past shows when that is.
    let mut past = Live::subscribed(&owner, EVENTS, json!({ "from": 1 })).await;
    let heard = until_server(&mut past, "before").await;
    let sequences: Vec<u64> = heard
        .iter()
        .map(|e| e["sequence"].as_u64().unwrap())
        .collect();
    // The first commit is the installation's: the policy in force.
    let end = 2 + sequences.len() as u64;
    assert_eq!(sequences, (2..end).collect::<Vec<_>>());
    let probe = until_begun(&mut live, &owner).await;
    until_server(&mut past, &probe).await;
    let at = register_server(&owner, "after").await;
    let event = live.event().await;
    assert_eq!(
        (&event["sequence"], &event["data"]["slug"]),
        (&json!(at), &json!("after"))
    );
    assert_eq!(event["actor"]["kind"], "USER");
    assert_eq!(until_server(&mut past, "after").await, [event]);
}

#[tokio::test]
async fn filters_and_several_subscriptions_share_a_connection() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let mut live = Live::admitted(&owner).await;
    let tools = json!({ "filter": { "aggregate": "tool" }, "from": 1 });
    let servers = json!({ "filter": { "type": "server.registered", "actor": "owner" }, "from": 1 });
    live.subscribe("tools", EVENTS, tools).await;
    live.subscribe("servers", EVENTS, servers).await;
    register_server(&owner, "git").await;
    let message = live.message().await;
    assert_eq!(message["id"], "servers", "{message:#}");
    let tool =
        "mutation { registerTool(input: { server: \"git\", name: \"log\", description: \"x\" })
        { sequence } }";
    owner.data(tool, json!({})).await;
    assert_eq!(live.message().await["id"], "tools");
    live.send(json!({ "id": "tools", "type": "complete" }))
        .await;
    register_server(&owner, "mail").await;
    loop {
        let message = live.message().await;
        if message["type"] == "next" {
            assert_eq!(message["id"], "servers");
            break;
        }
    }
}

/// Writers write all the time; the client goes away again and again, and comes back to another instance.
#[tokio::test]
async fn a_client_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let (replica, base) = serve(&installation.config, &[ProcessRole::Api]).await;
    // Tokens name the address that issued them: each instance here has an address of its own.
    let tenant = domain::id::TenantId::new("acme").unwrap();
    let id = domain::id::PrincipalId::derive(&tenant, "owner");
    let token = replica.state.tokens.issue(&tenant, &id, None).unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&token.token).to_owned();
    let other = Client::new(&base, Some(token));
    while !replica.state.positions.staleness("access").is_zero() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    const WRITERS: usize = 3;
    const EACH: usize = 25;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let owner = owner.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    register_server(&owner, &format!("w{writer}-{number}")).await;
                }
            })
        })
        .collect();
    let filter = json!({ "aggregate": "server" });
    let mut heard: Vec<(u64, u64)> = Vec::new();
    let mut after = Value::Null;
    for round in 0.. {
        let client = if round % 2 == 0 { &owner } else { &other };
        let mut variables = json!({ "filter": filter, "after": after });
        if after.is_null() {
            variables = json!({ "filter": filter, "from": 1 });
        }
        let mut live = Live::subscribed(client, EVENTS, variables).await;
        for _ in 0..9 {
            let event = live.event().await;
            let place = |field: &str| event[field].as_u64().unwrap();
            heard.push((place("sequence"), place("index")));
            after = event["cursor"].clone();
            if heard.len() == WRITERS * EACH {
                break;
            }
        }
        if heard.len() == WRITERS * EACH {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let at = installation.settle().await;
    let logged = audit(&owner, json!({ "aggregate": "server" }), at).await;
    let place = |event: &Value, field: &str| event[field].as_u64().unwrap();
    let logged: Vec<_> = logged
        .iter()
        .map(|e| (place(e, "sequence"), place(e, "index")))
        .collect();
    assert_eq!(heard, logged);
    replica.stop().await;
}

#[tokio::test]
async fn nothing_of_another_tenant_is_heard() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    register_server(&owner, "secret-past").await;
    let mut live = Live::subscribed(&other, EVENTS, json!({ "from": 1 })).await;
    register_server(&owner, "secret-live").await;
    register_server(&other, "own").await;
    let heard = until_server(&mut live, "own").await;
    assert!(heard.len() > 1);
    for event in heard {
        assert!(!event.to_string().contains("secret"), "{event:#}");
    }
}

#[tokio::test]
async fn only_those_who_may_read_the_log_hear_it() {
    let installation = Installation::start().await;
    let publisher = installation.client("acme", "pub", &[Role::Publisher]).await;
    let mut live = Live::admitted(&publisher).await;
    live.subscribe("1", EVENTS, json!({})).await;
    match live.hear().await {
        Heard::Message(message) => {
            let code = &message["payload"]["errors"][0]["extensions"]["code"];
            assert_eq!(code, "FORBIDDEN", "{message:#}");
        }
        // The connection's own look at the right may come first.
        Heard::Closed(code, _) => assert_eq!(code, 4403),
    }
}

#[tokio::test]
async fn a_connection_ends_within_five_seconds_of_a_revocation() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    for (handle, change, expected) in [
        (
            "gone",
            "mutation { deactivatePrincipal(input: { handle: \"gone\" }) { sequence } }",
            4401,
        ),
        (
            "revoked",
            "mutation { revokeTokens(input: { handle: \"revoked\" }) { sequence } }",
            4401,
        ),
        (
            "demoted",
            "mutation { revokeRole(input: { handle: \"demoted\", role: AUDITOR }) { sequence } }",
            4403,
        ),
    ] {
        let auditor = installation.client("acme", handle, &[Role::Auditor]).await;
        let filter = json!({ "filter": { "aggregate": "tool" } });
        let mut live = Live::subscribed(&auditor, EVENTS, filter).await;
        owner.data(change, json!({})).await;
        let begun = Instant::now();
        let mut code = live.closed().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{handle}");
        if code == LATER {
            code = refused_with(&auditor).await;
        }
        assert_eq!(code, expected, "{handle}");
    }
}

/// The close code of an instance that does not know permissions as they are now: it fails closed.
const LATER: u16 = 1013;

/// With which code somebody is refused who comes back as often as it takes.
async fn refused_with(client: &Client) -> u16 {
    let token = client.token.as_deref().unwrap();
    let payload = json!({ "authorization": format!("Bearer {token}") });
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let mut live = Live::open(&client.base, &[]).await.unwrap();
        live.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        let mut heard = live.hear().await;
        if let Heard::Message(message) = &heard {
            assert_eq!(message["type"], "connection_ack", "{message:#}");
            live.subscribe("1", EVENTS, json!({})).await;
            heard = live.hear().await;
        }
        match heard {
            Heard::Closed(LATER, _) => tokio::time::sleep(Duration::from_millis(50)).await,
            Heard::Closed(code, _) => return code,
            Heard::Message(message) => {
                let code = &message["payload"]["errors"][0]["extensions"]["code"];
                assert_eq!(code, "FORBIDDEN", "{message:#}");
                return 4403;
            }
        }
    }
    panic!("permissions are not known again");
}

#[tokio::test]
async fn a_connection_ends_when_its_token_does() {
    let installation = Installation::start_with(|config| config.auth.leeway = Duration::ZERO).await;
    installation.token("acme", "owner", &[Role::Owner]).await;
    let tenant = domain::id::TenantId::new("acme").unwrap();
    let id = domain::id::PrincipalId::derive(&tenant, "owner");
    let short = Some(Duration::from_secs(8));
    let issued = installation
        .app
        .state
        .tokens
        .issue(&tenant, &id, short)
        .unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&issued.token).to_owned();
    let client = Client::new(&installation.base, Some(token));
    let mut live = Live::subscribed(
        &client,
        EVENTS,
        json!({ "filter": { "aggregate": "tool" } }),
    )
    .await;
    assert_eq!(live.closed().await, 4401);
    assert!(chrono::Utc::now() < issued.expires_at + Duration::from_secs(5));
}

/// The ring is short and the writers are quick: whether or not a client is overrun, it is told, and hears
/// everything once.
#[tokio::test]
async fn a_client_that_is_overrun_is_told_so_and_goes_on_without_a_gap() {
    let installation = Installation::start_with(|config| config.limits.live_buffer = 1).await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let tenant = domain::id::TenantId::new("acme").unwrap();
    let mut idle = installation.app.state.feed.follow(&tenant).unwrap();

    let filter = json!({ "aggregate": "server" });
    let mut live = Live::subscribed(&owner, EVENTS, json!({ "filter": filter, "from": 1 })).await;
    let writers = (0..3).map(|writer| {
        let owner = owner.clone();
        tokio::spawn(async move {
            for number in 0..10 {
                register_server(&owner, &format!("w{writer}-{number}")).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut heard: Vec<Value> = Vec::new();
    while heard.len() < 30 {
        let mut message = live.message().await;
        let payload = message["payload"].take();
        if let Some(error) = payload["errors"].get(0) {
            assert_eq!(error["extensions"]["code"], "SLOW_CONSUMER", "{payload:#}");
            let after = heard.last().map(|event| event["cursor"].clone());
            let start = match after {
                Some(after) => json!({ "filter": filter, "after": after }),
                None => json!({ "filter": filter, "from": 1 }),
            };
            live = Live::subscribed(&owner, EVENTS, start).await;
        } else {
            heard.push(payload["data"]["events"].clone());
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let at = installation.settle().await;
    let logged = audit(&owner, filter, at).await;
    let cursors = |events: &[Value]| -> Vec<Value> {
        events.iter().map(|event| event["cursor"].clone()).collect()
    };
    assert_eq!(cursors(&heard), cursors(&logged));
    // Who never listened is told that it has missed something, before anything else.
    assert_eq!(idle.next().await.unwrap_err(), bus::feed::Missed::Behind);
}

#[tokio::test]
async fn a_hole_in_the_past_is_told_and_not_passed_over() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    let other = installation.client("other", "owner", &[Role::Owner]).await;
    let mut database = installation.app.database.connect().await.unwrap();
    let defect = "ALTER TABLE archive.events ADD CONSTRAINT defect
                  CHECK (payload::text NOT LIKE '%unreadable%')";
    sqlx::Executor::execute(&mut database, defect)
        .await
        .unwrap();
    register_server(&owner, "before").await;
    let parked = register_server(&owner, "unreadable").await;
    register_server(&owner, "after").await;
    register_server(&other, "theirs").await;

    let mut live = Live::subscribed(&owner, EVENTS, json!({ "from": 1 })).await;
    until_server(&mut live, "before").await;
    let message = live.message().await;
    let error = &message["payload"]["errors"][0];
    assert_eq!(error["extensions"]["code"], "EVENTS_PARKED", "{message:#}");
    let next = parked + 1;
    let told = error["message"].as_str().unwrap();
    assert!(told.contains(&format!("fromSequence: {next}")), "{told}");

    let mut live = Live::subscribed(&owner, EVENTS, json!({ "from": next })).await;
    until_server(&mut live, "after").await;
    // What is parked of one tenant is no hole in the log of another.
    let mut live = Live::subscribed(&other, EVENTS, json!({ "from": 1 })).await;
    until_server(&mut live, "theirs").await;
}
