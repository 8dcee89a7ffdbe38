//! A plan for people, in the form that Terraform has made known.

use super::{Action, Applied, Plan};
use domain::diff::Change;
use domain::text::clean;
use serde_json::Value;
use std::fmt;

/// Longest value that is shown, in characters.
const MAX_VALUE: usize = 72;
/// Changes of one object that are shown.
const MAX_CHANGES: usize = 20;
/// Objects that stay though the document does not name them, and are shown.
const MAX_LEFT_OVER: usize = 10;

/// How many steps of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    create: usize,
    update: usize,
    restore: usize,
    retire: usize,
}

impl Plan {
    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for step in &self.steps {
            match step.action {
                Action::Create => totals.create += 1,
                Action::Update(_) => totals.update += 1,
                Action::Restore(_) => totals.restore += 1,
                Action::Retire => totals.retire += 1,
            }
        }
        totals
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let object = &step.object;
            match &step.action {
                Action::Create => writeln!(f, "+ create  {object}")?,
                Action::Retire => writeln!(f, "- retire  {object}")?,
                Action::Update(changes) => {
                    writeln!(f, "~ update  {object}")?;
                    fields(f, changes)?;
                }
                Action::Restore(changes) => {
                    writeln!(f, "+ restore {object}")?;
                    fields(f, changes)?;
                }
            }
        }
        if !self.left_over.is_empty() {
            let names = self.left_over.iter().take(MAX_LEFT_OVER);
            let mut names: Vec<String> = names.map(ToString::to_string).collect();
            if self.left_over.len() > MAX_LEFT_OVER {
                names.push("…".to_owned());
            }
            let (count, names) = (self.left_over.len(), names.join(", "));
            writeln!(
                f,
                "  {count} in the registry and not named, left alone: {names}"
            )?;
        }
        let Totals {
            create,
            update,
            restore,
            retire,
        } = self.totals();
        let Self {
            tenant,
            position,
            unchanged,
            ..
        } = self;
        write!(
            f,
            "Tenant {tenant} at position {position}: {create} to create, {update} to update, {restore} to restore, {retire} to retire; {unchanged} unchanged."
        )
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes made: {}", self.steps)?;
        match self.last_stream_sequence {
            Some(last) => write!(f, "; last commit at position {last} of the log."),
            None => f.write_str("."),
        }
    }
}

fn fields(f: &mut fmt::Formatter<'_>, changes: &[Change]) -> fmt::Result {
    for change in changes.iter().take(MAX_CHANGES) {
        field(f, change)?;
    }
    if changes.len() > MAX_CHANGES {
        writeln!(f, "    … {} more", changes.len() - MAX_CHANGES)?;
    }
    Ok(())
}

fn field(f: &mut fmt::Formatter<'_>, change: &Change) -> fmt::Result {
    let path = clean(&change.path).text;
    match (&change.before, &change.after) {
        (None, after) => writeln!(f, "    + {path}: {}", shown(after.as_ref())),
        (before, None) => writeln!(f, "    - {path}: {}", shown(before.as_ref())),
        (before, after) => writeln!(
            f,
            "    ~ {path}: {} → {}",
            shown(before.as_ref()),
            shown(after.as_ref())
        ),
    }
}

/// One line of JSON, cut; what it quotes was written by strangers.
fn shown(value: Option<&Value>) -> String {
    let text = value.map(ToString::to_string).unwrap_or_default();
    let text = clean(&text).text;
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
