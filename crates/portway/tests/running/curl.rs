//! Requests by curl, a client that no one here wrote.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// 0 when there is no answer.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Why there is no answer, in curl's words.
    pub(crate) failure: Option<String>,
    pub(crate) took: Duration,
}

/// Runs curl in the repository.
pub(crate) fn curl<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Answer {
    curl_in(&super::repository(), arguments)
}

/// Runs curl in a directory.
pub(crate) fn curl_in<S: AsRef<OsStr>>(directory: &Path, arguments: impl IntoIterator<Item = S>) -> Answer {
    let files = tempfile::tempdir().unwrap();
    let (head, body) = (files.path().join("head"), files.path().join("body"));
    let mut command = Command::new("curl");
    // `.curlrc` and proxies are the machine's, not the test's.
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20"]);
    command.arg("--dump-header").arg(&head).arg("--output").arg(&body);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    let began = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("cannot run curl: {error}"));
    let took = began.elapsed();
    let failure =
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let (status, headers) = last_head(&read(&head));
    Answer { status, headers, body: read(&body), failure, took }
}

/// The last of the heads that came, since interim answers have their own.
fn last_head(text: &str) -> (u16, Vec<(String, String)>) {
    let head = text.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    (status, lines.filter_map(header).collect())
}

impl Answer {
    /// The first value of a header, whose name is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}
