//! What the question is about: a tool of the caller's tenant, or one of another tenant that it has installed.
//!
//! Of another tenant's tool nothing is read unless it was installed at the moment, and nothing is told but
//! whether it was offered then and which version the range meant: what the installing tenant could see itself.
//!
//! A right is not guessed: where a commit about the tool or its server is parked, it is not known whether that hid the
//! tool or took it out of use, and the question is refused.

use super::{AccessObstacle, ToolAction};
use crate::authz::Resource;
use crate::error::ApiError;
use crate::graphql::actor::Actor;
use crate::graphql::as_of::AsOf;
use crate::graphql::marketplace::reference;
use crate::graphql::scalars::Sequence;
use crate::graphql::session::Session;
use crate::graphql::tool::Tool;
use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use domain::id::ServerId;
use domain::installation::{ForeignTool, Version, VersionReq, meant};
use domain::team::Team;
use domain::tool::Visibility;
use projections::catalog::{self, Status};
use projections::{Moment, Sight, archive, dead_letter};
use std::collections::BTreeSet;

/// A commit that the answer depends on is parked.
const SET_ASIDE: &str = "AS_OF_PARKED";

/// The installation of another tenant's tool, as it was.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PastInstallation {
    /// How the tool is named: `@publisher/server/name`.
    reference: String,
    /// Which versions were used.
    range: String,
    /// The version that the range meant; null when the tool was not offered, or none was within it.
    version: Option<String>,
    /// The position of the commit that installed or pinned it.
    sequence: Sequence,
    /// That commit's event: `installation.installed` or `installation.repinned`.
    event_type: String,
    /// When that was.
    pinned_at: DateTime<Utc>,
    /// Who did it.
    pinned_by: Actor,
}

/// A tool as it was.
pub(super) enum Target {
    /// One of the caller's tenant; none when it was not there.
    Own(Option<Box<Tool>>),
    /// One of another tenant; none when it was not installed.
    Foreign(Option<Box<PastInstallation>>),
}

/// The tool that the question names.
pub(super) enum Named {
    /// One of the caller's tenant, which is its publisher.
    Own(ForeignTool),
    /// One of another tenant.
    Foreign(ForeignTool),
}

impl Named {
    /// A tool of the publisher, or of the caller's tenant without one.
    pub(super) fn new(
        session: &Session,
        publisher: Option<&str>,
        server: &str,
        tool: &str,
    ) -> Result<Self, ApiError> {
        let tenant = &session.caller.tenant;
        let tool = reference(publisher.unwrap_or(tenant.as_str()), server, tool)?;
        Ok(match tool.publisher == *tenant {
            true => Self::Own(tool),
            false => Self::Foreign(tool),
        })
    }

    /// The position that a time means lies also before the first later change of a tool that was installed, which is
    /// no commit of the caller's tenant.
    pub(super) async fn until(
        &self,
        session: &Session,
        position: u64,
        time: DateTime<Utc>,
    ) -> Result<u64, ApiError> {
        let Self::Foreign(tool) = self else {
            return Ok(position);
        };
        if pinned(session, tool, position).await?.is_none() {
            return Ok(position);
        }
        let mut reads = session.state.reads.tenant(&tool.publisher).await?;
        let changed = catalog::changed_after(&mut reads, &tool.tool_id(), time).await?;
        Ok(changed.map_or(position, |changed| position.min(changed - 1)))
    }

    /// The tool as it was.
    ///
    /// # Errors
    /// [`ApiError::Rejected`] with `AS_OF_PARKED` when that cannot be known; [`ApiError::Unavailable`].
    pub(super) async fn then(self, session: &Session, position: u64) -> Result<Target, ApiError> {
        let moment = Moment::At(position);
        let tool = match self {
            Self::Own(tool) => {
                check_whole(session, &tool, position).await?;
                let tool = session.tool_at(tool.tool_id(), moment).await?;
                return Ok(Target::Own(tool.map(Box::new)));
            }
            Self::Foreign(tool) => tool,
        };
        let Some(pinned) = pinned(session, &tool, position).await? else {
            return Ok(Target::Foreign(None));
        };
        check_whole(session, &tool, position).await?;
        let version = offered(session, &tool, &pinned.range, moment).await?;
        Ok(Target::Foreign(Some(Box::new(PastInstallation {
            reference: tool.to_string(),
            range: pinned.range.to_string(),
            version: version.map(|version| version.to_string()),
            sequence: Sequence(pinned.event.place.stream_sequence),
            event_type: pinned.event.event.wire_type,
            pinned_at: pinned.event.recorded_at,
            pinned_by: Actor::from(&pinned.event.actor),
        }))))
    }
}

/// Refuses when the catalogue of the tool's publisher lacks a commit that may decide. Asked before the tool is read.
async fn check_whole(session: &Session, tool: &ForeignTool, position: u64) -> Result<(), ApiError> {
    let server = ServerId::derive(&tool.publisher, &tool.server);
    let mut reads = session.state.reads.tenant(&tool.publisher).await?;
    let missing =
        dead_letter::first_missing_of_tool(&mut reads, position, &tool.tool_id(), &server).await?;
    reads.keep();
    match missing {
        None => Ok(()),
        Some(at) => Err(ApiError::Rejected {
            code: SET_ASIDE,
            message: format!(
                "what was so at position {position} is not known: the catalogue could not apply the commit at position \
                 {at}, about this tool or its server, and has put it aside; an operator finds the cause with \
                 `metamcp dead-letter list`, and has it applied with `metamcp dead-letter retry`: ask again then, or \
                 about a position before {at}"
            ),
        }),
    }
}

/// What the caller's tenant had pinned.
async fn pinned(
    session: &Session,
    tool: &ForeignTool,
    position: u64,
) -> Result<Option<archive::Pinned>, ApiError> {
    let there = AsOf::Sequence(Sequence(position));
    session.position(archive::NAME, there).await?;
    let mut reads = session.reads().await?.at(Moment::At(position));
    let id = tool.installation_id(&session.caller.tenant);
    Ok(archive::pinned(&mut reads, &id).await?)
}

/// The version that a range of an installed tool meant, if the tool was offered. What is hidden since is judged
/// all the same: that it was offered then is no secret to those who had installed it.
async fn offered(
    session: &Session,
    tool: &ForeignTool,
    range: &VersionReq,
    moment: Moment,
) -> Result<Option<Version>, ApiError> {
    let ids = [tool.tool_id()];
    let mut reads = session
        .state
        .reads
        .tenant(&tool.publisher)
        .await?
        .at(moment);
    let mut found = catalog::tools_by_id(&mut reads, &ids, &Sight::Everything).await?;
    let offers = |tool: &catalog::Tool| {
        tool.visibility == Visibility::Public && tool.status == Status::Active
    };
    if !found.remove(&ids[0]).is_some_and(|tool| offers(&tool)) {
        return Ok(None);
    }
    let mut versions = catalog::versions_by_tool(&mut reads, &ids, &Sight::Everything).await?;
    let versions = versions.remove(&ids[0]).unwrap_or_default();
    let offers: Vec<_> = versions.iter().map(catalog::ToolVersion::offer).collect();
    Ok(meant(range, &offers).cloned())
}

impl Target {
    /// What in the tool itself stood in the way.
    pub(super) fn obstacle(&self, action: ToolAction) -> Option<AccessObstacle> {
        match self {
            Self::Own(None) => Some(AccessObstacle::ToolAbsent),
            Self::Own(Some(tool)) => (action.needs_active_tool()
                && tool.0.status == Status::Retired)
                .then_some(AccessObstacle::ToolRetired),
            Self::Foreign(None) => Some(AccessObstacle::ToolNotInstalled),
            Self::Foreign(Some(installed)) => installed
                .version
                .is_none()
                .then_some(AccessObstacle::ToolUnavailable),
        }
    }

    /// What the policy judges of somebody in these teams; nothing when there was no such tool.
    pub(super) fn resource(&self, teams: &BTreeSet<Team>) -> Option<Resource> {
        match self {
            Self::Own(tool) => {
                let tool = &tool.as_ref()?.0;
                Some(Resource::tool(tool.visibility, tool.team.as_ref(), teams))
            }
            Self::Foreign(installed) => installed.is_some().then(Resource::public_tool),
        }
    }

    /// An installed tool is found and read; all else is its publisher's.
    pub(super) fn is_open_to(&self, action: ToolAction) -> bool {
        match self {
            Self::Own(_) => true,
            Self::Foreign(_) => matches!(action, ToolAction::Read | ToolAction::Search),
        }
    }

    pub(super) fn shown(self) -> (Option<Tool>, Option<PastInstallation>) {
        match self {
            Self::Own(tool) => (tool.map(|tool| *tool), None),
            Self::Foreign(installed) => (None, installed.map(|installed| *installed)),
        }
    }
}
