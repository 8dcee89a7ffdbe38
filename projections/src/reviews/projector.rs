//! Keeps the reviews. A batch loads the rows that it changes, folds its events over them in memory, and
//! writes every touched row once: a constant number of statements, however many commits.

use super::NAME;
use super::rows::{Key, ReviewRow, Rows};
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

/// Keeps `reviews`, `ratings`, `totals` and `erased`.
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
            AnyEvent::Tenant(_)
            | AnyEvent::Server(_)
            | AnyEvent::Tool(_)
            | AnyEvent::Denial(_)
            | AnyEvent::Policy(_)
            | AnyEvent::Installation(_)
            | AnyEvent::Publisher(_)
            | AnyEvent::Taxonomy(_) => false,
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        &["reviews", "ratings", "totals", "erased"]
    }

    fn on_poison(&self) -> OnPoison {
        OnPoison::Park
    }

    fn sees_personal_fields(&self) -> bool {
        true
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        batch: &[Recorded],
    ) -> Result<(), ProjectionError> {
        let (mut reviews, mut erased, mut authors) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Review(event) => {
                        reviews.insert(key(recorded, &recorded.commit.aggregate_id));
                        if let Some(author) = author(event) {
                            authors.insert(key(recorded, author));
                        }
                    }
                    AnyEvent::Principal(event) if is_erasure(event) => {
                        erased.insert(key(recorded, &recorded.commit.aggregate_id));
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
        let mut rows = Rows::load(connection, &reviews, &erased, &authors).await?;
        for recorded in batch {
            for event in &recorded.events {
                match event {
                    AnyEvent::Review(event) => rows.apply(recorded, event)?,
                    AnyEvent::Principal(event) if is_erasure(event) => rows.erase(recorded),
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
        wipe_copies(connection, &erased).await?;
        rows.save(connection).await
    }
}

fn is_erasure(event: &PrincipalEvent) -> bool {
    match event {
        PrincipalEvent::Erased(_) => true,
        PrincipalEvent::Registered(_)
        | PrincipalEvent::Described(_)
        | PrincipalEvent::RoleGranted(_)
        | PrincipalEvent::RoleRevoked(_)
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
            let row = written(recorded, event, self.reviews.get(&id));
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
    for copy in copies_of(connection, NAME, "reviews").await? {
        for (tenant, author) in erased {
            sqlx::query(&format!(
                "UPDATE {copy} SET author_id = NULL, text = NULL, appeal = NULL
                 WHERE tenant = $1 AND author_id = $2"
            ))
            .bind(tenant)
            .bind(author)
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
