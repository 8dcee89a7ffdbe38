//! What can be filtered by. A further key is a further variant: its name, its values, its condition.

use domain::id::TenantId;
use domain::publisher::Namespace;
use domain::team::Team;
use domain::tool::Visibility;
use lancedb::expr::{DfExpr, col, contains, is_in, lit, lower};

use super::super::hints::Hint;
use super::super::rows;
use super::super::scope::InForce;
use super::{rating, version};
use crate::catalog::Status;

/// Longest value of a filter, in characters: longer than any name, category or tag.
const MAX_VALUE: usize = 200;

/// What a search is narrowed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The server's slug.
    Server,
    /// The category.
    Category,
    /// A tag.
    Tag,
    /// Whether in use; [`Status::Active`] when no filter says otherwise.
    Status,
    /// Who may see it; narrows what the caller may see, and never widens it.
    Visibility,
    /// The team that a tool of the caller's tenant belongs to; nobody learns that of another tenant's.
    Team,
    /// A hint about the tool's behaviour, as its maker gives it.
    Hint(Hint),
    /// The tenant that publishes it, by its slug, or the namespace that the server's publisher has proved: a slug holds
    /// no dot, and every namespace that can be proved does.
    Publisher,
    /// Whether the server's publisher has proved a namespace.
    Verified,
    /// The least Bayesian average, as the caller's tenant sees it.
    Rating,
    /// A range of semantic versions.
    Version,
    /// Words that stand one after the other in name, title or description, in whatever case.
    Phrase,
}

impl Key {
    /// Every key.
    pub const ALL: &'static [Self] = &[
        Self::Server,
        Self::Category,
        Self::Tag,
        Self::Status,
        Self::Visibility,
        Self::Team,
        Self::Hint(Hint::ReadOnly),
        Self::Hint(Hint::Destructive),
        Self::Hint(Hint::Idempotent),
        Self::Hint(Hint::OpenWorld),
        Self::Publisher,
        Self::Verified,
        Self::Rating,
        Self::Version,
        Self::Phrase,
    ];

    /// How it is written before the colon; a phrase is written in quotes instead.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Category => "category",
            Self::Tag => "tag",
            Self::Status => "status",
            Self::Visibility => "visibility",
            Self::Team => "team",
            Self::Hint(hint) => hint.name(),
            Self::Publisher => "publisher",
            Self::Verified => "verified",
            Self::Rating => "rating",
            Self::Version => "version",
            Self::Phrase => "phrase",
        }
    }

    /// The key of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let written = Self::ALL.iter().filter(|key| **key != Self::Phrase);
        written.copied().find(|key| key.name() == name)
    }

    /// What its value can be, in words.
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Server | Self::Category | Self::Tag | Self::Phrase => {
                "a text of 1 to 200 characters"
            }
            Self::Status => "`active` or `retired`",
            Self::Visibility => "`private`, `tenant` or `public`",
            Self::Team => "a team's name, a slug such as `payments`",
            Self::Hint(_) | Self::Verified => "`true` or `false`",
            Self::Publisher => {
                "a tenant's slug, such as `acme`, or a namespace in reverse-DNS form, such as `io.github.acme`"
            }
            Self::Rating => "the least number of stars, from `1` to `5`, such as `4` or `>=3.5`",
            Self::Version => {
                "a range such as `^1.2`, `~1.2.3`, `\">=1.2, <2\"` or `=1.2.3`; a pre-release only after `=`"
            }
        }
    }

    /// Whether a second value could only contradict the first.
    pub(super) const fn is_single(self) -> bool {
        match self {
            Self::Hint(_) | Self::Verified | Self::Rating | Self::Version => true,
            Self::Server
            | Self::Publisher
            | Self::Category
            | Self::Tag
            | Self::Status
            | Self::Visibility
            | Self::Team
            | Self::Phrase => false,
        }
    }

    /// Whether the version of a tool decides on it. All else is the tool's own; a phrase is looked for in the words of
    /// the current version, as a query's words are.
    pub(in super::super) const fn is_of_version(self) -> bool {
        match self {
            Self::Hint(_) | Self::Version => true,
            Self::Server
            | Self::Category
            | Self::Tag
            | Self::Status
            | Self::Visibility
            | Self::Team
            | Self::Publisher
            | Self::Verified
            | Self::Rating
            | Self::Phrase => false,
        }
    }

    /// [`Self::condition`] of a version in force, which no row holds; nothing is asked of it by what is not
    /// [of a version](Self::is_of_version).
    pub(super) fn holds(self, value: &str, tool: &InForce) -> bool {
        match self {
            Self::Hint(hint) => tool.hints.contains(&hint) == (value == "true"),
            Self::Version => version::is_within(value, &tool.version),
            Self::Server
            | Self::Category
            | Self::Tag
            | Self::Status
            | Self::Visibility
            | Self::Team
            | Self::Publisher
            | Self::Verified
            | Self::Rating
            | Self::Phrase => true,
        }
    }

    /// The value in its one form; `None` when it is not allowed.
    pub(super) fn canonical(self, value: &str) -> Option<String> {
        let value = value.trim();
        match self {
            Self::Server | Self::Category | Self::Tag | Self::Phrase => {
                let fits = !value.is_empty() && value.chars().nth(MAX_VALUE).is_none();
                fits.then(|| value.to_owned())
            }
            Self::Status => [Status::Active, Status::Retired]
                .iter()
                .find(|status| status.as_str() == value)
                .map(|status| status.as_str().to_owned()),
            Self::Visibility => {
                let visibility: Visibility = value.parse().ok()?;
                Some(visibility.as_str().to_owned())
            }
            Self::Team => Team::new(value).ok().map(String::from),
            Self::Hint(_) | Self::Verified => {
                matches!(value, "true" | "false").then(|| value.to_owned())
            }
            Self::Publisher if is_namespace(value) => {
                Namespace::parse(value).ok().map(String::from)
            }
            Self::Publisher => TenantId::new(value).ok().map(String::from),
            Self::Rating => rating::canonical(value),
            Self::Version => version::canonical(value),
        }
    }

    /// What a tool fulfils that has one of these values, for a caller of the tenant; `None` for a rating, which is no
    /// column.
    pub(super) fn condition(self, values: &[&str], tenant: &TenantId) -> Option<DfExpr> {
        let any = |column: &str| is_in(col(column), values.iter().map(|v| lit(*v)).collect());
        // A tool without a category or a team is of none: null would be neither of this one nor of another.
        let any_given = |column: &str| col(column).is_not_null().and(any(column));
        Some(match self {
            Self::Rating => return None,
            Self::Server => any("server"),
            Self::Category => any_given("category"),
            Self::Publisher => either(values, |value| {
                if is_namespace(value) {
                    let proved = col("publisher").is_not_null();
                    proved.and(col("publisher").eq(lit(value)))
                } else {
                    col("tenant").eq(lit(value))
                }
            }),
            Self::Verified => either(values, |value| {
                let proved = col("publisher").is_not_null();
                if value == "true" { proved } else { !proved }
            }),
            Self::Status => any("status"),
            Self::Visibility => any("visibility"),
            Self::Team => any_given("team").and(col("tenant").eq(lit(tenant.as_str()))),
            Self::Tag => either(values, |tag| contains(col("tags"), lit(rows::marked(tag)))),
            Self::Hint(hint) => either(values, |value| {
                let given = contains(col("hints"), lit(rows::marked(hint.name())));
                if value == "true" { given } else { !given }
            }),
            Self::Version => either(values, version::condition),
            Self::Phrase => either(values, |phrase| {
                let phrase = phrase.to_lowercase();
                let holds = |column: &str| contains(lower(col(column)), lit(phrase.as_str()));
                holds("name")
                    .or(holds("description"))
                    .or(col("title").is_not_null().and(holds("title")))
            }),
        })
    }
}

/// Whether a publisher is named by a namespace, and not by the slug of its tenant.
fn is_namespace(publisher: &str) -> bool {
    publisher.contains('.')
}

/// One of several conditions; false for none.
fn either(values: &[&str], condition: impl Fn(&str) -> DfExpr) -> DfExpr {
    let conditions = values.iter().map(|value| condition(value));
    conditions.reduce(DfExpr::or).unwrap_or_else(|| lit(false))
}
