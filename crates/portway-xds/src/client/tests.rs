use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::disk::{Saved, load, save};
use super::*;

fn gateway() -> NamespacedName {
    NamespacedName::new("apps", "web")
}

fn saved(revision: u64) -> Saved {
    let resource = crate::Resource::Settings(gateway(), Default::default());
    let held = store::Held { version: resource.version(), resource };
    Saved { gateway: gateway(), revision: Revision(revision), resources: vec![held] }
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
    save(&state, &saved(1)).unwrap();
    save(&state, &saved(2)).unwrap();
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
    save(state, &saved(1)).unwrap();
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
