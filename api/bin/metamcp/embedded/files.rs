//! Files written whole, and secrets.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::EmbeddedError;

/// Writes a whole file or nothing, whatever interrupts it. The servers' users may read it.
pub(super) fn replace(file: &Path, text: &str) -> Result<(), EmbeddedError> {
    let new = file.with_extension("new");
    File::create(&new)
        .and_then(|mut open| {
            open.write_all(text.as_bytes())
                .and_then(|()| open.sync_all())
        })
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&new, file))
        .map_err(EmbeddedError::io("write", file))
}

/// The same for a secret: only its owner may read it, from its first byte on.
pub(super) fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new); // left by an interruption
    let mut open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()?;
    fs::rename(new, file)
}

/// 256 random bits as 64 hexadecimal digits.
pub(super) fn random_hex() -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
