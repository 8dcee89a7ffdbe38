//! How far an export has to be signed. A head that was taken out of a file leaves no trace in it: what lies behind the
//! last one that is left holds by its own chains only, which whoever edits the file can write anew.

use std::str::FromStr;

/// Up to where the commits have to be covered by signed heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedTo {
    /// This position of the log.
    Position(u64),
    /// The last commit of the export.
    End,
}

/// A text that is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give the position of a commit, from 1 on, or `end`")]
pub(crate) struct NoPosition;

impl FromStr for SignedTo {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        if text == "end" {
            return Ok(Self::End);
        }
        let position = text.parse::<u64>().ok().filter(|position| *position > 0);
        position.map(Self::Position).ok_or(NoPosition)
    }
}

impl SignedTo {
    /// The position that was asked for, where an export that ends at `end` is signed up to less.
    pub(super) fn missed(self, signed: u64, end: u64) -> Option<u64> {
        let asked = match self {
            Self::Position(position) => position,
            Self::End => end,
        };
        (signed < asked).then_some(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_position_or_the_end() {
        assert_eq!("224".parse::<SignedTo>(), Ok(SignedTo::Position(224)));
        assert_eq!("end".parse::<SignedTo>(), Ok(SignedTo::End));
        for wrong in ["", "0", "-1", "End", "1.0", "head"] {
            assert_eq!(wrong.parse::<SignedTo>(), Err(NoPosition), "{wrong}");
        }
    }

    #[test]
    fn is_missed_where_less_is_signed() {
        for (asked, signed, missed) in [
            (SignedTo::Position(224), 224, None),
            (SignedTo::Position(224), 223, Some(224)),
            // Behind the end of the export, nothing of it is signed.
            (SignedTo::Position(300), 226, Some(300)),
            (SignedTo::End, 226, None),
            (SignedTo::End, 224, Some(226)),
        ] {
            assert_eq!(asked.missed(signed, 226), missed, "{asked:?} {signed}");
        }
    }
}
