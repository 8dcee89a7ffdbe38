//! The private PostgreSQL, which keeps the read models.
//!
//! Its only way in is a loopback port and the password of the role `metamcp`, who owns the database
//! but is no superuser, so that row-level security binds it. The superuser has no password and
//! there is no socket: superuser work needs the data directory's owner and single-user mode.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::process::Launch;
use super::service::{Kind, Service};
use super::user::{RunAs, hand_over};
use super::{DataDir, EmbeddedError, Options, PostgresPrograms, files, initdb};

/// The same file that the compose set-up gives to its PostgreSQL.
const CONFIGURATION: &str = include_str!("../../../../docker/postgresql.conf");

const POSTGRES: Kind = Kind {
    name: "PostgreSQL",
    program: "postgres",
    // Fast shutdown, then immediate shutdown.
    stop: &[
        (Signal::INT, Duration::from_secs(20)),
        (Signal::QUIT, Duration::from_secs(5)),
    ],
    is_ready: says_ready,
    gives_up: None,
};

/// A running PostgreSQL. Dropping it ends it.
#[derive(Debug)]
pub struct PostgresServer {
    pub(super) service: Service,
    port: u16,
    password: String,
}

impl PostgresServer {
    /// Starts PostgreSQL on `dir`, creating the cluster and the database at the first start, and
    /// waits until it accepts connections.
    ///
    /// # Errors
    /// When the programs are missing (an existing cluster needs those of its own version), when no
    /// user exists to run them as, or when it is not ready within 30 s.
    pub async fn start(dir: &DataDir, options: &Options) -> Result<Self, EmbeddedError> {
        let folder = dir.path().join("postgres");
        let data = folder.join("data");
        let programs = PostgresPrograms::locate(cluster_version(&data))?;
        let user = RunAs::choose(&["postgres"])?;
        hand_over(&folder, user.as_ref())?;
        let configuration = dir.setting("postgresql.conf");
        files::replace(&configuration, CONFIGURATION)?;
        let password = dir.secret("postgres-password")?;
        let launch = |port: u16| Launch {
            name: POSTGRES.name,
            program: programs.program("postgres"),
            arguments: arguments(&data, &configuration, port, options),
            environment: Vec::new(),
            folder: folder.clone(),
            log: dir.log_file("postgres"),
            user: user.clone(),
            abrupt: Signal::QUIT,
        };
        if !data.exists() {
            initdb::create(&programs, &launch(0), &data, &password, options).await?;
        }
        let port_file = dir.setting("postgres.port");
        let (service, port) =
            Service::start_on_a_port(&POSTGRES, launch, &data, &port_file).await?;
        Ok(Self {
            service,
            port,
            password,
        })
    }

    /// `postgres://metamcp:<password>@127.0.0.1:<port>/metamcp`; stays the same over restarts.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://metamcp:{}@127.0.0.1:{}/metamcp",
            self.password, self.port
        )
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.service.pid()
    }

    /// Stops the server: open transactions are rolled back; after 25 s it is killed.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}

fn arguments(
    data: &Path,
    configuration: &Path,
    port: u16,
    options: &Options,
) -> Vec<std::ffi::OsString> {
    let mut settings = vec![
        format!("config_file={}", configuration.display()),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
    ];
    if !options.sync_always {
        // Commits still reach the operating system, so a killed server loses none.
        settings.extend(["fsync=off", "full_page_writes=off"].map(Into::into));
    }
    if options.log_statements {
        settings.push("log_statement=all".to_owned());
    }
    let mut arguments = vec!["-D".into(), data.into()];
    for setting in settings {
        arguments.extend(["-c".into(), setting.into()]);
    }
    arguments
}

/// The major version that made the cluster, if there is one.
fn cluster_version(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The first line of `postmaster.pid` is the process id, the eighth the state.
fn says_ready(data: &Path, pid: u32) -> bool {
    let file: PathBuf = data.join("postmaster.pid");
    fs::read_to_string(file).is_ok_and(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_this_process_and_its_eighth_line() {
        let folder = tempfile::tempdir().unwrap();
        let write = |state: &str| {
            let text = format!("77\n/data\n1700000000\n5432\n\n127.0.0.1\n  1 2\n{state}\n");
            fs::write(folder.path().join("postmaster.pid"), text).unwrap();
        };
        write("starting");
        assert!(!says_ready(folder.path(), 77));
        write("ready   ");
        assert!(says_ready(folder.path(), 77));
        assert!(!says_ready(folder.path(), 78));
    }
}
