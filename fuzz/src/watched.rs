//! A connection whose every call is watched: what the documentation promises of calls, of any protocol, is checked at
//! each.

use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{ApiMisuse, CloseReason, Connection, Event, Instant, Recall, Stage, StreamId};

use crate::calls::{Call, Came};
use crate::recalled;

/// A connection, and the clock of its caller.
#[derive(Clone)]
pub struct Watched {
    /// The real thing.
    pub connection: Connection,
    /// What the connection is told; it may go back.
    pub now: Instant,
    /// The latest that it was told.
    latest: Instant,
    /// What has been shown, and not been taken.
    shown: Vec<u8>,
    fin: bool,
    closed: Option<CloseReason>,
    recall: Recall,
}

impl Watched {
    /// From this time on.
    pub fn new(connection: Connection, now: Instant) -> Self {
        Self {
            connection,
            now,
            latest: now,
            shown: vec![],
            fin: false,
            closed: None,
            recall: Recall::default(),
        }
    }

    /// Makes a call. Of output, only what is new comes of it.
    ///
    /// # Panics
    /// Where a promise is broken.
    pub fn call(&mut self, call: &Call) -> Came {
        let before = self.connection.clone();
        let mut twin = self.connection.clone();
        if !matches!(call, Call::Event | Call::SetDate) {
            self.latest = self.latest.max(self.now);
        }
        let came = call.make(&mut self.connection, self.now);
        self.check_twin(&mut twin, call, &came);
        self.check_refusal(before, call, &came);
        self.check_level(call);
        self.check_getters();
        let came = self.note(came);
        if let Call::Transmitted(count) = call {
            self.shown.drain(..(*count).min(self.shown.len()));
        }
        came
    }

    /// Milliseconds pass; back, where they are negative.
    pub fn pass(&mut self, millis: i16) {
        let span = Duration::from_millis(u64::from(millis.unsigned_abs()));
        self.now = match millis {
            0.. => self.now + span,
            _ => Instant::from(self.now.since(Instant::ORIGIN).saturating_sub(span)),
        };
    }

    /// Time passes until the next deadline, if there is one.
    pub fn pass_to_deadline(&mut self) {
        if let Some(at) = self.connection.poll_timeout() {
            self.now = self.now.max(at);
        }
    }

    /// The latest that it was told.
    pub fn latest(&self) -> Instant {
        self.latest
    }

    /// How much has been shown, and not been taken.
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// Whether its FIN has been sent.
    pub fn is_finished(&self) -> bool {
        self.fin
    }

    /// Whether it has said that it is closed.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Equal inputs lead to equal outputs and equal states, whether or not they come in a block that may be kept, and
    /// whatever the caller remembers of the last head; time that goes back stands still.
    fn check_twin(&mut self, twin: &mut Connection, call: &Call, came: &Came) {
        match call {
            Call::Bytes(bytes) => {
                // HTTP/2 has no use for it.
                let times = if twin.status().protocol == "HTTP/1" { recalled::TIMES } else { 0 };
                for _ in 0..times {
                    recalled::check(twin, self.latest, bytes, &self.connection, &mut self.recall);
                }
                twin.handle_block(self.latest, &Bytes::copy_from_slice(bytes));
            }
            call => assert_eq!(*came, call.make(twin, self.latest)),
        }
        assert_eq!(*twin, self.connection);
        assert_eq!(twin.poll_timeout(), self.connection.poll_timeout());
    }

    /// A command that is refused changes nothing.
    fn check_refusal(&self, mut before: Connection, call: &Call, came: &Came) {
        if let Came::Answer(Err(error)) = came
            && *error != ApiMisuse::BodyTooShort
        {
            before.transmitted(self.latest, 0);
            assert_eq!(before, self.connection, "{call:?} was refused with {error} and changed something");
        }
    }

    /// The drain is a level, an end is an end, and a wait that is over is not waited for.
    fn check_level(&self, call: &Call) {
        match call {
            Call::Drain(_) => {
                let drain = self.connection.drains().expect("it has been told");
                let mut again = self.connection.clone();
                again.drain(self.latest, drain.deadline);
                assert_eq!(again, self.connection, "a drain that is told again changes something");
                again.drain(self.latest, drain.deadline + Duration::from_secs(1));
                assert_eq!(again, self.connection, "a later deadline changes something");
            }
            Call::Timeout => {
                let next = self.connection.poll_timeout();
                assert!(next.is_none_or(|at| at > self.latest), "a wait is over and goes on");
            }
            Call::Abort | Call::Gone => {
                assert_eq!(self.connection.status().stage, Stage::Closed);
                assert!(self.connection.clone().poll_transmit(self.latest).is_none());
            }
            _ => {}
        }
    }

    fn check_getters(&self) {
        let status = self.connection.status();
        assert!(!status.stage.to_string().is_empty());
        assert!(status.due.is_none_or(|due| !due.timer.to_string().is_empty()));
        assert_eq!(status.due.map(|due| due.at), self.connection.poll_timeout());
        assert_eq!(self.connection.send_capacity(StreamId(0)), 0);
        assert_eq!(self.connection.send_capacity(StreamId(u64::MAX)), 0);
        if status.stage == Stage::Closed {
            assert!(!self.connection.wants_read());
            assert_eq!((status.due, status.stream), (None, None));
        }
    }

    /// Output stays until it is taken, then comes one FIN; nothing comes behind the end.
    fn note(&mut self, came: Came) -> Came {
        match &came {
            Came::Event(Some(event)) => {
                assert_eq!(self.closed, None, "an event after the last: {event:?}");
                if let Event::Closed(reason) = event {
                    assert!(!reason.to_string().is_empty());
                    assert_eq!(self.connection.status().stage, Stage::Closed);
                    self.closed = Some(*reason);
                }
            }
            Came::Answer(Ok(())) => assert_eq!(self.closed, None, "a command is obeyed after the end"),
            Came::Fin => {
                assert!(!std::mem::replace(&mut self.fin, true), "a second FIN");
                assert!(self.shown.is_empty(), "a FIN amid output");
            }
            Came::Bytes(bytes) => {
                assert!(!self.fin, "bytes after the FIN");
                assert_eq!(self.closed, None, "bytes after the end");
                let fresh = bytes.strip_prefix(&self.shown[..]).expect("what has been shown is still there");
                let fresh = fresh.to_vec();
                self.shown.extend_from_slice(&fresh);
                return Came::Bytes(fresh);
            }
            Came::Answer(Err(_)) | Came::Event(None) | Came::Nothing => {}
        }
        came
    }
}

/// What is around a connection that is watched.
pub trait World {
    /// The connection.
    fn watched(&self) -> &Watched;

    /// Makes a call, and notes what comes of it.
    fn call(&mut self, call: &Call) -> Came;

    /// Takes all that the connection has to say.
    ///
    /// # Panics
    /// Where that never ends.
    fn settle(&mut self) {
        const MOST: usize = 100_000;
        for _ in 0..MOST {
            let came = self.call(&Call::Transmit);
            let count = self.watched().shown();
            if count > 0 {
                self.call(&Call::Transmitted(count));
            }
            let is_quiet = self.call(&Call::Event) == Came::Event(None);
            if is_quiet && count == 0 && came == Came::Nothing {
                return;
            }
        }
        panic!("it never comes to rest");
    }
}
