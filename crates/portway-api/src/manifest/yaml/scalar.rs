//! What a YAML scalar means, as Kubernetes reads it.
//!
//! `kubectl` and the API server read YAML with a Go library that follows YAML 1.1 in part: an unquoted `yes` or `on` is
//! a boolean, `010` is eight, `1_000` is a thousand, but a date is text. A manifest must mean the same here as there.

use std::borrow::Cow;

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// The value of a scalar, or what is wrong with it.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { Ok(Value::from(text)) };
    };
    let unlike = || format!("`{text}` does not fit its tag `{}`", display_tag(tag));
    match core_tag(tag) {
        Some("str") => Ok(Value::from(text)),
        Some("null") => Some(plain(text)?).filter(Value::is_null).ok_or_else(unlike),
        Some("bool") => Some(plain(text)?).filter(Value::is_boolean).ok_or_else(unlike),
        Some("int") => Some(plain(text)?).filter(|v| v.is_i64() || v.is_u64()).ok_or_else(unlike),
        Some("float") => Some(plain(text)?).filter(Value::is_number).ok_or_else(unlike),
        _ => Err(unknown_tag(tag)),
    }
}

/// Whether the tag may stand on a mapping (`map`) or list (`seq`).
pub(super) fn check_container_tag(tag: Option<&Tag>, allowed: &str) -> Result<(), String> {
    match tag {
        Some(tag) if core_tag(tag) != Some(allowed) => Err(unknown_tag(tag)),
        _ => Ok(()),
    }
}

/// The name of a tag of YAML's own; `!` alone means text.
fn core_tag(tag: &Tag) -> Option<&str> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("" | "!", "") | ("", "!") => Some("str"),
        ("tag:yaml.org,2002:", name) => Some(name),
        ("", uri) => uri.strip_prefix("tag:yaml.org,2002:"),
        _ => None,
    }
}

fn display_tag(tag: &Tag) -> String {
    core_tag(tag).map_or_else(|| tag.to_string(), |name| format!("!!{name}"))
}

fn unknown_tag(tag: &Tag) -> String {
    format!("the tag `{}` means nothing here in a Kubernetes manifest", display_tag(tag))
}

/// An unquoted scalar.
fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return Err(format!("`{text}` is no number that an object can hold")),
        _ => number(text).map_or_else(|| Value::from(text), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let digits = if text.contains('_') { Cow::from(text.replace('_', "")) } else { Cow::from(text) };
    integer(&digits).or_else(|| float(&digits))
}

/// A whole number of 64 bits: decimal, or by its prefix hexadecimal, octal (`0o17` and `017`) or binary.
fn integer(text: &str) -> Option<Number> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &magnitude[2..]),
        [b'0', b'o' | b'O', ..] => (8, &magnitude[2..]),
        [b'0', b'b' | b'B', ..] => (2, &magnitude[2..]),
        [b'0', _, ..] => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    // `from_str_radix` would take a second sign.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0i64.checked_sub_unsigned(magnitude).map(Number::from)
    } else {
        Some(Number::from(magnitude))
    }
}

/// A decimal fraction. One without a fractional part is a whole number, as `80.0` is for Kubernetes.
fn float(text: &str) -> Option<Number> {
    /// Up to here each whole number has its own `f64`.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    if value.fract() == 0.0 && value.abs() <= MAX_EXACT {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubernetes() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("nULL", json!("nULL")),
            ("true", json!(true)),
            ("off", json!(false)),
            ("yes", json!(true)),
            ("oN", json!("oN")),
            ("80", json!(80)),
            ("+80", json!(80)),
            ("-80", json!(-80)),
            ("--80", json!("--80")),
            ("010", json!(8)),
            ("08", json!(8)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0x+1", json!("0x+1")),
            ("0b101", json!(5)),
            ("1_000", json!(1000)),
            ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
            ("-9223372036854775808", json!(-9_223_372_036_854_775_808_i64)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("80.0", json!(80)),
            ("1e3", json!(1000)),
            ("1e999", json!("1e999")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            (".", json!(".")),
            ("10m", json!("10m")),
            ("2001-01-01", json!("2001-01-01")),
            ("2001-01-01T00:00:00Z", json!("2001-01-01T00:00:00Z")),
            ("infinity", json!("infinity")),
            ("12:30:45", json!("12:30:45")),
        ];
        for (text, value) in cases {
            assert_eq!(resolve(text, ScalarStyle::Plain, None), Ok(value), "{text}");
        }
        assert!(resolve(".inf", ScalarStyle::Plain, None).is_err());
    }

    #[test]
    fn quoted_scalars_are_text() {
        for style in
            [ScalarStyle::SingleQuoted, ScalarStyle::DoubleQuoted, ScalarStyle::Literal, ScalarStyle::Folded]
        {
            assert_eq!(resolve("80", style, None), Ok(json!("80")));
        }
    }

    #[test]
    fn tags_decide() {
        let tag = |suffix: &str| Tag { handle: "tag:yaml.org,2002:".to_owned(), suffix: suffix.to_owned() };
        let plain = |text, tag: &Tag| resolve(text, ScalarStyle::Plain, Some(tag));
        assert_eq!(plain("80", &tag("str")), Ok(json!("80")));
        assert_eq!(resolve("80", ScalarStyle::DoubleQuoted, Some(&tag("int"))), Ok(json!(80)));
        assert_eq!(plain("x", &tag("int")), Err("`x` does not fit its tag `!!int`".to_owned()));
        assert!(plain("aGk=", &tag("binary")).is_err());
        let own = Tag { handle: "!".to_owned(), suffix: "env".to_owned() };
        assert_eq!(
            plain("HOME", &own),
            Err("the tag `!env` means nothing here in a Kubernetes manifest".to_owned())
        );
    }
}
