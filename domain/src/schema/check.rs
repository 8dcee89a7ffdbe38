//! Whether a document is a JSON Schema that stands for itself.

use super::Dialect;
use super::keywords::each_below;
use super::plain::is_plain;
use super::reference::local_fragment;
use jsonschema::ValidationError;
use serde_json::Value;

/// Longest reason, in characters: it quotes what a stranger wrote.
const MAX_REASON: usize = 200;

/// What is wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaFault {
    /// It is no JSON Schema of its draft.
    Invalid {
        /// Where: a JSON Pointer.
        path: String,
        /// What the draft asks for.
        reason: String,
    },
    /// It refers to another document.
    RemoteReference {
        /// The reference.
        reference: String,
    },
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
    check_references(schema, schema)?;
    Ok(dialect)
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

fn check_references(root: &Value, schema: &Value) -> Result<(), SchemaFault> {
    let Value::Object(members) = schema else {
        return Ok(());
    };
    for keyword in ["$ref", "$dynamicRef"] {
        if let Some(reference) = members.get(keyword).and_then(Value::as_str) {
            check_reference(root, reference)?;
        }
    }
    let mut outcome = Ok(());
    each_below(members, &mut |below| {
        if outcome.is_ok() {
            outcome = check_references(root, below);
        }
    });
    outcome
}

fn check_reference(root: &Value, reference: &str) -> Result<(), SchemaFault> {
    let short = || reference.chars().take(MAX_REASON).collect::<String>();
    let Some(fragment) = local_fragment(root, reference) else {
        return Err(SchemaFault::RemoteReference { reference: short() });
    };
    let found = if fragment.is_empty() || fragment.starts_with('/') {
        let target = root.pointer(&fragment);
        target.is_some_and(|target| target.is_object() || target.is_boolean())
    } else {
        has_anchor(root, &fragment)
    };
    if found {
        return Ok(());
    }
    Err(SchemaFault::Invalid {
        path: String::new(),
        reason: format!("the reference \"{}\" leads to no schema", short()),
    })
}

fn has_anchor(schema: &Value, name: &str) -> bool {
    let Value::Object(members) = schema else {
        return false;
    };
    let named = |keyword| members.get(keyword).and_then(Value::as_str);
    let mut found = named("$anchor") == Some(name)
        || named("$dynamicAnchor") == Some(name)
        || named("$id").and_then(|id| id.strip_prefix('#')) == Some(name);
    each_below(members, &mut |below| {
        found = found || has_anchor(below, name);
    });
    found
}
