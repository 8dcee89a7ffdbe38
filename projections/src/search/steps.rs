//! A query that asks for several things, cut into them.
//!
//! The vector of "Find a flight to Oslo. Then book a hotel there." lies between two tools and near neither. So
//! each sentence is asked as well, and a tool counts by what it fits best: the whole query or one sentence.
//! The words need no such cut: BM25 adds up word by word.

use super::words::words;

/// Sentences that are asked beside the whole; each costs an embedding and a scan.
const MAX_SENTENCES: usize = 6;
/// Words with a meaning of their own below which a sentence asks for nothing, such as "Thank you.".
const MIN_WORDS: usize = 2;

/// The texts to embed for a query: the query itself first, then its sentences where there are several.
pub(super) fn steps(query: &str) -> Vec<&str> {
    let mut sentences = sentences(query);
    sentences.retain(|sentence| words(sentence).len() >= MIN_WORDS);
    sentences.truncate(MAX_SENTENCES);
    if sentences.len() < 2 {
        sentences.clear();
    }
    sentences.insert(0, query);
    sentences
}

/// Cuts at the end of a line, and at a mark that ends a sentence: before white space, so that `report.pdf` stays
/// whole; in Chinese and Japanese, which have no spaces, everywhere.
fn sentences(text: &str) -> Vec<&str> {
    let (mut out, mut begin) = (Vec::new(), 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, mark)) = chars.next() {
        let ends = match mark {
            '\n' | '。' | '！' | '？' | '；' => true,
            '.' | '!' | '?' | ';' | ':' => chars
                .peek()
                .is_none_or(|(_, following)| following.is_whitespace()),
            _ => false,
        };
        if ends {
            let end = at + mark.len_utf8();
            out.push(text[begin..end].trim());
            begin = end;
        }
    }
    out.push(text[begin..].trim());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_comes_first_and_each_sentence_after_it() {
        let query = "Find a flight to Oslo. Then book a hotel there!\nsend the plan by mail";
        assert_eq!(
            steps(query),
            [
                query,
                "Find a flight to Oslo.",
                "Then book a hotel there!",
                "send the plan by mail"
            ]
        );
        assert_eq!(
            steps("查询车票。预订酒店"),
            ["查询车票。预订酒店", "查询车票。", "预订酒店"]
        );
    }

    #[test]
    fn one_sentence_is_asked_once() {
        for query in [
            "list my open issues",
            "read report.pdf at https://example.org/v1.2",
            "Please list the issues. Thank you.",
            "...",
        ] {
            assert_eq!(steps(query), [query]);
        }
    }

    #[test]
    fn a_long_query_is_cut_only_so_often() {
        let query = "list open issues. ".repeat(500);
        assert_eq!(steps(&query).len(), 1 + MAX_SENTENCES);
    }
}
