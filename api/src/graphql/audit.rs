//! The audit log: every event of the tenant, its denials included.

use super::connection::{DEFAULT_FIRST, PageOf, connection, cost, filter_text, page_request};
use super::enums::Direction;
use super::event::Event;
use super::history::ParkedCommit;
use super::scalars::Sequence;
use super::session::Session;
use crate::authz::{Action, Resource};
use crate::error::ApiError;
use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};
use domain::id::{PrincipalId, TenantId};
use domain::registry::wire_forms;
use projections::archive::audit::{self, AuditRange};
use projections::archive::{self, Place, Stretch};
use std::collections::BTreeSet;

/// A page of the audit log.
pub(super) type AuditConnection = PageOf<Event, Searched>;

/// What a page of the audit log says beside its edges.
pub(super) struct Searched {
    searched_to: Option<Place>,
    /// What the page has looked through.
    stretch: Stretch,
}

#[Object]
impl Searched {
    /// Only for a search by `text` that stopped before it had found enough, because one page looks through
    /// 10000 events at most: give it as `after` to search on. There may be no edge on such a page.
    async fn searched_to(&self) -> Option<String> {
        self.searched_to.map(Place::cursor)
    }

    /// Commits that the archive could not read and has set aside, oldest first, 100 at most: of the part of
    /// the log, of the time and of the objects that this page has looked through, whoever caused them. They are
    /// in the log and missing from the edges, until the archive has applied them. Empty when all is well.
    async fn parked(&self, ctx: &Context<'_>) -> Option<Result<Vec<ParkedCommit>, ApiError>> {
        let session = Session::of(ctx);
        let read = async {
            let mut reads = session.reads().await?;
            let commits = archive::parked_within(&mut reads, &self.stretch).await?;
            reads.keep();
            Ok::<_, ApiError>(commits.into_iter().map(ParkedCommit::from).collect())
        };
        Some(read.await)
    }
}

/// Which events; all conditions together.
#[derive(Debug, Default, InputObject)]
pub(super) struct EventFilter {
    /// Caused by the principal with this handle.
    actor: Option<String>,
    /// Caused by the actor with this id in the log, such as `up` for the command line.
    actor_id: Option<String>,
    /// Of objects of this kind: `tool`, `server`, `principal`, `tenant`, `taxonomy`, `review`, `publisher`,
    /// `installation` or `denial`.
    aggregate: Option<String>,
    /// Of the object with this id in the log; `aggregate` says of which kind it is.
    aggregate_id: Option<String>,
    /// Of this type, such as `tool.retired`.
    #[graphql(name = "type")]
    event_type: Option<String>,
}

/// Which events of the audit log; all conditions together.
#[derive(Debug, Default, InputObject)]
pub(super) struct AuditFilter {
    /// By actor, object and type.
    #[graphql(flatten)]
    event: EventFilter,
    /// Recorded at this moment or later.
    from: Option<DateTime<Utc>>,
    /// Recorded before this moment.
    to: Option<DateTime<Utc>>,
    /// The event's `data`, written as JSON, contain this text, in whatever case.
    text: Option<String>,
}

impl EventFilter {
    /// The filter in the terms of the log.
    pub(super) fn of_tenant(self, tenant: &TenantId) -> Result<audit::AuditFilter, ApiError> {
        let handle = filter_text(self.actor);
        let actor_id = filter_text(self.actor_id);
        let aggregate = filter_text(self.aggregate);
        let aggregate_id = filter_text(self.aggregate_id);
        let event_type = filter_text(self.event_type);
        check_kinds(aggregate.as_deref(), event_type.as_deref())?;
        if handle.is_some() && actor_id.is_some() {
            return Err(invalid("give `actor` or `actorId`, not both"));
        }
        if aggregate_id.is_some() && aggregate.is_none() {
            return Err(invalid("give `aggregate` with `aggregateId`"));
        }
        // Nobody is refused who is not there: a person who was erased is asked for by the old handle as well, which
        // no read model has any more.
        let named = handle.map(|handle| PrincipalId::named(tenant, &handle).to_string());
        Ok(audit::AuditFilter {
            actor_id: named.or(actor_id),
            aggregate,
            aggregate_id,
            event_type,
            ..audit::AuditFilter::default()
        })
    }
}

impl AuditFilter {
    fn of_tenant(self, tenant: &TenantId) -> Result<audit::AuditFilter, ApiError> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(invalid(
                "`from` is after `to`, and nothing lies between them; exchange them, or leave one out",
            ));
        }
        Ok(audit::AuditFilter {
            from: self.from,
            to: self.to,
            text: filter_text(self.text),
            ..self.event.of_tenant(tenant)?
        })
    }
}

/// A kind or a type that is none would find nothing, which looks like an answer.
fn check_kinds(aggregate: Option<&str>, event_type: Option<&str>) -> Result<(), ApiError> {
    if let Some(aggregate) = aggregate
        && !wire_forms().any(|(name, _)| kind_of(name) == aggregate)
    {
        let kinds: BTreeSet<_> = wire_forms().map(|(name, _)| kind_of(name)).collect();
        return Err(invalid(&format!(
            "there is no kind of object \"{aggregate}\"; use one of {}",
            listed(kinds)
        )));
    }
    let Some(event_type) = event_type.filter(|it| wire_forms().all(|(name, _)| name != *it)) else {
        return Ok(());
    };
    let names = || wire_forms().map(|(name, _)| name);
    let kind = kind_of(event_type);
    let of_its_kind: BTreeSet<_> = names().filter(|name| kind_of(name) == kind).collect();
    let known = if of_its_kind.is_empty() {
        names().collect()
    } else {
        of_its_kind
    };
    Err(invalid(&format!(
        "there is no type of event \"{event_type}\"; use one of {}",
        listed(known)
    )))
}

/// The kind of object that an event of this type is of.
fn kind_of(event_type: &str) -> &str {
    event_type
        .split_once('.')
        .map_or(event_type, |(kind, _)| kind)
}

fn listed(names: BTreeSet<&str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn invalid(message: &str) -> ApiError {
    ApiError::Invalid {
        code: "INVALID_FILTER",
        message: message.to_owned(),
    }
}

/// The entry to the audit log.
#[derive(Default)]
pub(super) struct AuditQueries;

#[Object]
impl AuditQueries {
    /// What has happened in your tenant: every event of the log, denials included, newest first unless
    /// asked otherwise. For owners, administrators and auditors.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default_with = "DEFAULT_FIRST")] first: i32,
        #[graphql(desc = "The `endCursor` of the page before, or its `searchedTo`.")] after: Option<
            String,
        >,
        #[graphql(desc = "Which events; all when left out.")] filter: Option<AuditFilter>,
        #[graphql(desc = "Newest or oldest first.", default_with = "Direction::Desc")]
        direction: Direction,
        #[graphql(desc = "Wait until the answer shows the commit at this position.")]
        min_sequence: Option<Sequence>,
    ) -> Result<Option<AuditConnection>, ApiError> {
        let session = Session::of(ctx);
        session.authorize(Action::ReadAudit, &Resource::tenant())?;
        session.caught_up(archive::NAME, min_sequence).await?;
        let filter = filter.unwrap_or_default();
        let filter = filter.of_tenant(&session.caller.tenant)?;
        let request = page_request(session, first, after)?;
        let after = request.after.as_deref().map(Place::of_cursor).transpose()?;
        let range = AuditRange {
            first: request.first,
            after,
            until: None,
            descending: direction == Direction::Desc,
        };
        let mut reads = session.reads().await?;
        let found = audit::events(&mut reads, &filter, &range).await?;
        let searched = Searched {
            searched_to: found.searched_to,
            stretch: Stretch::of(&filter, &range, &found),
        };
        let continues = after.is_some();
        Ok(Some(connection(
            found.page,
            continues,
            searched,
            Event::from,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_a_principal_of_the_own_tenant() {
        let tenant = TenantId::new("acme").unwrap();
        let filter = EventFilter {
            actor: Some(" ada ".into()),
            ..EventFilter::default()
        };
        let expected = PrincipalId::derive(&tenant, "ada").to_string();
        let actor_id = filter.of_tenant(&tenant).unwrap().actor_id;
        assert_eq!(actor_id, Some(expected));
    }

    #[test]
    fn filters_that_say_too_much_or_too_little_are_refused() {
        let tenant = TenantId::new("acme").unwrap();
        let some = |text: &str| Some(text.to_owned());
        for filter in [
            EventFilter {
                actor: some("ada"),
                actor_id: some("up"),
                ..EventFilter::default()
            },
            EventFilter {
                aggregate_id: some("x"),
                ..EventFilter::default()
            },
            EventFilter {
                aggregate: some("tools"),
                ..EventFilter::default()
            },
            EventFilter {
                event_type: some("tool.regsitered"),
                ..EventFilter::default()
            },
        ] {
            let refused = filter.of_tenant(&tenant).unwrap_err();
            assert_eq!(refused.code(), "INVALID_FILTER");
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let tenant = TenantId::new("acme").unwrap();
        let range = |from, to| {
            let filter = AuditFilter {
                from,
                to,
                ..AuditFilter::default()
            };
            filter.of_tenant(&tenant).map_err(|refused| refused.code())
        };
        let first = DateTime::<Utc>::UNIX_EPOCH;
        let second = first + chrono::TimeDelta::microseconds(1);
        assert_eq!(
            range(Some(second), Some(first)).unwrap_err(),
            "INVALID_FILTER"
        );
        for (from, to) in [
            (Some(first), Some(second)),
            (Some(first), Some(first)),
            (Some(second), None),
            (None, Some(first)),
        ] {
            let filter = range(from, to).unwrap();
            assert_eq!((filter.from, filter.to), (from, to));
        }
    }

    #[test]
    fn a_type_that_is_none_is_told_those_of_its_kind() {
        let refused = check_kinds(Some("denial"), Some("denial.forgotten")).unwrap_err();
        let told = "there is no type of event \"denial.forgotten\"; use one of denial.recorded, denial.repeated";
        assert_eq!(refused.to_string(), told);
        for (name, _) in wire_forms() {
            check_kinds(Some(kind_of(name)), Some(name)).unwrap();
        }
    }
}
