//! Asking a running Portway for its status.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

use super::document::StatusDocument;

/// How long to wait for a connection, and for each part of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer at most: that of 100,000 routes is smaller.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// Why there is no status to show.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Connection(#[from] io::Error),
    #[error("it answers {0}")]
    Status(String),
    #[error("what answers there is no Portway, or one of another version: {0}")]
    Form(serde_json::Error),
}

/// Asks for the status. HTTP/1.0, so that the answer simply ends with the connection.
pub(crate) fn fetch(admin: SocketAddr) -> Result<StatusDocument, FetchError> {
    let mut stream = TcpStream::connect_timeout(&admin, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET /status HTTP/1.0\r\nHost: {admin}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = match end {
        Some(end) => answer.split_at(end + 4),
        None => return Err(FetchError::Status("what is not HTTP".to_owned())),
    };
    let status_line = String::from_utf8_lossy(head).lines().next().unwrap_or_default().to_owned();
    if status_line.split(' ').nth(1) != Some("200") {
        return Err(FetchError::Status(status_line));
    }
    serde_json::from_slice(body).map_err(FetchError::Form)
}
