//! What a session asks of a socket.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

/// A stream of bytes that does not block: a socket of some runtime.
pub trait Transport {
    /// Reads what is there. Zero bytes is the peer's FIN.
    ///
    /// # Errors
    /// Those of the socket; the connection is then lost.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Whether reading may bring something that no wake-up will announce. `true` is always right.
    fn may_read(&self) -> bool {
        true
    }

    /// Sees to it that the task is woken once others have had their turn, the sockets' readiness included.
    fn go_on_later(&mut self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// Reads from the socket itself, whatever its readiness was last said to be.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where nothing is there; else as [`poll_read`](Self::poll_read).
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much of `pieces` as goes; to write nothing of them is an error.
    ///
    /// # Errors
    /// Those of the socket; the connection is then lost.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Sends a FIN, and goes on reading.
    ///
    /// # Errors
    /// Those of the socket; the connection is then lost.
    fn shut_down(&mut self) -> io::Result<()>;

    /// Makes the end of this transport a reset, which no peer takes for the end of a response.
    fn reset_on_close(&mut self);
}
