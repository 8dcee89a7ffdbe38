//! The ways of tampering with one commit of an export: what is done, and what has to be found first and named.

use domain::canonical;
use domain::merkle::leaf_hash;
use metamcp::audit::Fault;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// A way of tampering.
pub(super) struct Way {
    pub(super) name: &'static str,
    /// Does it to the commit at an index of the lines.
    pub(super) tamper: fn(&mut Vec<Value>, usize),
    /// What is found then.
    pub(super) finds: fn(&Site) -> Found,
}

/// A fault, and the commits that it names.
pub(super) type Found = (Fault, RangeInclusive<u64>);

/// A commit of a sound export, and what stands around it.
pub(super) struct Site {
    /// The index of its line.
    pub(super) at: usize,
    pub(super) position: u64,
    object: String,
    /// Its number among the object's commits.
    number: u64,
    /// Positions of the object's commits before and behind.
    previous: Option<u64>,
    next: Option<u64>,
    /// Size of the last head before, and of the first one that covers it.
    after: u64,
    head: u64,
}

impl Site {
    /// All commits of an export whose last commit is signed.
    pub(super) fn all(lines: &[Value]) -> Vec<Self> {
        let root = lines[0]["log"]["subject_root"].as_str().unwrap();
        let heads: Vec<u64> = lines.iter().filter_map(signed_size).collect();
        let commits: Vec<(u64, &str)> = lines.iter().filter_map(position_and_subject).collect();
        let site = |(at, line): (usize, &Value)| {
            let (position, subject) = position_and_subject(line)?;
            let same = commits.iter().filter(|(_, other)| *other == subject);
            let same: Vec<u64> = same.map(|(other, _)| *other).collect();
            let index = same.iter().position(|other| *other == position)?;
            Some(Self {
                at,
                position,
                object: subject[root.len() + 1..].to_owned(),
                number: index as u64 + 1,
                previous: index.checked_sub(1).map(|before| same[before]),
                next: same.get(index + 1).copied(),
                after: heads
                    .iter()
                    .rev()
                    .find(|size| **size < position)
                    .copied()
                    .unwrap_or(0),
                head: *heads.iter().find(|size| **size >= position)?,
            })
        };
        lines.iter().enumerate().filter_map(site).collect()
    }

    /// Just this commit.
    fn named(&self, fault: fn(u64) -> Fault) -> Found {
        (fault(self.position), self.position..=self.position)
    }

    fn place(&self, expected: u64, found: u64) -> Found {
        let named = self.position..=expected;
        (Fault::Place { expected, found }, named)
    }

    /// At the next head, before which so many commits stand, or which covers so many.
    fn root(&self, size: u64) -> Found {
        let after = self.after;
        (Fault::Root { size, after }, after + 1..=size)
    }

    fn gap(&self, at: u64, (expected, found): (u64, u64), before: Option<u64>) -> Found {
        let fault = Fault::Gap {
            stream_sequence: at,
            object: self.object.clone(),
            expected,
            found,
            after: before.unwrap_or(0),
        };
        (fault, before.unwrap_or(1)..=at)
    }

    fn chain(&self, at: u64, previous: u64) -> Found {
        let fault = Fault::Chain {
            stream_sequence: at,
            object: self.object.clone(),
            previous,
        };
        (fault, previous..=at)
    }

    /// The object's next commit, if a verifier comes to it before it comes to a head.
    fn next_before_head(&self) -> Option<u64> {
        self.next.filter(|next| *next <= self.head)
    }

    /// Whether the next line is a head.
    fn is_before_head(&self) -> bool {
        self.position == self.head
    }
}

pub(super) const WAYS: [Way; 16] = [
    Way {
        name: "altered",
        tamper: |lines, at| {
            let body = body(&lines[at]).replace("Z\",\"sequence", "1Z\",\"sequence");
            lines[at]["commit"]["body"] = json!(body);
        },
        finds: |site| site.named(Fault::Altered),
    },
    Way {
        name: "leaf hash altered",
        tamper: |lines, at| lines[at]["commit"]["leaf_hash"] = json!("0".repeat(64)),
        finds: |site| site.named(Fault::Altered),
    },
    Way {
        name: "subject altered",
        tamper: |lines, at| lines[at]["commit"]["subject"] = json!(subject(&lines[at]) + "x"),
        finds: |site| site.named(Fault::Subject),
    },
    Way {
        name: "subject altered to one of another root",
        tamper: |lines, at| {
            lines[at]["commit"]["subject"] = json!(format!("other.{}", subject(&lines[at])));
        },
        finds: |site| site.named(Fault::Subject),
    },
    Way {
        name: "written in another form",
        tamper: |lines, at| {
            let body = body(&lines[at]).replacen(':', ": ", 1);
            set_body(&mut lines[at], &body);
        },
        finds: |site| site.named(Fault::NotCanonical),
    },
    Way {
        name: "altered and fitted",
        tamper: |lines, at| rewrite(&mut lines[at], |body| body["actor"]["id"] = json!("x")),
        finds: |site| match site.next_before_head() {
            Some(next) => site.chain(next, site.position),
            None => site.root(site.head),
        },
    },
    Way {
        name: "made unreadable and fitted",
        tamper: |lines, at| set_body(&mut lines[at], "no commit"),
        finds: |site| match site.next_before_head() {
            Some(next) => site.gap(next, (site.number, site.number + 1), site.previous),
            None => site.root(site.head),
        },
    },
    Way {
        name: "number altered and fitted",
        tamper: |lines, at| {
            rewrite(&mut lines[at], |body| {
                body["sequence"] = json!(body["sequence"].as_u64().unwrap() + 1);
            });
        },
        finds: |site| {
            let numbers = (site.number, site.number + 1);
            site.gap(site.position, numbers, site.previous)
        },
    },
    Way {
        name: "hash of the one before altered and fitted",
        tamper: |lines, at| {
            rewrite(&mut lines[at], |body| {
                body["previous_hash"] = json!("0".repeat(64));
            });
        },
        finds: |site| site.chain(site.position, site.previous.unwrap_or(1)),
    },
    Way {
        name: "dropped",
        tamper: |lines, at| drop(lines.remove(at)),
        finds: |site| match site.is_before_head() {
            true => site.root(site.head),
            false => site.place(site.position, site.position + 1),
        },
    },
    Way {
        name: "dropped and renumbered",
        tamper: |lines, at| {
            lines.remove(at);
            renumber(lines);
        },
        finds: |site| match site.next_before_head() {
            Some(next) => site.gap(next - 1, (site.number, site.number + 1), site.previous),
            None => site.root(site.head),
        },
    },
    Way {
        name: "repeated",
        tamper: |lines, at| lines.insert(at, lines[at].clone()),
        finds: |site| site.place(site.position + 1, site.position),
    },
    Way {
        name: "repeated and renumbered",
        tamper: |lines, at| {
            lines.insert(at, lines[at].clone());
            renumber(lines);
        },
        finds: |site| {
            let numbers = (site.number + 1, site.number);
            site.gap(site.position + 1, numbers, Some(site.position))
        },
    },
    Way {
        name: "moved",
        tamper: |lines, at| lines.swap(at, at + 1),
        finds: |site| match site.is_before_head() {
            true => site.root(site.head),
            false => site.place(site.position, site.position + 1),
        },
    },
    Way {
        name: "moved and renumbered",
        tamper: |lines, at| {
            lines.swap(at, at + 1);
            renumber(lines);
        },
        finds: |site| match site.next_before_head() {
            // It changed places with the object's own next one.
            Some(next) if next == site.position + 1 => {
                site.gap(site.position, (site.number, site.number + 1), site.previous)
            }
            _ => site.root(site.head),
        },
    },
    Way {
        name: "a commit of a new object inserted before and all behind renumbered",
        tamper: |lines, at| {
            lines.insert(at, forged(&lines[at], |_| {}));
            renumber(lines);
        },
        finds: |site| site.root(site.head + 1),
    },
];

/// The first commit of an object that is not there, with a body that somebody has changed.
pub(super) fn forged(like: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let (mut line, mut subject) = (like.clone(), subject(like));
    rewrite(&mut line, |body| {
        let id = body["aggregate_id"].as_str().unwrap();
        subject.truncate(subject.len() - id.len());
        body["aggregate_id"] = json!("forged");
        body["sequence"] = json!(1);
        body["previous_hash"] = Value::Null;
        change(body);
    });
    line["commit"]["subject"] = json!(subject + "forged");
    line
}

/// Changes a commit, and writes it in canonical form with the leaf hash that it has then.
pub(super) fn rewrite(line: &mut Value, change: impl FnOnce(&mut Value)) {
    let mut commit: Value = serde_json::from_str(&body(line)).unwrap();
    change(&mut commit);
    let body = String::from_utf8(canonical::to_vec(&commit).unwrap()).unwrap();
    set_body(line, &body);
}

pub(super) fn set_body(line: &mut Value, body: &str) {
    line["commit"]["body"] = json!(body);
    line["commit"]["leaf_hash"] = json!(leaf_hash(body.as_bytes()).to_string());
}

pub(super) fn body(line: &Value) -> String {
    line["commit"]["body"].as_str().unwrap().to_owned()
}

pub(super) fn subject(line: &Value) -> String {
    line["commit"]["subject"].as_str().unwrap().to_owned()
}

/// Gives every commit the position where it stands, and the first and last line what they say of all.
pub(super) fn renumber(lines: &mut [Value]) {
    let mut position = 0;
    for line in lines.iter_mut() {
        if line.get("commit").is_some() {
            position += 1;
            line["commit"]["stream_sequence"] = json!(position);
        }
    }
    lines[0]["log"]["to"] = json!(position);
    let heads = lines.iter().filter_map(signed_size).count();
    let last = lines.len() - 1;
    lines[last]["end"] = json!({ "commits": position, "tree_heads": heads });
}

/// How many commits a line's head covers, if it is one.
pub(super) fn signed_size(line: &Value) -> Option<u64> {
    let note = line["tree_head"]["note"].as_str()?;
    note.lines().nth(1)?.parse().ok()
}

pub(super) fn position_and_subject(line: &Value) -> Option<(u64, &str)> {
    let commit = line.get("commit")?;
    Some((
        commit["stream_sequence"].as_u64()?,
        commit["subject"].as_str()?,
    ))
}
