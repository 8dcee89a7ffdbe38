//! Changes of installations.

use super::{answered, dispatch, read_back};
use crate::authz::{Action, Resource, ResourceKind};
use crate::error::ApiError;
use crate::graphql::marketplace::installation::Installation;
use crate::graphql::marketplace::{InstallationKey, reference};
use crate::graphql::scalars::{Sequence, UuidScalar};
use crate::graphql::session::{Session, WAIT};
use async_graphql::{Context, InputObject, Object, SimpleObject};
use bus::DispatchError;
use domain::id::InstallationId;
use domain::installation::{
    ForeignTool, Install, InstallationCommand, Repin, Version, VersionReq, parse_range,
};
use projections::marketplace;

/// A tool of another tenant to install.
#[derive(Debug, InputObject)]
struct InstallToolInput {
    /// The slug of the tenant that offers it.
    publisher: String,
    /// The slug of its server there.
    server: String,
    /// Its name.
    tool: String,
    /// Which versions, in the notation of Cargo, such as `^1.2`, `~1.2.3`, `=1.2.3` or `*`. Left out: those
    /// that are compatible with the highest one.
    range: Option<String>,
}

/// Another range for an installed tool.
#[derive(Debug, InputObject)]
struct RepinToolInput {
    /// The slug of the tenant that offers it.
    publisher: String,
    /// The slug of its server there.
    server: String,
    /// Its name.
    tool: String,
    /// Which versions, in the notation of Cargo, such as `^1.2`, `~1.2.3`, `=1.2.3` or `*`.
    range: String,
}

/// An installed tool to use no longer.
#[derive(Debug, InputObject)]
struct UninstallToolInput {
    /// The slug of the tenant that offers it.
    publisher: String,
    /// The slug of its server there.
    server: String,
    /// Its name.
    tool: String,
}

/// A changed installation.
#[derive(SimpleObject)]
struct InstallationPayload {
    /// The installation after the change; null when it was uninstalled, or when `notice` says why.
    installation: Option<Installation>,
    /// The position of the change in the log.
    sequence: Sequence,
    /// Why the accepted change is not shown, or not yet.
    notice: Option<String>,
}

/// The changes of installations.
#[derive(Default)]
pub(super) struct InstallationMutations;

#[Object]
impl InstallationMutations {
    /// Installs a tool that another tenant offers. Your agents find and read it as
    /// `@publisher/server/name`, in the highest version within the range.
    async fn install_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool.")] input: InstallToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<InstallationPayload>, ApiError> {
        let session = authorized(ctx, Action::InstallTool)?;
        let tool = reference(&input.publisher, &input.server, &input.tool)?;
        if tool.publisher == session.caller.tenant {
            return Err(ApiError::Rejected {
                code: "OWN_TOOL",
                message: "a tool of your own tenant is there without being installed".into(),
            });
        }
        let range = input.range.as_deref().map(range_of).transpose()?;
        if let Some(first) = sent_before(session, &tool, command_id).await? {
            return Ok(Some(first));
        }
        let published = published(session, &tool, range.as_ref()).await?;
        let range = match range {
            Some(range) => range,
            None => compatible(&published)?,
        };
        let install = Install {
            tool: tool.clone(),
            range,
            published,
        };
        let command = InstallationCommand::Install(Box::new(install));
        send(session, &tool, command, command_id).await
    }

    /// Pins an installed tool to another range of versions.
    async fn repin_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool and the range.")] input: RepinToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<InstallationPayload>, ApiError> {
        let session = authorized(ctx, Action::RepinTool)?;
        let tool = reference(&input.publisher, &input.server, &input.tool)?;
        let range = range_of(&input.range)?;
        if let Some(first) = sent_before(session, &tool, command_id).await? {
            return Ok(Some(first));
        }
        let published = published(session, &tool, Some(&range)).await?;
        let repin = Repin { range, published };
        send(
            session,
            &tool,
            InstallationCommand::Repin(repin),
            command_id,
        )
        .await
    }

    /// Uninstalls a tool, whether it is still offered or not. It can be installed again.
    async fn uninstall_tool(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tool.")] input: UninstallToolInput,
        #[graphql(desc = "An id of your choice that makes a repetition safe.")] command_id: Option<
            UuidScalar,
        >,
    ) -> Result<Option<InstallationPayload>, ApiError> {
        let session = authorized(ctx, Action::UninstallTool)?;
        let tool = reference(&input.publisher, &input.server, &input.tool)?;
        send(session, &tool, InstallationCommand::Uninstall, command_id).await
    }
}

fn authorized<'a>(ctx: &Context<'a>, action: Action) -> Result<&'a Session, ApiError> {
    let session = Session::of(ctx);
    session.authorize(action, &Resource::any(ResourceKind::Installation))?;
    Ok(session)
}

/// The versions of a tool that is listed, of which the range, if one is given, is to hold some. What is not there
/// may have been published by another tenant a moment ago: the read model is waited for until it comes to the end of
/// the log, as long as any other wait, and looked at once more. If it does not come there, nobody knows yet what is
/// not there: `UNAVAILABLE`, which says to try again, and not `NOT_FOUND`. One that is hidden and one that does not
/// exist answer the same.
async fn published(
    session: &Session,
    tool: &ForeignTool,
    range: Option<&VersionReq>,
) -> Result<Vec<Version>, ApiError> {
    let holds = |versions: &Vec<Version>| {
        range.is_none_or(|range| versions.iter().any(|version| range.matches(version)))
    };
    if let Some(versions) = listed(session, tool).await?.filter(holds) {
        return Ok(versions);
    }
    session.reached_the_end(marketplace::NAME, WAIT).await?;
    listed(session, tool).await?.ok_or(ApiError::NotFound)
}

/// The versions of a listing without the yanked ones: who has pinned one goes on, and nobody begins with it.
async fn listed(session: &Session, tool: &ForeignTool) -> Result<Option<Vec<Version>>, ApiError> {
    let id = tool.tool_id();
    let mut reads = session.reads().await?;
    let mut found = marketplace::versions_by_listing(&mut reads, std::slice::from_ref(&id)).await?;
    let usable = |versions: Vec<marketplace::ListedVersion>| {
        let usable = versions.into_iter().filter(|one| one.yanked.is_none());
        usable.map(|one| one.tool_version).collect()
    };
    Ok(found.remove(&id).map(usable))
}

fn range_of(text: &str) -> Result<VersionReq, ApiError> {
    parse_range(text).map_err(|error| DispatchError::Rejected(error).into())
}

/// What is compatible with the highest version that is no pre-release, or else with the highest.
fn compatible(published: &[Version]) -> Result<VersionReq, ApiError> {
    let released = published.iter().filter(|version| version.pre.is_empty());
    let highest = released.max().or_else(|| published.iter().max());
    range_of(&highest.map_or_else(|| "*".to_owned(), |version| format!("^{version}")))
}

/// The first answer to a command that is sent again, see [`answered`]: also when the tool is not offered any more.
async fn sent_before(
    session: &Session,
    tool: &ForeignTool,
    command_id: Option<UuidScalar>,
) -> Result<Option<InstallationPayload>, ApiError> {
    let id = tool.installation_id(&session.caller.tenant);
    let first = answered::<domain::installation::Installation>(session, id.as_str(), command_id);
    match first.await? {
        Some(sequence) => payload(session, id, sequence).await.map(Some),
        None => Ok(None),
    }
}

async fn send(
    session: &Session,
    tool: &ForeignTool,
    command: InstallationCommand,
    command_id: Option<UuidScalar>,
) -> Result<Option<InstallationPayload>, ApiError> {
    let id = tool.installation_id(&session.caller.tenant);
    let sequence =
        dispatch::<domain::installation::Installation>(session, id.as_str(), command, command_id)
            .await?;
    payload(session, id, sequence).await.map(Some)
}

async fn payload(
    session: &Session,
    id: InstallationId,
    sequence: Sequence,
) -> Result<InstallationPayload, ApiError> {
    let key = InstallationKey(id);
    let (found, notice) = read_back(session, marketplace::NAME, sequence, key).await?;
    Ok(InstallationPayload {
        installation: found.map(Installation),
        sequence,
        notice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_that_is_not_named_is_compatible_with_the_highest_release() {
        let versions = |texts: &[&str]| -> Vec<Version> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let range = compatible(&versions(&["1.0.0", "2.1.0", "3.0.0-rc.1"])).unwrap();
        assert_eq!(range.to_string(), "^2.1.0");
        let range = compatible(&versions(&["1.0.0-rc.2", "1.0.0-rc.1"])).unwrap();
        assert_eq!(range.to_string(), "^1.0.0-rc.2");
    }
}
