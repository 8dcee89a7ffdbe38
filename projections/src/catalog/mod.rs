//! Read model `catalog`: servers, tools and their versions.

mod bulk;
mod facets;
mod fold;
mod past;
mod pins;
mod projector;
mod queries;
mod rows;
pub(crate) mod save;
mod server_queries;
mod server_row;
mod shelf;
mod stored;
mod successors;
mod tool_row;
mod version_row;
mod versions;

pub use facets::{Count, ToolFacets, category_counts, tool_facets};
pub use past::{changed_after, position_at};
pub use pins::{Pin, Pins, pins};
pub use projector::CatalogProjector;
pub use queries::{
    ToolFilter, count_tools, last_change, tool_counts, tools, tools_by_id, tools_by_server,
};
pub use rows::{Server, Status, Tool};
pub(crate) use save::save;
pub use server_queries::{ServerFilter, count_servers, server_by_slug, servers, servers_by_id};
pub use stored::StoredJson;
pub use tool_row::VersionMark;
pub(crate) use versions::read_definition;
pub use versions::{ToolVersion, definitions, version_pages, versions_by_tool};

/// The projector's name.
pub const NAME: &str = "catalog";

/// What a list is sorted by; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The name.
    Name,
    /// When it began.
    RegisteredAt,
    /// When it last changed.
    UpdatedAt,
}

/// How a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: Order,
    /// Largest first.
    pub descending: bool,
}

impl Sort {
    fn column(self) -> &'static str {
        match self.by {
            Order::Name => "name",
            Order::RegisteredAt => "registered_at",
            Order::UpdatedAt => "updated_at",
        }
    }

    /// The column's type, for the key that travels in a cursor as text.
    fn cast(self) -> &'static str {
        match self.by {
            Order::Name => "text",
            Order::RegisteredAt | Order::UpdatedAt => "timestamptz",
        }
    }

    /// `AND (key, id) > ($, $) ORDER BY key, id LIMIT $`.
    fn push_page(
        self,
        query: &mut sqlx::QueryBuilder<'_, sqlx::Postgres>,
        id: &str,
        page: &crate::page::PageRequest,
    ) -> Result<(), crate::error::QueryError> {
        let (column, cast) = (self.column(), self.cast());
        let (sign, direction) = if self.descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        if let Some(after) = page.keyset()? {
            if self.by != Order::Name && chrono::DateTime::parse_from_rfc3339(&after.key).is_err() {
                return Err(crate::error::QueryError::InvalidCursor);
            }
            query.push(format!(" AND ({column}, {id}) {sign} ("));
            query
                .push_bind(after.key)
                .push(format!("::{cast}, "))
                .push_bind(after.id)
                .push(")");
        }
        query.push(format!(
            " ORDER BY {column} {direction}, {id} {direction} LIMIT "
        ));
        query.push_bind(page.limit());
        Ok(())
    }
}

/// A pattern for ILIKE that finds the text itself.
pub(crate) fn contains(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}
