//! An erasure says what is still to be removed.

use super::{ERASE, register};
use crate::support::{Installation, said};
use domain::principal::Role;
use serde_json::json;
use sqlx::Connection;

#[tokio::test]
async fn an_erasure_tells_that_older_versions_of_the_index_are_still_there() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    for person in ["ada", "bob", "eve"] {
        register(&owner, person).await;
    }
    installation.settle().await;
    let erase = ERASE.replace("sequence }", "sequence notice }");
    // `search` cannot move while another holds its checkpoint.
    let mut database = installation.app.database.connect().await.unwrap();
    let mut held = database.begin().await.unwrap();
    let checkpoint = "SELECT 1 FROM metamcp.checkpoints WHERE projector = 'search' FOR UPDATE";
    let locked = sqlx::query(checkpoint).execute(&mut *held).await;
    locked.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = ["privacy", "erase", "bob", "--tenant", "acme"];
    let (done, output) = tokio::join!(
        owner.data(&erase, json!({ "handle": "ada" })),
        installation.program(folder.path(), &program),
    );
    let done = &done["erasePrincipal"];
    assert!(done["principal"]["erasedAt"].is_string(), "{done}");
    assert!(done["notice"].is_string(), "{done}");
    let (text, code) = said(&output);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("/readyz"), "{text}");

    held.rollback().await.unwrap();
    installation.settle().await;
    let done = owner.data(&erase, json!({ "handle": "eve" })).await;
    assert_eq!(done["erasePrincipal"]["notice"], json!(null), "{done}");
}

/// Who has parked an erasure has passed it and wiped nothing, so the command does not end well until that is mended.
#[tokio::test]
async fn an_erasure_that_is_parked_is_told_and_ends_well_once_it_is_applied() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register(&owner, "ada").await;
    installation.settle().await;
    let folder = tempfile::tempdir().unwrap();
    let mut database = installation.app.database.connect().await.unwrap();
    let constraint = "ALTER TABLE reviews.erased ADD CONSTRAINT refused CHECK (false) NOT VALID";
    sqlx::raw_sql(constraint)
        .execute(&mut database)
        .await
        .unwrap();
    let erase = ["privacy", "erase", "ada", "--tenant", "acme"];
    for _ in 0..2 {
        let (text, code) = said(&installation.program(folder.path(), &erase).await);
        assert_eq!(code, Some(1), "{text}");
        let told = "PARKED: `reviews` could not apply commits of this principal";
        assert!(
            text.contains(told) && text.contains("dead-letter retry"),
            "{text}"
        );
    }
    let mended = "ALTER TABLE reviews.erased DROP CONSTRAINT refused";
    sqlx::raw_sql(mended).execute(&mut database).await.unwrap();
    let retry = ["dead-letter", "retry"];
    let (text, code) = said(&installation.program(folder.path(), &retry).await);
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = said(&installation.program(folder.path(), &erase).await);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("its key is destroyed"), "{text}");
}
