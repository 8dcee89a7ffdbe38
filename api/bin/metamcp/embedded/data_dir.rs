//! The data directory: everything that `metamcp up` keeps, and the lock that gives it to one
//! process at a time.
//!
//! ```text
//! VERSION      version of this layout          lock        the holder's process id and URL
//! secrets/     one file each, mode 0600        settings/   configuration and ports, written here
//! nats/        the log (owned by its server)   postgres/   the database (owned by its server)
//! logs/        nats.log, postgres.log          …           what other parts keep, e.g. the index
//! ```
//!
//! The lock is the operating system's (`flock`), so it ends with its process, however that ends:
//! a stale lock cannot exist, only a stale text in the file.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::EmbeddedError;
use super::files::{random_hex, replace, write_private};
use super::user::is_root;

/// The version of the layout above.
const LAYOUT: u32 = 1;

/// A data directory that this process holds until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

/// A running process that holds a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its process id.
    pub pid: String,
    /// Where it serves, or that it is starting.
    pub url: String,
}

impl DataDir {
    /// Where `metamcp up` keeps its data unless told otherwise: `/var/lib/metamcp` for root,
    /// `metamcp` in the user's data folder for others.
    #[must_use]
    pub fn default_path() -> PathBuf {
        if is_root() {
            return "/var/lib/metamcp".into();
        }
        env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| env::home_dir().map(|home| home.join(".local/share")))
            .unwrap_or_else(env::temp_dir)
            .join("metamcp")
    }

    /// Takes the data directory at `path`, which is created if need be.
    ///
    /// # Errors
    /// [`InUse`](EmbeddedError::InUse), [`NewerVersion`](EmbeddedError::NewerVersion),
    /// [`DamagedVersion`](EmbeddedError::DamagedVersion), [`Foreign`](EmbeddedError::Foreign) for a folder with something else in it,
    /// [`NotTraversable`](EmbeddedError::NotTraversable), or [`Io`](EmbeddedError::Io).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EmbeddedError> {
        let path = path.as_ref();
        check_traversable(&std::path::absolute(path).map_err(EmbeddedError::io("find", path))?)?;
        fs::create_dir_all(path).map_err(EmbeddedError::io("create", path))?;
        let path = path
            .canonicalize()
            .map_err(EmbeddedError::io("find", path))?;
        check_traversable(&path)?; // of the folders just made, and behind symbolic links
        Self::layout(&path)?;
        let lock = take_lock(&path)?;
        let dir = Self { path, lock };
        if Self::layout(&dir.path)?.is_none() {
            replace(&dir.path.join("VERSION"), &LAYOUT.to_string())?;
        }
        dir.announce("starting")?;
        dir.lay_out()?;
        Ok(dir)
    }

    /// The layout version of what is at `path`; none where nothing is yet. Changes nothing.
    ///
    /// # Errors
    /// [`NewerVersion`](EmbeddedError::NewerVersion), [`DamagedVersion`](EmbeddedError::DamagedVersion),
    /// [`Foreign`](EmbeddedError::Foreign), or [`Io`](EmbeddedError::Io).
    pub fn layout(path: &Path) -> Result<Option<u32>, EmbeddedError> {
        let file = path.join("VERSION");
        let found = match fs::read_to_string(&file) {
            Ok(found) => found.trim().to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return match path.exists() && !is_unused(path)? {
                    true => Err(EmbeddedError::Foreign(path.to_owned())),
                    false => Ok(None),
                };
            }
            Err(error) => return Err(EmbeddedError::io("read", file)(error)),
        };
        match found.parse::<u32>() {
            Ok(version) if version <= LAYOUT => Ok(Some(version)),
            Ok(_) => Err(EmbeddedError::NewerVersion {
                path: path.to_owned(),
                found,
                known: LAYOUT,
            }),
            Err(_) => Err(EmbeddedError::DamagedVersion {
                file,
                found: found.chars().take(20).collect(),
                known: LAYOUT,
            }),
        }
    }

    /// The directory itself, absolute and without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file into which a server's output goes.
    #[must_use]
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(name).with_extension("log")
    }

    /// Writes where this instance serves, for whoever finds the directory in use.
    ///
    /// # Errors
    /// [`EmbeddedError::Io`].
    pub fn announce(&self, url: &str) -> Result<(), EmbeddedError> {
        let text = format!("{}\n{url}\n", std::process::id());
        self.lock
            .set_len(0)
            .and_then(|()| (&self.lock).write_all(text.as_bytes()))
            .map_err(EmbeddedError::io("write", self.path.join("lock")))
    }

    /// A secret of 256 random bits as 64 hexadecimal digits, made when first asked for and the
    /// same from then on.
    ///
    /// # Errors
    /// [`EmbeddedError::Io`].
    pub fn secret(&self, name: &str) -> Result<String, EmbeddedError> {
        let file = self.path.join("secrets").join(name);
        if let Ok(secret) = fs::read_to_string(&file) {
            return Ok(secret.trim().to_owned());
        }
        let secret = random_hex().map_err(EmbeddedError::io("read", "/dev/urandom"))?;
        write_private(&file, &secret).map_err(EmbeddedError::io("write", &file))?;
        Ok(secret)
    }

    /// The process that holds the data directory at `path`, if one does.
    #[must_use]
    pub fn holder(path: &Path) -> Option<Instance> {
        let mut file = File::open(path.join("lock")).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Instance::read(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// A file or folder among the settings, which only this process writes.
    pub(super) fn setting(&self, name: &str) -> PathBuf {
        self.path.join("settings").join(name)
    }

    /// Creates the folders. Those of the servers are created with them.
    fn lay_out(&self) -> Result<(), EmbeddedError> {
        let shared = if is_root() { 0o711 } else { 0o700 };
        let folders = [
            ("", shared),
            ("secrets", 0o700),
            ("settings", shared),
            ("logs", 0o700),
        ];
        for (name, mode) in folders {
            let folder = if name.is_empty() {
                self.path.clone()
            } else {
                self.path.join(name)
            };
            fs::create_dir_all(&folder)
                .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)))
                .map_err(EmbeddedError::io("create", &folder))?;
        }
        Ok(())
    }
}

impl Instance {
    fn read(file: &mut File) -> Self {
        let mut text = String::new();
        let _ = file.read_to_string(&mut text); // an empty text says enough
        let mut lines = text.lines();
        let mut next = |otherwise: &str| lines.next().unwrap_or(otherwise).to_owned();
        Self {
            pid: next("unknown"),
            url: next("starting"),
        }
    }
}

/// The servers do not run as root: where root starts them, they need a way to their folders.
fn check_traversable(path: &Path) -> Result<(), EmbeddedError> {
    if !is_root() {
        return Ok(());
    }
    for folder in path.ancestors().skip(1).filter(|folder| folder.exists()) {
        let metadata = fs::metadata(folder).map_err(EmbeddedError::io("read", folder))?;
        if metadata.permissions().mode() & 0o001 == 0 {
            return Err(EmbeddedError::NotTraversable {
                folder: folder.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether the folder holds nothing, or only what an interrupted first start or a fresh file system
/// leaves.
fn is_unused(path: &Path) -> Result<bool, EmbeddedError> {
    const HARMLESS: [&str; 3] = ["lock", "VERSION.new", "lost+found"];
    let mut entries = fs::read_dir(path).map_err(EmbeddedError::io("read", path))?;
    Ok(entries.all(|entry| {
        entry.is_ok_and(|entry| HARMLESS.iter().any(|name| entry.file_name() == *name))
    }))
}

fn take_lock(path: &Path) -> Result<File, EmbeddedError> {
    let name = path.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&name)
        .map_err(EmbeddedError::io("write", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let Instance { pid, url } = Instance::read(&mut file);
            Err(EmbeddedError::InUse {
                path: path.to_owned(),
                pid,
                url,
            })
        }
        Err(TryLockError::Error(error)) => Err(EmbeddedError::io("lock", name)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_told_that_the_servers_cannot_reach_a_folder_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let path = folder.path().join("data");
        match DataDir::open(&path) {
            Err(EmbeddedError::NotTraversable { folder: found }) => {
                assert!(is_root());
                assert_eq!(found, folder.path());
                assert!(!path.exists());
            }
            other => assert!(!is_root() && other.is_ok()),
        }
    }

    #[test]
    fn a_second_holder_is_refused_and_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        first.announce("http://127.0.0.1:8080").unwrap();
        let refusal = DataDir::open(folder.path()).unwrap_err().to_string();
        assert!(
            refusal.contains(&std::process::id().to_string()),
            "{refusal}"
        );
        assert!(refusal.contains("http://127.0.0.1:8080"), "{refusal}");
        assert!(DataDir::holder(folder.path()).is_some());
        drop(first);
        assert_eq!(DataDir::holder(folder.path()), None);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn a_stale_text_in_the_lock_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lock"), "1\nhttp://127.0.0.1:1\n").unwrap();
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn refuses_the_directory_of_a_newer_release() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("VERSION"), "2\n").unwrap();
        let refusal = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(refusal, EmbeddedError::NewerVersion { ref found, .. } if found == "2"));
        fs::write(folder.path().join("VERSION"), "").unwrap();
        let refusal = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(refusal, EmbeddedError::DamagedVersion { .. }));
    }

    #[test]
    fn refuses_a_folder_with_something_else_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), "Dear").unwrap();
        let refusal = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(refusal, EmbeddedError::Foreign(_)));
        assert!(!folder.path().join("lock").exists());
    }

    #[test]
    fn a_secret_is_random_private_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let secret = dir.secret("nats").unwrap();
        assert_eq!(secret.len(), 64);
        assert_ne!(secret, dir.secret("postgres").unwrap());
        drop(dir);
        assert_eq!(
            DataDir::open(folder.path())
                .unwrap()
                .secret("nats")
                .unwrap(),
            secret
        );
        let mode = fs::metadata(folder.path().join("secrets/nats"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
