//! Every frame as it is, and every way to be malformed.

use alloc::vec::Vec;
use alloc::{format, vec};

use proptest::prelude::*;

use super::*;

/// The frame that `wire` starts with, and what follows it.
fn read_one(wire: &[u8]) -> Result<(Frame<'_>, &[u8]), FrameError> {
    let (header, rest) = wire.split_first_chunk().expect("a header");
    let header = Header::parse(header);
    header.check_length(LEAST_MAX_FRAME_SIZE)?;
    let (payload, rest) = rest.split_at_checked(header.length as usize).expect("the payload");
    Ok((Frame::parse(header, payload)?, rest))
}

/// The only frame in `wire`.
fn read(wire: &[u8]) -> Result<Frame<'_>, FrameError> {
    let (frame, rest) = read_one(wire)?;
    assert_eq!(rest, b"");
    Ok(frame)
}

/// A frame on the wire.
fn wire(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    Header { length: payload.len() as u32, kind, flags, stream }.write(&mut wire);
    wire.extend_from_slice(payload);
    wire
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Checks that what is written is read as this frame.
#[track_caller]
fn reads_back(write: impl FnOnce(&mut Vec<u8>), frame: Frame<'_>) {
    assert_eq!(read(&written(write)), Ok(frame));
}

#[track_caller]
fn ends_connection(wire: &[u8], fault: Fault, code: ErrorCode) {
    assert_eq!(read(wire), Err(FrameError { scope: Scope::Connection, code, fault }));
}

#[track_caller]
fn ends_stream(wire: &[u8], stream: u32, fault: Fault, code: ErrorCode) {
    assert_eq!(read(wire), Err(FrameError { scope: Scope::Stream(stream), code, fault }));
}

const PROTOCOL_ERROR: ErrorCode = ErrorCode::PROTOCOL_ERROR;
const FRAME_SIZE_ERROR: ErrorCode = ErrorCode::FRAME_SIZE_ERROR;

mod malformed {
    use super::*;

    #[test]
    fn a_frame_over_the_limit() {
        let most = LEAST_MAX_FRAME_SIZE;
        for kind in [kind::DATA, kind::HEADERS, kind::SETTINGS, kind::CONTINUATION, 0xff] {
            let header = |length| Header { length, kind, flags: 0, stream: 1 };
            assert_eq!(header(most).check_length(most), Ok(()));
            let error = header(most + 1).check_length(most).expect_err("one octet more");
            assert_eq!((error.scope, error.code), (Scope::Connection, FRAME_SIZE_ERROR));
        }
    }

    #[test]
    fn a_frame_of_a_stream_that_names_none() {
        let kinds: [(u8, &[u8]); 5] = [
            (kind::DATA, b"x"),
            (kind::HEADERS, b"x"),
            (kind::PRIORITY, &[0; 5]),
            (kind::RST_STREAM, &[0; 4]),
            (kind::CONTINUATION, b"x"),
        ];
        for (kind, payload) in kinds {
            ends_connection(&wire(kind, 0, 0, payload), Fault::StreamMissing, PROTOCOL_ERROR);
            // The reserved bit does not make a stream of it.
            ends_connection(&wire(kind, 0, 1 << 31, payload), Fault::StreamMissing, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_frame_of_the_connection_that_names_a_stream() {
        let kinds: [(u8, u8, &[u8]); 6] = [
            (kind::SETTINGS, 0, b""),
            (kind::SETTINGS, flag::ACK, b""),
            (kind::PING, 0, &[0; 8]),
            (kind::PING, flag::ACK, &[0; 8]),
            (kind::GOAWAY, 0, &[0; 8]),
            (kind::PRIORITY_UPDATE, 0, &[0, 0, 0, 1]),
        ];
        for (kind, flags, payload) in kinds {
            ends_connection(&wire(kind, flags, 1, payload), Fault::StreamNamed, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_frame_of_a_wrong_length_that_ends_the_connection() {
        let kinds: [(u8, u8, u32, &[usize]); 8] = [
            (kind::RST_STREAM, 0, 1, &[0, 3, 5]),
            (kind::SETTINGS, 0, 0, &[1, 5, 7, 11]),
            (kind::SETTINGS, flag::ACK, 0, &[1, 6]),
            (kind::PING, 0, 0, &[0, 7, 9]),
            (kind::PING, flag::ACK, 0, &[0, 7, 9]),
            (kind::GOAWAY, 0, 0, &[0, 3, 4, 7]),
            (kind::WINDOW_UPDATE, 0, 0, &[0, 3, 5]),
            (kind::WINDOW_UPDATE, 0, 1, &[0, 3, 5]),
        ];
        for (kind, flags, stream, lengths) in kinds {
            for length in lengths {
                let wire = wire(kind, flags, stream, &vec![0; *length]);
                ends_connection(&wire, Fault::BadLength, FRAME_SIZE_ERROR);
            }
        }
        for length in 0..4 {
            let wire = wire(kind::PRIORITY_UPDATE, 0, 0, &vec![0; length]);
            ends_connection(&wire, Fault::BadLength, FRAME_SIZE_ERROR);
        }
    }

    #[test]
    fn a_priority_of_a_wrong_length_ends_its_stream() {
        for length in [0, 4, 6] {
            let wire = wire(kind::PRIORITY, 0, 3, &vec![0; length]);
            ends_stream(&wire, 3, Fault::BadLength, FRAME_SIZE_ERROR);
        }
    }

    #[test]
    fn data_without_room_for_the_octet_that_tells_the_padding() {
        ends_stream(&wire(kind::DATA, flag::PADDED, 3, b""), 3, Fault::BadLength, FRAME_SIZE_ERROR);
    }

    #[test]
    fn data_with_more_padding_than_there_is_room_for() {
        for payload in [&b"\x01"[..], b"\x02x", b"\xffxx"] {
            let wire = wire(kind::DATA, flag::PADDED, 3, payload);
            ends_connection(&wire, Fault::TooMuchPadding, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn headers_without_room_for_what_their_flags_say() {
        let too_short: [(u8, &[u8]); 4] = [
            (flag::PADDED, b""),
            (flag::PRIORITY, b"1234"),
            (flag::PADDED | flag::PRIORITY, b""),
            (flag::PADDED | flag::PRIORITY, b"\x001234"),
        ];
        for (flags, payload) in too_short {
            ends_connection(&wire(kind::HEADERS, flags, 3, payload), Fault::BadLength, FRAME_SIZE_ERROR);
        }
    }

    #[test]
    fn headers_with_more_padding_than_there_is_room_for() {
        let padded: [(u8, &[u8]); 3] = [
            (flag::PADDED, b"\x01"),
            (flag::PADDED, b"\x03xx"),
            (flag::PADDED | flag::PRIORITY, b"\x0112345"),
        ];
        for (flags, payload) in padded {
            ends_connection(&wire(kind::HEADERS, flags, 3, payload), Fault::TooMuchPadding, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_push_promise_whatever_it_says() {
        for (stream, payload) in [(1, &b"\0\0\0\x02x"[..]), (0, b"\0\0\0\x02x"), (1, b""), (1, b"\0\0\0\x03")]
        {
            ends_connection(&wire(kind::PUSH_PROMISE, 0, stream, payload), Fault::Push, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_window_update_of_zero_ends_what_it_is_for() {
        for zero in [[0; 4], [0x80, 0, 0, 0]] {
            let connection = wire(kind::WINDOW_UPDATE, 0, 0, &zero);
            ends_connection(&connection, Fault::ZeroIncrement, PROTOCOL_ERROR);
            let stream = wire(kind::WINDOW_UPDATE, 0, 5, &zero);
            ends_stream(&stream, 5, Fault::ZeroIncrement, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_priority_update_for_no_stream() {
        for none in [[0; 4], [0x80, 0, 0, 0]] {
            let wire = wire(kind::PRIORITY_UPDATE, 0, 0, &none);
            ends_connection(&wire, Fault::NothingPrioritized, PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_setting_out_of_its_range() {
        let cases = [
            (0x2, 2, Fault::BadEnablePush, PROTOCOL_ERROR),
            (0x2, u32::MAX, Fault::BadEnablePush, PROTOCOL_ERROR),
            (0x4, 1 << 31, Fault::BadInitialWindowSize, ErrorCode::FLOW_CONTROL_ERROR),
            (0x4, u32::MAX, Fault::BadInitialWindowSize, ErrorCode::FLOW_CONTROL_ERROR),
            (0x5, 0, Fault::BadMaxFrameSize, PROTOCOL_ERROR),
            (0x5, (1 << 14) - 1, Fault::BadMaxFrameSize, PROTOCOL_ERROR),
            (0x5, 1 << 24, Fault::BadMaxFrameSize, PROTOCOL_ERROR),
            (0x8, 2, Fault::BadEnableConnectProtocol, PROTOCOL_ERROR),
            (0x9, 2, Fault::BadNoRfc7540Priorities, PROTOCOL_ERROR),
        ];
        for (id, value, fault, code) in cases {
            // Behind one that is right, as well as alone.
            ends_connection(&settings(&[(id, value)]), fault, code);
            ends_connection(&settings(&[(0x1, 4096), (id, value)]), fault, code);
        }
    }
}

/// A SETTINGS frame on the wire.
fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let octets = |&(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    wire(kind::SETTINGS, 0, 0, &settings.iter().flat_map(octets).collect::<Vec<_>>())
}

#[track_caller]
fn settings_in(wire: &[u8]) -> Vec<Setting> {
    match read(wire) {
        Ok(Frame::Settings(settings)) => settings.iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn settings_are_read_in_their_order_to_the_ends_of_their_ranges() {
    let wire = settings(&[
        (0x1, u32::MAX),
        (0x2, 0),
        (0x2, 1),
        (0x3, 0),
        (0x4, 0),
        (0x4, (1 << 31) - 1),
        (0x5, 1 << 14),
        (0x5, (1 << 24) - 1),
        (0x6, u32::MAX),
        (0x8, 1),
        (0x9, 1),
    ]);
    let expected = [
        Setting::HeaderTableSize(u32::MAX),
        Setting::EnablePush(false),
        Setting::EnablePush(true),
        Setting::MaxConcurrentStreams(0),
        Setting::InitialWindowSize(0),
        Setting::InitialWindowSize((1 << 31) - 1),
        Setting::MaxFrameSize(1 << 14),
        Setting::MaxFrameSize((1 << 24) - 1),
        Setting::MaxHeaderListSize(u32::MAX),
        Setting::EnableConnectProtocol(true),
        Setting::NoRfc7540Priorities(true),
    ];
    assert_eq!(settings_in(&wire), expected);
}

#[test]
fn settings_that_are_not_known_are_ignored() {
    let wire = settings(&[(0x0, 1), (0x7, 1), (0x1, 4096), (0xa, 9), (0x0a0a, 7), (0xffff, u32::MAX)]);
    assert_eq!(settings_in(&wire), [Setting::HeaderTableSize(4096)]);
}

#[test]
fn frames_of_types_that_are_not_known_are_ignored() {
    for kind in (0x0a..=0x0f).chain(0x11..=0xff) {
        assert_eq!(read(&wire(kind, 0xff, 7, b"anything")), Ok(Frame::Unknown));
    }
}

#[test]
fn flags_that_a_frame_does_not_have_and_reserved_bits_are_ignored() {
    let reserved = 1 << 31;
    let ping = wire(kind::PING, !flag::ACK, reserved, &[7; 8]);
    assert_eq!(read(&ping), Ok(Frame::Ping(Ping([7; 8]))));
    let continuation = wire(kind::CONTINUATION, !flag::END_HEADERS, reserved | 3, b"x");
    assert_eq!(
        read(&continuation),
        Ok(Frame::Continuation(Continuation { stream: 3, fragment: b"x", end_headers: false }))
    );
    let rst_stream = wire(kind::RST_STREAM, 0xff, reserved | 3, &[0, 0, 0, 8]);
    assert_eq!(read(&rst_stream), Ok(Frame::RstStream(RstStream { stream: 3, code: ErrorCode::CANCEL })));
    let update = wire(kind::WINDOW_UPDATE, 0xff, reserved | 3, &[0xff; 4]);
    assert_eq!(read(&update), Ok(Frame::WindowUpdate(WindowUpdate { stream: 3, increment: BITS_31 })));
    let goaway = wire(kind::GOAWAY, 0xff, reserved, &[0xff; 8]);
    let expected = GoAway { last: GoAway::NO_CUTOFF, code: ErrorCode(u32::MAX), debug: b"" };
    assert_eq!(read(&goaway), Ok(Frame::GoAway(expected)));
    let urgent = wire(kind::PRIORITY_UPDATE, 0xff, reserved, b"\x80\0\0\x05u=1");
    assert_eq!(read(&urgent), Ok(Frame::PriorityUpdate(PriorityUpdate { stream: 5, value: b"u=1" })));
}

#[test]
fn headers_are_read_between_what_surrounds_them() {
    let flags = flag::PADDED | flag::PRIORITY | flag::END_STREAM | flag::END_HEADERS;
    let all = wire(kind::HEADERS, flags, 3, b"\x02\x80\0\0\x03\x0fblock\0\0");
    let priority = Some(Priority { stream: 3, dependency: 3, exclusive: true, weight: 15 });
    let expected = Headers { stream: 3, fragment: b"block", priority, end_stream: true, end_headers: true };
    assert_eq!(read(&all), Ok(Frame::Headers(expected)));
    // Nothing but padding is no error: the padding is less than the payload.
    let padding = wire(kind::HEADERS, flag::PADDED, 3, b"\x02\0\0");
    let expected =
        Headers { stream: 3, fragment: b"", priority: None, end_stream: false, end_headers: false };
    assert_eq!(read(&padding), Ok(Frame::Headers(expected)));
}

#[test]
fn a_dependency_is_exclusive_by_its_highest_bit() {
    for (octets, dependency, exclusive) in
        [([0x7f, 0xff, 0xff, 0xff, 0], BITS_31, false), ([0x80, 0, 0, 0, 0], 0, true)]
    {
        let expected = Priority { stream: 3, dependency, exclusive, weight: 0 };
        assert_eq!(read(&wire(kind::PRIORITY, 0, 3, &octets)), Ok(Frame::Priority(expected)));
    }
}

#[test]
fn data_is_known_before_its_body_has_come() {
    let plain = Header { length: 5, kind: kind::DATA, flags: flag::END_STREAM, stream: 1 };
    let head = DataHead { stream: 1, body: 5, padding: None, end_stream: true };
    assert_eq!(DataHead::parse(plain, b""), Ok(Some(head)));
    assert_eq!((head.prefix(), head.flow_controlled()), (0, 5));

    let padded = Header { length: 6, kind: kind::DATA, flags: flag::PADDED, stream: 1 };
    let head = DataHead { stream: 1, body: 2, padding: Some(3), end_stream: false };
    assert_eq!(DataHead::parse(padded, b""), Ok(None));
    assert_eq!(DataHead::parse(padded, b"\x03"), Ok(Some(head)));
    assert_eq!((head.prefix(), head.flow_controlled()), (1, 6));

    let nothing_but_padding = DataHead { stream: 1, body: 0, padding: Some(5), end_stream: false };
    assert_eq!(DataHead::parse(padded, b"\x05"), Ok(Some(nothing_but_padding)));
}

#[test]
fn a_goaway_is_never_longer_than_every_peer_takes() {
    let debug = vec![b'x'; LEAST_MAX_FRAME_SIZE as usize + 1];
    let out = written(|out| GoAway { last: 1, code: ErrorCode::NO_ERROR, debug: &debug }.write(out));
    assert_eq!(out.len(), Header::LEN + LEAST_MAX_FRAME_SIZE as usize);
    let expected = GoAway { last: 1, code: ErrorCode::NO_ERROR, debug: &debug[..out.len() - 17] };
    assert_eq!(read(&out), Ok(Frame::GoAway(expected)));
}

#[test]
fn a_goaway_sends_no_reserved_bit() {
    let out = written(|out| GoAway { last: u32::MAX, code: ErrorCode::NO_ERROR, debug: b"" }.write(out));
    assert_eq!(out, wire(kind::GOAWAY, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
}

/// RFC 9113 section 7 numbers them from zero in this order.
#[test]
fn error_codes_are_those_of_the_rfc() {
    let names = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    for (code, name) in (0..).zip(names) {
        assert_eq!(format!("{}", ErrorCode(code)), name);
    }
    assert_eq!(format!("{}", ErrorCode(14)), "error code 0xe");
}

#[test]
fn errors_explain_themselves() {
    let stream = FrameError::stream(5, Fault::ZeroIncrement);
    assert_eq!(format!("{stream}"), "PROTOCOL_ERROR on stream 5: WINDOW_UPDATE of zero");
    let connection = FrameError::connection(Fault::TooLong);
    assert_eq!(format!("{connection}"), "FRAME_SIZE_ERROR: frame over the limit");
}

fn setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        any::<u32>().prop_map(Setting::HeaderTableSize),
        any::<bool>().prop_map(Setting::EnablePush),
        any::<u32>().prop_map(Setting::MaxConcurrentStreams),
        (0..=BITS_31).prop_map(Setting::InitialWindowSize),
        (LEAST_MAX_FRAME_SIZE..=MOST_MAX_FRAME_SIZE).prop_map(Setting::MaxFrameSize),
        any::<u32>().prop_map(Setting::MaxHeaderListSize),
        any::<bool>().prop_map(Setting::EnableConnectProtocol),
        any::<bool>().prop_map(Setting::NoRfc7540Priorities),
    ]
}

fn stream() -> impl Strategy<Value = u32> {
    1..=BITS_31
}

proptest! {
    #[test]
    fn a_header_reads_back(length in 0..=MOST_MAX_FRAME_SIZE, kind: u8, flags: u8, stream in 0..=BITS_31) {
        let header = Header { length, kind, flags, stream };
        let mut out = written(|out| header.write(out));
        let octets: &mut [u8; Header::LEN] = out.as_mut_slice().try_into().expect("nine octets");
        prop_assert_eq!(Header::parse(octets), header);
        octets[5] |= 0x80;
        prop_assert_eq!(Header::parse(octets), header);
    }

    #[test]
    fn what_is_sent_reads_back(
        stream in stream(),
        increment in stream(),
        last in 0..=BITS_31,
        code: u32,
        data: [u8; 8],
        debug in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let code = ErrorCode(code);
        let rst_stream = RstStream { stream, code };
        reads_back(|out| rst_stream.write(out), Frame::RstStream(rst_stream));
        for stream in [0, stream] {
            let update = WindowUpdate { stream, increment };
            reads_back(|out| update.write(out), Frame::WindowUpdate(update));
        }
        let ping = Ping(data);
        reads_back(|out| ping.write(out), Frame::Ping(ping));
        reads_back(|out| ping.write_ack(out), Frame::PingAck(ping));
        let goaway = GoAway { last, code, debug: &debug };
        reads_back(|out| goaway.write(out), Frame::GoAway(goaway));
        reads_back(write_settings_ack, Frame::SettingsAck);
    }

    #[test]
    fn settings_read_back(settings in prop::collection::vec(setting(), 0..20)) {
        prop_assert_eq!(settings_in(&written(|out| write_settings(out, &settings))), settings);
    }

    #[test]
    fn data_reads_back(
        stream in stream(),
        body in prop::collection::vec(any::<u8>(), 0..600),
        padding: Option<u8>,
        end_stream: bool,
    ) {
        let head = DataHead { stream, body: body.len() as u32, padding, end_stream };
        let mut out = written(|out| head.write(out));
        prop_assert_eq!(out.len(), Header::LEN + head.prefix() as usize);
        out.extend_from_slice(&body);
        out.resize(out.len() + usize::from(padding.unwrap_or(0)), 0);
        prop_assert_eq!(read(&out), Ok(Frame::Data(Data { head, body: &body })));
        prop_assert_eq!(out.len(), Header::LEN + head.flow_controlled() as usize);
    }

    /// One frame where it fits into one; else as few as do, none between them, and together the same.
    #[test]
    fn a_field_block_reads_back(
        stream in stream(),
        before in prop::collection::vec(any::<u8>(), 0..20),
        length in prop_oneof![0..100_usize, 16_380..16_390_usize, 32_760..60_000_usize],
        max_frame_size in prop_oneof![Just(0), 16_384..16_390_u32, Just(20_000), Just(u32::MAX)],
        end_stream: bool,
    ) {
        let block: Vec<_> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut out = before.clone();
        let result = write_block(&mut out, stream, end_stream, max_frame_size, |out| {
            out.extend_from_slice(&block);
            length
        });
        prop_assert_eq!(result, length);
        let mut rest = out.strip_prefix(before.as_slice()).expect("what was there stays");
        let most = max_frame_size.max(LEAST_MAX_FRAME_SIZE) as usize;
        let (mut found, mut frames, mut ended) = (Vec::new(), 0, false);
        while !rest.is_empty() {
            prop_assert!(!ended, "a frame behind the last");
            let (header, after) = rest.split_first_chunk().expect("a header");
            let header = Header::parse(header);
            let (payload, after) = after.split_at(header.length as usize);
            prop_assert!(payload.len() <= most);
            match Frame::parse(header, payload) {
                Ok(Frame::Headers(frame)) => {
                    prop_assert_eq!((frames, frame.stream, frame.end_stream), (0, stream, end_stream));
                    found.extend_from_slice(frame.fragment);
                    ended = frame.end_headers;
                }
                Ok(Frame::Continuation(frame)) => {
                    prop_assert_eq!((frames > 0, frame.stream), (true, stream));
                    found.extend_from_slice(frame.fragment);
                    ended = frame.end_headers;
                }
                other => panic!("{other:?}"),
            }
            frames += 1;
            rest = after;
        }
        prop_assert!(ended);
        prop_assert_eq!(frames, length.div_ceil(most).max(1));
        prop_assert_eq!(found, block);
    }

    /// Whatever comes, it is a frame or an error; DATA is the same whether its body has come or not.
    #[test]
    fn any_frame_is_read_or_refused(
        kind in prop_oneof![0..=0x11_u8, any::<u8>()],
        flags: u8,
        stream: u32,
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let octets = wire(kind, flags, stream, &payload);
        let frame = read(&octets);
        if let Err(error) = frame {
            prop_assert_eq!(error.code, error.fault.code());
            prop_assert!(matches!(error.scope, Scope::Connection | Scope::Stream(1..=BITS_31)));
        }
        if kind == kind::DATA {
            let header = Header::parse(octets.first_chunk().expect("a header"));
            let early = DataHead::parse(header, payload.get(..1).unwrap_or_default());
            match frame {
                Ok(Frame::Data(data)) => {
                    prop_assert_eq!(early, Ok(Some(data.head)));
                    prop_assert_eq!(data.head.flow_controlled(), header.length);
                }
                other => prop_assert_eq!(early.err(), other.err()),
            }
        }
    }
}
