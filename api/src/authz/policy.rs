//! The policies in Polar, and the authorizer that asks their table.
//!
//! The engine runs at load only, each query bounded by its own limit (30 s, or `POLAR_TIMEOUT_MS`); a
//! policy that does not terminate or does not compile stops the start, and requests never meet it.

use super::table::{Question, Table};
use super::{Action, Authorizer, Denied, Resource};
use crate::context::Caller;
use domain::policy::version_of;
use domain::principal::Role;
use domain::team::Team;
use domain::tool::Visibility;
use oso::{Oso, PolarClass};
use projections::Sight;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The policies that are built in.
const BUILT_IN: &str = include_str!("../../policy/registry.polar");

/// The caller, as policies see it.
#[derive(Clone, PolarClass)]
#[polar(class_name = "Caller")]
struct PolarCaller {
    #[polar(attribute)]
    roles: Vec<String>,
}

/// The resource, as policies see it (`Resource` is a word of Polar itself).
#[derive(Clone, PolarClass)]
#[polar(class_name = "Object")]
struct PolarResource {
    #[polar(attribute)]
    kind: String,
    #[polar(attribute)]
    unlisted: bool,
    #[polar(attribute)]
    reserved: bool,
    #[polar(attribute)]
    owner: bool,
    #[polar(attribute)]
    own: bool,
}

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The folder or one of its files cannot be read.
    #[error("the policy folder {path} cannot be read")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds no policy: give one with `*.polar` files.
    #[error("the policy folder {0} holds no *.polar file")]
    Empty(PathBuf),
    /// A rule does not compile, fails or does not end in time: mend it.
    #[error("the policy cannot be evaluated")]
    Polar(#[source] Box<oso::OsoError>),
    /// The evaluation was cut off, because the process stops or by a fault of ours: try again.
    #[error("the evaluation of the policy was cut off")]
    Ended(#[source] tokio::task::JoinError),
}

impl From<oso::OsoError> for PolicyError {
    fn from(error: oso::OsoError) -> Self {
        Self::Polar(Box::new(error))
    }
}

/// Decides from a table that was computed from the policies.
pub struct PolarAuthorizer {
    table: Table,
    version: String,
    text: String,
}

impl PolarAuthorizer {
    /// The policies of `auth.policy_dir`, or the built-in ones.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn load(folder: Option<&Path>) -> Result<Self, PolicyError> {
        folder.map_or_else(Self::built_in, Self::from_folder)
    }

    /// The built-in policies.
    ///
    /// # Errors
    /// [`PolicyError::Polar`].
    pub fn built_in() -> Result<Self, PolicyError> {
        Self::from_text(BUILT_IN)
    }

    /// The policies of a folder, in the order of their names, in place of the built-in ones.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn from_folder(folder: &Path) -> Result<Self, PolicyError> {
        let unreadable = |source| PolicyError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let mut files = std::fs::read_dir(folder)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect::<Result<Vec<_>, _>>()
            })
            .map_err(unreadable)?;
        files.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "polar")
        });
        files.sort();
        if files.is_empty() {
            return Err(PolicyError::Empty(folder.to_owned()));
        }
        let texts = files
            .iter()
            .map(std::fs::read_to_string)
            .collect::<Result<Vec<_>, _>>();
        Self::from_text(&texts.map_err(unreadable)?.join("\n"))
    }

    /// Policies in one text.
    ///
    /// # Errors
    /// [`PolicyError::Polar`].
    pub fn from_text(text: &str) -> Result<Self, PolicyError> {
        let oso = engine(text)?;
        let table = Table::compute(|question| {
            ask(
                &oso,
                &question.role.into_iter().collect(),
                question.action,
                &question.resource,
            )
        })?;
        Ok(Self {
            table,
            version: version_of(text),
            text: text.to_owned(),
        })
    }

    /// The rules, as they were loaded.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Authorizer for PolarAuthorizer {
    fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        resource: &Resource,
    ) -> Result<(), Denied> {
        if self.permits(&caller.roles, action, resource) {
            return Ok(());
        }
        let kind = resource.kind;
        let readable = self.permits(&caller.roles, kind.read_action(), resource);
        tracing::info!(
            tenant = %caller.tenant, principal = %caller.principal, %action, %kind,
            policy_version = self.version, "denied"
        );
        Err(Denied {
            action,
            kind,
            hidden: resource.existing && !readable,
            policy_version: self.version.clone(),
        })
    }

    fn permits(&self, roles: &BTreeSet<Role>, action: Action, resource: &Resource) -> bool {
        let resource = *resource;
        let nobody = std::iter::once(None);
        action.kind() == resource.kind
            && nobody.chain(roles.iter().copied().map(Some)).any(|role| {
                self.table.allows(&Question {
                    role,
                    action,
                    resource,
                })
            })
    }

    fn sight(&self, caller: &Caller) -> Sight {
        let readable = |tool| self.permits(&caller.roles, Action::ReadTool, &tool);
        let listed = Visibility::ALL.iter().copied();
        let listed = listed.filter(|one| readable(Resource::tool(*one, None, &caller.teams)));
        let visibilities: BTreeSet<_> = listed.collect();
        if visibilities.len() == Visibility::ALL.len() && readable(Resource::reserved_tool()) {
            return Sight::Everything;
        }
        let kept_to = |team: &&Team| {
            readable(Resource::tool(
                Visibility::Private,
                Some(*team),
                &caller.teams,
            ))
        };
        Sight::Only {
            visibilities,
            teams: caller.teams.iter().filter(kept_to).cloned().collect(),
        }
    }

    fn policy_version(&self) -> &str {
        &self.version
    }
}

fn engine(text: &str) -> Result<Oso, PolicyError> {
    let mut oso = Oso::new();
    oso.register_class(PolarCaller::get_polar_class())?;
    oso.register_class(PolarResource::get_polar_class())?;
    oso.load_str(text)?;
    Ok(oso)
}

/// One question to the engine.
fn ask(
    oso: &Oso,
    roles: &BTreeSet<Role>,
    action: Action,
    resource: &Resource,
) -> Result<bool, PolicyError> {
    let caller = PolarCaller {
        roles: roles.iter().map(ToString::to_string).collect(),
    };
    let &Resource {
        kind,
        unlisted,
        reserved,
        owner,
        own,
        existing: _,
        id: _,
    } = resource;
    let resource = PolarResource {
        kind: kind.to_string(),
        unlisted,
        reserved,
        owner,
        own,
    };
    Ok(oso.is_allowed(caller, action.as_str(), resource)?)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
