//! The rows of the catalogue, as queries answer them.

use super::stored::StoredJson;
use super::tool_row::VersionMark;
use crate::error::{QueryError, corrupt};
use crate::moment::Moment;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::id::{ServerId, ToolId};
use domain::server::Transport;
use domain::team::Team;
use domain::tool::{Alias, Deprecation, Visibility};
use semver::Version;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Decode, Postgres, Row, Type};
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
    pub input_schema: Option<StoredJson>,
    /// JSON Schema of the structured result.
    pub output_schema: Option<StoredJson>,
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
    /// The team that it belongs to, and that it is kept to while it is private.
    pub team: Option<Team>,
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

/// The columns that [`read_tool`] reads, in its order.
pub(super) const READ_COLUMNS: &str = "tool_id, server_id, server, name, title, description, input_schema, \
                       output_schema, annotations, definition_hash, tool_version, aliases, \
                       version_marks, deprecation, category, tags, visibility, team, status, retired_reason, \
                       retired_with_server, \
                       registered_at, updated_at";

/// Reads the columns one after another: to look each up by its name takes longer than to read it.
pub(super) fn read_tool(row: &PgRow, moment: Moment) -> Result<Tool, QueryError> {
    let mut columns = Columns { row, next: 0 };
    Ok(Tool {
        id: columns.next::<String>()?.try_into().map_err(corrupt)?,
        server_id: columns.next::<String>()?.try_into().map_err(corrupt)?,
        server: columns.next()?,
        name: columns.next()?,
        title: columns.next()?,
        description: columns.next()?,
        input_schema: columns.next::<Option<Json<_>>>()?.map(StoredJson::from),
        output_schema: columns.next::<Option<Json<_>>>()?.map(StoredJson::from),
        annotations: columns.next()?,
        definition_hash: columns.next()?,
        tool_version: columns.next()?,
        aliases: columns.next().map(|Json(aliases)| aliases)?,
        version_marks: columns.next().map(|Json(marks)| marks)?,
        deprecation: columns.next::<Option<Json<_>>>()?.map(|Json(told)| told),
        category: columns.next()?,
        tags: columns.next()?,
        visibility: Visibility::from_str(columns.next()?).map_err(corrupt)?,
        team: columns
            .next::<Option<String>>()?
            .map(Team::new)
            .transpose()
            .map_err(corrupt)?,
        status: Status::read(columns.next()?)?,
        retired_reason: columns.next()?,
        retired_with_server: columns.next()?,
        registered_at: columns.next()?,
        updated_at: columns.next()?,
        moment,
    })
}

/// The columns of a row, one after another.
struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Columns<'r> {
    fn next<T: Decode<'r, Postgres> + Type<Postgres>>(&mut self) -> Result<T, sqlx::Error> {
        let column = self.next;
        self.next += 1;
        self.row.try_get(column)
    }
}
