//! The vault: keys of persons, and what is sealed with them. Not a read model: it cannot be derived from
//! the log, and a rebuild leaves it alone. The only code that writes the schema `vault`.
//!
//! Each subject (a principal with personal fields) has a data key. It lies in `vault.data_keys`, wrapped
//! with a key-encryption key that is in neither Postgres nor NATS. Events carry fields sealed with the
//! data key; destroying it erases the fields wherever they lie, and leaves the log as it was.
//!
//! **Invariants.** A key is in place before the first event that needs it. The row of a destroyed key
//! stays, so that none is made for that subject again. Every sealed value is bound to tenant, subject,
//! field and scheme; every wrapped key to tenant, subject and wrapping key.

mod aead;
mod error;
mod key_folder;
mod open;
mod rotate;

pub use error::VaultError;
pub(crate) use key_folder::KeyFolder;
pub(crate) use open::open_personal_fields;
pub use rotate::Rotated;

use crate::store::Database;
use aead::Key;
use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use domain::id::{PrincipalId, TenantId};
use domain::personal::{Personal, PersonalField, Sealed};
use domain::principal::{PrincipalKind, RegisterPrincipal};
use sqlx::{PgConnection, PgPool, Row};
use std::time::Duration;

/// The scheme of sealed values, which leads their text: AES-256-GCM as in `aead.rs`.
const SCHEME: &str = "1";
/// Held shared while a key is made, and alone while all are wrapped anew.
const LOCK: &str = "hashtextextended('metamcp.vault', 0)";
/// Bound of one use.
const DEADLINE: Duration = Duration::from_secs(5);

/// Seals, opens and destroys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault {
    pool: PgPool,
    folder: KeyFolder,
}

impl Vault {
    /// Opens the vault of a database that was given a folder of keys. Makes the first key where nothing
    /// is sealed yet, and refuses a folder that lacks a key in use.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn open(database: &Database) -> Result<Self, VaultError> {
        let folder = database.key_folder().ok_or(VaultError::NoFolder)?.clone();
        let pool = database.owner_pool(2);
        let used: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT kek_id FROM vault.data_keys WHERE kek_id IS NOT NULL",
        )
        .fetch_all(&pool)
        .await?;
        if used.is_empty() && folder.ids()?.is_empty() {
            folder.generate()?;
        }
        for id in &used {
            folder.read(id)?;
        }
        folder.newest()?;
        Ok(Self { pool, folder })
    }

    /// Seals the personal fields of a registration: a person's handle, and of anyone the display name and
    /// the e-mail address. Where there is nothing to seal, no key is made.
    ///
    /// # Errors
    /// [`VaultError::Erased`] for a subject that was erased; others.
    pub async fn seal(
        &self,
        tenant: &TenantId,
        subject: &PrincipalId,
        mut register: RegisterPrincipal,
    ) -> Result<RegisterPrincipal, VaultError> {
        let handle = (register.kind == PrincipalKind::User).then_some(&register.handle);
        let fields = [
            (PersonalField::Handle, handle),
            (PersonalField::DisplayName, register.display_name.as_ref()),
            (PersonalField::Email, register.email.as_ref()),
        ];
        if fields.iter().all(|(_, text)| text.is_none()) {
            return Ok(register);
        }
        let subject = Subject {
            tenant,
            id: subject.as_str(),
        };
        let key = in_time(self.data_key(subject)).await?;
        let [handle, display_name, email] = fields
            .map(|(field, text)| text.map(|text| subject.seal(&key, field, text)).transpose());
        let (handle, display_name, email) = (handle?, display_name?, email?);
        register.sealed = domain::principal::SealedFields {
            handle,
            display_name,
            email,
        };
        Ok(register)
    }

    /// Seals one text of a subject.
    ///
    /// # Errors
    /// [`VaultError::Erased`] for a subject that was erased; others.
    pub async fn seal_text(
        &self,
        tenant: &TenantId,
        subject: &PrincipalId,
        field: PersonalField,
        text: &str,
    ) -> Result<Sealed, VaultError> {
        let id = subject.as_str();
        let subject = Subject { tenant, id };
        let key = in_time(self.data_key(subject)).await?;
        subject.seal(&key, field, text)
    }

    /// A personal field of a subject, for the subject's own eyes; none once the key is destroyed or lost.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn read(
        &self,
        tenant: &TenantId,
        subject: &str,
        field: PersonalField,
        value: &Personal,
    ) -> Result<Option<String>, VaultError> {
        let sealed = match value {
            Personal::Plain(text) => return Ok(Some(text.clone())),
            Personal::Sealed(sealed) => sealed,
        };
        let subject = Subject {
            tenant,
            id: subject,
        };
        let read = async {
            let mut connection = self.pool.acquire().await?;
            match find(&mut connection, subject).await? {
                Some(Entry::Wrapped(wrapped)) => Ok(Some(wrapped)),
                Some(Entry::Destroyed) | None => Ok(None),
            }
        };
        let Some(wrapped) = in_time(read).await? else {
            return Ok(None);
        };
        let key = wrapped.unwrap(&self.folder, subject)?;
        Ok(subject.open(&key, field, sealed).ok())
    }

    /// Destroys the keys of those whom `access` knows as erased and that are there all the same: after an
    /// older copy of the vault was brought back. Returns how many.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn destroy_what_was_erased(&self) -> Result<u64, VaultError> {
        let done = in_time(async {
            let statement = "UPDATE vault.data_keys AS keys
                 SET kek_id = NULL, wrapped = NULL, destroyed_at = now()
                 FROM access.principals AS erased
                 WHERE erased.tenant = keys.tenant AND erased.principal_id = keys.subject
                   AND erased.erased_at IS NOT NULL AND keys.wrapped IS NOT NULL";
            Ok(sqlx::query(statement).execute(&self.pool).await?)
        });
        Ok(done.await?.rows_affected())
    }

    /// The subject's key, made where there is none.
    async fn data_key(&self, subject: Subject<'_>) -> Result<Key, VaultError> {
        let mut transaction = self.pool.begin().await?;
        let lock = format!("SELECT pg_advisory_xact_lock_shared({LOCK})");
        sqlx::query(&lock).execute(&mut *transaction).await?;
        if find(&mut transaction, subject).await?.is_none() {
            let (kek_id, kek) = self.folder.newest()?;
            let wrapped = subject.wrap(&Key::generate()?, &kek_id, &kek)?;
            // Somebody else may have made one in between: then theirs counts.
            sqlx::query(
                "INSERT INTO vault.data_keys (tenant, subject, kek_id, wrapped)
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(subject.tenant.as_str())
            .bind(subject.id)
            .bind(&wrapped.kek_id)
            .bind(&wrapped.bytes)
            .execute(&mut *transaction)
            .await?;
        }
        let found = find(&mut transaction, subject).await?;
        transaction.commit().await?;
        match found {
            Some(Entry::Wrapped(wrapped)) => wrapped.unwrap(&self.folder, subject),
            Some(Entry::Destroyed) => Err(VaultError::Erased),
            None => Err(VaultError::Database(sqlx::Error::RowNotFound)),
        }
    }
}

/// Destroys a subject's key for good, in the caller's transaction. Doing it again changes nothing.
pub(crate) async fn destroy(
    connection: &mut PgConnection,
    tenant: &TenantId,
    subject: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO vault.data_keys AS keys (tenant, subject, destroyed_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant, subject) DO UPDATE
         SET kek_id = NULL, wrapped = NULL,
             destroyed_at = coalesce(keys.destroyed_at, excluded.destroyed_at)",
    )
    .bind(tenant.as_str())
    .bind(subject)
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose key and fields.
#[derive(Clone, Copy)]
struct Subject<'a> {
    tenant: &'a TenantId,
    id: &'a str,
}

impl Subject<'_> {
    /// Where a field belongs. No part can hold a `|`.
    fn place(self, field: PersonalField) -> String {
        format!(
            "metamcp.personal|{}|{}|{field}|{SCHEME}",
            self.tenant, self.id
        )
    }

    fn place_of_key(self, kek_id: &str) -> String {
        format!(
            "metamcp.data-key|{}|{}|{kek_id}|{SCHEME}",
            self.tenant, self.id
        )
    }

    fn seal(self, key: &Key, field: PersonalField, text: &str) -> Result<Sealed, VaultError> {
        let sealed = key.seal(&self.place(field), text.as_bytes())?;
        let text = BASE64URL_NOPAD.encode(&sealed);
        Ok(Sealed::new(format!("{SCHEME}.{text}")))
    }

    fn open(self, key: &Key, field: PersonalField, sealed: &Sealed) -> Result<String, VaultError> {
        let (scheme, text) = sealed.as_str().split_once('.').unwrap_or_default();
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        bytes
            .filter(|_| scheme == SCHEME)
            .and_then(|bytes| key.open(&self.place(field), &bytes))
            .and_then(|plain| String::from_utf8(plain).ok())
            .ok_or_else(|| VaultError::Altered {
                subject: self.id.to_owned(),
                field,
            })
    }

    fn wrap(self, key: &Key, kek_id: &str, kek: &Key) -> Result<Wrapped, VaultError> {
        Ok(Wrapped {
            kek_id: kek_id.to_owned(),
            bytes: kek.seal(&self.place_of_key(kek_id), key.expose())?,
        })
    }
}

/// A wrapped data key.
struct Wrapped {
    kek_id: String,
    bytes: Vec<u8>,
}

impl Wrapped {
    fn unwrap(&self, folder: &KeyFolder, subject: Subject<'_>) -> Result<Key, VaultError> {
        self.unwrap_with(&folder.read(&self.kek_id)?, subject)
    }

    fn unwrap_with(&self, kek: &Key, subject: Subject<'_>) -> Result<Key, VaultError> {
        let bytes = kek.open(&subject.place_of_key(&self.kek_id), &self.bytes);
        let bytes = bytes.map(secrecy::SecretSlice::from);
        bytes
            .and_then(|bytes| Key::from_bytes(secrecy::ExposeSecret::expose_secret(&bytes)))
            .ok_or_else(|| VaultError::KeyAltered {
                subject: subject.id.to_owned(),
            })
    }
}

/// A row of the vault.
enum Entry {
    Wrapped(Wrapped),
    Destroyed,
}

async fn find(
    connection: &mut PgConnection,
    subject: Subject<'_>,
) -> Result<Option<Entry>, VaultError> {
    let row = sqlx::query(
        "SELECT kek_id, wrapped FROM vault.data_keys WHERE tenant = $1 AND subject = $2",
    )
    .bind(subject.tenant.as_str())
    .bind(subject.id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (kek_id, bytes): (Option<String>, Option<Vec<u8>>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some(match (kek_id, bytes) {
        (Some(kek_id), Some(bytes)) => Entry::Wrapped(Wrapped { kek_id, bytes }),
        _ => Entry::Destroyed,
    }))
}

async fn in_time<T>(used: impl Future<Output = Result<T, VaultError>>) -> Result<T, VaultError> {
    match tokio::time::timeout(DEADLINE, used).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(VaultError::Database(sqlx::Error::PoolTimedOut)),
    }
}
