//! The categories: what has to be added, described and retired, in an order that the taxonomy accepts.

use super::difference::{Making, document};
use super::{Action, CategorySpec, Commands, Object};
use domain::diff::diff;
use domain::taxonomy::TaxonomyCommand;
use std::collections::{BTreeMap, BTreeSet};

type Categories = BTreeMap<String, CategorySpec>;

impl Making<'_> {
    /// The step of the taxonomy; the categories that are not named and stay.
    pub(super) fn taxonomy(&mut self, wanted: Option<&Categories>, prune: bool) -> Vec<Object> {
        let Some(wanted) = wanted else {
            return Vec::new();
        };
        let current = &self.observed.categories;
        let mut commands = added(current, wanted);
        for (slug, category) in wanted {
            if current.get(slug).is_some_and(|known| known != category) {
                commands.push(TaxonomyCommand::Describe(category.category(slug)));
            }
        }
        let unnamed = current
            .iter()
            .filter(|(slug, _)| !wanted.contains_key(*slug));
        let unnamed: Categories = unnamed
            .map(|(slug, it)| (slug.clone(), it.clone()))
            .collect();
        let mut target = wanted.clone();
        match prune {
            true => commands.extend(retired(&unnamed)),
            false => target.extend(unnamed.clone()),
        }
        let changes = diff(&document(current), &document(&target));
        let commands = Commands::Taxonomy(commands);
        if !commands.is_empty() {
            self.step(Object::Taxonomy, Action::Update(changes), commands, &target);
        } else if !target.is_empty() {
            self.unchanged += 1;
        }
        match prune {
            true => Vec::new(),
            false => unnamed.into_keys().map(Object::Category).collect(),
        }
    }
}

/// What is new, a category before its parts. What cannot be put in order is left to the domain, which refuses it.
fn added(current: &Categories, wanted: &Categories) -> Vec<TaxonomyCommand> {
    let mut there: BTreeSet<&str> = current.keys().map(String::as_str).collect();
    let mut new: Vec<_> = wanted.iter().collect();
    new.retain(|(slug, _)| !there.contains(slug.as_str()));
    let mut commands = Vec::new();
    while !new.is_empty() {
        let ready = |(_, category): &(&String, &CategorySpec)| {
            let parent = category.parent.as_deref();
            parent.is_none_or(|parent| there.contains(parent))
        };
        let next = new.iter().position(ready).unwrap_or(0);
        let (slug, category) = new.remove(next);
        there.insert(slug);
        commands.push(TaxonomyCommand::Add(category.category(slug)));
    }
    commands
}

/// What goes out of use, parts before what they are parts of.
fn retired(unnamed: &Categories) -> Vec<TaxonomyCommand> {
    let mut left: Vec<&String> = unnamed.keys().collect();
    let mut commands = Vec::new();
    while !left.is_empty() {
        let is_whole = |slug: &&String| {
            let parts = left.iter().filter_map(|it| unnamed[*it].parent.as_ref());
            !parts.into_iter().any(|parent| parent == *slug)
        };
        let next = left.iter().position(is_whole).unwrap_or(0);
        commands.push(TaxonomyCommand::Retire {
            slug: left.remove(next).clone(),
            successor: None,
        });
    }
    commands
}
