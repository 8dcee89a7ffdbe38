//! Teams: whom, within a tenant, a private tool is kept to.
//!
//! A team is no object of its own. It is there as long as a principal is in it or a tool is its own, so there is
//! nothing to found or to dissolve, and one place says who is in it: the principal.

use crate::aggregate::Rejection;
use crate::id::{InvalidId, check_slug};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a team: a slug, unique in its tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Team(String);

/// Use a slug as the name of a team.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidTeam(#[from] InvalidId);

impl Rejection for InvalidTeam {
    fn code(&self) -> &'static str {
        "INVALID_TEAM"
    }
}

impl Team {
    /// Takes a name.
    ///
    /// # Errors
    /// [`InvalidTeam`].
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidTeam> {
        let name = name.into();
        check_slug("team", &name)?;
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Team {
    type Error = InvalidTeam;
    fn try_from(name: String) -> Result<Self, InvalidTeam> {
        Self::new(name)
    }
}

impl From<Team> for String {
    fn from(team: Team) -> Self {
        team.0
    }
}

impl fmt::Display for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_has_a_slug() {
        for name in ["payments", "a", "eu-2"] {
            assert_eq!(Team::new(name).unwrap().as_str(), name);
        }
        for name in ["", "Payments", "-a", "a_b", "a b", &"a".repeat(200)] {
            let error = Team::new(name).unwrap_err();
            assert_eq!(error.code(), "INVALID_TEAM");
            assert!(error.to_string().contains("team"), "{error}");
        }
        assert!(serde_json::from_str::<Team>("\"No Slug\"").is_err());
    }
}
