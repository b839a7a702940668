//! A tokio socket as a transport.

use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use lameduck_service::{Transport, socket};
use socket2::SockRef;
use tokio::io::Interest;
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

    /// Attempts what the runtime says that the socket is ready for. Where it did less than `most`, the socket is ready for
    /// no more until it says so anew, since it tells of edges alone: the runtime hears that as it hears that nothing went,
    /// and concludes the same from its own short reads and writes.
    fn attempt(
        &self,
        interest: Interest,
        most: usize,
        act: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut count = 0;
        let attempted = self.stream.try_io(interest, || {
            count = act()?;
            match (1..most).contains(&count) {
                true => Err(ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        });
        match attempted {
            Err(error) if count == 0 => Err(error),
            _ => Ok(count),
        }
    }
}

impl Transport for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let most = buffer.len();
        loop {
            match self.attempt(Interest::READABLE, most, || socket::receive(&self.stream, buffer)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.incoming = Incoming::Awaited;
                    ready!(self.stream.poll_read_ready(cx))?;
                }
                result => {
                    self.incoming = Incoming::Some;
                    if result.as_ref().is_ok_and(|count| *count < most) {
                        self.listen(cx);
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn may_read(&self) -> bool {
        self.incoming == Incoming::Some
    }

    /// A task that merely wakes itself is polled again before the runtime looks at its sockets.
    fn go_on_later(&mut self, cx: &mut Context<'_>) {
        let _ = pin!(tokio::task::yield_now()).poll(cx);
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.stream, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let most = pieces.iter().map(|piece| piece.len()).sum();
        loop {
            match self.attempt(Interest::WRITABLE, most, || socket::send(&self.stream, pieces)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    fn reset_on_close(&mut self) {
        socket::reset_on_close(&self.stream);
    }
}
