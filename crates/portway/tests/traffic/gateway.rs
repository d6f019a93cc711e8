//! A `portway run` of a test's own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a Portway may take until it is ready, on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running Portway. It ends with the test.
pub(crate) struct Gateway {
    child: Child,
    directory: TempDir,
    offset: u16,
    pub(crate) admin: SocketAddr,
}

impl Gateway {
    /// Serves `manifests`, whose listeners have ports among `ports`. `endpoints` are the servers behind
    /// Services: `namespace/service:port` and where it is.
    pub(crate) fn start(manifests: &str, ports: &[u16], endpoints: &[(&str, SocketAddr)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("objects.yaml"), manifests).unwrap();
        let offset = free_offset(ports);
        let admin = free_address();
        let file = |name| std::fs::File::create(directory.path().join(name)).unwrap();
        let (log, messages) = (file("access.log"), file("messages.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_portway"))
            .arg("run")
            .arg(directory.path().join("objects.yaml"))
            .args(["--bind", "127.0.0.1", "--port-offset", &offset.to_string()])
            .args(["--admin", &admin.to_string()])
            .args(
                endpoints
                    .iter()
                    .flat_map(|(service, address)| ["--endpoint".to_owned(), format!("{service}={address}")]),
            )
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(messages)
            .spawn()
            .unwrap();
        let mut gateway = Self { child, directory, offset, admin };
        gateway.wait_until_ready();
        gateway
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_WITHIN;
        while self.admin("/readyz").is_none_or(|(status, _)| status != 200) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "not ready: {ended:?}\n{}",
                self.messages()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where the listeners with this port are served.
    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.offset + port))
    }

    /// Puts other manifests in the place of the former, as an editor does: by a rename.
    pub(crate) fn edit(&self, manifests: &str) {
        let new = self.directory.path().join(".objects.yaml.new");
        std::fs::write(&new, manifests).unwrap();
        std::fs::rename(&new, self.directory.path().join("objects.yaml")).unwrap();
    }

    /// Asks for a page of the admin address: status and body.
    pub(crate) fn admin(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.admin).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Asks Portway to look at its files at once.
    pub(crate) fn reload(&self) {
        run(Command::new("kill").args(["-HUP", &self.child.id().to_string()]));
    }

    /// The access log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default()
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("messages.log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An offset at which all of the ports are free. Tests run side by side, so a guess may be taken by the
/// time that it is used; the range is wide enough for that to be rare.
fn free_offset(ports: &[u16]) -> u16 {
    let free = |offset: u16| ports.iter().all(|port| TcpListener::bind(("127.0.0.1", offset + port)).is_ok());
    let start = free_address().port() % 20_000 + 10_000;
    (start..start + 1000).find(|offset| free(*offset)).expect("no free ports")
}

/// Runs a client to its end and returns what it printed; it must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{}: {error}; `make setup` installs it", command.get_program().to_string_lossy())
    });
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}
