//! The warning that a tool, or one version of it, is on its way out.

use super::ToolError;
use super::reference::ToolReference;
use crate::id::TenantId;
use crate::text::is_clean;
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 1_000;
/// The years of a sunset: what every calendar and every reader of ISO 8601 has.
const YEARS: RangeInclusive<i32> = 1970..=9999;

/// What those who still use it are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprecation {
    /// Why, and what to do.
    pub message: String,
    /// What to use instead: `server/name` or `server/name@reference`.
    pub successor: Option<String>,
    /// The first day, in UTC, on which it is no longer to be used.
    pub sunset: Option<NaiveDate>,
}

impl Deprecation {
    /// Whether it is over on a day.
    #[must_use]
    pub fn is_over(&self, today: NaiveDate) -> bool {
        self.sunset.is_some_and(|sunset| sunset <= today)
    }

    /// The warning as one sentence after the other, for those who read and do not parse.
    #[must_use]
    pub fn told(&self, today: NaiveDate) -> String {
        let mut told = format!("deprecated: {}", self.message);
        if let Some(successor) = &self.successor {
            told.push_str(&format!("; use {successor} instead"));
        }
        if let Some(sunset) = self.sunset {
            let verb = if self.is_over(today) { "was" } else { "is" };
            told.push_str(&format!("; its sunset {verb} on {sunset}"));
        }
        told
    }

    /// The same as other tenants read it: a successor is a tool of the one that says so.
    #[must_use]
    pub fn abroad(self, publisher: &TenantId) -> Self {
        let successor = self.successor.map(|named| format!("@{publisher}/{named}"));
        Self { successor, ..self }
    }

    /// `own` is the tool's own `server/name` when all of it is deprecated: it cannot succeed itself.
    pub(super) fn check(&self, own: Option<&str>) -> Result<(), ToolError> {
        let found = self.message.chars().count();
        if self.message.trim().is_empty() {
            return Err(ToolError::Missing { field: "message" });
        }
        if found > MAX_MESSAGE {
            return Err(ToolError::TooLong {
                field: "message",
                most: MAX_MESSAGE,
                found,
            });
        }
        if !is_clean(&self.message) {
            return Err(ToolError::HiddenCharacters { field: "message" });
        }
        if self.sunset.is_some_and(|day| !YEARS.contains(&day.year())) {
            return Err(ToolError::SunsetOutOfRange);
        }
        let Some(successor) = &self.successor else {
            return Ok(());
        };
        let named: ToolReference = successor.parse().map_err(|_| ToolError::InvalidSuccessor)?;
        if own == Some(format!("{}/{}", named.server, named.name).as_str()) {
            return Err(ToolError::InvalidSuccessor);
        }
        Ok(())
    }
}
