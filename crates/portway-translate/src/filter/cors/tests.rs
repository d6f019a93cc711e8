use super::*;

fn invalid(filter: &HttpCorsFilter) -> Vec<String> {
    let mut problems = Problems::default();
    cors(filter, &Field::SPEC, &mut problems);
    problems.invalid.into_iter().map(|it| it.field).collect()
}

fn filter() -> HttpCorsFilter {
    HttpCorsFilter {
        allow_origins: Vec::new(),
        allow_credentials: None,
        allow_methods: Vec::new(),
        allow_headers: Vec::new(),
        expose_headers: Vec::new(),
        max_age: 5,
    }
}

#[test]
fn origins_are_those_of_the_api() {
    let right = [
        "*",
        "https://example.com",
        "http://*.example.com:8080",
        "https://*",
        "http://*:80",
        "http://192.0.2.1",
        "https://Example.com",
    ];
    for text in right {
        assert!(origin(text).is_ok(), "{text}");
    }
    let wrong = [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://a.*.com",
        "https://example.com/",
        "https://example.com:0",
        "https://example.com:65536",
        "null",
    ];
    for text in wrong {
        assert!(origin(text).is_err(), "{text}");
    }
}

#[test]
fn everything_stands_alone() {
    let all = || vec!["*".to_owned()];
    let filter = HttpCorsFilter {
        allow_origins: all(),
        allow_methods: all(),
        allow_headers: all(),
        expose_headers: all(),
        ..filter()
    };
    assert!(invalid(&filter).is_empty());
    let both = vec!["*".to_owned(), "GET".to_owned()];
    assert_eq!(invalid(&HttpCorsFilter { allow_methods: both, ..filter }), ["spec.allowMethods[0]"]);
}

#[test]
fn what_is_no_method_header_or_age_is_refused() {
    let filter = HttpCorsFilter {
        allow_methods: vec!["GE T".to_owned()],
        allow_headers: vec!["x y".to_owned()],
        expose_headers: vec![String::new()],
        max_age: 0,
        ..filter()
    };
    let fields = ["spec.allowMethods[0]", "spec.allowHeaders[0]", "spec.exposeHeaders[0]", "spec.maxAge"];
    assert_eq!(invalid(&filter), fields);
}
