//! Ends what an earlier run left running on the same data directory.
//!
//! A process is ours if it runs the program in question with our folder as one of its arguments:
//! a number read from a file could be anybody's by now.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::EmbeddedError;
use super::process::POLL;

/// Ends every process of `program` with `folder` among its arguments, by the signals in turn and
/// at last by `KILL`.
pub(super) async fn end(
    name: &'static str,
    program: &str,
    folder: &Path,
    signals: &[(Signal, Duration)],
) -> Result<(), EmbeddedError> {
    for pid in find(program, folder) {
        tracing::warn!(
            server = name,
            pid = pid.as_raw_nonzero().get(),
            "ending an earlier run's"
        );
        let last = (Signal::KILL, Duration::from_secs(5));
        let mut ended = false;
        for (signal, patience) in signals.iter().chain([&last]) {
            let _ = kill_process(pid, *signal); // it may just have ended
            ended = wait(pid, program, folder, *patience).await;
            if ended {
                break;
            }
        }
        if !ended {
            return Err(EmbeddedError::OrphanRemains {
                name,
                pid: pid.as_raw_nonzero().get(),
            });
        }
    }
    Ok(())
}

async fn wait(pid: Pid, program: &str, folder: &Path, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if !is_ours(pid, program, folder) {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

fn find(program: &str, folder: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| is_ours(*pid, program, folder))
        .collect()
}

fn is_ours(pid: Pid, program: &str, folder: &Path) -> bool {
    let file = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    fs::read(file).is_ok_and(|command| matches(&command, program, folder))
}

/// `command` is as in `/proc`: program and arguments, each ended by a zero byte.
fn matches(command: &[u8], program: &str, folder: &Path) -> bool {
    let mut words = command.split(|byte| *byte == 0);
    let name = words
        .next()
        .and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    name == Some(program.as_bytes()) && words.any(|word| word == folder.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_program_on_the_same_folder_is_ours() {
        let command = b"/usr/sbin/nats-server\0--store_dir\0/data/a\0";
        assert!(matches(command, "nats-server", Path::new("/data/a")));
        assert!(!matches(command, "nats-server", Path::new("/data")));
        assert!(!matches(command, "postgres", Path::new("/data/a")));
        assert!(!matches(b"", "nats-server", Path::new("/data/a")));
    }
}
