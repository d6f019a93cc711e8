//! A running `portway run`, on ports of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::Backends;

const TIME_TO_GET_READY: Duration = Duration::from_secs(20);
/// Every port that a listener of an example has, and 10 for the admin address, which no example uses.
const PORTS: [u16; 4] = [ADMIN_PORT, 80, 443, 6379];
const ADMIN_PORT: u16 = 10;

/// Portway, serving one example. Ended when dropped.
pub(crate) struct Gateway {
    process: Child,
    port_offset: u16,
    output: PathBuf,
}

impl Gateway {
    /// Starts Portway with an example's directory and waits until it is ready.
    pub(crate) fn start(directory: &Path, backends: &Backends) -> Result<Self, String> {
        let port_offset = free_port_offset().ok_or("no free ports")?;
        let admin = format!("127.0.0.1:{}", port_offset + ADMIN_PORT);
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("portway-{port_offset}.log"));
        let log = File::create(&output).map_err(|error| format!("{}: {error}", output.display()))?;
        let log_too = log.try_clone().map_err(|error| error.to_string())?;

        let mut command = Command::new(env!("CARGO_BIN_EXE_portway"));
        command.arg("run").arg(directory);
        command.args(["--demo-backends", "--bind", "127.0.0.1", "--admin", &admin]);
        command.args(["--port-offset", &port_offset.to_string()]);
        for (service, backend) in backends {
            command.args(["--endpoint", &format!("{service}={}", backend.address())]);
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(|error| format!("cannot start Portway: {error}"))?;
        let mut gateway = Self { process, port_offset, output };
        gateway.wait_until_ready(&admin).map_err(|error| format!("{error}\n{}", gateway.output()))?;
        Ok(gateway)
    }

    /// The port that a listener's port was opened at.
    pub(crate) fn port(&self, listener_port: u16) -> u16 {
        self.port_offset.saturating_add(listener_port)
    }

    /// Everything that Portway has printed.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_else(|error| error.to_string())
    }

    fn wait_until_ready(&mut self, admin: &str) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < TIME_TO_GET_READY {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("Portway ended by itself: {status}"));
            }
            if is_ready(admin) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("Portway was not ready after {TIME_TO_GET_READY:?}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has then seen.
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_file(&self.output).ok();
    }
}

fn is_ready(admin: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(admin)?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(connection, "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// An offset at which all of [`PORTS`] are free. Each is tried once, so that tests in parallel never
/// get the same; below 32768, where Linux takes ephemeral ports from.
fn free_port_offset() -> Option<u16> {
    const FIRST: u16 = 11_000;
    const STEPS: u16 = 130;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test runs at once begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(STEPS)).unwrap_or(0);
    (0..STEPS)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % STEPS * 100)
        .find(|offset| PORTS.iter().all(|port| TcpListener::bind(("127.0.0.1", offset + port)).is_ok()))
}
