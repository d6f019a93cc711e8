use super::*;

fn matches(pattern: &str, value: &str) -> bool {
    Pattern::new(&pattern.into()).unwrap().matches(value.as_bytes())
}

#[test]
fn the_whole_value_must_match() {
    assert!(matches("a|ab", "ab"));
    assert!(matches("/v[0-9]+/.*", "/v1/x"));
    assert!(!matches("/v[0-9]+", "/v1/x"));
    assert!(!matches("v", "/v"));
    assert!(matches("", ""));
    assert!(!matches("", "x"));
}

#[test]
fn anchors_flags_and_comments_of_the_expression_do_not_weaken_the_whole_match() {
    assert!(matches("^/a$", "/a"));
    assert!(matches("(?x) /a # b", "/a"));
    assert!(!matches("(?x) /a # b", "/ab"));
    assert!(!matches("(?m)^/a$", "/a\n/b"));
}

#[test]
fn values_that_are_not_utf8_do_not_disturb() {
    assert!(!Pattern::new(&"a+".into()).unwrap().matches(&[b'a', 0xff]));
    assert!(!Pattern::new(&".*".into()).unwrap().matches(&[0xff]));
}

#[test]
fn a_malformed_expression_says_what_and_where() {
    let error = Pattern::new(&"/a(b".into()).unwrap_err();
    assert_eq!(error.to_string(), "`/a(b` is not a regular expression: unclosed group, at character 3");
    let error = Pattern::new(&r"(a)\1".into()).unwrap_err();
    assert!(error.to_string().contains("backreferences are not supported"), "{error}");
}

#[test]
fn an_expression_out_of_proportion_is_refused() {
    let error = Pattern::new(&r"(\w{100}){100}".into()).unwrap_err();
    assert!(matches!(error, PatternError::TooLarge { .. }), "{error}");
    let deep = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
    assert!(matches!(Pattern::new(&deep.into()).unwrap_err(), PatternError::Syntax { .. }));
}

#[test]
fn matching_takes_linear_time() {
    let value = "a".repeat(30_000);
    assert!(!matches("(a*)*b", &value));
}
