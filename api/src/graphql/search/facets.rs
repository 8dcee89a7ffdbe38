//! How many hits of a search, or of the marketplace, have which value.

use async_graphql::SimpleObject;
use projections::search;

/// How many hits have which value, the fifty most frequent values of each kind, the most frequent first.
#[derive(Clone, SimpleObject)]
#[graphql(name = "SearchFacets")]
pub(in crate::graphql) struct Facets {
    /// Hits that were counted: those of all pages, and without words every tool that the filter lets through.
    counted: usize,
    /// By category.
    categories: Vec<Facet>,
    /// By tag.
    tags: Vec<Facet>,
    /// By server's slug.
    servers: Vec<Facet>,
    /// By status.
    statuses: Vec<Facet>,
    /// By hint that holds: `readonly`, `destructive`, `idempotent`, `openworld`.
    hints: Vec<Facet>,
    /// By visibility.
    visibilities: Vec<Facet>,
    /// By the namespace that the server's publisher has proved.
    publishers: Vec<Facet>,
    /// By whether the server's publisher has proved a namespace: `true`, `false`.
    verified: Vec<Facet>,
    /// By least rating, `4.5`, `4`, `3.5`, `3` and `2`, in this order: a tool counts for each that it reaches.
    ratings: Vec<Facet>,
}

/// A value, and how many hits have it.
#[derive(Clone, SimpleObject)]
#[graphql(name = "SearchFacet")]
struct Facet {
    /// The value, as a filter takes it.
    value: String,
    /// How many.
    count: usize,
}

impl From<search::Facets> for Facets {
    fn from(facets: search::Facets) -> Self {
        let values = |facets: Vec<search::Facet>| {
            let facets = facets.into_iter();
            facets
                .map(|search::Facet { value, count }| Facet { value, count })
                .collect()
        };
        Self {
            counted: facets.counted,
            categories: values(facets.categories),
            tags: values(facets.tags),
            servers: values(facets.servers),
            statuses: values(facets.statuses),
            hints: values(facets.hints),
            visibilities: values(facets.visibilities),
            publishers: values(facets.publishers),
            verified: values(facets.verified),
            ratings: values(facets.ratings),
        }
    }
}
