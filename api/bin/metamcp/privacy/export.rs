//! Everything that is known of a person, as one JSON document: the principal, the history of its roles,
//! and every event that is about it or its reviews, or that it caused. Read from the log itself, and written as it is
//! read: no more than a batch is in memory.

use bus::{Log, LogEntry};
use domain::AnyEvent;
use domain::envelope::{Actor, ActorKind, Commit, StoredEvent};
use domain::id::{PrincipalId, TenantId};
use domain::personal::{Personal, PersonalField};
use domain::principal::{PrincipalDescribed, PrincipalEvent, PrincipalRegistered, Role};
use domain::review::ReviewEvent;
use domain::team::Team;
use projections::Vault;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use std::io::Write;

/// Commits read at once.
const BATCH: usize = 500;

/// What is gathered on the way and written at the end.
#[derive(Default)]
struct Summary {
    principal: Value,
    roles: Vec<Value>,
    /// Those that it holds; none since its erasure.
    held: BTreeSet<Role>,
    teams: Vec<Value>,
    /// Those that it is in; none since its erasure.
    within: BTreeSet<Team>,
    erased_at: Option<String>,
    unreadable: Vec<u64>,
    /// The ids of its reviews: what moderators did to them is about the person, too.
    reviews: HashSet<String>,
}

/// Writes what is known of a person.
///
/// # Errors
/// When the log or the vault is away, or the writer fails.
pub async fn export(
    log: &Log,
    vault: &Vault,
    tenant: &TenantId,
    subject: &PrincipalId,
    out: &mut (impl Write + Send),
) -> anyhow::Result<()> {
    let head = log.head().await?;
    let mut reader = log.read_from(1).await?;
    let (mut summary, mut at, mut first) = (Summary::default(), 0, true);
    write!(out, "{{\"events\": [")?;
    while at < head {
        for entry in reader.next_batch(BATCH).await? {
            at = entry.stream_sequence;
            if at > head {
                break;
            }
            for event in of_entry(vault, tenant, subject, &entry, &mut summary).await? {
                let comma = if std::mem::take(&mut first) { "" } else { "," };
                write!(out, "{comma}\n  {event}")?;
            }
        }
    }
    if summary.principal.is_object() {
        summary.principal["roles"] = json!(summary.held);
        summary.principal["teams"] = json!(summary.within);
    }
    writeln!(
        out,
        "\n],\n\"principal\": {},\n\"roles\": {},\n\"teams\": {},\n\"erased_at\": {},\n\"read_up_to\": {head},\n\"unreadable\": {}}}",
        summary.principal,
        json!(summary.roles),
        json!(summary.teams),
        json!(summary.erased_at),
        json!(summary.unreadable)
    )?;
    Ok(out.flush()?)
}

/// The events of an entry that concern the person. A message that is no commit is only noted.
async fn of_entry(
    vault: &Vault,
    tenant: &TenantId,
    subject: &PrincipalId,
    entry: &LogEntry,
    summary: &mut Summary,
) -> anyhow::Result<Vec<Value>> {
    let Ok(commit) = entry.commit() else {
        summary.unreadable.push(entry.stream_sequence);
        return Ok(Vec::new());
    };
    let own = commit.aggregate == "principal" && commit.aggregate_id == subject.as_str();
    if commit.tenant != *tenant {
        return Ok(Vec::new());
    }
    let reviewed = commit.aggregate == "review" && summary.is_own_review(&commit, subject);
    if !(own || reviewed || acted(&commit.actor, subject)) {
        return Ok(Vec::new());
    }
    let mut events = Vec::new();
    for stored in &commit.events {
        let mut data = stored.data.clone();
        if commit.aggregate == "review" {
            open_texts(vault, tenant, subject, &commit, stored, &mut data).await?;
        }
        if own && let Ok(AnyEvent::Principal(event)) = domain::registry::decode(stored) {
            if let PrincipalEvent::Registered(registered) = &event {
                data = opened(vault, tenant, subject, registered).await?;
                summary.principal = data.clone();
                summary.principal["id"] = json!(subject);
                summary.principal["registered_at"] = json!(commit.recorded_at);
            }
            if let PrincipalEvent::Described(described) = &event {
                data = reopened(vault, tenant, subject, described).await?;
                for field in ["display_name", "email"] {
                    summary.principal[field] = data[field].clone();
                }
            }
            summary.note(&event, &commit);
        }
        events.push(json!({
            "sequence": entry.stream_sequence,
            "at": commit.recorded_at,
            "by": commit.actor,
            "aggregate": commit.aggregate,
            "aggregate_id": commit.aggregate_id,
            "type": stored.wire_type,
            "version": stored.version,
            "data": data,
        }));
    }
    Ok(events)
}

/// Principals act as user, agent or service; the names of the others are no principals' ids.
fn acted(actor: &Actor, subject: &PrincipalId) -> bool {
    match actor.kind {
        ActorKind::User | ActorKind::Agent | ActorKind::Service => actor.id == subject.as_str(),
        ActorKind::Operator | ActorKind::System => false,
    }
}

/// Puts what the person wrote in a review, readable, in place of what is sealed; null once it is erased.
async fn open_texts(
    vault: &Vault,
    tenant: &TenantId,
    subject: &PrincipalId,
    commit: &Commit,
    stored: &StoredEvent,
    data: &mut Value,
) -> anyhow::Result<()> {
    let Ok(mut event) = domain::registry::decode(stored) else {
        return Ok(());
    };
    let found = event.personal_fields(&commit.aggregate_id);
    for (field, value) in found.into_iter().flat_map(|found| found.fields) {
        data["text"] = json!(vault.read(tenant, subject.as_str(), field, value).await?);
    }
    Ok(())
}

/// The registration with its personal fields readable; null for what was erased.
async fn opened(
    vault: &Vault,
    tenant: &TenantId,
    subject: &PrincipalId,
    event: &PrincipalRegistered,
) -> anyhow::Result<Value> {
    let description = PrincipalDescribed {
        display_name: event.display_name.clone(),
        email: event.email.clone(),
    };
    let mut data = reopened(vault, tenant, subject, &description).await?;
    data["kind"] = json!(event.kind);
    data["handle"] = json!(
        vault
            .read(
                tenant,
                subject.as_str(),
                PersonalField::Handle,
                &event.handle
            )
            .await?
    );
    data["roles"] = json!(event.roles);
    Ok(data)
}

/// A description with its personal fields readable; null for what was erased.
async fn reopened(
    vault: &Vault,
    tenant: &TenantId,
    subject: &PrincipalId,
    event: &PrincipalDescribed,
) -> anyhow::Result<Value> {
    let read = async |field, value: Option<&Personal>| match value {
        Some(value) => vault.read(tenant, subject.as_str(), field, value).await,
        None => Ok(None),
    };
    Ok(json!({
        "display_name": read(PersonalField::DisplayName, event.display_name.as_ref()).await?,
        "email": read(PersonalField::Email, event.email.as_ref()).await?,
    }))
}

impl Summary {
    /// Whether the commit is one of a review that the person has written; notes a new one.
    fn is_own_review(&mut self, commit: &Commit, subject: &PrincipalId) -> bool {
        let begins = commit.events.iter().any(|stored| {
            let Ok(AnyEvent::Review(ReviewEvent::Written(event))) =
                domain::registry::decode(stored)
            else {
                return false;
            };
            event.author == *subject
        });
        if begins {
            self.reviews.insert(commit.aggregate_id.clone());
        }
        self.reviews.contains(&commit.aggregate_id)
    }

    fn note(&mut self, event: &PrincipalEvent, commit: &Commit) {
        match event {
            PrincipalEvent::Registered(event) => {
                for first in &event.roles {
                    self.role(*first, true, commit);
                }
            }
            PrincipalEvent::RoleGranted(event) => self.role(event.role, true, commit),
            PrincipalEvent::RoleRevoked(event) => self.role(event.role, false, commit),
            PrincipalEvent::TeamJoined(event) => self.team(&event.team, true, commit),
            PrincipalEvent::TeamLeft(event) => self.team(&event.team, false, commit),
            PrincipalEvent::Erased(_) => {
                for last in self.held.clone() {
                    self.role(last, false, commit);
                }
                for last in self.within.clone() {
                    self.team(&last, false, commit);
                }
                self.erased_at = Some(commit.recorded_at.to_rfc3339());
            }
            PrincipalEvent::Described(_)
            | PrincipalEvent::Deactivated(_)
            | PrincipalEvent::Reactivated(_)
            | PrincipalEvent::TokensRevoked(_) => {}
        }
    }

    /// A role that is held, or not any more, since a commit.
    fn role(&mut self, role: Role, held: bool, commit: &Commit) {
        match held {
            true => self.held.insert(role),
            false => self.held.remove(&role),
        };
        self.roles.push(json!({
            "role": role, "held": held, "at": commit.recorded_at, "by": commit.actor,
        }));
    }

    /// A team that the person is in, or not any more, since a commit.
    fn team(&mut self, team: &Team, within: bool, commit: &Commit) {
        match within {
            true => self.within.insert(team.clone()),
            false => self.within.remove(team),
        };
        self.teams.push(json!({
            "team": team, "within": within, "at": commit.recorded_at, "by": commit.actor,
        }));
    }
}
