//! A review of an erased person: the words go, the stars stay.

use super::{changed, rating, review, reviews, with_tools};
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use projections::reviews::ReviewsProjector;
use serde_json::{Value, json};
use std::sync::Arc;

const WORDS: &str = "The canary sings at dawn";
const OBJECTION: &str = "The canary objects";

#[tokio::test]
async fn what_an_erased_person_wrote_is_gone_and_the_rating_stays() {
    let (installation, owner) = with_tools(&["log"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let id = review(&ada, "log", 2, WORDS).await["review"]["id"].take();
    changed(&owner, "moderateReview", &id, "action: HIDE, reason: \"x\"").await;
    let text = format!("text: \"{OBJECTION}\"");
    changed(&ada, "appealReview", &id, &text).await;
    let restore = "decision: RESTORED, reason: \"y\"";
    changed(&owner, "decideAppeal", &id, restore).await;
    let seen = reviews(&owner, "log", false).await;
    assert_eq!(
        (&seen[0]["text"], &seen[0]["appeal"]),
        (&json!(WORDS), &json!(OBJECTION))
    );

    // The log never had the words.
    let head = installation.settle().await;
    let log = &installation.app.state.log;
    for position in 1..=head {
        let entry = log.entry_at(position).await.unwrap().unwrap();
        let body = String::from_utf8_lossy(&entry.body).into_owned();
        assert!(!body.contains("canary"), "{body}");
    }
    // A rebuild opens them again, and what it replaced is wiped together with the live rows.
    let database = &installation.app.database;
    let projector = || Arc::new(ReviewsProjector);
    let rebuilt = rebuild(projector(), log, database, Finish::SwapIfEqual, &|_, _| {}).await;
    assert!(rebuilt.unwrap().swapped);
    let before = rating(&owner, "log").await;

    let erase = "mutation { erasePrincipal(input: { handle: \"ada\" }) { sequence notice } }";
    let erased = owner.data(erase, json!({})).await["erasePrincipal"].take();
    assert_eq!(erased["notice"], Value::Null);
    let seen = reviews(&owner, "log", false).await;
    assert_eq!(seen.len(), 1);
    for field in ["text", "appeal", "authorId"] {
        assert_eq!(seen[0][field], Value::Null, "{field}");
    }
    assert_eq!(
        (&seen[0]["rating"], &seen[0]["mine"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(rating(&owner, "log").await, before);
    let mut connection = database.connect().await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT to_jsonb(rows)::text FROM reviews.reviews AS rows
         UNION ALL SELECT to_jsonb(rows)::text FROM reviews_old.reviews AS rows",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|row| !row.contains("canary")), "{left:?}");

    // Without the key, a rebuild arrives at the same rows.
    installation.settle().await;
    let rebuilt = rebuild(projector(), log, database, Finish::SwapIfEqual, &|_, _| {}).await;
    assert!(rebuilt.unwrap().is_equal());
}
