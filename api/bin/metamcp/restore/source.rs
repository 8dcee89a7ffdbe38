//! Where the commits of a restore come from.

use crate::audit::Lines;
use crate::audit::format::{CommitLine, FORMAT, Header, Line};
use anyhow::{Context, bail, ensure};
use bus::RestoredCommit;
use data_encoding::BASE64;
use domain::envelope::Commit;
use domain::merkle::leaf_hash;
use projections::archived::{self, ArchiveReader, ArchivedCommit};
use sqlx::PgConnection;
use std::path::Path;

/// Commits in the order of the log, from the first one on.
pub enum Source<'c> {
    /// An export.
    File {
        /// Its lines behind the first.
        lines: Lines,
        /// What the subjects begin with.
        subject_root: String,
        /// The last position that was read.
        position: u64,
    },
    /// `archive.events`.
    Archive(ArchiveReader<'c>),
}

impl<'c> Source<'c> {
    /// An export of the log from its first commit on, and the position at which it says that it ends.
    ///
    /// # Errors
    /// When it is none.
    pub fn file(path: &Path) -> anyhow::Result<(Self, u64)> {
        let mut lines = Lines::open(path)?;
        let first = lines.next_line()?.context("the file is empty")?;
        let Line::Log(header) = serde_json::from_slice(first).context("this is no export")? else {
            bail!("this is no export: its first line is not `log`");
        };
        let Header {
            format,
            subject_root,
            from,
            to,
            ..
        } = header;
        ensure!(
            format == FORMAT,
            "the export has format {format}, this program reads {FORMAT}"
        );
        ensure!(
            from == 1,
            "the export begins at commit {from}: a restore needs all of them"
        );
        let source = Self::File {
            lines,
            subject_root,
            position: 0,
        };
        Ok((source, to))
    }

    /// The archive, over the owner's connection.
    #[must_use]
    pub fn archive(connection: &'c mut PgConnection) -> Self {
        Self::Archive(archived::read(connection))
    }

    /// The next commit, compared with its hash; none at the end.
    ///
    /// # Errors
    /// When the source is damaged or cannot be read.
    pub async fn next(&mut self) -> anyhow::Result<Option<RestoredCommit>> {
        match self {
            Self::File {
                lines,
                subject_root,
                position,
            } => {
                while let Some(line) = lines.next_line()? {
                    if let Line::Commit(commit) = serde_json::from_slice(line)? {
                        *position += 1;
                        return of_line(&commit, subject_root, *position).map(Some);
                    }
                }
                Ok(None)
            }
            Self::Archive(reader) => reader.next().await?.map(of_archive).transpose(),
        }
    }
}

fn of_line(line: &CommitLine<'_>, root: &str, position: u64) -> anyhow::Result<RestoredCommit> {
    let found = line.stream_sequence;
    ensure!(
        found == position,
        "the export has commit {found} where commit {position} belongs"
    );
    let body = match (&line.body, &line.body_base64) {
        (Some(body), None) => body.as_bytes().to_vec(),
        (None, Some(encoded)) => BASE64.decode(encoded.as_bytes())?,
        _ => bail!("commit {position} of the export has no body"),
    };
    ensure!(
        leaf_hash(&body).to_string() == line.leaf_hash,
        "commit {position} of the export was altered: its body does not have its leaf hash"
    );
    let tail = tail(&line.subject, root).context("a subject outside the log's")?;
    Ok(restored(position, tail.to_owned(), body.into()))
}

fn of_archive(archived: ArchivedCommit) -> anyhow::Result<RestoredCommit> {
    let ArchivedCommit {
        stream_sequence,
        body,
        parked_at,
    } = archived;
    let subject_tail = match parked_at {
        // Tenant, aggregate and id are the last three parts of every subject.
        Some(subject) => {
            let parts: Vec<&str> = subject.rsplitn(4, '.').take(3).collect();
            parts.into_iter().rev().collect::<Vec<_>>().join(".")
        }
        None => {
            let commit = Commit::from_bytes(&body)?;
            format!(
                "{}.{}.{}",
                commit.tenant, commit.aggregate, commit.aggregate_id
            )
        }
    };
    Ok(restored(stream_sequence, subject_tail, body))
}

fn restored(stream_sequence: u64, subject_tail: String, body: bytes::Bytes) -> RestoredCommit {
    let commit = Commit::from_bytes(&body).ok();
    RestoredCommit {
        stream_sequence,
        subject_tail,
        message_id: commit.map(|commit| commit.command_id.to_string()),
        body,
    }
}

fn tail<'a>(subject: &'a str, root: &str) -> Option<&'a str> {
    subject.strip_prefix(root)?.strip_prefix('.')
}
