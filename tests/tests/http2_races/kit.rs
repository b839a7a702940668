//! What these tests share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use lameduck_core::{Allowance, Config};
use lameduck_tests::h2::{Ended, Peer, Reply, Sent, code, frame};
use lameduck_tests::handlers::{Handler, Latch, telling, text};
use lameduck_tests::peer::End;
use lameduck_tests::shells::Setup;

/// The last stream of a GOAWAY that cuts nothing off (RFC 9113 section 6.8).
pub(crate) const NO_CUTOFF: u32 = 0x7fff_ffff;

/// Waits a minute for everything that HTTP/2 waits for too.
pub(crate) fn patient() -> Setup {
    Setup::default().timeouts(|timeouts| {
        let long = Allowance::millis(60_000, 60_000);
        for timer in [
            &mut timeouts.handshake,
            &mut timeouts.settings_ack,
            &mut timeouts.silence,
            &mut timeouts.ping_ack,
            &mut timeouts.goaway_ack,
            &mut timeouts.linger_quiet,
            &mut timeouts.linger,
        ] {
            *timer = long;
        }
    })
}

/// With the timers that a server has by default.
pub(crate) fn by_default() -> Setup {
    Setup { config: Config::default(), ..Setup::default() }
}

/// A handler that keeps each request until its path is let on, reads its body, and answers with its path.
#[derive(Clone, Default, Debug)]
pub(crate) struct Desk(Arc<Mutex<BTreeMap<String, Case>>>);

/// One path.
#[derive(Clone, Default, Debug)]
struct Case {
    /// Its handler has been called.
    begun: Latch,
    /// Its handler waits.
    waits: Latch,
    go_on: Latch,
    /// Its handler is gone.
    dropped: Latch,
    calls: usize,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Where its paths are kept.
    pub(crate) fn handler(&self) -> Handler {
        let desk = self.clone();
        Handler::new(move |request| {
            let path = request.uri().path().to_owned();
            let case = desk.case(&path, |case| {
                case.calls += 1;
                case.clone()
            });
            let held = telling(&case.waits, case.go_on.wait());
            let dropped = case.dropped.on_drop();
            case.begun.open();
            async move {
                let _dropped = dropped;
                held.await;
                let body = request.into_body().collect().await;
                let collected = body.unwrap_or_else(|error| panic!("the body of {path}: {error}"));
                let trailers = collected.trailers().cloned().unwrap_or_default();
                let mut reply = text(format!("{path} {}", collected.to_bytes().len()));
                reply.headers_mut().extend(trailers);
                reply
            }
        })
    }

    /// Waits until the handler of `path` has been called, whether or not it waits.
    pub(crate) fn await_begin(&self, path: &str) {
        self.case(path, |case| case.begun.clone()).block(path);
    }

    /// Waits until the handler of `path` waits.
    pub(crate) fn await_call(&self, path: &str) {
        self.case(path, |case| case.waits.clone()).block(path);
    }

    /// Waits until the handler of `path` is gone.
    pub(crate) fn await_drop(&self, path: &str) {
        self.case(path, |case| case.dropped.clone()).block(path);
    }

    /// Lets `path` be answered.
    pub(crate) fn let_on(&self, path: &str) {
        self.case(path, |case| case.go_on.clone()).open();
    }

    /// How often `path` has been called.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.case(path, |case| case.calls)
    }

    fn case<T>(&self, path: &str, act: impl FnOnce(&mut Case) -> T) -> T {
        act(self.0.lock().unwrap().entry(path.to_owned()).or_default())
    }
}

/// Reads up to the notice of a drain; what its PING carries.
#[track_caller]
pub(crate) fn await_notice(peer: &mut Peer) -> [u8; 8] {
    assert_eq!(peer.until_goaway(), (NO_CUTOFF, code::NO_ERROR), "the first GOAWAY cuts nothing off");
    let Sent::Ping(data) = peer.until(|sent| matches!(sent, Sent::Ping(_))) else { unreachable!() };
    data
}

/// Acks the notice, and reads up to the cutoff; its last stream.
#[track_caller]
pub(crate) fn ack_notice(peer: &mut Peer, data: [u8; 8]) -> u32 {
    peer.send(frame::ping_ack(data));
    let (last, error) = peer.until_goaway();
    assert_eq!(error, code::NO_ERROR);
    last
}

/// Goes through a drain as a good client does: up to the cutoff; its last stream.
#[track_caller]
pub(crate) fn hear_of_the_drain(peer: &mut Peer) -> u32 {
    let data = await_notice(peer);
    ack_notice(peer, data)
}

/// Waits for a whole response.
#[track_caller]
pub(crate) fn whole(peer: &mut Peer, stream: u32) -> Reply {
    let reply = peer.reply(stream);
    assert_eq!((reply.status, reply.ended), (200, Some(Ended::Whole)), "stream {stream}: {reply:?}");
    reply
}

/// Waits for the response that a [`Desk`] gives.
#[track_caller]
pub(crate) fn answered(peer: &mut Peer, stream: u32, path: impl fmt::Display, length: usize) {
    let reply = whole(peer, stream);
    assert_eq!(String::from_utf8_lossy(&reply.body), format!("{path} {length}"));
}

/// Asks for `path` and waits for its response.
#[track_caller]
pub(crate) fn ask(peer: &mut Peer, stream: u32, path: &str) -> Reply {
    peer.get(stream, path);
    whole(peer, stream)
}

/// Waits for a stream's end by RST_STREAM; its code.
#[track_caller]
pub(crate) fn reset_code(peer: &mut Peer, stream: u32) -> u32 {
    match peer.reply(stream).ended {
        Some(Ended::Reset(code)) => code,
        ended => panic!("stream {stream} ended with {ended:?}"),
    }
}

/// Waits for the server's FIN, and acks the PING behind the last response, which asks whether that has been read; what
/// else comes before.
#[track_caller]
pub(crate) fn await_fin(peer: &mut Peer) -> Vec<Sent> {
    let mut rest = Vec::new();
    let mut pings = 0;
    loop {
        match peer.try_read() {
            Ok(Sent::Ping(data)) => {
                peer.send(frame::ping_ack(data));
                pings += 1;
            }
            Ok(sent) => rest.push(sent),
            Err(end) => {
                assert_eq!(end, End::Fin, "after {rest:#?}");
                assert!(pings <= 1, "{pings} of them");
                return rest;
            }
        }
    }
}

/// Waits for the server's FIN, before which nothing must come but the question whether all has been read.
#[track_caller]
pub(crate) fn expect_fin(mut peer: Peer) {
    assert_eq!(await_fin(&mut peer), []);
}

/// Waits for the server's FIN, before which nothing must come but windows for bodies that have come.
#[track_caller]
pub(crate) fn expect_end(mut peer: Peer) {
    let rest = await_fin(&mut peer);
    assert!(rest.iter().all(|sent| matches!(sent, Sent::WindowUpdate { stream: 0, .. })), "{rest:#?}");
}

/// Waits for the response of a handler that echoes the path.
#[track_caller]
pub(crate) fn answered_path(peer: &mut Peer, stream: u32, path: &str) {
    assert_eq!(String::from_utf8_lossy(&whole(peer, stream).body), path);
}
