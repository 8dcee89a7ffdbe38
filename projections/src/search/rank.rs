//! One order from two lists, pure.
//!
//! Both lists' scores are standardised over all candidates of the query (how many standard deviations
//! above the mean) and added. Ranks alone, as in reciprocal-rank fusion, forget whether the first hit is
//! far ahead or one of many alike, and that costs NDCG@10 (`benches/search_quality.md`).

use std::collections::HashMap;

/// A row of the table and how well it fits by one measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The row's id in the version that is read.
    pub row: u64,
    /// BM25 or cosine.
    pub score: f32,
}

/// A candidate's place in one list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1.
    pub rank: usize,
    /// The list's own score.
    pub score: f32,
}

/// A row with its places and its fused score.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    /// The row's id.
    pub row: u64,
    /// From 0 to 1, higher is better; comparable within one answer only.
    pub score: f32,
    /// Place among the texts.
    pub text: Option<Place>,
    /// Place among the vectors.
    pub vector: Option<Place>,
}

/// A list that was asked for its best `depth` rows.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// Best first.
    pub found: &'a [Candidate],
    /// How many were asked for: a shorter list holds every row that fits at all.
    pub depth: usize,
    /// The usual standard deviation of its scores, see [`TEXT_SPREAD`].
    pub spread: f32,
}

/// The usual standard deviation of BM25 scores among candidates: the median over the benchmarks. It keeps
/// a handful of candidates from being stretched apart as if they were a hundred.
pub const TEXT_SPREAD: f32 = 3.0;
/// The same for cosines.
pub const VECTOR_SPREAD: f32 = 0.06;
/// As how many candidates the usual spread counts.
const PRIOR: f32 = 10.0;
/// Share of the vectors in a score; the rest is the words'.
const VECTOR_SHARE: f32 = 0.55;

/// Fuses the lists. Ties keep the order of the row ids, so that an answer is the same every time.
#[must_use]
pub fn fuse(text: List<'_>, vector: List<'_>) -> Vec<Fused> {
    let mut rows: HashMap<u64, Fused> = HashMap::new();
    let empty = |row| Fused {
        row,
        score: 0.0,
        text: None,
        vector: None,
    };
    for (place, row) in text.places() {
        rows.entry(row).or_insert_with(|| empty(row)).text = Some(place);
    }
    for (place, row) in vector.places() {
        rows.entry(row).or_insert_with(|| empty(row)).vector = Some(place);
    }
    let mut fused: Vec<Fused> = rows.into_values().collect();
    let by_text = text.standardised(fused.iter().map(|row| row.text));
    let by_vector = vector.standardised(fused.iter().map(|row| row.vector));
    for (row, score) in fused.iter_mut().zip(by_text.iter().zip(&by_vector)) {
        let score = (1.0 - VECTOR_SHARE) * score.0 + VECTOR_SHARE * score.1;
        row.score = 1.0 / (1.0 + (-score).exp());
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    fused
}

impl List<'_> {
    fn places(&self) -> impl Iterator<Item = (Place, u64)> + '_ {
        let place = |(i, found): (usize, &Candidate)| {
            (
                Place {
                    rank: i + 1,
                    score: found.score,
                },
                found.row,
            )
        };
        self.found.iter().enumerate().map(place)
    }

    /// The score of a row that the list does not hold: at best the last one's where the list was cut, and nothing
    /// where it holds all that fits.
    fn floor(&self) -> f32 {
        self.found
            .last()
            .filter(|_| self.found.len() >= self.depth)
            .map_or(0.0, |last| last.score)
    }

    fn standardised(&self, places: impl Iterator<Item = Option<Place>>) -> Vec<f32> {
        let floor = self.floor();
        let scores: Vec<f32> = places
            .map(|place| place.map_or(floor, |place| place.score))
            .collect();
        let count = scores.len() as f32;
        let mean = scores.iter().sum::<f32>() / count.max(1.0);
        let squares: f32 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        let deviation = ((squares + PRIOR * self.spread.powi(2)) / (count + PRIOR)).sqrt();
        scores
            .into_iter()
            .map(|score| (score - mean) / deviation)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rows: &[(u64, f32)]) -> Vec<Candidate> {
        rows.iter()
            .map(|&(row, score)| Candidate { row, score })
            .collect()
    }

    fn order(text: &[(u64, f32)], vector: &[(u64, f32)]) -> Vec<u64> {
        let (text, vector) = (list(text), list(vector));
        let text = List {
            found: &text,
            depth: 3,
            spread: TEXT_SPREAD,
        };
        let vector = List {
            found: &vector,
            depth: 3,
            spread: VECTOR_SPREAD,
        };
        fuse(text, vector)
            .into_iter()
            .map(|fused| fused.row)
            .collect()
    }

    #[test]
    fn one_list_alone_keeps_its_order() {
        assert_eq!(order(&[(7, 9.0), (1, 4.0), (5, 3.9)], &[]), [7, 1, 5]);
        assert_eq!(order(&[], &[(7, 0.9), (1, 0.4)]), [7, 1]);
        assert!(order(&[], &[]).is_empty());
    }

    #[test]
    fn what_both_lists_hold_comes_first() {
        assert_eq!(order(&[(1, 9.0), (2, 8.0)], &[(3, 0.6), (2, 0.58)])[0], 2);
    }

    #[test]
    fn a_clear_winner_of_one_list_beats_a_narrow_winner_of_the_other() {
        assert_eq!(
            order(
                &[(1, 30.0), (2, 5.0), (3, 4.0)],
                &[(2, 0.51), (3, 0.50), (1, 0.49)]
            )[0],
            1
        );
        assert_eq!(
            order(
                &[(1, 5.1), (2, 5.0), (3, 4.9)],
                &[(2, 0.80), (3, 0.30), (1, 0.29)]
            )[0],
            2
        );
    }

    #[test]
    fn a_row_that_matches_no_word_of_a_short_list_counts_as_no_match() {
        // Both are alike by meaning; only one contains the word.
        assert_eq!(order(&[(2, 0.5)], &[(1, 0.400), (2, 0.399)]), [2, 1]);
    }

    #[test]
    fn ties_keep_the_order_of_rows_and_places_are_told() {
        let found = list(&[(4, 1.0), (2, 1.0)]);
        let none = List {
            found: &[],
            depth: 3,
            spread: VECTOR_SPREAD,
        };
        let fused = fuse(
            List {
                found: &found,
                depth: 3,
                spread: TEXT_SPREAD,
            },
            none,
        );
        assert_eq!(fused.iter().map(|f| f.row).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(
            fused[0].text,
            Some(Place {
                rank: 2,
                score: 1.0
            })
        );
        assert_eq!((fused[0].vector, fused[0].score), (None, 0.5));
    }
}
