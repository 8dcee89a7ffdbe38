//! Hiding, appeals and their answers; and that nothing of what was hidden is left in the sums.

use super::{REVIEWS, changed, rating, refused, review, reviews, with_tools};
use domain::principal::Role;
use projections::reviews::ReviewsProjector;
use projections::{Projector, Recorded};
use serde_json::{Value, json};
use sqlx::{Executor, PgConnection};
use std::collections::BTreeSet;

/// The id of a review that nobody has written: `Review:` and 32 times `a`, in base64url.
const NO_REVIEW: &str = "UmV2aWV3OmFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh";

#[tokio::test]
async fn a_hidden_review_does_not_count_and_its_author_learns_why() {
    let (installation, owner) = with_tools(&["log"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let bob = installation.client("acme", "bob", &[Role::Agent]).await;
    let eve = installation.client("acme", "eve", &[Role::Auditor]).await;
    let id = review(&ada, "log", 1, "Buy mine instead").await["review"]["id"].take();
    review(&bob, "log", 5, "Good").await;

    let hide = "action: HIDE, reason: \"An advertisement\"";
    assert_eq!(
        refused(&bob, "moderateReview", &id, hide).await,
        "FORBIDDEN"
    );
    let silent = refused(&owner, "moderateReview", &id, "action: HIDE").await;
    assert_eq!(silent, "FIELD_MISSING");
    let hidden = changed(&owner, "moderateReview", &id, hide).await;
    assert_eq!(hidden["moderation"], "HIDDEN");
    assert_eq!(
        refused(&owner, "moderateReview", &id, hide).await,
        "REVIEW_HIDDEN"
    );
    assert_eq!(
        rating(&bob, "log").await["histogram"],
        json!([0, 0, 0, 0, 1])
    );

    assert_eq!(
        reviews(&bob, "log", false).await.len(),
        1,
        "hidden from others"
    );
    let include = json!({ "name": "log", "hidden": true, "first": 20 });
    assert_eq!(bob.code(REVIEWS, include).await, "FORBIDDEN");
    // Who moderates nothing is told the same of what he sees, of what he does not, and of what is not there.
    for id in [&id, &json!(NO_REVIEW)] {
        let told = refused(&bob, "moderateReview", id, hide).await;
        assert_eq!(told, "FORBIDDEN");
    }
    let absent = refused(&owner, "moderateReview", &json!(NO_REVIEW), hide).await;
    assert_eq!(absent, "NOT_FOUND");
    assert_eq!(reviews(&eve, "log", true).await.len(), 2);
    assert_eq!(reviews(&eve, "log", false).await.len(), 1);
    let own = reviews(&ada, "log", false).await;
    let own = own
        .iter()
        .find(|review| review["mine"] == json!(true))
        .unwrap();
    assert_eq!(own["moderationReason"], "An advertisement");
    assert_eq!(
        refused(&ada, "reviseReview", &id, "rating: 5").await,
        "REVIEW_HIDDEN"
    );

    let decide = "decision: UPHELD, reason: \"Still one\"";
    assert_eq!(
        refused(&owner, "decideAppeal", &id, decide).await,
        "NO_APPEAL"
    );
    let appeal = changed(&ada, "appealReview", &id, "text: \"It is not\"").await;
    assert_eq!(
        (&appeal["moderation"], &appeal["appeal"]),
        (&json!("APPEALED"), &json!("It is not"))
    );
    let again = refused(&ada, "appealReview", &id, "text: \"Really\"").await;
    assert_eq!(again, "ALREADY_APPEALED");
    let restored = "decision: RESTORED, reason: \"True\"";
    let restored = changed(&owner, "decideAppeal", &id, restored).await;
    assert_eq!(
        (&restored["moderation"], &restored["appeal"]),
        (&json!("VISIBLE"), &json!("It is not"))
    );
    assert_eq!(
        rating(&bob, "log").await["histogram"],
        json!([1, 0, 0, 0, 1])
    );
    let seen = reviews(&bob, "log", false).await;
    assert!(
        seen.iter().all(|review| review["appeal"].is_null()),
        "{seen:?}"
    );
}

#[tokio::test]
async fn nobody_decides_over_a_review_of_their_own() {
    let (installation, owner) = with_tools(&["log"]).await;
    let admin = installation.client("acme", "admin", &[Role::Admin]).await;
    let id = review(&admin, "log", 5, "Mine").await["review"]["id"].take();
    let hide = "action: HIDE, reason: \"His own tool\"";
    assert_eq!(
        refused(&admin, "moderateReview", &id, hide).await,
        "OWN_REVIEW"
    );
    changed(&owner, "moderateReview", &id, hide).await;
    let restore = refused(&admin, "moderateReview", &id, "action: RESTORE").await;
    assert_eq!(restore, "OWN_REVIEW");
    changed(&admin, "appealReview", &id, "text: \"Please\"").await;
    let decide = "decision: RESTORED, reason: \"I say so\"";
    assert_eq!(
        refused(&admin, "decideAppeal", &id, decide).await,
        "OWN_REVIEW"
    );
}

#[tokio::test]
async fn hiding_is_undone_by_another_moderator_and_writing_by_the_author() {
    let (installation, owner) = with_tools(&["log"]).await;
    let ada = installation.client("acme", "ada", &[Role::Agent]).await;
    let made = review(&ada, "log", 4, "Good").await;
    let hide = super::change(
        "moderateReview",
        &made["review"]["id"],
        "action: HIDE, reason: \"x\"",
    );
    let hidden = owner.data(&hide, json!({})).await["change"]["sequence"].take();
    let undo = "mutation($commit: ID!) { undo(commit: $commit) { event
        node { ... on Review { moderation withdrawn } } } }";
    let commit = |commit: &Value| json!({ "commit": commit });
    assert_eq!(ada.code(undo, commit(&hidden)).await, "FORBIDDEN");
    let back = owner.data(undo, commit(&hidden)).await["undo"].take();
    assert_eq!(
        back,
        json!({ "event": "review.restored", "node": { "moderation": "VISIBLE", "withdrawn": false } })
    );
    assert_eq!(
        owner.code(undo, commit(&made["sequence"])).await,
        "NOT_FOUND"
    );
    let back = ada.data(undo, commit(&made["sequence"])).await["undo"].take();
    assert_eq!(back["event"], "review.withdrawn");
    assert_eq!(owner.code(undo, commit(&hidden)).await, "CHANGED_SINCE");
}

/// The sums after an abuser was removed are those of a log in which the abuser never was.
#[tokio::test]
async fn ratings_are_recomputable_after_removing_an_abuser() {
    let tools = ["log", "diff", "blame"];
    let (installation, owner) = with_tools(&tools).await;
    for (handle, stars) in [("ada", 5), ("bob", 3), ("cleo", 4)] {
        let agent = installation.client("acme", handle, &[Role::Agent]).await;
        for name in tools {
            review(&agent, name, stars, "").await;
        }
    }
    let before = rating(&owner, "log").await;
    let mut abusive = Vec::new();
    for number in 0..4 {
        let handle = format!("sock-{number}");
        let puppet = installation.client("acme", &handle, &[Role::Agent]).await;
        for name in tools {
            let id = review(&puppet, name, 1, "").await["review"]["id"].take();
            // Some of them change their minds, so that sums go up and down on the way.
            if number == 0 {
                changed(&puppet, "reviseReview", &id, "rating: 2").await;
            }
            abusive.push(id);
        }
    }
    assert_ne!(rating(&owner, "log").await, before);
    let mut removed = BTreeSet::new();
    for id in &abusive {
        changed(
            &owner,
            "moderateReview",
            id,
            "action: HIDE, reason: \"One person\"",
        )
        .await;
        let name = data_encoding::BASE64URL_NOPAD.decode(id.as_str().unwrap().as_bytes());
        let name = String::from_utf8(name.unwrap()).unwrap();
        removed.insert(name.strip_prefix("Review:").unwrap().to_owned());
    }
    assert_eq!(
        rating(&owner, "log").await,
        before,
        "the prior mean included"
    );
    let head = installation.settle().await;

    let mut connection = installation.app.database.connect().await.unwrap();
    connection
        .execute("SELECT metamcp.clone_schema('reviews', 'reviews_replay')")
        .await
        .unwrap();
    connection
        .execute("SET search_path TO reviews_replay, public")
        .await
        .unwrap();
    let mut reader = installation.app.state.log.read_from(1).await.unwrap();
    let mut at = 0;
    while at < head {
        let batch = reader.next_batch(7).await.unwrap();
        at = batch.last().map_or(at, |entry| entry.stream_sequence);
        let batch: Vec<_> = batch
            .iter()
            .map(|entry| Recorded::decode(entry).unwrap())
            .collect();
        let honest = |one: &Recorded| !removed.contains(&one.commit.aggregate_id);
        let batch: Vec<_> = batch.into_iter().filter(honest).collect();
        ReviewsProjector
            .apply(&mut connection, &batch)
            .await
            .unwrap();
    }
    for table in ["ratings", "totals"] {
        let live = rows(&mut connection, &format!("reviews.{table}")).await;
        let replayed = rows(&mut connection, &format!("reviews_replay.{table}")).await;
        assert!(!live.is_empty(), "{table}");
        assert_eq!(live, replayed, "{table}");
    }
}

async fn rows(connection: &mut PgConnection, table: &str) -> Vec<String> {
    let statement = format!("SELECT to_jsonb(rows)::text FROM {table} AS rows ORDER BY 1");
    sqlx::query_scalar(&statement)
        .fetch_all(connection)
        .await
        .unwrap()
}
