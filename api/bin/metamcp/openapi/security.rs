//! What an operation demands of its caller, in words.

use super::document::{Dialect, Document};
use domain::text::clean;
use serde_json::Value;

/// The last line of a description: one of these ways has to be taken. None where nothing is demanded.
pub(super) fn noted(document: &Document, operation: &Value) -> Option<String> {
    let ways = requirements(document, operation)?;
    let mut words: Vec<String> = ways.iter().map(|way| one_way(document, way)).collect();
    words.dedup();
    let nothing = words.iter().all(|word| word == "none");
    (!nothing).then(|| format!("Authentication: {}.", words.join(", or ")))
}

/// The ways that the operation, or else the whole document, leaves to the caller.
pub(super) fn requirements<'d>(
    document: &'d Document,
    operation: &'d Value,
) -> Option<&'d Vec<Value>> {
    let given = operation.get("security").or(document.get(&["security"]));
    given
        .and_then(Value::as_array)
        .filter(|ways| !ways.is_empty())
}

fn one_way(document: &Document, way: &Value) -> String {
    let schemes = way.as_object().into_iter().flatten();
    let words: Vec<String> = schemes
        .map(|(name, scopes)| {
            let scheme = scheme(document, name);
            let words = scheme_in_words(name, scheme, scopes);
            let deprecated = scheme.and_then(|scheme| scheme.get("deprecated"));
            match document.dialect == Dialect::V32 && deprecated == Some(&Value::Bool(true)) {
                true => format!("{words} (deprecated)"),
                false => words,
            }
        })
        .collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(" and ")
    }
}

/// What a requirement names: a component, or in 3.2 else a place (OpenAPI 3.2, "Security Requirement Object").
fn scheme<'d>(document: &'d Document, name: &str) -> Option<&'d Value> {
    let component = document.get(&["components", "securitySchemes", name]);
    let scheme = match document.dialect {
        Dialect::V30 | Dialect::V31 => component?,
        Dialect::V32 => component.or_else(|| Some(document.resolve(name, "/").ok()?.0))?,
    };
    let (scheme, _) = document.follow(scheme, "/").ok()?;
    Some(scheme)
}

fn scheme_in_words(name: &str, scheme: Option<&Value>, scopes: &Value) -> String {
    let text = |field: &str| {
        let text = scheme.and_then(|scheme| scheme.get(field)?.as_str());
        clean(text.unwrap_or_default()).text
    };
    let scopes = scopes.as_array().into_iter().flatten();
    let scopes: Vec<&str> = scopes.filter_map(Value::as_str).collect();
    let scopes = match scopes.is_empty() {
        true => String::new(),
        false => clean(&format!(" with scopes {}", scopes.join(", "))).text,
    };
    match text("type").as_str() {
        "apiKey" => format!("API key in {} `{}`", text("in"), text("name")),
        "http" => format!("HTTP {}", text("scheme").to_lowercase()),
        "oauth2" => format!("OAuth 2{}", spaced(&scopes)),
        "openIdConnect" => format!("OpenID Connect{}", spaced(&scopes)),
        "mutualTLS" => "a client certificate".to_owned(),
        _ => clean(name).text,
    }
}

fn spaced(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!(" {text}"),
    }
}
