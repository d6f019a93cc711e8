//! What a misspelt word may have been meant to be.

/// The one of the known words that is nearest to `word`, if one is near enough to be what was meant.
pub(crate) fn suggest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let (distance, nearest) = known
        .iter()
        .map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), *known))
        .min_by_key(|(distance, _)| *distance)?;
    // A third of a word may be wrong, and at least a letter; so `tls` is not suggested for `ssl`.
    (distance <= (word.chars().count() / 3).max(1)).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let fields = ["parentRefs", "hostnames", "rules", "tls"];
        for (word, nearest) in [
            ("hostname", Some("hostnames")),
            ("HostNames", Some("hostnames")),
            ("parentRef", Some("parentRefs")),
            ("parnetRefs", Some("parentRefs")),
            ("rule", Some("rules")),
            ("ssl", None),
            ("backend", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, &fields), nearest, "{word}");
        }
    }
}
