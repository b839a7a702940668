//! Every call of a connection, with its arguments, and what comes of it.

use bytes::Bytes;
use lameduck_core::{
    ApiMisuse, Connection, Date, Event, Field, Instant, ResponseHead, ResponseLength, StreamId, Transmit,
};

/// A call.
#[allow(missing_docs, reason = "named as the core's methods")]
#[derive(Debug)]
pub enum Call {
    Bytes(Vec<u8>),
    Eof,
    Gone,
    Timeout,
    SetDate,
    Respond(StreamId, u16, ResponseLength, Option<Field<'static>>),
    Inform(StreamId, u16, Option<Field<'static>>),
    SendBody(StreamId, Bytes),
    Finish(StreamId, Option<Field<'static>>),
    Reset(StreamId),
    ReadBody(StreamId),
    DiscardBody(StreamId),
    Release(StreamId, usize),
    Drain(Instant),
    Abort,
    Event,
    Transmit,
    Transmitted(usize),
}

/// What came of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Came {
    /// It tells nothing; or there is nothing to be sent.
    Nothing,
    /// An event, if there was one.
    Event(Option<Event>),
    /// What became of a command.
    Answer(Result<(), ApiMisuse>),
    /// What is to be sent.
    Bytes(Vec<u8>),
    /// The end is to be sent.
    Fin,
}

impl Call {
    /// The stream that it is for; one that there is not, where it is for none.
    pub fn id(&self) -> StreamId {
        match self {
            Self::Respond(id, ..)
            | Self::Inform(id, ..)
            | Self::SendBody(id, _)
            | Self::Finish(id, _)
            | Self::Reset(id)
            | Self::ReadBody(id)
            | Self::DiscardBody(id)
            | Self::Release(id, _) => *id,
            _ => StreamId(0),
        }
    }

    /// Makes it.
    pub fn make(&self, connection: &mut Connection, now: Instant) -> Came {
        match self {
            Self::Bytes(bytes) => connection.handle_bytes(now, bytes),
            Self::Eof => connection.handle_eof(now),
            Self::Gone => connection.handle_gone(now),
            Self::Timeout => connection.handle_timeout(now),
            Self::SetDate => {
                connection.set_date(Date::new(*b"Sun, 06 Nov 1994 08:49:37 GMT").expect("a date"));
            }
            Self::Respond(id, status, length, field) => {
                let head = ResponseHead { status: *status, fields: *field, length: *length };
                return Came::Answer(connection.respond(now, *id, head));
            }
            Self::Inform(id, status, field) => {
                return Came::Answer(connection.inform(now, *id, *status, *field));
            }
            Self::SendBody(id, data) => return Came::Answer(connection.send_body(now, *id, data.clone())),
            Self::Finish(id, trailer) => return Came::Answer(connection.finish(now, *id, *trailer)),
            Self::Reset(id) => return Came::Answer(connection.reset(now, *id)),
            Self::ReadBody(id) => return Came::Answer(connection.read_body(now, *id)),
            Self::DiscardBody(id) => return Came::Answer(connection.discard_body(now, *id)),
            Self::Release(id, count) => return Came::Answer(connection.release(now, *id, *count)),
            Self::Drain(deadline) => connection.drain(now, *deadline),
            Self::Abort => connection.abort(now),
            Self::Event => return Came::Event(connection.poll_event()),
            Self::Transmit => return shown(connection, now),
            Self::Transmitted(count) => connection.transmitted(now, *count),
        }
        Came::Nothing
    }
}

fn shown(connection: &mut Connection, now: Instant) -> Came {
    match connection.poll_transmit(now) {
        Some(Transmit::Bytes(pieces)) => {
            let pieces: Vec<_> = pieces.collect();
            assert!(pieces.iter().all(|piece| !piece.is_empty()), "an empty piece");
            Came::Bytes(pieces.concat())
        }
        Some(Transmit::Fin) => Came::Fin,
        None => Came::Nothing,
    }
}
