//! A set of hostname patterns that can be asked whether one of them meets another pattern.

use std::collections::BTreeMap;
use std::ops::Bound;

use portway_config::HostnamePattern;

/// Hostname patterns, each with a value. Asking takes the time of a look-up for each label, however
/// many patterns there are: names are kept reversed, so that what lies below a domain is one range.
#[derive(Debug, Default)]
pub(crate) struct HostnameSet<T> {
    any: Option<T>,
    exact: BTreeMap<String, T>,
    /// Suffixes with their leading dot.
    wildcards: BTreeMap<String, T>,
}

impl<T: Copy> HostnameSet<T> {
    /// Adds a pattern. The first value of a pattern stays.
    pub(crate) fn insert(&mut self, pattern: &HostnamePattern, value: T) {
        match pattern {
            HostnamePattern::Any => {
                self.any.get_or_insert(value);
            }
            HostnamePattern::Exact(name) => {
                self.exact.entry(reversed(name)).or_insert(value);
            }
            HostnamePattern::Wildcard(suffix) => {
                self.wildcards.entry(reversed(suffix)).or_insert(value);
            }
        }
    }

    /// The value of a pattern that has a hostname in common with `pattern`.
    pub(crate) fn meeting(&self, pattern: &HostnamePattern) -> Option<T> {
        let other = match pattern {
            HostnamePattern::Any => self.exact.values().chain(self.wildcards.values()).next().copied(),
            HostnamePattern::Exact(name) => {
                let name = reversed(name);
                self.exact.get(&name).copied().or_else(|| self.wildcard_above(&name))
            }
            HostnamePattern::Wildcard(suffix) => {
                let suffix = reversed(suffix);
                below(&self.exact, &suffix)
                    .or_else(|| below(&self.wildcards, &suffix))
                    .or_else(|| self.wildcard_above(&suffix))
            }
        };
        self.any.or(other)
    }

    /// A wildcard that matches everything that the reversed `name` stands for.
    fn wildcard_above(&self, name: &str) -> Option<T> {
        let dots = name.match_indices('.').map(|(at, dot)| at + dot.len());
        let mut suffixes = dots.filter_map(|end| name.get(..end)).filter(|suffix| suffix.len() < name.len());
        suffixes.find_map(|suffix| self.wildcards.get(suffix).copied())
    }
}

/// The first entry that begins with `prefix`, itself included.
fn below<T: Copy>(names: &BTreeMap<String, T>, prefix: &str) -> Option<T> {
    let (name, value) = names.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).next()?;
    name.starts_with(prefix).then_some(*value)
}

fn reversed(name: &str) -> String {
    name.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_intersection_of_patterns() {
        let texts = ["*", "a.com", "b.a.com", "xa.com", "*.com", "*.a.com", "*.b.a.com", "*.xa.com", "com"];
        let patterns = texts.map(HostnamePattern::parse);
        for one in &patterns {
            let mut set = HostnameSet::default();
            set.insert(one, ());
            for other in &patterns {
                let expected = one.intersection(other).is_some();
                assert_eq!(set.meeting(other).is_some(), expected, "{one} and {other}");
            }
        }
    }
}
