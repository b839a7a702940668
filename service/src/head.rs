//! Heads between the core's types and `http`'s.

use std::cell::Cell;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, Uri};
use lameduck_core::{Field, RequestHead, ResponseHead, ResponseLength, SharedField, Trailers, Version};

use crate::known;

/// What a request may come to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// A response.
    #[default]
    Plain,
    /// A tunnel: it is a CONNECT, or offers an upgrade.
    Tunnel,
}

impl Form {
    /// The same, where it has a field of this name too.
    pub(crate) fn with(self, name: &HeaderName) -> Self {
        if *name == header::UPGRADE { Self::Tunnel } else { self }
    }
}

/// Makes `request` the one that `head` describes; `None`, where `http` cannot express it.
pub(crate) fn describe<B>(request: &mut Request<B>, head: &RequestHead) -> Option<Form> {
    let method = Method::from_bytes(head.method_bytes()).ok()?;
    let (fields, upgrade) = known::fields(head.shared_fields())?;
    *request.uri_mut() = match head.version() {
        Version::Http10 | Version::Http11 => origin_or_any(head.target_bytes())?,
        Version::Http2 => {
            let asked = Asked { scheme: head.scheme_bytes(), authority: head.authority_bytes() };
            match (&method, head.protocol()) {
                (&Method::CONNECT, None) => asked.alone()?,
                _ => asked.with(head.target_bytes())?,
            }
        }
    };
    *request.version_mut() = match head.version() {
        Version::Http10 => http::Version::HTTP_10,
        Version::Http11 => http::Version::HTTP_11,
        Version::Http2 => http::Version::HTTP_2,
    };
    *request.headers_mut() = fields;
    let form = if method == Method::CONNECT { Form::Tunnel } else { upgrade };
    *request.method_mut() = method;
    Some(form)
}

/// Makes `to`, whose fields are none yet, the request that `from` is, but for its body and its extensions.
pub(crate) fn copy<A, B>(from: &Request<A>, to: &mut Request<B>) {
    to.method_mut().clone_from(from.method());
    to.uri_mut().clone_from(from.uri());
    *to.version_mut() = from.version();
    *to.headers_mut() = known::copy(from.headers());
}

/// A target of HTTP/1, mostly a path.
fn origin_or_any(target: Bytes) -> Option<Uri> {
    match target.first() {
        Some(b'/') => PathAndQuery::from_maybe_shared(target).ok().map(Uri::from),
        _ => Uri::from_maybe_shared(target).ok(),
    }
}

/// What HTTP/2 says beside the path (RFC 9113 section 8.3.1).
struct Asked {
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
}

impl Asked {
    /// The target of a CONNECT: an authority.
    fn alone(self) -> Option<Uri> {
        self.authority.as_ref().and_then(authority).map(Uri::from)
    }

    /// The absolute form; without an authority, what HTTP/1 would have said.
    fn with(self, path: Bytes) -> Option<Uri> {
        let Some(authority) = self.authority.filter(|authority| !authority.is_empty()) else {
            return origin_or_any(path);
        };
        let mut parts = uri::Parts::default();
        parts.scheme = Some(match self.scheme.as_deref() {
            Some(b"https") => Scheme::HTTPS,
            Some(b"http") | None => Scheme::HTTP,
            Some(other) => Scheme::try_from(other).ok()?,
        });
        parts.authority = Some(self::authority(&authority)?);
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(path).ok()?);
        Uri::from_parts(parts).ok()
    }
}

thread_local! {
    /// The authority of the last request on this thread: the next one's is mostly the same.
    static AUTHORITY: Cell<Option<Authority>> = const { Cell::new(None) };
}

fn authority(bytes: &Bytes) -> Option<Authority> {
    let authority = match AUTHORITY.take().filter(|last| last.as_str().as_bytes() == &bytes[..]) {
        Some(last) => last,
        // Copied: it is kept for longer than the head that it stands in.
        None => Authority::from_maybe_shared(Bytes::copy_from_slice(bytes)).ok()?,
    };
    AUTHORITY.set(Some(authority.clone()));
    Some(authority)
}

/// Trailers as a map; `None`, where `http` cannot express them.
pub(crate) fn trailers(trailers: &Trailers) -> Option<HeaderMap> {
    fields(trailers.shared_fields()).map(|(fields, _)| fields)
}

/// Field lines as a map, and whether an upgrade is offered among them; `None`, where `http` cannot express them.
pub(crate) fn fields<'a>(lines: impl ExactSizeIterator<Item = SharedField<'a>>) -> Option<(HeaderMap, Form)> {
    let mut map = spare_map(lines.len());
    let mut form = Form::Plain;
    for line in lines {
        let (name, value) = field(&line)?;
        form = form.with(&name);
        map.append(name, value);
    }
    Some((map, form))
}

pub(crate) fn field(line: &SharedField<'_>) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(line.name()).ok()?;
    Some((name, HeaderValue::from_maybe_shared(line.share_value()).ok()?))
}

/// The largest map that is kept.
const SPARE_CAPACITY: usize = 64;

thread_local! {
    /// The map of a response that has been sent on this thread, empty: the next request has use for its memory.
    static SPARE: Cell<Option<HeaderMap>> = const { Cell::new(None) };
}

/// A map with room for so many fields.
pub(crate) fn spare_map(count: usize) -> HeaderMap {
    let mut map = SPARE.take().unwrap_or_default();
    if map.capacity() < count {
        map.reserve(count);
    }
    map
}

/// Takes a map that is not needed any more.
pub(crate) fn recycle(mut map: HeaderMap) {
    if (1..=SPARE_CAPACITY).contains(&map.capacity()) {
        map.clear();
        SPARE.set(Some(map));
    }
}

/// The head of `response`, whose body has this length.
pub(crate) fn response<B>(
    response: &Response<B>,
    length: ResponseLength,
) -> ResponseHead<impl Iterator<Item = Field<'_>>> {
    ResponseHead { status: response.status().as_u16(), fields: lines(response.headers()), length }
}

/// The field lines of a map.
pub(crate) fn lines(map: &HeaderMap) -> impl Iterator<Item = Field<'_>> {
    map.iter().map(|(name, value)| Field { name: name.as_str(), value: value.as_bytes() })
}

#[cfg(test)]
pub(crate) mod tests;
