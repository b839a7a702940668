//! A client of HTTP/2 that can lie, written from RFC 9113 and from nothing of the core's.
//!
//! [`frame`] makes frames, right and wrong; [`Requests`] makes field blocks; [`Reader`] takes what the server
//! sends for what it is, and no less than a strict client would; [`Peer`] is all of them on a socket, [`Wire`] in
//! memory.

pub mod frame;
mod names;
mod peer;
mod reader;
mod reply;
mod requests;
mod wire;

pub use frame::Frame;
pub use names::{PREFACE, code, setting};
pub use peer::Peer;
pub use reader::{Fields, Reader, Sent, read_all};
pub use reply::{Ended, Reply, reply};
pub use requests::{Requests, fields};
pub use wire::{Taking, Wire, gets};
