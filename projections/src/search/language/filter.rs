//! What narrows a search, from whichever surface it comes.

use std::collections::BTreeMap;

use domain::id::TenantId;
use lancedb::expr::DfExpr;

use super::super::scope::InForce;
use super::{Key, LanguageError};

/// Most filters of one search.
const MAX_TERMS: usize = 64;
/// Characters that an error repeats of a value.
pub(in super::super) const MAX_ECHO: usize = 80;

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    /// By what.
    pub key: Key,
    /// Whether tools that have the value are left out.
    pub negated: bool,
    /// The value in its one form.
    pub value: String,
}

/// Narrows a search. Several values of one key mean any of them; keys hold together; a negated value is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SearchFilter {
    terms: Vec<Term>,
}

/// The least rating of a filter, in stars, or with `negated` what the rating has to stay below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastRating {
    /// From 1 to 5.
    pub stars: f64,
    /// Whether tools that have it are left out.
    pub negated: bool,
}

/// Why a term cannot be added.
pub(super) enum Refused {
    BadValue(String),
    Twice,
    TooMany,
}

impl SearchFilter {
    /// The filters in the order in which they were given.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether nothing is narrowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Adds a filter of structured input.
    ///
    /// # Errors
    /// [`LanguageError`] when the value is not one that the key can have.
    pub fn add(&mut self, key: Key, value: &str, negated: bool) -> Result<(), LanguageError> {
        self.push(key, value, negated)
            .map_err(|refused| match refused {
                Refused::BadValue(value) => LanguageError::BadInput {
                    key: key.name(),
                    value,
                    allowed: key.allowed(),
                },
                Refused::Twice => LanguageError::Twice {
                    position: 1,
                    key: key.name(),
                },
                Refused::TooMany => LanguageError::TooMany { most: MAX_TERMS },
            })
    }

    /// Both filters together.
    ///
    /// # Errors
    /// [`LanguageError::BothPlaces`] for a key that both have.
    pub fn and(mut self, other: Self) -> Result<Self, LanguageError> {
        let mine = |term: &&Term| self.terms.iter().any(|own| own.key == term.key);
        if let Some(both) = other.terms.iter().find(mine) {
            return Err(LanguageError::BothPlaces {
                key: both.key.name(),
            });
        }
        self.terms.extend(other.terms);
        if self.terms.len() > MAX_TERMS {
            return Err(LanguageError::TooMany { most: MAX_TERMS });
        }
        Ok(self)
    }

    pub(super) fn push(&mut self, key: Key, value: &str, negated: bool) -> Result<(), Refused> {
        let bad = || Refused::BadValue(value.chars().take(MAX_ECHO).collect());
        let value = key.canonical(value).ok_or_else(bad)?;
        let term = Term {
            key,
            negated,
            value,
        };
        if self.terms.contains(&term) {
            return Ok(());
        }
        if key.is_single() && self.terms.iter().any(|other| other.key == key) {
            return Err(Refused::Twice);
        }
        if self.terms.len() >= MAX_TERMS {
            return Err(Refused::TooMany);
        }
        self.terms.push(term);
        Ok(())
    }

    pub(super) fn too_many() -> LanguageError {
        LanguageError::TooMany { most: MAX_TERMS }
    }

    /// Whether the key is filtered by.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.terms.iter().any(|term| term.key == key)
    }

    /// The phrases that a tool must contain.
    pub(in super::super) fn phrases(&self) -> impl Iterator<Item = &str> {
        let wanted = |term: &&Term| term.key == Key::Phrase && !term.negated;
        self.terms
            .iter()
            .filter(wanted)
            .map(|term| term.value.as_str())
    }

    /// The least rating, where one is given.
    pub(in super::super) fn least_rating(&self) -> Option<LeastRating> {
        let term = self.terms.iter().find(|term| term.key == Key::Rating)?;
        Some(LeastRating {
            stars: term.value.parse().ok()?,
            negated: term.negated,
        })
    }

    /// What a tool fulfils by some of the keys, its rating aside, as an expression and never as SQL text; `None` when
    /// nothing is narrowed. Phrases have to be there all of them. The caller is one of the tenant.
    pub(in super::super) fn condition(
        &self,
        tenant: &TenantId,
        by: impl Fn(Key) -> bool,
    ) -> Option<DfExpr> {
        let (mut wanted, mut conditions) = (BTreeMap::<Key, Vec<&str>>::new(), Vec::new());
        for term in self.terms.iter().filter(|term| by(term.key)) {
            let value = term.value.as_str();
            let condition = || term.key.condition(&[value], tenant);
            if term.negated {
                conditions.extend(condition().map(|condition| !condition));
            } else if term.key == Key::Phrase {
                conditions.extend(condition());
            } else {
                wanted.entry(term.key).or_default().push(value);
            }
        }
        let wanted = wanted.iter();
        conditions.extend(wanted.filter_map(|(key, values)| key.condition(values, tenant)));
        conditions.into_iter().reduce(DfExpr::and)
    }

    /// Whether an installed tool fulfils, in the version in force, what is asked of versions. Such keys are given once.
    pub(in super::super) fn holds_for(&self, tool: &InForce) -> bool {
        let mut of_version = self.terms.iter().filter(|term| term.key.is_of_version());
        of_version.all(|term| term.key.holds(&term.value, tool) != term.negated)
    }
}
