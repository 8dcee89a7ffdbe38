//! What an import remembers: the lines it has seen, and which servers tools can be registered for.

use super::report::Reason;
use domain::server::{Server, ServerError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Where each natural key was first seen, as a hash of 128 bits, and a hash of what its line held.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    first: HashMap<u128, (u64, u64)>,
}

impl Duplicates {
    /// Refuses a key that an earlier line has, and says when the two lines are not the same.
    pub(super) fn check(&mut self, key: &[&str], bytes: &[u8], line: u64) -> Result<(), Reason> {
        let mut hash = Sha256::new();
        for part in key {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        let content = content_hash(bytes);
        let entry = self.first.entry(u128::from_be_bytes(short));
        let (first, known) = *entry.or_insert((line, content));
        if first == line {
            return Ok(());
        }
        let mut message = format!("the same {} as line {first}", key_name(key));
        if known != content {
            message.push_str(&format!(", but the lines differ; line {first} counts"));
        }
        Err(Reason::new("DUPLICATE", message))
    }
}

fn content_hash(bytes: &[u8]) -> u64 {
    let mut short = [0; 8];
    short.copy_from_slice(&Sha256::digest(bytes.trim_ascii())[..8]);
    u64::from_be_bytes(short)
}

fn key_name(key: &[&str]) -> &'static str {
    if key.len() == 1 { "server" } else { "tool" }
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    Active,
    Retired,
    Unknown,
}

/// The servers that this run has registered or looked up, by id.
#[derive(Debug, Default)]
pub(super) struct Servers {
    known: HashMap<String, Standing>,
}

impl Servers {
    /// This run has registered it.
    pub(super) fn registered(&mut self, id: String) {
        self.known.insert(id, Standing::Active);
    }

    /// Whether the log need not be asked.
    pub(super) fn has(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }

    /// The log was asked.
    pub(super) fn learn(&mut self, id: &str, server: Option<&Server>) {
        let standing = match server.map(Server::check_active) {
            Some(Ok(())) => Standing::Active,
            Some(Err(ServerError::Retired)) => Standing::Retired,
            Some(Err(_)) | None => Standing::Unknown,
        };
        self.known.insert(id.to_owned(), standing);
    }

    /// Refuses a tool whose server is not in use.
    pub(super) fn check(&self, id: &str, slug: &str) -> Result<(), Reason> {
        match self.known.get(id) {
            Some(Standing::Active) => Ok(()),
            Some(Standing::Retired) => Err(Reason::new(
                "SERVER_RETIRED",
                format!("the server `{slug}` is retired"),
            )),
            Some(Standing::Unknown) | None => Err(Reason::new(
                "SERVER_NOT_FOUND",
                format!("the server `{slug}` is not registered and is not in the servers' file"),
            )),
        }
    }
}
