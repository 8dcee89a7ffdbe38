//! What a tenant has installed, and its agents and services with their roles and teams.

use super::difference::{Making, document};
use super::{Action, Commands, Object, ObservedPrincipal, PrincipalSpec};
use domain::diff::diff;
use domain::installation::{ForeignTool, Install, InstallationCommand, Repin, VersionReq};
use domain::principal::{PrincipalCommand, RegisterPrincipal, Role, SealedFields};
use std::collections::BTreeMap;

impl Making<'_> {
    /// The steps of installations; those that are not named and stay.
    pub(super) fn installations(
        &mut self,
        wanted: Option<&BTreeMap<String, VersionReq>>,
        prune: bool,
    ) -> Vec<Object> {
        let Some(wanted) = wanted else {
            return Vec::new();
        };
        for (tool, range) in wanted {
            match ForeignTool::parse(tool) {
                Some(tool) => self.installation(tool, range),
                None => {
                    let message = "write `@publisher/server/name`";
                    self.problem_at(tool, "INVALID_REFERENCE", message);
                }
            }
        }
        let mut left_over = Vec::new();
        for tool in self.observed.installations.keys() {
            if wanted.contains_key(&tool.to_string()) {
                continue;
            }
            let object = Object::Installation(tool.clone());
            if prune {
                let commands = Commands::Installation(vec![InstallationCommand::Uninstall]);
                self.step(object, Action::Retire, commands, &"uninstall");
            } else {
                left_over.push(object);
            }
        }
        left_over
    }

    fn installation(&mut self, tool: ForeignTool, range: &VersionReq) {
        let object = Object::Installation(tool.clone());
        let current = self.observed.installations.get(&tool);
        if current == Some(range) {
            self.unchanged += 1;
            return;
        }
        if tool.publisher == *self.tenant {
            let message = "a tool of the tenant itself is there without being installed";
            self.problem(&object, "OWN_TOOL", message);
            return;
        }
        let Some(published) = self.observed.offers.get(&tool).cloned() else {
            let message = "no such tool is offered: ask its publisher, or remove it from the files";
            self.problem(&object, "NOT_FOUND", message);
            return;
        };
        let range_of = |range: &VersionReq| serde_json::json!({ "range": range.to_string() });
        let (action, command) = match current {
            Some(current) => {
                let changes = diff(&range_of(current), &range_of(range));
                let range = range.clone();
                let repin = InstallationCommand::Repin(Repin { range, published });
                (Action::Update(changes), repin)
            }
            None => {
                let range = range.clone();
                let install = Install {
                    tool,
                    range,
                    published,
                };
                let install = InstallationCommand::Install(Box::new(install));
                (Action::Create, install)
            }
        };
        let commands = Commands::Installation(vec![command]);
        self.step(object, action, commands, &range_of(range));
    }

    /// The steps of agents and services; those that are not named, which are left alone also by a plan that prunes:
    /// whose requests are refused is decided by people, one by one.
    pub(super) fn principals(
        &mut self,
        wanted: Option<&BTreeMap<String, PrincipalSpec>>,
    ) -> Vec<Object> {
        let Some(wanted) = wanted else {
            return Vec::new();
        };
        for (handle, principal) in wanted {
            self.principal(handle, principal);
        }
        self.keep_an_owner(wanted);
        let others = self.observed.principals.iter();
        let others = others.filter(|(handle, one)| one.active && !wanted.contains_key(*handle));
        others
            .map(|(handle, _)| Object::Principal(handle.clone()))
            .collect()
    }

    fn principal(&mut self, handle: &str, wanted: &PrincipalSpec) {
        let object = Object::Principal(handle.to_owned());
        let Some(ObservedPrincipal { spec, active }) = self.observed.principals.get(handle) else {
            let register = PrincipalCommand::Register(RegisterPrincipal {
                kind: wanted.kind,
                handle: handle.to_owned(),
                roles: wanted.roles.iter().copied().collect(),
                display_name: None,
                email: None,
                sealed: SealedFields::default(),
            });
            let joined = wanted.teams.iter().cloned().map(PrincipalCommand::JoinTeam);
            let commands = std::iter::once(register).chain(joined);
            let commands = Commands::Principal(commands.collect());
            self.step(object, Action::Create, commands, wanted);
            return;
        };
        if !active {
            let message = "its requests are refused since it was deactivated: reactivate it with `reactivatePrincipal`, \
                           or remove it from the files";
            self.problem(&object, "PRINCIPAL_DEACTIVATED", message);
            return;
        }
        if spec.kind != wanted.kind {
            let message = format!(
                "it is registered as {}, and a kind never changes",
                spec.kind
            );
            self.problem(&object, "PRINCIPAL_KIND_DIFFERS", &message);
            return;
        }
        let granted = wanted.roles.difference(&spec.roles).copied();
        let revoked = spec.roles.difference(&wanted.roles).copied();
        let granted = granted.map(PrincipalCommand::GrantRole);
        let joined = wanted.teams.difference(&spec.teams).cloned();
        let left = spec.teams.difference(&wanted.teams).cloned();
        // Left first: a principal is in so many teams at most.
        let teams = left.map(PrincipalCommand::LeaveTeam);
        let teams = teams.chain(joined.map(PrincipalCommand::JoinTeam));
        let roles = granted.chain(revoked.map(PrincipalCommand::RevokeRole));
        let commands = roles.chain(teams);
        let commands = Commands::Principal(commands.collect());
        let changes = diff(&document(spec), &document(wanted));
        self.change(object, false, changes, commands, wanted);
    }

    /// A tenant that has an owner keeps one. This is what can be shown; carrying out counts again when nobody else takes
    /// an owner away (`owners.rs`).
    fn keep_an_owner(&mut self, wanted: &BTreeMap<String, PrincipalSpec>) {
        let observed = &self.observed.principals;
        let is_owner =
            |one: &ObservedPrincipal| one.active && one.spec.roles.contains(&Role::Owner);
        let before = observed.values().filter(|one| is_owner(one)).count();
        let unnamed = observed
            .iter()
            .filter(|(handle, _)| !wanted.contains_key(*handle));
        let unnamed = unnamed.filter(|(_, one)| is_owner(one)).count();
        let named = wanted
            .values()
            .filter(|one| one.roles.contains(&Role::Owner))
            .count();
        let persons = self.observed.owners;
        if persons + before > 0 && persons + unnamed + named == 0 {
            let message = "the plan would leave the tenant without an owner: give another principal the role first";
            self.problem_at("principals", "LAST_OWNER", message);
        }
    }
}
