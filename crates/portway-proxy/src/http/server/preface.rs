//! HTTP/2 with prior knowledge: a clear-text connection that begins with the preface (RFC 9113, section 3.4).

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::client_io::ClientIo;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether the connection begins with the preface of HTTP/2; none when it ends, or stays undecided for
/// too long. What was read is given back.
pub(super) async fn is_http2<I>(io: &mut ClientIo<I>, timeout: Duration) -> Option<bool>
where
    I: AsyncRead + Unpin,
{
    let mut begin = [0; PREFACE.len()];
    let (length, http2) = tokio::time::timeout(timeout, read(io, &mut begin)).await.ok()??;
    io.unread(Bytes::copy_from_slice(begin.get(..length)?));
    Some(http2)
}

async fn read<I: AsyncRead + Unpin>(io: &mut I, begin: &mut [u8; 24]) -> Option<(usize, bool)> {
    let mut length = 0;
    while length < PREFACE.len() {
        let read = io.read(&mut begin[length..]).await.ok().filter(|&read| read > 0)?;
        length += read;
        if begin[..length] != PREFACE[..length] {
            return Some((length, false));
        }
    }
    Some((length, true))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn decided(pieces: &[&[u8]]) -> Option<(bool, Vec<u8>)> {
        let (mut client, server) = tokio::io::duplex(64);
        let mut io = ClientIo::new(server, Arc::default());
        let write = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let (http2, ()) = tokio::join!(is_http2(&mut io, Duration::from_secs(1)), write);
        let mut all = Vec::new();
        io.read_to_end(&mut all).await.unwrap();
        http2.map(|http2| (http2, all))
    }

    #[tokio::test]
    async fn the_preface_tells_and_no_byte_is_lost() {
        let h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0";
        assert_eq!(decided(&[h2]).await, Some((true, h2.to_vec())));
        assert_eq!(decided(&[&h2[..1], &h2[1..10], &h2[10..]]).await, Some((true, h2.to_vec())));
        for h1 in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROPFIND / HTTP/1.1\r\n\r\n", b"PRI * HTTP/1.1\r\n\r\n"]
        {
            assert_eq!(decided(&[&h1[..2], &h1[2..]]).await, Some((false, h1.to_vec())));
        }
        assert_eq!(decided(&[]).await, None);
        assert_eq!(decided(&[b"PRI"]).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends() {
        let (_client, server) = tokio::io::duplex(64);
        let mut io = ClientIo::new(server, Arc::default());
        assert_eq!(is_http2(&mut io, Duration::from_secs(10)).await, None);
    }
}
