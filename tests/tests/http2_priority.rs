//! Which response goes out first (RFC 9218), and what is left of the priorities of RFC 7540.

use lameduck_core::Fault;
use lameduck_tests::h2::frame;
use lameduck_tests::h2::{Sent, Taking, Wire, fields, setting};

/// More than anybody sends here.
const ROOM: u32 = 10_000_000;

fn roomy() -> Wire {
    let mut wire = Wire::windowed(ROOM);
    wire.grant(0, ROOM);
    wire
}

fn ask(wire: &mut Wire, stream: u32, priority: Option<&str>) {
    let more: Vec<_> = priority.map(|value| ("priority", value)).into_iter().collect();
    wire.request(stream, &[&fields("GET", "/")[..], &more].concat());
}

/// The streams of the DATA frames that go out, in their order, for answers of so many frames each; what happens
/// `before` happens when all are given and none is taken.
fn order(wire: &mut Wire, answers: &[(u32, usize)], before: impl FnOnce(&mut Wire)) -> Vec<u32> {
    wire.taking = Taking::Nothing;
    for (stream, frames) in answers {
        wire.answer(*stream, vec![b'x'; frames * 16_384]);
    }
    before(wire);
    wire.taking = Taking::All;
    let from = wire.sent().len();
    wire.settle();
    let data = |sent: &Sent| match sent {
        Sent::Data { stream, .. } => Some(*stream),
        _ => None,
    };
    wire.sent()[from..].iter().filter_map(data).collect()
}

#[test]
fn where_nothing_is_said_they_take_turns() {
    let mut wire = roomy();
    for stream in [1, 3, 5] {
        ask(&mut wire, stream, None);
    }
    assert_eq!(order(&mut wire, &[(3, 3), (1, 2), (5, 3)], |_| ()), [3, 1, 5, 3, 1, 5, 3, 5]);
}

#[test]
fn urgent_ones_go_first() {
    let mut wire = roomy();
    for (stream, priority) in [(1, "u=7"), (3, "u=0"), (5, "u=3"), (7, "u=1")] {
        ask(&mut wire, stream, Some(priority));
    }
    let answers = [(1, 2), (3, 2), (5, 2), (7, 2)];
    assert_eq!(order(&mut wire, &answers, |_| ()), [3, 3, 7, 7, 5, 5, 1, 1]);
}

#[test]
fn what_is_of_no_use_in_pieces_goes_whole_in_the_order_in_which_it_was_asked_for() {
    let mut wire = roomy();
    for stream in [1, 3, 5] {
        ask(&mut wire, stream, Some("u=3"));
    }
    assert_eq!(order(&mut wire, &[(5, 2), (3, 2), (1, 2)], |_| ()), [1, 1, 3, 3, 5, 5]);
}

#[test]
fn incremental_ones_take_turns_and_share_with_those_that_are_not() {
    let mut wire = roomy();
    for (stream, priority) in [(1, "u=3, i"), (3, "i"), (5, "u=3"), (7, "i=?1;x=1")] {
        ask(&mut wire, stream, Some(priority));
    }
    let answers = [(1, 2), (3, 2), (5, 2), (7, 2)];
    assert_eq!(order(&mut wire, &answers, |_| ()), [5, 1, 5, 3, 7, 1, 3, 7]);
}

/// Behind a load balancer it is another user who says nothing of it.
#[test]
fn who_asks_for_the_usual_urgency_does_not_starve_who_asks_for_nothing() {
    let mut wire = roomy();
    ask(&mut wire, 1, None);
    ask(&mut wire, 3, Some("u=3"));
    assert_eq!(order(&mut wire, &[(1, 3), (3, 3)], |_| ()), [3, 1, 3, 1, 3, 1]);
}

#[test]
fn what_is_malformed_is_ignored() {
    for priority in ["u=8", "u=-1", "U=0", "u", "u=0x", "urgency=0", "", ",,", "u=0.5", "i=1"] {
        let mut wire = roomy();
        ask(&mut wire, 1, Some("u=3"));
        ask(&mut wire, 3, Some(priority));
        assert_eq!(order(&mut wire, &[(3, 2), (1, 2)], |_| ()), [1, 1, 3, 3], "{priority:?}");
    }
}

#[test]
fn a_client_may_change_its_mind() {
    let mut wire = roomy();
    for stream in [1, 3] {
        ask(&mut wire, stream, Some("u=3"));
    }
    let update = |wire: &mut Wire| drop(wire.feed(frame::priority_update(3, "u=0")));
    assert_eq!(order(&mut wire, &[(1, 2), (3, 2)], update), [3, 3, 1, 1]);
}

#[test]
fn an_update_may_come_ahead_of_its_stream_and_its_last_word_counts() {
    let mut wire = roomy();
    assert_eq!(wire.feed(frame::priority_update(5, "u=7")), "");
    assert_eq!(wire.feed(frame::priority_update(3, "u=5")), "");
    assert_eq!(wire.feed(frame::priority_update(5, "u=0")), "");
    for stream in [1, 3, 5] {
        ask(&mut wire, stream, Some("u=3"));
    }
    assert_eq!(order(&mut wire, &[(1, 2), (3, 2), (5, 2)], |_| ()), [5, 5, 1, 1, 3, 3]);
}

#[test]
fn an_update_for_a_stream_that_is_over_or_passed_over_is_not_kept() {
    let mut wire = roomy();
    assert_eq!(wire.feed(frame::priority_update(3, "u=0")), "");
    ask(&mut wire, 5, None);
    wire.answer(5, "ok");
    let plain = roomy_after(5);
    for stream in [3, 5] {
        assert_eq!(wire.feed(frame::priority_update(stream, "u=0")), "");
    }
    assert_eq!(format!("{:?}", wire.connection).contains("Foretold([])"), plain, "nothing is kept");
}

/// Whether a connection without any update keeps nothing of one, once a stream has come and gone.
fn roomy_after(stream: u32) -> bool {
    let mut wire = roomy();
    ask(&mut wire, stream, None);
    wire.answer(stream, "ok");
    format!("{:?}", wire.connection).contains("Foretold([])")
}

/// So many as there can be streams; of more, the first are forgotten.
#[test]
fn so_many_updates_are_kept_as_there_can_be_streams() {
    let mut config = lameduck_core::Config::default();
    config.limits.streams = 2;
    let mut wire = Wire::greeted_with(&config, &[(setting::INITIAL_WINDOW_SIZE, ROOM)]);
    wire.grant(0, ROOM);
    for stream in [1, 3, 5] {
        assert_eq!(wire.feed(frame::priority_update(stream, "u=0")), "");
    }
    for stream in [1, 3] {
        ask(&mut wire, stream, None);
    }
    assert_eq!(order(&mut wire, &[(1, 2), (3, 2)], |_| ()), [3, 3, 1, 1]);
}

#[test]
fn an_update_is_for_a_stream() {
    for (frame, fault) in [
        (frame::priority_update(0, "u=0"), Fault::NothingPrioritized),
        (frame::priority_update(1, "u=0").on_stream(1), Fault::StreamNamed),
        (frame::priority_update(1, "").with_payload("abc"), Fault::BadLength),
    ] {
        let mut wire = Wire::greeted();
        wire.feed(frame);
        wire.assert_failed(fault);
    }
}

#[test]
fn one_that_is_blocked_holds_up_no_other() {
    let mut wire = roomy();
    wire.set(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    ask(&mut wire, 1, Some("u=0"));
    ask(&mut wire, 3, Some("u=7"));
    wire.answer(1, "urgent");
    wire.answer(3, "patient");
    assert_eq!(wire.grant(3, 7), "DATA 3 \"patient\" end");
    assert_eq!(wire.grant(1, 6), "DATA 1 \"urgent\" end");
}

#[test]
fn an_urgent_one_overtakes_what_has_not_been_framed() {
    let mut wire = roomy();
    ask(&mut wire, 1, Some("u=5"));
    ask(&mut wire, 3, Some("u=0"));
    wire.taking = Taking::Nothing;
    wire.answer(1, vec![b'x'; 1 << 20]);
    assert!(wire.connection.poll_transmit(wire.now()).is_some());
    wire.answer(3, "urgent");
    wire.taking = Taking::All;
    wire.settle();
    let is_data = |sent: &&Sent| matches!(sent, Sent::Data { .. });
    let at = wire.sent().iter().filter(is_data).position(|sent| matches!(sent, Sent::Data { stream: 3, .. }));
    // What is framed ahead is 128 KiB.
    assert_eq!(at, Some(8));
}

#[test]
fn priorities_by_dependency_are_parsed_and_ignored() {
    let mut wire = roomy();
    let block = wire.requests.block(&fields("GET", "/"));
    let request = frame::headers(1, block).prioritized(0x8000_0000, 255).end_headers().end_stream();
    assert_eq!(wire.feed(request), "request 1 GET /");
    // On any stream, in any state; that one depends on itself is no error any more.
    for (stream, dependency) in [(1, 1), (3, 0x8000_0001), (99, 98), (4, 2)] {
        assert_eq!(wire.feed(frame::priority(stream, dependency, 0)), "");
    }
    ask(&mut wire, 3, None);
    assert_eq!(order(&mut wire, &[(3, 2), (1, 2)], |_| ()), [3, 1, 3, 1]);
    assert_eq!(wire.feed(frame::priority(1, 0, 0).with_payload("abc")), "RST_STREAM 1 FRAME_SIZE_ERROR");
    wire.feed(frame::priority(0, 1, 0));
    wire.assert_failed(Fault::StreamMissing);
}
