use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::disk::{Saved, SavedFile, load};
use super::*;

fn gateway() -> NamespacedName {
    NamespacedName::new("apps", "web")
}

fn saved(revision: u64) -> Saved {
    let resource = crate::Resource::Settings(gateway(), Default::default());
    let held = store::Held { version: resource.version(), resource };
    let resources = [(held.resource.key(), held)].into_iter().collect();
    Saved { gateway: gateway(), revision: Revision(revision), resources }
}

fn save(directory: &Path, saved: Saved) {
    SavedFile::new(directory).save(saved).unwrap();
}

fn problem(directory: &Path, limits: &Limits) -> String {
    load(directory, &gateway(), limits).unwrap_err().to_string()
}

#[test]
fn what_is_saved_is_for_the_user_alone() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    assert!(load(&state, &gateway(), &Limits::default()).unwrap().is_none());
    // One that was left half written does not matter, nor do its rights.
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join(".configuration.new"), "half").unwrap();
    save(&state, saved(1));
    save(&state, saved(2));
    let mode = std::fs::metadata(state.join("configuration")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1);
    let loaded = load(&state, &gateway(), &Limits::default()).unwrap().unwrap();
    assert_eq!((loaded.revision, loaded.resources.len()), (Revision(2), 1));
}

#[test]
fn what_is_damaged_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let (state, limits) = (directory.path(), Limits::default());
    save(state, saved(1));
    let file = state.join("configuration");
    let good = std::fs::read(&file).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        std::fs::write(&file, bad).unwrap();
        problem(state, &limits);
        std::fs::write(&file, &good[..index]).unwrap();
        problem(state, &limits);
    }
    std::fs::write(&file, &good).unwrap();
    let short = Limits { saved_bytes: good.len() - 1, ..Limits::default() };
    assert!(problem(state, &short).contains("longer than"), "{}", problem(state, &short));
    let other = load(state, &NamespacedName::new("apps", "other"), &limits).unwrap_err().to_string();
    assert!(other.contains("another Gateway"), "{other}");
}

/// Trust bundles by number, each with a content.
fn with_bundles(revision: u64, bundles: &[(u32, &str)]) -> Saved {
    let mut saved = saved(revision);
    for (number, content) in bundles {
        let name = NamespacedName::new("apps", format!("ca-{number}"));
        let resource = crate::Resource::TrustBundle(Arc::new(portway_config::tls::TrustBundle {
            key: portway_config::key::TrustKey::ConfigMap(name),
            anchors: vec![content.as_bytes().into()],
        }));
        let held = store::Held { version: resource.version(), resource };
        saved.resources.insert(held.resource.key(), held);
    }
    saved
}

fn contents(directory: &Path) -> Option<(u64, Vec<String>)> {
    let loaded = load(directory, &gateway(), &Limits::default()).ok()??;
    let mut versions: Vec<_> = loaded.resources.into_iter().map(|it| it.version).collect();
    versions.sort();
    Some((loaded.revision.0, versions))
}

fn expected(saved: &Saved) -> Option<(u64, Vec<String>)> {
    let mut versions: Vec<_> = saved.resources.values().map(|it| it.version.to_string()).collect();
    versions.sort();
    Some((saved.revision.0, versions))
}

#[test]
fn a_change_adds_to_the_file_and_a_cut_off_change_is_as_if_it_had_not_been() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("configuration");
    let mut file = SavedFile::new(directory.path());
    let states = [
        with_bundles(1, &[(1, "a"), (2, "b")]),
        with_bundles(2, &[(1, "a"), (2, "c")]),
        with_bundles(3, &[(2, "c"), (3, "d")]),
    ];
    let mut lengths = Vec::new();
    for state in &states {
        file.save(state.clone()).unwrap();
        assert_eq!(contents(directory.path()), expected(state));
        lengths.push(std::fs::metadata(&path).unwrap().len() as usize);
    }
    let whole = std::fs::read(&path).unwrap();
    for end in lengths[0]..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let last = lengths.iter().rposition(|length| *length <= end).unwrap();
        assert_eq!(contents(directory.path()), expected(&states[last]), "{end}");
    }
    // Another process does not go on with what may be cut off.
    SavedFile::new(directory.path()).save(states[1].clone()).unwrap();
    assert_eq!(contents(directory.path()), expected(&states[1]));
}

#[test]
fn the_file_does_not_grow_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = SavedFile::new(directory.path());
    let content = "x".repeat(10_000);
    for revision in 0..100 {
        let state = with_bundles(revision, &[(1, &format!("{revision}{content}"))]);
        file.save(state.clone()).unwrap();
        assert_eq!(contents(directory.path()), expected(&state));
        assert!(std::fs::metadata(directory.path().join("configuration")).unwrap().len() < 100_000);
    }
    // Somebody has taken it away.
    std::fs::remove_file(directory.path().join("configuration")).unwrap();
    file.save(with_bundles(100, &[])).unwrap();
    assert_eq!(contents(directory.path()), expected(&with_bundles(100, &[])));
}

#[test]
fn the_wait_doubles_up_to_a_limit_with_full_jitter() {
    let limits = Limits {
        reconnect_backoff: Duration::from_millis(100),
        reconnect_backoff_max: Duration::from_millis(500),
        ..Limits::default()
    };
    let mut backoff = Backoff::new(&limits);
    let waits = [1.0, 1.0, 1.0, 1.0, 0.5, 0.0].map(|random| backoff.next(random).as_millis());
    assert_eq!(waits, [100, 200, 400, 500, 250, 0]);
    backoff.reset();
    assert_eq!(backoff.next(1.0).as_millis(), 100);
}
