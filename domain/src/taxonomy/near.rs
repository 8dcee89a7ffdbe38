//! Which slugs somebody may have meant.

/// Most suggestions.
const MOST: usize = 3;

/// The candidates that are written much like a word: at most a third of its letters differ, or one holds
/// the other. Nearest first; ties in the order of the alphabet.
pub(super) fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let most = word.len().div_ceil(3);
    let text: String = word.iter().collect();
    let mut found: Vec<(usize, &str)> = candidates
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.chars().collect();
            let apart = distance(&word, &letters);
            let holds = word.len() > 2 && letters.len() > 2;
            let holds = holds && (candidate.contains(&text) || text.contains(candidate));
            (apart <= most || holds).then_some((apart, candidate))
        })
        .collect();
    found.sort_unstable();
    let nearest = found.into_iter().take(MOST);
    nearest.map(|(_, slug)| slug.to_owned()).collect()
}

/// Letters to insert, delete or replace to make one word of the other (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let slugs = ["databases", "developer-tools", "monitoring", "data"];
        let near = |word| near(word, slugs.into_iter());
        assert_eq!(near("database"), ["databases", "data"]);
        assert_eq!(near("Monitorng"), ["monitoring"]);
        assert_eq!(near("tools"), ["developer-tools"]);
        assert!(near("finance").is_empty());
        assert!(near("").is_empty());
    }
}
