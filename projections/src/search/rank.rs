//! One order from two lists, pure.
//!
//! The two measures are added, each in a unit that tells how sure it is. BM25 is a sum of evidence: a rare word
//! that is found counts much, a common one little, and three words count more than one. So it is taken as it is:
//! where a query's words are found, it decides, and where they are not, it leaves the decision to the vectors.
//! A cosine has no unit, every model spreads its cosines differently, so it is measured in standard deviations
//! among the candidates. Bringing BM25 to standard deviations as well, or both to ranks, forgets that evidence and
//! costs NDCG@10 (`benches/search_quality.md`).

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
    /// From 0 to 1, the share of the best one's points; comparable within one answer only.
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
}

/// Points of BM25 that one standard deviation of the cosines is worth.
const POINTS_PER_DEVIATION: f32 = 4.0;
/// The usual standard deviation of cosines among the candidates: the median over the benchmarks. It keeps a handful
/// of candidates from being stretched apart as if they were a hundred.
const USUAL_DEVIATION: f32 = 0.06;
/// As how many candidates the usual deviation counts.
const PRIOR: f32 = 10.0;

/// Fuses BM25 scores and cosines. Ties keep the order of the row ids, so that an answer is the same every time.
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
    let unmatched = if text.is_cut() { text.last() } else { 0.0 };
    let (farthest, deviation) = (vector.last(), vector.deviation());
    for row in &mut fused {
        let words = row.text.map_or(unmatched, |place| place.score);
        let nearer = row.vector.map_or(0.0, |place| place.score - farthest);
        row.score = words + POINTS_PER_DEVIATION * nearer / deviation;
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    let best = fused.first().map_or(0.0, |row| row.score);
    for row in &mut fused {
        // Where no one has a point, all are as good as the best.
        row.score = if best > 0.0 { row.score / best } else { 1.0 };
    }
    fused
}

/// The best `depth` rows of several lists of one measure; of a row that stands in several, the best score counts.
#[must_use]
pub fn best_of(lists: Vec<Vec<Candidate>>, depth: usize) -> Vec<Candidate> {
    let mut best: HashMap<u64, f32> = HashMap::new();
    for Candidate { row, score } in lists.into_iter().flatten() {
        let held = best.entry(row).or_insert(score);
        *held = held.max(score);
    }
    let mut found: Vec<Candidate> = best
        .into_iter()
        .map(|(row, score)| Candidate { row, score })
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    found.truncate(depth);
    found
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

    /// Whether rows may fit that the list does not hold. At best, they fit as well as the last one.
    fn is_cut(&self) -> bool {
        self.found.len() >= self.depth
    }

    fn last(&self) -> f32 {
        self.found.last().map_or(0.0, |last| last.score)
    }

    /// The standard deviation of the scores, drawn towards the usual one where there are few.
    fn deviation(&self) -> f32 {
        let count = self.found.len() as f32;
        let mean = self.found.iter().map(|found| found.score).sum::<f32>() / count.max(1.0);
        let square = |found: &Candidate| (found.score - mean).powi(2);
        let squares: f32 = self.found.iter().map(square).sum();
        ((squares + PRIOR * USUAL_DEVIATION.powi(2)) / (count + PRIOR)).sqrt()
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

    fn fused(text: &[(u64, f32)], vector: &[(u64, f32)]) -> Vec<Fused> {
        let (text, vector) = (list(text), list(vector));
        fuse(
            List {
                found: &text,
                depth: 3,
            },
            List {
                found: &vector,
                depth: 3,
            },
        )
    }

    fn order(text: &[(u64, f32)], vector: &[(u64, f32)]) -> Vec<u64> {
        fused(text, vector).iter().map(|row| row.row).collect()
    }

    #[test]
    fn one_list_alone_keeps_its_order() {
        assert_eq!(order(&[(7, 9.0), (1, 4.0), (5, 3.9)], &[]), [7, 1, 5]);
        assert_eq!(order(&[], &[(7, 0.9), (1, 0.4)]), [7, 1]);
        assert!(order(&[], &[]).is_empty());
    }

    #[test]
    fn a_list_that_tells_nothing_leaves_the_order_of_the_other() {
        let vector = [(7, 0.9), (1, 0.41), (5, 0.4)];
        assert_eq!(order(&[(5, 6.0), (1, 6.0), (7, 6.0)], &vector), [7, 1, 5]);
        let text = [(7, 9.0), (1, 8.9), (5, 3.9)];
        assert_eq!(order(&text, &[(1, 0.5), (5, 0.5), (7, 0.5)]), [7, 1, 5]);
    }

    #[test]
    fn what_both_lists_hold_comes_first() {
        let vector = [(3, 0.6), (2, 0.58), (4, 0.4)];
        assert_eq!(order(&[(1, 9.0), (2, 8.0)], &vector)[0], 2);
    }

    #[test]
    fn words_decide_by_the_evidence_they_give_and_not_by_their_share_of_it() {
        let vector = [(2, 0.50), (3, 0.45), (1, 0.40)];
        assert_eq!(order(&[(1, 30.0), (2, 15.0), (3, 15.0)], &vector)[0], 1);
        assert_eq!(order(&[(1, 3.0), (2, 1.5), (3, 1.5)], &vector)[0], 2);
    }

    #[test]
    fn where_a_models_cosines_lie_does_not_matter() {
        let text = [(1, 9.0), (2, 6.0), (3, 5.0)];
        let vector = [(2, 0.50), (3, 0.45), (1, 0.40)];
        let shifted = vector.map(|(row, score)| (row, score + 0.4));
        assert_eq!(order(&text, &vector), order(&text, &shifted));
    }

    #[test]
    fn a_row_that_matches_no_word_of_a_short_list_counts_as_no_match() {
        // Both are alike by meaning; only one contains the word.
        assert_eq!(order(&[(2, 0.5)], &[(1, 0.400), (2, 0.399)]), [2, 1]);
    }

    #[test]
    fn a_row_below_a_cut_list_counts_as_its_last() {
        let text = [(1, 9.0), (2, 8.9), (3, 8.8)];
        assert_eq!(order(&text, &[(4, 0.9), (1, 0.5), (2, 0.5)])[0], 4);
    }

    #[test]
    fn ties_keep_the_order_of_rows_and_places_are_told() {
        let fused = fused(&[(4, 1.0), (2, 1.0)], &[]);
        assert_eq!(fused.iter().map(|f| f.row).collect::<Vec<_>>(), [2, 4]);
        let second = Place {
            rank: 2,
            score: 1.0,
        };
        assert_eq!((fused[0].text, fused[0].vector), (Some(second), None));
    }

    #[test]
    fn scores_are_shares_of_the_best() {
        let scores = |rows: Vec<Fused>| rows.iter().map(|row| row.score).collect::<Vec<_>>();
        assert_eq!(scores(fused(&[(1, 8.0), (2, 2.0)], &[])), [1.0, 0.25]);
        assert_eq!(scores(fused(&[], &[(1, 0.3)])), [1.0]);
    }

    #[test]
    fn of_several_lists_the_best_score_of_a_row_counts() {
        let lists = vec![list(&[(1, 0.9), (2, 0.3)]), list(&[(2, 0.8), (3, 0.3)])];
        assert_eq!(best_of(lists.clone(), 2), list(&[(1, 0.9), (2, 0.8)]));
        assert_eq!(best_of(lists, 9).len(), 3);
        assert!(best_of(Vec::new(), 2).is_empty());
    }
}
