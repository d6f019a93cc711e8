use std::os::unix::fs::symlink;

use super::*;

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The names of the sources below a directory.
fn names(loaded: &Loaded, directory: &Path) -> Vec<String> {
    let prefix = format!("{}/", directory.display());
    loaded.texts.iter().map(|text| text.source.as_str().replace(&prefix, "")).collect()
}

#[test]
fn directories_are_read_with_all_below_them() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for name in
        ["b.yaml", "a/z.yml", "a/y.JSON", ".git/c.yaml", ".d.yaml.swp", "e.txt", "f.yaml~", "a/.b/g.yaml"]
    {
        write(root, name, "kind: A");
    }
    let loaded = load([root]);
    assert_eq!(loaded.problems, []);
    assert_eq!(names(&loaded, root), ["a/y.JSON", "a/z.yml", "b.yaml"]);
    assert_eq!(loaded.parse().documents.len(), 3);
    assert_eq!(names(&load([root.join("e.txt")]), root), ["e.txt"]);
}

/// The kubelet mounts a ConfigMap as links into `..data`, itself a link that is swapped.
#[test]
fn a_mounted_config_map_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "..2025_01_01/web.yaml", "kind: A");
    symlink("..2025_01_01", root.join("..data")).unwrap();
    symlink("..data/web.yaml", root.join("web.yaml")).unwrap();
    let loaded = load([root]);
    assert_eq!((names(&loaded, root), loaded.problems), (vec!["web.yaml".to_owned()], vec![]));
}

#[test]
fn what_cannot_be_read_is_told_and_hides_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "a.yaml", "kind: A\nname: caf\u{e9}");
    write(root, "latin1.yaml", b"kind: A\nname: caf\xe9");
    write(root, "utf16.yaml", b"\xff\xfek\0");
    write(root, "large.yaml", "é".repeat(limits::MAX_SOURCE_BYTES / 2 + 1));
    symlink("nowhere", root.join("link.yaml")).unwrap();
    symlink(".", root.join("loop")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();

    let loaded = load([root.join("empty"), root.join("a.yaml"), root.join("missing.yaml")]);
    assert_eq!(names(&loaded, root), ["a.yaml"]);
    let codes: Vec<_> = loaded.problems.iter().map(|problem| (problem.severity, problem.code)).collect();
    assert_eq!(
        codes,
        [(Severity::Warning, ProblemCode::Unreadable), (Severity::Error, ProblemCode::Unreadable)]
    );

    let told = |name: &str| {
        let parsed = load([root.join(name)]).parse();
        assert_eq!((parsed.documents.len(), parsed.problems.len()), (0, 1), "{name}");
        parsed.problems[0].to_string().replace(&format!("{}/", root.display()), "")
    };
    assert_eq!(
        told("latin1.yaml"),
        "latin1.yaml:2:10: error[encoding]: byte 0xe9 is not UTF-8\n  help: save the file as UTF-8"
    );
    assert!(told("utf16.yaml").starts_with("utf16.yaml:1:1: error[encoding]: the text is UTF-16"));
    assert!(told("large.yaml").starts_with("large.yaml:1:1: error[limit-exceeded]"));
    assert!(told("link.yaml").starts_with("link.yaml:1:1: error[unreadable]: cannot read it"));
    let looped = load([root]);
    assert_eq!((looped.texts.len(), looped.problems.len()), (2, 3), "{:?}", looped.problems);
}
