//! The keys: rotation, a folder that is not the one, values that were moved.

use super::{acme, id_of, key_is_there, rebuilt_equals_live, register};
use crate::support::Installation;
use domain::principal::Role;
use projections::rebuild::{Finish, rebuild};
use projections::{Database, ProjectionError, Vault, VaultError, registry};
use sqlx::Executor;

async fn wrapping_keys(installation: &Installation) -> Vec<String> {
    let mut connection = installation.app.database.connect().await.unwrap();
    sqlx::query_scalar("SELECT DISTINCT kek_id FROM vault.data_keys WHERE kek_id IS NOT NULL")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_rotation_rewraps_the_keys_and_nothing_else() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register(&owner, "ada").await;
    let head = installation.settle().await;
    let old = wrapping_keys(&installation).await;
    let done = installation.app.state.vault.rotate().await.unwrap();
    assert_eq!(done.removed, old);
    assert_eq!(done.rewrapped, 3, "founder, owner and ada");
    assert_eq!(
        wrapping_keys(&installation).await,
        std::slice::from_ref(&done.key_id)
    );
    let files = std::fs::read_dir(&installation.config.privacy.keys_dir).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, [format!("{}.kek", done.key_id).as_str()]);
    assert_eq!(installation.app.state.log.head().await.unwrap(), head);
    rebuilt_equals_live(&installation).await;
    let bob = register(&owner, "bob").await;
    assert_eq!(bob["principal"]["handle"], "bob");
    assert_eq!(key_is_there(&installation, "bob").await, Some(true));
}

#[tokio::test]
async fn a_folder_without_the_key_is_refused_before_anything_is_made() {
    let installation = Installation::start().await;
    installation.client("acme", "owner", &[Role::Owner]).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("keys");
    let url = installation.config.postgres.address().unwrap();
    let database = Database::new(&url).unwrap();
    let refused = Vault::open(&database.clone().with_keys(&folder)).await;
    assert!(
        matches!(refused, Err(VaultError::KeyMissing { .. })),
        "{refused:?}"
    );
    assert!(!folder.exists(), "a key of no use was made");
    assert!(matches!(
        Vault::open(&database).await,
        Err(VaultError::NoFolder)
    ));
}

/// Whoever can write to the database cannot give one person's key, and so its fields, to another.
#[tokio::test]
async fn a_swapped_key_opens_nothing() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register(&owner, "ada").await;
    register(&owner, "bob").await;
    installation.settle().await;
    let mut connection = installation.app.database.connect().await.unwrap();
    let (ada, bob) = (id_of("ada"), id_of("bob"));
    let swap = format!(
        "UPDATE vault.data_keys AS keys SET wrapped = other.wrapped FROM vault.data_keys AS other
         WHERE keys.tenant = '{tenant}' AND other.tenant = '{tenant}'
           AND (keys.subject, other.subject) IN (('{ada}', '{bob}'), ('{bob}', '{ada}'))",
        tenant = acme()
    );
    let swapped = connection.execute(swap.as_str()).await.unwrap();
    assert_eq!(swapped.rows_affected(), 2);
    let (log, database) = (&installation.app.state.log, &installation.app.database);
    let access = registry::relational()
        .into_iter()
        .find(|projector| projector.name() == "access");
    let refused = rebuild(access.unwrap(), log, database, Finish::Check, &|_, _| {}).await;
    assert!(
        matches!(
            refused,
            Err(ProjectionError::Vault(VaultError::KeyAltered { .. }))
        ),
        "{refused:?}"
    );
}
