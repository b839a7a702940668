//! What a connection may use, and for how long.

use core::time::Duration;

/// The settings of a connection. Share one between all connections of a server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// How long each wait may last.
    pub timeouts: Timeouts,
    /// How much a peer may send, and how much is kept for it.
    pub limits: Limits,
    /// What a peer's FIN means while its request is being served.
    pub half_close: HalfClose,
}

/// How long one wait may last, while the server serves and while it drains.
///
/// A drain only ever shortens a wait: where `draining` is the longer one, `serving` holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// The bound while the server serves.
    pub serving: Duration,
    /// The bound while it drains.
    pub draining: Duration,
}

impl Allowance {
    /// An allowance of `serving` and `draining` milliseconds.
    pub const fn millis(serving: u64, draining: u64) -> Self {
        Self { serving: Duration::from_millis(serving), draining: Duration::from_millis(draining) }
    }
}

/// The allowance of every [`Timer`](crate::Timer).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For the first byte of a connection's first request. Default 75 s; 1 s from the drain on.
    pub first_request: Allowance,
    /// For another request on an idle connection. Default 75 s, longer than a cloud load balancer's 60 s;
    /// while draining 250 ms *of quiet since the last response*, however long before the drain that was.
    pub keep_alive: Allowance,
    /// For the preface of HTTP/2 and the SETTINGS that follow it. Default 10 s; 1 s.
    pub handshake: Allowance,
    /// For the whole head of a request. Default 15 s; 5 s.
    pub head: Allowance,
    /// For the next bytes of a request's body. Default 30 s; 10 s.
    pub body: Allowance,
    /// For the peer to take some of the bytes that wait to be sent, or to open the window that a stream of HTTP/2
    /// waits for. Default 30 s; 10 s.
    pub write: Allowance,
    /// For the ACK of our SETTINGS (RFC 9113 section 6.5.3). Default 10 s; 2 s.
    pub settings_ack: Allowance,
    /// For a sign of life on HTTP/2, before a PING asks for one. Default 30 s; 30 s.
    pub silence: Allowance,
    /// For the answer to that PING. Default 10 s; 2 s.
    pub ping_ack: Allowance,
    /// For the answer to the PING that goes with the notice of a GOAWAY. Default 1 s; 1 s.
    pub goaway_ack: Allowance,
    /// After our FIN: for the next byte or the peer's FIN. The same for what is left of an HTTP/2 request that is
    /// answered and that nobody reads on. Default 1 s.
    pub linger_quiet: Allowance,
    /// After our FIN: for the peer's FIN in all. The same for what is left of such a request. Default 5 s; 2 s.
    pub linger: Allowance,
    /// At the drain's deadline: for an HTTP/2 peer to take the word that its streams were cut. Default 100 ms.
    pub last_word: Allowance,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_request: Allowance::millis(75_000, 1_000),
            keep_alive: Allowance::millis(75_000, 250),
            handshake: Allowance::millis(10_000, 1_000),
            head: Allowance::millis(15_000, 5_000),
            body: Allowance::millis(30_000, 10_000),
            write: Allowance::millis(30_000, 10_000),
            settings_ack: Allowance::millis(10_000, 2_000),
            silence: Allowance::millis(30_000, 30_000),
            ping_ack: Allowance::millis(10_000, 2_000),
            goaway_ack: Allowance::millis(1_000, 1_000),
            linger_quiet: Allowance::millis(1_000, 1_000),
            linger: Allowance::millis(5_000, 2_000),
            last_word: Allowance::millis(100, 100),
        }
    }
}

/// Bounds on what a peer may make the server keep. All in bytes, but for `fields`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A request's head, with its request line and its last CRLF; the same for trailers. Over it: 431.
    pub head: u16,
    /// A request's target. Over it: 414.
    pub target: u16,
    /// Field lines in a head; at most [`Limits::FIELDS`]. Over it: 431.
    pub fields: usize,
    /// A request's body, where it is bounded at all. Over it: 413.
    pub body: Option<u64>,
    /// The chunk extensions of one body, all together. Over it: 400.
    pub chunk_extensions: usize,
    /// Body bytes of HTTP/1 given to the handler that it has not yet released; reading pauses above.
    pub body_window: usize,
    /// The window that each stream of HTTP/2 starts with (RFC 9113 section 6.9.2): as much of its body may come that
    /// the handler has not released. It grows while the handler keeps up.
    pub stream_window: u32,
    /// The most that the window of one HTTP/2 stream grows to.
    pub stream_window_most: u32,
    /// The window of an HTTP/2 connection, all its streams together (RFC 9113 section 6.9.1); 65,535 at least. This
    /// is what bounds the bodies that are kept for one peer, however many streams it opens.
    pub connection_window: u32,
    /// The table of an HTTP/2 peer's header fields that is kept for it (RFC 7541 section 4.2).
    pub header_table: u16,
    /// Streams of one HTTP/2 connection at a time. Over it: REFUSED_STREAM.
    pub streams: u32,
    /// A request body that its handler does not want: what is read and thrown away to keep the connection.
    pub discard: u64,
    /// Requests that arrived behind the one being served; reading pauses above.
    pub pipeline: usize,
    /// Bytes that wait to be sent: above it the next pipelined request waits and
    /// [`send_capacity`](crate::Connection::send_capacity) is zero.
    pub send_queue: usize,
}

impl Limits {
    /// The most field lines that `fields` can ask for.
    pub const FIELDS: usize = 256;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 32 * 1024,
            target: 8 * 1024,
            fields: 100,
            body: None,
            chunk_extensions: 4 * 1024,
            body_window: 64 * 1024,
            stream_window: 256 * 1024,
            stream_window_most: 1024 * 1024,
            connection_window: 4 * 1024 * 1024,
            header_table: 4096,
            streams: 128,
            discard: 64 * 1024,
            pipeline: 16 * 1024,
            send_queue: 256 * 1024,
        }
    }
}

/// What a peer's FIN means while its request, whole, is being served.
///
/// A FIN alone does not tell a client that has left from one that has merely nothing more to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HalfClose {
    /// The client still waits for its response: it is served. One that has left shows itself by a RST.
    #[default]
    Serve,
    /// The client has left: its handler is cancelled.
    Cancel,
}
