//! Where the servers' programs are, and whether they are new enough.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::EmbeddedError;
use super::user::is_root;

/// The oldest PostgreSQL that serves.
pub const POSTGRES_MINIMUM: u32 = 15;
/// The oldest nats-server that serves: the first with reliable per-message sync and all the
/// stream settings that the log needs.
pub const NATS_MINIMUM: [u32; 3] = [2, 10, 23];

/// The folder into which `./dev setup` puts nats-server and the embedding model:
/// `METAMCP_TOOLS_DIR`, or `/var/cache/metamcp` for root, or `metamcp` in the user's cache folder.
#[must_use]
pub fn tools_dir() -> PathBuf {
    if let Some(folder) = env::var_os("METAMCP_TOOLS_DIR") {
        return folder.into();
    }
    if is_root() {
        return "/var/cache/metamcp".into();
    }
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("metamcp")
}

/// A PostgreSQL installation's server programs.
#[derive(Clone, Debug)]
pub struct PostgresPrograms {
    /// The folder of `initdb` and `postgres`.
    pub folder: PathBuf,
    /// The major version.
    pub major: u32,
}

impl PostgresPrograms {
    /// The newest installation, or the one of version `major`, because a database's files only
    /// serve the version that made them. The system's own folders go before `PATH`, where scripts
    /// of the same names may stand.
    ///
    /// # Errors
    /// [`EmbeddedError::Missing`] when there is none.
    pub fn locate(major: Option<u32>) -> Result<Self, EmbeddedError> {
        let versioned = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        let installed = versioned.filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some(Self {
                folder: entry.path().join("bin"),
                major,
            })
        });
        let on_path = on_path("postgres").and_then(|program| {
            Some(Self {
                major: version_of(&program)?[0],
                folder: program.parent()?.to_owned(),
            })
        });
        let wanted =
            |found: &Self| major.map_or(found.major >= POSTGRES_MINIMUM, |m| found.major == m);
        let complete =
            |found: &Self| found.program("initdb").is_file() && found.program("postgres").is_file();
        installed
            .filter(|found| wanted(found) && complete(found))
            .max_by_key(|found| found.major)
            .or_else(|| on_path.filter(|found| wanted(found) && complete(found)))
            .ok_or_else(|| EmbeddedError::Missing {
                program: "PostgreSQL (initdb, postgres)",
                minimum: major.unwrap_or(POSTGRES_MINIMUM).to_string(),
            })
    }

    /// The path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A nats-server that is new enough.
#[derive(Clone, Debug)]
pub struct NatsProgram {
    /// The program's path.
    pub path: PathBuf,
    /// Its version.
    pub version: [u32; 3],
}

impl NatsProgram {
    /// The one that `./dev setup` fetched, or else the one on `PATH`.
    ///
    /// # Errors
    /// [`EmbeddedError::Missing`] when neither exists or both are too old.
    pub fn locate() -> Result<Self, EmbeddedError> {
        [
            Some(tools_dir().join("nats/usr/sbin/nats-server")),
            on_path("nats-server"),
        ]
        .into_iter()
        .flatten()
        .filter_map(|path| {
            Some(Self {
                version: version_of(&path)?,
                path,
            })
        })
        .find(|found| found.version >= NATS_MINIMUM)
        .ok_or_else(|| EmbeddedError::Missing {
            program: "nats-server",
            minimum: NATS_MINIMUM.map(|part| part.to_string()).join("."),
        })
    }
}

/// The first file of this name on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// What a program answers to `--version`.
pub(crate) fn version_of(program: &Path) -> Option<[u32; 3]> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// The first dotted number in `text`: `nats-server: v2.10.27`, `postgres (PostgreSQL) 15.13 (…)`.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let number = text
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .find(|part| part.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
    Some([
        parts.next()?,
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_versions_that_the_programs_print() {
        assert_eq!(parse_version("nats-server: v2.10.27\n"), Some([2, 10, 27]));
        assert_eq!(
            parse_version("nats-server: v2.12.0-preview.1"),
            Some([2, 12, 0])
        );
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.13 (Debian 15.13-0)"),
            Some([15, 13, 0])
        );
        assert_eq!(
            parse_version("postgres (PostgreSQL) 18beta1"),
            Some([18, 0, 0])
        );
        assert_eq!(parse_version("nothing"), None);
    }

    #[test]
    fn ten_is_newer_than_nine() {
        assert!([2, 9, 25] < NATS_MINIMUM);
        assert!([2, 10, 23] >= NATS_MINIMUM);
    }
}
