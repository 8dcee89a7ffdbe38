//! Passing over plain bytes: most of a commit is text in which nothing is special.

/// Bytes that are looked at together.
const TOGETHER: usize = 16;

/// How many bytes, from the first on, are plain. Several are looked at in one go without a branch between them, of
/// which compilers make vector instructions.
pub(crate) fn run(bytes: &[u8], is_plain: impl Fn(u8) -> bool) -> usize {
    let all = |part: &[u8]| part.iter().fold(true, |all, byte| all & is_plain(*byte));
    let parts = bytes.chunks_exact(TOGETHER).take_while(|part| all(part));
    let at = parts.count() * TOGETHER;
    let rest = bytes[at..].iter();
    at + rest.take_while(|byte| is_plain(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_at_the_first_byte_that_is_not_plain(bytes in proptest::collection::vec(0u8..40, 0..60)) {
            let is_plain = |byte| byte != 7;
            let first = bytes.iter().position(|byte| !is_plain(*byte));
            prop_assert_eq!(run(&bytes, is_plain), first.unwrap_or(bytes.len()));
        }
    }
}
