//! Splits a command line into words.

/// Splits as a POSIX shell does (2.2, Quoting), but expands nothing.
pub(crate) fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|character| character.is_whitespace()).is_some() {}
        if characters.peek().is_none() {
            return Ok(words);
        }
        let mut word = String::new();
        while let Some(character) = characters.next_if(|character| !character.is_whitespace()) {
            match character {
                '\\' => word.push(characters.next().ok_or("nothing follows a backslash")?),
                quote @ ('\'' | '"') => loop {
                    match characters.next().ok_or("a quote is not closed")? {
                        end if end == quote => break,
                        '\\' if quote == '"' => word.push(characters.next().ok_or("a quote is not closed")?),
                        other => word.push(other),
                    }
                },
                other => word.push(other),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        let words = split_words(r#"curl -H 'a: "b"'  -d "it's \"x\"" a\ b'c'd """#).unwrap();
        assert_eq!(words, ["curl", "-H", r#"a: "b""#, "-d", r#"it's "x""#, "a bcd", ""]);
    }

    #[test]
    fn open_quotes_are_refused() {
        for line in ["curl 'a", "curl \"a", "curl \"a\\", "curl a\\"] {
            assert!(split_words(line).is_err(), "{line}");
        }
    }
}
