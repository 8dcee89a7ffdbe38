//! Counting sessions: what a use adds, given what the session has used before. Pure.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Silence that ends a piece of work: what follows begins another one.
const PAUSE: TimeDelta = TimeDelta::minutes(30);
/// Tools of a session that a new one is paired with, the latest: a session of hundreds says nothing of pairs.
const MOST: usize = 32;

/// The tools of one session, each with its last use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    tools: Vec<(String, DateTime<Utc>)>,
}

/// What was counted: to be added to what was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// For a tool: sessions that used it, and steps that led on from it.
    pub tools: BTreeMap<String, (u64, u64)>,
    /// For a tool and a day (UTC): sessions that first used it on that day.
    pub days: BTreeMap<(String, NaiveDate), u64>,
    /// For a tool and another: sessions that used both, and steps from the one to the other.
    pub pairs: BTreeMap<(String, String), (u64, u64)>,
}

impl Session {
    /// A session as it was stored: its tools in the order of their last use.
    #[must_use]
    pub fn new(mut tools: Vec<(String, DateTime<Utc>)>) -> Self {
        tools.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        Self { tools }
    }

    /// The tools in the order of their last use.
    #[must_use]
    pub fn tools(&self) -> &[(String, DateTime<Utc>)] {
        &self.tools
    }

    /// Takes a use.
    pub fn count(&mut self, tool: &str, at: DateTime<Utc>, counts: &mut Counts) {
        self.tools.retain(|(_, before)| at - *before <= PAUSE);
        if let Some((last, _)) = self.tools.last()
            && last != tool
        {
            counts.tools.entry(last.clone()).or_default().1 += 1;
            let pair = (last.clone(), tool.to_owned());
            counts.pairs.entry(pair).or_default().1 += 1;
        }
        match self.tools.iter().position(|(known, _)| known == tool) {
            Some(place) => drop(self.tools.remove(place)),
            None => {
                counts.tools.entry(tool.to_owned()).or_default().0 += 1;
                let day = (tool.to_owned(), at.date_naive());
                *counts.days.entry(day).or_default() += 1;
                for (other, _) in self.tools.iter().rev().take(MOST) {
                    for (one, another) in [(other.as_str(), tool), (tool, other.as_str())] {
                        let pair = (one.to_owned(), another.to_owned());
                        counts.pairs.entry(pair).or_default().0 += 1;
                    }
                }
            }
        }
        self.tools.push((tool.to_owned(), at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn count(uses: &[(&str, i64)]) -> Counts {
        let (mut session, mut counts) = (Session::default(), Counts::default());
        for (tool, minutes) in uses {
            session.count(tool, at(*minutes), &mut counts);
        }
        counts
    }

    fn pair(counts: &Counts, one: &str, other: &str) -> (u64, u64) {
        let pair = (one.to_owned(), other.to_owned());
        counts.pairs.get(&pair).copied().unwrap_or_default()
    }

    #[test]
    fn a_session_counts_once_for_each_pair_and_every_step() {
        let counts = count(&[("a", 0), ("b", 1), ("a", 2), ("b", 3), ("b", 4), ("c", 5)]);
        assert_eq!(
            pair(&counts, "a", "b"),
            (1, 2),
            "together once, a then b twice"
        );
        assert_eq!(pair(&counts, "b", "a"), (1, 1));
        assert_eq!(pair(&counts, "c", "a"), (1, 0));
        assert_eq!(counts.tools["a"], (1, 2));
        assert_eq!(counts.tools["b"], (1, 2));
        assert_eq!(counts.tools["c"], (1, 0));
    }

    #[test]
    fn a_pause_begins_another_piece_of_work() {
        let counts = count(&[("a", 0), ("b", 31), ("a", 32)]);
        assert_eq!(
            pair(&counts, "a", "b"),
            (1, 0),
            "b came too late to follow a"
        );
        assert_eq!(pair(&counts, "b", "a"), (1, 1));
        assert_eq!(counts.tools["a"].0, 2);
    }

    #[test]
    fn a_session_counts_on_the_day_of_its_first_use() {
        let midnight = 24 * 60;
        let counts = count(&[
            ("a", midnight - 5),
            ("b", midnight - 4),
            ("a", midnight + 5),
            ("a", 2 * midnight),
        ]);
        let day = |tool: &str, days| {
            let key = (tool.to_owned(), at(days * midnight).date_naive());
            counts.days.get(&key).copied().unwrap_or_default()
        };
        assert_eq!((day("a", 0), day("a", 1), day("a", 2)), (1, 0, 1));
        assert_eq!((day("b", 0), day("b", 1)), (1, 0));
    }

    #[test]
    fn a_session_of_hundreds_pairs_with_the_latest_only() {
        let names: Vec<String> = (0..100).map(|n| format!("t{n:03}")).collect();
        let uses: Vec<_> = names.iter().map(|name| (name.as_str(), 0)).collect();
        let counts = count(&uses);
        let of_last = counts.pairs.keys().filter(|(one, _)| one == "t099").count();
        assert_eq!(of_last, MOST);
    }
}
