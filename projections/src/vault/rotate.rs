//! Rotation of the key-encryption key: data keys are wrapped anew, what they sealed stays as it is.

use super::{LOCK, Subject, Vault, VaultError, Wrapped};
use domain::id::TenantId;
use sqlx::{PgConnection, Row};

/// Keys wrapped in one statement.
const PAGE: i64 = 1_000;

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key that wraps now.
    pub key_id: String,
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
    /// Older keys, now removed from the folder.
    pub removed: Vec<String>,
}

impl Vault {
    /// Makes a key-encryption key, wraps every data key with it and removes the older ones. Nobody makes
    /// a data key meanwhile. Interrupted, it leaves either all as it was or a key more than is needed.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn rotate(&self) -> Result<Rotated, VaultError> {
        let mut transaction = self.pool.begin().await?;
        let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
        sqlx::query(&lock).execute(&mut *transaction).await?;
        let older = self.folder.ids()?;
        let key_id = self.folder.generate()?;
        let mut rewrapped = 0;
        while let done @ 1.. = self.rewrap_page(&mut transaction, &key_id).await? {
            rewrapped += done;
        }
        transaction.commit().await?;
        for id in &older {
            self.folder.remove(id)?;
        }
        Ok(Rotated {
            key_id,
            rewrapped,
            removed: older,
        })
    }

    /// Wraps some of the keys that are wrapped otherwise; returns how many.
    async fn rewrap_page(
        &self,
        connection: &mut PgConnection,
        kek_id: &str,
    ) -> Result<u64, VaultError> {
        let kek = self.folder.read(kek_id)?;
        let rows = sqlx::query(
            "SELECT tenant, subject, kek_id, wrapped FROM vault.data_keys
             WHERE wrapped IS NOT NULL AND kek_id <> $1 LIMIT $2 FOR UPDATE",
        )
        .bind(kek_id)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        let (mut tenants, mut subjects, mut wrapped) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            let (tenant, id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let old = Wrapped {
                kek_id: row.try_get(2)?,
                bytes: row.try_get(3)?,
            };
            let tenant = TenantId::new(tenant).map_err(|e| sqlx::Error::Decode(e.into()))?;
            let subject = Subject {
                tenant: &tenant,
                id: &id,
            };
            let key = old.unwrap(&self.folder, subject)?;
            wrapped.push(subject.wrap(&key, kek_id, &kek)?.bytes);
            tenants.push(tenant.to_string());
            subjects.push(id);
        }
        let done = sqlx::query(
            "UPDATE vault.data_keys AS keys SET kek_id = $1, wrapped = new.w
             FROM unnest($2::text[], $3::text[], $4::bytea[]) AS new (t, s, w)
             WHERE keys.tenant = new.t AND keys.subject = new.s",
        )
        .bind(kek_id)
        .bind(tenants)
        .bind(subjects)
        .bind(wrapped)
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }
}
