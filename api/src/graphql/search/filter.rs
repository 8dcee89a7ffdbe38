//! What narrows a search, as an argument: the same filters as those in the words of the query.

use crate::error::ApiError;
use crate::graphql::enums::{Status, Visibility};
use async_graphql::InputObject;
use projections::catalog;
use projections::search::{Hint, Key, SearchFilter};

/// Narrows a search, as the filters in the query do; a key is given here or there. Several values of one list mean
/// any of them; the fields hold together.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "SearchToolsFilter")]
pub(super) struct SearchToolsFilter {
    /// Only tools of these servers, by slug.
    #[graphql(default)]
    servers: Vec<String>,
    /// Only tools of these categories.
    #[graphql(default)]
    categories: Vec<String>,
    /// Only tools with at least one of these tags.
    #[graphql(default)]
    tags: Vec<String>,
    /// No tools of these servers.
    #[graphql(default)]
    without_servers: Vec<String>,
    /// No tools of these categories.
    #[graphql(default)]
    without_categories: Vec<String>,
    /// No tools with one of these tags.
    #[graphql(default)]
    without_tags: Vec<String>,
    /// Only tools in one of these states; those in use when left out.
    #[graphql(default)]
    statuses: Vec<Status>,
    /// Only tools with one of these visibilities, of those that you may see.
    #[graphql(default)]
    visibilities: Vec<Visibility>,
    /// Only tools of your tenant that belong to one of these teams.
    #[graphql(default)]
    teams: Vec<String>,
    /// No tools of your tenant that belong to one of these teams.
    #[graphql(default)]
    without_teams: Vec<String>,
    /// Only tools that hint that they change nothing, or only those that do not.
    read_only: Option<bool>,
    /// Only tools that may delete or overwrite, or only those that hint that they do not.
    destructive: Option<bool>,
    /// Only tools that hint that a repeated call changes nothing more, or only those that do not.
    idempotent: Option<bool>,
    /// Only tools that may reach outside of their server's world, or only those that hint that they do not.
    open_world: Option<bool>,
    /// Only tools of one of these publishers: a tenant by its slug, such as `acme`, or a namespace that the server's
    /// publisher has proved, such as `io.github.acme`.
    #[graphql(default)]
    publishers: Vec<String>,
    /// No tools of these publishers, named in the same ways.
    #[graphql(default)]
    without_publishers: Vec<String>,
    /// Only tools of servers whose publisher has proved a namespace, or only those of others.
    verified: Option<bool>,
    /// Only tools with at least so many stars, 1 to 5, by the Bayesian average, `rating { bayesian }`. A tool without
    /// a review has the mean of all.
    min_rating: Option<f64>,
    /// Only tools whose version is in this range, such as `^1.2` or `>=1.2, <2`.
    version: Option<String>,
    /// Only tools with all of these phrases in name, title or description.
    #[graphql(default)]
    phrases: Vec<String>,
}

impl SearchToolsFilter {
    /// The filter in the terms of the index.
    pub(super) fn compile(self) -> Result<SearchFilter, ApiError> {
        let mut filter = SearchFilter::default();
        let names = |values: Vec<&'static str>| values.into_iter().map(str::to_owned).collect();
        let statuses = self.statuses.into_iter().map(catalog::Status::from);
        let visibilities = self.visibilities.into_iter();
        let visibilities = visibilities.map(domain::tool::Visibility::from);
        let lists: [(Key, bool, Vec<String>); 13] = [
            (Key::Server, false, self.servers),
            (Key::Category, false, self.categories),
            (Key::Tag, false, self.tags),
            (Key::Server, true, self.without_servers),
            (Key::Category, true, self.without_categories),
            (Key::Tag, true, self.without_tags),
            (Key::Team, false, self.teams),
            (Key::Team, true, self.without_teams),
            (Key::Publisher, false, self.publishers),
            (Key::Publisher, true, self.without_publishers),
            (
                Key::Status,
                false,
                names(statuses.map(catalog::Status::as_str).collect()),
            ),
            (
                Key::Visibility,
                false,
                names(visibilities.map(domain::tool::Visibility::as_str).collect()),
            ),
            (Key::Phrase, false, self.phrases),
        ];
        for (key, negated, values) in lists {
            for value in values {
                filter.add(key, &value, negated)?;
            }
        }
        let said = |wanted: Option<bool>| wanted.map(|wanted| wanted.to_string());
        let single = [
            (Key::Hint(Hint::ReadOnly), said(self.read_only)),
            (Key::Hint(Hint::Destructive), said(self.destructive)),
            (Key::Hint(Hint::Idempotent), said(self.idempotent)),
            (Key::Hint(Hint::OpenWorld), said(self.open_world)),
            (Key::Verified, said(self.verified)),
            (Key::Rating, self.min_rating.map(|stars| stars.to_string())),
            (Key::Version, self.version),
        ];
        for (key, value) in single {
            if let Some(value) = value {
                filter.add(key, &value, false)?;
            }
        }
        Ok(filter)
    }
}
