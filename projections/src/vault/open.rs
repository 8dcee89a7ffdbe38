//! Opening the personal fields of a batch of commits, for a projector that may see them.

use super::{KeyFolder, Subject, VaultError, Wrapped};
use crate::projector::Recorded;
use domain::AnyEvent;
use domain::personal::{Personal, PersonalField};
use domain::principal::{PrincipalEvent, PrincipalRegistered};
use sqlx::{PgConnection, Row};
use std::collections::HashMap;

/// Puts the text in place of each sealed field whose key is there. A field whose key is destroyed stays
/// sealed; so does one whose key is missing, as when the vault was lost. One statement for a batch.
///
/// # Errors
/// [`VaultError`], such as a value that was altered, or a key-encryption key that is missing.
pub(crate) async fn open_personal_fields(
    connection: &mut PgConnection,
    folder: Option<&KeyFolder>,
    batch: &mut [Recorded],
) -> Result<(), VaultError> {
    let (mut tenants, mut subjects) = (Vec::new(), Vec::new());
    for recorded in batch.iter() {
        if recorded.events.iter().any(is_sealed) {
            tenants.push(recorded.commit.tenant.to_string());
            subjects.push(recorded.commit.aggregate_id.clone());
        }
    }
    if subjects.is_empty() {
        return Ok(());
    }
    let folder = folder.ok_or(VaultError::NoFolder)?;
    let wrapped = wrapped_keys(connection, &tenants, &subjects).await?;
    let mut keks = HashMap::new();
    for recorded in batch.iter_mut() {
        let (tenant, id) = (&recorded.commit.tenant, &recorded.commit.aggregate_id);
        let Some(wrapped) = wrapped.get(&(tenant.to_string(), id.clone())) else {
            continue;
        };
        if !keks.contains_key(&wrapped.kek_id) {
            keks.insert(wrapped.kek_id.clone(), folder.read(&wrapped.kek_id)?);
        }
        let subject = Subject { tenant, id };
        let key = wrapped.unwrap_with(&keks[&wrapped.kek_id], subject)?;
        for event in &mut recorded.events {
            let Some(event) = registered(event) else {
                continue;
            };
            for (field, value) in fields(event) {
                if let Personal::Sealed(sealed) = value {
                    *value = Personal::Plain(subject.open(&key, field, sealed)?);
                }
            }
        }
    }
    Ok(())
}

/// The keys that are there, by tenant and subject.
async fn wrapped_keys(
    connection: &mut PgConnection,
    tenants: &[String],
    subjects: &[String],
) -> Result<HashMap<(String, String), Wrapped>, VaultError> {
    let rows = sqlx::query(
        "SELECT keys.tenant, keys.subject, keys.kek_id, keys.wrapped
         FROM vault.data_keys AS keys
         JOIN (SELECT DISTINCT t, s FROM unnest($1::text[], $2::text[]) AS wanted (t, s)) AS wanted
           ON keys.tenant = wanted.t AND keys.subject = wanted.s
         WHERE keys.wrapped IS NOT NULL",
    )
    .bind(tenants)
    .bind(subjects)
    .fetch_all(connection)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let owner = (row.try_get(0)?, row.try_get(1)?);
        let (kek_id, bytes) = (row.try_get(2)?, row.try_get(3)?);
        Ok((owner, Wrapped { kek_id, bytes }))
    };
    rows.iter().map(read).collect()
}

fn is_sealed(event: &AnyEvent) -> bool {
    let AnyEvent::Principal(PrincipalEvent::Registered(event)) = event else {
        return false;
    };
    let others = [&event.display_name, &event.email].into_iter().flatten();
    std::iter::once(&event.handle)
        .chain(others)
        .any(|value| value.plain().is_none())
}

/// The one event that carries personal fields.
fn registered(event: &mut AnyEvent) -> Option<&mut PrincipalRegistered> {
    match event {
        AnyEvent::Principal(PrincipalEvent::Registered(event)) => Some(event),
        AnyEvent::Principal(
            PrincipalEvent::RoleGranted(_)
            | PrincipalEvent::RoleRevoked(_)
            | PrincipalEvent::Deactivated(_)
            | PrincipalEvent::Reactivated(_)
            | PrincipalEvent::TokensRevoked(_)
            | PrincipalEvent::Erased(_),
        )
        | AnyEvent::Tenant(_)
        | AnyEvent::Server(_)
        | AnyEvent::Tool(_)
        | AnyEvent::Denial(_)
        | AnyEvent::Installation(_) => None,
    }
}

fn fields(event: &mut PrincipalRegistered) -> impl Iterator<Item = (PersonalField, &mut Personal)> {
    let display_name = event.display_name.as_mut();
    let email = event.email.as_mut();
    [
        Some((PersonalField::Handle, &mut event.handle)),
        display_name.map(|value| (PersonalField::DisplayName, value)),
        email.map(|value| (PersonalField::Email, value)),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::aead::Key;
    use super::*;
    use domain::id::TenantId;
    use domain::personal::Sealed;

    #[test]
    fn a_field_opens_in_its_tenant_subject_and_field_only() {
        let (acme, other) = (
            TenantId::new("acme").unwrap(),
            TenantId::new("other").unwrap(),
        );
        let key = Key::generate().unwrap();
        let subject = |tenant, id| Subject { tenant, id };
        let ada = subject(&acme, "a");
        let sealed = ada.seal(&key, PersonalField::Handle, "ada").unwrap();
        let open = |subject: Subject<'_>, field| subject.open(&key, field, &sealed).ok();
        assert_eq!(open(ada, PersonalField::Handle).as_deref(), Some("ada"));
        assert_eq!(open(ada, PersonalField::Email), None);
        assert_eq!(open(subject(&acme, "b"), PersonalField::Handle), None);
        assert_eq!(open(subject(&other, "a"), PersonalField::Handle), None);
        let scheme = Sealed::new(sealed.as_str().replacen("1.", "2.", 1));
        assert!(ada.open(&key, PersonalField::Handle, &scheme).is_err());
        for text in ["", "1", "1.", "1.!", "ada"] {
            let garbage = Sealed::new(text.to_owned());
            assert!(ada.open(&key, PersonalField::Handle, &garbage).is_err());
        }
    }

    #[test]
    fn a_wrapped_key_opens_for_its_subject_and_under_its_wrapping_key_only() {
        let acme = TenantId::new("acme").unwrap();
        let (key, kek) = (Key::generate().unwrap(), Key::generate().unwrap());
        let (ada, bob) = (
            Subject {
                tenant: &acme,
                id: "a",
            },
            Subject {
                tenant: &acme,
                id: "b",
            },
        );
        let mut wrapped = ada.wrap(&key, "k1", &kek).unwrap();
        assert!(wrapped.unwrap_with(&kek, ada).is_ok());
        assert!(wrapped.unwrap_with(&kek, bob).is_err());
        assert!(wrapped.unwrap_with(&key, ada).is_err());
        wrapped.kek_id = "k2".to_owned();
        assert!(wrapped.unwrap_with(&kek, ada).is_err());
    }
}
