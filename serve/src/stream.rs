//! The connection's IO under the HTTP engine: the one place where bytes can be seen before they are parsed.
//!
//! It looks for one thing. A request with both Content-Length and Transfer-Encoding is how requests are smuggled past
//! a front end; RFC 9112 section 6.1 lets a server refuse it. The engine reads it by Transfer-Encoding alone and
//! closes the connection afterwards, which is safe, but tells nobody. So the head is looked at on its way in, and the
//! service is told. A head that came in the same read as the end of the body before it is left to the engine.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use memchr::memchr_iter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits;

/// What the stream has seen of the request that is being answered; shared with the service.
#[derive(Debug, Clone, Default)]
pub struct Framing(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    ambiguous: AtomicBool,
    /// Whether a head has been seen whose answer is not there yet: what comes now is its body.
    in_request: AtomicBool,
}

impl Framing {
    /// Whether the request that just came in has two ideas of its own length. Says so once.
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous.load(Ordering::Relaxed) && self.0.ambiguous.swap(false, Ordering::Relaxed)
    }

    /// The request has been answered: the next bytes are the next head.
    pub fn answered(&self) {
        self.0.in_request.store(false, Ordering::Relaxed);
    }
}

/// A TCP stream that looks at heads.
pub(crate) struct Stream {
    inner: TcpStream,
    framing: Framing,
    /// The head so far, when it comes in pieces.
    pieces: Vec<u8>,
}

impl Stream {
    pub(crate) fn new(inner: TcpStream, framing: Framing) -> Self {
        Self { inner, framing, pieces: Vec::new() }
    }

    fn look(&mut self, new: &[u8]) {
        if new.is_empty() || self.framing.0.in_request.load(Ordering::Relaxed) {
            return;
        }
        // Nearly every read is one whole head and nothing else.
        if self.pieces.is_empty() && new.ends_with(HEAD_END) && !has_two_lengths(new) {
            self.framing.0.in_request.store(true, Ordering::Relaxed);
            return;
        }
        if self.pieces.is_empty()
            && let Some(end) = head_end(new)
        {
            self.judge(&new[..end]);
            return;
        }
        let room = limits::MAX_HEADER_BYTES.saturating_sub(self.pieces.len());
        self.pieces.extend_from_slice(&new[..new.len().min(room)]);
        let pieces = std::mem::take(&mut self.pieces);
        match head_end(&pieces) {
            Some(end) => self.judge(&pieces[..end]),
            // Too long a head is the engine's to refuse.
            None if pieces.len() >= limits::MAX_HEADER_BYTES => self.judge(&[]),
            None => self.pieces = pieces,
        }
    }

    fn judge(&self, head: &[u8]) {
        self.framing.0.in_request.store(true, Ordering::Relaxed);
        if has_two_lengths(head) {
            self.framing.0.ambiguous.store(true, Ordering::Relaxed);
        }
    }
}

/// The end of a head's last line and the empty line behind it.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Where the head ends: behind its empty line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', bytes).map(|at| at + 1).find(|end| bytes[..*end].ends_with(HEAD_END))
}

fn has_two_lengths(head: &[u8]) -> bool {
    let (mut length, mut encoding) = (false, false);
    for at in memchr_iter(b'\n', head) {
        let line = &head[at + 1..];
        match line.first() {
            Some(b'c' | b'C') => length |= is_named(line, b"content-length:"),
            Some(b't' | b'T') => encoding |= is_named(line, b"transfer-encoding:"),
            _ => {}
        }
    }
    length && encoding
}

fn is_named(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        this.look(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ideas_of_a_length_are_seen_in_either_order_and_case() {
        for (head, expected) in [
            ("PATCH / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("PATCH / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\ncontent-length: 5\r\n\r\n", true),
            ("PATCH / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", false),
            ("PATCH / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: Content-Length:\r\n\r\n", false),
        ] {
            assert_eq!(has_two_lengths(head.as_bytes()), expected, "{head}");
            assert_eq!(head_end(head.as_bytes()), Some(head.len()));
        }
    }
}
