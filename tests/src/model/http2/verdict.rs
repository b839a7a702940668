//! What the connection says, and whether it is right.

use lameduck_core::{BodyLength, CancelReason, CloseReason, Event, Fault, PeerError, StreamId, Timer};

use super::client::{NO_CUTOFF, Reply, index};
use super::script::{self, Part, Says, Script};
use super::{Handshake, Invariant, Progress, State, Turn, bit, number_at};
use crate::h2::code::{NO_ERROR, REFUSED_STREAM};
use crate::model::Peer;
use crate::model::script::Manners;

impl State {
    /// Takes what the connection tells its caller.
    pub(super) fn hear(&mut self, script: &Script, event: Event) {
        self.require(Invariant::H15, self.ended.is_none());
        match event {
            Event::Request { id, head, body } => {
                let number = u32::try_from(id.0).unwrap_or(0);
                let stream = script.streams.get(index(number)).filter(|_| number % 2 == 1);
                let is_read = stream.is_some_and(|stream| {
                    let (method, target, authority) = stream.named(number);
                    let is_there = head.authority_bytes().as_deref() == Some(authority.as_bytes());
                    head.method() == method && head.target() == target && is_there
                });
                self.require(Invariant::H6, is_read);
                let above = self.announced.is_some_and(|(last, _)| number > last);
                let is_too_large = stream.is_some_and(script::Stream::is_too_large);
                self.require(Invariant::H2, !above && !is_too_large && self.refused & bit(number) == 0);
                self.require(Invariant::H7, self.told & bit(number) == 0);
                let has_body = stream.is_some_and(script::Stream::has_body);
                self.require(Invariant::H8, has_body == (body != BodyLength::Empty));
                self.told |= bit(number);
                let body = if has_body { Progress::Begun } else { Progress::Over };
                let asked = stream.is_none_or(|stream| stream.says != Says::Expects);
                self.turns.push(Turn { number, response: Progress::None, body, got: 0, held: 0, asked });
            }
            Event::Data { id, data } => {
                let whole = script.streams.get(index_of(id)).map(script::Stream::body).unwrap_or_default();
                let turn = self.turns.iter_mut().find(|turn| u64::from(turn.number) == id.0);
                let is_right = turn.is_some_and(|turn| {
                    let from = turn.got;
                    turn.got += data.len();
                    turn.held += data.len();
                    turn.body == Progress::Begun && whole.get(from..turn.got) == Some(&data[..])
                });
                self.require(Invariant::H8, is_right && !data.is_empty());
            }
            Event::End { id, trailers } => {
                let stream = script.streams.get(index_of(id));
                let number = u32::try_from(id.0).unwrap_or(0);
                let turn = self.turns.iter_mut().find(|turn| turn.number == number);
                let is_right = stream.zip(turn).is_some_and(|(stream, turn)| {
                    let has_all = turn.body == Progress::Begun && turn.got == stream.body().len();
                    turn.body = Progress::Over;
                    let has_trailers = matches!(stream.parts.last(), Some(Part::Trailers));
                    has_all && stream.ends && trailers.is_some() == has_trailers
                });
                self.require(Invariant::H8, is_right);
                self.retire(number);
            }
            Event::Cancelled { id, reason } => self.hear_cancelled(id, reason),
            Event::Refused { id } => {
                let number = u32::try_from(id.0).unwrap_or(0);
                self.require(Invariant::H2, (self.told | self.refused) & bit(number) == 0);
                self.refused |= bit(number);
            }
            Event::Closed(reason) => {
                self.ended = Some(reason);
                self.require(Invariant::H16, !(reason.resets() && self.fin));
                self.require(Invariant::H7, self.turns.is_empty());
                if script.manners == Manners::Faithful {
                    self.read(script);
                    self.judge(reason);
                } else if reason == CloseReason::StreamsCut {
                    self.judge_streams(Invariant::H17);
                }
            }
        }
    }

    /// Once a stream, and none whose response the client has whole while nobody read its request any more.
    fn hear_cancelled(&mut self, id: StreamId, reason: CancelReason) {
        let number = u32::try_from(id.0).unwrap_or(0);
        let before = self.turns.len();
        self.turns.retain(|turn| turn.number != number);
        let is_with_handler = self.turns.len() < before;
        let view = self.client.view(number);
        let is_answered = view.is_none_or(|view| view.reply == Reply::Whole);
        let is_first = self.told & bit(number) != 0 && self.cancelled & bit(number) == 0;
        let is_reset = view.is_some_and(|view| view.reset);
        self.cancelled |= bit(number);
        self.require(Invariant::H7, is_first && (is_with_handler || !is_answered));
        let fits = match reason {
            CancelReason::Reset(_) => is_reset,
            CancelReason::Refused(PeerError::SlowBody) | CancelReason::TimedOut(_) => true,
            CancelReason::Refused(PeerError::Http2(Fault::SettingsIgnored | Fault::SlowBlock)) => {
                !self.has_left_in_order
            }
            CancelReason::Refused(_) => false,
            CancelReason::BrokenOff | CancelReason::Closed(_) => true,
        };
        self.require(Invariant::H1, fits);
    }

    /// The end of a run in which the shell kept its side.
    fn judge(&mut self, reason: CloseReason) {
        let is_shaken = self.handshake == Handshake::Whole;
        match reason {
            CloseReason::Drained | CloseReason::PeerClosed | CloseReason::TimedOut(Timer::KeepAlive) => {
                self.judge_streams(Invariant::H1);
                self.require(Invariant::H16, !self.is_unheard);
            }
            CloseReason::TimedOut(Timer::Receipt) => self.judge_streams(Invariant::H1),
            CloseReason::StreamsCut => {
                self.judge_streams(Invariant::H17);
                let is_time = self.drain.is_some_and(|drain| self.now >= drain.deadline);
                self.require(Invariant::H17, is_time);
            }
            CloseReason::CutAtDeadline => {
                let is_time = self.drain.is_some_and(|drain| self.now >= drain.deadline);
                self.require(Invariant::H17, is_time);
            }
            CloseReason::CutByForce | CloseReason::TimedOut(Timer::Write | Timer::PingAck) => {}
            CloseReason::Unconfirmed => {
                self.judge_streams(Invariant::H1);
                self.require(Invariant::H16, self.peer == Peer::Gone && !self.fin);
            }
            CloseReason::PeerLeft => self.require(Invariant::H1, self.peer != Peer::Open),
            CloseReason::Refused(PeerError::Http2(Fault::SettingsIgnored)) => {
                self.require(Invariant::H1, !self.has_acked_settings && !self.has_left_in_order);
            }
            CloseReason::Refused(PeerError::Http2(Fault::SlowBlock)) => {
                self.require(Invariant::H1, !self.has_left_in_order);
            }
            // Before it is known what the client speaks.
            CloseReason::TimedOut(_) | CloseReason::Refused(_) => {
                self.require(Invariant::H1, !is_shaken);
            }
            CloseReason::Finished
            | CloseReason::UpgradeRefused
            | CloseReason::TunnelEnded
            | CloseReason::HandlerReset
            | CloseReason::HandlerBrokeOff => self.require(Invariant::H15, false),
        }
    }

    /// What was begun has been answered whole, or reset by name; what is above the last GOAWAY was not.
    fn judge_streams(&mut self, invariant: Invariant) {
        let last = self.client.goaway.map_or(NO_CUTOFF, |(last, _)| last);
        for at in 0..self.client.streams.len() {
            let (number, view) = (number_at(at), &self.client.streams[at]);
            let is_answered = matches!(view.reply, Reply::Whole | Reply::Refusal(_));
            let is_told = self.told & bit(number) != 0;
            let is_named = is_answered || view.stopped.is_some() || view.reset;
            let is_refused = view.stopped == Some(REFUSED_STREAM);
            let is_right = match is_told {
                true => is_named && !is_refused && number <= last,
                false if view.reply == Reply::Refusal(431) => {
                    number <= last && view.stopped.is_none_or(|code| code == NO_ERROR)
                }
                false => !is_answered && view.stopped.is_none_or(|code| code == REFUSED_STREAM),
            };
            let counted = !is_refused || self.refused & bit(number) != 0;
            self.require(invariant, is_right);
            self.require(Invariant::H2, counted);
        }
        // Where it ends with nothing undone, what goes beside the streams may be left half sent.
        self.require(Invariant::H3, self.client.has_read_all() || !self.output.is_empty());
    }
}

fn index_of(id: StreamId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX) / 2
}
