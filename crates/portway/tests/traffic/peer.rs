//! Servers and clients in Python, under `tests/peers`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::running::run;

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

fn python() -> Command {
    let python = std::env::var_os("PORTWAY_PYTHON").expect(
        "PORTWAY_PYTHON names no Python with the peers' libraries; `. tools/env.sh` and `make setup` do",
    );
    Command::new(python)
}

/// A server that ends with the test.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Starts the server that a script has.
    pub(crate) fn start(name: &str) -> Self {
        let mut child =
            python().arg(script(name)).arg("server").stdout(Stdio::piped()).spawn().expect("Python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("{name} printed no port: {line:?}"));
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the client that a script has to its end; it must succeed.
pub(crate) fn run_client(name: &str, target: SocketAddr, authority: &str) -> String {
    run(python().arg(script(name)).args(["client", &target.to_string(), authority]))
}
