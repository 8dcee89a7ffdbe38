//! Sends what the files hold to the domain: servers first, then tools, many in flight, each answered for.
//!
//! **At least once, never twice.** A command keeps its id over its retries, so a commit whose acknowledgement
//! was lost is found again; a line of an earlier run is refused by the domain as already registered, which is
//! counted and is no error. So a run that was stopped, by whatever, is finished by running it again.
//! Memory is bounded by the lines in flight, 60 bytes a line to find duplicates, and the servers' ids.

use super::catalogue::{self, Parsed};
use super::categories::Categories;
use super::lines::{Line, Lines};
use super::report::{Kind, Report};
use super::send::{Item, Loaded};
use super::standing::{Duplicates, Servers};
use super::summary::Summary;
use super::{Cause, ImportError, Observer, Options};
use bus::{CommandContext, Dispatcher};
use domain::envelope::Actor;
use domain::id::{CorrelationId, ServerId, TenantId, ToolId};
use domain::server::{Server, ServerCommand};
use domain::tenant::Tenant;
use domain::tool::{Tool, ToolCommand};
use futures::stream::{self, Stream};
use std::sync::atomic::AtomicBool;
use tokio::io::AsyncBufRead;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Registers every server and every tool that is not there yet. A bad line is reported and the rest goes
/// on; a cancelled `stop` ends the reading, lets what is in flight end, and is no error.
///
/// # Errors
/// [`ImportError`]: an unregistered tenant, a file that cannot be read, or a log that stays away.
#[expect(
    clippy::too_many_arguments,
    reason = "who, for whom, what, how and until when"
)]
pub async fn run(
    dispatcher: &Dispatcher,
    tenant: &TenantId,
    actor: &Actor,
    servers: impl AsyncBufRead + Unpin + Send,
    tools: impl AsyncBufRead + Unpin + Send,
    options: &Options,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> Result<Summary, ImportError> {
    let correlation_id = CommandContext::new(tenant.clone(), actor.clone()).correlation_id;
    let waiting = AtomicBool::new(false);
    let import = Import {
        dispatcher,
        tenant,
        actor,
        correlation_id,
        options,
        observer,
        stop,
        waiting,
        categories: Mutex::default(),
    };
    let mut report = Report::new(observer, options.notes_per_reason);
    let ended = import.both(servers, tools, &mut report).await;
    let mut summary = report.finish(stop.is_cancelled());
    summary.categories_added = import.categories.lock().await.added;
    match ended {
        Ok(()) => Ok(summary),
        Err(Cause::UnknownTenant) => Err(ImportError::UnknownTenant(tenant.clone())),
        Err(cause) => Err(ImportError::Stopped {
            cause,
            summary: Box::new(summary),
        }),
    }
}

pub(super) struct Import<'a> {
    pub(super) dispatcher: &'a Dispatcher,
    pub(super) tenant: &'a TenantId,
    pub(super) actor: &'a Actor,
    pub(super) correlation_id: CorrelationId,
    pub(super) options: &'a Options,
    pub(super) observer: &'a dyn Observer,
    pub(super) stop: &'a CancellationToken,
    /// True while the log is away, so that it is said once and not by every line in flight.
    pub(super) waiting: AtomicBool,
    /// What the lines may name; taken by one line at a time.
    pub(super) categories: Mutex<Categories>,
}

impl Import<'_> {
    async fn both(
        &self,
        servers: impl AsyncBufRead + Unpin + Send,
        tools: impl AsyncBufRead + Unpin + Send,
        report: &mut Report<'_>,
    ) -> Result<(), Cause> {
        match self.load::<Tenant>(self.tenant.as_str()).await? {
            Loaded::Found(Some(_)) => {}
            Loaded::Found(None) => return Err(Cause::UnknownTenant),
            Loaded::Stopped => return Ok(()),
        }
        if !self.learn_categories().await? {
            return Ok(());
        }
        let mut known = Servers::default();
        self.send::<Server>(Kind::Servers, self.servers(servers), &mut known, report)
            .await?;
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let tools = self.tools(tools, known);
        self.send::<Tool>(Kind::Tools, tools, &mut Servers::default(), report)
            .await
    }

    fn servers<'s>(
        &'s self,
        reader: impl AsyncBufRead + Unpin + Send + 's,
    ) -> impl Stream<Item = Result<Item<ServerCommand>, Cause>> + Send + 's {
        let state = (Lines::new(reader), Duplicates::default());
        stream::try_unfold(state, move |(mut lines, mut seen)| async move {
            let Some(line) = self.next(Kind::Servers, &mut lines).await? else {
                return Ok(None);
            };
            let number = line.number;
            let mut parsed = line.bytes.and_then(|bytes| {
                let parsed = catalogue::server(&bytes)?;
                seen.check(&[&parsed.record.slug], &bytes, number)?;
                Ok(parsed)
            });
            if let Ok(Parsed { record, .. }) = &parsed {
                let category = record.profile.category.as_deref();
                match self.check_category(category).await? {
                    Some(Ok(())) => {}
                    Some(Err(reason)) => parsed = Err(reason),
                    None => return Ok(None),
                }
            }
            let item = Item::new(number, parsed, |record| {
                let id = ServerId::derive(self.tenant, &record.slug).into();
                (id, ServerCommand::Register(record))
            });
            Ok(Some((item, (lines, seen))))
        })
    }

    fn tools<'s>(
        &'s self,
        reader: impl AsyncBufRead + Unpin + Send + 's,
        known: Servers,
    ) -> impl Stream<Item = Result<Item<ToolCommand>, Cause>> + Send + 's {
        let state = (Lines::new(reader), Duplicates::default(), known);
        stream::try_unfold(state, move |(mut lines, mut seen, mut known)| async move {
            let Some(line) = self.next(Kind::Tools, &mut lines).await? else {
                return Ok(None);
            };
            let number = line.number;
            let version = &self.options.tool_version;
            let mut parsed = line.bytes.and_then(|bytes| {
                let parsed = catalogue::tool(&bytes, self.tenant, version)?;
                let key = [&*parsed.record.server, &*parsed.record.name];
                seen.check(&key, &bytes, number)?;
                Ok(parsed)
            });
            if let Ok(Parsed { record, .. }) = &parsed {
                let id = record.server_id.as_str();
                if !known.has(id) {
                    let Loaded::Found(server) = self.load::<Server>(id).await? else {
                        return Ok(None);
                    };
                    known.learn(id, server.as_ref());
                }
                let category = record.profile.category.as_deref();
                let allowed = match known.check(id, &record.server) {
                    Ok(()) => self.check_category(category).await?,
                    Err(reason) => Some(Err(reason)),
                };
                match allowed {
                    Some(Ok(())) => {}
                    Some(Err(reason)) => parsed = Err(reason),
                    None => return Ok(None),
                }
            }
            let item = Item::new(number, parsed, |record| {
                let id = ToolId::derive(self.tenant, &record.server, &record.name).into();
                (id, ToolCommand::Register(Box::new(record)))
            });
            Ok(Some((item, (lines, seen, known))))
        })
    }

    /// The next line of a file, and word of it to the observer.
    async fn next<R: AsyncBufRead + Unpin>(
        &self,
        kind: Kind,
        lines: &mut Lines<R>,
    ) -> Result<Option<Line>, Cause> {
        let before = lines.bytes_read();
        let line = lines.next().await.map_err(|source| Cause::Read {
            file: self.file(kind).to_owned(),
            line: lines.number(),
            source,
        });
        self.observer.read(lines.bytes_read() - before);
        line
    }

    pub(super) fn file(&self, kind: Kind) -> &str {
        match kind {
            Kind::Servers => &self.options.servers_name,
            Kind::Tools => &self.options.tools_name,
        }
    }
}
