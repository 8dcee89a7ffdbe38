//! What a tenant had installed at a moment: folded from the events of the installation, of which
//! `marketplace` keeps the present only.

use super::event::{COLUMNS, LoggedEvent};
use super::{NAME, parked};
use crate::error::{QueryError, corrupt};
use crate::moment::Moment;
use crate::store::TenantConnection;
use cqrs_es::Aggregate;
use domain::id::InstallationId;
use domain::installation::{Installation, InstallationEvent, VersionReq};
use domain::registry::{self, AnyEvent};

/// An installation as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Pinned {
    /// Which versions were used.
    pub range: VersionReq,
    /// The event that said so.
    pub event: LoggedEvent,
}

/// What the connection's tenant had pinned at the connection's moment; none when it was not installed then.
///
/// # Errors
/// [`QueryError::Behind`] when an event that belongs to the answer is parked; other [`QueryError`]s.
pub async fn pinned(
    connection: &mut TenantConnection,
    id: &InstallationId,
) -> Result<Option<Pinned>, QueryError> {
    let moment = connection.moment();
    complete(connection, id, moment).await?;
    let statement = format!(
        "SELECT {COLUMNS} FROM archive.events WHERE aggregate_type = $1 AND aggregate_id = $2{}
         ORDER BY sequence, event_index",
        moment.since("stream_sequence")
    );
    let rows = sqlx::query(&statement)
        .persistent(moment.is_now())
        .bind(Installation::TYPE)
        .bind(id.as_str())
        .fetch_all(&mut **connection)
        .await?;
    let mut pinned = None;
    for row in &rows {
        let event = LoggedEvent::read(row)?;
        let decoded = registry::decode(&event.event).map_err(corrupt)?;
        let AnyEvent::Installation(decoded) = decoded else {
            return Err(corrupt(format!(
                "{} of an installation",
                event.event.wire_type
            )));
        };
        let range = match decoded {
            InstallationEvent::Installed(installed) => Some(installed.range),
            InstallationEvent::Repinned(repinned) => Some(repinned.range),
            InstallationEvent::Uninstalled(_) => None,
        };
        pinned = range.map(|range| Pinned { range, event });
    }
    Ok(pinned)
}

/// An answer that lacks an event could be a wrong one.
async fn complete(
    connection: &mut TenantConnection,
    id: &InstallationId,
    moment: Moment,
) -> Result<(), QueryError> {
    let ids = [id.to_string()];
    let parked = parked(connection, Installation::TYPE, &ids).await?;
    let lacking = parked.into_values().flatten().map(|it| it.stream_sequence);
    let lacking = lacking.min().filter(|first| match moment {
        Moment::Now => true,
        Moment::At(position) => *first <= position,
    });
    match lacking {
        None => Ok(()),
        Some(wanted) => Err(QueryError::Behind {
            projector: NAME,
            position: wanted.saturating_sub(1),
            wanted,
        }),
    }
}
