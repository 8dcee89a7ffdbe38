//! The tools of a registry over its GraphQL API: for a pipeline that has a token and nothing else. It reads what
//! the token's principal may see.
//!
//! First the position of the last change is asked for, then every page as of it: so the pages are of one moment,
//! whatever is written meanwhile. What is hidden from the principal, or applied late, between two pages makes the
//! exception.

use super::Found;
use crate::web::{base, client};
use anyhow::{Context, anyhow, bail, ensure};
use api::fetch::bounded;
use domain::id::TenantId;
use projections::catalog::{Pin, Pins, Status};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The variable that holds the token.
const TOKEN: &str = "METAMCP_TOKEN";
/// Largest answer, in bytes. A page of this query has some 30 KB.
const MAX_ANSWER: usize = 4 << 20;
/// Tools of a page, and of one where the registry allows fewer (`limits.graphql_page`).
const PAGES: [usize; 3] = [100, 20, 1];
/// Tools above which this is no registry that can be locked.
const MOST_TOOLS: usize = 1_000_000;
/// Characters of a message that are repeated.
const MAX_ECHO: usize = 300;

const VIEWER: &str = "{ viewer { tenant { slug } } }";
const SERVER: &str =
    "query ($server: String!, $asOf: AsOf) { server(slug: $server, asOf: $asOf) { slug } }";
const STANDING: &str = "query ($server: String, $asOf: AsOf) {
    tools(first: 1, filter: { server: $server }, asOf: $asOf) { lastChange }
}";
const PAGE: &str = "query ($server: String, $asOf: AsOf, $first: Int!, $after: String) {
    tools(first: $first, after: $after, filter: { server: $server }, asOf: $asOf) {
        pageInfo { hasNextPage endCursor }
        nodes { server { slug } name version definitionHash status }
    }
}";

/// A registry that answers GraphQL, and the token for it.
pub(super) struct Remote {
    http: Client,
    endpoint: Url,
    authorization: HeaderValue,
    parked: BTreeSet<u64>,
}

/// What the registry refuses, with its code.
#[derive(Debug, thiserror::Error)]
#[error("the registry answers {code}: {message}{hint}")]
struct Refused {
    code: String,
    message: String,
    hint: &'static str,
}

impl Remote {
    /// The registry at an address, with the token of the environment.
    ///
    /// # Errors
    /// When it is no address, or there is no token.
    pub(super) fn new(address: &str) -> anyhow::Result<Self> {
        let base = base(address, &["graphql"]).ok_or_else(|| {
            anyhow!("--url is no address of a registry: write it as https://metamcp.example.org, and the token into {TOKEN}")
        })?;
        let token = std::env::var(TOKEN).unwrap_or_default();
        let token = token.trim();
        ensure!(
            !token.is_empty(),
            "--url needs a token: put one into {TOKEN}; `metamcp token issue` prints one for a principal"
        );
        // The reason is not told: it might repeat the token.
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            anyhow!("{TOKEN} holds characters that no token has: put the token alone into it")
        })?;
        authorization.set_sensitive(true);
        Ok(Self {
            http: client(redirect::Policy::none())?,
            endpoint: base.join("graphql")?,
            authorization,
            parked: BTreeSet::new(),
        })
    }

    /// All tools, or those of some servers, that the token's principal sees, as they are now or were `at` a position.
    /// `pinned` are the tenant and the position that a file names; the token has to be of the one, and the log to have the
    /// other.
    ///
    /// # Errors
    /// When the registry is away or refuses.
    pub(super) async fn read(
        mut self,
        servers: &[String],
        at: Option<u64>,
        pinned: Option<(&str, u64)>,
    ) -> anyhow::Result<Found> {
        let tenant = self.tenant().await?;
        if let Some((expected, position)) = pinned {
            ensure!(
                tenant.as_str() == expected,
                "the file is of tenant {expected}, and the token in {TOKEN} of tenant {tenant}: use one of {expected}"
            );
            self.has(position).await?;
        }
        let scopes: Vec<Option<&str>> = match servers {
            [] => vec![None],
            slugs => slugs.iter().map(|slug| Some(slug.as_str())).collect(),
        };
        let mut stream_sequence = 0;
        for scope in &scopes {
            let last = self.standing(*scope, at).await?;
            stream_sequence = stream_sequence.max(last.unwrap_or(0));
        }
        // Not before: by now the catalogue has come to the end of the log, and knows a server that was just registered.
        for slug in servers {
            self.server(slug, at)
                .await
                .with_context(|| format!("tenant {tenant}, server {slug}"))?;
        }
        let mut tools = Vec::new();
        for scope in scopes {
            self.pages(scope, at.unwrap_or(stream_sequence), &mut tools)
                .await?;
        }
        Ok(Found {
            tenant,
            pins: Pins {
                stream_sequence,
                tools,
            },
            parked: self.parked.into_iter().collect(),
        })
    }

    async fn tenant(&mut self) -> anyhow::Result<TenantId> {
        let viewer: ViewerData = self.ask(VIEWER, Value::Null).await?;
        let tenant = viewer.viewer.tenant.context(
            "the registry does not show the token's tenant: grant its principal a role (`AGENT` is enough), or try again",
        )?;
        Ok(TenantId::new(tenant.slug)?)
    }

    /// Refuses when the log ends before a position.
    async fn has(&mut self, position: u64) -> anyhow::Result<()> {
        match self.standing(None, Some(position)).await {
            Err(error) if is(&error, "AS_OF_IN_THE_FUTURE") => Err(error.context(format!(
                "the file's `sequence` is {position}: the file is of another registry, or was changed"
            ))),
            answered => answered.map(drop),
        }
    }

    /// Refuses a server that is not there.
    async fn server(&mut self, slug: &str, at: Option<u64>) -> anyhow::Result<()> {
        let variables = json!({ "server": slug, "asOf": as_of(at) });
        let _: ServerData = self.ask(SERVER, variables).await?;
        Ok(())
    }

    /// The position of the last change.
    async fn standing(
        &mut self,
        server: Option<&str>,
        at: Option<u64>,
    ) -> anyhow::Result<Option<u64>> {
        let variables = json!({ "server": server, "asOf": as_of(at) });
        let standing: ToolsData<Standing> = self.ask(STANDING, variables).await?;
        Ok(standing.tools.last_change)
    }

    /// Adds the tools of a server, or of all, as of a position.
    async fn pages(
        &mut self,
        server: Option<&str>,
        position: u64,
        tools: &mut Vec<Pin>,
    ) -> anyhow::Result<()> {
        let mut after: Option<String> = None;
        let mut sizes = PAGES.into_iter();
        let mut first = sizes.next();
        loop {
            let variables = json!({
                "server": server, "asOf": as_of(Some(position)), "first": first, "after": after,
            });
            let page: Page = match self.ask(PAGE, variables).await {
                Ok(ToolsData { tools }) => tools,
                Err(error) if is(&error, "INVALID_PAGE_SIZE") => {
                    first = Some(sizes.next().ok_or(error)?);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let ends = !page.page_info.has_next_page;
            let endless = page.nodes.is_empty() || page.page_info.end_cursor.is_none();
            tools.extend(page.nodes.into_iter().map(Node::pin));
            if ends {
                return Ok(());
            }
            ensure!(
                !endless && tools.len() <= MOST_TOOLS,
                "the registry's pages do not end: check --url"
            );
            after = page.page_info.end_cursor;
        }
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<T> {
        let endpoint = &self.endpoint;
        let request = self.http.post(endpoint.clone());
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let request = request.json(&json!({ "query": query, "variables": variables }));
        let away = || format!("there is no answer from {endpoint}: check --url, or try again");
        let response = request.send().await;
        let response = response
            .map_err(reqwest::Error::without_url)
            .with_context(away)?;
        let status = response.status();
        let body = bounded(response, MAX_ANSWER).await;
        let body = body
            .map_err(reqwest::Error::without_url)
            .with_context(away)?;
        let body =
            body.with_context(|| format!("{endpoint} answers more than {MAX_ANSWER} bytes"))?;
        ensure!(
            status != StatusCode::UNAUTHORIZED,
            "{endpoint} refuses the token in {TOKEN}: it has expired, or is of another registry"
        );
        let refusal: Result<Refusal, _> = serde_json::from_slice(&body);
        if let Some(error) = refusal
            .ok()
            .and_then(|refusal| refusal.errors.into_iter().next())
        {
            return Err(self.refused(error).into());
        }
        ensure!(
            status == StatusCode::OK,
            "{endpoint} answers {status}: check --url, which is what stands before /graphql"
        );
        let Ok(answer) = serde_json::from_slice::<Answer<T>>(&body) else {
            bail!("{endpoint} does not answer as a registry: check --url");
        };
        self.parked.extend(answer.extensions.parked);
        Ok(answer.data)
    }

    /// What is repeated of somebody else's words: no token, no control characters, not without end.
    fn refused(&self, error: Error) -> Refused {
        let code = error.extensions.and_then(|extensions| extensions.code);
        let code = code.unwrap_or_else(|| "an error".to_owned());
        let hint = match code.as_str() {
            "FORBIDDEN" => {
                "; an administrator grants the token's principal a role, `AGENT` is enough"
            }
            "GRAPHQL_VALIDATION_FAILED" => "; a registry of this release or a newer one is needed",
            _ => "",
        };
        let token = self.authorization.as_bytes().strip_prefix(b"Bearer ");
        let token = std::str::from_utf8(token.unwrap_or_default()).unwrap_or_default();
        let shown = |text: &str| {
            let text = text.replace(token, "…");
            let visible = text.chars().filter(|c| !c.is_control());
            visible.take(MAX_ECHO).collect::<String>()
        };
        Refused {
            code: shown(&code),
            message: shown(&error.message),
            hint,
        }
    }
}

fn is(error: &anyhow::Error, code: &str) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.code == code)
}

fn as_of(position: Option<u64>) -> Option<Value> {
    position.map(|position| json!({ "sequence": position }))
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    parked: Vec<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    message: String,
    extensions: Option<Code>,
}

#[derive(Deserialize)]
struct Code {
    code: Option<String>,
}

#[derive(Deserialize)]
struct ServerData {
    #[serde(rename = "server")]
    _server: Slug,
}

#[derive(Deserialize)]
struct ViewerData {
    viewer: Viewer,
}

#[derive(Deserialize)]
struct Viewer {
    tenant: Option<Slug>,
}

#[derive(Deserialize)]
struct Slug {
    slug: String,
}

#[derive(Deserialize)]
struct ToolsData<T> {
    tools: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    last_change: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    page_info: PageInfo,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    server: Slug,
    name: String,
    version: String,
    definition_hash: String,
    status: NodeStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NodeStatus {
    Active,
    Retired,
}

impl Node {
    fn pin(self) -> Pin {
        Pin {
            server: self.server.slug,
            name: self.name,
            tool_version: self.version,
            definition_hash: self.definition_hash,
            status: match self.status {
                NodeStatus::Active => Status::Active,
                NodeStatus::Retired => Status::Retired,
            },
        }
    }
}
