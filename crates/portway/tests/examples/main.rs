//! Serves every example and sends it the requests that its `requests.txt` lists.
#![cfg(test)]

mod backend;
mod judge;
#[path = "../running/mod.rs"]
mod running;
mod script;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use running::curl::curl_in;
use running::portway::Portway;
use script::Script;

/// One test for each example, and one that none is forgotten here.
macro_rules! examples {
    ($($test:ident: $folder:literal,)*) => {
        $(
            #[test]
            fn $test() {
                if let Err(error) = run($folder) {
                    panic!("examples/{}/{error}", $folder);
                }
            }
        )*

        #[test]
        fn every_example_is_tested() {
            let folders = std::fs::read_dir(examples_directory()).unwrap().map(|entry| entry.unwrap());
            let found: BTreeSet<_> = folders
                .filter(|entry| entry.file_type().unwrap().is_dir())
                .map(|entry| entry.file_name().into_string().unwrap())
                .collect();
            assert_eq!(found, BTreeSet::from([$($folder.to_owned()),*]));
        }
    };
}

examples! {
    canary: "canary",
    cors: "cors",
    cross_namespace: "cross-namespace",
    grpc: "grpc",
    headers: "headers",
    https_redirect: "https-redirect",
    listener_set: "listener-set",
    matching: "matching",
    mirror: "mirror",
    my_app: "my-app",
    rewrite: "rewrite",
    session_persistence: "session-persistence",
    tcp: "tcp",
    timeouts_and_retry: "timeouts-and-retry",
    tls_passthrough: "tls-passthrough",
}

fn examples_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The error begins with the name of the file.
fn run(folder: &str) -> Result<(), String> {
    let directory = examples_directory().join(folder);
    let text = std::fs::read_to_string(directory.join("requests.txt"))
        .map_err(|error| format!("requests.txt: {error}"))?;
    let script = Script::parse(&text).map_err(|error| format!("requests.txt: {error}"))?;
    let backends =
        backend::start_all(&script.backends, &directory).map_err(|error| format!("requests.txt: {error}"))?;
    let mut arguments = vec![directory.to_str().unwrap().to_owned(), "--demo-backends".to_owned()];
    for (service, backend) in &backends {
        arguments.extend(["--endpoint".to_owned(), format!("{service}={}", backend.address())]);
    }
    let portway = Portway::run(arguments);

    for request in &script.requests {
        let place = format!("requests.txt: line {}: curl {}", request.line, request.arguments.join(" "));
        let arguments = [portway.connect_to().as_slice(), &request.arguments].concat();
        let answers: Vec<_> = (0..request.times).map(|_| curl_in(&directory, &arguments)).collect();
        for expectation in &request.expectations {
            judge::judge(expectation, &answers, &backends)
                .map_err(|error| format!("{place}:\n{expectation:?} is expected, but {error}"))?;
        }
    }
    Ok(())
}
