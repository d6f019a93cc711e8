//! Words for numbers and lists.

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

/// Breaks a text between words, so that no line has more than `columns` characters; a longer word has its own line.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_words() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "error")), ["0 errors", "1 error", "2 errors"]);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two  three-and-four", 8), ["one two", "three-and-four"]);
        assert_eq!(wrapped(" ", 8), [] as [&str; 0]);
    }
}
