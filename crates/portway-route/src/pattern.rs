//! Regular expressions that match a whole value in linear time.

use std::fmt;
use std::sync::Arc;

use regex_automata::Anchored;
use regex_automata::Input;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_syntax::hir::{Hir, Look};
use serde::Serialize;

/// Largest automaton, in bytes, that one expression may need. A bounded repetition of a Unicode class
/// (`\w{200}`) is what meets it.
const NFA_SIZE_LIMIT: usize = 512 * 1024;

/// Memory, in bytes, in which one thread may remember states of one expression. When it is full it is
/// cleared, so that matching slows down and does not grow.
const STATE_CACHE: usize = 64 * 1024;

/// Deepest nesting of an expression.
const NEST_LIMIT: u32 = 50;

/// A regular expression that must match a whole value.
///
/// The dialect is that of Rust's crate `regex` (near to RE2): no back references and no look-around,
/// so that matching takes time linear in the value. `.` does not match a line break, classes such as
/// `\w` are Unicode's; `(?i)` and the like may stand in front.
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// The expression is malformed or needs too much memory; its author is at fault.
    pub fn new(text: &Arc<str>) -> Result<Self, PatternError> {
        let expression = regex_syntax::ParserBuilder::new()
            .nest_limit(NEST_LIMIT)
            .build()
            .parse(text)
            .map_err(|error| PatternError::syntax(text, &error))?;
        // Anchored as a tree, not as text: `a)|(b` and `(?x) a # b` must not escape from the anchors.
        let whole = Hir::concat(vec![Hir::look(Look::Start), expression, Hir::look(Look::End)]);
        let config = Config::new()
            .nfa_size_limit(Some(NFA_SIZE_LIMIT))
            .hybrid_cache_capacity(STATE_CACHE)
            .onepass(false)
            .backtrack(false)
            .utf8_empty(false);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&whole)
            .map_err(|error| PatternError::size(text, &error))?;
        Ok(Self { text: Arc::clone(text), regex })
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.regex.is_match(Input::new(value).anchored(Anchored::Yes))
    }

    /// The expression as it is configured.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

/// Why an expression cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum PatternError {
    /// It is malformed.
    #[error("`{pattern}` is not a regular expression: {message}, at character {position}")]
    Syntax {
        /// The expression.
        pattern: Arc<str>,
        /// What is wrong.
        message: String,
        /// Where, from 1.
        position: usize,
    },
    /// It needs more memory than one expression may have.
    #[error(
        "`{pattern}` needs too much memory ({message}); repeat less, or use narrower classes than Unicode's, as [0-9]"
    )]
    TooLarge {
        /// The expression.
        pattern: Arc<str>,
        /// What was too large.
        message: String,
    },
}

impl PatternError {
    fn syntax(pattern: &Arc<str>, error: &regex_syntax::Error) -> Self {
        let (message, span) = match error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
            other => (other.to_string(), None),
        };
        let position = span.map_or(1, |span| span.start.column);
        Self::Syntax { pattern: Arc::clone(pattern), message, position }
    }

    fn size(pattern: &Arc<str>, error: &BuildError) -> Self {
        Self::TooLarge { pattern: Arc::clone(pattern), message: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
