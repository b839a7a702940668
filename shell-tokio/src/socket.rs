//! A tokio socket as a transport.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lameduck_service::Transport;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket, and what is known of its reading side.
pub(crate) struct Socket {
    stream: TcpStream,
    incoming: Incoming,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Incoming {
    /// Nothing was there, and what comes wakes the task.
    Awaited,
    /// Something may be there.
    Some,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, incoming: Incoming::Some }
    }

    /// Sees to it that the task is woken when something is there, where it is known that nothing is.
    fn listen(&mut self, cx: &mut Context<'_>) {
        if self.stream.poll_read_ready(cx).is_pending() {
            self.incoming = Incoming::Awaited;
        }
    }
}

impl Transport for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        self.incoming = if read.is_pending() { Incoming::Awaited } else { Incoming::Some };
        ready!(read)?;
        // The runtime takes a read that leaves room for one to the end.
        if buffer.remaining() > 0 {
            self.listen(cx);
        }
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn may_read(&self) -> bool {
        self.incoming == Incoming::Some
    }

    /// A task that merely wakes itself is polled again before the runtime looks at its sockets.
    fn go_on_later(&mut self, cx: &mut Context<'_>) {
        let _ = pin!(tokio::task::yield_now()).poll(cx);
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&self.stream)).read(buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match pieces {
            [piece] => Pin::new(&mut self.stream).poll_write(cx, piece),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, pieces),
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    fn reset_on_close(&mut self) {
        // Where that fails the peer has already gone.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}
