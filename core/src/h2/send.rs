//! What is sent of the responses: whose turn it is, and how much of it (RFC 9113 section 5.2, RFC 9218).

use super::Http2;
use crate::h2::frame::{DataHead, write_block};
use crate::h2::schedule::Turn;
use crate::h2::streams::Place;
use crate::lifecycle::http2::Number;
use crate::lifecycle::stream::{Responding, Sending};
use crate::time::Instant;

/// So much is framed ahead of what the transport has taken: enough for a large write, and little enough that an
/// urgent response need not wait behind it.
const AHEAD: usize = 128 * 1024;

/// The body of a DATA frame at most, whatever the peer would take: the streams take turns by frames.
const PIECE: usize = 16 * 1024;

/// A frame that is shorter than this because the peer's window is gives it no credit: opened octet by octet, a window
/// makes a frame of each (CVE-2019-9511).
const CRUMB: usize = 1024;

impl Http2 {
    /// A stream may have something to send.
    pub(super) fn schedule(&mut self, number: Number) {
        if let Some(stream) = self.streams.get_mut(number) {
            self.schedule.enlist(stream);
        }
    }

    /// Windows have opened. Who waits behind the connection's kept its place; what the peer grants is progress for all.
    pub(super) fn schedule_all(&mut self) {
        if self.queued > 0 {
            let Self { streams, schedule, .. } = self;
            for stream in streams.iter_mut() {
                if stream.outgoing.window.available() > 0 {
                    stream.life.set_sending(Sending::Free);
                }
                schedule.enlist(stream);
            }
        }
    }

    /// Frames what may be sent, turn by turn.
    pub(super) fn pump(&mut self, now: Instant) {
        while self.outbox.len() < AHEAD {
            if self.window.available() == 0 {
                return self.pump_ends(now);
            }
            let Some(turn) = self.schedule.pop() else { return };
            self.take_turn(now, turn);
        }
    }

    /// The connection's window is shut: those go on whose end alone is still to be sent. The others keep their places,
    /// and wait for the peer.
    fn pump_ends(&mut self, now: Instant) {
        for turn in self.schedule.take() {
            match self.streams.get_mut(turn.number) {
                Some(stream) if stream.outgoing.queue.len() > 0 => {
                    stream.life.set_sending(Sending::Blocked { since: now });
                    self.schedule.push_back(turn);
                }
                _ => self.take_turn(now, turn),
            }
        }
    }

    fn take_turn(&mut self, now: Instant, turn: Turn) {
        let Some(stream) = self.streams.get_mut(turn.number) else { return };
        let outgoing = &mut stream.outgoing;
        outgoing.place = Place::Aside;
        let room = self.window.available().min(outgoing.window.available()).min(PIECE);
        if outgoing.queue.len() > 0 && room == 0 {
            return stream.life.set_sending(Sending::Blocked { since: now });
        }
        stream.life.set_sending(Sending::Free);
        let data = outgoing.queue.take(room);
        let count = data.len();
        let left = outgoing.queue.len();
        let is_done = left == 0 && matches!(stream.life.responding(), Responding::Finishing { .. });
        let trailers = outgoing.trailers.take_if(|_| is_done);
        let end_stream = is_done && trailers.is_none();
        outgoing.window.take(count);
        self.window.take(count);
        self.queued = self.queued.saturating_sub(count);
        if count > 0 || end_stream {
            let body = u32::try_from(count).unwrap_or(u32::MAX);
            let head = DataHead { stream: turn.number, body, padding: None, end_stream };
            self.outbox.gather(|out| head.write(out));
            self.outbox.push(data);
            let is_crumb = left > 0 && count == room && count < CRUMB;
            if !is_crumb {
                self.patience.reward_frame(count);
            }
        }
        if let Some(block) = trailers {
            let (most, encoder) = (self.peer.max_frame_size, &mut self.encoder);
            self.outbox.gather(|out| {
                write_block(out, turn.number, true, most, |out| {
                    encoder.begin(out);
                    out.extend_from_slice(&block);
                });
            });
        }
        if is_done {
            stream.life.end_response();
            self.life.answered();
            self.part(now, turn.number);
        } else if left > 0 {
            stream.outgoing.place = Place::Scheduled;
            self.schedule.push(turn);
        }
    }
}
