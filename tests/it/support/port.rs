//! Ports that are chosen before somebody binds them.

use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where the range begins: it ends below the ports from which systems draw for `:0`, on Linux 32,768.
const FIRST: u16 = 20_000;
/// How far apart the beginnings of test processes may lie that run at the same time.
const SPREAD: u32 = 8_000;

/// A port for a server that is started later. None is given twice, and no test that binds `:0` is given it meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        // Neighbours begin far enough apart for all the ports that a run takes.
        let begin = std::process::id().wrapping_mul(61) % SPREAD;
        AtomicU16::new(FIRST + u16::try_from(begin).unwrap())
    });
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
