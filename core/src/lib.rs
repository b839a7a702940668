//! HTTP connections that end well, as deterministic state machines.
//!
//! A [`Connection`] is the server's side of one transport connection. It does no I/O, reads no clock, starts
//! no thread and draws no random number: bytes, commands and time go in; events, bytes and deadlines come
//! out. Whoever owns the socket drives it, in any runtime or none; the type says in which kinds its methods
//! fall, and in what order to call them.
//!
//! A drain is a *level* that a connection is told once and reads at every step; what it then does in each
//! state is written down in `LIFECYCLE.md`, with the invariants that the tests check. [`server::Server`] is
//! the same for a server as a whole.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod config;
mod connection;
mod error;
mod event;
mod fault;
mod h1;
mod h2;
mod head;
mod inbox;
mod input;
mod lifecycle;
mod outbox;
mod recent;
pub mod server;
mod time;
mod timer;

pub use config::{Allowance, Config, HalfClose, Limits, Timeouts};
pub use connection::{Connection, Stage, Status};
pub use error::{ApiMisuse, CloseReason, PeerError};
pub use event::{BodyLength, CancelReason, Event, StreamId, Transmit};
pub use fault::{ErrorCode, Fault};
pub use h1::recall::Recall;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use h2::{frame::outside as frame, hpack::outside as hpack};
pub use head::{Date, Field, RequestHead, ResponseHead, ResponseLength, SharedField, Trailers, Version};
pub use outbox::Pieces;
pub use time::Instant;
pub use timer::{Drain, Due, Reason, Timer};
