//! A response as it goes out (RFC 9112 sections 4 to 7).

use alloc::vec::Vec;
use bytes::Bytes;

use crate::error::ApiMisuse;
use crate::h1::body::may_trail;
use crate::h1::framing::list;
use crate::h1::head::{Kind, TOKEN};
use crate::head::{Date, Field, ResponseLength, Version};
use crate::lifecycle::http1::Persistence;
use crate::outbox::Outbox;

/// How the body that is being sent is delimited.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Encoder {
    /// There is none; what the handler gives is left out.
    #[default]
    Bodiless,
    /// So many bytes are still to be given.
    Length(u64),
    Chunked,
    /// As it is, until the connection ends: a body for HTTP/1.0, or a tunnel.
    Raw,
}

impl Encoder {
    /// Queues a piece of the body.
    pub(crate) fn send(&mut self, out: &mut Outbox, data: Bytes) -> Result<(), ApiMisuse> {
        if data.is_empty() {
            return Ok(());
        }
        match self {
            Self::Bodiless => {}
            Self::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(ApiMisuse::BodyTooLong)?;
                out.push(data);
            }
            Self::Chunked => {
                out.gather(|text| write_hex_line(text, data.len()));
                out.push(data);
                out.gather(|text| text.extend_from_slice(b"\r\n"));
            }
            Self::Raw => out.push(data),
        }
        Ok(())
    }

    /// Queues what ends the body. Trailers are left out where the framing has no place for them, and where
    /// they would come too late.
    pub(crate) fn finish<'a>(
        &mut self,
        out: &mut Outbox,
        trailers: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<(), ApiMisuse> {
        match self {
            Self::Length(0) | Self::Bodiless | Self::Raw => Ok(()),
            Self::Length(_) => Err(ApiMisuse::BodyTooShort),
            Self::Chunked => out.gather(|text| {
                let start = text.len();
                text.extend_from_slice(b"0\r\n");
                for field in trailers.into_iter().filter(|field| may_trail(field.name)) {
                    write_field(text, field).inspect_err(|_| text.truncate(start))?;
                }
                text.extend_from_slice(b"\r\n");
                Ok(())
            }),
        }
    }
}

/// What the request says of the response to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    pub(crate) version: Version,
}

/// What the handler's fields say that the connection has to act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    /// The value of `content-length`.
    declared: Option<u64>,
    /// Whether `connection` has the option `close`.
    pub(crate) persistence: Persistence,
    dated: bool,
}

/// Writes the status line and the handler's fields.
pub(crate) fn write_handlers_part<'a>(
    text: &mut Vec<u8>,
    status: u16,
    fields: impl IntoIterator<Item = Field<'a>>,
) -> Result<Heard, ApiMisuse> {
    write_status_line(text, status);
    let mut heard = Heard { declared: None, persistence: Persistence::Keep, dated: false };
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            4 if is("date") => {
                heard.dated = true;
                write_field(text, field)?;
            }
            7 if is("upgrade") => {
                if matches!(status, 101 | 426) {
                    write_field(text, field)?;
                }
            }
            10 if is("keep-alive") => {}
            10 if is("connection") => {
                if list(field.value).any(|option| option.eq_ignore_ascii_case(b"close")) {
                    heard.persistence = Persistence::Close;
                }
            }
            14 if is("content-length") => {
                let declared = read_length(field.value)?;
                if heard.declared.replace(declared).is_some_and(|before| before != declared) {
                    return Err(ApiMisuse::BadField);
                }
            }
            16 if is("proxy-connection") => {}
            17 if is("transfer-encoding") => {}
            _ => write_field(text, field)?,
        }
    }
    Ok(heard)
}

/// RFC 9110 section 8.6: decimal digits and nothing else.
fn read_length(value: &[u8]) -> Result<u64, ApiMisuse> {
    let digits =
        core::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(ApiMisuse::BadField)
}

/// How the body is framed (RFC 9112 section 6.3), and whether that alone ends the connection.
pub(crate) fn frame(asked: Asked, status: u16, length: ResponseLength, heard: Heard) -> Frame {
    let length = match length {
        ResponseLength::Known(length) => Some(length),
        ResponseLength::Unknown => heard.declared,
    };
    match (asked.kind, status) {
        (Kind::Upgrade, 101) => Frame::Tunnel,
        (Kind::Connect, 200..=299) => Frame::Tunnel,
        (_, 204) => Frame::Bodiless { length: None },
        (_, 304) => Frame::Bodiless { length: heard.declared },
        (Kind::Head, _) => Frame::Bodiless { length: heard.declared.or(length.filter(|length| *length > 0)) },
        _ => match (length, asked.version) {
            (Some(length), _) => Frame::Length(length),
            (None, Version::Http11 | Version::Http2) => Frame::Chunked,
            (None, Version::Http10) => Frame::UntilClose,
        },
    }
}

/// The framing of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    /// No body, whatever `length` says that there could have been.
    Bodiless {
        length: Option<u64>,
    },
    Length(u64),
    Chunked,
    UntilClose,
    Tunnel,
}

impl Frame {
    pub(crate) fn encoder(self) -> Encoder {
        match self {
            Self::Bodiless { .. } => Encoder::Bodiless,
            Self::Length(length) => Encoder::Length(length),
            Self::Chunked => Encoder::Chunked,
            Self::UntilClose | Self::Tunnel => Encoder::Raw,
        }
    }

    pub(crate) fn persistence(self) -> Persistence {
        match self {
            Self::UntilClose => Persistence::Close,
            _ => Persistence::Keep,
        }
    }
}

/// Writes the fields that are the connection's own, and the end of the head.
pub(crate) fn write_connections_part(
    text: &mut Vec<u8>,
    asked: Asked,
    status: u16,
    frame: Frame,
    said: Persistence,
    date: Option<Date>,
    heard: Heard,
) {
    match frame {
        Frame::Length(length) | Frame::Bodiless { length: Some(length) } => write_length(text, length),
        Frame::Chunked => text.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Frame::Bodiless { length: None } | Frame::UntilClose | Frame::Tunnel => {}
    }
    text.extend_from_slice(match (frame, status, said, asked.version) {
        (Frame::Tunnel, 101, _, _) => b"connection: upgrade\r\n",
        (Frame::Tunnel, _, _, _) => b"",
        (_, 426, Persistence::Close, _) => b"connection: upgrade, close\r\n",
        (_, 426, Persistence::Keep, _) => b"connection: upgrade\r\n",
        (_, _, Persistence::Close, _) => b"connection: close\r\n",
        (_, _, Persistence::Keep, Version::Http10) => b"connection: keep-alive\r\n",
        (_, _, Persistence::Keep, Version::Http11 | Version::Http2) => b"",
    });
    if !heard.dated {
        write_date(text, date);
    }
    text.extend_from_slice(b"\r\n");
}

/// The whole of a response that the connection gives by itself; it is the last one.
pub(crate) fn write_refusal(text: &mut Vec<u8>, status: u16, date: Option<Date>) {
    write_status_line(text, status);
    text.extend_from_slice(b"content-length: 0\r\nconnection: close\r\n");
    if status == 503 {
        text.extend_from_slice(b"retry-after: 1\r\n");
    }
    write_date(text, date);
    text.extend_from_slice(b"\r\n");
}

/// An interim response (RFC 9110 section 15.2). It is not framed (RFC 9112 section 6.1, RFC 9110 section 8.6)
/// and does not speak for the transport.
pub(crate) fn write_interim<'a>(
    text: &mut Vec<u8>,
    status: u16,
    fields: impl IntoIterator<Item = Field<'a>>,
) -> Result<(), ApiMisuse> {
    write_status_line(text, status);
    for field in fields.into_iter().filter(|field| !is_connections_own(field.name)) {
        write_field(text, field)?;
    }
    text.extend_from_slice(b"\r\n");
    Ok(())
}

fn is_connections_own(name: &str) -> bool {
    const OWN: [&str; 6] =
        ["connection", "content-length", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

fn write_status_line(text: &mut Vec<u8>, status: u16) {
    if status == 200 {
        return text.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    text.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(text, u64::from(status));
    text.push(b' ');
    text.extend_from_slice(reason_phrase(status).as_bytes());
    text.extend_from_slice(b"\r\n");
}

fn write_length(text: &mut Vec<u8>, length: u64) {
    text.extend_from_slice(b"content-length: ");
    write_decimal(text, length);
    text.extend_from_slice(b"\r\n");
}

fn write_date(text: &mut Vec<u8>, date: Option<Date>) {
    if let Some(date) = date {
        text.extend_from_slice(b"date: ");
        text.extend_from_slice(date.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
}

/// Writes a field line; refuses one that would be read as something else (RFC 9110 section 5.5).
fn write_field(text: &mut Vec<u8>, field: Field<'_>) -> Result<(), ApiMisuse> {
    let name_fits = !field.name.is_empty() && TOKEN.has_all(field.name.as_bytes());
    // Without a way out: so it is done sixteen bytes at a step, and short values are the most.
    let breaks = field.value.iter().fold(false, |found, byte| found | matches!(byte, b'\r' | b'\n' | 0));
    if !name_fits || breaks {
        return Err(ApiMisuse::BadField);
    }
    text.extend_from_slice(field.name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(field.value);
    text.extend_from_slice(b"\r\n");
    Ok(())
}

fn write_decimal(text: &mut Vec<u8>, number: u64) {
    write_number::<10>(text, number);
}

fn write_hex_line(text: &mut Vec<u8>, number: usize) {
    write_number::<16>(text, number as u64);
    text.extend_from_slice(b"\r\n");
}

fn write_number<const BASE: u64>(text: &mut Vec<u8>, mut number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = DIGITS[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            return text.extend_from_slice(&digits[first..]);
        }
    }
}

/// RFC 9110 section 15. The phrase of another status is empty: clients do not read it.
fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
