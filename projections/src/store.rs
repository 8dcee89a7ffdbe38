//! Connections. Projectors and migrations use the owner's; queries use one that is bound to a tenant by
//! row-level security.

use crate::checkpoint::to_u64;
use crate::error::QueryError;
use crate::moment::Moment;
use domain::id::TenantId;
use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Bound of every connection attempt.
const CONNECT: Duration = Duration::from_secs(3);
/// What a connection for queries gives up: the owner's rights, writing, and running for long.
const BIND_TO_QUERIES: &str = "SET ROLE metamcp_query; SET statement_timeout = '5s'; \
                               SET default_transaction_read_only = on";
/// Connections of a pool can die with the server; this many are tried before the caller hears of it.
const ATTEMPTS: usize = 3;

/// Where the read models are: makes the owner's connections.
#[derive(Clone)]
pub struct Database {
    options: PgConnectOptions,
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
        Ok(Self { options })
    }

    /// One owner's connection, within a bounded time.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        match tokio::time::timeout(CONNECT, PgConnection::connect_with(&self.options)).await {
            Ok(connection) => connection,
            Err(_elapsed) => Err(sqlx::Error::PoolTimedOut),
        }
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
        ReadPool { pool }
    }
}

/// Connections for queries: read only, as role `metamcp_query`, under row-level security.
#[derive(Debug, Clone)]
pub struct ReadPool {
    pool: PgPool,
}

impl ReadPool {
    /// A connection that sees the rows of one tenant.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] within a bounded time.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<TenantConnection, QueryError> {
        let mut failure = sqlx::Error::PoolTimedOut;
        for _ in 0..ATTEMPTS {
            let mut connection = self.pool.acquire().await?;
            let bound = sqlx::query("SELECT set_config('metamcp.tenant', $1, false)")
                .bind(tenant.as_str())
                .execute(&mut *connection)
                .await;
            match bound {
                Ok(_) => {
                    let moment = Moment::Now;
                    return Ok(TenantConnection { connection, moment });
                }
                Err(error) => {
                    // It is dead: do not give it back.
                    drop(connection.detach());
                    failure = error;
                }
            }
        }
        Err(QueryError::Unavailable(failure))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] within a bounded time.
    pub async fn ping(&self) -> Result<(), QueryError> {
        let mut connection = self.pool.acquire().await?;
        sqlx::query("SELECT 1").execute(&mut *connection).await?;
        Ok(())
    }
}

/// A connection that sees the rows of one tenant at one moment. The only thing that queries accept.
#[derive(Debug)]
pub struct TenantConnection {
    connection: PoolConnection<Postgres>,
    moment: Moment,
}

impl TenantConnection {
    /// Looks at another moment. The queries of `catalog` and `access` answer as of it.
    #[must_use]
    pub fn at(self, moment: Moment) -> Self {
        Self { moment, ..self }
    }

    /// The moment that it looks at: now, unless [`TenantConnection::at`] said otherwise.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment
    }
}

impl Deref for TenantConnection {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for TenantConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
