//! The timers: which waits there are, and how a drain tightens each.
//!
//! No timer is ever armed or disarmed. A wait knows since when it lasts; its deadline is computed from
//! that, the configuration and the drain. So a drain cannot miss a timer, and no timer outlives its wait.

use core::fmt;
use core::time::Duration;

use crate::config::{Allowance, Timeouts};
use crate::time::Instant;

/// A wait that ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// When no byte of a connection's first request has come.
    FirstByte,
    /// When a connection has been idle since its last response.
    KeepAlive,
    /// When the preface of HTTP/2, or the SETTINGS that follow it, are not whole (RFC 9113 section 3.4).
    Handshake,
    /// When a request's head has begun and is not whole.
    Head,
    /// When a request's body is awaited and no byte of it comes.
    Body,
    /// When bytes wait to be sent and the peer takes none.
    Write,
    /// When a stream has something to send and the peer's window for it stays shut (RFC 9113 section 5.2).
    Window,
    /// When our SETTINGS have not been acknowledged (RFC 9113 section 6.5.3).
    SettingsAck,
    /// When an HTTP/2 peer has been silent: it is then sent a PING.
    Silence,
    /// When that PING is not answered.
    PingAck,
    /// When the PING that goes with the notice of a GOAWAY is not answered: the cutoff follows all the same.
    GoawayAck,
    /// When the PING behind the last response is not answered, and nothing shows that the peer still reads it.
    Receipt,
    /// When the peer has been silent since our FIN; or, on a stream of HTTP/2, since the end of a response to a request
    /// that it has not sent whole.
    LingerQuiet,
    /// When the peer still sends after that.
    Linger,
    /// When the drain's deadline comes.
    Grace,
    /// When the peer does not take the word that its streams were cut.
    LastWord,
}

/// That the operator wants this server to end, as one connection knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Drain {
    /// When this connection was told.
    pub since: Instant,
    /// When what is left is cut.
    pub deadline: Instant,
    /// Why.
    pub reason: Reason,
}

/// Why the operator ends a server, in a few words such as `SIGTERM` or `deploy`. Whoever traces an HTTP/2 client reads
/// them in the GOAWAY (RFC 9113 section 6.8). Without any, it is only said that the server drains.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reason(pub &'static str);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a wait is waiting for, and until when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Due {
    /// When the wait ends.
    pub at: Instant,
    /// Which wait it is.
    pub timer: Timer,
}

impl Timer {
    /// When a wait that lasts `since` ends. A drain brings that forward and never puts it off.
    pub(crate) fn due(self, timeouts: &Timeouts, since: Instant, drain: Option<Drain>) -> Due {
        let allowance = self.allowance(timeouts);
        let serving = since + allowance.serving;
        let at = match drain {
            None => serving,
            Some(drain) => serving.min(self.drain_counts_from(since, drain) + allowance.draining),
        };
        Due { at, timer: self }
    }

    /// A keep-alive connection may close once it *has been* quiet for long enough; every other wait gets
    /// its drain allowance in full, from the drain on.
    fn drain_counts_from(self, since: Instant, drain: Drain) -> Instant {
        match self {
            Self::KeepAlive => since,
            _ => since.max(drain.since),
        }
    }

    fn allowance(self, timeouts: &Timeouts) -> Allowance {
        match self {
            Self::FirstByte => timeouts.first_request,
            Self::KeepAlive => timeouts.keep_alive,
            Self::Handshake => timeouts.handshake,
            Self::Head => timeouts.head,
            Self::Body => timeouts.body,
            Self::Write | Self::Window | Self::Receipt => timeouts.write,
            Self::SettingsAck => timeouts.settings_ack,
            Self::Silence => timeouts.silence,
            Self::PingAck => timeouts.ping_ack,
            Self::GoawayAck => timeouts.goaway_ack,
            Self::LastWord => timeouts.last_word,
            Self::LingerQuiet => timeouts.linger_quiet,
            Self::Linger => timeouts.linger,
            Self::Grace => Allowance { serving: Duration::MAX, draining: Duration::MAX },
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstByte => "the first byte of a request",
            Self::KeepAlive => "another request",
            Self::Handshake => "the rest of the HTTP/2 preface",
            Self::Head => "the rest of a request's head",
            Self::Body => "more of a request's body",
            Self::Write => "the peer to take what is sent",
            Self::Window => "the peer to open its window",
            Self::SettingsAck => "the peer to acknowledge our SETTINGS",
            Self::Silence => "a sign of life",
            Self::PingAck => "the answer to a PING",
            Self::Receipt => "the peer to read the last response",
            Self::GoawayAck => "the peer to hear that the server drains",
            Self::LastWord => "the peer to hear that it was cut",
            Self::LingerQuiet | Self::Linger => "the peer's FIN, or the end of its request",
            Self::Grace => "the drain's deadline",
        })
    }
}
