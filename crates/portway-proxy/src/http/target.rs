//! The path and query of a request: canonical, and changed by filters.

use bytes::Bytes;
use http::Uri;
use http::uri::PathAndQuery;

use super::normalise::{BadPath, canonical_path};

/// Path and query of a request. The path is canonical; the query stays as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Target {
    sent: PathAndQuery,
    /// The path, where it is not the one that was sent.
    path: Option<String>,
}

impl Target {
    pub(super) fn of(uri: &Uri) -> Result<Self, BadPath> {
        let sent = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let path = match canonical_path(sent.path())? {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(path) => Some(path),
        };
        Ok(Self { sent, path })
    }

    /// Canonical.
    pub(super) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_else(|| self.sent.path())
    }

    /// Without the question mark.
    pub(super) fn query(&self) -> Option<&str> {
        self.sent.query()
    }

    /// Takes another path, which must be canonical.
    pub(super) fn set_path(&mut self, path: String) {
        self.path = Some(path);
    }

    /// Sets and removes query parameters, whose names and values are not encoded yet. The others stay as
    /// they were sent, in their order.
    pub(super) fn change_query(&mut self, set: &[(String, String)], remove: &[String]) {
        let is_kept = |parameter: &&str| {
            let name = form_urlencoded::parse(parameter.as_bytes()).next().map(|(name, _)| name);
            let name = name.unwrap_or_default();
            !remove.iter().any(|it| *it == name) && !set.iter().any(|(it, _)| *it == name)
        };
        let sent = self.query().unwrap_or_default();
        let mut query =
            sent.split('&').filter(|it| !it.is_empty()).filter(is_kept).collect::<Vec<_>>().join("&");
        for (name, value) in set {
            let separator = if query.is_empty() { "" } else { "&" };
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            query = format!("{query}{separator}{}={}", encode(name), encode(value));
        }
        let path = self.path();
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        // Path and query were those of a target, and what was added is encoded.
        if let Ok(target) = PathAndQuery::from_maybe_shared(Bytes::from(target)) {
            *self = Self { sent: target, path: None };
        }
    }

    /// In origin form.
    pub(super) fn into_uri(self) -> Result<Uri, BadPath> {
        let target = match &self.path {
            None => self.sent,
            Some(path) => {
                let query = self.sent.query();
                let mut text = String::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
                text.push_str(path);
                if let Some(query) = query {
                    text.push('?');
                    text.push_str(query);
                }
                PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| BadPath)?
            }
        };
        Ok(Uri::from(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_changes_and_the_query_stays() {
        let uri = Uri::from_static("http://a.example/x/../b%7e?q=/../%7e");
        let mut target = Target::of(&uri).unwrap();
        assert_eq!(target.path(), "/b~");
        assert_eq!(target.query(), Some("q=/../%7e"));
        assert_eq!(target.clone().into_uri().unwrap(), "/b~?q=/../%7e");
        target.set_path("/c".to_owned());
        assert_eq!(target.into_uri().unwrap(), "/c?q=/../%7e");
        assert_eq!(Target::of(&Uri::from_static("http://a.example")).unwrap().into_uri().unwrap(), "/");
        assert!(Target::of(&Uri::from_static("*")).is_err());
    }

    #[test]
    fn query_parameters_are_set_and_removed_by_name() {
        let changed = |uri: &'static str, set: &[(&str, &str)], remove: &[&str]| {
            let mut target = Target::of(&Uri::from_static(uri)).unwrap();
            let set: Vec<_> = set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let remove: Vec<_> = remove.iter().map(|&name| name.into()).collect();
            target.change_query(&set, &remove);
            target.into_uri().unwrap().to_string()
        };
        assert_eq!(changed("/a/../b?x=1&y=%20&x=2&z", &[], &["x"]), "/b?y=%20&z");
        assert_eq!(changed("/b?x=1&y=2", &[("x", "a b&c"), ("n", "")], &[]), "/b?y=2&x=a+b%26c&n=");
        assert_eq!(changed("/b?%78=1", &[], &["x"]), "/b");
        assert_eq!(changed("/b", &[("x", "1")], &[]), "/b?x=1");
    }
}
