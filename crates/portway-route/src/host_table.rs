//! Values by hostname pattern, found by host.

use portway_config::HostnamePattern;

use crate::name_map::NameMap;

/// Values by hostname pattern. Clones share what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct HostTable<T> {
    exact: NameMap<T>,
    /// By what follows the asterisk, which begins with a dot.
    wildcards: NameMap<T>,
    /// Length of the longest key that `wildcards` ever had: a host of many labels costs no more look-ups than
    /// that is long.
    longest: usize,
    any: Option<T>,
}

impl<T: Clone> HostTable<T> {
    /// The slot of a pattern, to fill once; gives back the value that is there already.
    pub(crate) fn insert(&mut self, pattern: &HostnamePattern, value: T) -> Result<(), T> {
        match self.get(pattern) {
            Some(there) => Err(there.clone()),
            None => {
                self.set(pattern, Some(value));
                Ok(())
            }
        }
    }

    /// Sets the value of a pattern, or takes it out.
    pub(crate) fn set(&mut self, pattern: &HostnamePattern, value: Option<T>) {
        match pattern {
            HostnamePattern::Exact(name) => self.exact.set(name, value),
            HostnamePattern::Wildcard(suffix) => {
                self.longest = self.longest.max(suffix.len());
                self.wildcards.set(suffix, value);
            }
            HostnamePattern::Any => self.any = value,
        }
    }
}

impl<T> HostTable<T> {
    /// The value of a pattern itself.
    pub(crate) fn get(&self, pattern: &HostnamePattern) -> Option<&T> {
        match pattern {
            HostnamePattern::Exact(name) => self.exact.get(name),
            HostnamePattern::Wildcard(suffix) => self.wildcards.get(suffix),
            HostnamePattern::Any => self.any.as_ref(),
        }
    }

    /// The patterns whose values are others in `after`, or are in one alone; in no order. What the two share is
    /// passed over.
    pub(crate) fn differences(&self, after: &Self, is_same: impl Fn(&T, &T) -> bool) -> Vec<HostnamePattern> {
        let exact = self.exact.differences(&after.exact, &is_same).into_iter().map(HostnamePattern::Exact);
        let wildcards = self.wildcards.differences(&after.wildcards, &is_same);
        let wildcards = wildcards.into_iter().map(HostnamePattern::Wildcard);
        let is_any_same = match (&self.any, &after.any) {
            (Some(before), Some(after)) => is_same(before, after),
            (before, after) => before.is_none() && after.is_none(),
        };
        exact.chain(wildcards).chain((!is_any_same).then_some(HostnamePattern::Any)).collect()
    }

    /// The values of all patterns that match `host` (lower case, no port, no trailing dot), the most
    /// specific first.
    pub(crate) fn find(&self, host: &str) -> impl Iterator<Item = &T> {
        self.exact.get(host).into_iter().chain(self.find_wildcards(host)).chain(&self.any)
    }

    fn find_wildcards(&self, host: &str) -> impl Iterator<Item = &T> {
        // The first byte is left out since the asterisk stands for at least one character.
        let nearest = host.len().saturating_sub(self.longest).max(1);
        let tail =
            if self.wildcards.is_empty() { &[] } else { host.as_bytes().get(nearest..).unwrap_or_default() };
        let dots =
            tail.iter().enumerate().filter(|&(_, &byte)| byte == b'.').map(move |(index, _)| nearest + index);
        dots.filter_map(|dot| self.wildcards.get(host.get(dot..)?))
    }
}

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self { exact: NameMap::default(), wildcards: NameMap::default(), longest: 0, any: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(patterns: &[&str]) -> HostTable<String> {
        let mut table = HostTable::default();
        for &pattern in patterns {
            table.insert(&HostnamePattern::parse(pattern), pattern.to_owned()).unwrap();
        }
        table
    }

    #[test]
    fn the_most_specific_comes_first() {
        let table =
            table(&["", "*.com", "*.example.com", "a.b.example.com", "*.b.example.com", "example.com"]);
        let found = |host| table.find(host).map(String::as_str).collect::<Vec<_>>();
        assert_eq!(
            found("a.b.example.com"),
            ["a.b.example.com", "*.b.example.com", "*.example.com", "*.com", ""]
        );
        assert_eq!(found("b.example.com"), ["*.example.com", "*.com", ""]);
        assert_eq!(found("example.com"), ["example.com", "*.com", ""]);
        assert_eq!(found("com"), [""]);
        assert_eq!(found(".com"), [""]);
        assert_eq!(found(""), [""]);
        assert_eq!(found("é.com"), ["*.com", ""]);
        assert_eq!(found("badexample.com"), ["*.com", ""]);
    }

    #[test]
    fn agrees_with_asking_each_pattern() {
        let patterns = ["", "*.a", "*.b.a", "*.a.b.a", "a", "b.a", "a.b.a", "*.a.a"];
        let table = table(&patterns);
        for host in
            ["", "a", ".a", "b.a", "a.a", "a.b.a", "b.b.a", "x.a.b.a", "a.a.a", "..a", "x..b.a", "aa", "b"]
        {
            let mut expected: Vec<_> =
                patterns.map(HostnamePattern::parse).into_iter().filter(|it| it.matches(host)).collect();
            expected.sort();
            let found: Vec<_> = table.find(host).map(|it| HostnamePattern::parse(it)).collect();
            assert_eq!(found, expected, "{host}");
        }
    }

    #[test]
    fn a_slot_is_filled_once() {
        for pattern in ["", "*.a", "a"] {
            let mut table = table(&[pattern]);
            assert_eq!(
                table.insert(&HostnamePattern::parse(pattern), "second".into()),
                Err(pattern.to_owned())
            );
        }
    }
}
