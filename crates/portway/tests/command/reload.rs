//! Manifests that change while they are served.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::eventually;
use crate::portway::{self, Portway};

/// A copy of `examples/my-app` that is served.
struct Served {
    directory: TempDir,
    portway: Portway,
}

fn copy(to: &Path) {
    for entry in fs::read_dir(crate::repository().join("examples/my-app")).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
    }
}

fn serve() -> Served {
    let directory = tempfile::tempdir().unwrap();
    copy(directory.path());
    let portway = Portway::run([directory.path().to_str().unwrap(), "--demo-backends"]);
    assert_eq!(portway.get("http://myapp.example.com/").status, 200);
    Served { directory, portway }
}

impl Served {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn route(&self) -> String {
        fs::read_to_string(self.path("route.yaml")).unwrap()
    }

    fn is_served(&self, host: &str) -> bool {
        self.portway.get(&format!("http://{host}/")).status == 200
    }

    fn wait_for(&self, host: &str) {
        eventually(host, || self.is_served(host).then_some(()));
    }
}

#[test]
fn an_editors_rename_takes_effect() {
    let served = serve();
    let new = served.path(".route.yaml.new");
    fs::write(&new, served.route().replace("myapp.example.com", "renamed.example.com")).unwrap();
    fs::rename(&new, served.path("route.yaml")).unwrap();
    served.wait_for("renamed.example.com");
    assert!(!served.is_served("myapp.example.com"));
    eventually("the change is logged", || served.portway.stderr().contains("1 route changed").then_some(()));
    assert_eq!(served.portway.revision(), 2);
}

#[test]
fn files_come_and_go() {
    let served = serve();
    let second = served.route().replace("my-web-app-route", "second").replace("myapp.", "second.");
    fs::create_dir(served.path("more")).unwrap();
    fs::write(served.path("more/second.yaml"), second).unwrap();
    served.wait_for("second.example.com");
    assert!(served.is_served("myapp.example.com"));
    fs::remove_dir_all(served.path("more")).unwrap();
    eventually("the route goes with its file", || (!served.is_served("second.example.com")).then_some(()));
}

/// As `git checkout` does, which replaces files one after the other, directories too.
#[test]
fn a_checkout_of_many_files_is_one_change() {
    let directory = tempfile::tempdir().unwrap();
    let (tree, other) = (directory.path().join("tree"), directory.path().join("other"));
    for path in [&tree, &other] {
        fs::create_dir(path).unwrap();
        copy(path);
    }
    let edit = |file: &Path| {
        let text = fs::read_to_string(file).unwrap();
        fs::write(file, text.replace("myapp.example.com", "checkout.example.com")).unwrap();
    };
    edit(&other.join("route.yaml"));
    let portway = Portway::run([tree.to_str().unwrap(), "--demo-backends"]);
    for name in ["app.yaml", "gateway.yaml", "route.yaml"] {
        fs::remove_file(tree.join(name)).unwrap();
        fs::rename(other.join(name), tree.join(name)).unwrap();
    }
    eventually("the other tree is served", || {
        (portway.get("http://checkout.example.com/").status == 200).then_some(())
    });
    assert_eq!(portway.revision(), 2, "{}", portway.stderr());
}

/// The kubelet swaps the link `..data`, through which all files of a mounted ConfigMap lead.
#[test]
fn a_config_map_is_swapped() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for version in ["..1", "..2"] {
        fs::create_dir(root.join(version)).unwrap();
        copy(&root.join(version));
    }
    let route = root.join("..2/route.yaml");
    fs::write(&route, fs::read_to_string(&route).unwrap().replace("myapp.", "swapped.")).unwrap();
    symlink("..1", root.join("..data")).unwrap();
    for name in ["app.yaml", "gateway.yaml", "route.yaml"] {
        symlink(Path::new("..data").join(name), root.join(name)).unwrap();
    }
    let portway = Portway::run([root.to_str().unwrap(), "--demo-backends"]);
    assert_eq!(portway.get("http://myapp.example.com/").status, 200);
    symlink("..2", root.join("..tmp")).unwrap();
    fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    eventually("the new version is served", || {
        (portway.get("http://swapped.example.com/").status == 200).then_some(())
    });
}

#[test]
fn a_bad_file_is_refused_and_its_last_good_version_serves_on() {
    let served = serve();
    let good = served.route();
    let bad = good.replace("hostnames:", "hostname:").replace("myapp.", "bad.");
    fs::write(served.path("route.yaml"), bad).unwrap();
    let refused = eventually("the file is refused", || {
        let refused = served.portway.status()["refusedFiles"].clone();
        (!refused.as_array().unwrap().is_empty()).then_some(refused)
    });
    assert!(refused[0]["source"].as_str().unwrap().ends_with("/route.yaml"), "{refused}");
    assert_eq!(refused[0]["problems"][0]["code"], "unknown-field");
    assert!(refused[0]["servingSince"].is_string(), "{refused}");
    assert!(served.is_served("myapp.example.com") && !served.is_served("bad.example.com"));
    assert_eq!(served.portway.revision(), 1);

    let (code, text, _) = portway::output(["status", "--admin", &served.portway.admin()]);
    assert_eq!(code, 1);
    for part in ["route.yaml is refused", "serves on", "did you mean `hostnames`?"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let told = served.portway.stderr();
    assert!(told.contains("route.yaml is refused, and its last good version serves on"), "{told}");

    // Another file goes on meanwhile.
    let other = good.replace("my-web-app-route", "other").replace("myapp.", "other.");
    fs::write(served.path("other.yaml"), other).unwrap();
    served.wait_for("other.example.com");
    assert!(served.is_served("myapp.example.com"));

    fs::write(served.path("route.yaml"), good.replace("myapp.", "mended.")).unwrap();
    served.wait_for("mended.example.com");
    assert_eq!(served.portway.status()["refusedFiles"], serde_json::json!([]));
    eventually("it is told", || served.portway.stderr().contains("is no longer refused").then_some(()));
}

#[test]
fn a_hangup_looks_at_once_and_what_is_the_same_changes_nothing() {
    let served = serve();
    fs::write(served.path("route.yaml"), format!("# a comment\n{}", served.route())).unwrap();
    served.portway.signal("HUP");
    eventually("it is told", || served.portway.stderr().contains("what is served is the same").then_some(()));
    assert_eq!(served.portway.revision(), 1);
}

#[test]
fn replicas_follow_the_deployment() {
    let served = serve();
    let app = fs::read_to_string(served.path("app.yaml")).unwrap();
    fs::write(served.path("app.yaml"), app.replace("replicas: 2", "replicas: 3")).unwrap();
    eventually("three replicas", || {
        let config: serde_json::Value =
            serde_json::from_str(&crate::curl::curl([served.portway.admin_url("/config")]).body).unwrap();
        let endpoints = config["gateways"][0]["endpoints"][0]["endpoints"].as_array().unwrap().len();
        (endpoints == 3).then_some(())
    });
    assert!(served.is_served("myapp.example.com"));
}

#[test]
fn standard_input_is_read_once() {
    use std::io::Write;
    use std::process::Stdio;

    let mut child =
        portway::command(["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, label: {}}\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("<stdin>:3:"), "{text}");
}
