//! `/v0.1`: the read API of the official MCP registry (its `openapi.yaml`, revision 2025-12-01), so that
//! clients and mirrors written for that one read this one.
//!
//! A bearer token shows its tenant's servers. Without one, the tenant that the configuration names for
//! strangers is shown; by default there is none. Every answer costs two statements, however long it is.

mod answer;
mod error;
mod reader;

use self::answer::{ServerList, ServerResponse};
use self::error::RegistryError;
use self::reader::Reader;
use crate::error::ApiError;
use crate::state::AppState;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use domain::server::LATEST;
use projections::PageRequest;
use projections::manifests::{self, VersionFilter, VersionName};
use serde::Deserialize;

/// Where the API lies; the version is the official API's.
pub const ROOT: &str = "/v0.1";
/// Items of a page when none are asked for, as the official registry has it.
const PAGE: usize = 30;
/// Most items of a page.
const MOST: usize = 100;
/// Longest text to search for, version and cursor, in bytes.
const MAX_PARAMETER: usize = 2_048;

/// The routes, without [`ROOT`].
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/servers", get(list).options(preflight))
        .route(
            "/servers/{name}/versions",
            get(list_versions).options(preflight),
        )
        .route(
            "/servers/{name}/versions/{version}",
            get(show_version).options(preflight),
        )
        .layer(from_fn(share))
}

/// Parameters as texts, so that a wrong one is answered in this API's own form.
#[derive(Debug, Default, Deserialize)]
struct Parameters {
    cursor: Option<String>,
    limit: Option<String>,
    search: Option<String>,
    updated_since: Option<String>,
    version: Option<String>,
    include_deleted: Option<String>,
}

type Given = Result<Query<Parameters>, QueryRejection>;

async fn list(
    State(state): State<AppState>,
    Reader(tenant): Reader,
    given: Given,
) -> Result<Json<ServerList>, RegistryError> {
    let given = Parameters::read(given)?;
    let updated_since = given.updated_since()?;
    let filter = VersionFilter {
        // Who follows changes must hear of deletions.
        include_deleted: updated_since.is_some() || given.include_deleted()?,
        updated_since,
        version: given.version.as_deref().map(version_name),
        search: given.search.clone().filter(|text| !text.is_empty()),
    };
    let page = PageRequest {
        first: given.limit()?,
        after: given.cursor.clone().filter(|cursor| !cursor.is_empty()),
    };
    let mut reads = state.reads.tenant(&tenant).await?;
    let page = manifests::versions(&mut reads, &filter, &page).await?;
    Ok(Json(page.into()))
}

async fn list_versions(
    State(state): State<AppState>,
    Reader(tenant): Reader,
    name: Result<Path<String>, PathRejection>,
    given: Given,
) -> Result<Json<ServerList>, RegistryError> {
    let name = name.ok().map(|Path(name)| name);
    let name = name.filter(|name| is_storable(name));
    let name = name.ok_or(ApiError::NotFound)?;
    let include_deleted = Parameters::read(given)?.include_deleted()?;
    let mut reads = state.reads.tenant(&tenant).await?;
    let found = manifests::versions_of(&mut reads, &name, include_deleted).await?;
    if found.is_empty() {
        return Err(ApiError::NotFound.into());
    }
    Ok(Json(found.into()))
}

async fn show_version(
    State(state): State<AppState>,
    Reader(tenant): Reader,
    place: Result<Path<(String, String)>, PathRejection>,
    given: Given,
) -> Result<Json<ServerResponse>, RegistryError> {
    let place = place.ok().map(|Path(place)| place);
    let place = place.filter(|(name, version)| is_storable(name) && is_storable(version));
    let (name, version) = place.ok_or(ApiError::NotFound)?;
    let include_deleted = Parameters::read(given)?.include_deleted()?;
    let version = version_name(&version);
    let mut reads = state.reads.tenant(&tenant).await?;
    let found = manifests::version_of(&mut reads, &name, &version, include_deleted).await?;
    let found = found.ok_or(ApiError::NotFound)?;
    Ok(Json(found.into()))
}

fn version_name(version: &str) -> VersionName {
    match version {
        LATEST => VersionName::Latest,
        version => VersionName::Exact(version.to_owned()),
    }
}

impl Parameters {
    fn read(given: Given) -> Result<Self, ApiError> {
        let Query(given) = given.map_err(|error| invalid(error.body_text()))?;
        let texts = [
            &given.cursor,
            &given.search,
            &given.version,
            &given.updated_since,
        ];
        let sound = |text: &String| text.len() <= MAX_PARAMETER && is_storable(text);
        if texts.into_iter().flatten().all(sound) {
            Ok(given)
        } else {
            Err(invalid(format!(
                "a parameter is longer than {MAX_PARAMETER} bytes or holds a NUL"
            )))
        }
    }

    fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = &self.limit else {
            return Ok(PAGE);
        };
        let limit = text.parse().ok();
        limit
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| invalid(format!("limit must be a number from 1 to {MOST}")))
    }

    fn updated_since(&self) -> Result<Option<DateTime<Utc>>, ApiError> {
        let Some(text) = &self.updated_since else {
            return Ok(None);
        };
        DateTime::parse_from_rfc3339(text)
            .map(|time| Some(time.to_utc()))
            .map_err(|_| {
                invalid("updated_since must be a time of RFC 3339, such as 2026-01-31T12:00:00Z")
            })
    }

    fn include_deleted(&self) -> Result<bool, ApiError> {
        match self.include_deleted.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid("include_deleted must be true or false")),
        }
    }
}

/// PostgreSQL's texts hold no NUL, so nothing is found by one.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::Invalid {
        code: "INVALID_PARAMETER",
        message: message.into(),
    }
}

/// What a browser asks before it sends a token (CORS preflight, Fetch standard).
async fn preflight() -> impl IntoResponse {
    [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, accept",
        ),
    ]
}

/// Lets pages of any origin read: there are no cookies here, and a page sends no token that it was not given.
async fn share(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let any = HeaderValue::from_static("*");
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}
