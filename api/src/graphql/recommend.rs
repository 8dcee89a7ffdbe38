//! What to look at beside a tool: what is used together with it, and what comes next.

use super::loaders::{CompanionsOf, ToolKey};
use super::session::Session;
use super::tool::Tool;
use crate::error::ApiError;
use async_graphql::SimpleObject;
use domain::id::ToolId;
use projections::usage::{Companion, Observed, next_score, together_score};

/// Fewest sessions, or steps, that a recommendation rests on: one may be chance, and one person's.
const LEAST: u64 = 2;
/// Most recommendations of a list.
const MOST: i32 = 20;

/// A tool to look at, and why.
#[derive(SimpleObject)]
pub(super) struct Recommendation {
    /// The tool.
    tool: Tool,
    /// From 0 to 1; comparable within one list.
    score: f64,
    /// Why, in one sentence.
    reason: String,
}

/// By what companions are ranked.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// Sessions that used both.
    Together,
    /// Steps from the one to the other.
    Next,
}

impl By {
    fn support(self, seen: &Observed) -> u64 {
        match self {
            Self::Together => seen.together,
            Self::Next => seen.next,
        }
    }

    fn score(self, seen: &Observed) -> f64 {
        match self {
            Self::Together => together_score(seen),
            Self::Next => next_score(seen),
        }
    }

    fn reason(self, seen: &Observed) -> String {
        match self {
            Self::Together => format!(
                "used in {} of the {} sessions that used this tool",
                seen.together, seen.sessions
            ),
            Self::Next => format!(
                "came next after this tool {} of {} times",
                seen.next, seen.steps
            ),
        }
    }
}

/// The best companions of a tool that the caller may see and that are in use.
pub(super) async fn recommend(
    session: &Session,
    tool: &ToolId,
    by: By,
    first: i32,
) -> Result<Vec<Recommendation>, ApiError> {
    let first = usize::try_from(first.clamp(0, MOST)).unwrap_or_default();
    let companions = session.loaders.load_one(CompanionsOf(tool.clone())).await?;
    let ranked = rank(companions.unwrap_or_default(), by);
    let keys = ranked.iter().map(|(_, one)| ToolKey(one.tool_id.clone()));
    let mut tools = session.loaders.load_many(keys).await?;
    let recommendations = ranked.into_iter().filter_map(|(score, companion)| {
        let tool = tools.remove(&ToolKey(companion.tool_id))?;
        let in_use = matches!(tool.status, projections::catalog::Status::Active);
        in_use.then(|| Recommendation {
            tool: Tool(tool),
            score,
            reason: by.reason(&companion.observed),
        })
    });
    Ok(recommendations.take(first).collect())
}

/// Best first; what is as good, by id.
fn rank(companions: Vec<Companion>, by: By) -> Vec<(f64, Companion)> {
    let supported = companions
        .into_iter()
        .filter(|one| by.support(&one.observed) >= LEAST);
    let mut ranked: Vec<_> = supported
        .map(|one| (by.score(&one.observed), one))
        .collect();
    ranked.sort_by(|one, other| {
        let score = other.0.total_cmp(&one.0);
        score.then_with(|| one.1.tool_id.as_str().cmp(other.1.tool_id.as_str()))
    });
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::TenantId;

    #[test]
    fn what_was_seen_once_is_not_recommended_and_equals_are_in_order() {
        let tenant = TenantId::new("acme").unwrap();
        let companion = |name: &str, together, next| Companion {
            tool_id: ToolId::derive(&tenant, "git", name),
            observed: Observed {
                together,
                next,
                sessions: 10,
                steps: 10,
                other_sessions: 10,
            },
        };
        let all = vec![
            companion("once", 1, 1),
            companion("a", 5, 0),
            companion("b", 5, 0),
            companion("best", 9, 2),
        ];
        let together = rank(all.clone(), By::Together);
        assert_eq!(together.len(), 3);
        assert_eq!(together[0].1, companion("best", 9, 2));
        let mut reversed = all.clone();
        reversed.reverse();
        assert_eq!(
            rank(reversed, By::Together),
            together,
            "the order of rows does not matter"
        );
        assert_eq!(rank(all, By::Next).len(), 1);
    }
}
