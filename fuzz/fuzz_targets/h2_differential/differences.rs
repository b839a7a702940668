//! What the `h2` crate (0.4.20) does otherwise than we do. Sections are those of RFC 9113 where no other is named.

use lameduck_core::Fault;
use lameduck_fuzz::h2::frame::{flag, kind};
use lameduck_fuzz::h2::{code, setting};

use crate::blocks::Block;
use crate::grammar::{self, fits_http, has_port, is_host, is_path, is_scheme, is_token, is_value};
use crate::past::{Case, Past};
use crate::{Refusal, Refused};

/// A difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    /// There is none.
    Alike,

    // We alone end the connection.
    /// SETTINGS have to come first, and not an ACK of them (section 3.4). h2 takes any frame.
    SettingsFirst,
    /// h2 does not know PRIORITY_UPDATE, and does not see what is wrong with one (RFC 9218 section 7.1).
    PriorityUpdate,
    /// h2 does not know SETTINGS_NO_RFC7540_PRIORITIES, which is 0 or 1 (RFC 9218 section 2.1).
    NoRfc7540Priorities,
    /// Settings apply one after the other, and none may bring a window over its maximum (sections 6.5.3 and 6.9.2). h2
    /// looks at the last of each kind.
    SettingsInOrder,
    /// A client's PUSH_PROMISE ends the connection (section 8.4). h2 waits until its field block is whole, and resets
    /// the stream of one that is malformed.
    Push,
    /// A stream with a number that a client cannot use, or no longer, ends the connection (section 5.1.1). h2 waits
    /// until the field block is whole, resets the stream of one that is malformed, and ignores what comes for one that
    /// it has reset.
    StreamNumber,
    /// A field block has two changes of the table's size at most (RFC 7541 section 4.2), at its start. h2 takes more,
    /// and some at the start of a CONTINUATION.
    SizeUpdates,
    /// How much is borne is for each to say (section 10.5).
    Patience,

    // h2 alone ends the connection.
    /// h2 takes an ACK of SETTINGS for one too many. Section 6.5.3 says nothing of that: for us it is a frame that carries
    /// nothing.
    SettingsAck,
    /// The last stream of a client's GOAWAY grows, which it must not (section 6.8). It is of streams that we would have
    /// opened: we open none, and ignore it.
    GoAwayGrows,
    /// DATA or a field block on a stream that is closed, or that the client has ended, is an error of the stream, or on
    /// its way since before the client knew (section 5.1). For h2 it may be one of the connection.
    StreamOver,
    /// A field block on a stream whose number was passed over, far below the highest: we remember the nearest only, and
    /// take it for closed (section 5.1.1).
    SkippedLongAgo,
    /// DATA without room for the length of its padding is an error of the stream: it carries no field block (section
    /// 4.2).
    DataWithoutPadLength,
    /// A PRIORITY that has not five octets is an error of the stream (section 6.3).
    PriorityLength,
    /// A WINDOW_UPDATE of zero for a stream is an error of the stream (section 6.9).
    ZeroIncrement,
    /// A line with a name or value that cannot be makes a malformed request, an error of the stream (section 8.1.1). For
    /// h2 its block cannot be decoded.
    BadLine,
    /// A field block over the limit costs its own request (section 10.5.1). h2 gives the connection up where it is four
    /// times as large, or comes in many CONTINUATION frames.
    LargeBlock,
    /// Each counts the windows of streams that it has not closed (section 6.9.2); h2 also of those that it remembers.
    ClosedWindow,

    // We alone give the stream up.
    /// It names no host, or several, or one that is none (sections 8.3.1, RFC 9110 section 7.2).
    BadHost,
    /// `content-length` is empty, or comes more than once, or with CONNECT (RFC 9110 sections 8.6 and 9.3.6).
    BadLength,
    /// It has no path where it needs one, or one that is none (section 8.3.1).
    BadPath,
    /// A scheme that is none (section 8.3.1).
    BadScheme,
    /// CONNECT to what is no host and port (section 8.5).
    BadConnect,
    /// A `:protocol` that is none (RFC 8441 section 4).
    BadProtocol,
    /// A value with blanks around it, or with a control character (section 8.2.1, RFC 9110 section 5.5).
    BadValue,
    /// An expectation that is not 100-continue: 417 (RFC 9110 section 10.1.1).
    Expectation,
    /// More fields than are taken, or a longer target: 431, 414.
    TooMany,
    /// The client has said GOAWAY, and all its streams were over: we have gone away too, and refuse one that it opens all
    /// the same, which is safe to retry (section 6.8). h2 serves on as long as its handlers hold old streams.
    LeftBefore,
    /// Trailers with pseudo-header fields are malformed (section 8.1).
    PseudoTrailer,
    /// There are no trailers in a tunnel (section 8.5).
    TunnelTrailer,

    // h2 alone gives the stream up.
    /// `http::Uri` cannot hold the target.
    Uri,
    /// `te` says "trailers" in other letters (RFC 9110 section 10.1.4).
    Te,
    /// More than 19 digits of `content-length`, of which the first are zeros (RFC 9110 section 8.6).
    LongLength,
    /// h2 resets streams that depend on themselves, as RFC 7540 section 5.3.1 had it, and looks no further into the frame.
    DependsOnItself,

    // Both give the stream up, in their own ways.
    /// With another code, or a response.
    Code,

    // Behind this nothing can be compared.
    /// h2 has opened the stream of a PRIORITY, or has not decoded the field block of a stream that depends on itself. Or it
    /// may have found malformed what has come of a field block, and has no stream to say so by. Or it has taken an empty
    /// name for one that is still to come.
    Unseen,
    /// The client goes away with an error: h2 fails too, at once or once it is idle, and we serve what has begun
    /// (section 6.8).
    Leaves,
}

use Difference::*;

/// Why we may end the connection where h2 does not.
pub fn we_alone_end(fault: Fault, case: &Case<'_>, past: &Past, refused: &Refused) -> Option<Difference> {
    let frame = &case.frame;
    let is_refused = refused.contains_key(&frame.stream);
    if frame.kind == kind::HEADERS && frame.depends_on_itself() && is_refused {
        return Some(DependsOnItself);
    }
    match fault {
        Fault::SettingsMissing => {
            let is_settings = frame.kind == kind::SETTINGS && !frame.has(flag::ACK);
            (past.frames == 2 && !is_settings).then_some(SettingsFirst)
        }
        Fault::BadLength | Fault::StreamNamed | Fault::NothingPrioritized => {
            (frame.kind == kind::PRIORITY_UPDATE).then_some(PriorityUpdate)
        }
        Fault::BadNoRfc7540Priorities => {
            let is_wrong = |(id, value)| id == setting::NO_RFC7540_PRIORITIES && value > 1;
            frame.settings().any(is_wrong).then_some(NoRfc7540Priorities)
        }
        Fault::Push => (frame.kind == kind::PUSH_PROMISE).then_some(Push),
        Fault::BadStreamNumber => {
            let is_wrong = frame.stream.is_multiple_of(2) || case.is_skipped;
            let is_known = case.stream.is_some_and(|stream| stream.is_refused_by_h2);
            let is_seen_later = case.is_open || is_refused || is_known;
            (is_wrong && frame.kind == kind::HEADERS && is_seen_later).then_some(StreamNumber)
        }
        Fault::WindowOverflow => {
            let sizes = frame.settings().filter(|(id, _)| *id == setting::INITIAL_WINDOW_SIZE).count();
            let is_ours_alone =
                past.streams.values().any(|stream| stream.is_granted && stream.is_refused_by_h2);
            first(&[(sizes > 1, SettingsInOrder), (sizes > 0 && is_ours_alone, ClosedWindow)])
        }
        Fault::BadBlock => {
            let block = case.block.as_ref()?;
            (block.resizes() > 2 || block.resizes_inside()).then_some(SizeUpdates)
        }
        Fault::TooManyResets => (past.frames > 128).then_some(Patience),
        Fault::TooMuchChatter => (past.frames > 1024).then_some(Patience),
        _ => None,
    }
}

/// Why h2 may end the connection where we do not.
pub fn h2_alone_ends(
    error: &h2::Error,
    case: &Case<'_>,
    past: &Past,
    refused: &Refused,
) -> Option<Difference> {
    let frame = &case.frame;
    let is_over = case.stream.is_some_and(|stream| stream.is_over());
    let is_refused = refused.contains_key(&frame.stream);
    if error.is_remote() {
        return parts_ways(case).filter(|difference| *difference == Leaves);
    }
    match error.reason()? {
        h2::Reason::PROTOCOL_ERROR => match frame.kind {
            kind::SETTINGS if frame.has(flag::ACK) => (past.settings_acks > 1).then_some(SettingsAck),
            kind::GOAWAY => frame
                .number_at(0)
                .is_some_and(|last| past.last_of_goaway.is_some_and(|least| last & 0x7fff_ffff > least))
                .then_some(GoAwayGrows),
            kind::DATA if frame.has(flag::PADDED) && frame.payload.is_empty() => {
                (!case.is_idle).then_some(DataWithoutPadLength)
            }
            kind::DATA => is_over.then_some(StreamOver),
            kind::PRIORITY => (frame.payload.len() != 5 && !case.is_idle).then_some(PriorityLength),
            kind::WINDOW_UPDATE => {
                let is_zero = frame.number_at(0).is_some_and(|by| by & 0x7fff_ffff == 0);
                (is_zero && !case.is_idle).then_some(ZeroIncrement)
            }
            kind::HEADERS | kind::CONTINUATION => {
                let block = case.block.as_ref()?;
                let is_bad = block.lines.iter().any(|(name, value)| !fits_http(name, value));
                let reasons = [
                    (is_bad && (is_refused || is_over), BadLine),
                    (is_over, StreamOver),
                    (case.is_skipped_long_ago() && is_refused, SkippedLongAgo),
                ];
                first(&reasons)
            }
            _ => None,
        },
        h2::Reason::ENHANCE_YOUR_CALM | h2::Reason::COMPRESSION_ERROR => match &case.block {
            Some(block) => (block.size() > 4 * 32 * 1024 || block.continuations() > 5).then_some(LargeBlock),
            None => (frame.kind == kind::DATA && past.small_data > 100).then_some(Patience),
        },
        h2::Reason::FLOW_CONTROL_ERROR => past.remembers_windows(*frame).then_some(ClosedWindow),
        _ => None,
    }
}

/// Why we may give a stream up, that of this frame, where h2 does not.
pub fn we_alone_refuse(refusal: Refusal, case: &Case<'_>, past: &Past) -> Option<Difference> {
    let block = case.block.as_ref()?;
    match (refusal, case.stream) {
        (Refusal::Reset(code::REFUSED_STREAM), None) => {
            first(&[(past.last_of_goaway.is_some(), LeftBefore), (past.open() > 128, Patience)])
        }
        (Refusal::Reset(code::PROTOCOL_ERROR), Some(stream)) => wrong_trailers(block, stream.is_tunnel),
        (Refusal::Reset(code::PROTOCOL_ERROR), None) => wrong_request(block),
        (Refusal::Answered, None) => wrong_expectation(block),
        _ => None,
    }
}

fn wrong_trailers(block: &Block, is_tunnel: bool) -> Option<Difference> {
    let is_pseudo = block.lines.iter().any(|(name, _)| name.starts_with(b":"));
    let is_bad = block.lines.iter().any(|(_, value)| !is_value(value));
    let is_no_length = |value: &[u8]| value.is_empty() || !value.iter().all(u8::is_ascii_digit);
    first(&[
        (is_pseudo, PseudoTrailer),
        (is_tunnel, TunnelTrailer),
        (is_bad, BadValue),
        // They have no place in trailers, and if they had, not with these values.
        (block.values("host").any(|host| !is_host(host)), BadHost),
        (block.values("content-length").any(is_no_length), BadLength),
    ])
}

fn wrong_request(block: &Block) -> Option<Difference> {
    let method = block.value(":method").unwrap_or(b"");
    let (scheme, path, protocol) = (block.value(":scheme"), block.value(":path"), block.value(":protocol"));
    let (authority, host) = (block.value(":authority"), block.value("host"));
    let is_connect = method == b"CONNECT" && protocol.is_none();
    let lengths = block.values("content-length").count();
    let is_no_length = block.values("content-length").any(<[u8]>::is_empty);
    let hosts = block.values("host").count();
    let is_one_host = match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (None, None) => false,
        _ => true,
    };
    let reasons = [
        (
            hosts > 1 || !is_one_host || [authority, host].into_iter().flatten().any(|host| !is_host(host)),
            BadHost,
        ),
        (is_no_length || lengths > 1 || lengths > 0 && method == b"CONNECT", BadLength),
        (!is_connect && !path.is_some_and(|path| is_path(method, path)), BadPath),
        (scheme.is_some_and(|scheme| !is_scheme(scheme)), BadScheme),
        (is_connect && !authority.is_some_and(has_port), BadConnect),
        (protocol.is_some_and(|protocol| !is_token(protocol)), BadProtocol),
        (block.lines.iter().any(|(_, value)| !is_value(value)), BadValue),
    ];
    first(&reasons)
}

fn wrong_expectation(block: &Block) -> Option<Difference> {
    let fields = block.lines.iter().filter(|(name, _)| !name.starts_with(b":")).count();
    let path = block.value(":path").map_or(0, <[u8]>::len);
    first(&[
        (block.values("expect").any(|value| !value.eq_ignore_ascii_case(b"100-continue")), Expectation),
        (fields > 100 || path > 8 * 1024, TooMany),
    ])
}

/// Why h2 may give a stream up, that of this frame, where we do not.
pub fn h2_alone_refuses(refusal: Refusal, case: &Case<'_>, past: &Past) -> Option<Difference> {
    if refusal == Refusal::Reset(code::REFUSED_STREAM) {
        return (past.open() > 128).then_some(Patience);
    }
    if case.frame.kind == kind::PRIORITY && case.frame.depends_on_itself() {
        return Some(DependsOnItself);
    }
    // Ours does not know it from a stream whose frames have crossed its end.
    if case.frame.kind == kind::DATA && case.is_skipped_long_ago() {
        return Some(SkippedLongAgo);
    }
    let block = case.block.as_ref()?;
    let te = block.values("te").any(|value| value != b"trailers" && value.eq_ignore_ascii_case(b"trailers"));
    let length =
        block.value("content-length").is_some_and(|value| value.len() > 19 && value.starts_with(b"0"));
    let reasons = [
        (grammar::uri_is_too_much(block), Uri),
        (te, Te),
        (length, LongLength),
        (case.frame.depends_on_itself(), DependsOnItself),
    ];
    first(&reasons)
}

/// Whether both give the stream up for the same reason.
pub fn alike(ours: Refusal, theirs: Refusal, case: &Case<'_>, past: &Past) -> Option<Difference> {
    let is_ended = case.stream.is_some_and(|stream| stream.is_ended) || case.is_skipped_long_ago();
    match (ours, theirs) {
        (ours, theirs) if ours == theirs => Some(Alike),
        // Malformed, and too large or otherwise not to be served.
        (Refusal::Answered, Refusal::Reset(code::PROTOCOL_ERROR))
        | (Refusal::Reset(code::PROTOCOL_ERROR), Refusal::Answered) => Some(Code),
        (Refusal::Reset(code::STREAM_CLOSED), Refusal::Reset(code::PROTOCOL_ERROR)) => {
            is_ended.then_some(Code)
        }
        // What we do not serve at all h2 finds malformed.
        (Refusal::Reset(code::REFUSED_STREAM), Refusal::Reset(code::PROTOCOL_ERROR)) => {
            we_alone_refuse(ours, case, past)
        }
        // What h2, whose streams are all taken, does not look at.
        (_, Refusal::Reset(code::REFUSED_STREAM)) => (past.open() > 128).then_some(Patience),
        _ => None,
    }
}

/// Whether nothing can be compared behind this frame.
pub fn parts_ways(case: &Case<'_>) -> Option<Difference> {
    let frame = &case.frame;
    let is_unseen = case.is_open && case.stream.is_some_and(|stream| stream.is_closed());
    if is_unseen
        || case.block.as_ref().is_some_and(|block| block.continuations() > 0 && block.has_empty_name())
    {
        return Some(Unseen);
    }
    match frame.kind {
        kind::HEADERS => frame.depends_on_itself().then_some(Unseen),
        kind::PRIORITY => (frame.depends_on_itself() && case.is_idle).then_some(Unseen),
        kind::GOAWAY => frame.number_at(4).is_some_and(|code| code != 0).then_some(Leaves),
        _ => None,
    }
}

/// The first that is so.
fn first(reasons: &[(bool, Difference)]) -> Option<Difference> {
    reasons.iter().find_map(|(is_so, difference)| is_so.then_some(*difference))
}
