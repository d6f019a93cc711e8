//! Running the command `portway` and asking it, as its users do.
#![cfg(test)]

mod admin;
mod bad_files;
mod check;
mod controller;
mod expiry;
mod explain;
mod my_app;
mod options;
mod proxy_mode;
mod reload;
#[path = "../running/mod.rs"]
mod running;
mod signals;
mod sockets;
mod status;

use std::path::Path;

use running::{curl, eventually, portway, repository};

/// A file of `manifests/` beside this.
fn manifest(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/manifests").join(name);
    path.to_str().unwrap().to_owned()
}
