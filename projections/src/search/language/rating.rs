//! The least rating that a tool has to have, in stars.

/// The number in its one form, `4` or `3.5`; `None` for what is no rating. `>=` may stand before it.
pub(super) fn canonical(text: &str) -> Option<String> {
    let number = text.strip_prefix(">=").unwrap_or(text).trim_start();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let stars: f64 = number.parse().ok()?;
    let fits = digits(whole, 1) && digits(part, 2) && (1.0..=5.0).contains(&stars);
    fits.then(|| stars.to_string())
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn a_rating_is_one_to_five_with_at_most_two_decimals() {
        for (given, one_form) in [
            ("4", "4"),
            ("4.0", "4"),
            (">=3.5", "3.5"),
            (">= 3.50", "3.5"),
            ("1.25", "1.25"),
            ("5", "5"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(one_form), "{given}");
        }
        for refused in [
            "6", "0.9", "0", "5.01", "abc", "", ">=", "4e0", "+4", "-4", "4.", ".5", "3.333",
            "nan", ">4", "04", "٤",
        ] {
            assert_eq!(canonical(refused), None, "{refused}");
        }
    }
}
