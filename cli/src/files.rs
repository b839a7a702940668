//! The files of a directory.

mod beneath;

use std::convert::Infallible;
use std::io;
use std::path::{self, Path};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{Request, Response, StatusCode};
use lameduck_service::Body;
use tower_http::services::ServeDir;
use tower_http::services::fs::{DefaultServeDirFallback, ServeFileSystemResponseBody};
use tower_service::Service;

use crate::exit::Failure;
use beneath::Beneath;

/// Serves the files of a directory, and nothing that is outside it.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    directory: ServeDir<DefaultServeDirFallback, Beneath>,
}

type Answer = Response<ServeFileSystemResponseBody>;

impl Files {
    /// The files of `directory`.
    pub(crate) fn of(directory: &Path) -> Result<Self, Failure> {
        let fail = |cause| Failure::Directory(directory.to_owned(), cause);
        let root = path::absolute(directory).map_err(fail)?;
        if !root.metadata().map_err(fail)?.is_dir() {
            return Err(fail(io::ErrorKind::NotADirectory.into()));
        }
        // Paths come to `Beneath` as the request has them: relative to the directory.
        let directory = ServeDir::with_backend("", Beneath::new(root)).ignore_multi_range_requests(true);
        Ok(Self { directory })
    }
}

impl Service<Request<Body>> for Files {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Nothing here reads a request's body.
        Box::pin(self.clone().answer(request.map(drop)))
    }
}

impl Files {
    async fn answer(mut self, request: Request<()>) -> Result<Answer, Infallible> {
        if request.uri().path().starts_with("//") {
            // A redirect to such a path would lead to another host.
            let mut answer = Response::new(ServeFileSystemResponseBody::default());
            *answer.status_mut() = StatusCode::NOT_FOUND;
            return Ok(answer);
        }
        let condition = request.headers().get(IF_RANGE).cloned();
        let Some(condition) = condition.filter(|_| request.headers().contains_key(RANGE)) else {
            return self.directory.call(request).await;
        };
        let mut whole = request.clone();
        whole.headers_mut().remove(RANGE);
        let answer = self.directory.call(request).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
                if !is_unchanged(&condition, answer.headers()) =>
            {
                self.directory.call(whole).await
            }
            _ => Ok(answer),
        }
    }
}

/// Whether what `if-range` names is what is served (RFC 9110 section 13.1.5).
fn is_unchanged(condition: &HeaderValue, fields: &HeaderMap) -> bool {
    [ETAG, LAST_MODIFIED].into_iter().any(|name| fields.get(name) == Some(condition))
}
