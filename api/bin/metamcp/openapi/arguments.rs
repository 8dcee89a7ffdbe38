//! The input schema of an operation: parameters and body as the members of one object.
//!
//! Each member says how it goes back into a request: `x-in` is `path`, `query`, `header`, `cookie`, `body` (a member
//! of the body) or `wholeBody` (the body itself); `x-name` is its name there, where two would have been called the
//! same; `x-style`, `x-explode` and `x-content-type` stand where the document gives them.

use super::document::{Document, member};
use super::flatten::{flattened, is_plain_object};
use super::schema::Translator;
use crate::plan::Problem;
use serde_json::{Map, Value, json};

/// Headers that are said elsewhere (OpenAPI, "Parameter Object", `name`).
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];
/// Kinds of body, best first; else the first that there is.
const CONTENT_TYPES: [&str; 3] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];

/// The members of an input schema.
#[derive(Default)]
struct Members {
    properties: Map<String, Value>,
    required: Vec<String>,
}

/// Builds the input schema. `about` says what kind of request the tool makes.
pub(super) fn input(
    document: &Document,
    translator: &mut Translator,
    (item, operation): (&Value, &Value),
    (item_place, place): (&str, &str),
    about: &Value,
) -> Result<Value, Problem> {
    let mut members = Members::default();
    for (parameter, at) in parameters(document, (item, operation), (item_place, place))? {
        members.parameter(translator, parameter, &at)?;
    }
    let mut about = about.clone();
    if let Some(body) = operation.get("requestBody") {
        let (body, at) = document.follow(body, &member(place, "requestBody"))?;
        if let Some(content_type) = members.body(translator, body, &at)? {
            about["contentType"] = json!(content_type);
        }
    }
    let mut schema = json!({ "type": "object", "properties": members.properties });
    if !members.required.is_empty() {
        members.required.sort();
        schema["required"] = json!(members.required);
    }
    schema["x-request"] = about;
    Ok(schema)
}

/// The parameters of an operation; those of its path that it does not give itself come first.
fn parameters<'d>(
    document: &'d Document,
    (item, operation): (&'d Value, &'d Value),
    (item_place, place): (&str, &str),
) -> Result<Vec<(&'d Value, String)>, Problem> {
    let mut found: Vec<(&Value, String)> = Vec::new();
    for (holder, at) in [(item, item_place), (operation, place)] {
        let at = member(at, "parameters");
        let list = holder.get("parameters").and_then(Value::as_array);
        for (index, parameter) in list.into_iter().flatten().enumerate() {
            let at = member(&at, &index.to_string());
            let (parameter, at) = document.follow(parameter, &at)?;
            let same = |other: &Value| {
                ["name", "in"]
                    .iter()
                    .all(|key| other.get(key) == parameter.get(key))
            };
            found.retain(|(other, _)| !same(other));
            found.push((parameter, at));
        }
    }
    Ok(found)
}

impl Members {
    fn parameter(
        &mut self,
        translator: &mut Translator,
        parameter: &Value,
        place: &str,
    ) -> Result<(), Problem> {
        let text = |key: &str| parameter.get(key).and_then(Value::as_str);
        let (Some(name), Some(place_in)) = (text("name"), text("in")) else {
            let message = "a parameter needs `name` and `in`";
            return Err(Problem::new(place, "INVALID_PARAMETER", message));
        };
        let known = matches!(place_in, "path" | "query" | "header" | "cookie");
        if !known {
            let message = format!(
                "a parameter in `{place_in}` is unknown; use path, query, header or cookie"
            );
            return Err(Problem::new(place, "INVALID_PARAMETER", message));
        }
        if place_in == "header" && NO_PARAMETERS.contains(&name.to_lowercase().as_str()) {
            return Ok(());
        }
        let mut says = Map::new();
        for key in ["description", "deprecated"] {
            says.extend(
                parameter
                    .get(key)
                    .map(|value| (key.to_owned(), value.clone())),
            );
        }
        for (key, ours) in [("style", "x-style"), ("explode", "x-explode")] {
            says.extend(
                parameter
                    .get(key)
                    .map(|value| (ours.to_owned(), value.clone())),
            );
        }
        let mut schema = json!({});
        if let Some(given) = parameter.get("schema") {
            schema = translator.schema(given, &member(place, "schema"))?;
        } else if let Some((kind, given, at)) = content(parameter, place) {
            schema = translator.schema(given, &at)?;
            says.insert("x-content-type".to_owned(), json!(kind));
        }
        let required = place_in == "path" || parameter.get("required") == Some(&json!(true));
        self.add((place_in, name), schema, says, required);
        Ok(())
    }

    /// The body, whose members become members where that means the same; its content type.
    fn body(
        &mut self,
        translator: &mut Translator,
        body: &Value,
        place: &str,
    ) -> Result<Option<String>, Problem> {
        let Some((kind, given, at)) = content(body, place) else {
            return Ok(None);
        };
        let required = body.get("required") == Some(&json!(true));
        let schema = flattened(translator.root(given, &at)?);
        let demands = schema.get("required").and_then(Value::as_array).cloned();
        let demands = demands.unwrap_or_default();
        let closed = schema.get("additionalProperties");
        let closed = closed.is_none_or(|more| *more == json!(false));
        let has_members = schema
            .get("properties")
            .is_some_and(|all| all != &json!({}));
        // A body that may be left out, but not without its members, has to stay one.
        if is_plain_object(&schema) && has_members && closed && (required || demands.is_empty()) {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                let required = demands.iter().any(|demanded| demanded == name);
                self.add(("body", name), schema.clone(), Map::new(), required);
            }
        } else {
            let mut says = Map::new();
            says.extend(
                body.get("description")
                    .map(|text| ("description".to_owned(), text.clone())),
            );
            self.add(("wholeBody", "body"), schema, says, required);
        }
        Ok(Some(kind.to_owned()))
    }

    fn add(
        &mut self,
        (place_in, name): (&str, &str),
        schema: Value,
        says: Map<String, Value>,
        required: bool,
    ) {
        let mut schema = match schema {
            Value::Object(members) => members,
            // `true` is the schema of anything, `false` of nothing.
            Value::Bool(false) => Map::from_iter([("not".to_owned(), json!({}))]),
            _ => Map::new(),
        };
        schema.extend(says);
        schema.insert("x-in".to_owned(), json!(place_in));
        let mut key = name.to_owned();
        while self.properties.contains_key(&key) {
            key = format!("{place_in}_{key}");
        }
        if key != name {
            schema.insert("x-name".to_owned(), json!(name));
        }
        if required {
            self.required.push(key.clone());
        }
        self.properties.insert(key, Value::Object(schema));
    }
}

/// The best kind of content that has a schema, the schema, and its place.
pub(super) fn content<'v>(holder: &'v Value, place: &str) -> Option<(&'v str, &'v Value, String)> {
    let content = holder.get("content")?.as_object()?;
    let rank = |kind: &str| {
        let plain = kind.split(';').next().unwrap_or(kind).trim();
        let known = CONTENT_TYPES.iter().position(|known| *known == plain);
        known.unwrap_or(if is_json(kind) {
            1
        } else {
            CONTENT_TYPES.len()
        })
    };
    let (kind, media) = content.iter().min_by_key(|(kind, _)| rank(kind))?;
    let at = member(&member(&member(place, "content"), kind), "schema");
    Some((kind, media.get("schema")?, at))
}

/// Whether a content type is JSON (RFC 6839 section 3.1).
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or(kind).trim();
    kind == "application/json" || kind.ends_with("+json")
}
