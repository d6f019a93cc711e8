//! How messages quote what was found, and guess what was meant.

/// A text as far as a message can show it: one line of moderate length.
pub(super) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    line.chars().take(SHOWN).chain(['…']).collect()
}

/// Words in a row: `a`, `b`, `c`.
pub(super) fn listed<W: AsRef<str>>(words: &[W]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    quoted.join(", ")
}

/// Asks whether the nearest of the known words was meant, if one is near.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

/// The one of the known words that is nearest to `word`, if one is near enough to be what was meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    /// No word that a manifest can hold is longer; the distance takes the product of two lengths to find.
    const LONGEST: usize = 100;
    let lower = word.to_lowercase();
    if lower.len() > LONGEST {
        return None;
    }
    let (distance, nearest) = known
        .iter()
        .map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), *known))
        .min_by_key(|(distance, _)| *distance)?;
    // A third of a word may be wrong, and at least a letter; so `tls` is not suggested for `ssl`.
    if distance <= (word.chars().count() / 3).max(1) { Some(nearest) } else { longer(&lower, known) }
}

/// The only known word that the given one is a part of, such as `PathPrefix` for `Prefix`.
fn longer<'k>(lower: &str, known: &[&'k str]) -> Option<&'k str> {
    /// A shorter word is a part of others by chance.
    const SHORTEST: usize = 4;
    let mut longer = known.iter().filter(|known| known.to_lowercase().contains(lower));
    match (longer.next(), longer.next()) {
        (Some(only), None) if lower.len() >= SHORTEST => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let fields = ["parentRefs", "hostnames", "rules", "tls"];
        for (word, near) in [
            ("hostname", Some("hostnames")),
            ("HostNames", Some("hostnames")),
            ("parentRef", Some("parentRefs")),
            ("parnetRefs", Some("parentRefs")),
            ("rule", Some("rules")),
            ("host", Some("hostnames")),
            ("refs", Some("parentRefs")),
            ("ssl", None),
            ("tl", Some("tls")),
            ("t", None),
            ("backend", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &fields), near, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), &fields), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn quotes_briefly() {
        assert_eq!(excerpt("a"), "a");
        assert_eq!(excerpt("a\nb"), "a…");
        assert_eq!(excerpt(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
        assert_eq!(listed(&["a", "b"]), "`a`, `b`");
    }
}
