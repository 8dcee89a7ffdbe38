//! Text as words: the one rule by which documents and queries are cut, so that both sides agree.
//!
//! Tool names are identifiers. `create_pull_request` and `createPullRequest` become the words of which
//! they are made; a word in mixed case is kept whole as well, because `GitHub` is written `github` in
//! most names. Runs of Chinese, Japanese or Korean letters become overlapping pairs, which finds words
//! without a dictionary. Function words carry no meaning for a search and are dropped.

/// The words of a text, lower-case, in order, without function words. Stemming is left to the index.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for run in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty())
    {
        if run.chars().any(is_unspaced) {
            pairs(run, &mut out);
        } else {
            parts(run, &mut out);
        }
    }
    out.retain(|word| !is_function_word(word));
    out
}

/// An identifier as it would be written in prose: `create_pull_request` becomes `create pull request`.
/// For embedding models, which know words and not identifiers.
#[must_use]
pub fn spoken(identifier: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for run in identifier
        .split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty())
    {
        out.extend(boundaries(run).windows(2).map(|cut| &run[cut[0]..cut[1]]));
    }
    out.join(" ")
}

/// Parts of one run of letters and digits, and the whole run where it has several parts.
fn parts(run: &str, out: &mut Vec<String>) {
    let cuts = boundaries(run);
    if cuts.len() > 2 {
        out.extend(
            cuts.windows(2)
                .map(|cut| run[cut[0]..cut[1]].to_lowercase()),
        );
    }
    out.push(run.to_lowercase());
}

/// Byte positions at which a run in mixed case is cut, its beginning and end included:
/// `createPR` at `PR`, `HTTPServer` at `Server`, `EC2Instance` at `Instance`.
fn boundaries(run: &str) -> Vec<usize> {
    let chars: Vec<(usize, char)> = run.char_indices().collect();
    let mut cuts = vec![0];
    for (i, window) in chars.windows(2).enumerate() {
        let (before, (at, here)) = (window[0].1, window[1]);
        let next_is_lower = chars
            .get(i + 2)
            .is_some_and(|(_, next)| next.is_lowercase());
        let starts_word = here.is_uppercase()
            && (before.is_lowercase()
                || ((before.is_uppercase() || before.is_numeric()) && next_is_lower));
        if starts_word {
            cuts.push(at);
        }
    }
    cuts.push(run.len());
    cuts
}

/// Overlapping pairs of unspaced letters; what stands between them is a word of its own.
fn pairs(run: &str, out: &mut Vec<String>) {
    let chars: Vec<char> = run.chars().collect();
    for group in chars.chunk_by(|a, b| is_unspaced(*a) == is_unspaced(*b)) {
        if !is_unspaced(group[0]) {
            parts(&group.iter().collect::<String>(), out);
        } else if group.len() == 1 {
            out.push(group[0].to_string());
        } else {
            out.extend(group.windows(2).map(|pair| pair.iter().collect::<String>()));
        }
    }
}

/// Whether a letter belongs to a script that is written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c as u32, 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff)
}

fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.binary_search(&word).is_ok()
}

/// English function words, sorted. Articles, pronouns, auxiliaries and prepositions only: verbs and
/// question words of content (`list`, `get`, `find`) tell tools apart and stay.
const FUNCTION_WORDS: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been", "being",
    "but", "by", "can", "could", "did", "do", "does", "doing", "for", "from", "had", "has", "have",
    "having", "he", "her", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "me", "my", "of", "on", "or", "our", "ours", "please", "s", "she", "should", "so", "some",
    "such", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "too", "us", "was", "we", "were", "what", "when", "where", "which", "while",
    "who", "whom", "why", "will", "with", "would", "you", "your", "yours",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_identifiers_into_words() {
        assert_eq!(words("create_pull_request"), ["create", "pull", "request"]);
        assert_eq!(
            words("createPullRequest"),
            ["create", "pull", "request", "createpullrequest"]
        );
        assert_eq!(
            words("list-EC2Instances"),
            ["list", "ec2", "instances", "ec2instances"]
        );
        assert_eq!(words("HTTPServer"), ["http", "server", "httpserver"]);
        assert_eq!(words("GitHub"), ["git", "hub", "github"]);
        assert_eq!(words("s3 v2"), ["s3", "v2"]);
    }

    #[test]
    fn drops_function_words_and_keeps_verbs() {
        assert_eq!(
            words("Please find the issue that is mine"),
            ["find", "issue", "mine"]
        );
        assert!(words("what is it?").is_empty());
        assert!(FUNCTION_WORDS.is_sorted());
    }

    #[test]
    fn pairs_letters_of_scripts_without_spaces() {
        assert_eq!(words("查询车票"), ["查询", "询车", "车票"]);
        assert_eq!(words("用Slack发"), ["用", "slack", "发"]);
    }

    #[test]
    fn speaks_identifiers() {
        assert_eq!(spoken("create_pull_request"), "create pull request");
        assert_eq!(spoken("getVRConcert"), "get VR Concert");
        assert_eq!(spoken("12306-mcp"), "12306 mcp");
    }
}
