//! What the handlers say: responses, and what they do with the requests' bodies (RFC 9113 section 8).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{CancelReason, Http2, Number, Promise, id_of};
use crate::config::Config;
use crate::error::ApiMisuse;
use crate::event::{Event, StreamId};
use crate::fault::ErrorCode;
use crate::h1::body::may_trail;
use crate::h1::encode::read_length;
use crate::h1::head::{Kind, TOKEN};
use crate::h2::frame::{WindowUpdate, write_block};
use crate::h2::hpack;
use crate::h2::streams::ResponseBody;
use crate::head::{Field, ResponseHead, ResponseLength};
use crate::lifecycle::stream::Responding;
use crate::time::Instant;

/// What one stream may have waiting to be sent, and what it may in any case, however much the others have.
const STREAM_QUEUE: usize = 64 * 1024;
const STREAM_QUEUE_LEAST: usize = 16 * 1024;

impl Http2 {
    pub(crate) fn respond<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        head: ResponseHead<impl IntoIterator<Item = Field<'a>>>,
    ) -> Result<(), ApiMisuse> {
        let stream = self.expect_stream(id)?;
        if stream.life.responding() != Responding::Owed {
            return Err(ApiMisuse::AlreadyAnswered);
        }
        if !(200..=999).contains(&head.status) {
            return Err(ApiMisuse::BadStatus);
        }
        let (number, kind) = (stream.number, stream.kind);
        let fields = Fields::gather(head.fields)?;
        let framing = Framing::of(kind, head.status, head.length, fields.declared);
        let end_stream = framing.body == ResponseBody::None;
        let (date, encoder) = (self.date.filter(|_| !fields.dated), &mut self.encoder);
        let most = self.peer.max_frame_size;
        self.outbox.gather(|out| {
            write_block(out, number, end_stream, most, |out| {
                encoder.begin(out);
                encoder.status(out, head.status);
                for field in fields.iter() {
                    encoder.field(out, field.name.as_bytes(), field.value);
                }
                if let Some(length) = framing.length {
                    encoder.field(out, b"content-length", Decimal::of(length).as_bytes());
                }
                if let Some(date) = &date {
                    encoder.field(out, b"date", date.as_bytes());
                }
            });
        });
        let stream = self.expect_stream_mut(id)?;
        stream.outgoing.body = framing.body;
        stream.life.begin_response();
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
        let fields = Fields::gather(fields)?;
        self.write_interim(number, status, &fields);
        self.settle(now);
        Ok(())
    }

    pub(crate) fn send_body(&mut self, now: Instant, id: StreamId, data: Bytes) -> Result<(), ApiMisuse> {
        self.expect_begun(id)?;
        let stream = self.expect_stream_mut(id)?;
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
        let (number, count) = (stream.number, data.len());
        stream.outgoing.queue.push(data);
        self.queued = self.queued.saturating_add(count);
        self.schedule(number);
        self.settle(now);
        Ok(())
    }

    pub(crate) fn finish<'a>(
        &mut self,
        now: Instant,
        id: StreamId,
        trailers: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        self.expect_begun(id)?;
        let trailers = encode_trailers(trailers)?;
        let stream = self.expect_stream_mut(id)?;
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
                self.schedule(number);
            }
        }
        self.settle(now);
        Ok(())
    }

    /// The handler gives up. Before the head that is a 500; after it, the peer must see that it broke off. What has
    /// all been given cannot be taken back: then it is only the request that nobody reads on.
    pub(crate) fn reset(&mut self, now: Instant, id: StreamId) -> Result<(), ApiMisuse> {
        let stream = self.expect_stream(id)?;
        let (number, receives) = (stream.number, stream.life.receives());
        match stream.life.responding() {
            Responding::Owed => {
                self.write_refusal(number, 500);
                let code = receives.then_some(ErrorCode::NO_ERROR);
                self.cancel(now, number, CancelReason::BrokenOff, code);
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
        let stream = self.expect_stream_mut(id)?;
        if stream.promise == Promise::Owed {
            stream.promise = Promise::None;
            stream.life.await_peer(now);
            if stream.life.responding() == Responding::Owed {
                let number = stream.number;
                self.write_interim(number, 100, &Fields::default());
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

    /// Nobody reads the rest. The stream's window is granted no more; the connection's is for all.
    fn unwant(&mut self, now: Instant, number: Number) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let held = core::mem::take(&mut stream.held);
        stream.life.unwant();
        let id = id_of(number);
        self.events.retain(
            |event| !matches!(event, Event::Data { id: of, .. } | Event::End { id: of, .. } if *of == id),
        );
        self.consume(now, held);
        self.part(now, number);
    }

    pub(crate) fn release(&mut self, now: Instant, id: StreamId, count: usize) -> Result<(), ApiMisuse> {
        let stream = self.expect_stream_mut(id)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(stream.held);
        stream.held -= count;
        let number = stream.number;
        self.grant(number, count);
        self.consume(now, count);
        let stream = self.expect_stream_mut(id)?;
        // A window that is still shut is the handler's to open.
        if stream.promise == Promise::None && stream.kind != Kind::Connect && !stream.window.is_shut() {
            stream.life.await_peer(now);
        }
        self.settle(now);
        Ok(())
    }

    /// So much of a stream's window is free again.
    pub(super) fn grant(&mut self, number: Number, count: u32) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        if stream.life.receives()
            && stream.life.is_wanted()
            && let Some(increment) = stream.window.consume(count)
        {
            self.outbox.gather(|out| WindowUpdate { stream: number, increment }.write(out));
        }
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

    pub(crate) fn is_sent(&self, id: StreamId) -> bool {
        self.outbox.is_empty() && self.expect_stream(id).is_err()
    }

    fn expect_begun(&self, id: StreamId) -> Result<&super::Stream, ApiMisuse> {
        let stream = self.expect_stream(id)?;
        match stream.life.responding() {
            Responding::Begun { .. } => Ok(stream),
            Responding::Owed => Err(ApiMisuse::NotAnswered),
            Responding::Finishing { .. } | Responding::Ended => Err(ApiMisuse::AlreadyFinished),
        }
    }

    // Writing.

    /// The whole of a response that the connection gives by itself.
    pub(super) fn write_refusal(&mut self, number: Number, status: u16) {
        let (date, encoder, most) = (self.date, &mut self.encoder, self.peer.max_frame_size);
        self.outbox.gather(|out| {
            write_block(out, number, true, most, |out| {
                encoder.begin(out);
                encoder.status(out, status);
                encoder.field(out, b"content-length", b"0");
                if let Some(date) = &date {
                    encoder.field(out, b"date", date.as_bytes());
                }
            });
        });
    }

    fn write_interim(&mut self, number: Number, status: u16, fields: &Fields<'_>) {
        let (encoder, most) = (&mut self.encoder, self.peer.max_frame_size);
        self.outbox.gather(|out| {
            write_block(out, number, false, most, |out| {
                encoder.begin(out);
                encoder.status(out, status);
                for field in fields.iter() {
                    encoder.field(out, field.name.as_bytes(), field.value);
                }
            });
        });
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

/// The fields of a head, all of which can be sent: a block that has been begun cannot be taken back.
#[derive(Default)]
struct Fields<'a> {
    few: [Option<Field<'a>>; FEW],
    more: Vec<Field<'a>>,
    declared: Option<u64>,
    dated: bool,
}

const FEW: usize = 12;

impl<'a> Fields<'a> {
    fn gather(fields: impl IntoIterator<Item = Field<'a>>) -> Result<Self, ApiMisuse> {
        let mut gathered = Self::default();
        let mut count = 0;
        for field in fields {
            if let Some(field) = gathered.check(field)? {
                match gathered.few.get_mut(count) {
                    Some(slot) => *slot = Some(field),
                    None => gathered.more.push(field),
                }
                count += 1;
            }
        }
        Ok(gathered)
    }

    /// The field as it is to be sent, if it is. Those that speak of the connection have no place in HTTP/2 (section
    /// 8.2.2).
    fn check(&mut self, field: Field<'a>) -> Result<Option<Field<'a>>, ApiMisuse> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            4 if is("date") => self.dated = true,
            7 if is("upgrade") => return Ok(None),
            10 if is("connection") || is("keep-alive") => return Ok(None),
            14 if is("content-length") => {
                let declared = read_length(field.value)?;
                if self.declared.replace(declared).is_some_and(|before| before != declared) {
                    return Err(ApiMisuse::BadField);
                }
                return Ok(None);
            }
            16 if is("proxy-connection") => return Ok(None),
            17 if is("transfer-encoding") => return Ok(None),
            _ => {}
        }
        checked(field).map(Some)
    }

    fn iter(&self) -> impl Iterator<Item = Field<'a>> {
        self.few.iter().map_while(|field| *field).chain(self.more.iter().copied())
    }
}

/// A field that can be sent (section 8.2.1).
fn checked(field: Field<'_>) -> Result<Field<'_>, ApiMisuse> {
    let name_fits = !field.name.is_empty() && TOKEN.has_all(field.name.as_bytes());
    let breaks = field.value.iter().fold(false, |found, byte| found | matches!(byte, b'\r' | b'\n' | 0));
    if !name_fits || breaks {
        return Err(ApiMisuse::BadField);
    }
    Ok(Field { name: field.name, value: field.value.trim_ascii() })
}

/// The field block of trailers, which may have to wait for its turn: it refers to no table.
fn encode_trailers<'a>(trailers: impl IntoIterator<Item = Field<'a>>) -> Result<Option<Vec<u8>>, ApiMisuse> {
    let mut block = Vec::new();
    for field in trailers.into_iter().filter(|field| may_trail(field.name)) {
        let field = checked(field)?;
        hpack::write_standalone(&mut block, field.name.as_bytes(), field.value);
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
