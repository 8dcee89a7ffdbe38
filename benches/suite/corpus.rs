//! The tools that the benches register: a real catalogue, or the sample that comes with the program, used
//! again under new names as often as a size asks for.

use crate::harness::Settings;
use anyhow::{Context, Result, ensure};
use domain::id::{ServerId, TenantId, ToolId};
use domain::server::{RegisterServer, ServerCommand, ServerProfile};
use domain::text::{clean, is_clean};
use domain::tool::{RegisterTool, ToolCommand, ToolDefinition, ToolProfile};
use semver::Version;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

const SAMPLE_SERVERS: &str = include_str!("../../api/bin/metamcp/sample/servers.jsonl");
const SAMPLE_TOOLS: &str = include_str!("../../api/bin/metamcp/sample/tools.jsonl");
/// Tools of one server.
const TOOLS_OF_A_SERVER: usize = 50;

#[derive(Deserialize)]
struct Line {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input_schema: Option<Value>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
}

/// Tools to take from, and the files that they came from.
pub(crate) struct Corpus {
    lines: Vec<Line>,
    pub(crate) servers_file: String,
    pub(crate) tools_file: String,
    /// What it is, for the report.
    pub(crate) name: &'static str,
}

impl Corpus {
    pub(crate) fn load(settings: &Settings) -> Result<Self> {
        let (name, servers_file, tools_file) = match &settings.catalogue {
            Some(folder) => {
                let read = |file: &str| {
                    let path = folder.join(file);
                    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
                };
                ("catalogue", read("servers.jsonl")?, read("tools.jsonl")?)
            }
            None => ("sample", SAMPLE_SERVERS.to_owned(), SAMPLE_TOOLS.to_owned()),
        };
        let lines = tools_file.lines().filter_map(usable).collect::<Vec<_>>();
        ensure!(!lines.is_empty(), "the catalogue has no tool");
        Ok(Self {
            lines,
            servers_file,
            tools_file,
            name,
        })
    }

    /// How many different ones there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The slug of the server of tool `number`.
    pub(crate) fn slug(number: usize) -> String {
        format!("server-{}", number / TOOLS_OF_A_SERVER)
    }

    /// The name of tool `number`.
    pub(crate) fn tool_name(&self, number: usize) -> String {
        let name: String = self.line(number).name.chars().take(100).collect();
        format!("{}-{number}", name.trim())
    }

    /// What tool `number` does.
    pub(crate) fn description(&self, number: usize) -> &str {
        self.line(number).description.as_deref().unwrap_or_default()
    }

    pub(crate) fn schema(&self, number: usize) -> Option<&Value> {
        self.line(number).input_schema.as_ref()
    }

    /// The registration of tool `number`: its id and the command.
    pub(crate) fn tool(&self, tenant: &TenantId, number: usize) -> (String, ToolCommand) {
        let line = self.line(number);
        let (server, name) = (Self::slug(number), self.tool_name(number));
        let id = ToolId::derive(tenant, &server, &name);
        let register = RegisterTool {
            server_id: ServerId::derive(tenant, &server),
            server,
            name,
            profile: ToolProfile {
                category: line.category.clone(),
                tags: line.tags.clone(),
                ..ToolProfile::default()
            },
            tool_version: Version::new(1, 0, 0),
            definition: ToolDefinition {
                description: self.description(number).to_owned(),
                input_schema: line.input_schema.clone(),
                output_schema: None,
                annotations: None,
            }
            .into(),
        };
        (id.into(), ToolCommand::Register(Box::new(register)))
    }

    /// The registrations of the servers of some tools.
    pub(crate) fn servers(
        tenant: &TenantId,
        numbers: std::ops::Range<usize>,
    ) -> Vec<(String, ServerCommand)> {
        let first = numbers.filter(|number| number % TOOLS_OF_A_SERVER == 0);
        first
            .map(|number| {
                let slug = Self::slug(number);
                let profile = ServerProfile {
                    name: slug.clone(),
                    ..ServerProfile::default()
                };
                let id = ServerId::derive(tenant, &slug);
                (
                    id.into(),
                    ServerCommand::Register(RegisterServer { slug, profile }),
                )
            })
            .collect()
    }

    fn line(&self, number: usize) -> &Line {
        &self.lines[number % self.lines.len()]
    }
}

/// A line that the domain accepts as it is: one of a real catalogue has a schema that is none.
fn usable(text: &str) -> Option<Line> {
    let mut line: Line = serde_json::from_str(text).ok()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let description = clean(&line.description.unwrap_or_default()).text;
    let definition = ToolDefinition {
        description: description.clone(),
        input_schema: line.input_schema.clone(),
        output_schema: None,
        annotations: None,
    };
    let schema = line.input_schema.as_ref();
    let sound = line.name.chars().all(allowed)
        && !description.trim().is_empty()
        && description.chars().count() <= 4_000
        && schema.is_none_or(|schema| is_clean(&schema.to_string()))
        && definition.checked_hash(&line.name).is_ok()
        && text.len() < 60_000
        && !text.contains("\\u0")
        && line.tags.len() <= 32;
    line.description = Some(description);
    sound.then_some(line)
}
