//! What can be said of a line of an export by itself: the part of a verification that needs no other line, and
//! that several threads do at once.

use super::format::{CommitLine, End, HeadLine, Header, Line};
use data_encoding::{BASE64, HEXLOWER};
use domain::canonical::is_canonical;
use domain::envelope::Commit;
use domain::merkle::{TreeHash, leaf_hash};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A line, read and examined.
pub(super) enum Examined {
    /// The first line.
    Log(Header),
    /// A commit.
    Commit(ExaminedCommit),
    /// A signed tree head.
    TreeHead(HeadLine),
    /// The last line.
    End(End),
    /// Not a line of the format.
    Malformed(String),
}

/// A commit by itself.
pub(super) struct ExaminedCommit {
    /// The position that its line names.
    pub(super) stream_sequence: u64,
    /// The subject that its line names.
    pub(super) subject: String,
    /// The hash of its body.
    pub(super) leaf: TreeHash,
    /// Whether that is the one that its line names.
    pub(super) leaf_agrees: bool,
    /// What it is a link of; none when the body is no commit.
    pub(super) link: Option<LinkOf>,
}

/// A commit's place in the history of its object.
pub(super) struct LinkOf {
    pub(super) canonical: bool,
    /// Where the object's name begins in the subject, `<tenant>.<aggregate>.<id>`; none when the subject is another
    /// object's.
    pub(super) object: Option<usize>,
    pub(super) sequence: u64,
    previous: Previous,
    /// SHA-256 of the body.
    pub(super) hash: TreeHash,
}

impl LinkOf {
    /// Whether this is the hash that it names as that of the commit before it.
    pub(super) fn names(&self, hash: Option<TreeHash>) -> bool {
        self.previous == hash.map_or(Previous::None, Previous::Hash)
    }
}

/// What a commit says of the one before it.
#[derive(PartialEq, Eq)]
enum Previous {
    /// There is none.
    None,
    /// Its hash.
    Hash(TreeHash),
    /// Something that no hash is written as.
    Other,
}

/// An event of which only the shape matters.
#[derive(Deserialize)]
struct AnyData {
    #[serde(rename = "type")]
    _wire_type: IgnoredAny,
    #[serde(rename = "version")]
    _version: u16,
    #[serde(rename = "data")]
    _data: IgnoredAny,
}

/// Examines a line, without its end.
#[must_use]
pub(super) fn examine(line: &[u8]) -> Examined {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => return Examined::Malformed(error.to_string()),
    };
    match serde_json::from_str(text) {
        Ok(Line::Log(header)) => Examined::Log(header),
        Ok(Line::Commit(line)) => commit(line),
        Ok(Line::TreeHead(head)) => Examined::TreeHead(head),
        Ok(Line::End(end)) => Examined::End(end),
        Err(error) => Examined::Malformed(error.to_string()),
    }
}

fn commit(line: CommitLine<'_>) -> Examined {
    let body: Cow<'_, [u8]> = match (&line.body, &line.body_base64) {
        (Some(body), None) => Cow::Borrowed(body.as_bytes()),
        (None, Some(encoded)) => match BASE64.decode(encoded.as_bytes()) {
            Ok(body) => Cow::Owned(body),
            Err(error) => return Examined::Malformed(error.to_string()),
        },
        _ => return Examined::Malformed("it needs either `body` or `body_base64`".to_owned()),
    };
    let leaf = leaf_hash(&body);
    let commit: Result<Commit<AnyData>, _> = serde_json::from_slice(&body);
    let link = commit.ok().map(|commit| LinkOf {
        canonical: is_canonical(&body),
        object: object_in(&line.subject, &commit),
        sequence: commit.sequence,
        previous: previous(commit.previous_hash.as_deref()),
        hash: TreeHash(Sha256::digest(&body).into()),
    });
    Examined::Commit(ExaminedCommit {
        stream_sequence: line.stream_sequence,
        leaf,
        leaf_agrees: TreeHash::from_hex(&line.leaf_hash) == Some(leaf),
        link,
        subject: line.subject.into_owned(),
    })
}

/// Where the commit's object begins at the end of a subject; the root and a dot stand before it.
fn object_in(subject: &str, commit: &Commit<AnyData>) -> Option<usize> {
    let rest = subject.strip_suffix(&commit.aggregate_id)?;
    let rest = rest.strip_suffix('.')?.strip_suffix(&commit.aggregate)?;
    let rest = rest.strip_suffix('.')?;
    let root = rest.strip_suffix(commit.tenant.as_str())?;
    root.ends_with('.').then_some(root.len())
}

fn previous(text: Option<&str>) -> Previous {
    let Some(text) = text else {
        return Previous::None;
    };
    let hash = HEXLOWER.decode(text.as_bytes()).ok();
    match hash.and_then(|hash| TreeHash::from_slice(&hash)) {
        Some(hash) => Previous::Hash(hash),
        None => Previous::Other,
    }
}
