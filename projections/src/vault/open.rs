//! Opening the personal fields of a batch of commits, for a projector that may see them.

use super::{KeyFolder, Subject, VaultError, Wrapped};
use crate::projector::Recorded;
use domain::AnyEvent;
use domain::personal::Personal;
use sqlx::{PgConnection, Row};
use std::collections::HashMap;

/// Puts the text in place of each sealed field of the events that are `seen`, where the subject's key is
/// there. A field whose key is destroyed stays sealed; so does one whose key is missing or another one, as when the
/// vault was lost. One statement for a batch.
///
/// # Errors
/// [`VaultError`], such as a key-encryption key that is missing.
pub(crate) async fn open_personal_fields(
    connection: &mut PgConnection,
    folder: Option<&KeyFolder>,
    batch: &mut [Recorded],
    seen: &(dyn Fn(&AnyEvent) -> bool + Sync),
) -> Result<(), VaultError> {
    let mut sealed: Vec<_> = batch
        .iter_mut()
        .flat_map(|recorded| {
            let (tenant, id) = (&recorded.commit.tenant, &recorded.commit.aggregate_id);
            let events = recorded.events.iter_mut().filter(|event| seen(event));
            events.filter_map(move |event| Some((tenant, event.personal_fields(id)?)))
        })
        .filter(|(_, found)| {
            found
                .fields
                .iter()
                .any(|(_, value)| value.plain().is_none())
        })
        .collect();
    if sealed.is_empty() {
        return Ok(());
    }
    let folder = folder.ok_or(VaultError::NoFolder)?;
    let (tenants, subjects): (Vec<_>, Vec<_>) = sealed
        .iter()
        .map(|(tenant, found)| (tenant.to_string(), found.subject.clone()))
        .unzip();
    let wrapped = wrapped_keys(connection, &tenants, &subjects).await?;
    let mut keks = HashMap::new();
    for (tenant, found) in &mut sealed {
        let id = &found.subject;
        let Some(wrapped) = wrapped.get(&(tenant.to_string(), id.clone())) else {
            continue;
        };
        if !keks.contains_key(&wrapped.kek_id) {
            keks.insert(wrapped.kek_id.clone(), folder.read(&wrapped.kek_id)?);
        }
        let subject = Subject { tenant, id };
        let key = wrapped.unwrap_with(&keks[&wrapped.kek_id], subject)?;
        for (field, value) in &mut found.fields {
            if let Personal::Sealed(sealed) = value {
                match subject.open(&key, *field, sealed) {
                    Ok(text) => **value = Personal::Plain(text),
                    // A name decides on no permission: nobody is kept out for it.
                    Err(error) => tracing::error!(%error, "a personal field stays sealed"),
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

#[cfg(test)]
mod tests {
    use super::super::aead::Key;
    use super::*;
    use domain::id::TenantId;
    use domain::personal::{PersonalField, Sealed};

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
