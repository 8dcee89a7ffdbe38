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
