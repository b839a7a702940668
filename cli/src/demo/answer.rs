//! Answers of the app: most are ready at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use tokio::time::Sleep;

use crate::demo::content::Content;

/// A response that is ready, now or in a while.
pub(crate) struct Answer {
    /// What it waits for.
    pause: Option<Pin<Box<Sleep>>>,
    /// Taken when the answer is given.
    response: Option<Response<Content>>,
}

impl Answer {
    /// `response`, after a pause.
    pub(crate) fn after(pause: Duration, response: Response<Content>) -> Self {
        Self { pause: Some(Box::pin(tokio::time::sleep(pause))), response: Some(response) }
    }

    /// The same for HEAD: the length of the body is told where it is known, its bytes are not made.
    pub(crate) fn without_body(mut self) -> Self {
        if let Some(response) = &mut self.response {
            let body = std::mem::replace(response.body_mut(), Content::Ready(Bytes::new()));
            if let Some(length) = body.size_hint().exact() {
                response.headers_mut().insert(CONTENT_LENGTH, length.into());
            }
        }
        self
    }
}

impl From<Response<Content>> for Answer {
    fn from(response: Response<Content>) -> Self {
        Self { pause: None, response: Some(response) }
    }
}

impl Future for Answer {
    type Output = Result<Response<Content>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let response = self.response.take().expect("a future is not polled after it was ready");
        Poll::Ready(Ok(response))
    }
}

/// A response that says `words`.
pub(crate) fn text(status: StatusCode, words: &'static str) -> Response<Content> {
    let mut response = plain(Content::Ready(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response
}

/// A response of plain text.
pub(crate) fn plain(content: Content) -> Response<Content> {
    of_type(HeaderValue::from_static("text/plain"), content)
}

/// A response of some type.
pub(crate) fn of_type(kind: HeaderValue, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    // A map that grows by itself starts with room for more than there will be.
    *response.headers_mut() = HeaderMap::with_capacity(1);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
