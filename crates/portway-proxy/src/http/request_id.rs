//! The id of a request: in the access log, in `X-Request-Id`, in what Portway answers by itself.

use http::HeaderValue;

use crate::limits::REQUEST_ID_BYTES;

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Where the digits of each byte stand in the text of a UUID.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The id of a request.
#[derive(Clone, Debug)]
pub(crate) enum RequestId {
    /// Made here: a version 4 UUID (RFC 9562) as text.
    Own([u8; 36]),
    /// Taken over from a trusted proxy.
    Given(HeaderValue),
}

impl RequestId {
    /// Makes an id of 128 random bits.
    pub(crate) fn from_random(high: u64, low: u64) -> Self {
        let bits = (u128::from(high) << 64) | u128::from(low);
        // Version 4 in the 13th digit, the variant `10` in the two highest bits of the 17th.
        let bits = bits & !(0xF << 76) | (0x4 << 76);
        let bits = bits & !(0x3 << 62) | (0x2 << 62);
        let mut text = [b'-'; 36];
        for (place, byte) in PLACES.into_iter().zip(bits.to_be_bytes()) {
            // Every place is below 35, and a half byte below 16.
            text[place] = DIGITS[usize::from(byte >> 4)];
            text[place + 1] = DIGITS[usize::from(byte & 0xF)];
        }
        Self::Own(text)
    }

    /// Takes over the id that a trusted proxy gave, when it is short, visible text.
    pub(crate) fn given(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        (!text.is_empty() && text.len() <= REQUEST_ID_BYTES).then(|| Self::Given(value.clone()))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Own(text) => std::str::from_utf8(text).unwrap_or_default(),
            Self::Given(value) => value.to_str().unwrap_or_default(),
        }
    }

    /// As the value of a header.
    pub(crate) fn header_value(&self) -> HeaderValue {
        match self {
            // Hexadecimal digits and hyphens are always allowed in a header.
            Self::Own(text) => HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("")),
            Self::Given(value) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_id_is_a_uuid_of_version_4() {
        let id = RequestId::from_random(0, 0);
        assert_eq!(id.as_str(), "00000000-0000-4000-8000-000000000000");
        let id = RequestId::from_random(u64::MAX, u64::MAX);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let id = RequestId::from_random(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef);
        assert_eq!(id.as_str(), "01234567-89ab-4def-8123-456789abcdef");
        assert_eq!(id.header_value(), id.as_str());
    }

    #[test]
    fn a_given_id_is_short_visible_text() {
        let given = |text: &str| RequestId::given(&HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert_eq!(given("abc-1").unwrap().as_str(), "abc-1");
        assert!(given("").is_none());
        assert!(given("\u{e9}").is_none());
        assert!(given(&"x".repeat(129)).is_none());
    }
}
