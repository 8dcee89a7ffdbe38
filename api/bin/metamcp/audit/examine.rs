//! What can be said of a line of an export by itself: the part of a verification that needs no other line, and
//! that several threads do at once.

use super::format::{CommitLine, End, HeadLine, Header, Line};
use data_encoding::BASE64;
use domain::canonical::is_canonical;
use domain::envelope::{Commit, body_hash};
use domain::merkle::{TreeHash, leaf_hash};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// A line, read and examined.
pub(super) enum Examined<'a> {
    /// The first line.
    Log(Header),
    /// A commit.
    Commit(ExaminedCommit<'a>),
    /// A signed tree head.
    TreeHead(HeadLine),
    /// The last line.
    End(End),
    /// Not a line of the format.
    Malformed(String),
}

/// A commit by itself.
pub(super) struct ExaminedCommit<'a> {
    /// The position that its line names.
    pub(super) stream_sequence: u64,
    /// The subject that its line names.
    pub(super) subject: Cow<'a, str>,
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
    /// `<tenant>.<aggregate>.<id>`.
    pub(super) object: String,
    pub(super) sequence: u64,
    pub(super) previous_hash: Option<String>,
    pub(super) hash: String,
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
pub(super) fn examine(line: &[u8]) -> Examined<'_> {
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

fn commit(line: CommitLine<'_>) -> Examined<'_> {
    let body: Cow<'_, [u8]> = match (&line.body, &line.body_base64) {
        (Some(body), None) => Cow::Borrowed(body.as_bytes()),
        (None, Some(encoded)) => match BASE64.decode(encoded.as_bytes()) {
            Ok(body) => Cow::Owned(body),
            Err(error) => return Examined::Malformed(error.to_string()),
        },
        _ => return Examined::Malformed("it needs either `body` or `body_base64`".to_owned()),
    };
    let leaf = leaf_hash(&body);
    let leaf_agrees = TreeHash::from_hex(&line.leaf_hash) == Some(leaf);
    let commit: Result<Commit<AnyData>, _> = serde_json::from_slice(&body);
    let link = commit.ok().map(|commit| LinkOf {
        canonical: is_canonical(&body),
        object: format!(
            "{}.{}.{}",
            commit.tenant, commit.aggregate, commit.aggregate_id
        ),
        sequence: commit.sequence,
        previous_hash: commit.previous_hash,
        hash: body_hash(&body),
    });
    Examined::Commit(ExaminedCommit {
        stream_sequence: line.stream_sequence,
        subject: line.subject,
        leaf,
        leaf_agrees,
        link,
    })
}
