//! A head that has come before need not be read again, and nobody can tell.

use std::sync::Arc;

use allocation_counter::measure;
use lameduck_core::{Config, Connection, Event, Instant, Limits, PeerError, Recall, Transmit};
use lameduck_tests::recalled::{TIMES, handle_bytes};
use lameduck_tests::wire::NOW;

const HEADS: [&str; 7] = [
    "GET /a HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HEAD /b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "POST /c HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n",
    "PUT /d HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n",
    "GET /e HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    concat!(
        "GET /f HTTP/1.1\r\nHost: example.com\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9\r\n",
        "Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n",
        "Cookie: session=0123456789abcdef0123456789abcdef\r\nUpgrade-Insecure-Requests: 1\r\nDNT: 1\r\n\r\n",
    ),
];

fn connection(config: &Config) -> Connection {
    Connection::new(Arc::new(config.clone()), Instant::ORIGIN)
}

/// One who remembers this head.
fn remembering(head: &str, config: &Config) -> Recall {
    let mut recall = Recall::default();
    for _ in 0..TIMES {
        connection(config).handle_bytes_recalling(NOW, head.as_bytes(), &mut recall);
    }
    recall
}

/// How often memory is allocated for a head, for who remembers what `recall` does.
fn allocations(head: &str, recall: &mut Recall) -> u64 {
    let mut connection = connection(&Config::default());
    measure(|| connection.handle_bytes_recalling(NOW, head.as_bytes(), recall)).count_total
}

#[test]
fn whatever_is_remembered_a_request_is_what_its_own_octets_say() {
    for known in HEADS {
        for head in HEADS {
            let mut recall = remembering(known, &Config::default());
            for _ in 0..TIMES {
                let mut connection = connection(&Config::default());
                handle_bytes(&mut connection, NOW, head.as_bytes(), &mut recall);
                let event = connection.poll_event();
                let Some(Event::Request { head: told, .. }) = event else { panic!("{event:?}") };
                assert_eq!(told.as_bytes(), head.as_bytes(), "behind {known}");
            }
        }
    }
}

#[test]
fn however_it_is_split_a_request_is_the_same_for_who_remembers() {
    for known in HEADS {
        let recall = remembering(known, &Config::default());
        for head in HEADS {
            let text = format!("{head}abc{head}");
            for split in 0..text.len() {
                let (mut connection, mut recall) = (connection(&Config::default()), recall.clone());
                let (begin, end) = text.as_bytes().split_at(split);
                handle_bytes(&mut connection, NOW, begin, &mut recall);
                handle_bytes(&mut connection, NOW, end, &mut recall);
            }
        }
    }
}

#[test]
fn a_head_that_differs_in_one_bit_is_another() {
    for known in HEADS {
        let recall = remembering(known, &Config::default());
        for (at, bit) in (0..known.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
            let mut head = known.as_bytes().to_vec();
            head[at] ^= bit;
            handle_bytes(&mut connection(&Config::default()), NOW, &head, &mut recall.clone());
        }
    }
}

#[test]
fn a_head_that_has_come_twice_is_not_read_a_third_time() {
    for head in HEADS {
        let mut recall = Recall::default();
        let [first, _, third] = [(); TIMES].map(|()| allocations(head, &mut recall));
        assert!(first > 0 && third == 0, "{first}, {third}: {head}");
    }
}

#[test]
fn a_head_that_is_known_is_held_to_the_limits_of_its_own_connection() {
    let head = "POST /long/target HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n";
    let tighter = [
        (Limits { target: 11, ..Limits::default() }, PeerError::TargetTooLong),
        (Limits { head: 40, ..Limits::default() }, PeerError::HeadTooLarge),
        (Limits { fields: 1, ..Limits::default() }, PeerError::TooManyFields),
        (Limits { body: Some(2), ..Limits::default() }, PeerError::BodyTooLarge),
    ];
    for (limits, error) in tighter {
        let mut recall = remembering(head, &Config::default());
        let mut connection = connection(&Config { limits, ..Config::default() });
        handle_bytes(&mut connection, NOW, head.as_bytes(), &mut recall);
        let Some(Transmit::Bytes(mut pieces)) = connection.poll_transmit(NOW) else { panic!("{error:?}") };
        let expected = format!("HTTP/1.1 {} ", error.status());
        assert!(pieces.next().is_some_and(|piece| piece.starts_with(expected.as_bytes())), "{error:?}");
    }
}

#[test]
fn one_head_is_remembered() {
    let counts = measure(|| {
        let mut recall = Recall::default();
        for at in 0..10_000 {
            let path = "x".repeat(at % 900);
            let head = format!("GET /{path} HTTP/1.1\r\nhost: a\r\n\r\n");
            for _ in 0..TIMES {
                connection(&Config::default()).handle_bytes_recalling(NOW, head.as_bytes(), &mut recall);
            }
        }
    });
    assert!(counts.bytes_max < 16 * 1024, "{} bytes", counts.bytes_max);
}

#[test]
fn a_head_that_is_longer_than_a_kib_is_not_remembered() {
    let head = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(1024));
    let mut recall = remembering(&head, &Config::default());
    assert!(allocations(&head, &mut recall) > 0);
}
