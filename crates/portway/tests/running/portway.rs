//! A running Portway.

use std::ffi::OsStr;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::curl::{Answer, curl};
use super::{eventually, repository};

/// What is added to each port, so that the tests need no privileges. It leads below the ports that the system hands
/// out by itself.
pub(crate) const PORT_OFFSET: u16 = 10_000;

/// Of the admin server.
pub(crate) const ADMIN_PORT: u16 = 9900;

/// A running Portway. It has a loopback address of its own, so that tests do not fight over ports. It is killed when
/// this is dropped.
pub(crate) struct Portway {
    pub(crate) address: IpAddr,
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

/// What a process has written so far.
struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// The command with arguments, without what the environment would change.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portway"));
    command.args(arguments).current_dir(repository()).stdin(Stdio::null());
    for variable in ["RUST_LOG", "COLUMNS", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the command to its end: its status, and what it wrote to standard output and standard error.
pub(crate) fn output<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A loopback address that no other test of this machine has at this moment.
pub(crate) fn own_address() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = u16::try_from(std::process::id() % 65_000).unwrap().to_be_bytes();
    // 127.0 is everybody's.
    let next = u8::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % 250 + 1).unwrap();
    IpAddr::from([127, high.saturating_add(1), low, next])
}

impl Portway {
    /// Starts `portway run` and waits until it is ready.
    pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::run_at(own_address(), arguments)
    }

    /// Starts `portway run` on an address and waits until it is ready.
    pub(crate) fn run_at<S: AsRef<OsStr>>(address: IpAddr, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut portway = Self::start_at(address, arguments);
        portway.until_ready();
        portway
    }

    /// Waits until it is ready.
    pub(crate) fn until_ready(&mut self) {
        eventually("a Portway that is ready", || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.stderr());
            self.is_ready().then_some(())
        });
    }

    /// Starts `portway run` on an address; it may fail.
    pub(crate) fn start_at<S: AsRef<OsStr>>(address: IpAddr, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = command(["run"]);
        command.args(arguments);
        command.args(["--bind", &address.to_string(), "--admin", &format!("{address}:{ADMIN_PORT}")]);
        command.args(["--port-offset", &PORT_OFFSET.to_string(), "--workers", "2"]);
        Self::spawn(address, command)
    }

    /// Starts a command that has its admin server on an address.
    pub(crate) fn spawn(address: IpAddr, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Collected::of(child.stdout.take().unwrap());
        let stderr = Collected::of(child.stderr.take().unwrap());
        Self { address, child, stdout, stderr }
    }

    pub(crate) fn is_ready(&self) -> bool {
        // Before there is somebody to answer, curl itself fails.
        curl(["--max-time", "1", &self.admin_url("/readyz")]).status == 200
    }

    /// Where a port of the Gateway is opened.
    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port + PORT_OFFSET)
    }

    pub(crate) fn admin(&self) -> String {
        format!("{}:{ADMIN_PORT}", self.address)
    }

    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin())
    }

    /// Requests a URL by curl, which connects to where the Gateway's ports are opened.
    pub(crate) fn get(&self, url: &str) -> Answer {
        curl([self.connect_to().as_slice(), &[url.to_owned()]].concat())
    }

    /// The arguments by which curl connects to where any port below 10,000 is opened.
    pub(crate) fn connect_to(&self) -> Vec<String> {
        let address = self.address;
        let of_port =
            |port: u16| ["--connect-to".to_owned(), format!(":{port}:{address}:{}", port + PORT_OFFSET)];
        [80, 443, 6379, 8080, 8443].into_iter().flat_map(of_port).collect()
    }

    /// The document of `/status`.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&curl([self.admin_url("/status")]).body).unwrap()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.status()["revision"].as_u64().unwrap()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end: its status, standard output and standard error.
    pub(crate) fn wait(mut self) -> (Option<i32>, String, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.stdout.all(), self.stderr.all())
    }

    /// What was written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What was written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }
}

impl Drop for Portway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what Portway said:\n{}", self.stderr());
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Collected {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                into.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// Everything, once the process has ended.
    fn all(&mut self) -> String {
        self.reader.take().into_iter().for_each(|reader| reader.join().unwrap());
        self.so_far()
    }
}
