//! Connections. Projectors and migrations use the owner's; queries use one that is bound to a tenant by
//! row-level security.

mod kept;

use crate::checkpoint::to_u64;
use crate::error::QueryError;
use crate::moment::Moment;
use crate::vault::KeyFolder;
use domain::id::TenantId;
use kept::{Bound, Kept};
use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Bound of every connection attempt.
const CONNECT: Duration = Duration::from_secs(3);
/// What a connection for queries gives up: the owner's rights, writing, and running for long.
const BIND_TO_QUERIES: &str = "SET ROLE metamcp_query; SET statement_timeout = '5s'; \
                               SET default_transaction_read_only = on";
/// Connections of a pool can die with the server; this many are tried before the caller hears of it.
const ATTEMPTS: usize = 3;

/// Where the read models are: makes the owner's connections. Knows where the keys of the vault lie.
#[derive(Clone)]
pub struct Database {
    options: PgConnectOptions,
    key_folder: Option<KeyFolder>,
}

/// What there is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Version of PostgreSQL.
    pub server: String,
    /// Its first number.
    pub major: u32,
    /// Whether the role is exempt from row-level security: a superuser, or one that bypasses it.
    pub is_exempt: bool,
    /// Whether the role may do what the first migration does: make schemas, tables and the role of queries.
    pub may_migrate: bool,
    /// Migrations of this release that are not applied.
    pub missing: usize,
    /// Whether some are applied that this release does not know.
    pub is_newer: bool,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("host", &self.options.get_host())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Reads a `postgres://` address. Nothing is connected yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(url: &SecretString) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(url.expose_secret())?
            .application_name("metamcp")
            // Not the default, which begins with a schema of the user's name: ours may be `metamcp`.
            .options([("search_path", "public")])
            .log_statements(tracing::log::LevelFilter::Trace);
        Ok(Self {
            options,
            key_folder: None,
        })
    }

    /// With the folder of key-encryption keys: for whoever opens personal fields.
    #[must_use]
    pub fn with_keys(mut self, folder: &Path) -> Self {
        self.key_folder = Some(KeyFolder::new(folder));
        self
    }

    pub(crate) fn key_folder(&self) -> Option<&KeyFolder> {
        self.key_folder.as_ref()
    }

    /// One owner's connection, within a bounded time.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        connect(&self.options).await
    }

    /// Applies the migrations that are missing; several instances may do so at once.
    ///
    /// # Errors
    /// When the database is away, or was migrated by a newer release.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        let mut connection = self.connect().await?;
        MIGRATIONS.run(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Looks at the server and at which migrations were applied, and changes nothing.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn look(&self) -> Result<Found, sqlx::Error> {
        let mut connection = self.connect().await?;
        let (server, number, is_exempt, may_migrate, migrations): (String, i32, bool, bool, bool) = sqlx::query_as(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int,
                    rolsuper OR rolbypassrls,
                    has_database_privilege(current_database(), 'CREATE')
                        AND has_schema_privilege('public', 'CREATE')
                        AND (rolsuper OR rolcreaterole
                             OR EXISTS (SELECT FROM pg_roles AS query WHERE query.rolname = 'metamcp_query')),
                    to_regclass('public._sqlx_migrations') IS NOT NULL
             FROM pg_roles WHERE rolname = current_user",
        )
        .fetch_one(&mut connection)
        .await?;
        let applied: Vec<i64> = if migrations {
            sqlx::query_scalar("SELECT version FROM public._sqlx_migrations WHERE success")
                .fetch_all(&mut connection)
                .await?
        } else {
            Vec::new()
        };
        connection.close().await?;
        let is_known = |version: &i64| MIGRATIONS.iter().any(|known| known.version == *version);
        Ok(Found {
            server,
            major: u32::try_from(number / 10_000).unwrap_or(0),
            is_exempt,
            may_migrate,
            missing: MIGRATIONS
                .iter()
                .filter(|known| !applied.contains(&known.version))
                .count(),
            is_newer: !applied.iter().all(is_known),
        })
    }

    /// The last position that a projector has applied; 0 before its first.
    ///
    /// # Errors
    /// When the database is away or was never migrated.
    pub async fn position_of(&self, projector: &str) -> Result<u64, sqlx::Error> {
        let mut connection = self.connect().await?;
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT stream_sequence FROM metamcp.checkpoints WHERE projector = $1",
        )
        .bind(projector)
        .fetch_optional(&mut connection)
        .await?;
        connection.close().await?;
        Ok(at.map_or(0, to_u64))
    }

    /// A small pool of owner's connections, for what projects and reports.
    #[must_use]
    pub fn owner_pool(&self, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT)
            .connect_lazy_with(self.options.clone())
    }

    /// The pool that queries use.
    #[must_use]
    pub fn read_pool(&self, connections: u32) -> ReadPool {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT)
            // A dead connection shows in `tenant`, which tries another: no ping for every query.
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(BIND_TO_QUERIES).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(self.options.clone());
        ReadPool {
            pool,
            kept: Arc::default(),
            permits: Arc::new(Semaphore::new(
                usize::try_from(connections).unwrap_or(usize::MAX),
            )),
        }
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(CONNECT, PgConnection::connect_with(options)).await {
        Ok(connection) => connection,
        Err(_elapsed) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Connections for queries: read only, as role `metamcp_query`, under row-level security.
#[derive(Debug, Clone)]
pub struct ReadPool {
    pool: PgPool,
    kept: Arc<Kept>,
    /// As many as the pool has connections: who holds one finds a connection that is kept, or room for one.
    permits: Arc<Semaphore>,
}

impl ReadPool {
    /// A connection that sees the rows of one tenant.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] within a bounded time.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<TenantConnection, QueryError> {
        let permit = self.permit().await?;
        let bound = match self.kept.of(tenant) {
            Some(bound) => bound,
            None => self.bind(tenant).await?,
        };
        Ok(TenantConnection {
            bound,
            moment: Moment::Now,
            kept: Arc::clone(&self.kept),
            _permit: permit,
        })
    }

    async fn bind(&self, tenant: &TenantId) -> Result<Bound, QueryError> {
        let mut failure = sqlx::Error::PoolTimedOut;
        for _ in 0..ATTEMPTS {
            let mut connection = self.any().await?;
            let bound = sqlx::query("SELECT set_config('metamcp.tenant', $1, false)")
                .bind(tenant.as_str())
                .execute(&mut *connection)
                .await;
            match bound {
                Ok(_) => return Ok(Bound::new(connection, tenant)),
                Err(error) => {
                    // It is dead: do not give it back. Those that are kept most likely are, too.
                    drop(connection.detach());
                    self.kept.clear();
                    failure = error;
                }
            }
        }
        Err(QueryError::Unavailable(failure))
    }

    async fn any(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        match self.kept.any() {
            Some(connection) => Ok(connection),
            None => self.pool.acquire().await,
        }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(CONNECT, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
            Err(_elapsed) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// A connection beside the pool, within a bounded time: for who holds something while its queries are
    /// answered. It is not bound to queries or to a tenant.
    pub(crate) async fn connect_apart(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.pool.connect_options();
        connect(&options).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] within a bounded time.
    pub async fn ping(&self) -> Result<(), QueryError> {
        let _permit = self.permit().await?;
        let mut connection = self.any().await?;
        if let Err(error) = sqlx::query("SELECT 1").execute(&mut *connection).await {
            drop(connection.detach());
            self.kept.clear();
            return Err(error.into());
        }
        Ok(())
    }
}

/// A connection that sees the rows of one tenant at one moment. The only thing that queries accept.
#[derive(Debug)]
pub struct TenantConnection {
    bound: Bound,
    moment: Moment,
    kept: Arc<Kept>,
    _permit: OwnedSemaphorePermit,
}

impl TenantConnection {
    /// Looks at another moment. The queries of `catalog` and `access` answer as of it.
    #[must_use]
    pub fn at(self, moment: Moment) -> Self {
        Self { moment, ..self }
    }

    /// Whose rows it sees.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.bound.tenant
    }

    /// The moment that it looks at: now, unless [`TenantConnection::at`] said otherwise.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// Gives it back bound, for the tenant's next query. For those whose queries have been answered; who just
    /// drops it gives it back, too, but it has to be looked at and bound anew.
    pub fn keep(self) {
        self.kept.keep(self.bound);
    }
}

impl Deref for TenantConnection {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.bound.connection
    }
}

impl DerefMut for TenantConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.bound.connection
    }
}
