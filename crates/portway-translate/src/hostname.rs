//! Whether a text is a hostname of the Gateway API (RFC 1123, in lower case).

use std::net::Ipv4Addr;
use std::sync::Arc;

use portway_config::HostnamePattern;

/// The longest hostname and the longest label, in bytes (RFC 1035, section 2.3.4).
const MAX_LENGTH: usize = 253;
const MAX_LABEL: usize = 63;

/// A hostname without wildcard (`PreciseHostname`).
///
/// # Errors
///
/// Why it is none, as a sentence.
pub(crate) fn precise(text: &str) -> Result<Arc<str>, String> {
    check(text, text).map(|()| text.into())
}

/// A hostname that may begin with `*.` (`Hostname`).
///
/// # Errors
///
/// Why it is none, as a sentence.
pub(crate) fn pattern(text: &str) -> Result<HostnamePattern, String> {
    check(text.strip_prefix("*.").unwrap_or(text), text)?;
    Ok(HostnamePattern::parse(text))
}

fn check(name: &str, whole: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err(format!("\"{whole}\" is an IP address, where a hostname is asked for"));
    }
    if name.len() > MAX_LENGTH || !name.split('.').all(is_label) {
        return Err(format!(
            "\"{whole}\" is no hostname: labels of lower-case letters, digits and '-', joined by '.'"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_the_first_label_alone() {
        for text in ["example.com", "a-b.example.com", "*.example.com", "localhost", "x1.2y"] {
            assert!(pattern(text).is_ok(), "{text}");
        }
        let long = format!("{}.com", "a".repeat(64));
        let wrong = [
            "", "*", "*.", "*foo.com", "a.*.com", "-a.com", "a-.com", "a..b", "A.com", "1.2.3.4", "a_b",
            &long,
        ];
        for text in wrong {
            assert!(pattern(text).is_err(), "{text}");
        }
        assert!(precise("*.example.com").is_err());
    }
}
