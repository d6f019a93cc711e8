//! Durations of the Gateway API (GEP-2257).

use std::time::Duration;

/// A component's digits at most, and components at most: `^([0-9]{1,5}(h|m|s|ms)){1,4}$`.
const MAX_DIGITS: usize = 5;
const MAX_COMPONENTS: usize = 4;

/// Reads a duration: one to four numbers of up to five digits, each with `h`, `m`, `s` or `ms`.
/// Units may repeat and come in any order; their sum counts.
///
/// # Errors
///
/// A sentence that says what a duration looks like.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    components(text).ok_or_else(|| {
        format!("`{text}` is no duration; write one to four numbers with units, such as 30s, 500ms or 1h30m")
    })
}

fn components(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    for _ in 0..MAX_COMPONENTS {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=MAX_DIGITS).contains(&digits) {
            return None;
        }
        let (number, unit) = rest.split_at(digits);
        let number: u32 = number.parse().ok()?;
        let (unit, after) = unit_of(unit)?;
        sum += unit * number;
        rest = after;
        if rest.is_empty() {
            return Some(sum);
        }
    }
    None
}

fn unit_of(text: &str) -> Option<(Duration, &str)> {
    // `ms` before `m`: the longer unit is meant.
    let units = [
        ("ms", Duration::from_millis(1)),
        ("h", Duration::from_secs(3600)),
        ("m", Duration::from_secs(60)),
        ("s", Duration::from_secs(1)),
    ];
    units.into_iter().find_map(|(name, unit)| Some((unit, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_gep_2257_hold() {
        let valid = [
            ("0h", 0),
            ("0s", 0),
            ("0h0m0s", 0),
            ("1h", 3_600_000),
            ("30m", 1_800_000),
            ("10s", 10_000),
            ("500ms", 500),
            ("2h30m", 9_000_000),
            ("150m", 9_000_000),
            ("7230s", 7_230_000),
            ("1h30m10s", 5_410_000),
            ("10s30m1h", 5_410_000),
            ("100ms200ms300ms", 600),
            ("00060m", 3_600_000),
            ("99999h99999h99999h99999h", 4 * 99_999 * 3_600_000),
        ];
        for (text, millis) in valid {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        let invalid =
            ["1", "1m1", "1d", "1h30m10s20ms50h", "999999h", "1.5h", "-15m", "", "0", "s", "1 s", "1é"];
        for text in invalid {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
