//! What the found tools are made up of, as far as there is room: the facets that GraphQL's `searchTools` has.

use super::budget::Budget;
use super::text;
use projections::search;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;

/// Values of each kind that are tried, most first.
const VALUES: [usize; 5] = [50, 20, 10, 5, 2];

/// How many of the tools on all pages have which value; the most frequent values first. A kind without values is
/// absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Facets {
    /// Tools that were counted.
    counted: usize,
    /// By category.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    categories: Vec<Facet>,
    /// By tag.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    tags: Vec<Facet>,
    /// By server's slug.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    servers: Vec<Facet>,
    /// By status.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    statuses: Vec<Facet>,
    /// By hint that holds: `readonly`, `destructive`, `idempotent`, `openworld`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    hints: Vec<Facet>,
    /// By visibility.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    visibilities: Vec<Facet>,
    /// By the namespace that the server's publisher has proved.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    publishers: Vec<Facet>,
    /// By whether the server's publisher has proved a namespace: `true`, `false`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    verified: Vec<Facet>,
    /// By least rating: a tool counts for each that it reaches.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    ratings: Vec<Facet>,
}

/// A value, and how many tools have it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Facet {
    /// The value, as a filter takes it.
    value: String,
    /// How many.
    count: usize,
}

impl Facets {
    /// As many values of each kind as fit into half of what is left: the other half is for the tools. None when
    /// not even two of each fit.
    pub(super) fn within(budget: &mut Budget, found: &search::Facets) -> Option<Self> {
        let mut tried = VALUES.iter().map(|most| Self::of(found, *most));
        tried.find(|facets| budget.takes_beside(&facets.render(), facets))
    }

    fn of(found: &search::Facets, most: usize) -> Self {
        let values = |facets: &[search::Facet]| {
            let facets = facets.iter().take(most);
            facets
                .map(|facet| Facet {
                    value: facet.value.clone(),
                    count: facet.count,
                })
                .collect()
        };
        Self {
            counted: found.counted,
            categories: values(&found.categories),
            tags: values(&found.tags),
            servers: values(&found.servers),
            statuses: values(&found.statuses),
            hints: values(&found.hints),
            visibilities: values(&found.visibilities),
            publishers: values(&found.publishers),
            verified: values(&found.verified),
            ratings: values(&found.ratings),
        }
    }

    /// One line for each kind, by the key of its filter.
    pub(super) fn render(&self) -> String {
        let mut out = format!("Of {} tools:\n", self.counted);
        for (key, facets) in [
            ("category", &self.categories),
            ("tag", &self.tags),
            ("server", &self.servers),
            ("status", &self.statuses),
            ("hint, as in readonly:true", &self.hints),
            ("visibility", &self.visibilities),
            ("publisher", &self.publishers),
            ("verified", &self.verified),
            ("rating", &self.ratings),
        ] {
            if facets.is_empty() {
                continue;
            }
            let told = |facet: &Facet| format!("{} ({})", text::label(&facet.value), facet.count);
            let values: Vec<_> = facets.iter().map(told).collect();
            let _ = writeln!(out, "  {key}: {}", values.join(", "));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::tokens;
    use super::*;

    fn found() -> search::Facets {
        let value = |n: usize| search::Facet {
            value: format!("tag-{n:02}"),
            count: 60 - n,
        };
        search::Facets {
            counted: 60,
            tags: (0..50).map(value).collect(),
            ..search::Facets::default()
        }
    }

    #[test]
    fn the_most_frequent_values_are_told_as_far_as_half_of_the_budget_goes() {
        let facets = |tokens| {
            let mut budget = Budget::of(Some(tokens), 100, "").unwrap();
            Facets::within(&mut budget, &found())
        };
        for (budget, values) in [(10_000, Some(50)), (500, Some(20)), (100, Some(2))] {
            let told = facets(budget);
            assert_eq!(
                told.as_ref().map(|told| told.tags.len()),
                values,
                "{budget}"
            );
            let told = told.unwrap();
            assert_eq!(told.tags[0].value, "tag-00");
            let cost = tokens(&serde_json::to_string(&told).unwrap());
            assert!(
                cost <= usize::try_from(budget).unwrap() / 2,
                "{budget}: {cost}"
            );
        }
        let mut spent = Budget::of(Some(100), 100, "").unwrap();
        assert!(spent.takes(&"x".repeat(300), &""));
        assert_eq!(Facets::within(&mut spent, &found()), None);
    }

    #[test]
    fn reads_as_one_line_for_each_kind_that_has_values() {
        let facets = Facets::of(&found(), 2);
        assert_eq!(
            facets.render(),
            "Of 60 tools:\n  tag: tag-00 (60), tag-01 (59)\n"
        );
    }
}
