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
    /// A stream has something to send. Whether it may is seen when its turn has come.
    pub(super) fn schedule(&mut self, number: Number) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let finishes = matches!(stream.life.responding(), Responding::Finishing { .. });
        let sends = stream.outgoing.queue.len() > 0 || finishes;
        if sends && stream.outgoing.place == Place::Aside {
            stream.outgoing.place = Place::Scheduled;
            self.schedule.push(Turn { number, priority: stream.outgoing.priority });
        }
    }

    /// A window has opened for all.
    pub(super) fn schedule_all(&mut self) {
        if self.queued > 0 {
            let Self { streams, schedule, .. } = self;
            for stream in streams.iter_mut() {
                if stream.outgoing.queue.len() > 0 && stream.outgoing.place == Place::Aside {
                    stream.outgoing.place = Place::Scheduled;
                    schedule.push(Turn { number: stream.number, priority: stream.outgoing.priority });
                }
            }
        }
    }

    /// Frames what may be sent, turn by turn.
    pub(super) fn pump(&mut self, now: Instant) {
        while self.outbox.len() < AHEAD {
            let Some(turn) = self.schedule.pop() else { return };
            self.take_turn(now, turn);
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
                self.patience.reward_frame();
            }
        }
        if let Some(block) = trailers {
            let most = self.peer.max_frame_size;
            self.outbox.gather(|out| {
                write_block(out, turn.number, true, most, |out| out.extend_from_slice(&block));
            });
        }
        if is_done {
            stream.life.end_response();
            self.part(now, turn.number);
        } else if left > 0 {
            stream.outgoing.place = Place::Scheduled;
            self.schedule.push(turn);
        }
    }
}
