//! Which word occurs in which row how often, and BM25 over it.

use std::collections::HashMap;
use std::ops::Range;

use super::super::error::SearchError;
use super::super::stems::stems_by_word;

/// BM25's parameters, those of LanceDB's index: a table too large for memory is ranked by the same rule.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// The words of some rows.
#[derive(Default)]
pub(super) struct Postings {
    stems: HashMap<Box<str>, Range<u32>>,
    /// Of all stems, one after the other; rows ascend within a stem.
    places: Vec<Place>,
    /// Words of each row.
    lengths: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Place {
    row: u32,
    count: u16,
}

/// What BM25 knows of all rows together.
pub(super) struct Statistics {
    pub(super) rows: usize,
    pub(super) words: u64,
}

/// How much a word of the query counts.
pub(super) struct Weight {
    idf: f32,
    average: f32,
}

impl Postings {
    /// Of the indexed texts of rows.
    pub(super) fn of<'a>(
        texts: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Self, SearchError> {
        let stems = StemsOf::all(texts.clone())?;
        let (mut lists, mut lengths) = (Lists::default(), Vec::new());
        let mut own = Vec::new();
        for (row, text) in (0..).zip(texts) {
            own.clear();
            own.extend(text.split_whitespace().flat_map(|word| stems.of(word)));
            own.sort_unstable();
            for stem in own.chunk_by(|a, b| a == b) {
                let count = u16::try_from(stem.len()).unwrap_or(u16::MAX);
                lists.push(stem[0], Place { row, count });
            }
            lengths.push(u32::try_from(own.len()).unwrap_or(u32::MAX));
        }
        Ok(lists.into_postings(lengths))
    }

    /// Rows of several, taken over: `to` names the new row of an old one, if it has one.
    pub(super) fn merged<'a>(
        parts: impl Iterator<Item = (&'a Self, &'a [Option<u32>])> + Clone,
        rows: usize,
    ) -> Self {
        let (mut lists, mut lengths) = (Lists::default(), vec![0; rows]);
        for (part, to) in parts {
            for (stem, range) in &part.stems {
                let moved = part.range(range).iter().filter_map(|place| {
                    let row = to.get(place.row as usize).copied().flatten()?;
                    Some(Place { row, ..*place })
                });
                moved.for_each(|place| lists.push(stem, place));
            }
            for (length, to) in part.lengths.iter().zip(to) {
                if let Some(kept) = to.and_then(|to| lengths.get_mut(to as usize)) {
                    *kept = *length;
                }
            }
        }
        lists.into_postings(lengths)
    }

    /// Words of a row.
    pub(super) fn length(&self, row: usize) -> u64 {
        self.lengths.get(row).copied().map_or(0, u64::from)
    }

    /// How many of the rows have the stem.
    pub(super) fn rows_with(&self, stem: &str, counts: impl Fn(usize) -> bool) -> usize {
        let places = self.places(stem).iter();
        places.filter(|place| counts(place.row as usize)).count()
    }

    /// How many rows have the stem.
    pub(super) fn all_with(&self, stem: &str) -> usize {
        self.places(stem).len()
    }

    /// Whether a row has the stem.
    pub(super) fn has(&self, stem: &str, row: usize) -> bool {
        let row = |place: &Place| (place.row as usize).cmp(&row);
        self.places(stem).binary_search_by(row).is_ok()
    }

    /// Adds what a stem is worth to the score of each row that has it.
    pub(super) fn score(&self, stem: &str, weight: &Weight, scores: &mut [f32]) {
        for place in self.places(stem) {
            let row = place.row as usize;
            if let (Some(score), Some(length)) = (scores.get_mut(row), self.lengths.get(row)) {
                *score += weight.points(f32::from(place.count), *length as f32);
            }
        }
    }

    fn places(&self, stem: &str) -> &[Place] {
        let range = self.stems.get(stem);
        range.map_or(&[], |range| self.range(range))
    }

    fn range(&self, range: &Range<u32>) -> &[Place] {
        let range = range.start as usize..range.end as usize;
        self.places.get(range).unwrap_or_default()
    }
}

impl Statistics {
    /// The weight of a word that so many rows have.
    pub(super) fn weight(&self, with: usize) -> Weight {
        let (rows, with) = (self.rows as f32, with as f32);
        Weight {
            idf: ((rows - with + 0.5) / (with + 0.5) + 1.0).ln(),
            average: self.words as f32 / rows,
        }
    }
}

impl Weight {
    fn points(&self, count: f32, length: f32) -> f32 {
        let norm = K1 * (1.0 - B + B * length / self.average);
        self.idf * ((K1 + 1.0) * count / (count + norm))
    }
}

/// The stems of the different words of texts.
struct StemsOf<'a>(HashMap<&'a str, Vec<String>>);

impl<'a> StemsOf<'a> {
    fn all(texts: impl Iterator<Item = &'a str>) -> Result<Self, SearchError> {
        let mut known: HashMap<&str, Vec<String>> = HashMap::new();
        let mut words = Vec::new();
        for word in texts.flat_map(str::split_whitespace) {
            known.entry(word).or_insert_with(|| {
                words.push(word);
                Vec::new()
            });
        }
        for (place, stem) in stems_by_word(&words)? {
            if let Some(stems) = words.get(place).and_then(|word| known.get_mut(word)) {
                stems.push(stem);
            }
        }
        Ok(Self(known))
    }

    fn of(&self, word: &str) -> impl Iterator<Item = &str> {
        let stems = self.0.get(word).into_iter().flatten();
        stems.map(String::as_str)
    }
}

/// Postings while they are collected.
#[derive(Default)]
struct Lists(HashMap<Box<str>, Vec<Place>>);

impl Lists {
    fn push(&mut self, stem: &str, place: Place) {
        match self.0.get_mut(stem) {
            Some(list) => list.push(place),
            None => drop(self.0.insert(stem.into(), vec![place])),
        }
    }

    fn into_postings(self, lengths: Vec<u32>) -> Postings {
        let mut postings = Postings {
            lengths,
            ..Postings::default()
        };
        for (stem, mut list) in self.0 {
            list.sort_unstable_by_key(|place| place.row);
            let begin = postings.places.len() as u32;
            postings.places.extend(list);
            let range = begin..postings.places.len() as u32;
            postings.stems.insert(stem, range);
        }
        postings
    }
}
