//! New paths, for redirects and rewrites (`HTTPPathModifier`).

use std::borrow::Cow;

use portway_config::filter::PathModifier;

use super::InvalidFilter;
use crate::http::normalise::{BadPath, canonical_path};

/// A change of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathEdit {
    /// This instead.
    Full(Box<str>),
    /// This instead of the prefix that matched; without a trailing slash, so that `/` is empty.
    Prefix(Box<str>),
}

impl PathEdit {
    pub(crate) fn compile(modifier: &PathModifier) -> Result<Self, InvalidFilter> {
        let canonical = |path: &str| {
            let rooted = if path.starts_with('/') { Cow::from(path) } else { Cow::from(format!("/{path}")) };
            let canonical = canonical_path(&rooted).map(|it| it.as_ref().into());
            canonical.map_err(|BadPath| InvalidFilter::new(format_args!("replacement path {path:?}")))
        };
        match modifier {
            PathModifier::ReplaceFullPath(path) => Ok(Self::Full(canonical(path)?)),
            PathModifier::ReplacePrefixMatch(path) => {
                let path: Box<str> = canonical(path)?;
                Ok(Self::Prefix(path.trim_end_matches('/').into()))
            }
        }
    }

    /// The new path for the canonical `path`, of which a prefix of `prefix_len` bytes has matched. It is
    /// canonical again.
    pub(crate) fn apply(&self, path: &str, prefix_len: Option<u32>) -> Result<String, BadPath> {
        let edited = match self {
            Self::Full(path) => return Ok(path.to_string()),
            Self::Prefix(replacement) => {
                let Some(rest) = prefix_len.and_then(|len| path.get(len as usize..)) else {
                    // The rule has matched by something else than a prefix; translation refuses that.
                    return Ok(path.to_owned());
                };
                // A prefix matches whole segments, so that the rest is empty or begins with a slash.
                if replacement.is_empty() && rest.is_empty() {
                    "/".to_owned()
                } else {
                    format!("{replacement}{rest}")
                }
            }
        };
        canonical_path(&edited).map(Cow::into_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(path: &str, prefix: &str, replacement: &str) -> String {
        let edit = PathEdit::compile(&PathModifier::ReplacePrefixMatch(replacement.into())).unwrap();
        edit.apply(path, Some(prefix.trim_end_matches('/').len() as u32)).unwrap()
    }

    /// The table in the comment of `HTTPPathModifier.replacePrefixMatch`.
    #[test]
    fn prefixes_are_replaced_as_the_specification_lists() {
        let table = [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
        ];
        for (path, prefix, replacement, expected) in table {
            assert_eq!(edited(path, prefix, replacement), expected, "{path} {prefix} {replacement:?}");
        }
    }

    #[test]
    fn further_edges_of_prefixes() {
        assert_eq!(edited("/bar", "/", "/xyz"), "/xyz/bar");
        assert_eq!(edited("/", "/", "/xyz"), "/xyz/");
        assert_eq!(edited("/foo/bar", "/foo", "xyz"), "/xyz/bar");
        assert_eq!(edited("/foo/bar", "/foo", "/a/../b"), "/b/bar");
        let edit = PathEdit::compile(&PathModifier::ReplacePrefixMatch("/xyz".into())).unwrap();
        assert_eq!(edit.apply("/foo", None).unwrap(), "/foo");
    }

    #[test]
    fn the_full_path_is_replaced() {
        let edit = PathEdit::compile(&PathModifier::ReplaceFullPath("/a/./b".into())).unwrap();
        assert_eq!(edit.apply("/foo/bar", Some(4)).unwrap(), "/a/b");
        assert!(PathEdit::compile(&PathModifier::ReplaceFullPath("/a?b=c".into())).is_err());
        assert!(PathEdit::compile(&PathModifier::ReplaceFullPath("/a\r\nb".into())).is_err());
    }
}
