//! Whether one match takes every request that another one takes.
//!
//! The answer may be "no" wrongly, since containment of expressions is not decided here, and never
//! "yes" wrongly.

use crate::conditions::{Conditions, NamedTest, ValueTest};
use crate::path::{GrpcTest, PathTest, has_prefix};
use crate::path_table::CompiledMatch;

/// Whether `wide` surely passes whatever `narrow` passes.
pub(super) fn covers(wide: &CompiledMatch, narrow: &CompiledMatch) -> bool {
    path_covers(&wide.path, &narrow.path)
        && match (&wide.conditions, &narrow.conditions) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => conditions_cover(wide, narrow),
        }
}

/// A path such that whatever passes `path` is among what [`crate::path_table::PathTable`] finds for it.
pub(super) fn probe(path: &PathTest) -> String {
    // No service or method of a configuration is this; it leads to what passes any.
    const ANY: &str = "\u{1}";
    let part = |test: &Option<ValueTest>| match test {
        Some(ValueTest::Exact(text)) => text.to_string(),
        Some(ValueTest::Regex(_)) | None => ANY.to_owned(),
    };
    match path {
        PathTest::Exact(path) | PathTest::Prefix(path) => path.to_string(),
        PathTest::Regex(_) => String::new(),
        PathTest::Grpc(test) => format!("/{}/{}", part(&test.service), part(&test.method)),
    }
}

fn path_covers(wide: &PathTest, narrow: &PathTest) -> bool {
    match (wide, narrow) {
        (PathTest::Prefix(prefix), _) if prefix.is_empty() => true,
        (wide, PathTest::Exact(path)) => wide.passes(path),
        (PathTest::Prefix(short), PathTest::Prefix(long)) => has_prefix(long, short),
        (PathTest::Regex(a), PathTest::Regex(b)) => a.as_str() == b.as_str(),
        (PathTest::Grpc(wide), PathTest::Grpc(narrow)) => {
            part_covers(wide.service.as_ref(), narrow.service.as_ref())
                && part_covers(wide.method.as_ref(), narrow.method.as_ref())
        }
        (wide, PathTest::Grpc(narrow)) => covers_grpc(wide, narrow),
        _ => false,
    }
}

/// Whether a condition that is not one on gRPC covers one that is.
fn covers_grpc(wide: &PathTest, narrow: &GrpcTest) -> bool {
    match (&narrow.service, &narrow.method) {
        (Some(ValueTest::Exact(service)), Some(ValueTest::Exact(method))) => {
            wide.passes(&format!("/{service}/{method}"))
        }
        (Some(ValueTest::Exact(service)), _) => {
            matches!(wide, PathTest::Prefix(prefix) if has_prefix(&format!("/{service}"), prefix))
        }
        _ => false,
    }
}

fn part_covers(wide: Option<&ValueTest>, narrow: Option<&ValueTest>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => value_covers(wide, narrow),
    }
}

fn value_covers(wide: &ValueTest, narrow: &ValueTest) -> bool {
    match (wide, narrow) {
        (wide, ValueTest::Exact(value)) => wide.passes(value),
        (ValueTest::Regex(a), ValueTest::Regex(b)) => a.as_str() == b.as_str(),
        (ValueTest::Exact(_), ValueTest::Regex(_)) => false,
    }
}

fn conditions_cover(wide: &Conditions, narrow: &Conditions) -> bool {
    (wide.method.is_none() || wide.method == narrow.method)
        && all_cover(&wide.headers, &narrow.headers)
        && all_cover(&wide.query_params, &narrow.query_params)
}

/// Whether each wide condition follows from a narrow one on the same name.
fn all_cover(wide: &[NamedTest], narrow: &[NamedTest]) -> bool {
    wide.iter().all(|wide| narrow.iter().any(|it| it.name == wide.name && value_covers(&wide.test, &it.test)))
}

#[cfg(test)]
mod tests {
    use portway_config::request_match::RequestMatch;

    use crate::fixture::{Gateway, With, exact, grpc, http_route, prefix, regex};

    fn covers(wide: RequestMatch, narrow: RequestMatch) -> bool {
        let route = http_route("r").rule([wide, narrow]);
        let router = Gateway::new().http("http", 80, "").route(route).compile();
        let matches = &router.rules().get(0).unwrap().matches;
        super::covers(&matches[0], &matches[1])
    }

    #[test]
    fn paths() {
        assert!(covers(prefix("/"), regex(".*")));
        assert!(covers(prefix("/a"), prefix("/a/b")));
        assert!(!covers(prefix("/a"), prefix("/ab")));
        assert!(!covers(prefix("/a/b"), prefix("/a")));
        assert!(covers(prefix("/a"), exact("/a/")));
        assert!(!covers(exact("/a"), prefix("/a")));
        assert!(covers(regex("/[ab]"), exact("/a")));
        assert!(!covers(regex("/.*"), prefix("/a")));
        assert!(covers(regex("/a"), regex("/a")));
        assert!(!covers(regex(".*"), regex("/a")));
    }

    #[test]
    fn grpc_paths() {
        assert!(covers(grpc(None, None), grpc(Some("~a"), Some("M"))));
        assert!(covers(grpc(Some("S"), None), grpc(Some("S"), Some("M"))));
        assert!(covers(grpc(Some("~S.?"), None), grpc(Some("S"), None)));
        assert!(!covers(grpc(Some("S"), Some("M")), grpc(Some("S"), None)));
        assert!(!covers(grpc(Some("S"), None), grpc(Some("~S"), None)));
        assert!(covers(grpc(Some("S"), None), exact("/S/M")));
        assert!(!covers(grpc(Some("S"), None), prefix("/S")));
        assert!(covers(prefix("/S"), grpc(Some("S"), None)));
        assert!(!covers(prefix("/S/M"), grpc(Some("S"), None)));
        assert!(covers(prefix("/S/M"), grpc(Some("S"), Some("M"))));
        assert!(covers(exact("/S/M"), grpc(Some("S"), Some("M"))));
        assert!(!covers(prefix("/S"), grpc(None, Some("M"))));
    }

    #[test]
    fn further_conditions() {
        let plain = || prefix("/");
        assert!(covers(plain(), plain().with_method("GET").with_header("x", "1").with_param("q", "1")));
        assert!(!covers(plain().with_method("GET"), plain()));
        assert!(!covers(plain().with_method("GET"), plain().with_method("PUT")));
        assert!(!covers(plain().with_header("x", "1"), plain().with_header("y", "1")));
        assert!(covers(plain().with_header("x", "1"), plain().with_header("y", "2").with_header("x", "1")));
        assert!(covers(plain().with_header("x", "~[12]"), plain().with_header("x", "1")));
        assert!(!covers(plain().with_header("x", "1"), plain().with_header("x", "~[12]")));
        assert!(!covers(plain().with_param("x", "1"), plain().with_header("x", "1")));
    }
}
