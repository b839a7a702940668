//! What is wrong with what an HTTP/2 peer sends, and the code that it is told.

use core::fmt;

/// An error code, as RST_STREAM and GOAWAY carry it (RFC 9113 section 7). One that is not known means nothing
/// special, and is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ErrorCode(pub u32);

#[expect(missing_docs, reason = "the names are the RFC's, which says what each means")]
impl ErrorCode {
    pub const NO_ERROR: Self = Self(0x00);
    pub const PROTOCOL_ERROR: Self = Self(0x01);
    pub const INTERNAL_ERROR: Self = Self(0x02);
    pub const FLOW_CONTROL_ERROR: Self = Self(0x03);
    pub const SETTINGS_TIMEOUT: Self = Self(0x04);
    pub const STREAM_CLOSED: Self = Self(0x05);
    pub const FRAME_SIZE_ERROR: Self = Self(0x06);
    pub const REFUSED_STREAM: Self = Self(0x07);
    pub const CANCEL: Self = Self(0x08);
    pub const COMPRESSION_ERROR: Self = Self(0x09);
    pub const CONNECT_ERROR: Self = Self(0x0a);
    pub const ENHANCE_YOUR_CALM: Self = Self(0x0b);
    pub const INADEQUATE_SECURITY: Self = Self(0x0c);
    pub const HTTP_1_1_REQUIRED: Self = Self(0x0d);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NO_ERROR => "NO_ERROR",
            Self::PROTOCOL_ERROR => "PROTOCOL_ERROR",
            Self::INTERNAL_ERROR => "INTERNAL_ERROR",
            Self::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
            Self::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
            Self::STREAM_CLOSED => "STREAM_CLOSED",
            Self::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
            Self::REFUSED_STREAM => "REFUSED_STREAM",
            Self::CANCEL => "CANCEL",
            Self::COMPRESSION_ERROR => "COMPRESSION_ERROR",
            Self::CONNECT_ERROR => "CONNECT_ERROR",
            Self::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
            Self::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
            Self::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
            Self(code) => return write!(f, "error code {code:#x}"),
        })
    }
}

/// A rule of HTTP/2 that the peer broke. Sections are those of RFC 9113 where no other is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    // A frame by itself.
    /// Longer than we said to take (section 4.2).
    TooLong,
    /// Not of the length that its type has, or too short for what it has to hold (section 4.2).
    BadLength,
    /// A frame of a stream that names none (section 6).
    StreamMissing,
    /// A frame of the connection that names a stream (section 6).
    StreamNamed,
    /// More padding than there is room for (sections 6.1 and 6.2).
    TooMuchPadding,
    /// A PUSH_PROMISE: a client cannot push (section 8.4).
    Push,
    /// A WINDOW_UPDATE that grants nothing (section 6.9).
    ZeroIncrement,
    /// SETTINGS_ENABLE_PUSH is neither 0 nor 1 (section 6.5.2).
    BadEnablePush,
    /// SETTINGS_INITIAL_WINDOW_SIZE is over the largest window (section 6.5.2).
    BadInitialWindowSize,
    /// SETTINGS_MAX_FRAME_SIZE is outside of its range (section 6.5.2).
    BadMaxFrameSize,
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL is neither 0 nor 1 (RFC 8441 section 3).
    BadEnableConnectProtocol,
    /// SETTINGS_NO_RFC7540_PRIORITIES is neither 0 nor 1 (RFC 9218 section 2.1).
    BadNoRfc7540Priorities,
    /// A PRIORITY_UPDATE that is for no stream (RFC 9218 section 7.1).
    NothingPrioritized,

    // A frame where it stands.
    /// What came first is not the preface (section 3.4).
    BadPreface,
    /// The first frame is not SETTINGS (section 3.4).
    SettingsMissing,
    /// Our SETTINGS were not acknowledged in time (section 6.5.3).
    SettingsIgnored,
    /// A field block is interrupted by another frame (section 4.3).
    BlockInterrupted,
    /// A CONTINUATION that continues nothing (section 6.10).
    NothingToContinue,
    /// A new stream whose number is even, where a client's are odd, or is one that it has passed over (section 5.1.1).
    /// One that is far below the highest is taken for closed.
    BadStreamNumber,
    /// A frame on a stream that has not been opened (section 5.1).
    StreamIdle,
    /// A frame on a stream that its sender has ended (section 5.1).
    StreamClosed,
    /// More DATA than the window has room for (section 6.9).
    WindowExceeded,
    /// A window over 2^31-1 (section 6.9.1).
    WindowOverflow,

    // A field block and what it says.
    /// It cannot be decoded (section 4.3, RFC 7541).
    BadBlock,
    /// It is larger than any head that would be taken.
    BlockTooLarge,
    /// It did not come whole in time.
    SlowBlock,
    /// A request that is malformed (section 8.1.1).
    MalformedRequest,
    /// A body that is not as long as its `content-length` says (section 8.1.1).
    LengthMismatch,

    // What is allowed, but not so often (section 10.5).
    /// Requests are given up again and again.
    TooManyResets,
    /// Frames that carry nothing come again and again.
    TooMuchChatter,
}

impl Fault {
    /// The code that the peer is told.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::TooLong | Self::BadLength => ErrorCode::FRAME_SIZE_ERROR,
            Self::BadInitialWindowSize | Self::WindowExceeded | Self::WindowOverflow => {
                ErrorCode::FLOW_CONTROL_ERROR
            }
            Self::SettingsIgnored => ErrorCode::SETTINGS_TIMEOUT,
            Self::StreamClosed => ErrorCode::STREAM_CLOSED,
            Self::BadBlock => ErrorCode::COMPRESSION_ERROR,
            Self::BlockTooLarge | Self::SlowBlock | Self::TooManyResets | Self::TooMuchChatter => {
                ErrorCode::ENHANCE_YOUR_CALM
            }
            _ => ErrorCode::PROTOCOL_ERROR,
        }
    }

    /// What is wrong, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "frame over the limit",
            Self::BadLength => "frame of a length that its type does not have",
            Self::StreamMissing => "frame of a stream that names none",
            Self::StreamNamed => "frame of the connection that names a stream",
            Self::TooMuchPadding => "more padding than there is room for",
            Self::Push => "PUSH_PROMISE from a client",
            Self::ZeroIncrement => "WINDOW_UPDATE of zero",
            Self::BadEnablePush => "SETTINGS_ENABLE_PUSH that is neither 0 nor 1",
            Self::BadInitialWindowSize => "SETTINGS_INITIAL_WINDOW_SIZE over the largest window",
            Self::BadMaxFrameSize => "SETTINGS_MAX_FRAME_SIZE outside of its range",
            Self::BadEnableConnectProtocol => "SETTINGS_ENABLE_CONNECT_PROTOCOL that is neither 0 nor 1",
            Self::BadNoRfc7540Priorities => "SETTINGS_NO_RFC7540_PRIORITIES that is neither 0 nor 1",
            Self::NothingPrioritized => "PRIORITY_UPDATE for no stream",
            Self::BadPreface => "not the preface of HTTP/2",
            Self::SettingsMissing => "first frame is not SETTINGS",
            Self::SettingsIgnored => "SETTINGS not acknowledged in time",
            Self::BlockInterrupted => "field block interrupted by another frame",
            Self::NothingToContinue => "CONTINUATION without a field block",
            Self::BadStreamNumber => "new stream with a number that it cannot have",
            Self::StreamIdle => "frame on a stream that is not open yet",
            Self::StreamClosed => "frame on a stream that has been ended",
            Self::WindowExceeded => "DATA beyond the window",
            Self::WindowOverflow => "window over its maximum",
            Self::BadBlock => "field block that cannot be decoded",
            Self::BlockTooLarge => "field block over the limit",
            Self::SlowBlock => "field block did not come in time",
            Self::MalformedRequest => "malformed request",
            Self::LengthMismatch => "body of another length than content-length says",
            Self::TooManyResets => "too many requests given up",
            Self::TooMuchChatter => "too many frames that carry nothing",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
