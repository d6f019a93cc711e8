//! What a clear-text connection speaks, by its first bytes: HTTP/2 with prior knowledge begins with a
//! preface (RFC 9113, section 3.4), HTTP/1 with a line that ends in its version.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::client_io::ClientIo;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// As much as is read at once to find out.
const BEGIN: usize = 256;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
    /// Its first line is not one of HTTP/1. An answer in HTTP/1 would only confuse: a client of HTTP/2 whose
    /// preface is broken would take it for a frame.
    Unknown,
}

/// What the connection speaks; none when it ends, or stays undecided for too long. What was read is given
/// back.
pub(super) async fn spoken<I>(io: &mut ClientIo<I>, timeout: Duration) -> Option<Spoken>
where
    I: AsyncRead + Unpin,
{
    let mut begin = [0; BEGIN];
    let (length, spoken) = tokio::time::timeout(timeout, read(io, &mut begin)).await.ok()??;
    io.unread(Bytes::copy_from_slice(begin.get(..length)?));
    Some(spoken)
}

async fn read<I: AsyncRead + Unpin>(io: &mut I, begin: &mut [u8; BEGIN]) -> Option<(usize, Spoken)> {
    let mut length = 0;
    loop {
        let read = io.read(&mut begin[length..]).await.ok().filter(|&read| read > 0)?;
        length += read;
        let compared = length.min(PREFACE.len());
        if begin[..compared] != PREFACE[..compared] {
            return Some((length, by_first_line(&begin[..length])));
        }
        if compared == PREFACE.len() {
            return Some((length, Spoken::Http2));
        }
    }
}

/// A first line that is not complete is left to the parser of HTTP/1, with its limits.
fn by_first_line(begin: &[u8]) -> Spoken {
    // Empty lines before the first are allowed (RFC 9112, section 2.2).
    let mut lines = begin.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let complete = begin.contains(&b'\n') && begin.trim_ascii_start().contains(&b'\n');
    match lines.find(|line| !line.is_empty()) {
        Some(line) if complete && !(line.ends_with(b"HTTP/1.1") || line.ends_with(b"HTTP/1.0")) => {
            Spoken::Unknown
        }
        _ => Spoken::Http1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn decided(pieces: &[&[u8]]) -> Option<(Spoken, Vec<u8>)> {
        let (mut client, server) = tokio::io::duplex(64);
        let mut io = ClientIo::new(server, Arc::default(), Duration::from_secs(1));
        let write = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let (found, ()) = tokio::join!(spoken(&mut io, Duration::from_secs(1)), write);
        let mut all = Vec::new();
        io.read_to_end(&mut all).await.unwrap();
        found.map(|found| (found, all))
    }

    #[tokio::test]
    async fn the_preface_tells_and_no_byte_is_lost() {
        let h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0";
        assert_eq!(decided(&[h2]).await, Some((Spoken::Http2, h2.to_vec())));
        assert_eq!(decided(&[&h2[..1], &h2[1..10], &h2[10..]]).await, Some((Spoken::Http2, h2.to_vec())));
        for h1 in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROPFIND / HTTP/1.1\r\n\r\n", b"PRI * HTTP/1.1\r\n\r\n"]
        {
            assert_eq!(decided(&[&h1[..2], &h1[2..]]).await, Some((Spoken::Http1, h1.to_vec())));
        }
        for other in [&b"INVALID CONNECTION PREFACE\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"GET /\r\n"] {
            assert_eq!(decided(&[other]).await, Some((Spoken::Unknown, other.to_vec())));
        }
        let empty_line_first = b"\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(decided(&[empty_line_first]).await, Some((Spoken::Http1, empty_line_first.to_vec())));
        assert_eq!(decided(&[]).await, None);
        assert_eq!(decided(&[b"PRI"]).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends() {
        let (_client, server) = tokio::io::duplex(64);
        let mut io = ClientIo::new(server, Arc::default(), Duration::from_secs(1));
        assert_eq!(spoken(&mut io, Duration::from_secs(10)).await, None);
    }
}
