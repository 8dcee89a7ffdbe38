//! The catalogue's rows by `COPY`: the same rows as the live path writes, for a rebuild. A row that was there
//! before the batch is overwritten as the live path does; the rest, which is most of them, is new.

use super::fold::{Key, Rows, key};
use super::past::Past;
use super::save::{SERVER_COLUMNS, TOOL_COLUMNS, VERSION_COLUMNS, save};
use super::server_row::ServerRow;
use super::tool_row::ToolRow;
use super::version_row::VersionRow;
use crate::checkpoint::to_i64;
use crate::copy::CopyRows;
use crate::error::ProjectionError;
use crate::projector::Recorded;
use chrono::{DateTime, Utc};
use domain::server::Transport;
use domain::team::Team;
use domain::tool::ToolDefinition;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) async fn write(
    connection: &mut PgConnection,
    rows: Rows<'_>,
    batch: &[Recorded],
) -> Result<(), ProjectionError> {
    // An object's first commit brings its row.
    let first = batch.iter().filter(|one| one.commit.sequence == 1);
    let begun: BTreeSet<Key> = first.map(key).collect();
    let (changed, new) = part(rows.servers, &begun);
    save(connection, "servers", "server_id", SERVER_COLUMNS, &changed).await?;
    let mut copy = CopyRows::new("servers", columns(&["server_id"], SERVER_COLUMNS, &[]));
    new.iter().for_each(|row| server(&mut copy, row));
    copy.send(connection).await?;
    let past = columns(&["server_id"], SERVER_COLUMNS, &["valid_to"]);
    copy_past(connection, "servers_past", past, &rows.servers_past, server).await?;

    let (changed, new) = part(rows.tools, &begun);
    save(connection, "tools", "tool_id", TOOL_COLUMNS, &changed).await?;
    let mut copy = CopyRows::new("tools", columns(&["tool_id"], TOOL_COLUMNS, &[]));
    new.iter().for_each(|row| tool(&mut copy, row));
    copy.send(connection).await?;
    let past = columns(&["tool_id"], TOOL_COLUMNS, &["valid_to"]);
    copy_past(connection, "tools_past", past, &rows.tools_past, tool).await?;

    let versions = columns(&["tool_id", "tool_version"], VERSION_COLUMNS, &[]);
    let mut copy = CopyRows::new("tool_versions", versions);
    rows.versions.iter().for_each(|row| version(&mut copy, row));
    copy.send(connection).await?;
    write_moments(connection, batch).await
}

/// As [`save_moments`](super::past::save_moments), for commits that come in the order of the log: nothing
/// that is there can be later in the log than what comes.
async fn write_moments(
    connection: &mut PgConnection,
    batch: &[Recorded],
) -> Result<(), ProjectionError> {
    let tenants: BTreeSet<&str> = batch.iter().map(|one| one.commit.tenant.as_str()).collect();
    let known: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT t, last.recorded_at FROM unnest($1::text[]) AS t,
             LATERAL (SELECT recorded_at FROM moments WHERE tenant = t
                      ORDER BY recorded_at DESC LIMIT 1) AS last",
    )
    .bind(tenants.into_iter().collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let mut latest: HashMap<&str, DateTime<Utc>> = HashMap::new();
    latest.extend(known.iter().map(|(tenant, at)| (tenant.as_str(), *at)));
    let mut copy = CopyRows::new("moments", vec!["tenant", "recorded_at", "stream_sequence"]);
    for recorded in batch {
        let (tenant, time) = (recorded.commit.tenant.as_str(), recorded.commit.recorded_at);
        if latest.get(tenant).is_none_or(|latest| time > *latest) {
            latest.insert(tenant, time);
            copy.row();
            copy.text(tenant);
            copy.time(time);
            copy.bigint(to_i64(recorded.stream_sequence));
        }
    }
    copy.send(connection).await
}

/// The rows that were there before, and those that were not.
fn part<T>(rows: BTreeMap<Key, T>, begun: &BTreeSet<Key>) -> (Vec<T>, Vec<T>) {
    let (mut changed, mut new) = (Vec::new(), Vec::new());
    for (key, row) in rows {
        match begun.contains(&key) {
            true => new.push(row),
            false => changed.push(row),
        }
    }
    (changed, new)
}

fn columns(
    id: &[&'static str],
    columns: &[&'static str],
    end: &[&'static str],
) -> Vec<&'static str> {
    [&["tenant"][..], id, columns, end].concat()
}

async fn copy_past<T>(
    connection: &mut PgConnection,
    table: &'static str,
    columns: Vec<&'static str>,
    past: &[Past<T>],
    write: fn(&mut CopyRows, &T),
) -> Result<(), ProjectionError> {
    let mut copy = CopyRows::new(table, columns);
    for image in past {
        write(&mut copy, &image.row);
        copy.bigint(image.valid_to);
    }
    copy.send(connection).await
}

/// In the order of [`SERVER_COLUMNS`].
fn server(copy: &mut CopyRows, row: &ServerRow) {
    copy.row();
    copy.text(&row.tenant);
    copy.text(&row.server_id);
    copy.text(&row.slug);
    copy.text(&row.profile.name);
    copy.opt_text(row.profile.registry_name.as_deref());
    copy.text(&row.profile.description);
    copy.opt_text(row.profile.homepage.as_deref());
    copy.opt_text(row.profile.license.as_deref());
    copy.opt_text(row.profile.transport.map(Transport::as_str));
    copy.opt_text(row.profile.category.as_deref());
    copy.texts(row.profile.tags.iter().map(String::as_str));
    copy.text(&row.status);
    copy.opt_text(row.retired_reason.as_deref());
    copy.time(row.registered_at);
    copy.time(row.updated_at);
    copy.bigint(row.valid_from);
}

/// In the order of [`TOOL_COLUMNS`].
fn tool(copy: &mut CopyRows, row: &ToolRow) {
    copy.row();
    copy.text(&row.tenant);
    copy.text(&row.tool_id);
    copy.text(&row.server_id);
    copy.text(&row.server);
    copy.text(&row.name);
    copy.opt_text(row.profile.title.as_deref());
    definition(copy, &row.definition, &row.definition_hash);
    copy.text(&row.tool_version.to_string());
    copy.jsonb(&row.aliases);
    copy.jsonb(&row.version_marks);
    copy.opt_jsonb(row.deprecation.as_ref());
    copy.opt_text(row.profile.category.as_deref());
    copy.texts(row.profile.tags.iter().map(String::as_str));
    copy.text(row.profile.visibility.as_str());
    copy.opt_text(row.profile.team.as_ref().map(Team::as_str));
    copy.text(&row.status);
    copy.opt_text(row.retired_reason.as_deref());
    copy.bool(row.retired_with_server);
    copy.time(row.registered_at);
    copy.time(row.updated_at);
    copy.bigint(row.valid_from);
}

/// In the order of [`VERSION_COLUMNS`].
fn version(copy: &mut CopyRows, row: &VersionRow<'_>) {
    copy.row();
    copy.text(row.tenant);
    copy.text(row.tool_id);
    copy.text(&row.tool_version.to_string());
    definition(copy, row.definition, row.definition_hash);
    copy.bigint(row.stream_sequence);
    copy.time(row.published_at);
    copy.text(row.actor_kind);
    copy.text(row.actor_id);
}

/// Description, schemas, annotations and hash, which follow on each other in both tables.
fn definition(copy: &mut CopyRows, definition: &ToolDefinition, hash: &str) {
    copy.text(&definition.description);
    copy.opt_jsonb(given(definition.input_schema.as_ref()));
    copy.opt_jsonb(given(definition.output_schema.as_ref()));
    copy.opt_jsonb(given(definition.annotations.as_ref()));
    copy.text(hash);
}

/// A JSON null is no value in the rows of the live path, either.
fn given(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}
