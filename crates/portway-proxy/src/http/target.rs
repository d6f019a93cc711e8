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
}
