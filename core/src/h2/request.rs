//! A request, as its field block says it (RFC 9113 sections 8.2 and 8.3).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::ops::Range;

use crate::config::Limits;
use crate::event::BodyLength;
use crate::h1::head::Kind as Exchange;
use crate::h1::target::is_authority_form;
use crate::h2::field::Kind;
use crate::h2::hpack::Line;
use crate::h2::priority::Priority;
use crate::h2::streams::Promise;
use crate::head::{Control, Fields, RequestHead, Span, Trailers, Version};
use crate::recent::Recent;

/// What one field line takes beside its octets, where a head's size is counted (section 6.5.2).
const LINE_OVERHEAD: usize = 32;

/// A field block that is longer is not remembered.
const MOST_REMEMBERED: usize = 512;

/// What a head is put together in, and the last one. It is kept while the connection is busy.
#[derive(Clone, Default, Debug)]
pub(crate) struct Scratch {
    pub(crate) parts: Parts,
    /// For the decoder.
    pub(crate) strings: Vec<u8>,
    /// The last field block that changed no table, whether it ended its stream, and the request that it is for as long as
    /// the table is not changed either.
    pub(crate) recent: Option<Box<Recent<bool, Parsed, MOST_REMEMBERED>>>,
}

impl PartialEq for Scratch {
    /// What is left in it means nothing.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Scratch {}

impl Hash for Scratch {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The parts of one head.
#[derive(Clone, Default, Debug)]
pub(crate) struct Parts {
    text: Vec<u8>,
    /// Where the names and the values of the fields stand.
    lines: Vec<(Span, Span)>,
    /// The crumbs of a `cookie` (section 8.2.3).
    crumbs: Vec<Span>,
}

impl Parts {
    fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.crumbs.clear();
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bad {
    /// It is malformed: a stream error (section 8.1.1).
    Malformed,
    /// It is well-formed and answered with this status.
    Status(u16),
}

/// A request that is not served.
pub(crate) struct Rejected {
    pub(crate) bad: Bad,
    /// How long a body follows without another word of ours, as far as the head has been read.
    pub(crate) announced: Option<u64>,
    /// Whether the client waits for that word.
    pub(crate) promise: Promise,
}

/// A head that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) head: RequestHead,
    pub(crate) exchange: Exchange,
    pub(crate) body: BodyLength,
    /// How long the body is to be (section 8.1.1).
    pub(crate) expected: Option<u64>,
    pub(crate) expects_continue: bool,
    pub(crate) priority: Priority,
}

/// Puts a request's head together, line by line.
pub(crate) struct Assembler<'a> {
    parts: &'a mut Parts,
    limits: &'a Limits,
    size: usize,
    method: Option<Span>,
    scheme: Option<Span>,
    authority: Option<Span>,
    path: Option<Span>,
    protocol: Option<Span>,
    host: Option<Span>,
    length: Option<u64>,
    expects_continue: bool,
    priority: Priority,
    bad: Option<Bad>,
}

impl<'a> Assembler<'a> {
    pub(crate) fn new(parts: &'a mut Parts, limits: &'a Limits) -> Self {
        parts.clear();
        Self {
            parts,
            limits,
            size: 0,
            method: None,
            scheme: None,
            authority: None,
            path: None,
            protocol: None,
            host: None,
            length: None,
            expects_continue: false,
            priority: Priority::default(),
            bad: None,
        }
    }

    /// Takes one line. After the first that is wrong, the others only keep the decoder in step; but a client that waits
    /// for a word says so behind it too.
    pub(crate) fn add(&mut self, line: Line<'_>) {
        if self.bad.is_some() {
            self.expects_continue |= line.kind == Kind::Expect;
        } else if let Err(bad) = self.take(line) {
            self.bad = Some(bad);
        }
    }

    fn take(&mut self, line: Line<'_>) -> Result<(), Bad> {
        self.size = self.size.saturating_add(line.name.len() + line.value.len() + LINE_OVERHEAD);
        if self.size > usize::from(self.limits.head) {
            return Err(Bad::Status(431));
        }
        match line.kind {
            Kind::Method => self.pseudo(line.value, |this| &mut this.method),
            Kind::Scheme => self.pseudo(line.value, |this| &mut this.scheme),
            Kind::Authority => self.pseudo(line.value, |this| &mut this.authority),
            Kind::Protocol => self.pseudo(line.value, |this| &mut this.protocol),
            Kind::Path if line.value.len() > usize::from(self.limits.target) => Err(Bad::Status(414)),
            Kind::Path => self.pseudo(line.value, |this| &mut this.path),
            Kind::UnknownPseudo | Kind::ConnectionSpecific | Kind::BadName | Kind::BadValue => {
                Err(Bad::Malformed)
            }
            Kind::Cookie => {
                let crumb = self.write(line.value)?;
                self.parts.crumbs.push(crumb);
                Ok(())
            }
            Kind::Host if self.host.is_some() => Err(Bad::Malformed),
            Kind::Host => {
                self.host = Some(self.field(line)?.1);
                Ok(())
            }
            Kind::ContentLength => self.content_length(line),
            Kind::Expect if line.value.eq_ignore_ascii_case(b"100-continue") => {
                self.expects_continue = true;
                self.field(line).map(|_| ())
            }
            Kind::Expect => Err(Bad::Status(417)),
            Kind::Priority => {
                self.priority = Priority::parse(line.value);
                self.field(line).map(|_| ())
            }
            Kind::Te | Kind::Regular => self.field(line).map(|_| ()),
        }
    }

    /// A pseudo-header field: once, and before all others (section 8.3).
    fn pseudo(&mut self, value: &[u8], slot: impl Fn(&mut Self) -> &mut Option<Span>) -> Result<(), Bad> {
        let is_late = !self.parts.lines.is_empty() || !self.parts.crumbs.is_empty();
        if is_late || slot(self).is_some() {
            return Err(Bad::Malformed);
        }
        let span = self.write(value)?;
        *slot(self) = Some(span);
        Ok(())
    }

    /// One plain decimal number that can be counted (RFC 9110 section 8.6), once.
    fn content_length(&mut self, line: Line<'_>) -> Result<(), Bad> {
        let digits = core::str::from_utf8(line.value).map_err(|_| Bad::Malformed)?;
        let length = digits.parse().map_err(|_| Bad::Malformed)?;
        if self.length.replace(length).is_some() {
            return Err(Bad::Malformed);
        }
        self.field(line).map(|_| ())
    }

    fn field(&mut self, line: Line<'_>) -> Result<(Span, Span), Bad> {
        let most = self.limits.fields.min(Limits::FIELDS);
        if self.parts.lines.len() >= most {
            return Err(Bad::Status(431));
        }
        let text = &mut self.parts.text;
        text.reserve(line.name.len() + line.value.len());
        let spans = (write(text, line.name)?, write(text, line.value)?);
        self.parts.lines.push(spans);
        Ok(spans)
    }

    fn write(&mut self, part: &[u8]) -> Result<Span, Bad> {
        write(&mut self.parts.text, part)
    }

    /// The request, now that its block is at its end.
    pub(crate) fn conclude(self, end_stream: bool) -> Result<Parsed, Rejected> {
        let (announced, promise) = match self.expects_continue {
            true => (None, Promise::Owed),
            false => (self.length, Promise::None),
        };
        self.join(end_stream).map_err(|bad| Rejected { bad, announced, promise })
    }

    fn join(mut self, end_stream: bool) -> Result<Parsed, Bad> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        self.join_crumbs()?;
        let exchange = self.check_control()?;
        let body = self.body(exchange, end_stream)?;
        let control = Control {
            method: self.method.unwrap_or_default(),
            target: self.path.unwrap_or_default(),
            scheme: self.scheme.unwrap_or_default(),
            authority: self.authority.unwrap_or_default(),
            protocol: self.protocol.unwrap_or_default(),
        };
        let Parts { text, lines, .. } = &*self.parts;
        let fields = Fields::new(text, lines.iter().copied());
        Ok(Parsed {
            head: RequestHead::with_control(control, Version::Http2, fields),
            exchange,
            body,
            expected: self.length,
            expects_continue: self.expects_continue && !end_stream,
            priority: self.priority,
        })
    }

    /// Joins the crumbs of a cookie, for those who know one line only (section 8.2.3).
    fn join_crumbs(&mut self) -> Result<(), Bad> {
        if self.parts.crumbs.is_empty() {
            return Ok(());
        }
        let name = self.write(b"cookie")?;
        let crumbs = core::mem::take(&mut self.parts.crumbs);
        let value = match &*crumbs {
            [crumb] => *crumb,
            crumbs => self.write_crumbs(crumbs)?,
        };
        self.parts.crumbs = crumbs;
        self.parts.lines.push((name, value));
        Ok(())
    }

    fn write_crumbs(&mut self, crumbs: &[Span]) -> Result<Span, Bad> {
        let mut joined = Vec::new();
        for (at, crumb) in crumbs.iter().enumerate() {
            if at > 0 {
                joined.extend_from_slice(b"; ");
            }
            joined.extend_from_slice(part(&self.parts.text, *crumb));
        }
        self.write(&joined)
    }

    /// The control data: which of it a request must have, and what it may say (section 8.3.1; section 8.5 and RFC
    /// 8441 section 4 for CONNECT).
    fn check_control(&self) -> Result<Exchange, Bad> {
        let text = &self.parts.text;
        let value = |span: Option<Span>| span.map(|span| part(text, span));
        let method = value(self.method).ok_or(Bad::Malformed)?;
        let (scheme, path) = (value(self.scheme), value(self.path));
        let (authority, host) = (value(self.authority), value(self.host));
        let (exchange, well_formed) = match (method, self.protocol) {
            (b"CONNECT", None) => (
                Exchange::Connect,
                scheme.is_none() && path.is_none() && authority.is_some_and(is_authority_form),
            ),
            (b"CONNECT", Some(protocol)) => {
                let is_protocol = crate::h1::head::TOKEN.has_all(part(text, protocol));
                (Exchange::Connect, protocol.0 < protocol.1 && is_protocol && is_target(method, scheme, path))
            }
            (_, Some(_)) => (Exchange::Plain, false),
            (b"HEAD", None) => (Exchange::Head, is_target(method, scheme, path)),
            (_, None) => (Exchange::Plain, is_target(method, scheme, path)),
        };
        let names_one_host = match (authority, host) {
            (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
            (None, None) => false,
            _ => true,
        };
        if well_formed && names_one_host { Ok(exchange) } else { Err(Bad::Malformed) }
    }

    fn body(&self, exchange: Exchange, end_stream: bool) -> Result<BodyLength, Bad> {
        match (exchange, self.length, end_stream) {
            (Exchange::Connect, Some(_), _) => Err(Bad::Malformed),
            (_, Some(1..), true) => Err(Bad::Malformed),
            (_, _, true) => Ok(BodyLength::Empty),
            (_, Some(length), false) if self.limits.body.is_some_and(|most| length > most) => {
                Err(Bad::Status(413))
            }
            (_, Some(length @ 1..), false) => Ok(BodyLength::Known(length)),
            (_, Some(0) | None, false) => Ok(BodyLength::Unknown),
        }
    }
}

/// A scheme, and a path that goes with the method.
fn is_target(method: &[u8], scheme: Option<&[u8]>, path: Option<&[u8]>) -> bool {
    scheme.is_some() && path.is_some_and(|path| path != b"*" || method == b"OPTIONS")
}

/// Puts trailers together (section 8.1): fields, and no pseudo-header field.
pub(crate) struct TrailerAssembler<'a>(Assembler<'a>);

impl<'a> TrailerAssembler<'a> {
    pub(crate) fn new(parts: &'a mut Parts, limits: &'a Limits) -> Self {
        Self(Assembler::new(parts, limits))
    }

    pub(crate) fn add(&mut self, line: Line<'_>) {
        let Self(assembler) = self;
        assembler.size = assembler.size.saturating_add(line.name.len() + line.value.len() + LINE_OVERHEAD);
        let result = match line.kind {
            Kind::Method
            | Kind::Scheme
            | Kind::Authority
            | Kind::Path
            | Kind::Protocol
            | Kind::UnknownPseudo
            | Kind::ConnectionSpecific
            | Kind::BadName
            | Kind::BadValue => Err(Bad::Malformed),
            _ if assembler.size > usize::from(assembler.limits.head) => Err(Bad::Malformed),
            _ if !crate::h1::body::may_trail(core::str::from_utf8(line.name).unwrap_or("")) => Ok(()),
            _ => assembler.field(line).map(|_| ()),
        };
        if result.is_err() {
            assembler.bad = Some(Bad::Malformed);
        }
    }

    /// The trailers, where there are any.
    pub(crate) fn conclude(self) -> Result<Option<Trailers>, Bad> {
        let Self(assembler) = self;
        if let Some(bad) = assembler.bad {
            return Err(bad);
        }
        let Parts { text, lines, .. } = &*assembler.parts;
        Ok((!lines.is_empty()).then(|| Trailers(Fields::new(text, lines.iter().copied()))))
    }
}

/// Writes `part` at the end of `text`; where it stands.
#[inline]
fn write(text: &mut Vec<u8>, part: &[u8]) -> Result<Span, Bad> {
    let start = text.len();
    text.extend_from_slice(part);
    // The end is no smaller than the start.
    match u16::try_from(text.len()) {
        Ok(end) => Ok((start as u16, end)),
        Err(_) => Err(Bad::Status(431)),
    }
}

fn part(text: &[u8], (start, end): Span) -> &[u8] {
    text.get(Range { start: usize::from(start), end: usize::from(end) }).unwrap_or(&[])
}
