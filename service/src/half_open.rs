//! Whether handshakes are under way: asked of the kernel by `sock_diag(7)`, which looks through its sockets
//! without a line of text for each.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

// From `linux/netlink.h`, `linux/sock_diag.h`, `linux/inet_diag.h` and `net/tcp_states.h`.
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_DUMP: u16 = 0x300;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const TCP_SYN_RECV: u32 = 3;

/// A header and an `inet_diag_req_v2`.
const REQUEST: usize = 16 + 56;

/// The kernel answers at once; this is for one that would not.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whether the kernel has answered a SYN for this port and waits for the ACK.
///
/// # Errors
/// Where the kernel does not say: its netlink sockets may be out of reach.
pub(crate) fn any(address: SocketAddr) -> io::Result<bool> {
    let mut socket =
        Socket::new(Domain::from(AF_NETLINK), Type::RAW, Some(Protocol::from(NETLINK_SOCK_DIAG)))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(&request(address))?;
    // The first message says it: it is about such a socket, or is the end of the list.
    let mut reply = [0; 4096];
    let count = socket.read(&mut reply)?;
    match reply.get(..count) {
        Some([_, _, _, _, low, high, ..]) => Ok(u16::from_ne_bytes([*low, *high]) == SOCK_DIAG_BY_FAMILY),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Lists the sockets of this port that are in `SYN_RECV`.
fn request(address: SocketAddr) -> [u8; REQUEST] {
    let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut request = [0; REQUEST];
    let mut put = |at: usize, bytes: &[u8]| request[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(REQUEST as u32).to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    put(16, &[family, IPPROTO_TCP]);
    put(20, &(1_u32 << TCP_SYN_RECV).to_ne_bytes());
    put(24, &address.port().to_be_bytes());
    request
}

#[cfg(test)]
mod tests;
