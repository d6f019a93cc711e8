use super::*;

fn http(it: HttpRouteMatch) -> (Vec<RequestMatch>, Vec<String>) {
    let mut problems = Problems::default();
    let matches = of_http(&Expressions::default(), &[it], &Field::SPEC, &mut problems);
    (matches, problems.invalid.into_iter().map(|it| it.field).collect())
}

fn path(kind: PathMatchType, value: &str) -> HttpRouteMatch {
    HttpRouteMatch { path: HttpPathMatch { kind, value: value.to_owned() }, ..Default::default() }
}

fn header(name: &str, value: &str) -> HeaderMatch {
    HeaderMatch { kind: ValueMatchType::Exact, name: name.to_owned(), value: value.to_owned() }
}

#[test]
fn no_match_matches_everything() {
    let mut problems = Problems::default();
    assert_eq!(
        of_http(&Expressions::default(), &[], &Field::SPEC, &mut problems),
        [everything(PathMatch::Prefix("".into()))]
    );
    let any = PathMatch::Grpc { service: None, method: None };
    assert_eq!(of_grpc(&Expressions::default(), &[], &Field::SPEC, &mut problems), [everything(any)]);
}

#[test]
fn a_prefix_has_no_slash_at_its_end() {
    for (text, expected) in [("/", ""), ("/a", "/a"), ("/a/", "/a")] {
        let (matches, _) = http(path(PathMatchType::PathPrefix, text));
        assert_eq!(matches[0].path, PathMatch::Prefix(expected.into()), "{text}");
    }
    let (matches, _) = http(path(PathMatchType::Exact, "/a/"));
    assert_eq!(matches[0].path, PathMatch::Exact("/a/".into()));
}

#[test]
fn paths_that_no_request_can_have_are_refused() {
    for text in ["", "a", "//", "/a//b", "/./a", "/a/..", "/a%2fb", "/a%2Fb", "/a#", "/a?b", "/a b"] {
        for kind in [PathMatchType::Exact, PathMatchType::PathPrefix] {
            let (matches, invalid) = http(path(kind, text));
            assert!(matches.is_empty(), "{text}");
            assert_eq!(invalid, ["spec.matches[0].path.value"], "{text}");
        }
    }
}

#[test]
fn of_equal_names_the_first_counts() {
    let headers = vec![header("X-A", "1"), header("x-a", "2"), header("x-b", "3")];
    let query_params = vec![header("q", "1"), header("Q", "2"), header("q", "3")];
    let (matches, invalid) = http(HttpRouteMatch { headers, query_params, ..Default::default() });
    assert!(invalid.is_empty());
    let named = |list: &[NamedMatch]| -> Vec<_> {
        list.iter().map(|it| (it.name.to_string(), it.value.clone())).collect()
    };
    let exact = |text: &str| ValueMatch::Exact(text.into());
    assert_eq!(named(&matches[0].headers), [("x-a".to_owned(), exact("1")), ("x-b".to_owned(), exact("3"))]);
    assert_eq!(named(&matches[0].query_params), [("q".to_owned(), exact("1")), ("Q".to_owned(), exact("2"))]);
}

#[test]
fn what_no_request_can_have_is_refused() {
    let headers = vec![header(":method", "GET"), header("a", "")];
    let query_params = vec![header("", "1")];
    let (_, invalid) = http(HttpRouteMatch { headers, query_params, ..Default::default() });
    let fields = [
        "spec.matches[0].headers[0].name",
        "spec.matches[0].headers[1].value",
        "spec.matches[0].queryParams[0].name",
    ];
    assert_eq!(invalid, fields);
}

#[test]
fn a_grpc_method_names_a_service_or_a_method() {
    let grpc = |service: Option<&str>, method: Option<&str>| {
        let method = GrpcMethodMatch {
            kind: ValueMatchType::Exact,
            service: service.map(str::to_owned),
            method: method.map(str::to_owned),
        };
        let it = GrpcRouteMatch { method: Some(method), headers: Vec::new() };
        let mut problems = Problems::default();
        let matches = of_grpc(&Expressions::default(), &[it], &Field::SPEC, &mut problems);
        (matches[0].path.clone(), problems.invalid.into_iter().map(|it| it.field).collect::<Vec<_>>())
    };
    let exact = |text: &str| Some(ValueMatch::Exact(text.into()));
    let both = PathMatch::Grpc { service: exact("a.B"), method: exact("C") };
    assert_eq!(grpc(Some("a.B"), Some("C")), (both, Vec::new()));
    let method_alone = PathMatch::Grpc { service: None, method: exact("C") };
    assert_eq!(grpc(Some(""), Some("C")), (method_alone, Vec::new()));
    assert_eq!(grpc(None, None).1, ["spec.matches[0].method"]);
    assert_eq!(grpc(Some("a/B"), None).1, ["spec.matches[0].method.service"]);
    assert_eq!(grpc(Some("a.B"), Some("1C")).1, ["spec.matches[0].method.method"]);
}
