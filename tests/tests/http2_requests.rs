//! What a request may look like in HTTP/2 (RFC 9113 sections 8.1 to 8.3).

use lameduck_core::{Config, Event, Fault, Limits, RequestHead, Version};
use lameduck_tests::h2::frame;
use lameduck_tests::h2::{PREFACE, Wire, code};

type Fields<'a> = [(&'a str, &'a str)];

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
const MALFORMED: &str = "RST_STREAM 1 PROTOCOL_ERROR";

fn limited(change: impl FnOnce(&mut Limits)) -> Wire {
    let mut config = Config::default();
    change(&mut config.limits);
    Wire::greeted_with(&config, &[])
}

/// What comes of a request of these fields; and that its connection goes on, its field table in step.
#[track_caller]
fn verdict_of(mut wire: Wire, head: &Fields<'_>) -> String {
    let said = wire.request(1, head);
    assert_eq!(wire.goaway(), None, "{said}");
    assert_eq!(wire.request(3, &[&GET[..], &[("x-step", "1")]].concat()), "request 3 GET /");
    let Some(Event::Request { head, .. }) = wire.events().last() else { panic!("a request") };
    assert_eq!(lines(head), [("x-step".to_owned(), "1".to_owned())]);
    said
}

#[track_caller]
fn verdict(head: &Fields<'_>) -> String {
    verdict_of(Wire::greeted(), head)
}

#[track_caller]
fn with(more: &Fields<'_>) -> String {
    verdict(&[&GET[..], more].concat())
}

/// A GET with another value for one of its fields.
fn changed<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let change = |(known, old): (&'a str, &'a str)| (known, if known == name { value } else { old });
    GET.into_iter().map(change).collect()
}

#[track_caller]
fn head_of(head: &Fields<'_>) -> RequestHead {
    let mut wire = Wire::greeted();
    wire.request(1, head);
    match wire.events().last() {
        Some(Event::Request { head, .. }) => head.clone(),
        other => panic!("{other:?}"),
    }
}

fn lines(head: &RequestHead) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    head.fields().map(|field| (field.name.to_owned(), text(field.value))).collect()
}

mod control {
    use super::*;

    #[test]
    fn a_request_is_told_as_it_came() {
        let head = head_of(&[&GET[..], &[("b", "2"), ("a", "1"), ("b", "3")]].concat());
        assert_eq!((head.method(), head.target(), head.version()), ("GET", "/", Version::Http2));
        assert_eq!(head.scheme_bytes().as_deref(), Some(&b"http"[..]));
        assert_eq!(head.authority_bytes().as_deref(), Some(&b"a"[..]));
        assert_eq!(head.protocol(), None);
        let lines = lines(&head);
        let lines: Vec<_> = lines.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(lines, [("b", "2"), ("a", "1"), ("b", "3")]);
    }

    #[test]
    fn the_order_of_the_pseudo_fields_is_free() {
        let mut head = GET.to_vec();
        for _ in 0..GET.len() {
            head.rotate_left(1);
            assert_eq!(verdict(&head), "request 1 GET /");
        }
    }

    #[test]
    fn none_is_missing() {
        for left_out in 0..GET.len() {
            let mut head = GET.to_vec();
            let (name, _) = head.remove(left_out);
            assert_eq!(verdict(&head), MALFORMED, "without {name}");
        }
        assert_eq!(verdict(&[]), MALFORMED);
    }

    #[test]
    fn none_is_there_twice() {
        for repeated in GET {
            assert_eq!(verdict(&[&[repeated][..], &GET].concat()), MALFORMED, "{repeated:?}");
        }
    }

    #[test]
    fn none_stands_behind_a_field() {
        for at in 0..GET.len() {
            for before in [("x", "y"), ("cookie", "z"), ("host", "a")] {
                let mut head = GET.to_vec();
                head.insert(at, before);
                assert_eq!(verdict(&head), MALFORMED, "{before:?} at {at}");
            }
        }
    }

    #[test]
    fn none_is_unknown() {
        for name in [":status", ":foo", ":", ":PATH", ":path "] {
            assert_eq!(verdict(&[&[(name, "200")][..], &GET].concat()), MALFORMED, "{name:?}");
        }
    }

    #[test]
    fn a_method_is_a_token() {
        for method in ["", "GE T", "GET\t", "G:T", "\u{e9}"] {
            assert_eq!(verdict(&changed(":method", method)), MALFORMED, "{method:?}");
        }
        assert_eq!(verdict(&changed(":method", "PURGE")), "request 1 PURGE /");
        assert_eq!(verdict(&changed(":method", "get")), "request 1 get /");
    }

    #[test]
    fn a_scheme_is_one() {
        for scheme in ["", "1http", "ht tp", "http:", "+"] {
            assert_eq!(verdict(&changed(":scheme", scheme)), MALFORMED, "{scheme:?}");
        }
        for scheme in ["https", "HTTP", "x-y.z+1"] {
            assert_eq!(verdict(&changed(":scheme", scheme)), "request 1 GET /", "{scheme:?}");
        }
    }

    #[test]
    fn a_path_is_one() {
        for path in ["", "a", "*", "http://a/", "/a b", "/#a", "/\u{e9}", "/\u{7f}", "?a"] {
            assert_eq!(verdict(&changed(":path", path)), MALFORMED, "{path:?}");
        }
        for path in ["/", "//", "/a?b=c&d", "/%zz", "/~!$'()*+,;=:@"] {
            assert_eq!(verdict(&changed(":path", path)), format!("request 1 GET {path}"));
        }
        let options = changed(":path", "*").into_iter().map(|(name, value)| match name {
            ":method" => (name, "OPTIONS"),
            _ => (name, value),
        });
        assert_eq!(verdict(&options.collect::<Vec<_>>()), "request 1 OPTIONS *");
    }

    #[test]
    fn the_authority_and_the_host_name_one_host() {
        assert_eq!(with(&[("host", "a")]), "request 1 GET /");
        assert_eq!(with(&[("host", "A")]), "request 1 GET /");
        for host in ["b", "", "a:80", "a b"] {
            assert_eq!(with(&[("host", host)]), MALFORMED, "{host:?}");
        }
        assert_eq!(with(&[("host", "a"), ("host", "a")]), MALFORMED);
        let without: Vec<_> = GET.into_iter().filter(|(name, _)| *name != ":authority").collect();
        assert_eq!(verdict(&[&without[..], &[("host", "b")]].concat()), "request 1 GET /");
        assert_eq!(verdict(&[&without[..], &[("host", "")]].concat()), MALFORMED);
    }

    #[test]
    fn an_authority_is_a_host_with_a_port() {
        for authority in ["", "user@a", "a/b", "a:b", "a b", ":80", "[::1", "a:123456"] {
            assert_eq!(verdict(&changed(":authority", authority)), MALFORMED, "{authority:?}");
        }
        for authority in ["a:80", "[::1]:8080", "127.0.0.1", "a.example"] {
            assert_eq!(verdict(&changed(":authority", authority)), "request 1 GET /", "{authority:?}");
        }
    }
}

mod fields {
    use super::*;

    #[test]
    fn names_are_tokens_in_lower_case() {
        for name in ["X", "xY", "", " x", "x ", "x:y", "x y", "x\ty", "\u{e9}", "x\0", "(x)"] {
            assert_eq!(with(&[(name, "v")]), MALFORMED, "{name:?}");
        }
        assert_eq!(with(&[("x!#$%&'*+-.^_`|~09", "v")]), "request 1 GET /");
    }

    #[test]
    fn values_have_no_control_characters_and_no_blanks_around() {
        for value in ["a\rb", "a\nb", "a\0b", "a\x01b", "a\x7fb", " a", "a ", "\ta", "a\t", " "] {
            assert_eq!(with(&[("x", value)]), MALFORMED, "{value:?}");
        }
        for value in ["", "a b", "a\tb", "\u{e9}", "\"a\", b;c"] {
            assert_eq!(with(&[("x", value)]), "request 1 GET /", "{value:?}");
        }
    }

    /// A line is judged once, when it enters the table: from there it is as wrong as it was.
    #[test]
    fn a_wrong_line_is_wrong_each_time() {
        let mut wire = Wire::greeted();
        for stream in [1, 3, 5] {
            let head = [&GET[..], &[("X-Upper", "y")]].concat();
            assert_eq!(wire.request(stream, &head), format!("RST_STREAM {stream} PROTOCOL_ERROR"));
        }
        assert_eq!(wire.request(7, &GET), "request 7 GET /");
    }

    #[test]
    fn those_of_a_connection_have_no_place() {
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
            assert_eq!(with(&[(name, "close")]), MALFORMED, "{name}");
        }
    }

    #[test]
    fn te_says_trailers_and_nothing_else() {
        assert_eq!(with(&[("te", "trailers")]), "request 1 GET /");
        assert_eq!(with(&[("te", "Trailers")]), "request 1 GET /");
        for value in ["gzip", "trailers, gzip", "", "trailers;q=1"] {
            assert_eq!(with(&[("te", value)]), MALFORMED, "{value:?}");
        }
    }

    #[test]
    fn crumbs_make_one_cookie() {
        let head =
            [&GET[..], &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")]].concat();
        let head = head_of(&head);
        let cookie = ("cookie".to_owned(), "a=1; b=2; c=3".to_owned());
        assert_eq!(lines(&head), [("x".to_owned(), "y".to_owned()), cookie]);
        let head = head_of(&[&GET[..], &[("cookie", "a=1")]].concat());
        assert_eq!(lines(&head), [("cookie".to_owned(), "a=1".to_owned())]);
        // An empty one is one too.
        let head = head_of(&[&GET[..], &[("cookie", ""), ("cookie", "b=2"), ("cookie", "")]].concat());
        assert_eq!(lines(&head), [("cookie".to_owned(), "; b=2; ".to_owned())]);
    }

    #[test]
    fn a_length_is_one_number() {
        for length in ["+5", "-5", "5,5", "", "0x5", "5 5", "5.0", "99999999999999999999"] {
            assert_eq!(with(&[("content-length", length)]), MALFORMED, "{length:?}");
        }
        assert_eq!(with(&[("content-length", "0"), ("content-length", "0")]), MALFORMED);
        assert_eq!(with(&[("content-length", "0")]), "request 1 GET /");
    }

    #[test]
    fn what_is_expected_is_a_word_to_go_on() {
        assert_eq!(with(&[("expect", "a pony"), ("x-step", "1")]), "HEADERS 1 417 content-length=0 end");
        // There is no body that could wait.
        assert_eq!(with(&[("expect", "100-continue")]), "request 1 GET /");
    }
}

mod limits {
    use super::*;

    #[test]
    fn a_head_over_the_limit_is_a_431() {
        let long = "y".repeat(700);
        let wire = || limited(|limits| limits.head = 1_000);
        let refused = "HEADERS 1 431 content-length=0 end";
        assert_eq!(verdict_of(wire(), &[&GET[..], &[("x", &long)]].concat()), "request 1 GET /");
        assert_eq!(verdict_of(wire(), &[&GET[..], &[("x", &long), ("z", &long)]].concat()), refused);
        // Each line counts 32 octets beside its text (section 6.5.2).
        let few = [("x", "y"); 24];
        assert_eq!(verdict_of(wire(), &[&GET[..], &few].concat()), "request 1 GET /");
        let many = [("x", "y"); 28];
        assert_eq!(verdict_of(wire(), &[&GET[..], &many].concat()), refused);
        let crumbs = [("cookie", "y"); 28];
        assert_eq!(verdict_of(wire(), &[&GET[..], &crumbs].concat()), refused);
    }

    #[test]
    fn so_is_one_of_too_many_lines() {
        let lines = [("x", "y"); 101];
        assert_eq!(with(&lines[..100]), "request 1 GET /");
        assert_eq!(with(&lines), "HEADERS 1 431 content-length=0 end");
    }

    #[test]
    fn the_table_stays_in_step_behind_a_head_that_is_too_large() {
        let mut wire = limited(|limits| limits.fields = 2);
        let head = [&GET[..], &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]].concat();
        assert_eq!(wire.request(1, &head), "HEADERS 1 431 content-length=0 end");
        // These are indexed by now.
        assert_eq!(wire.request(3, &[&GET[..], &[("c", "3"), ("d", "4")]].concat()), "request 3 GET /");
        let Some(Event::Request { head, .. }) = wire.events().last() else { panic!("a request") };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(lines(head), [pair("c", "3"), pair("d", "4")]);
    }

    #[test]
    fn a_target_over_the_limit_is_a_414() {
        let wire = || limited(|limits| limits.target = 10);
        assert_eq!(verdict_of(wire(), &changed(":path", "/123456789")), "request 1 GET /123456789");
        let said = verdict_of(wire(), &changed(":path", "/1234567890"));
        assert_eq!(said, "HEADERS 1 414 content-length=0 end");
    }

    #[test]
    fn a_block_that_is_over_the_limit_costs_its_request_and_a_far_larger_one_the_connection() {
        let long = "~".repeat(12_000);
        for (lines, is_borne) in [(3, true), (6, false)] {
            let mut wire = Wire::greeted();
            let fields = vec![("x", &*long); lines];
            let block = wire.requests.block(&[&GET[..], &fields].concat());
            let mut frames = vec![frame::headers(1, &block[..16_000]).end_stream()];
            frames.extend(block[16_000..].chunks(16_000).map(|piece| frame::continuation(1, piece)));
            let last = frames.pop().map(frame::Frame::end_headers);
            let said = wire.feed_all(frames.into_iter().chain(last));
            if is_borne {
                assert_eq!(said, "HEADERS 1 431 content-length=0 end");
                assert_eq!(wire.get(3, "/"), "request 3 GET /");
            } else {
                wire.assert_failed(lameduck_core::Fault::BlockTooLarge);
            }
        }
    }

    #[test]
    fn a_body_that_its_head_says_is_too_large_is_a_413() {
        let mut wire = limited(|limits| limits.body = Some(4));
        let mut post = |stream, length| {
            let head = [&changed(":method", "POST")[..], &[("content-length", length)]].concat();
            let head = wire.requests.headers(stream, &head);
            wire.feed(head)
        };
        assert_eq!(post(1, "4"), "request 1 POST / (4)");
        assert_eq!(post(3, "5"), "HEADERS 3 413 content-length=0 end");
        assert_eq!(post(5, "262145"), "HEADERS 5 413 content-length=0 end; WINDOW_UPDATE 5 +2");
    }

    #[test]
    fn a_body_that_grows_too_large_is_a_413() {
        let mut wire = limited(|limits| limits.body = Some(4));
        wire.post(1, "/");
        assert_eq!(wire.feed(frame::data(1, "four")), "data 1 \"four\"");
        assert_eq!(
            wire.feed(frame::data(1, "!")),
            "cancelled 1: Refused(BodyTooLarge); HEADERS 1 413 content-length=0 end; WINDOW_UPDATE 1 +3932165"
        );
        // The answer has begun: then it breaks off.
        wire.post(3, "/");
        wire.respond(3, 200, &[]);
        wire.feed(frame::data(3, "large"));
        assert_eq!(wire.resets(3), [code::CANCEL]);
        assert_eq!(wire.feed(frame::data(3, "larger").end_stream()), "");
    }

    #[test]
    fn a_refused_request_whose_body_still_comes_is_stopped_with_no_error() {
        let mut wire = limited(|limits| limits.target = 1);
        let request = wire.requests.headers(1, &changed(":path", "/long"));
        let said = wire.feed(request);
        assert_eq!(said, "HEADERS 1 414 content-length=0 end; WINDOW_UPDATE 1 +3932160");
        assert_eq!(wire.feed(frame::data(1, "on its way")), "");
        assert_eq!(wire.wait_millis(1_000), "RST_STREAM 1 NO_ERROR");
        assert_eq!(wire.feed(frame::data(1, "on its way")), "");
    }

    #[test]
    fn trailers_over_the_limit_are_an_error_of_their_stream() {
        let mut wire = limited(|limits| limits.head = 200);
        wire.post(1, "/");
        let trailers = [("x", "y"); 7];
        let trailers = wire.requests.headers(1, &trailers).end_stream();
        assert_eq!(wire.feed(trailers), "cancelled 1: MalformedRequest; RST_STREAM 1 PROTOCOL_ERROR");
        assert_eq!(wire.get(3, "/"), "request 3 GET /");
    }
}

/// Blocks that are the same, byte for byte, and mean the same only while the table does.
mod repeated {
    use super::*;

    /// GET, http and `/`; then the authority, which is the newest entry of the table.
    const SAME: [u8; 4] = [0x82, 0x86, 0x84, 0xbe];

    /// The same, with this authority as a new entry.
    fn authority(letter: u8) -> [u8; 6] {
        [0x82, 0x86, 0x84, 0x41, 1, letter]
    }

    fn ask(wire: &mut Wire, stream: u32, block: impl AsRef<[u8]>) -> String {
        wire.feed(frame::headers(stream, block).end_headers().end_stream())
    }

    /// The authorities and targets of all requests so far.
    fn authorities(wire: &Wire) -> Vec<String> {
        let text = |head: &RequestHead| {
            let authority = head.authority_bytes().unwrap_or_default();
            format!("{}{}", String::from_utf8_lossy(&authority), head.target())
        };
        let requests = wire.events().iter().filter_map(|event| match event {
            Event::Request { head, .. } => Some(text(head)),
            _ => None,
        });
        requests.collect()
    }

    #[test]
    fn the_table_of_the_moment_says_what_they_mean() {
        let mut wire = Wire::greeted();
        ask(&mut wire, 1, authority(b'a'));
        for stream in [3, 5, 7] {
            ask(&mut wire, stream, SAME);
        }
        ask(&mut wire, 9, authority(b'b'));
        for stream in [11, 13, 15] {
            ask(&mut wire, stream, SAME);
        }
        assert_eq!(authorities(&wire), ["a/", "a/", "a/", "a/", "b/", "b/", "b/", "b/"]);
    }

    #[test]
    fn trailers_and_what_is_refused_change_the_table_too() {
        let mut wire = limited(|limits| limits.streams = 5);
        ask(&mut wire, 1, authority(b'a'));
        wire.feed(frame::headers(3, SAME).end_headers());
        ask(&mut wire, 5, SAME);
        ask(&mut wire, 7, SAME);
        // A trailer becomes the newest entry: there is no authority any more.
        assert_eq!(ask(&mut wire, 3, [0x40, 1, b'x', 1, b'y']), "end 3 x=y");
        assert_eq!(ask(&mut wire, 9, SAME), "RST_STREAM 9 PROTOCOL_ERROR");
        assert_eq!(ask(&mut wire, 11, authority(b'd')), "request 11 GET /");
        assert_eq!(ask(&mut wire, 13, authority(b'e')), "refused 13; RST_STREAM 13 REFUSED_STREAM");
        wire.answer(1, "");
        assert_eq!(ask(&mut wire, 15, SAME), "request 15 GET /");
        assert_eq!(authorities(&wire), ["a/", "a/", "a/", "a/", "d/", "e/"]);
    }

    #[test]
    fn their_end_is_their_own() {
        let mut wire = Wire::greeted();
        ask(&mut wire, 1, authority(b'a'));
        ask(&mut wire, 3, SAME);
        ask(&mut wire, 5, SAME);
        wire.feed(frame::headers(7, SAME).end_headers());
        assert_eq!(wire.feed(frame::data(7, "x").end_stream()), "data 7 \"x\"; end 7");
        assert_eq!(ask(&mut wire, 9, SAME), "request 9 GET /");
    }

    #[test]
    fn an_update_of_the_table_that_is_owed_is_owed_by_them_too() {
        let config = Config { limits: Limits { header_table: 64, ..Limits::default() }, ..Config::default() };
        let mut wire = Wire::new(&config);
        wire.feed(frame::join([PREFACE, frame::settings(&[]).as_ref()]));
        ask(&mut wire, 1, authority(b'a'));
        for stream in [3, 5, 7] {
            ask(&mut wire, stream, SAME);
        }
        assert_eq!(authorities(&wire), ["a/"; 4]);
        wire.feed(frame::settings_ack());
        ask(&mut wire, 9, SAME);
        wire.assert_failed(Fault::BadBlock);
    }
}
