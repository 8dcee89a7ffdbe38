//! Keeps the reviews. A batch loads the rows that it changes, folds its events over them in memory, and
//! writes every touched row once: a constant number of statements, however many commits.

use super::NAME;
use super::rows::{Key, ReviewRow, Rows};
use super::tools::{Tools, concerns_server, concerns_tools, tenants_of};
use crate::error::ProjectionError;
use crate::projector::{OnPoison, Projector, Recorded};
use crate::rebuild::copies_of;
use async_trait::async_trait;
use domain::AnyEvent;
use domain::personal::Personal;
use domain::principal::PrincipalEvent;
use domain::review::{AppealDecision, Moderation, ReviewEvent, ReviewWritten};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::time::Duration;

/// Keeps `reviews` with `ratings` and `totals`, what is public of them, `tools` and `erased`.
#[derive(Debug)]
pub struct ReviewsProjector;

#[async_trait]
impl Projector for ReviewsProjector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn listens_to(&self, event: &AnyEvent) -> bool {
        match event {
            AnyEvent::Review(_) => true,
            AnyEvent::Principal(event) => is_erasure(event),
            AnyEvent::Tool(event) => concerns_tools(event),
            AnyEvent::Server(event) => concerns_server(event),
            AnyEvent::Tenant(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Installation(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Taxonomy(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &[
            "reviews",
            "ratings",
            "totals",
            "public_reviews",
            "public_ratings",
            "public_totals",
            "tools",
            "erased",
        ]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    /// Most commits that it takes are of tools that nobody sees here: they need not cost a transaction each.
    fn gathers(&self) -> Duration {
        Duration::from_millis(10)
    }

    fn sees_personal_fields(&self) -> bool {
        true
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let concerned = Concerned::by(batch);
        let mut rows = concerned.load(connection).await?;
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Review(event) => rows.apply(recorded, event)?,
                    AnyEvent::Principal(event) if is_erasure(event) => rows.erase(recorded),
                    AnyEvent::Tool(event) => rows.tools.apply(recorded, event)?,
                    AnyEvent::Server(event) => rows.tools.apply_server(recorded, event),
                    AnyEvent::Principal(_)
                    | AnyEvent::Tenant(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Installation(_)
                    | AnyEvent::Publisher(_)
                    | AnyEvent::Taxonomy(_) => {}
                }
            }
        }
        wipe_copies(connection, &concerned.erased).await?;
        rows.save(connection).await
    }
}

/// What a batch is about.
#[derive(Default)]
struct Concerned {
    reviews: BTreeSet<Key>,
    /// Principals that are erased.
    erased: BTreeSet<Key>,
    authors: BTreeSet<Key>,
    /// Tools that are reviewed.
    reviewed: BTreeSet<String>,
    /// Tools that are offered, or not any more, and servers whose tools are.
    tools: BTreeSet<Key>,
    servers: BTreeSet<Key>,
}

impl Concerned {
    fn by(batch: &[Recorded]) -> Self {
        let mut all = Self::default();
        for recorded in batch {
            let key = |id: &str| key(recorded, id);
            let id = &recorded.commit.aggregate_id;
            for event in &recorded.events {
                match event {
                    AnyEvent::Review(event) => {
                        all.reviews.insert(key(id));
                        all.authors.extend(author(event).map(key));
                        if let ReviewEvent::Written(event) = event {
                            all.reviewed.insert(event.tool_id.to_string());
                        }
                    }
                    AnyEvent::Principal(event) if is_erasure(event) => {
                        all.erased.insert(key(id));
                    }
                    AnyEvent::Tool(event) if concerns_tools(event) => {
                        all.tools.insert(key(id));
                    }
                    AnyEvent::Server(event) if concerns_server(event) => {
                        all.servers.insert(key(id));
                    }
                    AnyEvent::Principal(_)
                    | AnyEvent::Tenant(_)
                    | AnyEvent::Server(_)
                    | AnyEvent::Tool(_)
                    | AnyEvent::Denial(_)
                    | AnyEvent::Policy(_)
                    | AnyEvent::Installation(_)
                    | AnyEvent::Publisher(_)
                    | AnyEvent::Taxonomy(_) => {}
                }
            }
        }
        all
    }

    async fn load(&self, connection: &mut PgConnection) -> Result<Rows, ProjectionError> {
        let mut rows = Rows::load(connection, &self.reviews, &self.erased, &self.authors).await?;
        rows.tools = Tools::load(connection, &self.tools, &self.servers).await?;
        rows.publishers = tenants_of(connection, &self.reviewed).await?;
        Ok(rows)
    }
}

fn is_erasure(event: &PrincipalEvent) -> bool {
    match event {
        PrincipalEvent::Erased(_) => true,
        PrincipalEvent::Registered(_)
        | PrincipalEvent::Described(_)
        | PrincipalEvent::RoleGranted(_)
        | PrincipalEvent::RoleRevoked(_)
        | PrincipalEvent::TeamJoined(_)
        | PrincipalEvent::TeamLeft(_)
        | PrincipalEvent::Deactivated(_)
        | PrincipalEvent::Reactivated(_)
        | PrincipalEvent::TokensRevoked(_) => false,
    }
}

/// The author, where an event names one.
fn author(event: &ReviewEvent) -> Option<&str> {
    match event {
        ReviewEvent::Written(event) => Some(event.author.as_str()),
        ReviewEvent::Revised(event) => Some(event.author.as_str()),
        ReviewEvent::Appealed(event) => Some(event.author.as_str()),
        ReviewEvent::Withdrawn(_)
        | ReviewEvent::Hidden(_)
        | ReviewEvent::Restored(_)
        | ReviewEvent::AppealDecided(_) => None,
    }
}

fn key(recorded: &Recorded, id: &str) -> Key {
    (recorded.commit.tenant.to_string(), id.to_owned())
}

/// A text as far as it can be read: without its key, it is as it will be after the erasure.
fn plain(text: Option<&Personal>) -> Option<String> {
    text.and_then(Personal::plain).map(str::to_owned)
}

impl Rows {
    fn apply(&mut self, recorded: &Recorded, event: &ReviewEvent) -> Result<(), ProjectionError> {
        let id = key(recorded, &recorded.commit.aggregate_id);
        let forget =
            author(event).is_some_and(|author| self.erased.contains(&key(recorded, author)));
        if let ReviewEvent::Written(event) = event {
            let mut row = written(recorded, event, self.reviews.get(&id));
            row.publisher = self.publisher(&row).map(str::to_owned);
            self.reviews.insert(id.clone(), row);
        }
        let Some(row) = self.reviews.get_mut(&id) else {
            return Err(ProjectionError::Inconsistent {
                stream_sequence: recorded.stream_sequence,
                reason: format!("review {} has no row", id.1),
            });
        };
        row.updated_at = recorded.commit.recorded_at;
        match event {
            ReviewEvent::Written(_) => {}
            ReviewEvent::Revised(event) => {
                row.rating = event.rating.stars();
                row.text = plain(event.text.as_ref());
            }
            ReviewEvent::Withdrawn(_) => row.withdrawn = true,
            ReviewEvent::Hidden(event) => row.moderate(Moderation::Hidden, &event.reason),
            ReviewEvent::Restored(event) => row.moderate(Moderation::Visible, &event.reason),
            ReviewEvent::Appealed(event) => {
                row.moderation = Moderation::Appealed;
                row.appeal = plain(event.text.as_ref());
            }
            ReviewEvent::AppealDecided(event) => {
                let moderation = match event.decision {
                    AppealDecision::Upheld => Moderation::Upheld,
                    AppealDecision::Restored => Moderation::Visible,
                };
                row.moderate(moderation, &event.reason);
            }
        }
        if forget {
            row.forget_author();
        }
        Ok(())
    }

    /// The other tenant whose tool it is about, if it is another's.
    fn publisher(&self, row: &ReviewRow) -> Option<&str> {
        let before = self.publishers.get(&row.tool_id).map(String::as_str);
        let whose = before.or_else(|| self.tools.tenant_of(&row.tool_id));
        whose.filter(|tenant| *tenant != row.tenant)
    }

    fn erase(&mut self, recorded: &Recorded) {
        let (tenant, id) = key(recorded, &recorded.commit.aggregate_id);
        for row in self.reviews.values_mut() {
            if row.tenant == tenant && row.author_id.as_ref() == Some(&id) {
                row.forget_author();
            }
        }
        self.erased.insert((tenant, id));
    }
}

impl ReviewRow {
    fn moderate(&mut self, moderation: Moderation, reason: &str) {
        self.moderation = moderation;
        self.moderation_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    }
}

/// A review as it begins, or begins again after it was withdrawn.
fn written(recorded: &Recorded, event: &ReviewWritten, earlier: Option<&ReviewRow>) -> ReviewRow {
    let at = recorded.commit.recorded_at;
    ReviewRow {
        tenant: recorded.commit.tenant.to_string(),
        review_id: recorded.commit.aggregate_id.clone(),
        publisher: None,
        tool_id: event.tool_id.to_string(),
        tool_version: event.tool_version.to_string(),
        author_id: Some(event.author.to_string()),
        rating: event.rating.stars(),
        text: plain(event.text.as_ref()),
        withdrawn: false,
        moderation: earlier.map_or(Moderation::Visible, |row| row.moderation),
        moderation_reason: earlier.and_then(|row| row.moderation_reason.clone()),
        appeal: earlier.and_then(|row| row.appeal.clone()),
        written_at: earlier.map_or(at, |row| row.written_at),
        updated_at: at,
    }
}

/// Wipes the authors that are erased from what a rebuild has replaced, or left when it was interrupted.
async fn wipe_copies(
    connection: &mut PgConnection,
    erased: &BTreeSet<Key>,
) -> Result<(), ProjectionError> {
    if erased.is_empty() {
        return Ok(());
    }
    // The public copies do not know their authors; the live rows still do.
    let public = "SET text = NULL WHERE tenant = $1
                  AND review_id IN (SELECT review_id FROM reviews WHERE tenant = $1 AND author_id = $2)";
    let whole =
        "SET author_id = NULL, text = NULL, appeal = NULL WHERE tenant = $1 AND author_id = $2";
    for (table, wiping) in [("public_reviews", public), ("reviews", whole)] {
        for copy in copies_of(connection, NAME, table).await? {
            for (tenant, author) in erased {
                sqlx::query(&format!("UPDATE {copy} {wiping}"))
                    .bind(tenant)
                    .bind(author)
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
    Ok(())
}
