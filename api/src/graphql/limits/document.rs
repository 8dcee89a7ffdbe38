//! A parsed document with its variables.

use super::{check_first, refused, too_complex};
use crate::config::LimitsConfig;
use crate::error::ApiError;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables};
use std::collections::HashMap;

/// Deepest nesting of selection sets, those of fragments included.
pub(in crate::graphql) const MAX_RECURSION: usize = 32;
/// Deepest nesting of lists in an introspection query: each list multiplies the answer by the size of
/// the schema. The query that GraphiQL sends has two.
const MAX_INTROSPECTION_LISTS: usize = 2;
/// The introspection fields that are such lists.
const INTROSPECTION_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];
/// The argument of every list that says how long a page is.
const PAGE_ARGUMENT: &str = "first";

/// Checks a parsed document with its variables.
///
/// # Errors
/// [`ApiError::Invalid`] that names the limit.
pub(in crate::graphql) fn check_document(
    document: &ExecutableDocument,
    variables: &Variables,
    limits: &LimitsConfig,
) -> Result<(), ApiError> {
    let mut walk = Walk {
        document,
        variables,
        defaults: HashMap::new(),
        limits,
        known: HashMap::new(),
    };
    let mut total = Cost::default();
    for (_, operation) in document.operations.iter() {
        walk.check_directives(&operation.node.directives)?;
        walk.defaults = defaults(&operation.node.variable_definitions);
        walk.known.clear(); // The same fragment may see other variables in another operation.
        let cost = walk.selection_set(&operation.node.selection_set.node, 0)?;
        total = total.and(cost);
        total.directives += operation.node.directives.len();
    }
    walk.defaults.clear();
    for name in document.fragments.keys() {
        walk.fragment(name, 0)?; // Fragments that nobody uses are validated too, recursively.
    }
    walk.check_total(total)
}

fn defaults(definitions: &[Positioned<VariableDefinition>]) -> HashMap<&str, &Value> {
    definitions
        .iter()
        .filter_map(|definition| {
            let default = definition.node.default_value.as_ref()?;
            Some((definition.node.name.node.as_str(), &default.node))
        })
        .collect()
}

/// What a selection set costs with its fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    depth: usize,
    height: usize,
    selections: usize,
    aliases: usize,
    directives: usize,
    introspection_lists: usize,
}

impl Cost {
    /// Both, side by side.
    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            height: self.height.max(other.height),
            selections: self.selections.saturating_add(other.selections),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            introspection_lists: self.introspection_lists.max(other.introspection_lists),
        }
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    defaults: HashMap<&'a str, &'a Value>,
    limits: &'a LimitsConfig,
    /// Fragments seen so far; none while one is being walked.
    known: HashMap<&'a str, Option<Cost>>,
}

impl<'a> Walk<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Cost, ApiError> {
        if level > MAX_RECURSION {
            return Err(too_recursive());
        }
        let mut sum = Cost::default();
        for selection in &set.items {
            let directives = selection.node.directives();
            self.check_directives(directives)?;
            let mut cost = match &selection.node {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::InlineFragment(inline) => {
                    self.selection_set(&inline.node.selection_set.node, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, level + 1)?
                }
            };
            cost.selections = cost.selections.saturating_add(1);
            cost.directives = cost.directives.saturating_add(directives.len());
            sum = sum.and(cost);
        }
        sum.height += 1;
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field, level: usize) -> Result<Cost, ApiError> {
        self.check_page(field)?;
        let mut cost = self.selection_set(&field.selection_set.node, level + 1)?;
        cost.aliases = cost
            .aliases
            .saturating_add(usize::from(field.alias.is_some()));
        let name = field.name.node.as_str();
        if INTROSPECTION_LISTS.contains(&name) {
            cost.introspection_lists += 1;
        }
        if matches!(name, "__schema" | "__type") {
            // Its depth is the schema's own; what makes it dear is nested lists.
            if cost.introspection_lists > MAX_INTROSPECTION_LISTS {
                let message = format!(
                    "introspection lists are nested deeper than {MAX_INTROSPECTION_LISTS}, which is the limit"
                );
                return Err(refused("QUERY_TOO_DEEP", message));
            }
            cost.depth = 0;
        }
        cost.depth += 1;
        Ok(cost)
    }

    fn fragment(&mut self, name: &'a Name, level: usize) -> Result<Cost, ApiError> {
        let document = self.document;
        let Some(fragment) = document.fragments.get(name) else {
            return Ok(Cost::default());
        };
        match self.known.get(name.as_str()) {
            Some(Some(cost)) if level + cost.height > MAX_RECURSION => Err(too_recursive()),
            Some(Some(cost)) => Ok(*cost),
            Some(None) => Err(refused(
                "QUERY_TOO_RECURSIVE",
                format!("the fragment `{name}` contains itself"),
            )),
            None => {
                self.known.insert(name.as_str(), None);
                self.check_directives(&fragment.node.directives)?;
                let cost = self.selection_set(&fragment.node.selection_set.node, level)?;
                self.known.insert(name.as_str(), Some(cost));
                Ok(cost)
            }
        }
    }

    fn check_page(&self, field: &Field) -> Result<(), ApiError> {
        let Some(argument) = field.get_argument(PAGE_ARGUMENT) else {
            return Ok(());
        };
        let variable = |name: Name| {
            let value = self
                .variables
                .get(&name)
                .or(self.defaults.get(name.as_str()).copied());
            value.cloned().ok_or(())
        };
        match argument.node.clone().into_const_with(variable) {
            // What is no number at all is refused by the type check.
            Ok(Value::Number(first)) => {
                check_first(first.as_i64().unwrap_or(i64::MAX), self.limits).map(|_| ())
            }
            Ok(_) | Err(()) => Ok(()),
        }
    }

    fn check_directives(&self, directives: &[Positioned<Directive>]) -> Result<(), ApiError> {
        let found = directives.len();
        if found > self.limits.graphql_directives {
            Err(self.too_many_directives(found))
        } else {
            Ok(())
        }
    }

    fn too_many_directives(&self, found: usize) -> ApiError {
        let most = self.limits.graphql_directives;
        refused(
            "TOO_MANY_DIRECTIVES",
            format!("{found} directives; the most is {most} (limits.graphql_directives)"),
        )
    }

    fn check_total(&self, total: Cost) -> Result<(), ApiError> {
        let limits = self.limits;
        if total.depth > limits.graphql_depth {
            let (found, most) = (total.depth, limits.graphql_depth);
            let message =
                format!("the query is {found} deep; the most is {most} (limits.graphql_depth)");
            return Err(refused("QUERY_TOO_DEEP", message));
        }
        if total.aliases > limits.graphql_aliases {
            let (found, most) = (total.aliases, limits.graphql_aliases);
            let message = format!("{found} aliases; the most is {most} (limits.graphql_aliases)");
            return Err(refused("TOO_MANY_ALIASES", message));
        }
        if total.directives > limits.graphql_directives {
            return Err(self.too_many_directives(total.directives));
        }
        if total.selections > limits.graphql_complexity {
            return Err(too_complex(limits.graphql_complexity));
        }
        Ok(())
    }
}

fn too_recursive() -> ApiError {
    refused(
        "QUERY_TOO_RECURSIVE",
        format!(
            "selections and fragments are nested deeper than {MAX_RECURSION}, which is the limit"
        ),
    )
}
