use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// Longer than a change may take to be told, and shorter than the next look of our own.
const SOON: Duration = Duration::from_secs(3);

/// Runs `change` while the paths are watched, and says whether it was noticed.
fn is_noticed(paths: &[PathBuf], change: impl FnOnce()) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut watch = Watch::new(paths);
        change();
        timeout(SOON, watch.changed()).await.is_ok()
    })
}

#[test]
fn edits_renames_and_new_folders_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("sub")).unwrap();
    let file = root.join("sub/a.yaml");
    fs::write(&file, "a").unwrap();
    let watched = [root.to_owned()];
    assert!(is_noticed(&watched, || fs::write(&file, "b").unwrap()));
    assert!(is_noticed(&watched, || {
        fs::write(root.join("sub/.a.swp"), "c").unwrap();
        fs::rename(root.join("sub/.a.swp"), &file).unwrap();
    }));
    assert!(is_noticed(&watched, || fs::create_dir(root.join("new")).unwrap()));
    assert!(is_noticed(&watched, || fs::remove_file(&file).unwrap()));
    assert!(
        !is_noticed(&watched, || assert!(fs::read_dir(root).unwrap().next().is_some())),
        "reading is no change"
    );
}

#[test]
fn a_single_file_is_noticed_and_its_neighbours_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    fs::write(&file, "a").unwrap();
    let watched = [file.clone()];
    assert!(is_noticed(&watched, || fs::write(&file, "b").unwrap()));
    assert!(!is_noticed(&watched, || fs::write(directory.path().join("b.yaml"), "b").unwrap()));
}

#[test]
fn a_swapped_link_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for version in ["..1", "..2"] {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("a.yaml"), version).unwrap();
    }
    symlink("..1", root.join("..data")).unwrap();
    symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
    let swap = |to: &str| {
        symlink(to, root.join("..tmp")).unwrap();
        fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    };
    assert!(is_noticed(&[root.to_owned()], || swap("..2")));
    assert!(is_noticed(&[root.join("a.yaml")], || swap("..1")));
}

#[test]
fn a_replaced_directory_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifests");
    fs::create_dir(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut watch = Watch::new(std::slice::from_ref(&path));
        fs::remove_dir(&path).unwrap();
        timeout(SOON, watch.changed()).await.unwrap();
        fs::create_dir(&path).unwrap();
        timeout(SOON, watch.changed()).await.unwrap();
        fs::write(path.join("a.yaml"), "a").unwrap();
        timeout(SOON, watch.changed()).await.unwrap();
    });
}

#[test]
fn without_notices_a_look_finds_the_difference() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yaml");
    fs::write(&file, "a").unwrap();
    let paths = [directory.path().to_owned()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut watch = Watch { paths: paths.to_vec(), notices: None, seen: Fingerprint::of(&paths) };
        assert!(timeout(LOOK_ALONE * 2, watch.changed()).await.is_err());
        fs::write(&file, "b").unwrap();
        timeout(LOOK_ALONE * 3, watch.changed()).await.unwrap();
    });
}
