//! The input schema of an operation: parameters and body as the members of one object.
//!
//! Each member says how it goes back into a request: `x-in` is `path`, `query`, `querystring` (all of it), `header`,
//! `cookie`, `body` (a member of the body) or `wholeBody` (the body itself); `x-name` is its name there, where two
//! would have been called the same; `x-style`, `x-explode` and `x-content-type` stand where the document gives them.

use super::content::content;
use super::document::{Dialect, Document, member};
use super::flatten::{flattened, is_plain_object};
use super::schema::Translator;
use crate::plan::Problem;
use serde_json::{Map, Value, json};

/// Headers that are said elsewhere (OpenAPI, "Parameter Object", `name`).
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

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
    let given = parameters(document, (item, operation), (item_place, place))?;
    check_query_string(&given)?;
    for (parameter, at) in given {
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

/// A parameter that is the whole query string has it for itself, and says by its content how it is written
/// (OpenAPI 3.2, "Parameter Locations").
fn check_query_string(parameters: &[(&Value, String)]) -> Result<(), Problem> {
    let whole = parameters
        .iter()
        .find(|(parameter, _)| location(parameter) == Some("querystring"));
    let Some((parameter, place)) = whole else {
        return Ok(());
    };
    let in_query = parameters
        .iter()
        .filter(|(parameter, _)| matches!(location(parameter), Some("query" | "querystring")));
    let message = if in_query.count() > 1 {
        "a parameter in `querystring` is the whole query: leave out the others in `query` and `querystring`"
    } else if parameter.get("content").is_none() {
        "a parameter in `querystring` needs `content`"
    } else {
        return Ok(());
    };
    Err(Problem::new(place, "INVALID_PARAMETER", message))
}

fn location(parameter: &Value) -> Option<&str> {
    parameter.get("in").and_then(Value::as_str)
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
        let known = match place_in {
            "path" | "query" | "header" | "cookie" => true,
            "querystring" => translator.document.dialect == Dialect::V32,
            _ => false,
        };
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
        } else if let Some(found) = content(translator.document, parameter, place)? {
            schema = found.translated(|given, at| translator.schema(given, at))?;
            says.insert("x-content-type".to_owned(), json!(found.kind));
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
        let Some(found) = content(translator.document, body, place)? else {
            return Ok(None);
        };
        let required = body.get("required") == Some(&json!(true));
        let schema = flattened(found.translated(|given, at| translator.root(given, at))?);
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
        Ok(Some(found.kind.to_owned()))
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
