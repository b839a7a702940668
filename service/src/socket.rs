//! What a [`Transport`](crate::Transport) asks of the kernel's sockets, for shells whose runtimes do not do it themselves,
//! or not as fast.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::SockRef;

/// Receives what is there.
///
/// # Errors
/// Those of `recv(2)`; [`WouldBlock`](io::ErrorKind::WouldBlock), where nothing is there.
#[inline]
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _) = net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(count)
}

/// Sends as much of `pieces` as goes. A peer that is gone is an error, and no signal.
///
/// # Errors
/// Those of `send(2)`; [`WouldBlock`](io::ErrorKind::WouldBlock), where nothing goes.
#[inline]
pub fn send(socket: impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(match pieces {
        [piece] => net::send(socket, piece, SendFlags::NOSIGNAL),
        _ => net::sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL),
    }?)
}

/// Makes the end of a socket a reset.
pub fn reset_on_close(socket: impl AsFd) {
    // Where that fails the peer has already gone.
    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
}
