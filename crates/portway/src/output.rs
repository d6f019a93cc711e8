//! Writing answers to standard output.

use std::io::{self, Write};

use serde::Serialize;

/// Prints text, without colours where nobody would see them (no terminal, or `NO_COLOR`).
///
/// A reader that has seen enough (`portway check | head`) is no error; nobody is left to be told of another one.
pub(crate) fn print(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints text to standard error, as [`fn@print`] does.
pub(crate) fn print_error(text: &str) {
    let _: io::Result<()> = anstream::stderr().lock().write_all(text.as_bytes());
}

/// JSON for scripts, laid out so that people can read it too.
pub(crate) fn json(value: &impl Serialize) -> String {
    ended(serde_json::to_string_pretty(value))
}

/// JSON in one line, of many.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    ended(serde_json::to_string(value))
}

fn ended(text: serde_json::Result<String>) -> String {
    let mut text = text.unwrap_or_else(|error| {
        // Our reports have string keys only, and no part of them fails to serialize.
        serde_json::json!({ "error": error.to_string() }).to_string()
    });
    text.push('\n');
    text
}
