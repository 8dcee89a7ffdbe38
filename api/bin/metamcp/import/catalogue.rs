//! From a line of a catalogue to a command. What only looks bad is mended and said; what would change the
//! meaning is refused. The domain's own rules are not repeated here: its refusal is the line's reason.
//!
//! `servers.jsonl`: `slug`; `name`, `registry_name`, `description`, `homepage`, `license`, `transport`, `category`, `tags` may
//! be absent or null. `tools.jsonl`: `server` (a slug), `name`, `description`; `title`, `input_schema`,
//! `output_schema`, `annotations`, `category`, `tags` may be absent or null. Other fields are ignored.

use super::fields::Fields;
use super::report::Reason;
use domain::id::{ServerId, TenantId, check_slug};
use domain::server::{MAX_CATEGORY, RegisterServer, ServerProfile, Transport};
use domain::tool::{RegisterTool, ToolDefinition, ToolProfile, Visibility};
use semver::Version;

/// A line that can be sent, and what was changed in it.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed<T> {
    pub(super) record: T,
    pub(super) warnings: Vec<Reason>,
}

/// Reads a line of `servers.jsonl`.
pub(super) fn server(line: &[u8]) -> Result<Parsed<RegisterServer>, Reason> {
    let mut fields = Fields::parse(line)?;
    let slug = slug(&mut fields, "slug")?;
    let profile = ServerProfile {
        name: fields.text("name")?.unwrap_or_else(|| slug.clone()),
        registry_name: fields.text("registry_name")?,
        description: fields.text("description")?.unwrap_or_default(),
        homepage: homepage(&mut fields)?,
        license: fields.text("license")?,
        transport: transport(&mut fields)?,
        category: fields.short_text("category", MAX_CATEGORY)?,
        tags: fields.tags()?,
    };
    let record = RegisterServer { slug, profile };
    Ok(Parsed {
        record,
        warnings: fields.into_warnings(),
    })
}

/// Reads a line of `tools.jsonl`.
pub(super) fn tool(
    line: &[u8],
    tenant: &TenantId,
    tool_version: &Version,
) -> Result<Parsed<RegisterTool>, Reason> {
    let mut fields = Fields::parse(line)?;
    let server = slug(&mut fields, "server")?;
    let name = fields.key("name")?;
    if let Some(id) = fields.text("id")?
        && id != format!("{server}/{name}")
    {
        fields.warn("ID_DIFFERS", "`id` is not `<server>/<name>` and is ignored");
    }
    let profile = ToolProfile {
        title: fields.text("title")?,
        category: fields.short_text("category", MAX_CATEGORY)?,
        tags: fields.tags()?,
        visibility: Visibility::Tenant,
        team: None,
    };
    let definition = ToolDefinition {
        description: fields.text("description")?.unwrap_or_default(),
        input_schema: fields.schema("input_schema")?,
        output_schema: fields.schema("output_schema")?,
        annotations: fields.schema("annotations")?,
    };
    let record = RegisterTool {
        server_id: ServerId::derive(tenant, &server),
        server,
        name,
        profile,
        tool_version: tool_version.clone(),
        definition: definition.into(),
    };
    Ok(Parsed {
        record,
        warnings: fields.into_warnings(),
    })
}

fn slug(fields: &mut Fields, field: &'static str) -> Result<String, Reason> {
    let slug = fields.key(field)?;
    check_slug("server slug", &slug)
        .map_err(|error| Reason::new("INVALID_SLUG", error.to_string()))?;
    Ok(slug)
}

/// The domain's rule for a homepage, but a bad one is no reason to lose the server.
fn homepage(fields: &mut Fields) -> Result<Option<String>, Reason> {
    const MAX_HOMEPAGE: usize = 500;
    let Some(homepage) = fields.text("homepage")? else {
        return Ok(None);
    };
    let is_web = reqwest::Url::parse(&homepage)
        .is_ok_and(|address| matches!(address.scheme(), "http" | "https"));
    if is_web && homepage.chars().count() <= MAX_HOMEPAGE {
        return Ok(Some(homepage));
    }
    fields.warn(
        "HOMEPAGE_DROPPED",
        "the homepage is not an absolute http or https address of at most 500 characters; dropped",
    );
    Ok(None)
}

fn transport(fields: &mut Fields) -> Result<Option<Transport>, Reason> {
    let Some(text) = fields.text("transport")? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(transport) => Ok(Some(transport)),
        Err(problem) => {
            fields.warn("TRANSPORT_DROPPED", format!("transport {problem}; dropped"));
            Ok(None)
        }
    }
}
