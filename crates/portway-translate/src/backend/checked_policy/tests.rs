use super::*;

#[test]
fn a_uri_is_absolute() {
    for text in ["spiffe://cluster.local/ns/a/sa/b", "https://example.com", "urn:x"] {
        assert!(uri(text).is_ok(), "{text}");
    }
    for text in ["", "example.com", "://x", "1a://x", "spiffe:", "spiffe://a b"] {
        assert!(uri(text).is_err(), "{text}");
    }
}
