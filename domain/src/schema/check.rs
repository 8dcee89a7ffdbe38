//! Whether a document is a JSON Schema that stands for itself.

use super::Dialect;
use super::endless::{REFERENCES, endless};
use super::keywords::each_below;
use super::links::{Links, Target};
use super::pattern::Patterns;
use super::plain::is_plain;
use jsonschema::ValidationError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Longest reason, in characters: it quotes what a stranger wrote.
const MAX_REASON: usize = 200;

/// What is wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaFault {
    /// It is no JSON Schema of its draft, or none that can be applied.
    Invalid {
        /// Where: a JSON Pointer.
        path: String,
        /// What the draft asks for, or what does not work.
        reason: String,
    },
    /// It refers to another document.
    RemoteReference {
        /// The reference.
        reference: String,
    },
}

impl SchemaFault {
    /// The fault of a part, told as one of the whole.
    fn below(self, place: &str) -> Self {
        match self {
            Self::Invalid { path, reason } => Self::Invalid {
                path: format!("{place}{path}"),
                reason,
            },
            Self::RemoteReference { .. } => self,
        }
    }
}

/// The draft by which the document is a JSON Schema.
///
/// # Errors
/// [`SchemaFault`] for a document that is none, or that does not stand for itself.
pub fn check(schema: &Value) -> Result<Dialect, SchemaFault> {
    if is_plain(schema) {
        return Ok(Dialect::Draft202012);
    }
    let dialect = dialect_of(schema)?;
    let links = Links::of(schema);
    let mut walk = Walk {
        links: &links,
        patterns: Patterns::default(),
        referring: Vec::new(),
        seen: BTreeSet::new(),
        ahead: Vec::new(),
    };
    walk.see(schema)?;
    // A reference may lead to where no keyword says that there is a schema. A list and no recursion: a chain of
    // them may be long.
    while let Some(target) = walk.ahead.pop() {
        if !walk.seen.contains(&std::ptr::from_ref(target)) {
            validate(target, dialect).map_err(|fault| fault.below(&links.place(target, &[])))?;
            walk.see(target)?;
        }
    }
    match endless(&links, dialect, &walk.referring) {
        Some((schema, keyword)) => Err(SchemaFault::Invalid {
            path: links.place(schema, &[keyword]),
            reason: "the reference leads back to itself and never ends; a schema may refer to itself from \
                     where it speaks of a part, such as below `properties` or `items`"
                .to_owned(),
        }),
        None => Ok(dialect),
    }
}

/// The declared draft, 2020-12, or the newest older one that the document keeps.
fn dialect_of(schema: &Value) -> Result<Dialect, SchemaFault> {
    let Some(declared) = schema.get("$schema") else {
        let Err(fault) = validate(schema, Dialect::Draft202012) else {
            return Ok(Dialect::Draft202012);
        };
        let older = [Dialect::Draft7, Dialect::Draft4];
        let kept = older
            .into_iter()
            .find(|older| validate(schema, *older).is_ok());
        return kept.ok_or(fault);
    };
    let named = declared.as_str().and_then(Dialect::named);
    let dialect = named.ok_or_else(|| SchemaFault::Invalid {
        path: "/$schema".to_owned(),
        reason:
            "it is not a known draft: use \"https://json-schema.org/draft/2020-12/schema\", an \
                 older official one, or leave it out"
                .to_owned(),
    })?;
    validate(schema, dialect).map(|()| dialect)
}

fn validate(schema: &Value, dialect: Dialect) -> Result<(), SchemaFault> {
    dialect.validator().validate(schema).map_err(invalid)
}

// By value, because that is how `map_err` gives it.
#[expect(clippy::needless_pass_by_value, reason = "a function for `map_err`")]
fn invalid(error: ValidationError<'_>) -> SchemaFault {
    let reason = error.masked_with("the value").to_string();
    SchemaFault::Invalid {
        path: error.instance_path().to_string(),
        reason: reason.chars().take(MAX_REASON).collect(),
    }
}

/// What the draft's document does not say of a schema and of those below it.
struct Walk<'a> {
    links: &'a Links<'a>,
    patterns: Patterns,
    /// The schemas that refer to others.
    referring: Vec<&'a Value>,
    /// The schemas that were looked at, by their addresses.
    seen: BTreeSet<*const Value>,
    /// Those that are referred to.
    ahead: Vec<&'a Value>,
}

impl<'a> Walk<'a> {
    fn see(&mut self, schema: &'a Value) -> Result<(), SchemaFault> {
        self.seen.insert(schema);
        let Value::Object(members) = schema else {
            return Ok(());
        };
        let links = self.links;
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(reference) = members.get(keyword).and_then(Value::as_str) {
                self.check_reference(reference, || links.place(schema, &[keyword]))?;
            }
        }
        self.check_patterns(schema, members)?;
        if REFERENCES
            .iter()
            .any(|keyword| members.contains_key(*keyword))
        {
            self.referring.push(schema);
        }
        let mut outcome = Ok(());
        each_below(members, &mut |below| {
            if outcome.is_ok() {
                outcome = self.see(below);
            }
        });
        outcome
    }

    fn check_reference(
        &mut self,
        reference: &str,
        place: impl Fn() -> String,
    ) -> Result<(), SchemaFault> {
        let short = || reference.chars().take(MAX_REASON).collect::<String>();
        match self.links.target(reference) {
            Target::Schema(schema) => {
                self.ahead.push(schema);
                Ok(())
            }
            Target::Elsewhere => Err(SchemaFault::RemoteReference { reference: short() }),
            Target::Nowhere => Err(SchemaFault::Invalid {
                path: place(),
                reason: format!("the reference \"{}\" leads to no schema", short()),
            }),
        }
    }

    fn check_patterns(
        &mut self,
        schema: &Value,
        members: &Map<String, Value>,
    ) -> Result<(), SchemaFault> {
        let own = members.get("pattern").and_then(Value::as_str);
        let own = own.map(|pattern| (pattern, vec!["pattern"]));
        let named = members.get("patternProperties").and_then(Value::as_object);
        let named = named.into_iter().flat_map(Map::keys);
        let named = named.map(|name| (name.as_str(), vec!["patternProperties", name.as_str()]));
        for (pattern, place) in own.into_iter().chain(named) {
            self.patterns
                .check(pattern)
                .map_err(|reason| SchemaFault::Invalid {
                    path: self.links.place(schema, &place),
                    reason: reason.to_owned(),
                })?;
        }
        Ok(())
    }
}
