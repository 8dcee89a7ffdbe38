//! Dropping root: which user a server runs as, and giving it its folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use super::EmbeddedError;

/// A user that a server runs as instead of root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunAs {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl RunAs {
    /// The first of `names` that exists. `None` for anyone but root, who can only run as himself.
    pub(super) fn choose(names: &[&str]) -> Result<Option<Self>, EmbeddedError> {
        if !is_root() {
            return Ok(None);
        }
        let passwd =
            fs::read_to_string("/etc/passwd").map_err(EmbeddedError::io("read", "/etc/passwd"))?;
        names
            .iter()
            .find_map(|name| Self::in_passwd(&passwd, name))
            .map(Some)
            .ok_or_else(|| EmbeddedError::NoUser(names.join(" or ")))
    }

    /// Finds a user in the text of `/etc/passwd`: `name:password:uid:gid:…`.
    fn in_passwd(passwd: &str, name: &str) -> Option<Self> {
        let mut fields = passwd
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        Some(Self {
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    }
}

/// Whether this process has root's rights.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Creates `folder` if need be, for the eyes of `user` only, and hands it over with all it holds.
pub(super) fn hand_over(folder: &Path, user: Option<&RunAs>) -> Result<(), EmbeddedError> {
    fs::create_dir_all(folder).map_err(EmbeddedError::io("create", folder))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .map_err(EmbeddedError::io("protect", folder))?;
    let Some(user) = user else { return Ok(()) };
    let owner = fs::metadata(folder)
        .map_err(EmbeddedError::io("read", folder))?
        .uid();
    if owner != user.uid {
        give(folder, user)?;
    }
    Ok(())
}

/// Changes the owner of `path` and everything below. Symbolic links are not followed. The folder
/// itself comes last, so that an interrupted run is repeated.
fn give(path: &Path, user: &RunAs) -> Result<(), EmbeddedError> {
    let failed = || EmbeddedError::io("change the owner of", path);
    if fs::symlink_metadata(path).map_err(failed())?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed())? {
            give(&entry.map_err(failed())?.path(), user)?;
        }
    }
    lchown(path, Some(user.uid), Some(user.gid)).map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nnats:x:996:995::/nonexistent:/bin/false\n";

    #[test]
    fn finds_a_user_by_its_whole_name() {
        assert_eq!(
            RunAs::in_passwd(PASSWD, "nats"),
            Some(RunAs { uid: 996, gid: 995 })
        );
        assert_eq!(RunAs::in_passwd(PASSWD, "nat"), None);
    }
}
