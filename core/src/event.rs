//! What a connection tells its caller.

use bytes::Bytes;

use crate::error::{CloseReason, PeerError};
use crate::fault::ErrorCode;
use crate::head::{RequestHead, Trailers};
use crate::outbox::Pieces;
use crate::timer::Timer;

/// The name of a request and its response on one connection.
///
/// HTTP/1 numbers them from 1; HTTP/2 uses its stream identifiers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u64);

/// How long a request's body is, as its head says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BodyLength {
    /// There is none: neither [`Event::Data`] nor [`Event::End`] follows.
    Empty,
    /// So many bytes, more than zero.
    Known(u64),
    /// Until it ends.
    Unknown,
}

/// What happened. [`Closed`](Event::Closed) is the last event of a connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A request was taken.
    Request {
        /// Its name in all that follows.
        id: StreamId,
        /// Its head.
        head: RequestHead,
        /// Its body's length.
        body: BodyLength,
    },
    /// A piece of a request's body, or of what the peer sends through a tunnel. To be given back with
    /// [`release`](crate::Connection::release) when it has been consumed.
    Data {
        /// The request.
        id: StreamId,
        /// The piece; never empty.
        data: Bytes,
    },
    /// A request's body, or the peer's half of a tunnel, is at its end.
    End {
        /// The request.
        id: StreamId,
        /// The trailers, where there are any.
        trailers: Option<Trailers>,
    },
    /// The request was given up. Its handler is to stop; every command for it answers
    /// [`UnknownStream`](crate::ApiMisuse::UnknownStream).
    Cancelled {
        /// The request.
        id: StreamId,
        /// Why.
        reason: CancelReason,
    },
    /// A stream was refused before it was looked at, and is safe to retry: it came behind the cutoff of a drain, or
    /// was one too many (RFC 9113 sections 5.1.2 and 8.7). Nothing is to be done; it is told to be counted.
    Refused {
        /// The stream.
        id: StreamId,
    },
    /// The connection is over, and nothing is left to be sent: drop the transport.
    Closed(CloseReason),
}

/// Why a request was given up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CancelReason {
    /// Its body broke the protocol, or stopped coming.
    Refused(PeerError),
    /// The peer gave it up, with this code (RFC 9113 section 6.4).
    Reset(ErrorCode),
    /// The peer kept its response waiting for too long.
    TimedOut(Timer),
    /// The handler broke off.
    BrokenOff,
    /// The connection ended under it.
    Closed(CloseReason),
}

/// What the caller is to do with the transport.
#[derive(Clone, Debug)]
pub enum Transmit<'a> {
    /// Send these pieces in their order, as much of them as can be, and say how much that was with
    /// [`transmitted`](crate::Connection::transmitted).
    Bytes(Pieces<'a>),
    /// Shut down the sending side, once. Over TLS that is a `close_notify` and then a FIN.
    Fin,
}
