//! A tool's detail and a list of 50 over GraphQL, beside the same SQL and JSON in bare axum: the same
//! tables, role, tenant and statements, and answers of the same shape, but no token, no query language, no
//! limits and no telemetry.

use crate::corpus::Corpus;
use crate::harness::{Goal, Report, Settings, alternate, rate};
use crate::visible::Installation;
use crate::wire::{self, Wire};
use crate::world::{World, seed};
use anyhow::{Result, ensure};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{Executor, Row};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connections that ask at once.
const CLIENTS: usize = 16;
const COLUMNS: &str = "tool_id, server_id, server, name, title, description, input_schema, \
                       output_schema, definition_hash, tool_version, category, tags, visibility, \
                       status, retired_reason, registered_at, updated_at";

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let corpus = Corpus::load(settings)?;
    let world = World::start(true).await?;
    let config = world.config().await?;
    let connections = config.postgres.max_connections;
    let mut have = 1_000;
    let installation = Installation::start(config, &corpus, have).await?;
    let url = installation.config.postgres.address()?;
    let bare = bare_axum(
        url.expose_secret(),
        connections,
        installation.tenant.as_str(),
    )
    .await?;
    let mut sizes = vec![1_000];
    if !settings.quick {
        sizes.push(10_000);
    }
    if settings.full {
        sizes.push(100_000);
    }
    for size in sizes {
        let dispatcher = &installation.app.state.dispatcher;
        seed(dispatcher, &corpus, &installation.tenant, have..size).await?;
        have = size;
        installation.settle().await?;
        measure(settings, report, (&installation, bare), (&corpus, size)).await?;
    }
    installation.app.stop().await;
    Ok(())
}

async fn measure(
    settings: &Settings,
    report: &mut Report,
    (installation, bare): (&Installation, SocketAddr),
    (corpus, size): (&Corpus, usize),
) -> Result<()> {
    let details = |number: usize| {
        let (server, name) = (Corpus::slug(number), corpus.tool_name(number));
        installation.request(&format!(
            "{{ tool(server: {server:?}, name: {name:?}) {{ name title description inputSchema \
             outputSchema definitionHash version category tags visibility status registeredAt \
             updatedAt }} }}"
        ))
    };
    let bare_details = |number: usize| {
        let id = corpus.tool(&installation.tenant, number).0;
        wire::get(bare, &format!("/tool?id={id}"))
    };
    let list = installation.request(
        "{ tools(first: 50) { edges { cursor node { name title description version category tags \
         visibility status updatedAt } } pageInfo { hasNextPage endCursor } } }",
    );
    let spread = |number: usize| number * (size / 64) % size;
    let (ours_detail, raw_detail): (Vec<_>, Vec<_>) = (0..64)
        .map(|n| (details(spread(n)), bare_details(spread(n))))
        .unzip();
    let raw_list = vec![wire::get(bare, "/tools")];
    let kinds = [
        ("detail", ours_detail, raw_detail, 0.7),
        ("list of 50", vec![list], raw_list, 0.6),
    ];
    for (kind, ours, raw, goal) in kinds {
        let length = Duration::from_millis(if settings.quick { 500 } else { 2_000 });
        let (ours, raw) = (Arc::new(ours), Arc::new(raw));
        let pairs = alternate(
            settings.runs(),
            async || load(bare, &raw, length).await,
            async || load(installation.address, &ours, length).await,
        )
        .await?;
        let goal = if size >= 10_000 {
            Goal::AtLeast(goal)
        } else {
            Goal::None
        };
        report.rates(
            format!("GraphQL {kind}, {size} tools, {CLIENTS} clients"),
            &pairs,
            "",
            goal,
        );
        let single = alternate(
            settings.runs().min(5),
            async || one_client(bare, &raw).await,
            async || one_client(installation.address, &ours).await,
        )
        .await?;
        report.times(
            format!("… {kind}, one client, time of one request"),
            &single,
            Goal::None,
        );
    }
    Ok(())
}

/// Requests a second that all clients together get answered.
async fn load(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>, length: Duration) -> Result<f64> {
    let mut wires = Vec::new();
    for _ in 0..CLIENTS {
        wires.push(Wire::connect(address).await?);
    }
    let begun = Instant::now();
    let client = |(first, mut wire): (usize, Wire)| {
        let requests = Arc::clone(requests);
        tokio::spawn(async move {
            let mut answered = 0;
            for request in requests.iter().cycle().skip(first * 5 % requests.len()) {
                if begun.elapsed() >= length {
                    break;
                }
                check(&wire.send(request).await?)?;
                answered += 1;
            }
            Ok::<usize, anyhow::Error>(answered)
        })
    };
    let running: Vec<_> = wires.into_iter().enumerate().map(client).collect();
    let mut answered = 0;
    for client in running {
        answered += client.await??;
    }
    Ok(rate(answered, begun.elapsed()))
}

/// Median seconds of a request when nobody else asks.
pub(crate) async fn one_client(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>) -> Result<f64> {
    let mut wire = Wire::connect(address).await?;
    let requests = Arc::clone(requests);
    let times = tokio::spawn(async move {
        let mut times = Vec::new();
        for request in requests.iter().cycle().take(200) {
            let begun = Instant::now();
            check(&wire.send(request).await?)?;
            times.push(begun.elapsed().as_secs_f64());
        }
        Ok::<_, anyhow::Error>(times)
    });
    Ok(crate::harness::median(&times.await??))
}

/// An answer with an error would be a fast one.
fn check(answer: &[u8]) -> Result<()> {
    let begin = &answer[..answer.len().min(40)];
    let sound = begin.starts_with(b"{\"data\":{") && !begin.windows(4).any(|part| part == b"null");
    ensure!(sound, "no data: {}", String::from_utf8_lossy(answer));
    Ok(())
}

#[derive(Clone)]
struct Bare {
    pool: PgPool,
    tenant: Arc<str>,
}

/// The limit: pool, statement, rows to JSON, answer.
async fn bare_axum(url: &str, connections: u32, tenant: &str) -> Result<SocketAddr> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection
                    .execute("SET ROLE metamcp_query; SET statement_timeout = '5s'")
                    .await?;
                Ok(())
            })
        })
        .connect(url)
        .await?;
    let state = Bare {
        pool,
        tenant: tenant.into(),
    };
    let router = Router::new()
        .route("/tool", get(bare_tool))
        .route("/tools", get(bare_tools))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

#[derive(Deserialize)]
struct ById {
    id: String,
}

async fn bare_tool(State(bare): State<Bare>, Query(by): Query<ById>) -> axum::response::Response {
    let statement =
        format!("SELECT {COLUMNS} FROM catalog.tools WHERE tool_id = $1 AND visibility = ANY ($2)");
    let rows = async {
        let mut connection = bare.tenant().await?;
        sqlx::query(&statement)
            .bind(by.id)
            .bind(vec!["private", "tenant", "public"])
            .fetch_all(&mut *connection)
            .await
    };
    match rows
        .await
        .and_then(|rows| rows.iter().map(detail).collect::<Result<Vec<_>, _>>())
    {
        Ok(mut tools) => Json(json!({ "data": { "tool": tools.pop() } })).into_response(),
        Err(error) => error.to_string().into_response(),
    }
}

async fn bare_tools(State(bare): State<Bare>) -> axum::response::Response {
    let statement = format!(
        "SELECT {COLUMNS} FROM catalog.tools WHERE visibility = ANY ($1) \
         ORDER BY name ASC, tool_id ASC LIMIT $2"
    );
    let rows = async {
        let mut connection = bare.tenant().await?;
        sqlx::query(&statement)
            .bind(vec!["private", "tenant", "public"])
            .bind(51i64)
            .fetch_all(&mut *connection)
            .await
    };
    match rows.await.and_then(|rows| {
        rows.iter()
            .take(50)
            .map(edge)
            .collect::<Result<Vec<_>, _>>()
    }) {
        Ok(edges) => {
            let end = edges.last().map(|edge| edge["cursor"].clone());
            let page = json!({ "hasNextPage": true, "endCursor": end });
            Json(json!({ "data": { "tools": { "edges": edges, "pageInfo": page } } }))
                .into_response()
        }
        Err(error) => error.to_string().into_response(),
    }
}

impl Bare {
    async fn tenant(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        sqlx::query("SELECT set_config('metamcp.tenant', $1, false)")
            .bind(&*self.tenant)
            .execute(&mut *connection)
            .await?;
        Ok(connection)
    }
}

fn detail(row: &PgRow) -> Result<Value, sqlx::Error> {
    Ok(json!({
        "name": row.try_get::<&str, _>("name")?,
        "title": row.try_get::<Option<&str>, _>("title")?,
        "description": row.try_get::<&str, _>("description")?,
        "inputSchema": row.try_get::<Option<Value>, _>("input_schema")?,
        "outputSchema": row.try_get::<Option<Value>, _>("output_schema")?,
        "definitionHash": row.try_get::<&str, _>("definition_hash")?,
        "version": row.try_get::<&str, _>("tool_version")?,
        "category": row.try_get::<Option<&str>, _>("category")?,
        "tags": row.try_get::<Vec<String>, _>("tags")?,
        "visibility": row.try_get::<&str, _>("visibility")?,
        "status": row.try_get::<&str, _>("status")?,
        "registeredAt": row.try_get::<DateTime<Utc>, _>("registered_at")?,
        "updatedAt": row.try_get::<DateTime<Utc>, _>("updated_at")?,
    }))
}

fn edge(row: &PgRow) -> Result<Value, sqlx::Error> {
    let name: &str = row.try_get("name")?;
    let id: &str = row.try_get("tool_id")?;
    Ok(json!({
        "cursor": format!("{id}{name}"),
        "node": {
            "name": name,
            "title": row.try_get::<Option<&str>, _>("title")?,
            "description": row.try_get::<&str, _>("description")?,
            "version": row.try_get::<&str, _>("tool_version")?,
            "category": row.try_get::<Option<&str>, _>("category")?,
            "tags": row.try_get::<Vec<String>, _>("tags")?,
            "visibility": row.try_get::<&str, _>("visibility")?,
            "status": row.try_get::<&str, _>("status")?,
            "updatedAt": row.try_get::<DateTime<Utc>, _>("updated_at")?,
        },
    }))
}
