//! How the log is reached: its address, who this process is, and TLS.

use super::{DUPLICATE_WINDOW, STREAM};
use crate::subject;
use async_nats::ConnectOptions;
use async_nats::rustls::crypto::ring;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::time::Duration;

/// How often a server is asked whether it lives. A frozen one keeps its connections; after a few silent pings the
/// client leaves it for another of the cluster.
const PING: Duration = Duration::from_secs(3);

/// The longest pause between attempts to connect again. The client's own grows to four seconds, for which a server that
/// is back already is not seen.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How to reach the log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// `nats://host:port`, or several separated by commas.
    pub url: String,
    /// User name, when the server asks for one.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// The seed of an nkey, in place of user and password. It signs what the server asks and is never sent.
    pub nkey: Option<SecretString>,
    /// TLS, without which nothing is sent when it is given.
    pub tls: Option<LogTls>,
    /// What the subjects of answers begin with, where the server lets a user hear only its own; `_INBOX`
    /// otherwise.
    pub inbox_prefix: Option<String>,
    /// Name of the stream, [`STREAM`] unless several installations share a server.
    pub stream: String,
    /// Root of the subjects, [`subject::DEFAULT_ROOT`] with [`STREAM`].
    pub subject_root: String,
    /// Copies of the stream in a cluster; 1 or 3 or 5.
    pub replicas: usize,
    /// How long a new stream remembers command ids by itself; [`DUPLICATE_WINDOW`] outside of tests.
    pub duplicate_window: Duration,
    /// Bound of every request to NATS.
    pub timeout: Duration,
}

/// Files of TLS, all of them PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTls {
    /// The authorities that may vouch for the server, in place of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this process shows, with those that vouch for it, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl LogOptions {
    /// The log at an address, everything else as in production with one server.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: None,
            password: None,
            nkey: None,
            tls: None,
            inbox_prefix: None,
            stream: STREAM.to_owned(),
            subject_root: subject::DEFAULT_ROOT.to_owned(),
            replicas: 1,
            duplicate_window: DUPLICATE_WINDOW,
            timeout: Duration::from_secs(5),
        }
    }

    /// With a user and a password.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>, password: SecretString) -> Self {
        self.user = Some(user.into());
        self.password = Some(password);
        self
    }

    pub(super) fn for_the_client(&self) -> ConnectOptions {
        choose_cryptography();
        let mut connect = ConnectOptions::new()
            .name("metamcp")
            .connection_timeout(self.timeout)
            .ping_interval(PING)
            .reconnect_delay_callback(before_attempt)
            .request_timeout(Some(self.timeout));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            connect = connect.user_and_password(user.clone(), password.expose_secret().to_owned());
        }
        if let Some(seed) = &self.nkey {
            connect = connect.nkey(seed.expose_secret().to_owned());
        }
        if let Some(prefix) = &self.inbox_prefix {
            connect = connect.custom_inbox_prefix(prefix);
        }
        match &self.tls {
            Some(tls) => tls.required_by(connect),
            None => connect,
        }
    }
}

impl LogTls {
    fn required_by(&self, connect: ConnectOptions) -> ConnectOptions {
        let mut connect = connect.require_tls(true);
        if let Some(authorities) = &self.ca_file {
            connect = connect.add_root_certificates(authorities.clone());
        }
        if let Some((certificate, key)) = &self.client {
            connect = connect.add_client_certificate(certificate.clone(), key.clone());
        }
        connect
    }
}

/// The pause before an attempt to connect again: none before the first, and then twice as long each time.
fn before_attempt(attempt: usize) -> Duration {
    match attempt {
        0 | 1 => Duration::ZERO,
        more => LONGEST_PAUSE.min(Duration::from_millis(1 << more.min(10))),
    }
}

/// The process has two implementations of TLS's cryptography, through different dependencies, and rustls panics
/// rather than choose. A server may ask for TLS that no setting names, so this is settled in every case.
fn choose_cryptography() {
    // Somebody may have chosen before: then that choice stands.
    let _ = ring::default_provider().install_default();
}
