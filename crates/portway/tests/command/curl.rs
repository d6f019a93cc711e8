//! Requests by curl, a client that no one here wrote.

use std::ffi::OsStr;
use std::process::Command;

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// 0 when there is no answer.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Runs curl in the repository.
pub(crate) fn curl<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Answer {
    let files = tempfile::tempdir().unwrap();
    let (head, body) = (files.path().join("head"), files.path().join("body"));
    let mut command = Command::new("curl");
    // `.curlrc` and proxies are the machine's, not the test's.
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20"]);
    command.arg("--dump-header").arg(&head).arg("--output").arg(&body);
    command.args(arguments).current_dir(crate::repository());
    // Without an answer the status is 0; what curl says of it is for the reader of a failed test.
    let output = command.output().unwrap_or_else(|error| panic!("cannot run curl: {error}"));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let (status, headers) = last_head(&read(&head));
    Answer { status, headers, body: read(&body) }
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
