//! How strongly two tools belong together, from counts alone. Pure.

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
#[must_use]
pub fn together_score(seen: &Observed) -> f64 {
    let size = (seen.sessions as f64 * seen.other_sessions as f64).sqrt();
    seen.together as f64 / (size + DOUBT)
}

/// How likely the other one comes next, from 0 to 1, less for few steps.
#[must_use]
pub fn next_score(seen: &Observed) -> f64 {
    seen.next as f64 / (seen.steps as f64 + DOUBT)
}

#[cfg(test)]
mod tests {
    use super::*;

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
