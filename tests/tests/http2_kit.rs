//! The kit's HTTP/2 client itself: against the bytes of the RFC, and against the server of the `h2` crate.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use lameduck_tests::h2::frame::{self, flag, kind};
use lameduck_tests::h2::{Ended, Frame, PREFACE, Peer, Reader, Reply, Requests, Sent};
use lameduck_tests::h2::{code, fields, read_all, reply, setting};
use lameduck_tests::peer::End;
use tokio::net::TcpListener;

mod factory {
    use super::*;

    #[track_caller]
    fn is(frame: &Frame, octets: &[u8]) {
        assert_eq!(frame.as_ref(), octets);
    }

    #[test]
    fn frames_are_as_the_rfc_draws_them() {
        is(&frame::data(1, "hey").end_stream(), b"\0\0\x03\x00\x01\0\0\0\x01hey");
        is(&frame::headers(3, "block").end_headers(), b"\0\0\x05\x01\x04\0\0\0\x03block");
        is(&frame::priority(5, 0x8000_0003, 15), b"\0\0\x05\x02\x00\0\0\0\x05\x80\0\0\x03\x0f");
        is(&frame::rst_stream(7, code::CANCEL), b"\0\0\x04\x03\x00\0\0\0\x07\0\0\0\x08");
        is(
            &frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0x0102_0304), (0xfefe, 5)]),
            b"\0\0\x0c\x04\x00\0\0\0\0\0\x04\x01\x02\x03\x04\xfe\xfe\0\0\0\x05",
        );
        is(&frame::settings_ack(), b"\0\0\0\x04\x01\0\0\0\0");
        is(&frame::push_promise(1, 2, "x"), b"\0\0\x05\x05\x00\0\0\0\x01\0\0\0\x02x");
        is(&frame::ping(*b"deadbeef"), b"\0\0\x08\x06\x00\0\0\0\0deadbeef");
        is(&frame::ping_ack(*b"deadbeef"), b"\0\0\x08\x06\x01\0\0\0\0deadbeef");
        is(&frame::goaway(9, code::NO_ERROR, "bye"), b"\0\0\x0b\x07\x00\0\0\0\0\0\0\0\x09\0\0\0\0bye");
        is(&frame::window_update(1, 0x7fff_ffff), b"\0\0\x04\x08\x00\0\0\0\x01\x7f\xff\xff\xff");
        is(&frame::continuation(3, "block").end_headers(), b"\0\0\x05\x09\x04\0\0\0\x03block");
        is(&frame::priority_update(3, "u=1"), b"\0\0\x07\x10\x00\0\0\0\0\0\0\0\x03u=1");
        is(&Frame::new(0xfe, 0, "?"), b"\0\0\x01\xfe\x00\0\0\0\0?");
    }

    #[test]
    fn and_lie_as_they_are_told() {
        is(&frame::data(1, "hey").padded(2), b"\0\0\x06\x00\x08\0\0\0\x01\x02hey\0\0");
        is(
            &frame::headers(1, "block").prioritized(3, 7).padded(1),
            b"\0\0\x0c\x01\x28\0\0\0\x01\x01\0\0\0\x03\x07block\0",
        );
        is(&frame::ping([0; 8]).saying_length(0x00_ff01), b"\0\xff\x01\x06\x00\0\0\0\0\0\0\0\0\0\0\0\0");
        is(&frame::ping([0; 8]).with_payload("short"), b"\0\0\x05\x06\x00\0\0\0\0short");
        is(&frame::settings_ack().on_stream(0x8000_0001), b"\0\0\0\x04\x01\x80\0\0\x01");
        is(&frame::data(1, "").with_flags(0xf0), b"\0\0\0\x00\xf0\0\0\0\x01");
    }
}

mod reader {
    use super::*;

    /// What a server sent that answered one request.
    fn answered() -> Vec<u8> {
        let mut server = Requests::new();
        frame::join([
            frame::settings(&[(setting::MAX_CONCURRENT_STREAMS, 100)]),
            frame::settings_ack(),
            server.headers(1, &[(":status", "103"), ("link", "</a>")]),
            frame::headers(1, server.block(&[(":status", "200"), ("x", "y")])).end_headers(),
            frame::data(1, "hel"),
            frame::data(1, "lo"),
            server.headers(1, &[("sum", "5")]).end_stream(),
            frame::window_update(0, 5),
            frame::ping_ack([7; 8]),
            frame::goaway(1, code::NO_ERROR, "enough"),
            frame::rst_stream(3, code::REFUSED_STREAM),
        ])
    }

    fn text(name: &str, value: &str) -> (String, Vec<u8>) {
        (name.to_owned(), value.as_bytes().to_vec())
    }

    #[test]
    fn what_was_sent_is_told_in_its_order() {
        let sent = read_all(&answered());
        let expected = [
            Sent::Settings(vec![(setting::MAX_CONCURRENT_STREAMS, 100)]),
            Sent::SettingsAck,
            Sent::Headers {
                stream: 1,
                fields: vec![text(":status", "103"), text("link", "</a>")],
                end: false,
            },
            Sent::Headers { stream: 1, fields: vec![text(":status", "200"), text("x", "y")], end: false },
            Sent::Data { stream: 1, data: b"hel".to_vec(), end: false },
            Sent::Data { stream: 1, data: b"lo".to_vec(), end: false },
            Sent::Headers { stream: 1, fields: vec![text("sum", "5")], end: true },
            Sent::WindowUpdate { stream: 0, increment: 5 },
            Sent::PingAck([7; 8]),
            Sent::GoAway { last: 1, code: code::NO_ERROR, debug: b"enough".to_vec() },
            Sent::RstStream { stream: 3, code: code::REFUSED_STREAM },
        ];
        assert_eq!(sent, expected);
        let whole = Reply {
            status: 200,
            interim: vec![103],
            fields: vec![text("x", "y")],
            body: b"hello".to_vec(),
            trailers: vec![text("sum", "5")],
            ended: Some(Ended::Whole),
        };
        assert_eq!(reply(&sent, 1), whole);
        assert_eq!(reply(&sent[..5], 1).ended, None);
        assert_eq!(reply(&sent, 3).ended, Some(Ended::Reset(code::REFUSED_STREAM)));
    }

    #[test]
    fn however_it_is_split() {
        let bytes = answered();
        for cut in 0..=bytes.len() {
            let mut reader = Reader::new();
            let mut all = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                reader.feed(part);
                all.extend(std::iter::from_fn(|| reader.read().expect("well-formed")));
            }
            assert_eq!(all, read_all(&bytes), "cut at {cut}");
        }
    }

    /// Checks that a client gives up over this, behind SETTINGS and the head of a response on stream 1.
    #[track_caller]
    fn refused(why: &str, frames: impl FnOnce(&mut Requests) -> Vec<Frame>) {
        let mut server = Requests::new();
        let mut reader = Reader::new();
        reader.feed(frame::settings(&[]).as_ref());
        reader.feed(server.headers(1, &[(":status", "200")]).as_ref());
        assert!(matches!(reader.read(), Ok(Some(Sent::Settings(_)))));
        assert!(matches!(reader.read(), Ok(Some(Sent::Headers { .. }))));
        reader.feed(&frame::join(frames(&mut server)));
        let malformed = loop {
            match reader.read() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("accepted: {why}"),
                Err(malformed) => break malformed,
            }
        };
        assert_eq!(malformed.0, why);
    }

    #[test]
    fn a_server_that_breaks_the_frame_layer_is_found_out() {
        let mut reader = Reader::new();
        reader.feed(frame::settings_ack().as_ref());
        assert_eq!(reader.read().expect_err("no SETTINGS").0, "a first frame that is not SETTINGS");

        refused("a frame over SETTINGS_MAX_FRAME_SIZE", |_| vec![frame::data(1, vec![0; (1 << 14) + 1])]);
        refused("a reserved bit that is set", |_| vec![frame::data(1 << 31 | 1, "")]);
        refused("a flag that a frame does not have", |_| vec![frame::data(1, "").end_headers()]);
        refused("a flag that a frame does not have", |_| vec![frame::data(1, "").padded(1)]);
        refused("a frame on a stream that it cannot be on", |_| vec![frame::data(0, "")]);
        refused("a frame on a stream that it cannot be on", |_| vec![frame::rst_stream(2, 0)]);
        refused("a frame on a stream that it cannot be on", |_| vec![frame::ping([0; 8]).on_stream(1)]);
        refused("a frame that a server does not send", |_| vec![frame::push_promise(1, 2, "")]);
        refused("a frame that a server does not send", |_| vec![frame::priority(1, 0, 0)]);
        let bad_length = "a frame of a length that its type does not have";
        refused(bad_length, |_| vec![frame::ping([0; 8]).with_payload("")]);
        refused(bad_length, |_| vec![frame::settings_ack().with_payload("x")]);
        refused(bad_length, |_| vec![frame::rst_stream(1, 0).with_payload("x")]);
        refused("SETTINGS of a length that is no multiple of six", |_| {
            vec![frame::settings(&[]).with_payload("x")]
        });
        refused("a GOAWAY that is too short", |_| vec![frame::goaway(0, 0, "").with_payload("1234567")]);
        refused("a GOAWAY that takes back what another said", |_| {
            vec![frame::goaway(3, 0, ""), frame::goaway(5, 0, "")]
        });
        refused("a WINDOW_UPDATE of zero, or with a reserved bit", |_| vec![frame::window_update(1, 0)]);
    }

    #[test]
    fn a_server_that_overruns_a_window_is_found_out() {
        let most = || {
            let whole = [vec![0; 1 << 14], vec![0; 1 << 14], vec![0; 1 << 14], vec![0; (1 << 14) - 1]];
            whole.map(|body| frame::data(1, body)).to_vec()
        };
        refused("DATA over a window", |_| [most(), vec![frame::data(1, "x")]].concat());
        refused("DATA over a window", |server| {
            [most(), vec![server.headers(3, &[(":status", "200")]), frame::data(3, "x")]].concat()
        });

        let bytes = |length| {
            let head = Requests::new().headers(1, &[(":status", "200")]);
            frame::join([frame::settings(&[]), head, frame::data(1, vec![0; length])])
        };
        let reads = |granted, length| {
            let mut reader = Reader::new();
            reader.apply(&[(setting::INITIAL_WINDOW_SIZE, 10), (setting::MAX_FRAME_SIZE, 1 << 17)]);
            reader.grant(1, granted);
            reader.grant(0, 5);
            reader.feed(&bytes(length));
            std::iter::from_fn(|| reader.read().transpose()).collect::<Result<Vec<_>, _>>().is_ok()
        };
        assert!(reads(1, 11) && !reads(1, 12), "of the stream");
        assert!(reads(1 << 17, 65_540) && !reads(1 << 17, 65_541), "of the connection");
    }

    #[test]
    fn a_server_that_breaks_a_response_is_found_out() {
        let between = "a frame in the middle of a field block";
        refused(between, |_| vec![frame::headers(3, ""), frame::ping([0; 8])]);
        refused(between, |_| vec![frame::headers(3, ""), frame::continuation(5, "")]);
        refused("a CONTINUATION of nothing", |_| vec![frame::continuation(1, "")]);
        refused("a field block that is not HPACK", |_| vec![frame::headers(3, [0xff; 9]).end_headers()]);
        let no_status = "a response whose status is missing or wrong";
        refused(no_status, |server| vec![server.headers(3, &[("x", "y")])]);
        refused(no_status, |server| vec![server.headers(3, &[(":status", "20")])]);
        refused(no_status, |server| vec![server.headers(3, &[(":status", "103")]).end_stream()]);
        refused("trailers that are none", |server| vec![server.headers(1, &[("x", "y")])]);
        refused("trailers that are none", |server| {
            vec![server.headers(1, &[(":status", "200")]).end_stream()]
        });
        refused("a field whose name is no token in lower case", |server| {
            vec![server.headers(3, &[(":status", "200"), ("X", "y")])]
        });
        refused("a pseudo-field that cannot be there", |server| {
            vec![server.headers(3, &[("x", "y"), (":status", "200")])]
        });
        refused("a field of the connection", |server| {
            vec![server.headers(3, &[(":status", "200"), ("connection", "close")])]
        });
        refused("a field whose value cannot be one", |server| {
            vec![server.headers(3, &[(":status", "200"), ("x", "a\r\nb: c")])]
        });
        refused("DATA where no body can be", |_| vec![frame::data(3, "x")]);
        refused("DATA where no body can be", |_| vec![frame::data(1, "x").end_stream(), frame::data(1, "")]);
        refused("DATA where no body can be", |_| {
            vec![frame::rst_stream(1, code::CANCEL), frame::data(1, "")]
        });
        refused("HEADERS on a stream that has ended", |server| {
            vec![frame::data(1, "").end_stream(), server.headers(1, &[("x", "y")]).end_stream()]
        });
    }
}

/// A server of the `h2` crate for one connection: it echoes what is posted, with trailers, drains once it is
/// asked for `/drain`, and answers everything else with its path.
fn serve() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("it is bound")).expect("somebody waits");
            let (stream, _) = listener.accept().await.expect("a client");
            let Ok(mut connection) = server::handshake(stream).await else { return };
            while let Some(Ok((request, respond))) = connection.accept().await {
                if request.uri().path() == "/drain" {
                    connection.graceful_shutdown();
                }
                tokio::spawn(answer(request, respond));
            }
        });
    });
    told.recv().expect("it listens")
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, mut body) = request.into_parts();
    let mut response = Response::builder();
    if head.uri.path() == "/long" {
        response = response.header("long", "x".repeat(20_000));
    }
    let mut send = respond.send_response(response.body(()).expect("a head"), false).expect("it is open");
    if head.method == "GET" {
        let path = Bytes::copy_from_slice(head.uri.path().as_bytes());
        send.send_data(path, true).expect("it is open");
        return;
    }
    while let Some(Ok(data)) = body.data().await {
        send.send_data(data, false).expect("it is open");
    }
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("e"))]);
    // The client may have broken the request off.
    let _ = send.send_trailers(trailers);
}

mod against_h2 {
    use super::*;

    #[test]
    fn requests_are_answered_and_the_end_is_announced() {
        let mut peer = Peer::greeted(serve());
        peer.get(1, "/one");
        let one = peer.reply(1);
        assert_eq!((one.status, one.body.as_slice(), one.ended), (200, &b"/one"[..], Some(Ended::Whole)));

        peer.post(3, "/echo");
        peer.send_all(&[frame::data(3, "hel"), frame::data(3, "lo").padded(9).end_stream()]);
        let echo = peer.reply(3);
        assert_eq!((echo.body.as_slice(), echo.ended), (&b"hello"[..], Some(Ended::Whole)));
        assert_eq!(echo.trailers, [("etag".to_owned(), b"e".to_vec())]);

        peer.send(frame::ping(*b"deadbeef"));
        assert_eq!(peer.until(|sent| matches!(sent, Sent::PingAck(_))), Sent::PingAck(*b"deadbeef"));

        peer.get(5, "/drain");
        assert_eq!(peer.until_goaway(), (0x7fff_ffff, code::NO_ERROR));
        let Sent::Ping(data) = peer.until(|sent| matches!(sent, Sent::Ping(_))) else { unreachable!() };
        peer.send(frame::ping_ack(data));
        assert_eq!(peer.until_goaway(), (5, code::NO_ERROR));
        assert_eq!(peer.reply(5).body, b"/drain");
        peer.expect_fin();
    }

    #[test]
    fn field_blocks_come_and_go_in_pieces() {
        let mut peer = Peer::greeted(serve());
        let block = peer.requests.block(&fields("GET", "/pieces"));
        peer.send_all(&[
            frame::headers(1, &block[..3]).end_stream().prioritized(0, 200).padded(3),
            frame::continuation(1, &block[3..]),
            frame::continuation(1, "").end_headers(),
        ]);
        assert_eq!(peer.reply(1).body, b"/pieces");
        peer.get(3, "/long");
        let long = peer.reply(3);
        assert_eq!(long.field("long").map(str::len), Some(20_000));
        assert_eq!(long.body, b"/long");
        // The state of HPACK is whole.
        peer.get(5, "/after");
        assert_eq!(peer.reply(5).body, b"/after");
    }

    #[test]
    fn no_more_comes_than_was_granted() {
        let mut peer = Peer::connect(serve());
        peer.greet(&[(setting::INITIAL_WINDOW_SIZE, 2)]);
        peer.get(1, "/hello");
        let data = |sent: &Sent| matches!(sent, Sent::Data { .. });
        assert_eq!(peer.until(data), Sent::Data { stream: 1, data: b"/h".to_vec(), end: false });
        peer.grant(1, 3);
        assert_eq!(peer.until(data), Sent::Data { stream: 1, data: b"ell".to_vec(), end: false });
        peer.grant(1, 100);
        assert_eq!(peer.reply(1).body, b"/hello");
    }

    #[test]
    fn what_is_to_be_ignored_is_ignored() {
        let mut peer = Peer::greeted(serve());
        peer.send_all(&[
            Frame::new(0xfe, 1, "unknown").with_flags(0xff),
            frame::settings(&[(0xfefe, 1)]),
            frame::priority(9, 0, 1),
            frame::priority_update(9, "u=1"),
            frame::window_update(0x8000_0000, 1000),
        ]);
        peer.get(1, "/still");
        assert_eq!(peer.reply(1).body, b"/still");
    }

    #[test]
    fn a_stream_can_be_reset_alone() {
        let mut peer = Peer::greeted(serve());
        peer.post(1, "/echo");
        peer.send(frame::rst_stream(1, code::CANCEL));
        peer.post(3, "/echo");
        peer.send(frame::window_update(3, 0x7fff_ffff));
        assert_eq!(peer.reply(3).ended, Some(Ended::Reset(code::FLOW_CONTROL_ERROR)));
        peer.get(5, "/still");
        assert_eq!(peer.reply(5).body, b"/still");
    }

    #[test]
    fn a_goaway_of_the_client_ends_the_connection() {
        let mut peer = Peer::greeted(serve());
        peer.get(1, "/last");
        assert_eq!(peer.reply(1).body, b"/last");
        peer.send(frame::goaway(0, code::NO_ERROR, "bye"));
        assert_eq!(peer.rest().1, End::Fin);
    }

    /// Checks that the server ends the connection over this, and for which reason.
    #[track_caller]
    fn ends_over(lie: impl AsRef<[u8]>, reason: Reason) {
        let mut peer = Peer::greeted(serve());
        peer.get(1, "/one");
        assert_eq!(peer.reply(1).status, 200);
        peer.send(lie);
        assert_eq!(peer.until_goaway().1, u32::from(reason));
        peer.rest();
    }

    /// Where the RFC has a code of its own for what a frame has wrong inside, `h2` says PROTOCOL_ERROR.
    #[test]
    fn lies_are_taken_for_what_they_are() {
        ends_over(frame::window_update(0, 0), Reason::PROTOCOL_ERROR);
        ends_over(frame::window_update(0, 0x7fff_ffff), Reason::FLOW_CONTROL_ERROR);
        ends_over(frame::ping([0; 8]).on_stream(1), Reason::PROTOCOL_ERROR);
        ends_over(frame::ping([0; 8]).with_payload("short"), Reason::PROTOCOL_ERROR);
        ends_over(frame::ping([0; 8]).saying_length(1 << 14 | 1), Reason::FRAME_SIZE_ERROR);
        ends_over(frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)]), Reason::PROTOCOL_ERROR);
        ends_over(frame::headers(3, [0xff; 9]).end_headers().end_stream(), Reason::PROTOCOL_ERROR);
        ends_over(frame::data(3, "on an idle stream"), Reason::PROTOCOL_ERROR);
        ends_over(frame::continuation(3, ""), Reason::PROTOCOL_ERROR);
        ends_over(frame::data(1, "x").with_flags(flag::PADDED).with_payload("\x09x"), Reason::PROTOCOL_ERROR);
        ends_over(Frame::new(kind::RST_STREAM, 0, [0; 4]), Reason::PROTOCOL_ERROR);
        ends_over(frame::push_promise(1, 2, ""), Reason::PROTOCOL_ERROR);
    }

    #[test]
    fn a_wrong_preface_gets_no_service() {
        let mut peer = Peer::connect(serve());
        peer.send(&PREFACE[..20]);
        peer.send("\r\nSX\r\n");
        let (sent, _) = peer.rest();
        assert!(!sent.contains(&Sent::SettingsAck), "{sent:?}");
    }
}
