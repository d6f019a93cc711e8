use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parsed(text: &str) -> Parsed {
    parse(&Source::new("web.yaml"), text)
}

/// The values of a text that holds no mistake.
fn values(text: &str) -> Vec<serde_json::Value> {
    let Parsed { documents, problems } = parsed(text);
    assert_eq!(problems, [], "{text}");
    documents.into_iter().map(|document| document.value).collect()
}

/// The problems of a text, each on one line.
fn problems(text: &str) -> Vec<String> {
    parsed(text).problems.iter().map(|problem| problem.to_string().replace("\n  ", " ")).collect()
}

/// Where a field and its value are, as `line:column line:column`.
fn places(document: &Document, field: &str) -> String {
    let field: FieldPath = field.parse().unwrap();
    let (key, value) = (document.origin.position(&field), document.origin.value_position(&field));
    assert_eq!(key.source.as_str(), "web.yaml");
    format!("{}:{} {}:{}", key.line, key.column, value.line, value.column)
}

#[test]
fn every_field_has_its_place() {
    let text = "\
# the web
apiVersion: v1
spec:
  rules:
  - name: a
    matches: [{path: {value: \"/ä\"}}, {path: /b}]
  -   name: 'b'
      text: |
        literal
      folded: >-
        folded
---
- x
---
kind: Second
deep:
    key:
      under
    empty:
";
    let Parsed { documents, problems } = parsed(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        problems[0].to_string().lines().next().unwrap_or_default(),
        concat!(
            "web.yaml:13:1: error[not-an-object]: a Kubernetes object is a mapping with ",
            "`apiVersion`, `kind` and `metadata`"
        )
    );
    let [first, second] = documents.as_slice() else { panic!("{documents:?}") };
    assert_eq!(first.origin.start().to_string(), "web.yaml:2:1");
    for (field, place) in [
        ("", "2:1 2:1"),
        ("apiVersion", "2:1 2:13"),
        ("spec", "3:1 4:3"),
        ("spec.rules", "4:3 5:5"),
        ("spec.rules[0]", "5:5 5:5"),
        ("spec.rules[0].name", "5:5 5:11"),
        ("spec.rules[0].matches[0].path.value", "6:23 6:30"),
        ("spec.rules[0].matches[1]", "6:38 6:38"),
        ("spec.rules[0].matches[1].path", "6:39 6:45"),
        ("spec.rules[1].name", "7:7 7:13"),
        ("spec.rules[1].text", "8:7 9:9"),
        ("spec.rules[1].folded", "10:7 11:9"),
        // Not there: its nearest ancestor.
        ("spec.rules[1].matches[3].path", "7:7 7:7"),
        ("spec.rules[7]", "4:3 4:3"),
        ("spec.hostnames", "3:1 3:1"),
    ] {
        assert_eq!(places(first, field), place, "{field}");
    }
    assert_eq!(places(second, "deep.key"), "17:5 18:7");
    assert_eq!(second.value["deep"], json!({"key": "under", "empty": null}));
}

#[test]
fn json_has_places_too() {
    let text = "{\n  \"kind\": \"A\", \"ä\": {\"l\": [1,\n{\"x\": 2}]}}\n{\"kind\": \"B\"}\n---\nkind: C\n";
    let Parsed { documents, problems } = parsed(text);
    assert_eq!(problems, []);
    let [a, b, c] = documents.as_slice() else { panic!("{documents:?}") };
    for (field, place) in [
        ("", "1:1 1:1"),
        ("kind", "2:3 2:11"),
        ("ä.l", "2:22 2:27"),
        ("ä.l[0]", "2:28 2:28"),
        ("ä.l[1].x", "3:2 3:7"),
    ] {
        assert_eq!(places(a, field), place, "{field}");
    }
    assert_eq!((places(b, "kind"), places(c, "kind")), ("4:2 4:10".to_owned(), "6:1 6:7".to_owned()));
}

#[test]
fn a_mistake_hides_no_other_document() {
    let text =
        "kind: A\n---\nkind: [B\n---\nkind: C\n---\nkind: D\n\tx: 1\n---\nkind: E\nkind: F\n--- \nkind: G\n";
    let Parsed { documents, problems } = parsed(text);
    let kinds: Vec<_> = documents.iter().filter_map(Document::kind).collect();
    assert_eq!(kinds, ["A", "C", "G"]);
    let lines: Vec<_> =
        problems.iter().filter_map(|problem| problem.position.as_ref()).map(|at| at.line).collect();
    assert_eq!(lines, [3, 8, 11], "{problems:#?}");
}

#[test]
fn what_is_written_twice_is_told_with_both_lines() {
    assert_eq!(
        problems("# one\nkind: A\nspec:\n  a: 1\n  a: 2\n  'a': 3\nkind: B\n"),
        [
            "web.yaml:5:3: error[duplicate-key]: the key `a` stands here for the second time, first on line 4 \
             help: keep one of the two",
            "web.yaml:6:3: error[duplicate-key]: the key `a` stands here for the second time, first on line 4 \
             help: keep one of the two",
            "web.yaml:7:1: error[duplicate-key]: the key `kind` stands here for the second time, first on line 2 \
             help: keep one of the two",
        ]
    );
}

#[test]
fn a_file_that_is_no_text_is_told() {
    for (text, place) in [("\0\0\0", ":1:1:"), ("ELF\0 tab\t", ":1:4:"), ("kind: A\n \0", ":2:2:")] {
        let problems = problems(text);
        assert!(problems[0].contains("a NUL character stands in the text"), "{problems:?}");
        assert!(problems[0].contains(place), "{problems:?}");
    }
}

#[test]
fn tabs_are_named() {
    for text in ["kind: A\nspec:\n\ta: 1\n", "kind: A\nspec:\n  a: 1\n\tb: 2\n"] {
        let problems = problems(text);
        assert!(problems[0].contains("a tab stands where only spaces may indent"), "{problems:?}");
    }
}

#[test]
fn the_common_slips_are_told_in_plain_words() {
    for (text, words) in [
        ("a: b: c\n", "a `key: value` pair cannot stand here"),
        ("a: 1\n b: 2\n", "a `key: value` pair cannot stand here"),
        ("a: 1\nb\nc: 2\n", "this line is no `key: value` pair"),
        ("a:\n  b: 1\n c: 2\n", "does not line up with the keys above"),
        ("a: 'b\n", "a quote is not closed"),
        ("a: \"b\n---\nb: 1", "a quote is not closed"),
        ("a: {b: 1\n", "a `{` is not closed"),
        ("a: [b, c\n", "a `[` is not closed"),
        ("a: \"\\d\"\n", "unknown escape"),
        ("a: *b\n", "names no anchor"),
        ("a: @b\n", "cannot start with this character"),
        ("a: 'b' c\n", "text follows a closing quote"),
        ("a: {b: c, , d: e}\n", "a value is missing here"),
        ("a: [{b: ", "web.yaml:1:5: error[syntax]: a value is missing here, or a bracket is not closed"),
        ("a: {{ .Values.a }}\n", "render it first"),
        ("a: !env HOME\n", "the tag `!env` means nothing"),
        ("? [a]\n: b\n", "a mapping or list is used as a key"),
    ] {
        let problems = problems(text);
        assert!(problems.iter().any(|problem| problem.contains(words)), "{text}: {problems:?}");
    }
}

#[test]
fn byte_order_mark_and_line_ends_make_no_difference() {
    let expected = [json!({"kind": "A", "text": "x\ny\n"}), json!({"kind": "B"})];
    let unix = "kind: A\ntext: |\n  x\n  y\n---\nkind: B\n";
    assert_eq!(values(unix), expected);
    assert_eq!(values(&unix.replace('\n', "\r\n")), expected);
    assert_eq!(values(&format!("\u{feff}{unix}")), expected);
    let windows = parsed(&format!("\u{feff}{}", unix.replace('\n', "\r\n")));
    assert_eq!(places(&windows.documents[0], "kind"), "1:1 1:7");
    assert_eq!(places(&windows.documents[1], "kind"), "6:1 6:7");
}

#[test]
fn documents_without_content_are_passed_over() {
    for text in
        ["", "\n\n", "# only a comment", "---", "---\n---\n# x\n---\n", "...\n", "null", "%YAML 1.2\n---\n"]
    {
        assert_eq!(values(text), [] as [serde_json::Value; 0], "{text}");
    }
    assert_eq!(values("---\n# x\n---\nkind: A\n---\n"), [json!({"kind": "A"})]);
    assert_eq!(
        values("%YAML 1.1\n---\nkind: A\n...\n---\nkind: B\n"),
        [json!({"kind": "A"}), json!({"kind": "B"})]
    );
}

#[test]
fn lists_are_taken_apart() {
    let text = "\
apiVersion: v1
kind: List
items:
- kind: A
  a: 1
- apiVersion: v1
  kind: List
  items: [{kind: B}, {kind: C}]
- apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRouteList
  items:
  - metadata: {name: d}
---
kind: List
items: []
---
kind: Whitelist
items: 3
";
    let Parsed { documents, problems } = parsed(text);
    assert_eq!(problems, []);
    let kinds: Vec<_> = documents.iter().filter_map(Document::kind).collect();
    assert_eq!(kinds, ["A", "B", "C", "HTTPRoute", "Whitelist"]);
    assert_eq!(documents[3].api_version(), Some("gateway.networking.k8s.io/v1"));
    assert_eq!(places(&documents[0], "a"), "5:3 5:6");
    assert_eq!(places(&documents[3], "metadata.name"), "12:16 12:22");
}

#[test]
fn aliases_and_merge_keys_are_written_out() {
    let text = "\
base: &base {a: 1, b: 2}
other: &other
  b: 3
  c: 3
one:
  <<: *base
  b: 20
  d: *other
many:
  e: 5
  <<: [*base, *other]
quoted: {'<<': 1}
list: [*base, *base]
";
    let Parsed { documents, problems } = parsed(text);
    assert_eq!(problems, []);
    let document = &documents[0];
    assert_eq!(document.value["one"], json!({"b": 20, "d": {"b": 3, "c": 3}, "a": 1}));
    assert_eq!(document.value["many"], json!({"e": 5, "a": 1, "b": 2, "c": 3}));
    assert_eq!(document.value["quoted"], json!({"<<": 1}));
    assert_eq!(document.value["list"], json!([{"a": 1, "b": 2}, {"a": 1, "b": 2}]));
    // What an alias stands for is written at the anchor; the alias itself where it stands.
    assert_eq!(places(document, "one.a"), "1:14 1:17");
    assert_eq!(places(document, "one.d"), "8:3 8:6");
    assert_eq!(places(document, "one.d.c"), "4:3 4:6");
    assert_eq!(problems_of_merge("<<: 3"), "`<<` takes a mapping or a list of mappings");
    assert_eq!(problems_of_merge("a: &a [*a]"), "an alias stands within its own anchor");
}

fn problems_of_merge(text: &str) -> String {
    let parsed = parsed(text);
    assert_eq!(parsed.documents.len(), 0);
    parsed.problems[0].message.clone()
}

/// The document that doubles in size with each line, and one of a long text that is repeated often.
#[test]
fn alias_bombs_are_refused() {
    let mut nodes = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        nodes += &format!("a{level}: &a{level} [*a{below}, *a{below}]\n");
    }
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1_000));
    for text in [nodes, long] {
        let problems = problems(&text);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("limit-exceeded") && problems[0].contains("aliases"), "{problems:?}");
    }
}

#[test]
fn depth_and_size_are_limited() {
    let deep = |depth: usize| format!("{{\"kind\": {}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(parsed(&deep(limits::MAX_DEPTH)).problems, []);
    for text in [
        deep(limits::MAX_DEPTH + 1),
        deep(100_000),
        format!("kind: {}", "[".repeat(100_000)),
        format!("kind: {}", "{a: ".repeat(100_000)),
        format!("kind:\n{}", "- ".repeat(100_000)),
    ] {
        let problems = problems(&text);
        assert!(problems.len() == 1 && problems[0].contains("128 levels"), "{problems:?}");
    }
    let large = format!("# {}", "x".repeat(limits::MAX_SOURCE_BYTES));
    assert_eq!(
        problems(&large),
        ["web.yaml:1:1: error[limit-exceeded]: the file is larger than 16 MiB help: split the file"]
    );
}

#[test]
fn a_file_of_mistakes_is_given_up() {
    let Parsed { documents, problems } = parsed(&"a: [\n---\n".repeat(10_000));
    assert_eq!((documents.len(), problems.len()), (0, limits::MAX_SYNTAX_PROBLEMS + 1));
    assert_eq!(problems.last().map(|problem| problem.code), Some(ProblemCode::LimitExceeded));
}

/// A route of 10,000 rules, 3 MB: the time is that of the parser, not the square of the size.
#[test]
fn large_manifests_are_read() {
    let rule = "  - matches:\n    - path: {type: PathPrefix, value: /some/path}\n      headers:\n      - {name: a, value: b}\n    \
                backendRefs:\n    - name: web\n      port: 80\n";
    let text = format!("kind: HTTPRoute\nspec:\n  rules:\n{}", rule.repeat(10_000));
    assert_eq!(values(&text)[0]["spec"]["rules"].as_array().map(Vec::len), Some(10_000));
    let json = serde_json::to_string(&values(&text)[0]).unwrap();
    assert_eq!(values(&json)[0]["spec"]["rules"].as_array().map(Vec::len), Some(10_000));
}

const FRAGMENTS: &[&str] = &[
    "a",
    "b: ",
    ": ",
    "- ",
    "? ",
    "&x ",
    "*x ",
    "<<: ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "!!str ",
    "!x ",
    "#c",
    "\\u00",
    "\u{feff}",
    "ä",
    "\r",
    "\0",
    "~",
    "0x1",
    "items: ",
    "kind: List\n",
    "1e9",
    "{\"a\": ",
    "\"\\ud83d\"",
];

/// One change to a text: what stands in a range is replaced.
fn edit() -> impl Strategy<Value = (prop::sample::Index, usize, &'static str)> {
    (any::<prop::sample::Index>(), 0..12usize, prop::sample::select(FRAGMENTS))
}

/// Objects of many kinds, to be spoilt.
const OBJECTS: &str = include_str!("tests/objects.yaml");

#[test]
fn the_objects_are_sound_before_they_are_spoilt() {
    let reading = read(&Source::new("objects.yaml"), OBJECTS);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.objects.len(), 18);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    /// Whatever happens to a manifest, it is read or refused, and every error has a place within the text.
    #[test]
    fn spoilt_objects_are_told_with_their_place(edits in prop::collection::vec(edit(), 1..6)) {
        let mut text = OBJECTS.to_owned();
        for (at, length, fragment) in edits {
            let boundaries: Vec<_> = text.char_indices().map(|(offset, _)| offset).collect();
            let start = at.index(boundaries.len());
            let end = boundaries.get(start + length).copied().unwrap_or(text.len());
            text.replace_range(boundaries[start]..end, fragment);
        }
        let lines = text.split(['\n', '\r']).count();
        for problem in read(&Source::new("objects.yaml"), &text).problems {
            let position = problem.position.clone().unwrap();
            prop_assert!((1..=lines).contains(&(position.line as usize)) && position.column > 0, "{problem}");
        }
    }

}

proptest! {
    #[test]
    fn no_text_is_too_strange(fragments in proptest::collection::vec(proptest::sample::select(FRAGMENTS), 0..40)) {
        for document in parsed(&fragments.concat()).documents {
            prop_assert!(document.value.is_object());
            document.origin.position(&FieldPath::root());
        }
    }

    #[test]
    fn any_characters_are_read_or_refused(text in any::<String>()) {
        parsed(&text);
    }

    /// JSON is read as `serde_json` reads it, directly and as YAML.
    #[test]
    fn json_keeps_its_value(keys in proptest::collection::btree_map("[a-z\"\\\\/ä]{1,4}", "[ -~]{0,8}", 0..5), n in any::<i64>()) {
        let value = json!({"n": n, "keys": keys, "list": [null, true, {"x": [n]}]});
        let text = value.to_string();
        prop_assert_eq!(values(&text), std::slice::from_ref(&value));
        prop_assert_eq!(values(&format!("# YAML\n{text}")), [value]);
    }
}
