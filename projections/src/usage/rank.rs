//! How strongly two tools belong together, from counts alone, and which of them are recommended. Pure.

use super::queries::Companion;

/// Fewest sessions, or steps, that a recommendation rests on: one may be chance, and one person's.
const LEAST: u64 = 2;
/// Sessions of doubt: what was seen once or twice is worth little beside what was seen often.
const DOUBT: f64 = 2.0;

/// What was counted of a tool and another one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// Sessions that used both.
    pub together: u64,
    /// How often the other one came right behind.
    pub next: u64,
    /// Sessions that used the tool.
    pub sessions: u64,
    /// How often any tool came right behind it.
    pub steps: u64,
    /// Sessions that used the other one.
    pub other_sessions: u64,
}

/// How much the two are used together, from 0 to 1: the cosine of their sessions, less for few of them. A tool
/// that everybody uses is in many sessions by chance, and the cosine takes that into account.
fn together_score(seen: &Observed) -> f64 {
    let size = (seen.sessions as f64 * seen.other_sessions as f64).sqrt();
    seen.together as f64 / (size + DOUBT)
}

/// How likely the other one comes next, from 0 to 1, less for few steps.
fn next_score(seen: &Observed) -> f64 {
    seen.next as f64 / (seen.steps as f64 + DOUBT)
}

/// By what companions are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Sessions that used both.
    Together,
    /// Steps from the one to the other.
    Next,
}

impl By {
    /// How good a companion is, from 0 to 1; none when too little was seen to recommend it.
    #[must_use]
    pub fn score(self, seen: &Observed) -> Option<f64> {
        let (support, score) = match self {
            Self::Together => (seen.together, together_score(seen)),
            Self::Next => (seen.next, next_score(seen)),
        };
        (support >= LEAST).then_some(score)
    }

    /// Why a companion is recommended, in one sentence.
    #[must_use]
    pub fn reason(self, seen: &Observed) -> String {
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

/// The companions that may be recommended, best first; what is as good, by id.
#[must_use]
pub fn rank(companions: &[Companion], by: By) -> Vec<(f64, &Companion)> {
    let scored = companions
        .iter()
        .filter_map(|one| Some((by.score(&one.observed)?, one)));
    let mut ranked: Vec<_> = scored.collect();
    ranked.sort_by(|one, other| {
        let score = other.0.total_cmp(&one.0);
        score.then_with(|| one.1.tool_id.cmp(&other.1.tool_id))
    });
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::{TenantId, ToolId};

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
        let together = rank(&all, By::Together);
        assert_eq!(together.len(), 3);
        assert_eq!(together[0].1, &companion("best", 9, 2));
        let mut reversed = all.clone();
        reversed.reverse();
        assert_eq!(
            rank(&reversed, By::Together),
            together,
            "the order of rows does not matter"
        );
        assert_eq!(rank(&all, By::Next).len(), 1);
    }

    #[test]
    fn what_everybody_uses_does_not_belong_to_everything() {
        let partner = Observed {
            together: 8,
            sessions: 10,
            other_sessions: 10,
            ..Observed::default()
        };
        let everywhere = Observed {
            together: 9,
            other_sessions: 1_000,
            ..partner
        };
        assert!(together_score(&partner) > together_score(&everywhere));
    }

    #[test]
    fn one_session_says_less_than_many() {
        let once = Observed {
            together: 1,
            next: 1,
            sessions: 1,
            steps: 1,
            other_sessions: 1,
        };
        let often = Observed {
            together: 9,
            next: 9,
            sessions: 10,
            steps: 10,
            other_sessions: 10,
        };
        assert!(together_score(&once) < together_score(&often));
        assert!(next_score(&once) < next_score(&often));
        assert!(together_score(&often) <= 1.0 && next_score(&often) <= 1.0);
        assert_eq!(together_score(&Observed::default()), 0.0);
    }
}
