//! The built-in app, to try a drain on.

mod answer;
mod content;
mod events;
mod page;

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::header::{ALLOW, HeaderValue};
use http::{Method, Request, StatusCode};
use lameduck_service::Body;
use tower_service::Service;

use answer::{Answer, text};
use content::Content;
use page::Page;

/// The built-in app.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demo;

impl Service<Request<Body>> for Demo {
    type Response = http::Response<Content>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let Some(page) = Page::at(request.uri().path()) else {
            return text(StatusCode::NOT_FOUND, "no such path; / lists those that there are\n").into();
        };
        let is_head = request.method() == Method::HEAD;
        if !page.takes(request.method()) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "not with this method\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(page.methods()));
            return response.into();
        }
        let answer = page.answer(request);
        if is_head { answer.without_body() } else { answer }
    }
}
