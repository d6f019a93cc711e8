//! What the matcher looks at in a request.

/// What the matcher looks at in a request.
pub trait Request {
    /// The host, in lower case, without port and trailing dot; empty where there is none.
    fn host(&self) -> &str;

    /// The method.
    fn method(&self) -> &str;

    /// The canonical path, without the query.
    fn path(&self) -> &str;

    /// The raw query, without `?`.
    fn query(&self) -> Option<&str>;

    /// Calls `each` with the value of each line of a header, in order, until it returns true; returns
    /// whether it did. `name` is in lower case; values come without white space around them.
    fn any_header(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}
