//! Running the command `portway` and asking it, as its users do.

#![allow(dead_code, reason = "each file of tests uses a part of this")]

pub mod curl;
pub mod portway;

pub use curl::{Answer, curl, curl_in};
pub use portway::{PORT_OFFSET, Portway, command, output};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of `tests/manifests`.
pub fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(name)
}

/// Asks until the answer is `Some`, at most for ten seconds.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
