//! A condition on a query parameter.
//!
//! Parameters are apart by `&`. Names and values are percent-decoded once and then compared exactly;
//! `+` stands for itself, as RFC 3986 has it. Where a parameter is repeated the first counts, which is
//! what the API recommends.

use smallvec::SmallVec;

use crate::conditions::ValueTest;

/// Bytes of a percent-encoded value that are decoded without allocating, for an expression.
const DECODED_IN_PLACE: usize = 256;

/// Whether the query has parameter `name` with a value that passes.
pub(crate) fn passes(query: Option<&str>, name: &str, test: &ValueTest) -> bool {
    let Some(value) = first(query, name) else { return false };
    match test {
        ValueTest::Exact(wanted) => equals(value, wanted),
        ValueTest::Regex(pattern) if value.contains('%') => {
            pattern.matches(&decoded(value).collect::<SmallVec<[u8; DECODED_IN_PLACE]>>())
        }
        ValueTest::Regex(pattern) => pattern.matches(value.as_bytes()),
    }
}

/// The value of a parameter as the matcher sees it; absent when the query has none.
pub(crate) fn value(query: Option<&str>, name: &str) -> Option<Vec<u8>> {
    first(query, name).map(|value| decoded(value).collect())
}

/// The first value of parameter `name`, still encoded. A parameter without `=` has the empty value.
fn first<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find_map(|(key, value)| equals(key, name).then_some(value))
}

fn equals(encoded: &str, plain: &str) -> bool {
    decoded(encoded).eq(plain.bytes())
}

/// The bytes of `text` with each `%xx` replaced. A `%` that begins no such triple stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if byte == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        Some(byte)
    })
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pattern::Pattern;

    fn has(query: &str, name: &str, wanted: &str) -> bool {
        passes(Some(query), name, &ValueTest::Exact(wanted.into()))
    }

    #[test]
    fn names_and_values_are_exact() {
        assert!(has("a=1&b=2", "b", "2"));
        assert!(!has("a=1&b=2", "B", "2"));
        assert!(!has("a=1&b=2", "b", "22"));
        assert!(!has("ab=1", "a", "1"));
        assert!(has("a=b=c", "a", "b=c"));
        assert!(!passes(None, "a", &ValueTest::Exact("".into())));
    }

    #[test]
    fn the_first_value_counts() {
        assert!(has("a=1&a=2", "a", "1"));
        assert!(!has("a=1&a=2", "a", "2"));
    }

    #[test]
    fn a_parameter_without_value_is_empty() {
        assert!(has("a", "a", ""));
        assert!(has("x&a=&y", "a", ""));
    }

    #[test]
    fn percent_encoding_is_undone_once_and_plus_stands_for_itself() {
        assert!(has("a=x%20y", "a", "x y"));
        assert!(has("%61=%2fb", "a", "/b"));
        assert!(has("a=%2520", "a", "%20"));
        assert!(has("a=x+y", "a", "x+y"));
        assert!(has("a=100%", "a", "100%"));
        assert!(has("a=%zz%4", "a", "%zz%4"));
    }

    #[test]
    fn expressions_see_the_decoded_value() {
        let test = ValueTest::Regex(Arc::new(Pattern::new(&"[a-z ]+".into()).unwrap()));
        assert!(passes(Some("a=x%20y"), "a", &test));
        assert!(passes(Some("a=xy"), "a", &test));
        assert!(!passes(Some("a=x%30"), "a", &test));
        assert_eq!(value(Some("a=x%20y"), "a").as_deref(), Some(&b"x y"[..]));
    }
}
