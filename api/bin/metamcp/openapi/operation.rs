//! One operation as one tool.

use super::arguments::input;
use super::content::{content, is_json};
use super::document::{Document, member};
use super::flatten::flattened;
use super::paths::METHODS;
use super::schema::{Direction, whole};
use super::security;
use super::text::Texts;
use super::translate::Options;
use crate::plan::{Problem, ToolSpec};
use domain::server::MAX_NAME;
use domain::tool::{MAX_DESCRIPTION, ToolProfile};
use reqwest::Url;
use semver::Version;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An operation and where it stands.
pub(super) struct Operation<'d> {
    pub(super) path: String,
    /// As the document gives it: a field of the path in lower case, any other method as it is sent.
    pub(super) method: &'d str,
    pub(super) item: &'d Value,
    pub(super) item_place: String,
    pub(super) value: &'d Value,
    pub(super) place: String,
}

impl Operation<'_> {
    /// The tool, and what was changed on the way.
    pub(super) fn tool(
        &self,
        document: &Document,
        name: &str,
        version: &Version,
        options: &Options,
    ) -> Result<(ToolSpec, Vec<Problem>), Problem> {
        let mut texts = Texts::new(&self.place);
        let title = texts.text("summary", self.value.get("summary"), MAX_NAME);
        let description = self.description(document, title.as_deref(), &mut texts);
        let about = self.request(document, options.address.as_ref());
        let mut input_schema = whole(document, Direction::Input, &self.place, |translator| {
            let (holders, places) = ((self.item, self.value), (&*self.item_place, &*self.place));
            input(document, translator, holders, places, &about)
        })?;
        texts.schema("input_schema", &mut input_schema)?;
        let mut output_schema = self.output(document, &mut texts)?;
        if let Some(schema) = &mut output_schema {
            texts.schema("output_schema", schema)?;
        }
        let tool = ToolSpec {
            version: version.clone(),
            title,
            description,
            category: None,
            tags: texts.tags(self.value.get("tags"), &options.tags),
            visibility: ToolProfile::default().visibility,
            team: None,
            input_schema: Some(input_schema),
            output_schema,
            annotations: annotations(self.method),
            aliases: BTreeMap::new(),
            deprecated: None,
            versions: BTreeMap::new(),
        };
        let checked = tool.definition().checked_hash(name);
        checked.map_err(|error| Problem::rejected(self.place.clone(), &error))?;
        Ok((tool, texts.into_warnings()))
    }

    /// What the operation does; what it demands stands in the last line, whatever had to be cut.
    fn description(&self, document: &Document, title: Option<&str>, texts: &mut Texts) -> String {
        let given = texts.text("description", self.value.get("description"), usize::MAX);
        let given = given.or_else(|| title.map(str::to_owned));
        let mut text = given.unwrap_or_else(|| format!("{} {}", self.sent_method(), self.path));
        let mut tail = String::new();
        if self.value.get("deprecated") == Some(&json!(true)) {
            tail.push_str("\n\nDeprecated by its publisher.");
        }
        if let Some(noted) = security::noted(document, self.value) {
            let noted: String = noted.chars().take(MAX_DESCRIPTION / 4).collect();
            tail.push_str("\n\n");
            tail.push_str(&noted);
        }
        let room = MAX_DESCRIPTION - tail.chars().count();
        text = texts.cut("description", text, room);
        text + &tail
    }

    fn sent_method(&self) -> String {
        match METHODS.contains(&self.method) {
            true => self.method.to_uppercase(),
            false => self.method.to_owned(),
        }
    }

    /// What kind of request the tool makes, for whoever calls it.
    fn request(&self, document: &Document, address: Option<&Url>) -> Value {
        let mut about = json!({ "method": self.sent_method(), "path": self.path });
        let holders = [self.value, self.item, &document.root];
        let servers = holders
            .iter()
            .find_map(|holder| holder.get("servers")?.get(0));
        if let Some(url) = servers.and_then(server_url) {
            about["server"] = json!(request_base(&url, address));
        }
        if let Some(ways) = security::requirements(document, self.value) {
            about["security"] = json!(ways);
        }
        about
    }

    /// The schema of the first success that is a JSON object. One that is too large is left out, and told: the tool
    /// can be called without it.
    fn output(&self, document: &Document, texts: &mut Texts) -> Result<Option<Value>, Problem> {
        let Some(responses) = self.value.get("responses").and_then(Value::as_object) else {
            return Ok(None);
        };
        let mut successes: Vec<&String> = responses.keys().collect();
        successes.retain(|status| status.starts_with('2'));
        successes.sort();
        let responses_at = member(&self.place, "responses");
        for status in successes {
            let at = member(&responses_at, status);
            let (response, at) = document.follow(&responses[status], &at)?;
            let Some(found) = content(document, response, &at)? else {
                continue;
            };
            if !is_json(found.kind) {
                continue;
            }
            let built = whole(document, Direction::Output, &found.place, |translator| {
                let schema = found.translated(|given, at| translator.root(given, at))?;
                Ok(flattened(schema))
            });
            match built {
                Ok(schema) => return Ok(object(schema)),
                Err(problem) if problem.code == "SCHEMA_TOO_LARGE" => {
                    texts.warn("OUTPUT_SCHEMA_DROPPED", &problem.message);
                    return Ok(None);
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(None)
    }
}

/// A schema of objects; none for any other.
fn object(mut schema: Value) -> Option<Value> {
    let is_object = match schema.get("type") {
        Some(kind) => kind == "object",
        None => schema.get("properties").is_some(),
    };
    is_object.then(|| {
        schema["type"] = json!("object");
        schema
    })
}

/// What a method promises (RFC 9110 section 9.2; of `QUERY`, RFC 10008), as hints of MCP. Others promise nothing.
fn annotations(method: &str) -> Option<Value> {
    match method {
        "get" | "head" | "options" | "trace" | "query" => Some(json!({ "readOnlyHint": true })),
        "put" => Some(json!({ "idempotentHint": true })),
        "delete" => Some(json!({ "destructiveHint": true })),
        _ => None,
    }
}

/// What the operation's path is put behind. An address can carry a user and a password, which have no place in a
/// definition.
fn request_base(url: &str, address: Option<&Url>) -> String {
    let absolute = match address {
        Some(address) => address.join(url),
        None => Url::parse(url),
    };
    let Ok(mut base) = absolute else {
        return url.to_owned();
    };
    // An address without a host refuses both, and has neither.
    let _ = base.set_username("").and_then(|()| base.set_password(None));
    base.as_str().trim_end_matches('/').to_owned()
}

/// The address of a server with its variables at their defaults.
fn server_url(server: &Value) -> Option<String> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str);
        url = url.replace(&format!("{{{name}}}"), default.unwrap_or_default());
    }
    (!url.is_empty()).then_some(url)
}
