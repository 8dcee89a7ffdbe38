//! The law: as of a position, the registry is what its log up to there makes of it. Random histories of two
//! tenants are written to a real log. One database gets them in random batches and is asked about every
//! position; another gets them commit by commit, so that it *is* the registry of that position.

use crate::support::Servers;
use bus::{CommandContext, DispatchError, Dispatcher, Log};
use chrono::{DateTime, TimeDelta, Utc};
use domain::AggregateRoot;
use domain::envelope::Actor;
use domain::id::{PrincipalId, ServerId, TenantId, ToolId};
use domain::principal::{
    Principal, PrincipalCommand, PrincipalKind, RegisterPrincipal, Role, SealedFields,
};
use domain::server::{RegisterServer, Server, ServerCommand, ServerProfile};
use domain::tool::{
    Alias, Deprecation, PublishToolVersion, RegisterTool, Tool, ToolCommand, ToolDefinition,
    ToolProfile, Visibility,
};
use projections::access::{self, AccessProjector};
use projections::catalog::{self, CatalogProjector, Order, ServerFilter, Sort, ToolFilter};
use projections::{Database, Moment, PageRequest, Projector, Recorded, TenantConnection};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use semver::Version;
use sqlx::{Connection, Executor, PgConnection};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// Rows of a page, so few that most lists have several.
const PAGE: usize = 2;

/// A command: of which tenant, what, to whom, and how far off the clock of its process is.
#[derive(Debug, Clone)]
struct Step {
    tenant: u8,
    command: u8,
    object: u8,
    detail: u8,
    skew_millis: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..2u8, 0..23u8, 0..2u8, 0..3u8, -40..40i64);
    let step = step.prop_map(|(tenant, command, object, detail, skew_millis)| Step {
        tenant,
        command,
        object,
        detail,
        skew_millis,
    });
    prop::collection::vec(step, 40..80)
}

#[test]
fn as_of_a_position_is_what_the_log_up_to_there_makes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: 6,
        max_shrink_iters: 30,
        failure_persistence: None,
        ..Config::default()
    };
    let histories = (steps(), prop::collection::vec(1..9usize, 50));
    let superseded = Cell::new(0);
    let law = |(steps, cuts): (Vec<Step>, Vec<usize>)| {
        superseded.set(superseded.get() + runtime.block_on(holds(&steps, &cuts)));
        Ok(())
    };
    // The servers live as long as somebody holds them.
    let servers = runtime.block_on(Servers::shared());
    TestRunner::new(config).run(&histories, law).unwrap();
    assert!(superseded.get() > 6, "hardly anything had a past");
    drop(servers);
}

/// Checks the law for one history; how many images it left in the past.
async fn holds(steps: &[Step], cuts: &[usize]) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared().await;
    let config = servers.fresh_config(folder.path()).await;
    let log = Servers::log(&config).await;
    let history = write(&log, steps).await;

    let (past, mut connection) = database(&config).await;
    let mut rest = &history[..];
    for cut in cuts.iter().cycle() {
        let (batch, later) = rest.split_at((*cut).min(rest.len()));
        apply(&mut connection, batch).await;
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let other_config = servers.fresh_config(folder.path()).await;
    let (prefix, mut step_by_step) = database(&other_config).await;
    let (past_reads, prefix_reads) = (past.read_pool(1), prefix.read_pool(1));
    for position in 0..=history.len() {
        if position > 0 {
            apply(&mut step_by_step, &history[position - 1..position]).await;
        }
        for tenant in tenants() {
            let at = Moment::At(position.try_into().unwrap());
            let was = look(past_reads.tenant(&tenant).await.unwrap().at(at)).await;
            let is = look(prefix_reads.tenant(&tenant).await.unwrap()).await;
            assert_eq!(was, is, "{tenant} as of {position} of {steps:#?}");
        }
    }
    for tenant in tenants() {
        let mut reads = past_reads.tenant(&tenant).await.unwrap();
        times_mean_positions(&mut reads, &history, &tenant).await;
    }
    assert_eq!(
        tables(&mut connection).await,
        tables(&mut step_by_step).await
    );
    let images = "SELECT (SELECT count(*) FROM catalog.servers_past)
        + (SELECT count(*) FROM catalog.tools_past) + (SELECT count(*) FROM access.principals_past)";
    let images = sqlx::query_scalar(images).fetch_one(&mut connection).await;
    images.unwrap()
}

async fn database(config: &api::config::Config) -> (Database, PgConnection) {
    let database = Database::new(&config.postgres.address().unwrap()).unwrap();
    database.migrate().await.unwrap();
    let connection = database.connect().await.unwrap();
    (database, connection)
}

fn tenants() -> [TenantId; 2] {
    ["acme", "other"].map(|tenant| TenantId::new(tenant).unwrap())
}

/// Sends the commands and reads back what was decided. What the domain refuses is no part of the history.
async fn write(log: &Log, steps: &[Step]) -> Vec<Recorded> {
    let dispatcher = Dispatcher::new(log.clone());
    let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    for (number, step) in steps.iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        let now = begin + TimeDelta::milliseconds(10 * number + step.skew_millis);
        let tenant = tenants()[usize::from(step.tenant)].clone();
        let mut context = CommandContext::new(tenant, Actor::system("test"));
        context.now = now;
        send(&dispatcher, &context, step, number.unsigned_abs()).await;
    }
    let head = log.head().await.unwrap();
    let (mut history, mut reader) = (Vec::new(), log.read_from(1).await.unwrap());
    while u64::try_from(history.len()).unwrap() < head {
        for entry in reader.next_batch(100).await.unwrap() {
            history.push(Recorded::decode(&entry).unwrap());
        }
    }
    history
}

async fn send(to: &Dispatcher, context: &CommandContext, step: &Step, number: u64) {
    let (server, name) = (
        format!("server-{}", step.object),
        format!("tool_{}", step.detail),
    );
    let handle = format!("principal-{}", step.object);
    let tenant = &context.tenant;
    match step.command {
        0..=3 | 14 => {
            let profile = ServerProfile {
                name: format!("name {}", number % 3),
                ..ServerProfile::default()
            };
            let command = match step.command {
                0 | 1 => ServerCommand::Register(RegisterServer {
                    slug: server.clone(),
                    profile,
                }),
                2 => ServerCommand::Describe(profile),
                14 => ServerCommand::Restore,
                _ => ServerCommand::Retire {
                    reason: String::new(),
                },
            };
            let id = ServerId::derive(tenant, &server);
            dispatch::<Server>(to, context, id.as_str(), command).await;
        }
        4..=8 | 15.. => {
            let id = ToolId::derive(tenant, &server, &name);
            let command = tool_command(tenant, step.command, (server, name), number);
            dispatch::<Tool>(to, context, id.as_str(), command).await;
        }
        _ => {
            let role = [Role::Agent, Role::Publisher, Role::Admin][usize::from(step.detail)];
            let command = match step.command {
                9 => PrincipalCommand::Register(RegisterPrincipal {
                    // Not a person, so nothing is sealed and no vault is needed.
                    kind: PrincipalKind::Service,
                    handle: handle.clone(),
                    roles: vec![role],
                    display_name: None,
                    email: None,
                    sealed: SealedFields::default(),
                }),
                10 => PrincipalCommand::GrantRole(role),
                11 => PrincipalCommand::RevokeRole(role),
                12 if step.detail == 0 => PrincipalCommand::Reactivate,
                12 => PrincipalCommand::Deactivate,
                _ => PrincipalCommand::RevokeTokens {
                    issued_before: context.now,
                },
            };
            let id = PrincipalId::derive(tenant, &handle);
            dispatch::<Principal>(to, context, id.as_str(), command).await;
        }
    }
}

fn tool_command(
    tenant: &TenantId,
    command: u8,
    (server, name): (String, String),
    number: u64,
) -> ToolCommand {
    let definition = Arc::new(ToolDefinition {
        description: format!("does {number}"),
        input_schema: Some(serde_json::json!({ "type": "object", "title": number })),
        output_schema: None,
        annotations: number
            .is_multiple_of(2)
            .then(|| serde_json::json!({ "readOnlyHint": true })),
    });
    let visibility = match number % 2 {
        0 => Visibility::Tenant,
        _ => Visibility::Private,
    };
    let profile = ToolProfile {
        visibility,
        ..ToolProfile::default()
    };
    match command {
        4 | 5 => ToolCommand::Register(Box::new(RegisterTool {
            server_id: ServerId::derive(tenant, &server),
            server,
            name,
            profile,
            tool_version: Version::new(1, 0, 0),
            definition,
        })),
        6 => ToolCommand::Describe(profile),
        7 => ToolCommand::PublishVersion(Box::new(PublishToolVersion {
            tool_version: tool_version(number),
            definition,
        })),
        15.. => version_command(command, number),
        _ => ToolCommand::Retire {
            reason: String::new(),
        },
    }
}

/// One of five versions, so that most are published again, marked more than once, or absent.
fn tool_version(number: u64) -> Version {
    match number % 5 {
        0 => Version::parse("3.0.0-rc.1").unwrap(),
        minor => Version::new(2, minor - 1, 0),
    }
}

fn version_command(command: u8, number: u64) -> ToolCommand {
    let tool_version = match number % 3 {
        0 => Version::new(1, 0, 0),
        _ => tool_version(number),
    };
    let alias = Alias::new(["stable", "beta"][usize::from(number.is_multiple_of(2))]).unwrap();
    let some = number.is_multiple_of(2).then(|| tool_version.clone());
    match command {
        15 => ToolCommand::MoveAlias {
            alias,
            to: tool_version,
        },
        16 => ToolCommand::RollbackAlias { alias },
        17 => ToolCommand::RemoveAlias { alias },
        18 => ToolCommand::Deprecate {
            tool_version: some,
            deprecation: Deprecation {
                message: format!("says {number}"),
                successor: None,
                sunset: None,
            },
        },
        19 => ToolCommand::Undeprecate { tool_version: some },
        20 => ToolCommand::YankVersion {
            tool_version,
            reason: String::new(),
        },
        21 => ToolCommand::UnyankVersion { tool_version },
        _ => ToolCommand::Restore,
    }
}

async fn dispatch<A>(to: &Dispatcher, context: &CommandContext, id: &str, command: A::Command)
where
    A: AggregateRoot,
    A::Error: Debug,
{
    match to.dispatch::<A>(context, id, command).await {
        Ok(_) | Err(DispatchError::Rejected(_)) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// As a runner does it, without its checkpoint.
async fn apply(connection: &mut PgConnection, batch: &[Recorded]) {
    for projector in projectors() {
        let mut transaction = connection.begin().await.unwrap();
        let path = format!("SET LOCAL search_path = {}, public", projector.name());
        transaction.execute(path.as_str()).await.unwrap();
        projector.apply(&mut transaction, batch).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

fn projectors() -> [&'static dyn Projector; 2] {
    [&CatalogProjector, &AccessProjector]
}

/// All that the registry's queries answer.
#[derive(Debug, PartialEq)]
struct Seen {
    servers: Vec<catalog::Server>,
    tools: Vec<catalog::Tool>,
    listed: (i64, i64),
    below: BTreeMap<String, Vec<String>>,
    counts: BTreeMap<String, i64>,
    versions: BTreeMap<String, Vec<catalog::ToolVersion>>,
    principals: Vec<access::Principal>,
    grants: Vec<access::Grant>,
    grants_of: Vec<access::Grant>,
}

async fn look(mut reads: TenantConnection) -> Seen {
    let reads = &mut reads;
    let filter = ToolFilter {
        visibilities: Visibility::ALL.to_vec(),
        ..ToolFilter::default()
    };
    let all_servers = ServerFilter::default();
    let (mut servers, mut tools) = (Vec::new(), Vec::new());
    for (by, descending) in [(Order::Name, false), (Order::UpdatedAt, true)] {
        let sort = Sort { by, descending };
        servers.extend(
            pages(async |page| catalog::servers(reads, &all_servers, sort, &page).await).await,
        );
        tools.extend(pages(async |page| catalog::tools(reads, &filter, sort, &page).await).await);
    }
    // An object remembers its moment; apart from that it must be the same.
    servers
        .iter_mut()
        .for_each(|server| server.moment = Moment::Now);
    tools.iter_mut().for_each(|tool| tool.moment = Moment::Now);
    let server_ids: Vec<_> = servers.iter().map(|server| server.id.clone()).collect();
    let tool_ids: Vec<_> = tools.iter().map(|tool| tool.id.clone()).collect();
    let seen = Visibility::ALL;
    let below = catalog::tools_by_server(reads, &server_ids, seen, PAGE)
        .await
        .unwrap();
    let names = |page: projections::Page<catalog::Tool>| {
        let tools = page.items.into_iter();
        tools.map(|item| item.node.name).collect::<Vec<_>>()
    };
    let counts = catalog::tool_counts(reads, &server_ids, seen)
        .await
        .unwrap();
    let versions = catalog::versions_by_tool(reads, &tool_ids).await.unwrap();
    let listed = (
        catalog::count_servers(reads, &all_servers).await.unwrap(),
        catalog::count_tools(reads, &filter).await.unwrap(),
    );
    let principals = pages(async |page| access::principals(reads, &page).await).await;
    let grants = pages(async |page| access::grants(reads, &page).await).await;
    let mut grants_of = Vec::new();
    for principal in &principals {
        grants_of.extend(access::grants_of(reads, &principal.id).await.unwrap());
    }
    Seen {
        servers,
        tools,
        listed,
        below: below
            .into_iter()
            .map(|(id, page)| (id.into(), names(page)))
            .collect(),
        counts: counts
            .into_iter()
            .map(|(id, count)| (id.into(), count))
            .collect(),
        versions: versions
            .into_iter()
            .map(|(id, all)| (id.into(), all))
            .collect(),
        principals,
        grants,
        grants_of,
    }
}

/// A whole list, page by page.
async fn pages<T>(
    mut page: impl AsyncFnMut(PageRequest) -> Result<projections::Page<T>, projections::QueryError>,
) -> Vec<T> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let next = page(PageRequest { first: PAGE, after }).await.unwrap();
        after = next.items.last().map(|item| item.cursor.clone());
        all.extend(next.items.into_iter().map(|item| item.node));
        if !next.has_next {
            return all;
        }
    }
}

/// The position before a tenant's first commit that was recorded after the time.
async fn times_mean_positions(
    reads: &mut TenantConnection,
    history: &[Recorded],
    tenant: &TenantId,
) {
    let its: Vec<&Recorded> = history
        .iter()
        .filter(|recorded| recorded.commit.tenant == *tenant)
        .collect();
    for recorded in &its {
        for micros in [-1, 0, 1] {
            let time: DateTime<Utc> = recorded.commit.recorded_at + TimeDelta::microseconds(micros);
            let later = its.iter().find(|other| other.commit.recorded_at > time);
            let expected = later.map(|later| later.stream_sequence - 1);
            let found = catalog::position_at(reads, time).await.unwrap();
            assert_eq!(found, expected, "{tenant} at {time}");
        }
    }
}

/// The rows of every table: how the log was cut into batches leaves no trace.
async fn tables(connection: &mut PgConnection) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for projector in projectors() {
        for table in projector.tables() {
            let table = format!("{}.{table}", projector.name());
            let statement = format!(
                "SELECT coalesce(string_agg(rows::text, E'\\n' ORDER BY rows::text), '') FROM {table} AS rows"
            );
            let rows = sqlx::query_scalar(&statement)
                .fetch_one(&mut *connection)
                .await;
            all.insert(table, rows.unwrap());
        }
    }
    all
}
