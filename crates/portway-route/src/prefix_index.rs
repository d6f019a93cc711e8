//! The path prefixes under one hostname.
//!
//! Prefixes are sorted by their segments, and each knows the longest other one that is a prefix of it.
//! All that are prefixes of a path then lie on one such chain, and it begins at the greatest prefix
//! that does not come after the path, or above that one. Finding it is one binary search; there is no
//! map for each hostname, so that thousands of hostnames with one prefix each stay small.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::path::has_prefix;

/// Prefixes, each with a value.
#[derive(Debug)]
pub(crate) struct PrefixIndex<T> {
    nodes: Box<[Node<T>]>,
}

#[derive(Debug)]
struct Node<T> {
    prefix: Arc<str>,
    /// Index of the longest prefix of this prefix; `NONE` where there is none.
    parent: u32,
    value: T,
}

const NONE: u32 = u32::MAX;

impl<T> PrefixIndex<T> {
    /// Indexes prefixes, which must differ from one another.
    pub(crate) fn new(mut prefixes: Vec<(Arc<str>, T)>) -> Self {
        prefixes.sort_by(|(a, _), (b, _)| by_segments(a, b));
        let mut nodes = Vec::<Node<T>>::with_capacity(prefixes.len());
        for (prefix, value) in prefixes {
            let last = u32::try_from(nodes.len()).map_or(NONE, |len| len.wrapping_sub(1));
            let parent = chain(&nodes, last).find(|(_, node)| has_prefix(&prefix, &node.prefix));
            let parent = parent.map_or(NONE, |(index, _)| index);
            nodes.push(Node { prefix, parent, value });
        }
        Self { nodes: nodes.into() }
    }

    /// The values of all prefixes of `path`, the longest first.
    pub(crate) fn find(&self, path: &str) -> impl Iterator<Item = &T> {
        let after = self.nodes.partition_point(|node| by_segments(&node.prefix, path).is_le());
        let last = u32::try_from(after).map_or(NONE, |after| after.wrapping_sub(1));
        chain(&self.nodes, last)
            .map(|(_, node)| node)
            .skip_while(|node| !has_prefix(path, &node.prefix))
            .map(|node| &node.value)
    }
}

/// The node at `index`, its parent, and so on.
fn chain<T>(nodes: &[Node<T>], mut index: u32) -> impl Iterator<Item = (u32, &Node<T>)> {
    std::iter::from_fn(move || {
        let at = index;
        let node = nodes.get(at as usize)?;
        index = node.parent;
        Some((at, node))
    })
}

/// Order in which what follows a prefix within its segments stands right behind it: as bytes, but
/// with the slash below all others.
fn by_segments(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let rank = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    match a.iter().zip(b).find(|(a, b)| a != b) {
        Some((&a, &b)) => rank(a).cmp(&rank(b)),
        None => a.len().cmp(&b.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(prefixes: &[&str]) -> PrefixIndex<String> {
        PrefixIndex::new(prefixes.iter().map(|&it| (it.into(), it.to_owned())).collect())
    }

    fn found(index: &PrefixIndex<String>, path: &str) -> Vec<String> {
        index.find(path).cloned().collect()
    }

    #[test]
    fn all_prefixes_of_a_path_are_found_longest_first() {
        let index = index(&["/a/b", "", "/a", "/a/b/c", "/ab", "/a-b", "/a/bc", "/b"]);
        assert_eq!(found(&index, "/a/b/c/d"), ["/a/b/c", "/a/b", "/a", ""]);
        assert_eq!(found(&index, "/a/b/"), ["/a/b", "/a", ""]);
        assert_eq!(found(&index, "/a/z"), ["/a", ""]);
        assert_eq!(found(&index, "/a-b/z"), ["/a-b", ""]);
        assert_eq!(found(&index, "/abc"), [""]);
        assert_eq!(found(&index, ""), [""]);
        assert_eq!(found(&index, "*"), [""]);
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert!(found(&index(&[]), "/").is_empty());
        assert!(found(&index(&["/a"]), "/").is_empty());
        assert!(found(&index(&["/b"]), "/a").is_empty());
    }

    #[test]
    fn agrees_with_asking_each_prefix() {
        let parts =
            ["", "/", "/a", "/a-", "/aa", "/a/", "/a/a", "/a-/a", "/aa/a", "/a//a", "/!", "/a/!", "a"];
        for skipped in 0..parts.len() {
            let prefixes: Vec<_> =
                parts.iter().enumerate().filter(|&(i, _)| i != skipped).map(|(_, &it)| it).collect();
            let index = index(&prefixes);
            for path in parts.iter().flat_map(|a| parts.iter().map(move |b| format!("{a}{b}"))) {
                let mut expected: Vec<_> = prefixes.iter().filter(|it| has_prefix(&path, it)).collect();
                expected.sort_by_key(|it| std::cmp::Reverse(it.len()));
                assert_eq!(found(&index, &path), expected.into_iter().copied().collect::<Vec<_>>(), "{path}");
            }
        }
    }
}
