//! What is said of a tool beside its current definition: other versions, aliases, deprecations, yanks.

use super::{ObservedTool, Refusal, ToolSpec, VersionSpec};
use domain::tool::reference::{Offer, current, numbered};
use domain::tool::{PublishToolVersion, ToolCommand};
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// The current version that the document names would not be the current one.
const NOT_CURRENT: &str = "VERSION_NOT_CURRENT";

/// The steps of a life in the order in which they are decided. A version that comes back or is published may
/// be where an alias goes; an alias keeps the version that it leaves from being yanked.
#[derive(Default)]
struct Order {
    first: Vec<ToolCommand>,
    publish: Vec<ToolCommand>,
    aliases: Vec<ToolCommand>,
    last: Vec<ToolCommand>,
}

/// The commands that make all of this what it should be; `publish` publishes the current version, if it is new.
///
/// # Errors
/// What can be seen without asking the domain.
pub(super) fn commands(
    tool: &str,
    there: &ObservedTool,
    wanted: &ToolSpec,
    publish: Option<PublishToolVersion>,
) -> Result<Vec<ToolCommand>, Refusal> {
    check(tool, there, wanted)?;
    let mut order = Order::default();
    let mut published: BTreeMap<&Version, Vec<ToolCommand>> = BTreeMap::new();
    if let Some(publish) = publish {
        published.insert(
            &wanted.version,
            vec![ToolCommand::PublishVersion(Box::new(publish))],
        );
    }
    for (version, spec) in &wanted.versions {
        let hash = spec.definition().and_then(|it| it.checked_hash(tool).ok());
        let known = there.published.get(version);
        let is_there = known.is_some_and(|known| hash.is_none_or(|hash| hash == known.hash));
        if !is_there && let Some(publish) = self::publish(version, spec) {
            let mut commands = vec![publish];
            if known.is_none() {
                // While a version is in nobody's way: those that follow are compared with what is in use.
                commands.extend(spec.yanked.as_ref().map(|why| yank(version, why)));
            }
            published.insert(version, commands);
        }
    }
    order.publish.extend(published.into_values().flatten());
    order.standing(there, wanted);
    order.aliases(there, wanted);
    order.deprecations(there, wanted);
    let Order {
        first,
        publish,
        aliases,
        last,
    } = order;
    Ok([first, publish, aliases, last].concat())
}

/// The commands for a tool that is not there yet: its first version is registered by `register`.
///
/// # Errors
/// As [`commands`].
pub(super) fn of_new(
    tool: &str,
    wanted: &ToolSpec,
    register: impl FnOnce(PublishToolVersion) -> ToolCommand,
) -> Result<Vec<ToolCommand>, Refusal> {
    let mine = PublishToolVersion {
        tool_version: wanted.version.clone(),
        definition: wanted.definition().into(),
    };
    let nothing = ObservedTool::unpublished(wanted);
    let mut rest = commands(tool, &nothing, wanted, Some(mine))?;
    // One version at least has to be in use, always: the lowest that stays so begins.
    let stays = |version: &Version| {
        let said = wanted.versions.get(version);
        said.is_none_or(|said| said.yanked.is_none())
    };
    let begins = |command: &ToolCommand| matches!(command, ToolCommand::PublishVersion(it) if stays(&it.tool_version));
    if let Some(at) = rest.iter().position(begins)
        && let ToolCommand::PublishVersion(first) = rest.remove(at)
    {
        rest.insert(0, register(*first));
    }
    Ok(rest)
}

fn publish(version: &Version, spec: &VersionSpec) -> Option<ToolCommand> {
    let definition = spec.definition()?.into();
    let tool_version = version.clone();
    let publish = PublishToolVersion {
        tool_version,
        definition,
    };
    Some(ToolCommand::PublishVersion(Box::new(publish)))
}

fn yank(version: &Version, reason: &str) -> ToolCommand {
    ToolCommand::YankVersion {
        tool_version: version.clone(),
        reason: reason.to_owned(),
    }
}

/// A version without a definition has to be there, and the current one has to be current afterwards.
fn check(tool: &str, there: &ObservedTool, wanted: &ToolSpec) -> Result<(), Refusal> {
    for (version, spec) in &wanted.versions {
        if *version == wanted.version && spec.has_definition() {
            let message = format!(
                "the definition of version {version} stands beside `version`: give it there only"
            );
            return Err(("DEFINITION_GIVEN_TWICE", message));
        }
        if let Some(known) = numbered(there.published.keys(), version)
            && known != version
        {
            let message = format!("version {version} is published as {known}: write it so");
            return Err(("VERSION_TAKEN", message));
        }
        if spec.description.is_none() && spec.has_definition() {
            let message =
                format!("version {version} has schemas or annotations and no `description`");
            return Err(("FIELD_MISSING", message));
        }
        if *version != wanted.version
            && !spec.has_definition()
            && !there.published.contains_key(version)
        {
            let message = format!(
                "version {version} is not published, and its definition is not given: give `description` and schemas under \
                 `versions`, or leave it out"
            );
            return Err(("VERSION_NOT_FOUND", message));
        }
    }
    let mut all: BTreeMap<&Version, bool> = there.published.keys().map(|it| (it, false)).collect();
    all.insert(&wanted.version, false);
    all.extend(
        wanted
            .versions
            .iter()
            .map(|(version, spec)| (version, spec.yanked.is_some())),
    );
    let offers = all.iter().map(|(version, yanked)| Offer {
        version,
        yanked: *yanked,
    });
    match current(offers) {
        Some(found) if *found == wanted.version => Ok(()),
        found => {
            let found = found.map_or_else(|| "none".to_owned(), ToString::to_string);
            let message = format!(
                "the current version of {tool} would be {found}, not {}: `version` is the highest that is neither yanked \
                 nor a pre-release; others stand under `versions`",
                wanted.version
            );
            Err((NOT_CURRENT, message))
        }
    }
}

impl Order {
    /// Yanks and unyanks of what is published.
    fn standing(&mut self, there: &ObservedTool, wanted: &ToolSpec) {
        let usable = there.published.values().filter(|it| it.yanked.is_none());
        let mut usable = usable.count();
        for (version, known) in &there.published {
            let said = wanted.versions.get(version);
            let wanted = said.and_then(|said| said.yanked.as_ref());
            let unyank = ToolCommand::UnyankVersion {
                tool_version: version.clone(),
            };
            match (&known.yanked, wanted) {
                (None, Some(why)) if there.spec.aliases.values().any(|at| at == version) => {
                    self.last.push(yank(version, why));
                }
                // Of two that are in each other's way, the one that goes goes first.
                (None, Some(why)) if usable > 1 => {
                    usable -= 1;
                    self.first.push(yank(version, why));
                }
                (None, Some(why)) => self.last.push(yank(version, why)),
                (Some(_), None) => self.first.push(unyank),
                (Some(before), Some(why)) if before != why => {
                    self.first.extend([unyank, yank(version, why)]);
                }
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
    }

    fn aliases(&mut self, there: &ObservedTool, wanted: &ToolSpec) {
        for alias in there.spec.aliases.keys() {
            if !wanted.aliases.contains_key(alias) {
                let alias = alias.clone();
                self.aliases.push(ToolCommand::RemoveAlias { alias });
            }
        }
        for (alias, to) in &wanted.aliases {
            if there.spec.aliases.get(alias) != Some(to) {
                let (alias, to) = (alias.clone(), to.clone());
                self.aliases.push(ToolCommand::MoveAlias { alias, to });
            }
        }
    }

    fn deprecations(&mut self, there: &ObservedTool, wanted: &ToolSpec) {
        let before = |version: &Version| there.published.get(version)?.deprecated.as_ref();
        let after = |version: &Version| wanted.versions.get(version)?.deprecated.as_ref();
        let versions: BTreeSet<&Version> = there
            .published
            .keys()
            .chain(wanted.versions.keys())
            .collect();
        let of_versions = versions
            .into_iter()
            .map(|version| (Some(version.clone()), before(version), after(version)));
        let of_all = (
            None,
            there.spec.deprecated.as_ref(),
            wanted.deprecated.as_ref(),
        );
        for (tool_version, before, after) in std::iter::once(of_all).chain(of_versions) {
            match (before, after) {
                (before, Some(told)) if before != Some(told) => {
                    let deprecation = told.clone().into();
                    self.last.push(ToolCommand::Deprecate {
                        tool_version,
                        deprecation,
                    });
                }
                (Some(_), None) => self.last.push(ToolCommand::Undeprecate { tool_version }),
                (_, Some(_)) | (None, None) => {}
            }
        }
    }
}
