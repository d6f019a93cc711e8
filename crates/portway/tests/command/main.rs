//! Running the command `portway` and asking it, as its users do.
#![cfg(test)]

mod admin;
mod check;
mod controller;
mod curl;
mod expiry;
mod explain;
mod my_app;
mod portway;
mod proxy_mode;
mod reload;
mod signals;
mod sockets;
mod status;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of `manifests/` beside this.
fn manifest(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/manifests").join(name);
    path.to_str().unwrap().to_owned()
}

/// Asks until the answer is `Some`, at most for ten seconds.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
