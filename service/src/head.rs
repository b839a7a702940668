//! Heads between the core's types and `http`'s.

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Uri};
use lameduck_core::{Field, RequestHead, ResponseHead, ResponseLength, Trailers, Version};

/// The request that `head` describes; `None`, where `http` cannot express it.
pub(crate) fn request<B>(head: &RequestHead, body: B) -> Option<Request<B>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(head.method().as_bytes()).ok()?;
    *request.uri_mut() = Uri::from_maybe_shared(head.target_bytes()).ok()?;
    *request.version_mut() = match head.version() {
        Version::Http10 => http::Version::HTTP_10,
        Version::Http11 => http::Version::HTTP_11,
    };
    *request.headers_mut() = fields(head.shared_fields())?;
    Some(request)
}

/// Trailers as a map; `None`, where `http` cannot express them.
pub(crate) fn trailers(trailers: &Trailers) -> Option<HeaderMap> {
    fields(trailers.shared_fields())
}

fn fields<'a>(lines: impl ExactSizeIterator<Item = (&'a [u8], bytes::Bytes)>) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(lines.len());
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name).ok()?;
        map.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(map)
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
