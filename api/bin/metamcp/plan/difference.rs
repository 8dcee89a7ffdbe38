//! From what is to be and what is to the steps between the two.

use super::{
    Action, Commands, Object, Observed, ObservedTool, Plan, Problem, RegistrySpec, ServerSpec,
    Step, ToolSpec,
};
use domain::compatibility::compare;
use domain::diff::{Change, diff};
use domain::id::{ServerId, TenantId};
use domain::server::{RegisterServer, ServerCommand};
use domain::tenant::TenantCommand;
use domain::tool::{PublishToolVersion, RegisterTool, ToolCommand};
use semver::Version;
use serde::Serialize;
use serde_json::Value;

/// Why something that a plan takes out of use is out of use.
const NOT_IN_THE_FILES: &str = "not in the files that the registry was made to match";

/// What is collected on the way.
struct Making<'a> {
    tenant: &'a TenantId,
    observed: &'a Observed,
    steps: Vec<Step>,
    unchanged: usize,
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
            steps: Vec::new(),
            unchanged: 0,
            problems: Vec::new(),
        };
        making.tenant_name(wanted.tenant_name.as_deref());
        for (slug, server) in &wanted.servers {
            making.server(slug, server);
        }
        let left_over = making.left_over(wanted);
        if prune {
            left_over.iter().for_each(|object| making.retire(object));
        }
        if !making.problems.is_empty() {
            return Err(making.problems);
        }
        Ok(Self {
            tenant: tenant.clone(),
            position: observed.position,
            steps: making.steps,
            unchanged: making.unchanged,
            left_over: if prune { Vec::new() } else { left_over },
        })
    }

    /// Whether the registry is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl Making<'_> {
    fn tenant_name(&mut self, wanted: Option<&str>) {
        let Some(wanted) = wanted else { return };
        let current = self.observed.tenant_name.as_str();
        if current == wanted {
            self.unchanged += 1;
            return;
        }
        let name = |name: &str| serde_json::json!({ "name": name });
        let rename = TenantCommand::Rename {
            display_name: wanted.to_owned(),
        };
        self.step(
            Object::Tenant,
            Action::Update(diff(&name(current), &name(wanted))),
            Commands::Tenant(vec![rename]),
            &wanted,
        );
    }

    fn server(&mut self, slug: &str, wanted: &ServerSpec) {
        let object = Object::Server(slug.to_owned());
        if self.observed.retired_servers.contains_key(slug) {
            self.problem(
                &object,
                "SERVER_RETIRED",
                "the server is retired: restore it with `restoreServer`, or remove it from the files",
            );
            return;
        }
        let alone = wanted.alone();
        match self.observed.servers.get(slug) {
            None => {
                let register = ServerCommand::Register(RegisterServer {
                    slug: slug.to_owned(),
                    profile: wanted.profile(),
                });
                let commands = Commands::Server(vec![register]);
                self.step(object, Action::Create, commands, &alone);
            }
            Some(current) => {
                let restored = self.observed.restored.contains(&object);
                let mut commands = Vec::new();
                if restored {
                    commands.push(ServerCommand::Restore);
                }
                if *current != alone {
                    commands.push(ServerCommand::Describe(wanted.profile()));
                }
                let changes = diff(&document(current), &document(&alone));
                self.change(
                    object,
                    restored,
                    changes,
                    Commands::Server(commands),
                    &alone,
                );
            }
        }
        for (name, tool) in &wanted.tools {
            self.tool(slug, name, tool);
        }
    }

    fn tool(&mut self, slug: &str, name: &str, wanted: &ToolSpec) {
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
            let register = ToolCommand::Register(Box::new(RegisterTool {
                server_id: ServerId::derive(self.tenant, slug),
                server: slug.to_owned(),
                name: name.to_owned(),
                profile: wanted.profile(),
                tool_version: wanted.version.clone(),
                definition: wanted.definition().into(),
            }));
            let commands = Commands::Tool(vec![register]);
            self.step(object, Action::Create, commands, wanted);
            return;
        };
        match tool_commands(name, current, wanted) {
            Err((code, message)) => self.problem(&object, code, &message),
            Ok(mut commands) => {
                let restored = self.observed.restored.contains(&object);
                if restored {
                    commands.insert(0, ToolCommand::Restore);
                }
                let changes = diff(&document(&current.spec), &document(wanted));
                self.change(object, restored, changes, Commands::Tool(commands), wanted);
            }
        }
    }

    /// A step for an object that is there, if there is anything to do.
    fn change(
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
            Object::Tenant => return,
            Object::Server(_) => Commands::Server(vec![ServerCommand::Retire { reason }]),
            Object::Tool(..) => Commands::Tool(vec![ToolCommand::Retire { reason }]),
        };
        self.step(object.clone(), Action::Retire, commands, &"retire");
    }

    fn step(
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

    fn problem(&mut self, object: &Object, code: &'static str, message: &str) {
        self.problems
            .push(Problem::new(object.to_string(), code, message));
    }
}

/// The commands that make a tool what it should be; none when it is.
fn tool_commands(
    name: &str,
    current: &ObservedTool,
    wanted: &ToolSpec,
) -> Result<Vec<ToolCommand>, (&'static str, String)> {
    let mut commands = Vec::new();
    if current.spec.profile() != wanted.profile() {
        commands.push(ToolCommand::Describe(wanted.profile()));
    }
    // A definition that the domain refuses has no hash, is another one, and is refused in the rehearsal.
    let hash = wanted.definition().checked_hash(name).ok();
    let is_same = hash.as_ref() == Some(&current.definition_hash);
    let (latest, version) = (&current.spec.version, &wanted.version);
    if is_same && latest == version {
        return Ok(commands);
    }
    if is_same {
        let message = format!(
            "the definition is that of version {latest}, and a version is published with another definition only: write `version: {latest}`"
        );
        return Err(("DEFINITION_UNCHANGED", message));
    }
    if version <= latest {
        let suggested = suggested_version(&current.spec, wanted);
        let message = format!(
            "the definition differs from that of version {latest}, so `version` must be above it, for example {suggested}; found {version}"
        );
        return Err(("VERSION_NOT_ABOVE_LATEST", message));
    }
    commands.push(ToolCommand::PublishVersion(Box::new(PublishToolVersion {
        tool_version: wanted.version.clone(),
        definition: wanted.definition().into(),
    })));
    Ok(commands)
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
fn document(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
