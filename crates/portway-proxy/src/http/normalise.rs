//! The one canonical form of a path. It feeds match, authorization, rewrite and forwarding, so that no
//! two of them can read a path differently.
//!
//! | in the request | here |
//! | --- | --- |
//! | `.` and `..` segments, `%2e` included | resolved; above the root: refused |
//! | escapes of unreserved characters (`%61`) | decoded |
//! | other escapes (`%c3%a9`) | kept, in upper-case digits |
//! | `%2F`, `%5C`, escapes of control bytes, a broken escape | refused |
//! | backslash, control bytes, space, `#`, `?` | refused |
//! | other bytes that RFC 3986 does not allow in a path | escaped |
//! | `//` | merged to one slash, as Envoy's edge guide advises and nginx does |
//! | `;` in a segment | kept, but `.;x` and `..;x` are refused: servlet containers resolve them |
//! | a trailing slash, upper and lower case | kept |
//!
//! Escapes are decoded once: `%252e` stays as it is.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// The path cannot be normalised safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path cannot be normalised safely")]
pub struct BadPath;

/// What a byte of a path means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stands for itself.
    Plain,
    Slash,
    Dot,
    Percent,
    /// Must be escaped.
    Escape,
    Refuse,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Escape; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class_of(byte as u8);
        byte += 1;
    }
    classes
};

const fn class_of(byte: u8) -> Class {
    match byte {
        b'/' => Class::Slash,
        b'.' => Class::Dot,
        b'%' => Class::Percent,
        // RFC 3986: unreserved, sub-delims, and what else `pchar` allows.
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Class::Plain,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => {
            Class::Plain
        }
        0..=b' ' | 0x7F | b'\\' | b'#' | b'?' => Class::Refuse,
        _ => Class::Escape,
    }
}

/// The canonical form of `path`; borrowed when it is canonical already.
pub fn canonical_path(path: &str) -> Result<Cow<'_, str>, BadPath> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(BadPath);
    }
    let mut previous = Class::Plain;
    for &byte in bytes {
        let class = CLASSES[usize::from(byte)];
        match (previous, class) {
            (_, Class::Plain) => {}
            (_, Class::Refuse) => return Err(BadPath),
            (Class::Slash, Class::Slash | Class::Dot) | (_, Class::Percent | Class::Escape) => {
                return Rebuilt::new(bytes.len()).read(bytes).map(Cow::Owned);
            }
            (_, Class::Slash | Class::Dot) => {}
        }
        previous = class;
    }
    Ok(Cow::Borrowed(path))
}

/// A path that is built anew, segment by segment.
struct Rebuilt {
    path: String,
    /// Where the segment begins that is being read.
    segment: usize,
}

impl Rebuilt {
    fn new(capacity: usize) -> Self {
        let mut path = String::with_capacity(capacity);
        path.push('/');
        Self { path, segment: 1 }
    }

    fn read(mut self, bytes: &[u8]) -> Result<String, BadPath> {
        let mut rest = bytes.iter().skip(1);
        while let Some(&byte) = rest.next() {
            match CLASSES[usize::from(byte)] {
                Class::Plain | Class::Dot => self.path.push(char::from(byte)),
                Class::Slash => self.end_segment(false)?,
                Class::Percent => {
                    let escaped = unescape(rest.next(), rest.next()).ok_or(BadPath)?;
                    self.push_escaped(escaped)?;
                }
                Class::Escape => self.push_escape(byte),
                Class::Refuse => return Err(BadPath),
            }
        }
        self.end_segment(true)?;
        Ok(self.path)
    }

    fn push_escaped(&mut self, byte: u8) -> Result<(), BadPath> {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                self.path.push(char::from(byte));
            }
            0..0x20 | 0x7F | b'/' | b'\\' => return Err(BadPath),
            _ => self.push_escape(byte),
        }
        Ok(())
    }

    fn push_escape(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.path.push('%');
        self.path.push(char::from(DIGITS[usize::from(byte >> 4)]));
        self.path.push(char::from(DIGITS[usize::from(byte & 0xF)]));
    }

    fn end_segment(&mut self, last: bool) -> Result<(), BadPath> {
        // `segment` is at most the length, and stands after a slash.
        match &self.path[self.segment..] {
            "" => {}
            "." => self.path.truncate(self.segment),
            ".." => self.leave_parent()?,
            segment if is_dots_with_parameter(segment) => return Err(BadPath),
            _ if last => {}
            _ => self.path.push('/'),
        }
        self.segment = self.path.len();
        Ok(())
    }

    fn leave_parent(&mut self) -> Result<(), BadPath> {
        let parent =
            self.segment.checked_sub(1).and_then(|end| self.path[..end].rfind('/')).ok_or(BadPath)?;
        self.path.truncate(parent + 1);
        Ok(())
    }
}

/// `.;x`, `..;x`: a servlet container takes the parameter away and then resolves the dots.
fn is_dots_with_parameter(segment: &str) -> bool {
    let rest = segment.strip_prefix("..").or_else(|| segment.strip_prefix('.'));
    rest.is_some_and(|rest| rest.starts_with(';') || rest.starts_with("%3B"))
}

fn unescape(high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    Some((digit(high)? * 16 + digit(low)?) as u8)
}
