//! Sending a request by curl, and what came back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::gateway::Gateway;

const MAX_SECONDS: &str = "15";

/// What came of one request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Why there is no answer, in curl's words.
    pub(crate) failure: Option<String>,
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

/// Runs curl in an example's directory.
pub(crate) fn send(arguments: &[String], directory: &Path, gateway: &Gateway) -> Result<Answer, String> {
    let port = port_of(arguments)?;
    let body = BodyFile::new();
    let began = Instant::now();
    let result = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", MAX_SECONDS, "--dump-header", "-"])
        .args(["--connect-to", &format!(":{port}:127.0.0.1:{}", gateway.port(port))])
        .arg("--output")
        .arg(&body.0)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run curl: {error}"))?;
    let took = began.elapsed();

    let head = String::from_utf8_lossy(&result.stdout);
    // The head of an interim response comes first.
    let head = head.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.lines();
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let headers = lines.filter_map(|line| line.split_once(':'));
    Ok(Answer {
        failure: (!result.status.success())
            .then(|| String::from_utf8_lossy(&result.stderr).trim().to_owned()),
        status,
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect(),
        body: body.read(),
        took,
    })
}

/// The port of the URL among the arguments.
fn port_of(arguments: &[String]) -> Result<u16, String> {
    let url =
        arguments.iter().find(|argument| argument.starts_with("http://") || argument.starts_with("https://"));
    let (scheme, rest) = url.and_then(|url| url.split_once("://")).ok_or("no argument is a URL")?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        Some((_, port)) => port.parse().map_err(|_| format!("not a port: {port}")),
        None if scheme == "https" => Ok(443),
        None => Ok(80),
    }
}

/// Where curl puts a body. Deleted when dropped.
struct BodyFile(PathBuf);

impl BodyFile {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("body-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    /// Empty where curl has written none, as it does for an empty body.
    fn read(&self) -> String {
        std::fs::read(&self.0).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}
