//! Heads between the core's types and `http`'s.

use std::cell::Cell;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Uri};
use lameduck_core::{Field, RequestHead, ResponseHead, ResponseLength, Trailers, Version};

/// Makes `request` the one that `head` describes; `None`, where `http` cannot express it.
pub(crate) fn describe<B>(request: &mut Request<B>, head: &RequestHead) -> Option<()> {
    *request.method_mut() = Method::from_bytes(head.method_bytes()).ok()?;
    *request.uri_mut() = Uri::from_maybe_shared(head.target_bytes()).ok()?;
    *request.version_mut() = match head.version() {
        Version::Http10 => http::Version::HTTP_10,
        Version::Http11 => http::Version::HTTP_11,
        Version::Http2 => http::Version::HTTP_2,
    };
    *request.headers_mut() = fields(head.shared_fields())?;
    Some(())
}

/// Trailers as a map; `None`, where `http` cannot express them.
pub(crate) fn trailers(trailers: &Trailers) -> Option<HeaderMap> {
    fields(trailers.shared_fields())
}

fn fields<'a>(lines: impl ExactSizeIterator<Item = (&'a [u8], bytes::Bytes)>) -> Option<HeaderMap> {
    let mut map = SPARE.take().unwrap_or_default();
    map.reserve(lines.len());
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name).ok()?;
        map.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(map)
}

/// The largest map that is kept.
const SPARE_CAPACITY: usize = 64;

thread_local! {
    /// The map of a response that has been sent on this thread, empty: the next request has use for its memory.
    static SPARE: Cell<Option<HeaderMap>> = const { Cell::new(None) };
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
