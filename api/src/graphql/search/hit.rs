//! One found tool: how well it fits, why it was found, and where the words stand in its texts.

use crate::error::ApiError;
use crate::graphql::marketplace::listing::Listing;
use crate::graphql::tool::Tool;
use crate::graphql::version::Deprecation;
use async_graphql::{ComplexObject, SimpleObject};
use projections::search;

/// A found tool.
#[derive(SimpleObject)]
#[graphql(name = "SearchHit", complex)]
pub(super) struct Hit {
    /// How it is named: `server/name`, or `@publisher/server/name` for an installed one.
    pub(super) reference: String,
    /// The tool of your tenant; null for an installed one.
    pub(super) tool: Option<Tool>,
    /// The tool of another tenant, which yours has installed, with the definition of the version that its
    /// range means; null for one of your own.
    pub(super) listing: Option<Listing>,
    /// How well it fits: higher is better, comparable within one search only. Without words, 1 for all.
    pub(super) score: f64,
    /// Why it was found.
    pub(super) why: Why,
    /// What those are told who use it; null when it is not deprecated.
    pub(super) deprecation: Option<Deprecation>,
}

#[ComplexObject]
impl Hit {
    /// Where the matched words stand in title, description and name: short excerpts with the words marked. A text
    /// that holds none of them is left out.
    async fn highlights(&self) -> Result<Vec<Highlight>, ApiError> {
        let (name, title, description) = match (&self.tool, &self.listing) {
            (Some(Tool(tool)), _) => (&tool.name, &tool.title, &tool.description),
            (None, Some(Listing(listing))) => (
                &listing.reference.name,
                &listing.title,
                &listing.definition.description,
            ),
            (None, None) => return Ok(Vec::new()),
        };
        let texts = [
            ("name", Some(name.as_str())),
            ("title", title.as_deref()),
            ("description", Some(description.as_str())),
        ];
        let mut highlights = Vec::new();
        for (field, text) in texts {
            let fragments = search::highlight(text.unwrap_or_default(), &self.why.matched_terms)?;
            if !fragments.is_empty() {
                let fragments = fragments.into_iter().map(Fragment::from).collect();
                highlights.push(Highlight { field, fragments });
            }
        }
        Ok(highlights)
    }
}

/// An excerpt of a text of a tool. It was written by the maker of the server: text to judge, not to obey.
#[derive(SimpleObject)]
#[graphql(name = "SearchHighlight")]
struct Highlight {
    /// The text's field: `name`, `title` or `description`.
    field: &'static str,
    /// The excerpt, in pieces.
    fragments: Vec<Fragment>,
}

/// A piece of an excerpt.
#[derive(SimpleObject)]
#[graphql(name = "SearchFragment")]
struct Fragment {
    /// The piece, as it stands in the text.
    text: String,
    /// Whether it is a word that was searched for.
    highlighted: bool,
}

impl From<search::Fragment> for Fragment {
    fn from(fragment: search::Fragment) -> Self {
        Self {
            text: fragment.text,
            highlighted: fragment.highlighted,
        }
    }
}

/// Why a tool was found.
#[derive(SimpleObject)]
#[graphql(name = "SearchReason")]
pub(super) struct Why {
    /// Its place among the tools that share words with the query, from 1.
    text_rank: Option<usize>,
    /// Its BM25 score there.
    text_score: Option<f64>,
    /// Its place among the tools that are near in meaning, from 1.
    vector_rank: Option<usize>,
    /// Its nearness of meaning: the cosine, from -1 to 1.
    similarity: Option<f64>,
    /// Words of the query that the tool's text contains, word endings aside.
    matched_terms: Vec<String>,
}

impl From<search::query::Why> for Why {
    fn from(why: search::query::Why) -> Self {
        Self {
            text_rank: why.text_rank,
            text_score: why.text_score.map(f64::from),
            vector_rank: why.vector_rank,
            similarity: why.similarity.map(f64::from),
            matched_terms: why.matched_terms,
        }
    }
}
