//! The export's lines: one JSON object each, with one member whose name says what it is. `docs/audit.md`
//! describes them for those who write a verifier of their own.

use domain::merkle::TreeHash;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The format's number; another one is another format.
pub const FORMAT: u32 = 1;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line<'a> {
    /// The first line: what follows.
    Log(Header),
    /// A commit.
    #[serde(borrow)]
    Commit(CommitLine<'a>),
    /// A signed tree head, after the last commit that it covers.
    TreeHead(HeadLine),
    /// The last line: what there was.
    End(End),
}

/// What the export is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// What every subject begins with.
    pub subject_root: String,
    /// Position of the first commit.
    pub from: u64,
    /// Position of the last commit; `from - 1` when there is none.
    pub to: u64,
    /// The tree over the commits before `from`: the hashes of its largest complete subtrees, largest first.
    #[serde(with = "hashes", default, skip_serializing_if = "Vec::is_empty")]
    pub frontier: Vec<TreeHash>,
}

/// A commit as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitLine<'a> {
    /// Its position.
    pub stream_sequence: u64,
    /// Its subject.
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    /// Hex SHA-256 of a zero byte and the body.
    #[serde(borrow)]
    pub leaf_hash: Cow<'a, str>,
    /// The body: its UTF-8 bytes are what was published.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Cow<'a, str>>,
    /// The body in base64, when it is no UTF-8 and so no commit.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Cow<'a, str>>,
}

/// A signed tree head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLine {
    /// The signed note.
    pub note: String,
    /// For a head that covers more commits than the export: the proof that the export's tree is its beginning.
    #[serde(with = "hashes", default, skip_serializing_if = "Vec::is_empty")]
    pub consistency: Vec<TreeHash>,
}

/// Counts, so that an export that was cut off is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Lines of commits.
    pub commits: u64,
    /// Lines of tree heads.
    pub tree_heads: u64,
}

/// Hashes as hexadecimal text.
mod hashes {
    use super::TreeHash;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        hashes: &[TreeHash],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<TreeHash>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let hash = |text: &String| {
            TreeHash::from_hex(text).ok_or_else(|| D::Error::custom(format!("{text} is no hash")))
        };
        texts.iter().map(hash).collect()
    }
}
