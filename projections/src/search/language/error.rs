//! Why a line or a filter is refused.

/// The caller's mistake: which filter, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LanguageError {
    /// A key with a value that it cannot have.
    #[error("at character {position}: `{key}:` cannot be `{value}`; allowed is {allowed}")]
    BadValue {
        /// The first character of the filter, from 1.
        position: usize,
        /// The key.
        key: &'static str,
        /// The value, shortened.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
    /// A key that has one value only was given again. Leave one of them out.
    #[error("at character {position}: `{key}:` is given twice; give it once")]
    Twice {
        /// The first character of the second one, from 1.
        position: usize,
        /// The key.
        key: &'static str,
    },
    /// Structured input has a value that its key cannot have.
    #[error("the filter `{key}` cannot be `{value}`; allowed is {allowed}")]
    BadInput {
        /// The key.
        key: &'static str,
        /// The value, shortened.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
    /// A key stands in the line and in the structured filter. Which of them is meant cannot be known.
    #[error("`{key}:` is given in the query and in the filter; give it in one of them")]
    BothPlaces {
        /// The key.
        key: &'static str,
    },
    /// An order that there is not.
    #[error("the sort cannot be `{value}`; allowed is {allowed}")]
    UnknownSort {
        /// The value, shortened.
        value: String,
        /// What it can be.
        allowed: String,
    },
    /// More filters than a search takes.
    #[error("the search has more than {most} filters; give fewer")]
    TooMany {
        /// The bound.
        most: usize,
    },
}
