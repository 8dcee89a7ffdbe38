//! Verifies an export, offline: places, leaf hashes, canonical form, each object's numbering and hash chain,
//! the Merkle root at every signed head, and the signatures. One pass; memory grows with the number of
//! objects (a hash each), not with that of commits.

use super::chain::{Link, follows};
use super::examine::{Examined, ExaminedCommit, LinkOf};
use super::fault::Fault;
use super::format::{FORMAT, HeadLine, Header};
use domain::merkle::{Frontier, verify_consistency};
use projections::ledger::{SignedHead, VerifyingKey};
use std::collections::{HashMap, VecDeque};

/// What a verification has found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Position of the first commit.
    pub from: u64,
    /// Position of the last one.
    pub to: u64,
    /// How many objects the commits are of.
    pub objects: u64,
    /// Bodies that are no commit: their bytes are covered by the tree, and nothing else of them was checked.
    pub unreadable: u64,
    /// Heads of the export that are signed by a trusted key, and agree.
    pub heads: u64,
    /// Heads that only others have signed: they say nothing here.
    pub unknown_heads: u64,
    /// Commits up to this position are covered by a signed head; those behind it are not.
    pub signed_to: u64,
    /// The keys whose signatures in the export were good, as `<name>+<key id>`.
    pub keys: Vec<String>,
    /// What the heads said that were kept elsewhere.
    pub kept: Kept,
    /// The tree over everything up to `to`.
    pub tree: Frontier,
}

/// How the heads that were kept elsewhere compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Heads that are signed by a trusted key, and agree.
    pub heads: u64,
    /// Whose they are, as `<name>+<key id>`.
    pub keys: Vec<String>,
    /// Heads over fewer commits than lie before a part of the log: nothing here is to be compared with them.
    pub before: u64,
    /// Heads over more commits than a part of the log ends with, which are not proved to continue it.
    pub beyond: u64,
    /// How many commits the largest of those covers.
    pub largest_beyond: Option<u64>,
    /// Heads that only others have signed: they say nothing here.
    pub unknown: u64,
}

impl Kept {
    /// Whether any were given.
    #[must_use]
    pub fn any(&self) -> bool {
        self.heads + self.before + self.beyond + self.unknown > 0
    }
}

/// Takes an export line by line, each of them [examined](super::examine::examine) before.
pub struct Verifier {
    keys: Vec<VerifyingKey>,
    /// Heads that were kept elsewhere, smallest first.
    kept: VecDeque<SignedHead>,
    header: Option<Header>,
    ended: bool,
    /// A trusted head says that the log goes on behind the export's end.
    continues: bool,
    lines: u64,
    head_lines: u64,
    chains: HashMap<Box<str>, Link>,
    state: Verified,
}

impl Verifier {
    /// Trusts these keys, and holds the export to heads that were kept elsewhere.
    ///
    /// # Errors
    /// [`Fault::Signature`] when a kept head is not by the key that it names.
    pub fn new(keys: Vec<VerifyingKey>, kept: Vec<SignedHead>) -> Result<Self, Fault> {
        let mut trusted = Vec::new();
        let mut unknown = 0;
        for head in kept {
            match signers(&head, &keys)?.is_empty() {
                true => unknown += 1,
                false => trusted.push(head),
            }
        }
        trusted.sort_by_key(|head| head.head().size);
        Ok(Self {
            keys,
            kept: trusted.into(),
            header: None,
            ended: false,
            continues: false,
            lines: 0,
            head_lines: 0,
            chains: HashMap::new(),
            state: Verified {
                from: 1,
                to: 0,
                objects: 0,
                unreadable: 0,
                heads: 0,
                unknown_heads: 0,
                signed_to: 0,
                keys: Vec::new(),
                kept: Kept {
                    unknown,
                    ..Kept::default()
                },
                tree: Frontier::default(),
            },
        })
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// [`Fault`], the first one.
    pub(super) fn take(&mut self, line: Examined) -> Result<(), Fault> {
        self.lines += 1;
        let begun = self.header.as_ref().map(|header| (header.from, header.to));
        match (line, begun, self.ended) {
            (Examined::Malformed(reason), _, _) => Err(self.format(reason)),
            (Examined::Log(header), None, false) => self.begin(header),
            (Examined::Commit(commit), Some(_), false) => self.commit(&commit),
            (Examined::TreeHead(head), Some(_), false) => self.tree_head(&head),
            (Examined::End(end), Some((from, to)), false) => {
                self.ended = true;
                let last = self.state.tree.size();
                let commits = last + 1 - from;
                let whole =
                    end.commits == commits && end.tree_heads == self.head_lines && to == last;
                let fault = Fault::NotWhole { end: last, to };
                whole.then_some(()).ok_or(fault)
            }
            (_, None, _) => Err(self.format("the first line must be `log`")),
            (_, Some(_), _) => Err(self.format("it stands where no such line belongs")),
        }
    }

    /// Ends the verification.
    ///
    /// # Errors
    /// [`Fault`], the first one.
    pub fn finish(mut self) -> Result<Verified, Fault> {
        let end = self.state.tree.size();
        if !self.ended {
            let to = self.header.map_or(end, |header| header.to);
            return Err(Fault::NotWhole { end, to });
        }
        // A part is known to be one: it begins later, or has the proof that the log goes on behind it.
        let is_part = self.state.from > 1 || self.continues;
        if let Some(head) = self.kept.front() {
            let signed = head.head().size;
            if !is_part {
                return Err(Fault::Shorter { signed, end });
            }
            self.state.kept.beyond = self.kept.len() as u64;
            self.state.kept.largest_beyond = self.kept.back().map(|head| head.head().size);
        }
        if self.state.heads + self.state.kept.heads == 0 {
            return Err(Fault::Unsigned);
        }
        self.state.to = end;
        self.state.objects = self.chains.len() as u64;
        Ok(self.state)
    }

    fn begin(&mut self, header: Header) -> Result<(), Fault> {
        if header.format != FORMAT {
            let text = format!(
                "its format is {}, this program reads {FORMAT}",
                header.format
            );
            return Err(self.format(text));
        }
        let before = header.from.checked_sub(1);
        let tree = before.and_then(|before| Frontier::new(before, header.frontier.clone()));
        let tree = tree.ok_or_else(|| self.format("its frontier is not one of `from` - 1"))?;
        self.state.from = header.from;
        // What lies before is vouched for by the first head that agrees, and by nothing until then.
        self.state.signed_to = tree.size();
        let given = self.kept.len();
        self.kept.retain(|head| head.head().size >= tree.size());
        self.state.kept.before = (given - self.kept.len()) as u64;
        self.state.tree = tree;
        self.header = Some(header);
        self.compare_kept()
    }

    fn commit(&mut self, commit: &ExaminedCommit) -> Result<(), Fault> {
        let (expected, found) = (self.state.tree.size() + 1, commit.stream_sequence);
        if found != expected {
            return Err(Fault::Place { expected, found });
        }
        if !commit.leaf_agrees {
            return Err(Fault::Altered(found));
        }
        match &commit.link {
            Some(link) => self.link(found, &commit.subject, link)?,
            None => self.state.unreadable += 1,
        }
        self.state.tree.push(commit.leaf, |_, _| {});
        self.compare_kept()
    }

    /// Compares a commit with the one before of its object.
    fn link(&mut self, at: u64, subject: &str, link: &LinkOf) -> Result<(), Fault> {
        if !link.canonical {
            return Err(Fault::NotCanonical(at));
        }
        let root = self
            .header
            .as_ref()
            .map_or("", |header| &header.subject_root);
        // A dot stands between the two.
        let (before, object) = match link.object {
            Some(begin) => (&subject[..begin - 1], &subject[begin..]),
            None => return Err(Fault::Subject(at)),
        };
        if before != root {
            return Err(Fault::Subject(at));
        }
        let from = self.state.from;
        let now = Link {
            stream_sequence: at,
            sequence: link.sequence,
            hash: link.hash,
        };
        let Some(before) = self.chains.get_mut(object) else {
            // Where the export begins in the middle, so may an object's chain.
            if from == 1 {
                follows((at, object), link.sequence, |hash| link.names(hash), None)?;
            }
            self.chains.insert(object.into(), now);
            return Ok(());
        };
        follows(
            (at, object),
            link.sequence,
            |hash| link.names(hash),
            Some(before),
        )?;
        *before = now;
        Ok(())
    }

    fn tree_head(&mut self, line: &HeadLine) -> Result<(), Fault> {
        self.head_lines += 1;
        let head = SignedHead::parse(&line.note).map_err(|error| self.format(error.to_string()))?;
        let good = signers(&head, &self.keys)?;
        if good.is_empty() {
            self.state.unknown_heads += 1;
            return Ok(());
        }
        add(&mut self.state.keys, good);
        let (size, root) = (head.head().size, head.head().root);
        let end = self.state.tree.size();
        if size <= end {
            self.compare(&head)?;
            self.state.heads += 1;
            return Ok(());
        }
        let (old, new) = ((end, self.state.tree.root()), (size, root));
        if line.consistency.is_empty() {
            // It stands behind the last commit that it covers: one of them is missing.
            let after = self.state.signed_to;
            return Err(Fault::Root { size, after });
        }
        if !verify_consistency(old, new, &line.consistency) {
            let after = self.state.signed_to;
            return Err(Fault::Consistency { size, end, after });
        }
        self.state.heads += 1;
        self.state.signed_to = end;
        self.continues = true;
        // It vouches for no more than the export has: what lies between is not here to be verified.
        // Over one size there is one root, whatever name the log had.
        let (same, others): (VecDeque<_>, _) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition(|kept| kept.head().size == size);
        self.kept = others;
        for kept in same {
            if kept.head().root != root {
                let after = self.state.signed_to;
                return Err(Fault::Root { size, after });
            }
            self.agrees(&kept)?;
        }
        Ok(())
    }

    /// Compares the tree with a trusted head, which must be over just these commits.
    fn compare(&mut self, head: &SignedHead) -> Result<(), Fault> {
        let (size, tree) = (head.head().size, &self.state.tree);
        if size < tree.size() || tree.root() != head.head().root {
            return Err(Fault::Root {
                size: tree.size(),
                after: self.state.signed_to.min(size),
            });
        }
        self.state.signed_to = size;
        Ok(())
    }

    /// Counts a kept head.
    fn agrees(&mut self, head: &SignedHead) -> Result<(), Fault> {
        self.state.kept.heads += 1;
        add(&mut self.state.kept.keys, signers(head, &self.keys)?);
        Ok(())
    }

    fn compare_kept(&mut self) -> Result<(), Fault> {
        let size = self.state.tree.size();
        while let Some(head) = self.kept.pop_front_if(|head| head.head().size <= size) {
            self.compare(&head)?;
            self.agrees(&head)?;
        }
        Ok(())
    }

    fn format(&self, reason: impl Into<String>) -> Fault {
        Fault::Format {
            line: self.lines,
            reason: reason.into(),
        }
    }
}

/// Adds names that are not there yet.
fn add(names: &mut Vec<String>, more: Vec<String>) {
    names.extend(more);
    names.sort();
    names.dedup();
}

/// The trusted keys that signed a head.
fn signers(head: &SignedHead, keys: &[VerifyingKey]) -> Result<Vec<String>, Fault> {
    let good = head.verify(keys).map_err(|error| Fault::Signature {
        size: head.head().size,
        key: error.0,
    })?;
    let name = |key: &&VerifyingKey| format!("{}+{}", key.name(), key.id());
    Ok(good.iter().map(name).collect())
}
