//! A mio socket as a transport.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};

use lameduck_service::{Transport, socket};
use mio::event::Event;
use mio::net::TcpStream;

/// A socket, and what is known of its readiness. Readiness is told on its edges only: what the last call
/// left undone is remembered here.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    incoming: Incoming,
    writable: bool,
}

/// What is known of the reading side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Incoming {
    /// Nothing is there.
    Nothing,
    /// Something may be there.
    Some,
    /// The peer's FIN, or an error, is there behind whatever is: it announces itself once only.
    Last,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, incoming: Incoming::Some, writable: true }
    }

    /// Takes news of its readiness.
    pub(crate) fn note(&mut self, event: &Event) {
        if event.is_read_closed() || event.is_error() {
            self.incoming = Incoming::Last;
        } else if event.is_readable() && self.incoming == Incoming::Nothing {
            self.incoming = Incoming::Some;
        }
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }
}

impl Transport for Socket {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.incoming == Incoming::Nothing {
            return Poll::Pending;
        }
        match self.read_now(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.incoming = Incoming::Nothing;
                Poll::Pending
            }
            Ok(count) if count < buffer.len() && self.incoming == Incoming::Some => {
                // It has been read to its end: what comes next is a new edge.
                self.incoming = Incoming::Nothing;
                Poll::Ready(Ok(count))
            }
            result => Poll::Ready(result),
        }
    }

    fn may_read(&self) -> bool {
        self.incoming != Incoming::Nothing
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.stream, buffer)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if !self.writable {
            return Poll::Pending;
        }
        match socket::send(&self.stream, pieces) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    fn reset_on_close(&mut self) {
        socket::reset_on_close(&self.stream);
    }
}
