//! The handler of the servers that are compared as libraries.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::runtime::Handle;

/// What `/bytes/<n>` answers the first `n` bytes of.
static CONTENT: [u8; 1024 * 1024] = [b'x'; 1024 * 1024];

/// How long `/work` waits before it computes.
const PAUSE: Duration = Duration::from_millis(2);

/// The CPU time that `/work` computes for.
const WORK: Duration = Duration::from_micros(200);

type Answer = Response<Full<Bytes>>;

/// Answers `/hello` with `Hello, world!`, `/bytes/<n>` with so many bytes, `/upload` with the length of the
/// request's body, and `/work`, which needs tokio's timer, after a wait and some computing.
///
/// # Errors
/// None.
pub async fn handle<B: Body>(request: Request<B>) -> Result<Answer, Infallible> {
    // The long ones are boxed so that the short ones, which are counted in nanoseconds, stay small.
    Ok(match request.uri().path() {
        "/hello" => text(Bytes::from_static(b"Hello, world!")),
        "/upload" => Box::pin(upload(request.into_body())).await,
        "/work" => Box::pin(work()).await,
        path => content(path),
    })
}

fn text(body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn refusal(status: StatusCode) -> Answer {
    let mut response = text(Bytes::new());
    *response.status_mut() = status;
    response
}

fn content(path: &str) -> Answer {
    let count = path.strip_prefix("/bytes/").and_then(|count| count.parse::<usize>().ok());
    match count.and_then(|count| CONTENT.get(..count)) {
        Some(bytes) => text(Bytes::from_static(bytes)),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

/// Reads the body as it comes, and keeps nothing of it.
async fn upload(body: impl Body) -> Answer {
    let mut body = pin!(body);
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return refusal(StatusCode::BAD_REQUEST);
        };
        length += frame.data_ref().map_or(0, Buf::remaining);
    }
    text(Bytes::from(length.to_string()))
}

/// Waits, as for a database, then computes.
async fn work() -> Answer {
    if Handle::try_current().is_err() {
        return refusal(StatusCode::NOT_IMPLEMENTED);
    }
    tokio::time::sleep(PAUSE).await;
    text(Bytes::from(compute().to_string()))
}

/// Keeps the CPU busy. It is CPU time that counts: a thread that has to wait for its core computes no less.
fn compute() -> u64 {
    let start = cpu_time();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    while cpu_time() - start < WORK {
        for byte in 0..=u8::MAX {
            hash = black_box((hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        }
    }
    hash
}

/// What this thread has used so far.
fn cpu_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    Duration::from_secs(tv_sec.unsigned_abs()) + Duration::from_nanos(tv_nsec.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(path: &str, body: &'static [u8]) -> (StatusCode, Bytes) {
        let request = Request::builder().uri(path).body(Full::new(Bytes::from_static(body))).unwrap();
        let Ok(response) = handle(request).await;
        (response.status(), response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn every_path_answers_what_it_says() {
        assert_eq!(answer("/hello", b"").await, (StatusCode::OK, Bytes::from_static(b"Hello, world!")));
        assert_eq!(answer("/upload", b"four").await, (StatusCode::OK, Bytes::from_static(b"4")));
        let (status, body) = answer("/bytes/1048576", b"").await;
        assert_eq!((status, body.len()), (StatusCode::OK, 1024 * 1024));
        for absent in ["/bytes/1048577", "/bytes/-1", "/bytes/", "/"] {
            assert_eq!(answer(absent, b"").await.0, StatusCode::NOT_FOUND, "{absent}");
        }
    }

    #[tokio::test]
    async fn work_takes_its_pause_and_its_time_on_the_cpu() {
        let (start, used) = (std::time::Instant::now(), cpu_time());
        assert_eq!(answer("/work", b"").await.0, StatusCode::OK);
        assert!(start.elapsed() >= PAUSE);
        assert!(cpu_time() - used >= WORK);
    }
}
