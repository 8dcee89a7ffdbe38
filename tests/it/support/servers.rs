//! The private servers that tests share.

use api::config::Config;
use metamcp::embedded::{DataDir, EmbeddedServers, NATS_USER, Options};
use sqlx::{Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// One PostgreSQL and one nats-server. The last test that holds them ends them.
pub(crate) struct Servers {
    pub(crate) embedded: EmbeddedServers,
    pub(crate) dir: DataDir,
    pub(crate) folder: TempDir,
    next: AtomicU32,
}

impl Servers {
    /// The servers that run already, or new ones. They run as long as somebody holds what this returns: a test that keeps
    /// only a configuration loses them as soon as the others are done.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Servers>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(servers) = shared.upgrade() {
            return servers;
        }
        let servers = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&servers);
        servers
    }

    /// Servers of one's own, for tests that kill them.
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Servers of one's own, which log every statement when a test counts them.
    pub(crate) async fn start_with(log_statements: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path().join("data")).unwrap();
        let options = Options {
            sync_always: false,
            log_statements,
        };
        Self::start_in(folder, dir, &options).await
    }

    /// Servers in a data directory that may have been prepared.
    pub(crate) async fn start_in(folder: TempDir, dir: DataDir, options: &Options) -> Self {
        let embedded = EmbeddedServers::start(&dir, options).await.unwrap();
        Self {
            embedded,
            dir,
            folder,
            next: AtomicU32::new(0),
        }
    }

    /// What PostgreSQL writes.
    pub(crate) fn postgres_log(&self) -> PathBuf {
        self.dir.log_file("postgres")
    }

    /// Where the servers keep their data and their output.
    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// A configuration with a database and a stream that nobody else uses.
    pub(crate) async fn fresh_config(&self, folder: &Path) -> Config {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let url = self.embedded.postgres.url();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection
            .execute(format!("CREATE DATABASE {name}").as_str())
            .await
            .unwrap();
        connection.close().await.unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();

        let mut config = Config::default();
        config.postgres.url = format!("{server}/{name}").into();
        config.postgres.max_connections = 6;
        config.nats.url = self.embedded.nats.address();
        config.nats.user = Some(NATS_USER.to_owned());
        config.nats.password = Some(self.embedded.nats.password().to_owned().into());
        config.nats.stream = format!("TEST_{number}");
        config.nats.subject_root = format!("test-{number}.event");
        config.search.index_uri = folder.join("search").display().to_string();
        config.auth.keys_dir = folder.join("keys");
        config.privacy.keys_dir = folder.join("vault-keys");
        config.ledger.keys_dir = folder.join("ledger-keys");
        super::without_model(&mut config);
        config
    }

    /// The log of a configuration, without an installation.
    pub(crate) async fn log(config: &Config) -> bus::Log {
        bus::Log::connect(&config.nats.log_options()).await.unwrap()
    }
}
