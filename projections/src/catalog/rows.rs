//! The rows of the catalogue, as queries answer them.

use super::tool_row::VersionMark;
use crate::access::corrupt;
use crate::error::QueryError;
use crate::moment::Moment;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::envelope::{Actor, ActorKind};
use domain::id::{ServerId, ToolId};
use domain::server::Transport;
use domain::tool::{Alias, Deprecation, Visibility};
use semver::Version;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Whether something is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// Out of use, until it is restored.
    Retired,
}

impl Status {
    /// The text in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, QueryError> {
        match text {
            "active" => Ok(Self::Active),
            "retired" => Ok(Self::Retired),
            other => Err(corrupt(format!("unknown status {other}"))),
        }
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name in its tenant.
    pub slug: String,
    /// The name that people read.
    pub name: String,
    /// Its name across registries.
    pub registry_name: Option<String>,
    /// What it is for.
    pub description: String,
    /// Where to read more.
    pub homepage: Option<String>,
    /// SPDX identifier.
    pub license: Option<String>,
    /// How it is reached.
    pub transport: Option<Transport>,
    /// One word to group by.
    pub category: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// Whether it is in use.
    pub status: Status,
    /// Why it is not.
    pub retired_reason: Option<String>,
    /// When it began.
    pub registered_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The moment that it was read as of; what is nested in it is read as of the same.
    pub moment: Moment,
}

/// A tool with its current definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its id.
    pub id: ToolId,
    /// Its server.
    pub server_id: ServerId,
    /// The server's slug.
    pub server: String,
    /// The name by which it is called.
    pub name: String,
    /// A title for people.
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// Hints about its behaviour.
    pub annotations: Option<Value>,
    /// The definition's identity.
    pub definition_hash: String,
    /// The current version.
    pub tool_version: String,
    /// Where its aliases stand, `latest` aside.
    pub aliases: BTreeMap<Alias, Version>,
    /// What was said of versions after they were published; most have none.
    pub version_marks: BTreeMap<Version, VersionMark>,
    /// What those are told who use any version of it.
    pub deprecation: Option<Deprecation>,
    /// One word to group by.
    pub category: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether it is in use.
    pub status: Status,
    /// Why it is not.
    pub retired_reason: Option<String>,
    /// It went out of use with its server, and comes back with it.
    pub retired_with_server: bool,
    /// When it began.
    pub registered_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The moment that it was read as of; what is nested in it is read as of the same.
    pub moment: Moment,
}

/// A published version of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolVersion {
    /// The tool.
    pub tool_id: ToolId,
    /// Its version.
    pub tool_version: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Option<Value>,
    /// JSON Schema of the structured result.
    pub output_schema: Option<Value>,
    /// Hints about its behaviour.
    pub annotations: Option<Value>,
    /// The definition's identity.
    pub definition_hash: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Who published it.
    pub published_by: Actor,
    /// The aliases that stand at it, `latest` included.
    pub aliases: Vec<String>,
    /// What was said of it since.
    pub mark: VersionMark,
}

impl Tool {
    /// What those are told who use a version: what is said of the version comes before what is said of the
    /// whole tool.
    #[must_use]
    pub fn deprecation_of(&self, version: &Version) -> Option<&Deprecation> {
        let mark = self.version_marks.get(version);
        let own = mark.and_then(|mark| mark.deprecation.as_ref());
        own.or(self.deprecation.as_ref())
    }

    /// What those are told who use the current version.
    #[must_use]
    pub fn current_deprecation(&self) -> Option<&Deprecation> {
        match Version::parse(&self.tool_version) {
            Ok(version) => self.deprecation_of(&version),
            Err(_) => self.deprecation.as_ref(),
        }
    }
}

/// Something that a list can be sorted by.
pub(super) trait Sortable {
    fn key(&self, order: super::Order) -> String;
}

macro_rules! sortable {
    ($type:ty) => {
        impl Sortable for $type {
            fn key(&self, order: super::Order) -> String {
                let micros =
                    |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
                match order {
                    super::Order::Name => self.name.clone(),
                    super::Order::RegisteredAt => micros(&self.registered_at),
                    super::Order::UpdatedAt => micros(&self.updated_at),
                }
            }
        }
    };
}
sortable!(Server);
sortable!(Tool);

pub(super) fn read_server(row: &PgRow, moment: Moment) -> Result<Server, QueryError> {
    let transport: Option<String> = row.try_get("transport")?;
    Ok(Server {
        id: row
            .try_get::<String, _>("server_id")?
            .try_into()
            .map_err(corrupt)?,
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        registry_name: row.try_get("registry_name")?,
        description: row.try_get("description")?,
        homepage: row.try_get("homepage")?,
        license: row.try_get("license")?,
        transport: transport
            .map(|text| Transport::from_str(&text))
            .transpose()
            .map_err(corrupt)?,
        category: row.try_get("category")?,
        tags: row.try_get("tags")?,
        status: Status::read(row.try_get("status")?)?,
        retired_reason: row.try_get("retired_reason")?,
        registered_at: row.try_get("registered_at")?,
        updated_at: row.try_get("updated_at")?,
        moment,
    })
}

pub(super) fn read_tool(row: &PgRow, moment: Moment) -> Result<Tool, QueryError> {
    let visibility: String = row.try_get("visibility")?;
    Ok(Tool {
        id: row
            .try_get::<String, _>("tool_id")?
            .try_into()
            .map_err(corrupt)?,
        server_id: row
            .try_get::<String, _>("server_id")?
            .try_into()
            .map_err(corrupt)?,
        server: row.try_get("server")?,
        name: row.try_get("name")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        input_schema: row.try_get("input_schema")?,
        output_schema: row.try_get("output_schema")?,
        annotations: row.try_get("annotations")?,
        definition_hash: row.try_get("definition_hash")?,
        tool_version: row.try_get("tool_version")?,
        aliases: json(row, "aliases")?,
        version_marks: json(row, "version_marks")?,
        deprecation: row
            .try_get::<Option<Json<Deprecation>>, _>("deprecation")?
            .map(|Json(deprecation)| deprecation),
        category: row.try_get("category")?,
        tags: row.try_get("tags")?,
        visibility: Visibility::from_str(&visibility).map_err(corrupt)?,
        status: Status::read(row.try_get("status")?)?,
        retired_reason: row.try_get("retired_reason")?,
        retired_with_server: row.try_get("retired_with_server")?,
        registered_at: row.try_get("registered_at")?,
        updated_at: row.try_get("updated_at")?,
        moment,
    })
}

pub(super) fn read_version(row: &PgRow) -> Result<ToolVersion, QueryError> {
    let kind: String = row.try_get("actor_kind")?;
    Ok(ToolVersion {
        tool_id: row
            .try_get::<String, _>("tool_id")?
            .try_into()
            .map_err(corrupt)?,
        tool_version: row.try_get("tool_version")?,
        description: row.try_get("description")?,
        input_schema: row.try_get("input_schema")?,
        output_schema: row.try_get("output_schema")?,
        annotations: row.try_get("annotations")?,
        definition_hash: row.try_get("definition_hash")?,
        published_at: row.try_get("published_at")?,
        published_by: Actor {
            kind: ActorKind::from_str(&kind).map_err(corrupt)?,
            id: row.try_get("actor_id")?,
        },
        aliases: row.try_get("standing")?,
        mark: row
            .try_get::<Option<Json<VersionMark>>, _>("mark")?
            .map(|Json(mark)| mark)
            .unwrap_or_default(),
    })
}

fn json<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: for<'de> serde::Deserialize<'de> + Send + Unpin + 'static,
{
    row.try_get(column).map(|Json(value)| value)
}
