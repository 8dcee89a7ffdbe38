//! Passes over a registry: the one that was begun, then the one for what has changed since.

use super::apply::Applier;
use super::entry::Entry;
use super::fetch::{FetchError, Registry};
use super::summary::Summary;
use super::{MirrorError, Target};
use crate::import::report::Reason;
use chrono::{DateTime, TimeDelta, Utc};
use domain::server::Mirrored;
use domain::tenant::Tenant;
use serde_json::Value;
use std::collections::HashSet;

/// How much earlier than the last pass began the next one asks for changes: a registry may show a change
/// later than it dates it, and its clock's seconds are cut.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// A pass over a registry, or the rest of one.
struct Pass {
    /// By the registry's clock; that of its first page when it is not known yet.
    began_at: Option<DateTime<Utc>>,
    since: Option<DateTime<Utc>>,
    cursor: Option<String>,
}

impl Pass {
    fn over(since: Option<DateTime<Utc>>) -> Self {
        Self {
            began_at: None,
            since,
            cursor: None,
        }
    }
}

/// Mirrors a registry. `last` is where the log says that the last run was; none reads everything.
///
/// # Errors
/// [`MirrorError`]. What was mirrored until then stays.
pub async fn mirror_registry(
    target: &Target<'_>,
    registry: &Registry,
    last: Option<Mirrored>,
    progress: &(dyn Fn(&Summary) + Sync),
) -> Result<Summary, MirrorError> {
    check_tenant(target).await?;
    let mut applier = Applier::new(target);
    let next = match last {
        None => Pass::over(None),
        Some(last) => {
            let next = Pass::over(Some(last.began_at - OVERLAP));
            let rest = Pass {
                began_at: Some(last.began_at),
                since: last.since,
                cursor: last.cursor,
            };
            run(target, registry, rest, &mut applier, progress).await?;
            next
        }
    };
    if !target.stop.is_cancelled() {
        run(target, registry, next, &mut applier, progress).await?;
    }
    Ok(ended(applier, target))
}

/// Mirrors documents that are there already.
///
/// # Errors
/// [`MirrorError`]. What was mirrored until then stays.
pub async fn mirror_documents(
    target: &Target<'_>,
    documents: Vec<Result<Value, String>>,
    progress: &(dyn Fn(&Summary) + Sync),
) -> Result<Summary, MirrorError> {
    check_tenant(target).await?;
    let mut applier = Applier::new(target);
    for document in documents {
        if target.stop.is_cancelled() {
            break;
        }
        applier.summary.read += 1;
        let entry = document.map_err(|problem| Reason::new("NOT_JSON", problem));
        match entry.and_then(Entry::read) {
            Ok(entry) => applier.apply(entry, None).await?,
            Err(reason) => applier.summary.refuse("", "", reason),
        }
        progress(&applier.summary);
    }
    Ok(ended(applier, target))
}

async fn check_tenant(target: &Target<'_>) -> Result<(), MirrorError> {
    let tenant = target.tenant;
    let found = target.dispatcher.load::<Tenant>(tenant, tenant.as_str());
    match found.await? {
        Some(_) => Ok(()),
        None => Err(MirrorError::UnknownTenant(tenant.clone())),
    }
}

fn ended(applier: Applier<'_>, target: &Target<'_>) -> Summary {
    Summary {
        interrupted: target.stop.is_cancelled(),
        ..applier.summary
    }
}

async fn run(
    target: &Target<'_>,
    registry: &Registry,
    mut pass: Pass,
    applier: &mut Applier<'_>,
    progress: &(dyn Fn(&Summary) + Sync),
) -> Result<(), MirrorError> {
    // Only a cursor of an earlier run may have expired; one that this run was given is taken, or the run ends.
    let mut kept = pass.cursor.is_some();
    let mut cursors: HashSet<String> = pass.cursor.iter().cloned().collect();
    loop {
        let (since, cursor) = (pass.since, pass.cursor.as_deref());
        let page = registry
            .page(since, cursor, target.patience, target.stop)
            .await;
        let page = match page {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(()),
            // It may have been kept for months: what it stood for is read from its beginning, once.
            Err(FetchError::CursorRefused(_)) if kept => {
                kept = false;
                cursors.clear();
                pass = Pass::over(pass.since);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        kept = false;
        applier.summary.pages += 1;
        let began_at = *pass.began_at.get_or_insert(page.at);
        for value in page.entries {
            if target.stop.is_cancelled() {
                return Ok(());
            }
            applier.summary.read += 1;
            let entry = match Entry::read(value) {
                Ok(entry) => entry,
                Err(reason) => {
                    applier.summary.refuse("", "", reason);
                    continue;
                }
            };
            let mirrored = Mirrored {
                registry: registry.name().to_owned(),
                updated_at: entry.updated_at.unwrap_or(began_at),
                began_at,
                since: pass.since,
                cursor: pass.cursor.clone(),
            };
            applier.apply(entry, Some(mirrored)).await?;
        }
        progress(&applier.summary);
        match page.next {
            Some(next) if !cursors.insert(next.clone()) => return Err(FetchError::Circle.into()),
            Some(next) => pass.cursor = Some(next),
            None => return Ok(()),
        }
    }
}
