//! What an answer costs a model, estimated: tokenizers differ, and none of them is ours to know.
//!
//! Three bytes are a token, and a byte outside of ASCII counts twice. English prose has four to five bytes a token,
//! JSON and identifiers three to four, Chinese about three of its bytes: the estimate is at or above what the usual
//! tokenizers count, so an answer within the budget stays within it.

use super::meta_tool;
use crate::error::ApiError;
use serde::Serialize;

/// The smallest budget: a receipt or two.
pub(super) const LEAST: u32 = 100;
/// The largest budget.
pub(super) const MOST: u32 = 100_000;

/// Tokens that an answer may still take.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    begun: bool,
}

impl Budget {
    /// # Errors
    /// [`ApiError::Invalid`] outside of [`LEAST`] to [`MOST`].
    pub(super) fn of(tokens: Option<u32>, default: u32, usage: &str) -> Result<Self, ApiError> {
        let tokens = tokens.unwrap_or(default);
        if !(LEAST..=MOST).contains(&tokens) {
            let wrong = format!("`token_budget` is {LEAST} to {MOST}, not {tokens}");
            return Err(meta_tool::invalid(&wrong, usage));
        }
        Ok(Self {
            left: usize::try_from(tokens).unwrap_or(usize::MAX),
            begun: false,
        })
    }

    /// Whether a part of the answer fits; then it is taken. The first part always fits, because an answer without
    /// any helps nobody.
    pub(super) fn takes(&mut self, text: &str, data: &impl Serialize) -> bool {
        let cost = cost(text, data);
        let fits = cost <= self.left || !self.begun;
        if fits {
            self.left = self.left.saturating_sub(cost);
            self.begun = true;
        }
        fits
    }

    /// Whether what stands beside the parts fits into half of what is left; then it is taken, and no part of them.
    pub(super) fn takes_beside(&mut self, text: &str, data: &impl Serialize) -> bool {
        let cost = cost(text, data);
        let fits = cost <= self.left / 2;
        if fits {
            self.left -= cost;
        }
        fits
    }
}

/// What a part costs. A client shows its model the text or the data: the dearer of the two counts.
fn cost(text: &str, data: &impl Serialize) -> usize {
    let data = serde_json::to_string(data).unwrap_or_default();
    tokens(text).max(tokens(&data))
}

/// The estimate for a text.
pub(super) fn tokens(text: &str) -> usize {
    let foreign = text.bytes().filter(|byte| !byte.is_ascii()).count();
    (text.len() + foreign).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_scripts_count_more() {
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("abc"), 1);
        assert_eq!(tokens("abcd"), 2);
        assert_eq!(tokens("字"), 2);
    }

    #[test]
    fn parts_fit_until_the_budget_is_spent_and_the_first_always_does() {
        let mut budget = Budget::of(None, 100, "").unwrap();
        assert!(budget.takes(&"x".repeat(600), &""));
        assert!(!budget.takes("x", &""));
        let mut budget = Budget::of(Some(100), 1_000, "").unwrap();
        assert!(budget.takes("", &"y".repeat(200)));
        assert!(!budget.takes(&"x".repeat(150), &""));
        assert!(budget.takes("x", &""));
        let mut budget = Budget::of(Some(100), 1_000, "").unwrap();
        assert!(!budget.takes_beside(&"x".repeat(153), &""));
        assert!(budget.takes_beside(&"x".repeat(150), &""));
        assert!(
            budget.takes(&"x".repeat(600), &""),
            "what stands beside is not the first part"
        );
        for wrong in [0, LEAST - 1, MOST + 1] {
            assert_eq!(
                Budget::of(Some(wrong), 100, "").unwrap_err().code(),
                "INVALID_ARGUMENTS"
            );
        }
    }
}
