use std::sync::Arc;

use super::*;
use crate::fixture::get;

fn exact(wanted: &str) -> ValueTest {
    ValueTest::Exact(wanted.into())
}

fn regex(pattern: &str) -> ValueTest {
    ValueTest::Regex(Arc::new(Pattern::new(&pattern.into()).unwrap()))
}

#[test]
fn a_single_line_is_compared_as_it_is() {
    let request = get("/").header("x", "one");
    assert!(passes(&request, "x", &exact("one")));
    assert!(!passes(&request, "x", &exact("On")));
    assert!(!passes(&request, "x", &exact("one, one")));
    assert!(passes(&request, "x", &regex("o.e")));
    assert!(!passes(&request, "x", &regex("o")));
}

#[test]
fn an_absent_header_passes_nothing() {
    assert!(!passes(&get("/"), "x", &exact("")));
    assert!(!passes(&get("/"), "x", &regex(".*")));
}

#[test]
fn several_lines_are_one_value_joined_by_commas() {
    let apart = get("/").header("x", "one").header("x", "two");
    let joined = get("/").header("x", "one, two");
    for request in [&apart, &joined] {
        assert!(passes(request, "x", &exact("one, two")));
        assert!(!passes(request, "x", &exact("one")));
        assert!(!passes(request, "x", &exact("two")));
        assert!(passes(request, "x", &regex("one, .*")));
        assert!(!passes(request, "x", &regex("one")));
        assert_eq!(value(request, "x").as_deref(), Some(&b"one, two"[..]));
    }
}

#[test]
fn cookies_are_joined_by_semicolons() {
    let request = get("/").header("cookie", "a=1").header("cookie", "b=2");
    assert!(passes(&request, "cookie", &exact("a=1; b=2")));
    assert!(passes(&request, "cookie", &regex("(.*; )?b=2(;.*)?")));
}
