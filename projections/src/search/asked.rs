//! A request, read: the words that are looked up, and all that narrows as one expression.

use std::collections::HashSet;

use lancedb::expr::{DfExpr, col, lit};

use super::document::ACTIVE;
use super::error::SearchError;
use super::language::{Key, LeastRating, SearchFilter, SearchQuery};
use super::query::{Mode, SearchRequest, Sort};
use super::ratings::Ratings;
use super::scope::{InForce, Scope};
use super::words::words;

/// Characters of a query that are read.
const MAX_QUERY_CHARS: usize = 4_000;
/// Different words of a query that are looked up.
const MAX_QUERY_WORDS: usize = 64;

/// A request, read.
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) words: Vec<String>,
    /// All that narrows, but for the ratings, which the version that is read decides on.
    filter: DfExpr,
    pub(super) least: Option<LeastRating>,
    unknown: Vec<String>,
}

impl Asked {
    pub(super) fn of(request: &SearchRequest) -> Result<Self, SearchError> {
        let line = request.query.trim();
        let line = line
            .char_indices()
            .nth(MAX_QUERY_CHARS)
            .map_or(line, |(end, _)| &line[..end]);
        let query = SearchQuery::parse(line)?;
        let narrowed = query.filter.and(request.filter.clone())?;
        // The marketplace can be listed as a whole; of the tenant's own tools the catalogue is the list.
        let listed = matches!(request.scope, Scope::Marketplace { .. });
        if query.text.is_empty() && narrowed.is_empty() && !listed {
            return Err(SearchError::EmptyQuery);
        }
        // A phrase alone narrows and ranks.
        let text = if query.text.is_empty() {
            narrowed.phrases().collect::<Vec<_>>().join(" ")
        } else {
            query.text
        };
        Ok(Self {
            words: distinct_words(&text),
            filter: filter(request, &narrowed),
            least: narrowed.least_rating(),
            text,
            unknown: query.unknown,
        })
    }

    /// All that decides on what is found: the filter holds the caller's tenant and rights, too.
    pub(super) fn binding(&self, sort: Sort, mode: Mode) -> [String; 3] {
        let filter = format!("{:?} {:?}", self.filter, self.least);
        [self.text.clone(), filter, format!("{sort:?} {mode:?}")]
    }

    pub(super) fn filter(&self, ratings: &Ratings) -> DfExpr {
        match self.least {
            Some(least) => self.filter.clone().and(ratings.condition(least)),
            None => self.filter.clone(),
        }
    }

    pub(super) fn with_notice(&self, notice: Option<String>) -> Option<String> {
        let unknown = (!self.unknown.is_empty()).then(|| {
            let names = self.unknown.join(":`, `");
            let keys = Key::ALL.iter().filter(|key| **key != Key::Phrase);
            let keys: Vec<&str> = keys.map(|key| key.name()).collect();
            format!(
                "`{names}:` is no filter and was searched as text; filters are {}",
                keys.join(", ")
            )
        });
        match (notice, unknown) {
            (Some(notice), Some(unknown)) => Some(format!("{notice}; {unknown}")),
            (notice, unknown) => notice.or(unknown),
        }
    }
}

/// The different words of a query, in their order.
fn distinct_words(query: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    words(query)
        .into_iter()
        .filter(|word| seen.insert(word.clone()))
        .take(MAX_QUERY_WORDS)
        .collect()
}

/// What may be found at all, as an expression and never as SQL text: nothing a caller sends is parsed.
fn filter(request: &SearchRequest, narrowed: &SearchFilter) -> DfExpr {
    let mut filter = request.scope.reaches(&request.tenant, &request.sight);
    if !narrowed.has(Key::Status) {
        filter = filter.and(col("status").eq(lit(ACTIVE)));
    }
    let tenant = &request.tenant;
    let others = narrowed.condition(tenant, |key| !key.is_of_version());
    let indexed = narrowed.condition(tenant, Key::is_of_version);
    let of_version = indexed.map(|indexed| {
        let holds = |tool: &InForce| narrowed.holds_for(tool);
        request.scope.judges(tenant, indexed, holds)
    });
    let narrowed = others.into_iter().chain(of_version);
    narrowed.fold(filter, DfExpr::and)
}
