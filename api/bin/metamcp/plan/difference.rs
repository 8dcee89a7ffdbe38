//! From what is to be and what is to the steps between the two.

use super::{
    Action, Commands, Object, Observed, ObservedTool, Plan, Problem, Refusal, RegistrySpec, Step,
    ToolSpec, life,
};
use domain::compatibility::compare;
use domain::diff::{Change, diff};
use domain::id::{ServerId, TenantId};
use domain::server::ServerCommand;
use domain::tenant::{AfterSunset, TenantCommand};
use domain::tool::reference::{Offer, current};
use domain::tool::{PublishToolVersion, RegisterTool, ToolCommand};
use semver::Version;
use serde::Serialize;
use serde_json::Value;

/// Why something that a plan takes out of use is out of use.
const NOT_IN_THE_FILES: &str = "not in the files that the registry was made to match";

/// What is collected on the way.
pub(super) struct Making<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) observed: &'a Observed,
    /// Whether what is said beside the current definitions of tools is made so, too.
    lives: bool,
    steps: Vec<Step>,
    pub(super) unchanged: usize,
    problems: Vec<Problem>,
}

impl Plan {
    /// What has to happen so that the registry is as it should be. What the document does not name stays,
    /// unless `prune` retires it.
    ///
    /// # Errors
    /// Every problem that can be seen without asking the domain.
    pub fn make(
        tenant: &TenantId,
        wanted: &RegistrySpec,
        observed: &Observed,
        prune: bool,
    ) -> Result<Self, Vec<Problem>> {
        let mut making = Making {
            tenant,
            observed,
            lives: wanted.lives,
            steps: Vec::new(),
            unchanged: 0,
            problems: Vec::new(),
        };
        making.tenant(wanted);
        let categories = making.taxonomy(wanted.categories.as_ref(), prune);
        for (slug, server) in &wanted.servers {
            making.server(slug, server);
        }
        let mut left_over = making.left_over(wanted);
        if prune {
            left_over
                .drain(..)
                .for_each(|object| making.retire(&object));
        }
        left_over.extend(categories);
        left_over.extend(making.installations(wanted.installations.as_ref(), prune));
        left_over.extend(making.principals(wanted.principals.as_ref()));
        if !making.problems.is_empty() {
            return Err(making.problems);
        }
        Ok(Self {
            tenant: tenant.clone(),
            position: observed.position,
            steps: making.steps,
            unchanged: making.unchanged,
            left_over,
        })
    }

    /// Whether the registry is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl Making<'_> {
    fn tenant(&mut self, wanted: &RegistrySpec) {
        let Some(name) = &wanted.tenant_name else {
            return;
        };
        let there = (&self.observed.tenant_name, self.observed.after_sunset);
        let rule = if self.lives {
            wanted.after_sunset
        } else {
            there.1
        };
        let mut commands = Vec::new();
        if there.0 != name {
            let display_name = name.clone();
            commands.push(TenantCommand::Rename { display_name });
        }
        if there.1 != rule {
            commands.push(TenantCommand::SetAfterSunset(rule));
        }
        let said = |name: &str, rule: Option<AfterSunset>| match rule {
            Some(rule) => serde_json::json!({ "name": name, "after_sunset": rule }),
            None => serde_json::json!({ "name": name }),
        };
        let target = said(name, rule);
        let changes = diff(&said(there.0, there.1), &target);
        self.change(
            Object::Tenant,
            false,
            changes,
            Commands::Tenant(commands),
            &target,
        );
    }

    pub(super) fn tool(&mut self, slug: &str, name: &str, wanted: &ToolSpec) {
        let object = Object::Tool(slug.to_owned(), name.to_owned());
        let key = (slug.to_owned(), name.to_owned());
        if self.observed.retired_tools.contains_key(&key) {
            self.problem(
                &object,
                "TOOL_RETIRED",
                "the tool is retired: restore it with `restoreTool`, or remove it from the files",
            );
            return;
        }
        let Some(current) = self.observed.tools.get(&key) else {
            self.new_tool(object, (slug, name), wanted);
            return;
        };
        match tool_commands(name, current, wanted, self.lives) {
            Err((code, message)) => self.problem(&object, code, &message),
            Ok(mut commands) => {
                let restored = self.observed.restored.contains(&object);
                if restored {
                    commands.insert(0, ToolCommand::Restore);
                }
                let shown = |spec: &ToolSpec| match self.lives {
                    true => document(&current.shown(spec)),
                    false => document(&spec.alone()),
                };
                let changes = diff(&shown(&current.spec), &shown(wanted));
                let target = (self.lives, wanted);
                self.change(object, restored, changes, Commands::Tool(commands), &target);
            }
        }
    }

    fn new_tool(&mut self, object: Object, (slug, name): (&str, &str), wanted: &ToolSpec) {
        let register = |first: PublishToolVersion| {
            ToolCommand::Register(Box::new(RegisterTool {
                server_id: ServerId::derive(self.tenant, slug),
                server: slug.to_owned(),
                name: name.to_owned(),
                profile: wanted.profile(),
                tool_version: first.tool_version,
                definition: first.definition,
            }))
        };
        let commands = match self.lives {
            true => life::of_new(name, wanted, register),
            false => Ok(vec![register(own_version(wanted))]),
        };
        match commands {
            Err((code, message)) => self.problem(&object, code, &message),
            Ok(commands) => {
                let commands = Commands::Tool(commands);
                self.step(object, Action::Create, commands, &(self.lives, wanted));
            }
        }
    }

    /// A step for an object that is there, if there is anything to do.
    pub(super) fn change(
        &mut self,
        object: Object,
        restored: bool,
        changes: Vec<Change>,
        commands: Commands,
        target: &impl Serialize,
    ) {
        let action = match restored {
            true => Action::Restore(changes),
            false => Action::Update(changes),
        };
        match commands.is_empty() {
            true => self.unchanged += 1,
            false => self.step(object, action, commands, target),
        }
    }

    /// What is in use and not named. The tools of a server that is not named go with it.
    fn left_over(&self, wanted: &RegistrySpec) -> Vec<Object> {
        let servers = self.observed.servers.keys();
        let servers = servers.filter(|slug| !wanted.servers.contains_key(*slug));
        let tools = self.observed.tools.keys().filter(|(slug, name)| {
            let server = wanted.servers.get(slug);
            server.is_some_and(|server| !server.tools.contains_key(name))
        });
        let mut left_over: Vec<Object> = servers.cloned().map(Object::Server).collect();
        left_over.extend(tools.cloned().map(|(slug, name)| Object::Tool(slug, name)));
        left_over
    }

    fn retire(&mut self, object: &Object) {
        let reason = NOT_IN_THE_FILES.to_owned();
        let commands = match object {
            Object::Tenant
            | Object::Taxonomy
            | Object::Category(_)
            | Object::Installation(_)
            | Object::Principal(_) => return,
            Object::Server(_) => Commands::Server(vec![ServerCommand::Retire { reason }]),
            Object::Tool(..) => Commands::Tool(vec![ToolCommand::Retire { reason }]),
        };
        self.step(object.clone(), Action::Retire, commands, &"retire");
    }

    pub(super) fn step(
        &mut self,
        object: Object,
        action: Action,
        commands: Commands,
        target: &impl Serialize,
    ) {
        self.steps.push(Step {
            object,
            action,
            commands,
            target: document(target).to_string().into_bytes(),
        });
    }

    pub(super) fn problem(&mut self, object: &Object, code: &'static str, message: &str) {
        self.problem_at(&object.to_string(), code, message);
    }

    pub(super) fn problem_at(&mut self, place: &str, code: &'static str, message: &str) {
        self.problems.push(Problem::new(place, code, message));
    }
}

/// The commands that make a tool what it should be; none when it is.
fn tool_commands(
    name: &str,
    there: &ObservedTool,
    wanted: &ToolSpec,
    lives: bool,
) -> Result<Vec<ToolCommand>, Refusal> {
    let mut commands = Vec::new();
    if there.spec.profile() != wanted.profile() {
        commands.push(ToolCommand::Describe(wanted.profile()));
    }
    let publish = publication(name, there, wanted, lives)?;
    match lives {
        true => commands.extend(life::commands(name, there, wanted, publish)?),
        false => commands.extend(publish.map(|it| ToolCommand::PublishVersion(Box::new(it)))),
    }
    Ok(commands)
}

/// The current version as it should be, if it has to be published.
fn publication(
    name: &str,
    there: &ObservedTool,
    wanted: &ToolSpec,
    lives: bool,
) -> Result<Option<PublishToolVersion>, Refusal> {
    // A definition that the domain refuses has no hash, is another one, and is refused in the rehearsal.
    let hash = wanted.definition().checked_hash(name).ok();
    let (version, known) = (&wanted.version, &there.spec.version);
    let published = there.published.get(version).map(|it| &it.hash);
    if hash.as_ref() == Some(&there.definition_hash) && known == version
        || lives && hash.is_some() && hash.as_ref() == published
    {
        return Ok(None);
    }
    let latest = match lives {
        true => latest_besides(there, wanted),
        false => Some(known),
    };
    let Some(latest) = latest else {
        return Ok(Some(own_version(wanted)));
    };
    let is_same = match latest == known {
        true => hash.as_ref() == Some(&there.definition_hash),
        false => hash.as_ref() == there.published.get(latest).map(|it| &it.hash),
    };
    if is_same {
        let message = format!(
            "the definition is that of version {latest}, and a version is published with another definition only: write `version: {latest}`"
        );
        return Err(("DEFINITION_UNCHANGED", message));
    }
    if version <= latest {
        let suggested = suggested_version(&there.spec, wanted);
        let message = format!(
            "the definition differs from that of version {latest}, so `version` must be above it, for example {suggested}; found {version}"
        );
        return Err(("VERSION_NOT_ABOVE_LATEST", message));
    }
    Ok(Some(own_version(wanted)))
}

/// The version that would be current once all that is to be yanked is, before anything is published.
fn latest_besides<'a>(there: &'a ObservedTool, wanted: &ToolSpec) -> Option<&'a Version> {
    let yanked = |version: &Version| {
        let said = wanted.versions.get(version);
        said.is_some_and(|said| said.yanked.is_some())
    };
    let others = there.published.iter();
    current(others.map(|(version, _)| Offer {
        version,
        yanked: yanked(version),
    }))
}

fn own_version(wanted: &ToolSpec) -> PublishToolVersion {
    PublishToolVersion {
        tool_version: wanted.version.clone(),
        definition: wanted.definition().into(),
    }
}

/// The version that a changed definition should have, by what the change means for those who use the tool.
pub(crate) fn suggested_version(current: &ToolSpec, wanted: &ToolSpec) -> Version {
    let latest = &current.version;
    if !latest.pre.is_empty() {
        return Version::new(latest.major, latest.minor, latest.patch);
    }
    let suggested = compare(&current.definition(), &wanted.definition()).suggested_version(latest);
    // Two ways to write the same schema have two hashes, and so need two numbers.
    suggested.max(Version::new(
        latest.major,
        latest.minor,
        latest.patch.saturating_add(1),
    ))
}

/// Whether the wanted version's number promises no more than the change keeps.
pub(crate) fn is_permitted(current: &ToolSpec, wanted: &ToolSpec) -> bool {
    compare(&current.definition(), &wanted.definition()).permits(&current.version, &wanted.version)
}

/// Texts, numbers and schemas, for which JSON cannot fail.
pub(super) fn document(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
