//! Any bytes, split in any way: no panic, the same outcome however they are split, responses that a client
//! can read, and no more memory than the limits say.
//!
//! The first byte of an input chooses the configuration, the next eight are four places to cut the rest at.

#![no_main]

use std::alloc::System;
use std::sync::Arc;

use bytes::Bytes;
use cap::Cap;
use lameduck_core::{CloseReason, Config, Connection, Event, Limits, ResponseHead, ResponseLength, StreamId};
use lameduck_fuzz::wire::{Answer, NOW, Request, serve_cut, serve_with};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fuzz_target!(|data: &[u8]| {
    let Some(([choice, places @ ..], input)) = data.split_first_chunk::<9>() else { return };
    let config = config(*choice);
    let mut cuts: Vec<_> =
        places.chunks_exact(2).map(|place| usize::from(u16::from_le_bytes([place[0], place[1]]))).collect();
    cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
    cuts.sort_unstable();

    let outcome = serve_with(&config, input, answer);
    assert_eq!(outcome, serve_cut(&config, input, cuts.iter().copied(), answer), "cut at {cuts:?}");

    let responses = outcome.responses();
    let refused = matches!(outcome.closed, CloseReason::Refused(_));
    assert_eq!(responses.len(), outcome.requests.len() + usize::from(refused));
    let closing = responses.iter().position(|response| response.values("connection").contains(&"close"));
    assert!(closing.is_none_or(|last| last + 1 == responses.len()), "something follows a close");

    let limits = limits();
    for handler in [Handler::Absent, Handler::Prompt] {
        stall(&limits, input, handler);
    }
});

fn config(choice: u8) -> Config {
    let mut config = Config::default();
    if choice & 1 != 0 {
        config.limits = limits().limits;
    }
    if choice & 2 != 0 {
        config.limits.body = Some(64);
    }
    if choice & 4 != 0 {
        config.limits.target = 300;
        config.limits.head = 200;
    }
    config
}

/// Small limits, so that a small input reaches them.
fn limits() -> Config {
    let limits = Limits {
        head: 1024,
        target: 256,
        fields: 8,
        body: None,
        chunk_extensions: 64,
        body_window: 512,
        discard: 256,
        pipeline: 512,
        send_queue: 512,
        ..Limits::default()
    };
    Config { limits, ..Config::default() }
}

/// Answers of every kind; which one, the target's length says.
fn answer(request: &Request) -> Answer {
    match request.target.len() % 8 {
        0 => Answer::new(204),
        1 => Answer::willing(request),
        2 => Answer::new(200).with_pieces(&["", "abc", "0123456789abcdef"]).with_trailer("a", "b"),
        3 => Answer::new(304).with_field("content-length", "5"),
        4 => Answer::ok().with_field("connection", "close"),
        5 => Answer::new(404).with_body(Bytes::from(request.body.clone())),
        6 => Answer::ok().with_field("transfer-encoding", "chunked").with_field("a", ""),
        _ => Answer::new(426).with_field("upgrade", "x").with_pieces(&["upgrade"]),
    }
}

/// A handler whose peer takes nothing of what is sent to it.
#[derive(Clone, Copy, PartialEq)]
enum Handler {
    /// Answers nothing and consumes nothing.
    Absent,
    /// Answers at once and throws the body away.
    Prompt,
}

/// What a connection may own beside what its limits name, and what vectors that grow by doubling, or a head
/// with its index, may own beside what they hold.
const BESIDE: usize = 4096;
const SPARE: usize = 4;

/// Hands over what a connection asks for and no more: it must not keep more than its limits say.
fn stall(config: &Config, input: &[u8], handler: Handler) {
    const PIECE: usize = 64;
    let limits = &config.limits;
    let kept = usize::from(limits.head) + limits.body_window + limits.pipeline + limits.send_queue;
    let most = SPARE * (kept + 2 * PIECE) + BESIDE;
    let config = Arc::new(config.clone());
    let before = ALLOCATOR.allocated();
    let mut connection = Connection::new(config, NOW);
    for piece in input.chunks(PIECE) {
        if !connection.wants_read() {
            break;
        }
        connection.handle_bytes(NOW, piece);
        while let Some(event) = connection.poll_event() {
            if let (Handler::Prompt, Event::Request { id, .. }) = (handler, event) {
                prompt(&mut connection, id);
            }
        }
        let owned = ALLOCATOR.allocated().saturating_sub(before);
        assert!(owned <= most, "{owned} bytes owned, of {most}");
    }
}

fn prompt(connection: &mut Connection, id: StreamId) {
    let head = ResponseHead { status: 200, fields: [], length: ResponseLength::Unknown };
    // The body that has come with the head may have ended the request.
    let _ = connection.discard_body(NOW, id);
    if connection.respond(NOW, id, head).is_ok() {
        let _ = connection.finish(NOW, id, []);
    }
}
