//! A found tool in a few words: enough to choose it, with its id to read it by.

use super::beside::Publisher;
use super::rated::Rated;
use super::text;
use crate::resolution::listing_warnings;
use chrono::Utc;
use projections::catalog;
use projections::marketplace::Listing;
use projections::search::SearchHit;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// Characters of the one line.
const MAX_LINE: usize = 140;
/// Hex digits of the definition's hash: enough to see that it changed.
const DIGEST: usize = 12;

/// One found tool, in short.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Receipt {
    /// `server/name@version`, or `@publisher/server/name` for an installed tool; describe_tool takes it.
    id: String,
    /// Who publishes it; absent for a tool of your own tenant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "String")]
    publisher: Option<String>,
    /// The server's slug.
    server: String,
    /// The tool's name on that server.
    name: String,
    /// The semantic version of the definition.
    version: String,
    /// What the tool does, in one line; describe_tool has the whole text. Written by the server's maker.
    description: String,
    /// What its maker hints about it: `read-only`, `destructive`, `idempotent`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    marks: Vec<&'static str>,
    /// That it is deprecated, what to use instead and until when, or that it was yanked; absent when it is neither.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "String")]
    warning: Option<String>,
    /// What its reviews say: those of the tenant's members, and the public ones; absent without any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Rated")]
    pub(super) rating: Option<Rated>,
    /// Who publishes the server, when the domain was proved; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Publisher")]
    pub(super) verified_publisher: Option<Publisher>,
    /// The first 12 digits of the definition's hash, schemas included: a definition read before is still in force
    /// where they are the same.
    definition: String,
    /// Higher is better; comparable within this search only.
    score: f64,
    /// Words of the query that the tool's text contains.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    matched: Vec<String>,
}

impl Receipt {
    pub(super) fn of(hit: &SearchHit, tool: &catalog::Tool) -> Self {
        let description = match &tool.title {
            Some(title) => format!("{}: {}", text::label(title), tool.description),
            None => tool.description.clone(),
        };
        Self {
            id: format!("{}/{}@{}", tool.server, tool.name, tool.tool_version),
            publisher: None,
            server: tool.server.clone(),
            name: tool.name.clone(),
            version: tool.tool_version.clone(),
            description: text::line(&description, MAX_LINE),
            marks: marks(tool.annotations.as_ref()),
            warning: own_warning(tool),
            rating: None,
            verified_publisher: None,
            definition: tool.definition_hash.chars().take(DIGEST).collect(),
            score: rounded(hit.score.into()),
            matched: hit.why.matched_terms.clone(),
        }
    }

    /// The receipt of a tool that the tenant has installed.
    pub(super) fn installed(hit: &SearchHit, listing: &Listing) -> Self {
        let (reference, version) = (&listing.reference, &listing.version);
        let definition = &listing.definition;
        let description = match &listing.title {
            Some(title) => format!("{}: {}", text::label(title), definition.description),
            None => definition.description.clone(),
        };
        Self {
            id: reference.to_string(),
            publisher: Some(reference.publisher.to_string()),
            server: reference.server.clone(),
            name: reference.name.clone(),
            version: version.tool_version.to_string(),
            description: text::line(&description, MAX_LINE),
            marks: marks(definition.annotations.as_ref()),
            warning: installed_warning(listing),
            rating: None,
            verified_publisher: None,
            definition: version.definition_hash.chars().take(DIGEST).collect(),
            score: rounded(hit.score.into()),
            matched: hit.why.matched_terms.clone(),
        }
    }

    /// The receipt as a line of the answer.
    pub(super) fn render(&self, place: usize) -> String {
        let mut out = format!("{place}. {} — {}", self.id, self.description);
        if !self.marks.is_empty() {
            let _ = write!(out, " [{}]", self.marks.join(", "));
        }
        if !self.matched.is_empty() {
            let _ = write!(out, " · matched {}", self.matched.join(", "));
        }
        if let Some(rating) = self.rating {
            let _ = write!(out, " · rated {}", rating.render());
        }
        if let Some(publisher) = &self.verified_publisher {
            let _ = write!(out, " · {}", marked(publisher));
        }
        let _ = writeln!(out, " · definition {}", self.definition);
        if let Some(warning) = &self.warning {
            let _ = writeln!(out, "   Warning: {warning}");
        }
        out
    }

    /// The name by which it is read, without its version.
    pub(super) fn reference(&self) -> String {
        text::reference(self.publisher.as_deref(), &self.server, &self.name)
    }
}

/// The mark of a publisher in words, the same wherever a tool is told of.
pub(super) fn marked(publisher: &Publisher) -> String {
    let Publisher { namespace, method } = publisher;
    format!("verified publisher {namespace} ({method})")
}

/// That the current version is deprecated.
pub(super) fn own_warning(tool: &catalog::Tool) -> Option<String> {
    let told = tool.current_deprecation()?.told(Utc::now().date_naive());
    Some(text::summary(&told))
}

/// That the version which is installed is yanked or deprecated.
pub(super) fn installed_warning(listing: &Listing) -> Option<String> {
    let warnings = listing_warnings(listing).join("; ");
    (!warnings.is_empty()).then(|| text::summary(&warnings))
}

/// Only what is said: that a tool which says nothing may be destructive, a reader of every tool knows.
fn marks(annotations: Option<&Value>) -> Vec<&'static str> {
    let said = |name: &str| annotations.and_then(|all| all.get(name)?.as_bool()) == Some(true);
    if said("readOnlyHint") {
        return vec!["read-only"];
    }
    let marks = [
        ("destructiveHint", "destructive"),
        ("idempotentHint", "idempotent"),
    ];
    let given = marks.into_iter().filter(|(hint, _)| said(hint));
    given.map(|(_, mark)| mark).collect()
}

/// Four digits are what a reader can use, and what is stable.
pub(super) fn rounded(score: f64) -> f64 {
    (score * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
pub(super) fn example(name: &str) -> Receipt {
    Receipt {
        id: format!("git/{name}@1.2.0"),
        publisher: None,
        server: "git".into(),
        name: name.into(),
        version: "1.2.0".into(),
        description: "Git log: Shows the history.".into(),
        marks: vec!["read-only"],
        warning: None,
        rating: None,
        verified_publisher: None,
        definition: "1a2b3c4d5e6f".into(),
        score: rounded(0.032_786_883),
        matched: vec!["history".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_one_line() {
        assert_eq!(
            example("git_log").render(2),
            "2. git/git_log@1.2.0 — Git log: Shows the history. [read-only] · matched history \
             · definition 1a2b3c4d5e6f\n"
        );
        let bare = Receipt {
            marks: vec![],
            matched: vec![],
            ..example("git_log")
        };
        assert!(
            bare.render(1)
                .ends_with("history. · definition 1a2b3c4d5e6f\n")
        );
        let rated = Receipt {
            rating: Some(Rated {
                average: 4.25,
                count: 4,
            }),
            ..bare.clone()
        };
        assert!(
            rated
                .render(1)
                .ends_with(" · rated 4.2 of 5 (4 reviews) · definition 1a2b3c4d5e6f\n")
        );
        let published = Receipt {
            verified_publisher: Some(Publisher {
                namespace: "com.example".into(),
                method: "dns",
            }),
            ..bare.clone()
        };
        assert!(
            published
                .render(1)
                .ends_with(" · verified publisher com.example (dns) · definition 1a2b3c4d5e6f\n")
        );
        let value = serde_json::to_value(&bare).unwrap();
        assert!(value.get("marks").is_none() && value["score"] == 0.0328);
        assert!(value.get("verified_publisher").is_none());
    }
}
