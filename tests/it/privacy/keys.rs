//! The keys: rotation, a folder that is not the one, values that were moved.

use super::{acme, id_of, key_is_there, rebuilt_equals_live, register};
use crate::support::{Installation, Servers, said};
use domain::envelope::Actor;
use domain::personal::{Personal, PersonalField, Sealed};
use domain::principal::{Principal, PrincipalCommand, PrincipalDescribed, Role};
use projections::rebuild::{Finish, rebuild};
use projections::{Database, ProjectionError, ProjectorState, Vault, VaultError, registry};
use serde_json::json;
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

/// Another key in place of hers, as after the loss of the vault: the old one is nowhere.
async fn replace_key(installation: &Installation, handle: &str) {
    let mut connection = installation.app.database.connect().await.unwrap();
    let lost = sqlx::query("DELETE FROM vault.data_keys WHERE subject = $1")
        .bind(id_of(handle).as_str())
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(lost.rows_affected(), 1);
    seal(installation, handle, "makes a key").await;
}

async fn seal(installation: &Installation, handle: &str, text: &str) -> Sealed {
    let (vault, tenant, id) = (&installation.app.state.vault, acme(), id_of(handle));
    let sealed = vault.seal_text(&tenant, &id, PersonalField::DisplayName, text);
    sealed.await.unwrap()
}

#[tokio::test]
async fn a_field_that_was_sealed_with_another_key_stays_sealed_and_halts_nobody() {
    let installation = Installation::start().await;
    let owner = installation.client("acme", "owner", &[Role::Owner]).await;
    register(&owner, "ada").await;
    register(&owner, "bob").await;
    let ada = installation.client("acme", "ada", &[]).await;
    let before_the_loss = seal(&installation, "ada", "The Countess").await;
    replace_key(&installation, "ada").await;

    // `access` meets it as it comes, and goes on.
    let described = PrincipalCommand::RestoreDescription(PrincipalDescribed {
        display_name: Some(Personal::Sealed(before_the_loss)),
        email: None,
    });
    let dispatcher = bus::Dispatcher::new(Servers::log(&installation.config).await);
    let context = bus::CommandContext::new(acme(), Actor::operator("test"));
    let id = id_of("ada");
    let done = dispatcher.dispatch::<Principal>(&context, id.as_str(), described);
    done.await.unwrap();
    let grant = "mutation { grantRole(input: { handle: \"ada\", role: AUDITOR }) { sequence } }";
    owner.data(grant, json!({})).await;
    installation.settle().await;
    let health = installation.app.state.positions.health();
    let access = health.iter().find(|one| one.projector == "access").unwrap();
    assert_eq!(access.state, ProjectorState::Running, "{access:?}");
    assert_eq!(access.parked, 0);

    // A rebuild meets all that the old key had sealed, says so, and keeps what decides.
    let rebuild = ["rebuild", "access", "--force"];
    let folder = tempfile::tempdir().unwrap();
    let (text, code) = said(&installation.program(folder.path(), &rebuild).await);
    assert_eq!(code, Some(0), "{text}");
    let of_ada = |line: &&str| line.contains("ERROR") && line.contains(id.as_str());
    // Handle, display name and address of the registration, and the display name of the description.
    assert_eq!(text.lines().filter(of_ada).count(), 4, "{text}");
    assert!(!text.contains(id_of("bob").as_str()), "{text}");
    let seen = ada.data("{ viewer { handle roles } }", json!({})).await["viewer"].take();
    let handle = format!("erased:{id}");
    assert_eq!(
        seen,
        json!({ "handle": handle, "roles": ["AGENT", "AUDITOR"] })
    );
    let all = "{ principals { nodes { handle displayName email } } }";
    let all = owner.data(all, json!({})).await["principals"]["nodes"].take();
    let unreadable = json!({ "handle": handle, "displayName": null, "email": null });
    assert!(all.as_array().unwrap().contains(&unreadable), "{all:#}");
    let bob = "{ principal(handle: \"bob\") { displayName } }";
    let bob = owner.data(bob, json!({})).await["principal"].take();
    assert_eq!(bob["displayName"], "The person bob");
}
