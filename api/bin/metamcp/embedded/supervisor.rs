//! Both servers together: started at once, kept alive, stopped in order.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{DataDir, EmbeddedError, NatsServer, Options, PostgresServer};

/// The two servers of a data directory. Dropping it ends both.
#[derive(Debug)]
pub struct EmbeddedServers {
    /// Keeps the log.
    pub nats: NatsServer,
    /// Keeps the read models.
    pub postgres: PostgresServer,
}

/// The servers' process ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pids {
    /// nats-server.
    pub nats: u32,
    /// PostgreSQL's postmaster.
    pub postgres: u32,
}

/// Keeps the servers alive in a task of its own. Dropping it stops them in the background.
#[derive(Debug)]
pub struct Supervisor {
    stop: DropGuard,
    task: JoinHandle<()>,
    pids: watch::Receiver<Pids>,
}

impl EmbeddedServers {
    /// Starts both servers at the same time and waits until both serve. If one fails, the other
    /// is ended.
    ///
    /// # Errors
    /// Those of [`NatsServer::start`] and [`PostgresServer::start`].
    pub async fn start(dir: &DataDir, options: &Options) -> Result<Self, EmbeddedError> {
        let (nats, postgres) = tokio::try_join!(
            NatsServer::start(dir, options),
            PostgresServer::start(dir, options)
        )?;
        Ok(Self { nats, postgres })
    }

    /// Hands the servers to a task that starts a server again, on the same port, when it dies.
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn supervise(mut self) -> Supervisor {
        let now = Pids {
            nats: self.nats.pid(),
            postgres: self.postgres.pid(),
        };
        let (sender, pids) = watch::channel(now);
        let token = CancellationToken::new();
        let stop = token.clone().drop_guard();
        let task = tokio::spawn(async move {
            let nats = self.nats.service.keep_alive(|pid| {
                sender.send_modify(|pids| pids.nats = pid);
            });
            let postgres = self.postgres.service.keep_alive(|pid| {
                sender.send_modify(|pids| pids.postgres = pid);
            });
            tokio::select! {
                () = token.cancelled() => {}
                ((), ()) = async { tokio::join!(nats, postgres) } => {}
            }
            self.stop().await;
        });
        Supervisor { stop, task, pids }
    }

    /// Stops the servers in order: the log first, so that nothing arrives that PostgreSQL would
    /// have to take. Whoever uses them should have stopped before.
    pub async fn stop(self) {
        self.nats.stop().await;
        self.postgres.stop().await;
    }
}

impl Supervisor {
    /// The process ids; they change when a server was started again.
    #[must_use]
    pub fn pids(&self) -> watch::Receiver<Pids> {
        self.pids.clone()
    }

    /// Stops both servers in order and waits for it.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the supervisor of the embedded servers failed");
        }
    }
}
