//! The private nats-server, which keeps the log.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::process::Launch;
use super::service::{Kind, Service};
use super::user::{RunAs, hand_over};
use super::{DataDir, EmbeddedError, NatsProgram, Options, files};

/// The same file that the compose set-up gives to its nats-server.
const CONFIGURATION: &str = include_str!("../../../../docker/nats.conf");

/// The user that the configuration above knows.
pub const NATS_USER: &str = "metamcp";

const NATS: Kind = Kind {
    name: "nats-server",
    program: "nats-server",
    stop: &[(Signal::TERM, Duration::from_secs(10))],
    is_ready: has_published_its_port,
    // Out of disk space it turns JetStream off until it is started again, also when there is room.
    gives_up: Some("will be DISABLED"),
};

/// A running nats-server with JetStream. Dropping it ends it.
#[derive(Debug)]
pub struct NatsServer {
    pub(super) service: Service,
    port: u16,
    password: String,
}

impl NatsServer {
    /// Starts nats-server on `dir` and waits until it serves.
    ///
    /// # Errors
    /// When the program is missing or too old, when no user exists to run it as, or when it does
    /// not become ready within 30 s.
    pub async fn start(dir: &DataDir, options: &Options) -> Result<Self, EmbeddedError> {
        let program = NatsProgram::locate()?;
        let user = RunAs::choose(&["nats", "nobody"])?;
        let folder = dir.path().join("nats");
        hand_over(&folder, user.as_ref())?;
        remove_published_ports(&folder);
        let configuration = dir.setting("nats.conf");
        files::replace(&configuration, CONFIGURATION)?;
        let password = dir.secret("nats-password")?;
        let launch = |port: u16| Launch {
            name: NATS.name,
            program: program.path.clone(),
            arguments: [
                "--config".as_ref(),
                configuration.as_os_str(),
                "--addr".as_ref(),
                "127.0.0.1".as_ref(),
                "--port".as_ref(),
                port.to_string().as_ref(),
                "--store_dir".as_ref(),
                folder.as_os_str(),
                "--ports_file_dir".as_ref(),
                folder.as_os_str(),
            ]
            .map(std::ffi::OsStr::to_owned)
            .into(),
            environment: vec![
                // In quotes: unquoted, digits followed by letters are a syntax error.
                ("METAMCP_NATS_PASSWORD", format!("\"{password}\"")),
                (
                    "METAMCP_NATS_SYNC_INTERVAL",
                    sync_interval(options).to_owned(),
                ),
            ],
            folder: folder.clone(),
            log: dir.log_file("nats"),
            user: user.clone(),
            abrupt: Signal::TERM,
        };
        let port_file = dir.setting("nats.port");
        let (service, port) = Service::start_on_a_port(&NATS, launch, &folder, &port_file).await?;
        Ok(Self {
            service,
            port,
            password,
        })
    }

    /// `nats://metamcp:<password>@127.0.0.1:<port>`; stays the same over restarts. For clients
    /// that read credentials from a URL; `async-nats` does not.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "nats://{NATS_USER}:{}@127.0.0.1:{}",
            self.password, self.port
        )
    }

    /// `nats://127.0.0.1:<port>`: the address for a client that takes user and password apart.
    #[must_use]
    pub fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The password of the user [`NATS_USER`]. A secret: not for logs.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.service.pid()
    }

    /// Stops the server; it ends by itself within moments or is killed after 10 s.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}

fn sync_interval(options: &Options) -> &'static str {
    if options.sync_always { "always" } else { "2m" }
}

/// nats-server writes its addresses into a file named by its process id once it serves.
fn has_published_its_port(folder: &Path, pid: u32) -> bool {
    fs::read_to_string(folder.join(format!("nats-server_{pid}.ports")))
        .is_ok_and(|text| text.contains("nats://") && text.trim_end().ends_with('}'))
}

/// A killed server leaves its file, and a later one could have the same process id.
fn remove_published_ports(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "ports")
        {
            let _ = fs::remove_file(entry.path()); // at worst, "ready" comes a moment early
        }
    }
}
