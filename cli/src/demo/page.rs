//! What the app offers, and where.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use lameduck_service::{Body, DrainNotice};

use crate::demo::answer::{Answer, of_type, plain, text};
use crate::demo::content::{Chunks, Content};
use crate::demo::events::Events;

const INDEX: &str = "\
lameduck demo: an app to try a drain on

GET  /hello                  13 bytes, at once
GET  /slow/<ms>              answers after so many milliseconds
GET  /stream/<chunks>/<ms>   so many chunks, so many milliseconds apart
GET  /bytes/<n>              n bytes
GET  /sse                    an event a second; the last one tells of the drain
POST /echo                   sends the request's body back as it comes
POST /reject                 refuses the request without reading its body

Open a slow one, send the server SIGTERM, and see what happens:
  curl -i http://127.0.0.1:8080/slow/5000
";

/// A path of the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Page {
    Index,
    Hello,
    Slow { pause: Duration },
    Stream { chunks: u64, pause: Duration },
    Bytes { count: u64 },
    Events,
    Echo,
    Reject,
}

impl Page {
    /// What is at `path`.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/hello" => Some(Self::Hello),
            "/" => Some(Self::Index),
            "/echo" => Some(Self::Echo),
            "/reject" => Some(Self::Reject),
            "/sse" => Some(Self::Events),
            _ => Self::with_numbers(path),
        }
    }

    fn with_numbers(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let name = parts.next()?;
        let first = number(parts.next()?)?;
        let second = parts.next().map(number);
        match (name, second, parts.next()) {
            ("slow", None, None) => Some(Self::Slow { pause: Duration::from_millis(first) }),
            ("bytes", None, None) => Some(Self::Bytes { count: first }),
            ("stream", Some(pause), None) => {
                Some(Self::Stream { chunks: first, pause: Duration::from_millis(pause?) })
            }
            _ => None,
        }
    }

    /// Whether `method` works here.
    pub(crate) fn takes(self, method: &Method) -> bool {
        match self {
            Self::Echo | Self::Reject => *method == Method::POST,
            _ => *method == Method::GET || *method == Method::HEAD,
        }
    }

    /// The methods that work here.
    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::Echo | Self::Reject => "POST",
            _ => "GET, HEAD",
        }
    }

    /// What it answers. A body that it does not read is dropped with the request.
    pub(crate) fn answer(self, request: Request<Body>) -> Answer {
        match self {
            Self::Hello => text(StatusCode::OK, "Hello, world!").into(),
            Self::Index => text(StatusCode::OK, INDEX).into(),
            Self::Slow { pause } => {
                let said = format!("waited for {} ms\n", pause.as_millis());
                Answer::after(pause, plain(Content::Ready(Bytes::from(said))))
            }
            Self::Stream { chunks, pause } => {
                plain(Content::Chunks(Box::new(Chunks::new(chunks, pause)))).into()
            }
            Self::Bytes { count } => {
                of_type(HeaderValue::from_static("application/octet-stream"), Content::Filler(count)).into()
            }
            Self::Events => events(&request).into(),
            Self::Echo => echo(request).into(),
            Self::Reject => text(StatusCode::PAYLOAD_TOO_LARGE, "not read, whatever it is\n").into(),
        }
    }
}

/// A number as a path says it: digits, nothing else.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn echo(request: Request<Body>) -> Response<Content> {
    let named = request.headers().get(CONTENT_TYPE).cloned();
    let kind = named.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    of_type(kind, Content::Echo(request.into_body()))
}

fn events(request: &Request<Body>) -> Response<Content> {
    let Some(notice) = request.extensions().get::<DrainNotice>() else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "nobody would tell of a drain\n");
    };
    let events = Box::new(Events::new(notice.clone()));
    let mut response = of_type(HeaderValue::from_static("text/event-stream"), Content::Events(events));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_numbers_have_as_many_as_they_need_and_nothing_else() {
        let pause = Duration::from_millis(5);
        assert_eq!(Page::at("/slow/5"), Some(Page::Slow { pause }));
        assert_eq!(Page::at("/stream/3/5"), Some(Page::Stream { chunks: 3, pause }));
        assert_eq!(Page::at("/bytes/0"), Some(Page::Bytes { count: 0 }));
        for path in [
            "/slow",
            "/slow/",
            "/slow/-1",
            "/slow/+1",
            "/slow/1/2",
            "/slow/x",
            "/stream/3",
            "/stream/3/5/",
            "/x",
            "",
        ] {
            assert_eq!(Page::at(path), None, "{path}");
        }
        assert_eq!(Page::at("/bytes/99999999999999999999"), None);
    }
}
