use portway_config::request_match::PathMatch;

use super::*;

fn matches(paths: &[PathMatch]) -> Vec<RequestMatch> {
    let one = |path: &PathMatch| RequestMatch {
        path: path.clone(),
        method: None,
        headers: Vec::new(),
        query_params: Vec::new(),
    };
    paths.iter().map(one).collect()
}

fn prefix(path: &str) -> PathMatch {
    PathMatch::Prefix(path.into())
}

fn modifier(kind: HttpPathModifierType, full: Option<&str>, prefix: Option<&str>) -> HttpPathModifier {
    let (replace_full_path, replace_prefix_match) = (full.map(str::to_owned), prefix.map(str::to_owned));
    HttpPathModifier { kind, replace_full_path, replace_prefix_match }
}

fn rewritten(path: HttpPathModifier, matches: &[RequestMatch]) -> (Option<PathModifier>, Vec<String>) {
    let mut problems = Problems::default();
    let filter = HttpUrlRewriteFilter { hostname: None, path: Some(path) };
    let rewrite = rewrite(&filter, matches, &Field::SPEC, &mut problems);
    (rewrite.path, problems.invalid.into_iter().map(|it| it.field).collect())
}

#[test]
fn a_prefix_is_replaced_where_exactly_one_prefix_is_matched() {
    let replace = || modifier(HttpPathModifierType::ReplacePrefixMatch, None, Some("/new"));
    let field = ["spec.path.replacePrefixMatch"];
    assert!(rewritten(replace(), &matches(&[prefix("/old")])).1.is_empty());
    assert_eq!(rewritten(replace(), &matches(&[PathMatch::Exact("/old".into())])).1, field);
    assert_eq!(rewritten(replace(), &matches(&[PathMatch::Regex("/old".into())])).1, field);
    assert_eq!(rewritten(replace(), &matches(&[prefix("/a"), prefix("/b")])).1, field);
}

#[test]
fn a_prefix_may_be_replaced_by_nothing() {
    let replace = modifier(HttpPathModifierType::ReplacePrefixMatch, None, Some(""));
    let (path, invalid) = rewritten(replace, &matches(&[prefix("/old")]));
    assert_eq!(path, Some(PathModifier::ReplacePrefixMatch("".into())));
    assert!(invalid.is_empty());
}

#[test]
fn a_full_path_begins_with_a_slash() {
    for text in ["/a/b", "a/b"] {
        let replace = modifier(HttpPathModifierType::ReplaceFullPath, Some(text), None);
        assert_eq!(rewritten(replace, &[]).0, Some(PathModifier::ReplaceFullPath("/a/b".into())));
    }
}

#[test]
fn type_and_field_belong_together() {
    use HttpPathModifierType::{ReplaceFullPath, ReplacePrefixMatch};
    let wrong = [
        modifier(ReplaceFullPath, None, None),
        modifier(ReplaceFullPath, None, Some("/a")),
        modifier(ReplacePrefixMatch, Some("/a"), None),
        modifier(ReplacePrefixMatch, Some("/a"), Some("/a")),
    ];
    for modifier in wrong {
        assert_eq!(rewritten(modifier, &matches(&[prefix("/old")])).1, ["spec.path"]);
    }
}

#[test]
fn a_path_is_one_of_rfc_3986() {
    for path in ["", "/", "/a-b._~!$&'()*+,;=:@/%2A", "a"] {
        assert!(check_path(path).is_ok(), "{path}");
    }
    for path in ["/a?b", "/a#b", "/a b", "/ä", "/%", "/%2", "/%zz", "/a/../b", "/.", "/a\n"] {
        assert!(check_path(path).is_err(), "{path}");
    }
}

#[test]
fn a_redirect_names_what_can_stand_in_a_location() {
    let filter = HttpRequestRedirectFilter {
        scheme: Some("ftp".to_owned()),
        hostname: Some("*.example.com".to_owned()),
        path: None,
        port: Some(0),
        status_code: 304,
    };
    let mut problems = Problems::default();
    redirect(&filter, &[], &Field::SPEC, &mut problems);
    let fields: Vec<_> = problems.invalid.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["spec.scheme", "spec.port", "spec.statusCode", "spec.hostname"]);
}
