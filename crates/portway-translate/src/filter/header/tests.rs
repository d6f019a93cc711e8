use portway_api::filter::HttpHeader;

use super::*;

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader { name: name.to_owned(), value: value.to_owned() }
}

fn translated(filter: &HttpHeaderFilter, direction: Direction) -> (HeaderModifier, Vec<String>) {
    let mut problems = Problems::default();
    let modifier = modifier(filter, direction, &Field::SPEC, &mut problems);
    (modifier, problems.invalid.into_iter().map(|it| it.field).collect())
}

#[test]
fn names_become_lower_case() {
    let filter = HttpHeaderFilter {
        set: vec![header("X-One", "1")],
        add: vec![header("X-Two", "a, b")],
        remove: vec!["X-Three".to_owned()],
    };
    let (modifier, invalid) = translated(&filter, Direction::Request);
    assert!(invalid.is_empty());
    assert_eq!(&*modifier.set[0].name, "x-one");
    assert_eq!(&*modifier.add[0].value, "a, b");
    assert_eq!(&*modifier.remove[0], "x-three");
}

#[test]
fn of_equal_names_in_a_list_the_first_counts() {
    let filter = HttpHeaderFilter { set: vec![header("x", "1"), header("X", "2")], ..Default::default() };
    let (modifier, invalid) = translated(&filter, Direction::Request);
    assert!(invalid.is_empty());
    assert_eq!(modifier.set.iter().map(|it| &*it.value).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn a_header_has_one_action() {
    let filter = HttpHeaderFilter {
        set: vec![header("a", "1")],
        add: vec![header("A", "2"), header("b", "3")],
        remove: vec!["B".to_owned()],
    };
    let (_, invalid) = translated(&filter, Direction::Request);
    assert_eq!(invalid, ["spec.add[0].name", "spec.remove[0]"]);
}

#[test]
fn what_is_no_header_is_refused() {
    let set =
        [("", "1"), (":path", "1"), ("a b", "1"), ("x", ""), ("y", " 1"), ("z", "a\r\nb: c"), ("w", "é")];
    let filter =
        HttpHeaderFilter { set: set.map(|(name, value)| header(name, value)).to_vec(), ..Default::default() };
    let (modifier, invalid) = translated(&filter, Direction::Request);
    assert!(modifier.set.is_empty());
    assert_eq!(invalid.len(), set.len());
}

#[test]
fn the_framing_of_messages_is_not_to_be_changed() {
    for name in FRAMING {
        let filter = HttpHeaderFilter { remove: vec![name.to_owned()], ..Default::default() };
        assert_eq!(translated(&filter, Direction::Response).1, ["spec.remove[0]"], "{name}");
    }
    let host = HttpHeaderFilter { set: vec![header("Host", "a.example.com")], ..Default::default() };
    assert_eq!(translated(&host, Direction::Request).1, ["spec.set[0].name"]);
    assert!(translated(&host, Direction::Response).1.is_empty());
}
