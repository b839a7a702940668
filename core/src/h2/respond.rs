//! What the handlers say: responses, and what they do with the requests' bodies (RFC 9113 section 8).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{CancelReason, Http2, Number, Promise, Stream, Streams, id_of, number_of};
use crate::config::Config;
use crate::error::ApiMisuse;
use crate::event::{Event, StreamId};
use crate::fault::ErrorCode;
use crate::h1::body::may_trail;
use crate::h1::encode::read_length;
use crate::h1::head::{Kind, TOKEN};
use crate::h2::frame::{WindowUpdate, write_block};
use crate::h2::hpack::{self, Encoder};
use crate::h2::repeat::Said;
use crate::h2::streams::ResponseBody;
use crate::head::{Field, ResponseHead, ResponseLength};
use crate::lifecycle::stream::Responding;
use crate::outbox::Outbox;
use crate::time::Instant;

/// What one stream may have waiting to be sent, and what it may in any case, however much the others have.
const STREAM_QUEUE: usize = 64 * 1024;
const STREAM_QUEUE_LEAST: usize = 16 * 1024;

impl Http2 {
    #[inline(never)]
    pub(crate) fn respond<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        head: ResponseHead<impl IntoIterator<Item = Field<'a>>>,
    ) -> Result<(), ApiMisuse> {
        let Self { streams, encoder, outbox, repeat, .. } = self;
        let are_many = streams.are_many();
        let stream = stream_of(streams, id)?;
        if stream.life.responding() != Responding::Owed {
            return Err(ApiMisuse::AlreadyAnswered);
        }
        if !(200..=999).contains(&head.status) {
            return Err(ApiMisuse::BadStatus);
        }
        let fields = Fields::gather(head.fields);
        let fields = fields.as_slice();
        let same = repeat.find(fields);
        let heard = same.map_or_else(|| Heard::of(fields), |same| Ok(same.heard()))?;
        let framing = Framing::of(stream.kind, head.status, head.length, heard.declared);
        let date = self.date.filter(|_| !heard.dated);
        let said = Said { status: head.status, length: framing.length, date };
        let (number, most) = (stream.number, self.peer.max_frame_size);
        let end_stream = framing.body == ResponseBody::None;
        stream.outgoing.body = framing.body;
        stream.life.begin_response(head.status);
        match same.and_then(|same| same.block(said, encoder)) {
            Some(block) => outbox.gather(|out| {
                write_block(out, number, end_stream, most, |out| out.extend_from_slice(block));
            }),
            None => outbox.gather(|out| {
                write_block(out, number, end_stream, most, |out| {
                    let (start, changes) = (out.len(), encoder.changes());
                    said.write(encoder, out, fields);
                    // The only one is not worth it: nothing is kept on an idle connection.
                    if are_many && changes == encoder.changes() {
                        repeat.keep(said, heard, fields, out.get(start..).unwrap_or(&[]), changes);
                    }
                });
            }),
        }
        if end_stream {
            self.life.answered();
        }
        self.settle(now);
        Ok(())
    }

    /// An interim response (RFC 9110 section 15.2).
    pub(crate) fn inform<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        status: u16,
        fields: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        let stream = self.expect_stream(id)?;
        if stream.life.responding() != Responding::Owed {
            return Err(ApiMisuse::AlreadyAnswered);
        }
        // There is no 101 in HTTP/2 (section 8.6).
        if !matches!(status, 100 | 102..=199) {
            return Err(ApiMisuse::BadStatus);
        }
        let number = stream.number;
        let fields = Fields::gather(fields);
        Heard::of(fields.as_slice())?;
        self.write_interim(number, status, fields.as_slice());
        self.settle(now);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn send_body(&mut self, now: Instant, id: StreamId, data: Bytes) -> Result<(), ApiMisuse> {
        let Self { streams, schedule, .. } = self;
        let stream = begun(streams, id)?;
        match &mut stream.outgoing.body {
            ResponseBody::None => return Ok(()),
            ResponseBody::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(ApiMisuse::BodyTooLong)?;
            }
            ResponseBody::Unknown | ResponseBody::Tunnel => {}
        }
        if data.is_empty() {
            return Ok(());
        }
        let count = data.len();
        stream.outgoing.queue.push(data);
        schedule.enlist(stream);
        self.queued = self.queued.saturating_add(count);
        self.settle(now);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn finish<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        trailers: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        let Self { streams, schedule, .. } = self;
        let stream = begun(streams, id)?;
        let trailers = encode_trailers(trailers)?;
        let number = stream.number;
        match stream.outgoing.body {
            ResponseBody::Length(1..) => {
                self.cancel(now, number, CancelReason::BrokenOff, Some(ErrorCode::INTERNAL_ERROR));
                self.settle(now);
                return Err(ApiMisuse::BodyTooShort);
            }
            ResponseBody::None => {
                stream.life.finish_response();
                stream.life.end_response();
                self.part(now, number);
            }
            ResponseBody::Length(0) | ResponseBody::Unknown | ResponseBody::Tunnel => {
                // A tunnel has no place for them (section 8.5).
                stream.outgoing.trailers = trailers.filter(|_| stream.outgoing.body != ResponseBody::Tunnel);
                stream.life.finish_response();
                schedule.enlist(stream);
            }
        }
        self.settle(now);
        Ok(())
    }

    /// The handler gives up. Before the head that is a 500; after it, the peer must see that it broke off. What has
    /// all been given cannot be taken back: then it is only the request that nobody reads on.
    pub(crate) fn reset(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let stream = self.expect_stream(id)?;
        let number = stream.number;
        match stream.life.responding() {
            Responding::Owed => {
                self.write_refusal(number, 500);
                self.dismiss(now, number, CancelReason::BrokenOff);
            }
            // All of it has gone with the head.
            Responding::Begun { .. } if stream.outgoing.body == ResponseBody::None => {
                return self.finish(now, id, []);
            }
            Responding::Begun { .. } => {
                self.cancel(now, number, CancelReason::BrokenOff, Some(ErrorCode::INTERNAL_ERROR));
            }
            Responding::Finishing { .. } | Responding::Ended => self.unwant(now, number),
        }
        self.settle(now);
        Ok(())
    }

    // The request's body.

    /// The handler asks for the body: a peer that waits for a word to send it gets that (RFC 9110 section 10.1.1).
    pub(crate) fn read_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let stream = stream_of(&mut self.streams, id)?;
        if stream.promise == Promise::Owed {
            stream.promise = Promise::None;
            stream.life.await_peer(now);
            if stream.life.responding() == Responding::Owed {
                let number = stream.number;
                self.write_interim(number, 100, &[]);
            }
        }
        self.settle(now);
        Ok(())
    }

    pub(crate) fn discard_body(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let number = self.expect_stream(id)?.number;
        self.unwant(now, number);
        self.settle(now);
        Ok(())
    }

    /// Nobody reads the rest.
    fn unwant(&mut self, now: Instant, number: Number) {
        self.drop_body(now, number);
        self.part(now, number);
    }

    /// Throws away what has come of a request and what will. Until it is answered the stream's window is granted no
    /// more; the connection's is for all.
    pub(super) fn drop_body(&mut self, now: Instant, number: Number) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let held = core::mem::take(&mut stream.held);
        stream.life.unwant();
        let id = id_of(number);
        self.events.retain(
            |event| !matches!(event, Event::Data { id: of, .. } | Event::End { id: of, .. } if *of == id),
        );
        self.consume(now, held);
    }

    pub(crate) fn release(&mut self, now: Instant, id: StreamId, count: usize) -> Result<(), ApiMisuse> {
        let Self { streams, outbox, .. } = self;
        let stream = stream_of(streams, id)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(stream.held);
        stream.held -= count;
        grant(stream, outbox, count);
        // A window that is still shut is the handler's to open.
        if stream.waits_for_body() && !stream.window.is_shut() {
            stream.life.await_peer(now);
        }
        self.consume(now, count);
        self.settle(now);
        Ok(())
    }

    // Getters.

    pub(crate) fn send_capacity(&self, config: &Config, id: StreamId) -> usize {
        let Ok(stream) = self.expect_begun(id) else { return 0 };
        let most = match self.queued < config.limits.send_queue {
            true => STREAM_QUEUE,
            false => STREAM_QUEUE_LEAST,
        };
        most.saturating_sub(stream.outgoing.queue.len())
    }

    pub(crate) fn takes_body(&self, id: StreamId) -> bool {
        self.expect_begun(id).is_ok_and(|stream| stream.outgoing.body != ResponseBody::None)
    }

    pub(crate) fn is_tunnel(&self, id: StreamId) -> bool {
        self.expect_stream(id).is_ok_and(|stream| stream.outgoing.body == ResponseBody::Tunnel)
    }

    /// What has been framed goes out in its order: the end of a response stands before all that comes after it.
    pub(crate) fn unsent(&self, id: StreamId) -> Option<usize> {
        match self.expect_stream(id).map(|stream| stream.life.responding()) {
            Ok(Responding::Ended) | Err(_) => Some(self.outbox.len()),
            Ok(_) => None,
        }
    }

    fn expect_begun(&self, id: StreamId) -> Result<&Stream, ApiMisuse> {
        let stream = self.expect_stream(id)?;
        check_begun(stream).map(|()| stream)
    }

    // Writing.

    /// The whole of a response that the connection gives by itself.
    pub(super) fn write_refusal(&mut self, number: Number, status: u16) {
        let (date, encoder, most) = (self.date, &mut self.encoder, self.peer.max_frame_size);
        self.outbox.gather(|out| {
            write_block(out, number, true, most, |out| {
                Said { status, length: Some(0), date }.write(encoder, out, &[]);
            });
        });
        self.life.answered();
    }

    fn write_interim(&mut self, number: Number, status: u16, fields: &[Field<'_>]) {
        let (encoder, most) = (&mut self.encoder, self.peer.max_frame_size);
        self.outbox.gather(|out| {
            write_block(out, number, false, most, |out| {
                encoder.begin(out);
                encoder.status(out, status);
                write_fields(encoder, out, fields);
            });
        });
    }
}

/// So much of a stream's window is free again.
pub(super) fn grant(stream: &mut Stream, outbox: &mut Outbox, count: u32) {
    if stream.life.receives()
        && stream.life.is_wanted()
        && let Some(increment) = stream.window.consume(count, stream.expected)
    {
        outbox.gather(|out| WindowUpdate { stream: stream.number, increment }.write(out));
    }
}

/// The same as [`Http2::expect_stream`], to be changed.
fn stream_of(streams: &mut Streams, id: StreamId) -> Result<&mut Stream, ApiMisuse> {
    let stream = number_of(id).and_then(|number| streams.get_mut(number));
    stream.filter(|stream| !stream.life.is_let_go()).ok_or(ApiMisuse::UnknownStream)
}

/// A stream whose response has been begun and not been finished.
fn begun(streams: &mut Streams, id: StreamId) -> Result<&mut Stream, ApiMisuse> {
    let stream = stream_of(streams, id)?;
    check_begun(stream).map(|()| stream)
}

fn check_begun(stream: &Stream) -> Result<(), ApiMisuse> {
    match stream.life.responding() {
        Responding::Begun { .. } => Ok(()),
        Responding::Owed => Err(ApiMisuse::NotAnswered),
        Responding::Finishing { .. } | Responding::Ended => Err(ApiMisuse::AlreadyFinished),
    }
}

impl Said {
    /// Writes the whole field block of a final response.
    fn write(self, encoder: &mut Encoder, out: &mut Vec<u8>, fields: &[Field<'_>]) {
        encoder.begin(out);
        encoder.status(out, self.status);
        write_fields(encoder, out, fields);
        if let Some(length) = self.length {
            encoder.field(out, b"content-length", Decimal::of(length).as_bytes());
        }
        if let Some(date) = &self.date {
            encoder.field(out, b"date", date.as_bytes());
        }
    }
}

/// How a response is framed: what `content-length` says, and what is to be given for its body.
struct Framing {
    length: Option<u64>,
    body: ResponseBody,
}

impl Framing {
    fn of(kind: Kind, status: u16, length: ResponseLength, declared: Option<u64>) -> Self {
        let length = match length {
            ResponseLength::Known(length) => Some(length),
            ResponseLength::Unknown => declared,
        };
        match (kind, status, length) {
            (Kind::Connect, 200..=299, _) => Self { length: None, body: ResponseBody::Tunnel },
            (_, 204, _) => Self { length: None, body: ResponseBody::None },
            (_, 304, _) => Self { length: declared, body: ResponseBody::None },
            (Kind::Head, _, length) => {
                let length = declared.or(length.filter(|length| *length > 0));
                Self { length, body: ResponseBody::None }
            }
            (_, _, Some(0)) => Self { length: Some(0), body: ResponseBody::None },
            (_, _, Some(length)) => Self { length: Some(length), body: ResponseBody::Length(length) },
            (_, _, None) => Self { length: None, body: ResponseBody::Unknown },
        }
    }
}

/// The fields of a head, as the handler gave them.
struct Fields<'a> {
    few: [Field<'a>; FEW],
    count: usize,
    /// All of them, where they are more than a few.
    many: Vec<Field<'a>>,
}

const FEW: usize = 8;

impl<'a> Fields<'a> {
    fn gather(fields: impl IntoIterator<Item = Field<'a>>) -> Self {
        let mut gathered = Self { few: [Field { name: "", value: &[] }; FEW], count: 0, many: Vec::new() };
        for field in fields {
            match gathered.few.get_mut(gathered.count) {
                Some(slot) => {
                    *slot = field;
                    gathered.count += 1;
                }
                None => {
                    if gathered.many.is_empty() {
                        gathered.many.extend_from_slice(&gathered.few);
                    }
                    gathered.many.push(field);
                }
            }
        }
        gathered
    }

    fn as_slice(&self) -> &[Field<'a>] {
        match &*self.many {
            [] => self.few.get(..self.count).unwrap_or(&[]),
            many => many,
        }
    }
}

/// What fields say that the connection has to act on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Heard {
    /// The value of `content-length`.
    pub(super) declared: Option<u64>,
    pub(super) dated: bool,
}

impl Heard {
    /// Reads fields, all of which must be such that they can be sent: a block that has been begun cannot be taken back.
    fn of(fields: &[Field<'_>]) -> Result<Self, ApiMisuse> {
        let mut heard = Self { declared: None, dated: false };
        for field in fields {
            match FieldKind::of(field.name) {
                FieldKind::Length => {
                    let declared = read_length(field.value)?;
                    if heard.declared.replace(declared).is_some_and(|before| before != declared) {
                        return Err(ApiMisuse::BadField);
                    }
                }
                FieldKind::Connections => {}
                FieldKind::Date => {
                    heard.dated = true;
                    check(field)?;
                }
                FieldKind::Other => check(field)?,
            }
        }
        Ok(heard)
    }
}

/// What a response's field is to the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldKind {
    /// It speaks of the connection, and has no place in HTTP/2 (section 8.2.2).
    Connections,
    /// It is written anew.
    Length,
    Date,
    Other,
}

impl FieldKind {
    fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is("date") => Self::Date,
            7 if is("upgrade") => Self::Connections,
            10 if is("connection") || is("keep-alive") => Self::Connections,
            14 if is("content-length") => Self::Length,
            16 if is("proxy-connection") => Self::Connections,
            17 if is("transfer-encoding") => Self::Connections,
            _ => Self::Other,
        }
    }

    fn is_written(self) -> bool {
        matches!(self, Self::Date | Self::Other)
    }
}

/// Writes the fields that are the handler's own.
fn write_fields(encoder: &mut Encoder, out: &mut Vec<u8>, fields: &[Field<'_>]) {
    for field in fields.iter().filter(|field| FieldKind::of(field.name).is_written()) {
        encoder.field(out, field.name.as_bytes(), field.value.trim_ascii());
    }
}

/// Refuses a field that cannot be sent (section 8.2.1). Blanks around a value are left out, not refused.
fn check(field: &Field<'_>) -> Result<(), ApiMisuse> {
    let name_fits = !field.name.is_empty() && TOKEN.has_all(field.name.as_bytes());
    let breaks = field.value.iter().fold(false, |found, byte| found | matches!(byte, b'\r' | b'\n' | 0));
    if name_fits && !breaks { Ok(()) } else { Err(ApiMisuse::BadField) }
}

/// The field block of trailers, which may have to wait for its turn: it refers to no table.
fn encode_trailers<'a>(trailers: impl IntoIterator<Item = Field<'a>>) -> Result<Option<Vec<u8>>, ApiMisuse> {
    let mut block = Vec::new();
    for field in trailers.into_iter().filter(|field| may_trail(field.name)) {
        check(&field)?;
        hpack::write_standalone(&mut block, field.name.as_bytes(), field.value.trim_ascii());
    }
    Ok((!block.is_empty()).then_some(block))
}

/// A number in decimal digits.
struct Decimal {
    digits: [u8; 20],
    first: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Self {
        let mut digits = [0; 20];
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            first -= 1;
            if number == 0 {
                break;
            }
        }
        Self { digits, first }
    }

    fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.first..).unwrap_or(&[])
    }
}
