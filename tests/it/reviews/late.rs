//! Reviews that could not be applied when they came, and are applied later.

use super::{review, reviews, with_tools};
use crate::support::{Client, Installation};
use domain::principal::Role;
use projections::dead_letter::{self, Retried};
use projections::rebuild::{Finish, Rebuilt, rebuild, rebuild_search};
use projections::search::SearchProjector;
use projections::{ProjectionError, registry};
use sqlx::{Executor, PgConnection};
use std::sync::Arc;

const TEXT: &str = "Loses what it is given";

/// A review that was parked for a cause that is gone now, and its author.
async fn parked() -> (Installation, Client, PgConnection) {
    let (installation, _) = with_tools(&["log"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let mut database = installation.app.database.connect().await.unwrap();
    let defect = "ALTER TABLE reviews.reviews ADD CONSTRAINT defect CHECK (rating <> 1)";
    database.execute(defect).await.unwrap();
    review(&ada, "log", 1, TEXT).await;
    installation.settle().await;
    assert_eq!(still_parked(&installation).await, ["reviews"]);
    assert!(reviews(&ada, "log", false).await.is_empty());
    let mended = "ALTER TABLE reviews.reviews DROP CONSTRAINT defect";
    database.execute(mended).await.unwrap();
    (installation, ada, database)
}

async fn still_parked(installation: &Installation) -> Vec<String> {
    let letters = dead_letter::list(&installation.app.database).await.unwrap();
    letters.into_iter().map(|letter| letter.projector).collect()
}

async fn retry(installation: &Installation) -> Result<Retried, ProjectionError> {
    let app = &installation.app;
    let search = SearchProjector::new(app.index.clone(), Arc::new(|_| {}));
    dead_letter::retry(&search, &app.state.log, &app.database).await
}

async fn rebuilt(installation: &Installation, finish: Finish) -> Rebuilt {
    let mut models = registry::relational().into_iter();
    let model = models.find(|one| one.name() == "reviews").unwrap();
    let app = &installation.app;
    let rebuilt = rebuild(model, &app.state.log, &app.database, finish, &|_, _| {});
    rebuilt.await.unwrap()
}

#[tokio::test]
async fn a_review_that_is_applied_late_has_its_text() {
    let (installation, ada, _) = parked().await;
    let retried = retry(&installation).await.unwrap();
    assert_eq!((retried.applied.len(), retried.remaining.len()), (1, 0));
    let shown = reviews(&ada, "log", false).await;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["text"], TEXT);
    let checked = rebuilt(&installation, Finish::Check).await;
    assert!(checked.is_equal(), "{checked:?}");
    let app = &installation.app;
    let check = Finish::Check;
    let index = rebuild_search(&app.index, &app.state.log, &app.database, check, &|_, _| {});
    let index = index.await.unwrap();
    assert!(index.is_equal(), "{index:?}");
}

#[tokio::test]
async fn what_was_parked_of_another_log_is_not_applied_and_the_way_out_is_named() {
    let (installation, ada, mut database) = parked().await;
    let replaced = "UPDATE metamcp.dead_letters SET body = 'a commit of another log'";
    database.execute(replaced).await.unwrap();
    let refused = retry(&installation).await.unwrap_err();
    assert!(
        matches!(refused, ProjectionError::LogReplaced(_)),
        "{refused}"
    );
    let told = refused.to_string();
    assert!(
        told.contains("another commit") && told.contains("metamcp rebuild all --force"),
        "{told}"
    );
    assert_eq!(still_parked(&installation).await, ["reviews"]);
    assert!(reviews(&ada, "log", false).await.is_empty());

    assert!(rebuilt(&installation, Finish::Swap).await.swapped);
    assert!(still_parked(&installation).await.is_empty());
    assert_eq!(reviews(&ada, "log", false).await[0]["text"], TEXT);
}
