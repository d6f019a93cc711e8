use std::fs;

use portway_api::ObjectKey;
use portway_api::manifest::Severity;
use portway_api::object::ObjectRef;

use super::*;

const NOW: &str = "2026-01-01T00:00:00Z";

struct Folder {
    directory: tempfile::TempDir,
    manifests: LiveManifests,
}

impl Folder {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let manifests = LiveManifests::new(vec![directory.path().to_owned()]);
        Self { directory, manifests }
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.directory.path().join(name)).unwrap();
        self
    }

    fn read(&mut self) -> Option<Edition> {
        let edition = self.manifests.read(NOW.parse().unwrap())?;
        self.manifests.accept(NOW.parse().unwrap());
        Some(edition)
    }

    /// As [`Self::read`], where translation finds something wrong with each of these Services that has port 666.
    fn judged(&mut self, names: &[&str]) -> Edition {
        let now = NOW.parse().unwrap();
        let mut edition = self.manifests.read(now).expect("something is different");
        loop {
            let found = faults(&edition, names);
            match self.manifests.refuse(&found, &edition.origins, now) {
                Some(other) => edition = other,
                None => break,
            }
        }
        self.manifests.accept(now);
        edition
    }

    fn edition(&mut self) -> Edition {
        self.read().expect("something is different")
    }
}

fn service(name: &str, port: i32) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    )
}

/// Each Service with its port.
fn services(edition: &Edition) -> Vec<String> {
    let port =
        |service: &portway_api::core::Service| service.spec.as_ref().unwrap().ports.as_ref().unwrap()[0].port;
    edition.snapshot.services.iter().map(|(key, service)| format!("{}:{}", key.name, port(service))).collect()
}

/// What translation might say of Services with port 666.
fn faults(edition: &Edition, names: &[&str]) -> Vec<OwnFault> {
    let bad = services(edition).into_iter().filter_map(|it| it.strip_suffix(":666").map(str::to_owned));
    bad.filter(|name| names.contains(&name.as_str()))
        .map(|name| {
            let culprit = ObjectRef::namespaced("Service", &ObjectKey::new("default", name));
            let issue = Issue {
                severity: Severity::Error,
                position: None,
                code: "unsupported-value".to_owned(),
                object: Some("HTTPRoute web/app".to_owned()),
                field: Some("spec.rules[0].backendRefs[0]".to_owned()),
                message: format!("{culprit} has a port of the beast"),
                help: None,
            };
            OwnFault { culprit, issue }
        })
        .collect()
}

fn refused(edition: &Edition) -> Vec<(String, bool)> {
    let name = |file: &RefusedFile| file.source.as_str().rsplit('/').next().unwrap().to_owned();
    edition.refused.iter().map(|file| (name(file), file.serving_since.is_some())).collect()
}

#[test]
fn a_bad_file_keeps_its_last_good_version_and_others_go_on() {
    let mut folder = Folder::new();
    folder.write("a.yaml", &(service("a1", 1) + &service("a2", 1))).write("b.yaml", &service("b", 1));
    let edition = folder.edition();
    assert_eq!(
        (services(&edition), refused(&edition)),
        (vec!["a1:1".into(), "a2:1".into(), "b:1".into()], vec![])
    );
    assert!(folder.read().is_none());

    folder.write("a.yaml", &(service("a1", 2) + "---\nkind: [\n")).write("b.yaml", &service("b", 2));
    let edition = folder.edition();
    assert_eq!(services(&edition), ["a1:1", "a2:1", "b:2"]);
    assert_eq!(refused(&edition), [("a.yaml".to_owned(), true)]);
    assert!(!edition.refused[0].problems.is_empty());

    // Still bad, in another way.
    folder.write("a.yaml", &(service("a1", 3) + &service("a2", 700_000)));
    let edition = folder.edition();
    assert_eq!(
        (services(&edition), refused(&edition).len()),
        (vec!["a1:1".into(), "a2:1".into(), "b:2".into()], 1)
    );

    folder.write("a.yaml", &service("a1", 4));
    let edition = folder.edition();
    assert_eq!((services(&edition), refused(&edition)), (vec!["a1:4".into(), "b:2".into()], vec![]));
}

#[test]
fn a_file_that_never_was_good_gives_what_can_be_used() {
    let mut folder = Folder::new();
    folder.write("a.yaml", &(service("a1", 1) + &service("a2", 700_000)));
    let edition = folder.edition();
    assert_eq!(services(&edition), ["a1:1"]);
    assert_eq!(refused(&edition), [("a.yaml".to_owned(), false)]);
    folder.write("a.yaml", &(service("a1", 2) + &service("a2", 700_000)));
    assert_eq!(services(&folder.edition()), ["a1:2"]);
}

#[test]
fn a_file_that_is_gone_takes_its_objects_with_it() {
    let mut folder = Folder::new();
    folder.write("a.yaml", &service("a", 1)).write("b.yaml", &service("b", 1));
    folder.edition();
    folder.remove("a.yaml");
    assert_eq!(services(&folder.edition()), ["b:1"]);
    // A file that cannot be read is not gone.
    folder.write("b.yaml", "\u{fffd}");
    fs::write(folder.directory.path().join("b.yaml"), b"\xff").unwrap();
    let edition = folder.edition();
    assert_eq!(
        (services(&edition), refused(&edition)),
        (vec!["b:1".into()], vec![("b.yaml".to_owned(), true)])
    );
    // Nor is what lies below a directory that is not there for the moment.
    let path = folder.directory.path().to_owned();
    let elsewhere = path.with_extension("moved");
    fs::rename(&path, &elsewhere).unwrap();
    assert_eq!(services(&folder.edition()), ["b:1"]);
    fs::rename(&elsewhere, &path).unwrap();
    folder.write("b.yaml", &service("b", 2));
    assert_eq!(services(&folder.edition()), ["b:2"]);
}

#[test]
fn an_object_stays_with_its_file_and_may_move() {
    let mut folder = Folder::new();
    folder.write("b.yaml", &service("x", 1));
    folder.edition();
    // Another file, even one that is read earlier, does not take it away.
    folder.write("a.yaml", &service("x", 2));
    let edition = folder.edition();
    assert_eq!(
        (services(&edition), refused(&edition)),
        (vec!["x:1".into()], vec![("a.yaml".to_owned(), false)])
    );
    assert!(edition.refused[0].problems[0].message.contains("b.yaml:2:1"), "{:?}", edition.refused);
    folder.remove("b.yaml");
    let edition = folder.edition();
    assert_eq!((services(&edition), refused(&edition)), (vec!["x:2".into()], vec![]));

    // It has left a file that is bad now.
    folder.write("a.yaml", "kind: [\n").write("c.yaml", &service("x", 3));
    let edition = folder.edition();
    assert_eq!(
        (services(&edition), refused(&edition)),
        (vec!["x:3".into()], vec![("a.yaml".to_owned(), true)])
    );
}

#[test]
fn a_file_is_parsed_once_for_each_text() {
    let mut folder = Folder::new();
    folder.write("a.yaml", &service("a", 1)).write("b.yaml", &service("b", 1));
    folder.edition();
    let parsed = |folder: &Folder| -> Vec<_> {
        folder.manifests.parsed.values().map(|parsed| Arc::clone(&parsed.reading)).collect()
    };
    let before = parsed(&folder);
    folder.write("b.yaml", &service("b", 2));
    assert_eq!(services(&folder.edition()), ["a:1", "b:2"]);
    let after = parsed(&folder);
    assert!(Arc::ptr_eq(&before[0], &after[0]));
    assert!(!Arc::ptr_eq(&before[1], &after[1]));
    folder.remove("b.yaml");
    folder.edition();
    assert_eq!(folder.manifests.parsed.len(), 1);
}

#[test]
fn what_translation_finds_wrong_with_a_text_refuses_its_file() {
    let mut folder = Folder::new();
    folder.write("a.yaml", &(service("a1", 1) + &service("a2", 1))).write("b.yaml", &service("b", 1));
    assert!(folder.judged(&["a1"]).refused.is_empty());

    folder.write("a.yaml", &(service("a1", 666) + &service("a2", 2))).write("b.yaml", &service("b", 2));
    let edition = folder.judged(&["a1"]);
    assert_eq!(services(&edition), ["a1:1", "a2:1", "b:2"]);
    assert_eq!(refused(&edition), [("a.yaml".to_owned(), true)]);
    // It is told of the object whose text is wrong, where that is written.
    let problem = &edition.refused[0].problems[0];
    assert_eq!(problem.object.as_deref(), Some("Service default/a1"));
    assert_eq!((&*problem.message, &problem.field), ("has a port of the beast", &None));
    assert!(problem.position.as_ref().unwrap().to_string().ends_with("a.yaml:2:1"), "{problem:?}");

    // It stays refused as long as its text is the same, whatever translation sees of it meanwhile.
    folder.write("b.yaml", &service("b", 3));
    let edition = folder.judged(&[]);
    assert_eq!(services(&edition), ["a1:1", "a2:1", "b:3"]);
    assert_eq!(refused(&edition), [("a.yaml".to_owned(), true)]);

    folder.write("a.yaml", &service("a1", 3));
    let edition = folder.judged(&["a1"]);
    assert_eq!((services(&edition), refused(&edition)), (vec!["a1:3".into(), "b:3".into()], vec![]));
}

#[test]
fn a_file_without_a_good_version_gives_what_can_be_used_in_spite_of_translation() {
    let mut folder = Folder::new();
    folder.write("a.yaml", &service("a", 666));
    let edition = folder.judged(&["a"]);
    assert_eq!(services(&edition), ["a:666"]);
    assert_eq!(refused(&edition), [("a.yaml".to_owned(), false)]);

    // What nobody had asked for, such as a certificate that no listener named, was taken for good.
    folder.write("a.yaml", &service("a", 1)).write("b.yaml", &service("b", 666));
    assert!(folder.judged(&[]).refused.is_empty());
    folder.write("a.yaml", &service("a", 2));
    let edition = folder.judged(&["b"]);
    assert_eq!(services(&edition), ["a:2", "b:666"]);
    assert_eq!(refused(&edition), [("b.yaml".to_owned(), false)]);
}
