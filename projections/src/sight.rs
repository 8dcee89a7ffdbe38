//! What of a tenant's tools a caller may see: the condition that goes before every list, count, facet and search.

use domain::team::Team;
use domain::tool::Visibility;
use sqlx::{Postgres, QueryBuilder};
use std::collections::BTreeSet;

/// What precedes the team in the audience of a tool that is kept to one. No visibility holds a colon, and no team either.
const KEPT_TO: &str = "private:";

/// What of a tenant's tools a caller may see. The default is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Every tool, whatever team it is kept to.
    Everything,
    /// Some.
    Only {
        /// Those of these visibilities that are kept to no team.
        visibilities: BTreeSet<Visibility>,
        /// Those that are kept to one of these teams.
        teams: BTreeSet<Team>,
    },
}

impl Default for Sight {
    fn default() -> Self {
        Self::listed([])
    }
}

impl Sight {
    /// What is kept to no team, of some visibilities.
    pub fn listed(visibilities: impl IntoIterator<Item = Visibility>) -> Self {
        Self::Only {
            visibilities: visibilities.into_iter().collect(),
            teams: BTreeSet::new(),
        }
    }

    /// True when no tool can be seen, whatever there is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Everything => false,
            Self::Only {
                visibilities,
                teams,
            } => visibilities.is_empty() && teams.is_empty(),
        }
    }

    /// Whether a tool of this visibility can be seen, by the team that it belongs to.
    #[must_use]
    pub fn shows(&self, visibility: Visibility, team: Option<&Team>) -> bool {
        match (self, visibility, team) {
            (Self::Everything, _, _) => true,
            (Self::Only { teams, .. }, Visibility::Private, Some(team)) => teams.contains(team),
            (Self::Only { visibilities, .. }, _, _) => visibilities.contains(&visibility),
        }
    }

    /// The audiences that can be seen, see [`audience`]; none for all of them.
    pub(crate) fn audiences(&self) -> Option<Vec<String>> {
        match self {
            Self::Everything => None,
            Self::Only {
                visibilities,
                teams,
            } => {
                let teams = teams.iter().map(|team| format!("{KEPT_TO}{team}"));
                let listed = visibilities.iter().map(|one| one.as_str().to_owned());
                Some(listed.chain(teams).collect())
            }
        }
    }
}

/// Who a tool is for, as one word: its visibility, and the team when it is kept to one.
pub(crate) fn audience(visibility: &str, team: Option<&str>) -> String {
    match team {
        Some(team) if visibility == Visibility::Private.as_str() => format!("{KEPT_TO}{team}"),
        Some(_) | None => visibility.to_owned(),
    }
}

/// [`audience`] of a row of tools.
fn audience_of(table: &str) -> String {
    let private = Visibility::Private;
    format!(
        "CASE WHEN {table}.visibility = '{private}' AND {table}.team IS NOT NULL
         THEN '{KEPT_TO}' || {table}.team ELSE {table}.visibility END"
    )
}

/// The condition over a row of tools; bind [`Sight::audiences`] to the parameter.
pub(crate) fn seen(table: &str, parameter: &str) -> String {
    let audience = audience_of(table);
    format!("({parameter}::text[] IS NULL OR {audience} = ANY ({parameter}))")
}

impl Sight {
    /// ` AND <the condition over a row of tools>`, with its values bound; nothing where everything is seen.
    pub(crate) fn push(&self, query: &mut QueryBuilder<'_, Postgres>, table: &str) {
        if let Some(audiences) = self.audiences() {
            query.push(format!(" AND {} = ANY (", audience_of(table)));
            query.push_bind(audiences).push(")");
        }
    }

    /// The condition over a row of tools, with its values written out: names of visibilities and slugs of teams, which
    /// hold no quotation mark. Nothing where everything is seen.
    pub(crate) fn written_out(&self, table: &str) -> Option<String> {
        let audiences: Vec<_> = self.audiences()?;
        let audiences: Vec<_> = audiences.iter().map(|one| format!("'{one}'")).collect();
        let (audience, audiences) = (audience_of(table), audiences.join(", "));
        Some(format!("{audience} = ANY (ARRAY[{audiences}]::text[])"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(name: &str) -> Team {
        Team::new(name).unwrap()
    }

    #[test]
    fn an_audience_is_the_visibility_unless_a_private_tool_has_a_team() {
        for visibility in Visibility::ALL {
            assert_eq!(audience(visibility.as_str(), None), visibility.as_str());
        }
        assert_eq!(audience("private", Some("payments")), "private:payments");
        assert_eq!(audience("tenant", Some("payments")), "tenant");
        assert_eq!(audience("public", Some("payments")), "public");
    }

    #[test]
    fn who_sees_private_tools_sees_those_of_a_team_only_from_within() {
        let outside = Sight::listed([Visibility::Private]);
        assert_eq!(outside.audiences().unwrap(), ["private"]);
        let within = Sight::Only {
            visibilities: [Visibility::Tenant].into(),
            teams: [team("payments")].into(),
        };
        assert_eq!(within.audiences().unwrap(), ["tenant", "private:payments"]);
        assert_eq!(Sight::Everything.audiences(), None);
    }

    #[test]
    fn nothing_is_seen_by_default() {
        assert!(Sight::default().is_nothing());
        assert_eq!(Sight::default().audiences().unwrap(), [""; 0]);
        assert!(!Sight::listed([Visibility::Public]).is_nothing());
        assert!(!Sight::Everything.is_nothing());
    }
}
