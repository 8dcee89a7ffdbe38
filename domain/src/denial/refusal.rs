//! Who was refused what, and by which policy.

use super::DenialError;
use crate::id::{DenialId, PrincipalId, TenantId};
use crate::named::named;
use crate::text::is_clean;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name of an action, a kind, an object or a policy, in bytes.
const MAX_NAME: usize = 64;

named! {
    /// What the principal was told.
    pub enum Decision {
        /// That it may not do this.
        Forbidden = "forbidden",
        /// That there is no such object, because it may not see it either.
        Hidden = "hidden",
    }
}

/// What the refusals of one window have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// Who was refused.
    pub principal_id: PrincipalId,
    /// What it wanted to do, such as `retire_tool`.
    pub action: String,
    /// To what kind of thing, such as `tool`.
    pub resource_kind: String,
    /// To which object; none for lists, for things that are to be made, and for the rest of a window in
    /// which one action was refused on very many objects.
    pub resource_id: Option<String>,
    /// What it was told.
    pub decision: Decision,
    /// The policy that decided.
    pub policy_version: String,
    /// When the window began.
    pub window_start: DateTime<Utc>,
    /// How long the window is.
    pub window_seconds: u64,
}

impl Refusal {
    /// The window that a moment falls into: windows follow one another without gaps from the epoch on, so
    /// every process finds the same.
    #[must_use]
    pub fn window_of(moment: DateTime<Utc>, window_seconds: u64) -> DateTime<Utc> {
        let length = i64::try_from(window_seconds.max(1)).unwrap_or(i64::MAX);
        let start = moment.timestamp().div_euclid(length).saturating_mul(length);
        DateTime::from_timestamp(start, 0).unwrap_or(moment)
    }

    /// The aggregate of this refusal: the same for everybody who refuses the same in the same window.
    #[must_use]
    pub fn denial_id(&self, tenant: &TenantId) -> DenialId {
        let start = self
            .window_start
            .to_rfc3339_opts(SecondsFormat::Micros, true);
        DenialId::derive(
            tenant,
            &[
                self.principal_id.as_str(),
                &self.action,
                &self.resource_kind,
                self.resource_id.as_deref().unwrap_or_default(),
                self.decision.as_str(),
                &self.policy_version,
                &start,
                &self.window_seconds.to_string(),
            ],
        )
    }

    pub(super) fn check(&self) -> Result<(), DenialError> {
        let sound = |text: &str| (1..=MAX_NAME).contains(&text.len()) && is_clean(text);
        for (field, text) in [
            ("action", self.action.as_str()),
            ("resource_kind", &self.resource_kind),
            ("policy_version", &self.policy_version),
        ] {
            if !sound(text) {
                return Err(DenialError::InvalidName { field });
            }
        }
        match self.resource_id.as_deref() {
            Some(id) if !sound(id) => Err(DenialError::InvalidName {
                field: "resource_id",
            }),
            Some(_) | None => Ok(()),
        }
    }
}
