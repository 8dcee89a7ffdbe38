//! Where a comparison stands, and the two schemas that it compares there.

use super::types::Types;
use crate::diff::escaped;
use serde_json::{Map, Value};

/// Where the comparison stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: String,
    /// Inside an odd number of `not`.
    pub(super) flipped: bool,
    /// Beside other schemas for the same instance.
    pub(super) beside: bool,
    /// What instances there can be here at all.
    pub(super) types: Types,
    pub(super) depth: usize,
}

impl Place {
    /// The place of a schema for a part of the instance.
    pub(super) fn part(&self, tokens: &[&str]) -> Self {
        Self {
            beside: false,
            types: Types::ALL,
            ..self.same_instance(tokens)
        }
    }

    /// The place of a further schema for the same instance.
    pub(super) fn same_instance(&self, tokens: &[&str]) -> Self {
        Self {
            path: self.at(tokens),
            beside: true,
            depth: self.depth + 1,
            ..self.clone()
        }
    }

    /// The same place as seen from outside a `not`.
    pub(super) fn turned(self) -> Self {
        Self {
            flipped: !self.flipped,
            ..self
        }
    }

    pub(super) fn at(&self, tokens: &[&str]) -> String {
        let mut path = self.path.clone();
        for token in tokens {
            path.push('/');
            path.push_str(&escaped(token));
        }
        path
    }
}

/// The schemas of one place as objects, with the types that they leave open.
pub(super) struct Sides<'s> {
    pub(super) old: &'s Map<String, Value>,
    pub(super) new: &'s Map<String, Value>,
    pub(super) old_types: Types,
    pub(super) new_types: Types,
}

impl<'s> Sides<'s> {
    /// A keyword on both sides.
    pub(super) fn get(&self, keyword: &str) -> (Option<&'s Value>, Option<&'s Value>) {
        (self.old.get(keyword), self.new.get(keyword))
    }
}
