//! Whose fault it was, and why a connection ended.

use core::error::Error;
use core::fmt;

use crate::fault::Fault;
use crate::timer::Timer;

/// What the peer broke. Each has the status of the response that says so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerError {
    /// The request line is not `method SP target SP version CRLF` (RFC 9112 section 3).
    BadRequestLine,
    /// The target is in none of the four forms, or not in the one that the method asks for (section 3.2).
    BadTarget,
    /// The target is longer than [`Limits::target`](crate::Limits::target).
    TargetTooLong,
    /// A version other than HTTP/1.0 and HTTP/1.1 (RFC 9110 section 2.5).
    UnsupportedVersion,
    /// A line ends without CR before its LF, or has a CR elsewhere (RFC 9112 section 2.2).
    BareLineBreak,
    /// A field line is malformed: a blank before the colon, a folded value, a NUL (section 5).
    BadField,
    /// More field lines than [`Limits::fields`](crate::Limits::fields).
    TooManyFields,
    /// A head or a trailer section longer than [`Limits::head`](crate::Limits::head).
    HeadTooLarge,
    /// An HTTP/1.1 request without `host` (section 3.2).
    MissingHost,
    /// More than one `host`.
    RepeatedHost,
    /// A `host` that is not a host with an optional port.
    BadHost,
    /// Both `content-length` and `transfer-encoding` (section 6.3).
    LengthAndEncoding,
    /// A `content-length` that is not one plain decimal number, or that is given more than once.
    BadContentLength,
    /// The body is longer than [`Limits::body`](crate::Limits::body), or than can be counted.
    BodyTooLarge,
    /// `transfer-encoding` in an HTTP/1.0 message (section 6.1).
    EncodingInHttp10,
    /// `chunked` is not the last transfer coding, or is applied twice (section 6.3).
    BadChunkedCoding,
    /// A transfer coding that this server does not know (section 6.1).
    UnknownCoding,
    /// A framed body on a CONNECT, which has none (RFC 9110 section 9.3.6).
    BodyOnConnect,
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    UnknownExpectation,
    /// A chunk's size is not a hexadecimal number that can be counted (RFC 9112 section 7.1).
    BadChunkSize,
    /// Chunk extensions longer than [`Limits::chunk_extensions`](crate::Limits::chunk_extensions).
    ChunkExtensionsTooLong,
    /// A chunk's data is not followed by CRLF.
    BadChunkEnd,
    /// The peer's FIN came in the middle of a head (section 8).
    TruncatedHead,
    /// The peer's FIN came in the middle of a body (section 8).
    TruncatedBody,
    /// The head did not come in time.
    SlowHead,
    /// The body did not come in time.
    SlowBody,
    /// A rule of HTTP/2.
    Http2(Fault),
}

impl PeerError {
    /// The status of the response that refuses the request.
    pub const fn status(self) -> u16 {
        match self {
            Self::SlowHead | Self::SlowBody => 408,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::UnknownExpectation => 417,
            Self::TooManyFields | Self::HeadTooLarge => 431,
            Self::UnknownCoding => 501,
            Self::UnsupportedVersion => 505,
            _ => 400,
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRequestLine => "malformed request line",
            Self::BadTarget => "malformed request target",
            Self::TargetTooLong => "request target over the limit",
            Self::UnsupportedVersion => "unsupported HTTP version",
            Self::BareLineBreak => "line break that is not CRLF",
            Self::BadField => "malformed field line",
            Self::TooManyFields => "too many field lines",
            Self::HeadTooLarge => "head over the limit",
            Self::MissingHost => "no host",
            Self::RepeatedHost => "more than one host",
            Self::BadHost => "malformed host",
            Self::LengthAndEncoding => "both content-length and transfer-encoding",
            Self::BadContentLength => "malformed or repeated content-length",
            Self::BodyTooLarge => "body over the limit",
            Self::EncodingInHttp10 => "transfer-encoding in HTTP/1.0",
            Self::BadChunkedCoding => "chunked is not the last coding, once",
            Self::UnknownCoding => "unknown transfer coding",
            Self::BodyOnConnect => "CONNECT with a body",
            Self::UnknownExpectation => "unknown expectation",
            Self::BadChunkSize => "malformed chunk size",
            Self::ChunkExtensionsTooLong => "chunk extensions over the limit",
            Self::BadChunkEnd => "chunk without its CRLF",
            Self::TruncatedHead => "FIN in the middle of a head",
            Self::TruncatedBody => "FIN in the middle of a body",
            Self::SlowHead => "head did not come in time",
            Self::SlowBody => "body did not come in time",
            Self::Http2(fault) => return write!(f, "{}: {fault}", fault.code()),
        })
    }
}

impl Error for PeerError {}

/// What the caller broke. The call has changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ApiMisuse {
    /// The stream is not known: never opened, ended, or cancelled (which may have crossed this call).
    UnknownStream,
    /// The response has already been begun.
    AlreadyAnswered,
    /// The response has not been begun.
    NotAnswered,
    /// The response has already been finished.
    AlreadyFinished,
    /// A status outside 100 to 999, or one that cannot stand here: 101 without an upgrade to agree to, another
    /// 1xx as the final response.
    BadStatus,
    /// A field's name is no token, or its value has a CR, LF or NUL (RFC 9110 section 5.5).
    BadField,
    /// More body than the response's head declared.
    BodyTooLong,
    /// Less body than the response's head declared: the connection is cut, so that the peer can tell.
    BodyTooShort,
}

impl fmt::Display for ApiMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownStream => "no such stream, or it has ended",
            Self::AlreadyAnswered => "the response has been begun",
            Self::NotAnswered => "the response has not been begun",
            Self::AlreadyFinished => "the response has been finished",
            Self::BadStatus => "a status that cannot stand here",
            Self::BadField => "a field that cannot be sent",
            Self::BodyTooLong => "more body than its head declared",
            Self::BodyTooShort => "less body than its head declared",
        })
    }
}

impl Error for ApiMisuse {}

/// Why a connection ended. Its `Display` explains it to an operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CloseReason {
    /// The peer closed between two requests.
    PeerClosed,
    /// The last response said that it was the last.
    Finished,
    /// Idle when the server drained.
    Drained,
    /// A wait lasted too long.
    TimedOut(Timer),
    /// The peer broke the protocol; it was told, where a response could still be sent.
    Refused(PeerError),
    /// An upgrade was asked for while the server drained; it was refused with 503.
    UpgradeRefused,
    /// A tunnel ended: both sides have finished.
    TunnelEnded,
    /// The peer left in the middle of a request: the transport failed, or its FIN was taken for leaving.
    PeerLeft,
    /// The transport failed when all was answered and sent, and the peer had been asked whether it has read the last
    /// response: that is not known.
    Unconfirmed,
    /// The handler gave its response up half-way; its framing tells the peer.
    HandlerReset,
    /// The handler gave up half-way what only the end of the connection delimits: only a reset tells the peer.
    HandlerBrokeOff,
    /// Cut at the drain's deadline.
    CutAtDeadline,
    /// Its streams were cut at the drain's deadline, and the peer has been told which.
    StreamsCut,
    /// Cut by the operator, who would not wait.
    CutByForce,
}

impl CloseReason {
    /// Whether this end is the server's to answer for: it left what it had begun.
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::CutAtDeadline | Self::StreamsCut | Self::CutByForce)
    }

    /// Whether something that was to be sent has not been.
    pub const fn leaves_unsent(self) -> bool {
        matches!(
            self,
            Self::CutAtDeadline
                | Self::StreamsCut
                | Self::CutByForce
                | Self::TimedOut(Timer::Write | Timer::PingAck | Timer::Receipt)
                | Self::PeerLeft
        )
    }

    /// Whether the transport must be reset rather than closed: a response that ends with the connection
    /// would look whole after a FIN (RFC 9112 section 8).
    pub const fn resets(self) -> bool {
        matches!(
            self,
            Self::CutAtDeadline
                | Self::CutByForce
                | Self::HandlerBrokeOff
                | Self::TimedOut(Timer::Write | Timer::PingAck)
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerClosed => f.write_str("the peer closed it"),
            Self::Finished => f.write_str("its last response said close"),
            Self::Drained => f.write_str("idle while the server drains"),
            Self::TimedOut(timer) => write!(f, "waited too long for {timer}"),
            Self::Refused(error @ PeerError::Http2(_)) => write!(f, "refused with {error}"),
            Self::Refused(error) => write!(f, "refused with {}: {error}", error.status()),
            Self::UpgradeRefused => f.write_str("upgrade refused with 503 while the server drains"),
            Self::TunnelEnded => f.write_str("the tunnel ended"),
            Self::PeerLeft => f.write_str("the peer left in the middle of a request"),
            Self::Unconfirmed => f.write_str(
                "the peer left with all answered, and has not said that it has read the last response",
            ),
            Self::HandlerReset | Self::HandlerBrokeOff => {
                f.write_str("its handler gave up half-way through the response")
            }
            Self::CutAtDeadline | Self::StreamsCut => f.write_str("cut at the drain's deadline"),
            Self::CutByForce => f.write_str("cut by a forced stop"),
        }
    }
}
