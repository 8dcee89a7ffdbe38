//! Loopback ports that stay the same across restarts.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::EmbeddedError;

/// The port written in `file`, if it is free now.
pub(super) fn remembered(file: &Path) -> Option<u16> {
    let port = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    is_free(port).then_some(port)
}

/// Keeps `port` for the next start.
pub(super) fn remember(file: &Path, port: u16) -> Result<(), EmbeddedError> {
    fs::write(file, format!("{port}\n")).map_err(EmbeddedError::io("write", file))
}

/// A port that nobody uses at this moment. Another process may take it before its user does.
pub(super) fn free() -> Result<u16, EmbeddedError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EmbeddedError::io("find a free port on", "127.0.0.1"))
}

/// Whether a server could listen on `port`.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_port_is_offered_only_while_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("port");
        assert_eq!(remembered(&file), None);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        remember(&file, port).unwrap();
        assert_eq!(remembered(&file), None);
        drop(listener);
        assert_eq!(remembered(&file), Some(port));
    }
}
