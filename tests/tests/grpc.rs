//! gRPC: a service and a client of tonic, on every shell. The service is what tonic's own server would run.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use lameduck_core::{CloseReason, Config};
use lameduck_service::DrainNotice;
use lameduck_tests::handlers::{Latch, block_on, telling};
use lameduck_tests::on_every_shell;
use lameduck_tests::shells::{Running, Setup, Shell};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;
use tower_service::Service;

on_every_shell!(
    a_call_of_each_kind_is_answered,
    metadata_and_large_messages_go_both_ways,
    both_sides_of_a_stream_talk_in_turns,
    an_error_is_trailers_only_or_trailers,
    a_deadline_reaches_the_server_and_cancels_there,
    a_server_that_keeps_to_a_deadline_says_so,
    calls_of_each_kind_outlive_the_cutoff_of_a_drain,
    a_stream_without_an_end_is_told_of_the_drain_and_says_so,
    what_is_left_at_the_deadline_is_cancelled_and_named,
    busy_callers_lose_nothing,
);

/// The one message of this service, as a compiler of protocol buffers would have it.
#[derive(Clone, PartialEq, prost::Message)]
struct Words {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint64, tag = "2")]
    number: u64,
}

fn words(text: impl Into<String>, number: u64) -> Words {
    Words { text: text.into(), number }
}

type Answers = Pin<Box<dyn Stream<Item = Result<Words, Status>> + Send>>;

/// The service. What it is told lies open to its test.
#[derive(Clone, Default)]
struct Talk(Arc<Told>);

#[derive(Default)]
struct Told {
    calls: AtomicUsize,
    waits: Latch,
    go_on: Latch,
    dropped: Latch,
    fields: Mutex<BTreeMap<String, String>>,
}

impl Talk {
    /// One answer to one message. It is in capitals; silence is an error.
    async fn say(self, request: Request<Words>) -> Result<Response<Words>, Status> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let seal = request.metadata().get_bin("seal-bin").cloned();
        let said = request.into_inner();
        if said.text.is_empty() {
            let details = Bytes::from_static(b"\0details\xff");
            return Err(Status::with_details(Code::InvalidArgument, "nothing was said: ä", details));
        }
        let mut response = Response::new(words(said.text.to_uppercase(), said.number + 1));
        if let Some(seal) = seal {
            response.metadata_mut().insert_bin("seal-bin", seal);
        }
        Ok(response)
    }

    /// One answer, when the test lets it.
    async fn wait(self, request: Request<Words>) -> Result<Response<Words>, Status> {
        let _dropped = self.0.dropped.on_drop();
        self.hold(&request).await;
        Ok(Response::new(request.into_inner()))
    }

    /// One answer, which comes too late: the caller's time is over when the test says so.
    async fn nap(self, request: Request<Words>) -> Result<Response<Words>, Status> {
        self.hold(&request).await;
        Err(Status::deadline_exceeded("slept too long"))
    }

    /// Notes how long the caller waits, until the test lets the call go on.
    async fn hold(&self, request: &Request<Words>) {
        if let Some(timeout) = request.metadata().get("grpc-timeout") {
            let timeout = timeout.to_str().expect("it is ASCII").to_owned();
            self.0.fields.lock().unwrap().insert("grpc-timeout".into(), timeout);
        }
        telling(&self.0.waits, self.0.go_on.wait()).await;
    }

    /// One answer to many messages: their sum.
    async fn sum(self, request: Request<Streaming<Words>>) -> Result<Response<Words>, Status> {
        let mut said = request.into_inner();
        let (mut text, mut sum) = (String::new(), 0);
        while let Some(words) = said.message().await? {
            text += &words.text;
            sum += words.number;
        }
        Ok(Response::new(words(text, sum)))
    }

    /// Many answers to one message: so many as it says, and an error where it wants one.
    async fn count(self, request: Request<Words>) -> Result<Response<Answers>, Status> {
        let said = request.into_inner();
        let wants_error = said.text == "fail";
        if wants_error && said.number == 0 {
            return Err(Status::not_found("not even one"));
        }
        let numbers = (1..=said.number).map(|number| Ok(words("", number)));
        let error = wants_error.then(|| Err(Status::data_loss("no more")));
        Ok(Response::new(Box::pin(tokio_stream::iter(numbers.chain(error)))))
    }

    /// Many answers to many messages, each in its turn.
    async fn chat(self, request: Request<Streaming<Words>>) -> Result<Response<Answers>, Status> {
        let said = request.into_inner();
        Ok(Response::new(Box::pin(
            said.map(|said| said.map(|said| words(said.text.to_uppercase(), said.number + 1))),
        )))
    }

    /// Answers that do not end by themselves: it says so when the server drains.
    async fn watch(self, request: Request<Words>) -> Result<Response<Answers>, Status> {
        let notice = request.extensions().get::<DrainNotice>().expect("every request carries it").clone();
        let (sender, answers) = mpsc::unbounded_channel();
        let _ = sender.send(Ok(words("begun", 0)));
        thread::spawn(move || {
            block_on(notice.started());
            let _ = sender.send(Err(Status::unavailable("the server drains")));
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(answers))))
    }
}

impl NamedService for Talk {
    const NAME: &'static str = "talk.Talk";
}

/// As `tonic-build` writes it.
impl<B> Service<http::Request<B>> for Talk
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<tonic::codegen::StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = tonic::codegen::BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let talk = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Words, Words>::default());
            let path = request.uri().path().to_owned();
            Ok(match path.as_str() {
                "/talk.Talk/Say" => grpc.unary(service_fn(|said| talk.clone().say(said)), request).await,
                "/talk.Talk/Wait" => grpc.unary(service_fn(|said| talk.clone().wait(said)), request).await,
                "/talk.Talk/Nap" => grpc.unary(service_fn(|said| talk.clone().nap(said)), request).await,
                "/talk.Talk/Sum" => {
                    grpc.client_streaming(service_fn(|said| talk.clone().sum(said)), request).await
                }
                "/talk.Talk/Count" => {
                    grpc.server_streaming(service_fn(|said| talk.clone().count(said)), request).await
                }
                "/talk.Talk/Chat" => {
                    grpc.streaming(service_fn(|said| talk.clone().chat(said)), request).await
                }
                "/talk.Talk/Watch" => {
                    grpc.server_streaming(service_fn(|said| talk.clone().watch(said)), request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// The client, as `tonic-build` writes it too.
#[derive(Clone)]
struct Client(tonic::client::Grpc<Channel>);

impl Client {
    async fn connect(server: &Running) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).expect("it is a URI");
        Self(tonic::client::Grpc::new(endpoint.connect().await.expect("the server listens")))
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }

    async fn unary(&mut self, method: &str, request: Request<Words>) -> Result<Response<Words>, Status> {
        self.ready().await?;
        self.0.unary(request, path(method), codec()).await
    }

    async fn sum(&mut self, said: impl Stream<Item = Words> + Send + 'static) -> Result<Words, Status> {
        self.ready().await?;
        let response = self.0.client_streaming(Request::new(said), path("Sum"), codec()).await?;
        Ok(response.into_inner())
    }

    async fn server_streaming(&mut self, method: &str, said: Words) -> Result<Streaming<Words>, Status> {
        self.ready().await?;
        let response = self.0.server_streaming(Request::new(said), path(method), codec()).await?;
        Ok(response.into_inner())
    }

    async fn chat(
        &mut self,
        said: impl Stream<Item = Words> + Send + 'static,
    ) -> Result<Streaming<Words>, Status> {
        self.ready().await?;
        let response = self.0.streaming(Request::new(said), path("Chat"), codec()).await?;
        Ok(response.into_inner())
    }
}

fn path(method: &str) -> PathAndQuery {
    format!("/{}/{method}", Talk::NAME).parse().expect("it is a path")
}

fn codec() -> ProstCodec<Words, Words> {
    ProstCodec::default()
}

/// Runs a client on this thread.
fn run<F: Future>(client: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(client)
}

/// Waits for a latch beside a client that goes on.
async fn opened(latch: &Latch, what: &'static str) {
    let latch = latch.clone();
    tokio::task::spawn_blocking(move || latch.block(what)).await.expect("it opens");
}

fn start(shell: Shell) -> (Running, Talk) {
    let setup = Setup { config: Config::default(), ..Setup::default() };
    let talk = Talk::default();
    (setup.start(shell, Routes::new(talk.clone())), talk)
}

/// Ends a server whose clients are gone.
#[track_caller]
fn end(server: Running, served: u64) {
    server.drain();
    assert_eq!(server.clean_report().served, served);
}

fn a_call_of_each_kind_is_answered(shell: Shell) {
    let (server, _) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let answer = client.unary("Say", Request::new(words("hello", 1))).await.expect("it is answered");
        assert_eq!(answer.into_inner(), words("HELLO", 2));
        let said = (1..=100).map(|number| words("x", number));
        assert_eq!(client.sum(tokio_stream::iter(said)).await.unwrap(), words("x".repeat(100), 5050));
        let counted: Vec<_> =
            client.server_streaming("Count", words("", 1000)).await.unwrap().collect().await;
        let counted: Vec<u64> =
            counted.into_iter().map(|words| words.expect("it is no error").number).collect();
        assert_eq!(counted, (1..=1000).collect::<Vec<_>>());
        let said = tokio_stream::iter((0..100).map(|number| words("x", number)));
        let heard: Vec<_> = client.chat(said).await.unwrap().collect().await;
        let heard: Vec<_> = heard.into_iter().map(|words| words.expect("it is no error")).collect();
        assert_eq!(heard, (1..=100).map(|number| words("X", number)).collect::<Vec<_>>());
        let nothing = client.sum(tokio_stream::iter([])).await.unwrap();
        assert_eq!(nothing, words("", 0));
    });
    end(server, 5);
}

fn metadata_and_large_messages_go_both_ways(shell: Shell) {
    let (server, _) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let mut request = Request::new(words("m".repeat(3 << 20), 0));
        let seal = MetadataValue::from_bytes(&[0, 1, 127, 128, 255]);
        request.metadata_mut().insert_bin("seal-bin", seal.clone());
        let response = client.unary("Say", request).await.expect("it is answered");
        assert_eq!(response.metadata().get_bin("seal-bin"), Some(&seal));
        assert!(response.into_inner().text == "M".repeat(3 << 20));
        let said = tokio_stream::iter((0..20).map(|number| words("n".repeat(1 << 18), number)));
        let mut heard = client.chat(said).await.unwrap();
        for number in 1..=20 {
            let answer = heard.message().await.expect("it is no error").expect("there are twenty");
            assert!(answer.number == number && answer.text == "N".repeat(1 << 18));
        }
        assert_eq!(heard.message().await.expect("it is no error"), None);
    });
    end(server, 2);
}

/// Neither side waits for the end of the other.
fn both_sides_of_a_stream_talk_in_turns(shell: Shell) {
    let (server, _) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let (sender, said) = mpsc::unbounded_channel();
        let mut heard = client.chat(UnboundedReceiverStream::new(said)).await.unwrap();
        for number in 0..50 {
            sender.send(words("turn", number)).unwrap();
            assert_eq!(heard.message().await.unwrap(), Some(words("TURN", number + 1)));
        }
        drop(sender);
        assert_eq!(heard.message().await.unwrap(), None);
    });
    end(server, 1);
}

/// A message as it goes over the wire.
fn framed(words: &Words) -> Bytes {
    let mut bytes = vec![0; 5];
    words.encode(&mut bytes).expect("there is room");
    let length = u32::try_from(bytes.len() - 5).expect("it is short");
    bytes[1..5].copy_from_slice(&length.to_be_bytes());
    bytes.into()
}

/// A call without a client that knows gRPC: the head of the response, whether that is all of it, and the trailers.
async fn raw_call(
    server: &Running,
    method: &str,
    timeout: Option<&str>,
    said: &Words,
) -> (http::HeaderMap, bool, Option<http::HeaderMap>) {
    let stream = tokio::net::TcpStream::connect(server.address()).await.expect("the server listens");
    let (mut client, connection) = h2::client::handshake(stream).await.expect("it shakes hands");
    tokio::spawn(connection);
    let mut request = http::Request::post(format!("http://a{}", path(method)))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let (response, mut upload) = client.send_request(request.body(()).unwrap(), false).unwrap();
    upload.send_data(framed(said), true).unwrap();
    let (head, mut body) = response.await.expect("it is answered").into_parts();
    assert_eq!(head.status, 200);
    let is_all = body.is_end_stream();
    while let Some(piece) = body.data().await {
        let piece = piece.expect("it is whole");
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    (head.headers, is_all, body.trailers().await.expect("it is whole"))
}

fn an_error_is_trailers_only_or_trailers(shell: Shell) {
    let (server, _) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let error = client.unary("Say", Request::new(words("", 1))).await.expect_err("nothing was said");
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "nothing was said: ä"));
        assert_eq!(error.details(), b"\0details\xff");
        let error = client.server_streaming("Count", words("fail", 0)).await.expect_err("not even one");
        assert_eq!(error.code(), Code::NotFound);
        let mut counted = client.server_streaming("Count", words("fail", 2)).await.unwrap();
        for number in 1..=2 {
            assert_eq!(counted.message().await.unwrap(), Some(words("", number)));
        }
        assert_eq!(counted.message().await.expect_err("no more").code(), Code::DataLoss);
        let error = client.unary("Shout", Request::new(words("", 1))).await.expect_err("there is none");
        assert_eq!(error.code(), Code::Unimplemented);

        let (head, is_all, trailers) = raw_call(&server, "Say", None, &words("", 1)).await;
        assert_eq!((head["grpc-status"].as_bytes(), is_all, trailers), (&b"3"[..], true, None));
        let (head, is_all, trailers) = raw_call(&server, "Count", None, &words("fail", 2)).await;
        assert_eq!((head.get("grpc-status"), is_all), (None, false));
        assert_eq!(trailers.expect("there are some")["grpc-status"], "15");
    });
    end(server, 6);
}

/// The client gives up by RST_STREAM, which drops the handler.
fn a_deadline_reaches_the_server_and_cancels_there(shell: Shell) {
    let (server, talk) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let mut request = Request::new(words("late", 1));
        request.set_timeout(Duration::from_millis(150));
        let error = client.unary("Wait", request).await.expect_err("nobody lets it on");
        assert!(matches!(error.code(), Code::Cancelled | Code::DeadlineExceeded), "{error:?}");
        opened(&talk.0.dropped, "the handler's end").await;
        let told = talk.0.fields.lock().unwrap()["grpc-timeout"].clone();
        assert_eq!(told, "150000u");
        // Only that stream.
        client.unary("Say", Request::new(words("hello", 1))).await.expect("it is answered");
    });
    end(server, 1);
}

fn a_server_that_keeps_to_a_deadline_says_so(shell: Shell) {
    let (server, talk) = start(shell);
    let told = talk.clone();
    let time = thread::spawn(move || {
        told.0.waits.block("the call");
        told.0.go_on.open();
    });
    run(async {
        let (head, is_all, trailers) = raw_call(&server, "Nap", Some("50m"), &words("", 1)).await;
        assert_eq!((head["grpc-status"].as_bytes(), is_all, trailers), (&b"4"[..], true, None));
    });
    time.join().expect("the call waits");
    assert_eq!(talk.0.fields.lock().unwrap()["grpc-timeout"], "50m");
    end(server, 1);
}

/// New calls hear that there is nobody.
fn calls_of_each_kind_outlive_the_cutoff_of_a_drain(shell: Shell) {
    let (server, talk) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let mut waiting = client.clone();
        let waited =
            tokio::spawn(async move { waiting.unary("Wait", Request::new(words("waited", 1))).await });
        let (summands, to_sum) = mpsc::unbounded_channel();
        let mut summing = client.clone();
        let sum = tokio::spawn(async move { summing.sum(UnboundedReceiverStream::new(to_sum)).await });
        summands.send(words("a", 1)).unwrap();
        let (said, to_say) = mpsc::unbounded_channel();
        let mut heard = client.chat(UnboundedReceiverStream::new(to_say)).await.unwrap();
        said.send(words("before", 0)).unwrap();
        assert_eq!(heard.message().await.unwrap(), Some(words("BEFORE", 1)));
        // More than any window: it stands until it is read.
        let mut counted = client.server_streaming("Count", words("", 1_000_000)).await.unwrap();
        opened(&talk.0.waits, "the call that waits").await;
        server.drain();
        server.await_holders(1);
        // What is heard now was said behind the notice.
        for number in 0..10 {
            said.send(words("after", number)).unwrap();
            assert_eq!(heard.message().await.unwrap(), Some(words("AFTER", number + 1)));
        }
        let error =
            client.unary("Say", Request::new(words("too late", 1))).await.expect_err("nobody listens");
        assert!(matches!(error.code(), Code::Unavailable | Code::Cancelled), "{error:?}");
        assert_eq!(talk.0.calls.load(Ordering::Relaxed), 0, "what was not answered was not taken");
        summands.send(words("b", 2)).unwrap();
        drop(summands);
        assert_eq!(sum.await.unwrap().unwrap(), words("ab", 3));
        talk.0.go_on.open();
        assert_eq!(waited.await.unwrap().unwrap().into_inner(), words("waited", 1));
        for number in 1..=1_000_000 {
            assert_eq!(counted.message().await.unwrap().expect("there are more").number, number);
        }
        assert_eq!(counted.message().await.unwrap(), None);
        drop(said);
        assert_eq!(heard.message().await.unwrap(), None);
    });
    assert_eq!(server.clean_report().served, 4);
}

/// With a status that a client knows to act on.
fn a_stream_without_an_end_is_told_of_the_drain_and_says_so(shell: Shell) {
    let (server, _) = start(shell);
    run(async {
        let mut client = Client::connect(&server).await;
        let mut seen = client.server_streaming("Watch", words("", 0)).await.unwrap();
        assert_eq!(seen.message().await.unwrap(), Some(words("begun", 0)));
        server.drain();
        let error = seen.message().await.expect_err("it says so");
        assert_eq!((error.code(), error.message()), (Code::Unavailable, "the server drains"));
    });
    assert_eq!(server.clean_report().served, 1);
}

/// With what RST_STREAM a call ended; tonic does not always say so by its code.
fn reset_reason(status: &Status) -> Option<h2::Reason> {
    let mut error: Option<&dyn std::error::Error> = Some(status);
    while let Some(next) = error {
        if let Some(reset) = next.downcast_ref::<h2::Error>() {
            return reset.reason().filter(|_| reset.is_reset());
        }
        error = next.source();
    }
    None
}

fn what_is_left_at_the_deadline_is_cancelled_and_named(shell: Shell) {
    let setup = Setup { config: Config::default(), ..Setup::default() }.grace(200);
    let talk = Talk::default();
    let server = setup.start(shell, Routes::new(talk.clone()));
    run(async {
        let mut client = Client::connect(&server).await;
        let mut waiting = client.clone();
        let waited = tokio::spawn(async move { waiting.unary("Wait", Request::new(words("", 1))).await });
        let (said, to_say) = mpsc::unbounded_channel();
        let mut heard = client.chat(UnboundedReceiverStream::new(to_say)).await.unwrap();
        said.send(words("before", 0)).unwrap();
        assert_eq!(heard.message().await.unwrap(), Some(words("BEFORE", 1)));
        opened(&talk.0.waits, "the call that waits").await;
        server.drain();
        for error in
            [waited.await.unwrap().expect_err("it is cut"), heard.message().await.expect_err("it is cut")]
        {
            assert_eq!(reset_reason(&error), Some(h2::Reason::CANCEL), "{error:?}");
        }
        opened(&talk.0.dropped, "the handler's end").await;
    });
    let report = server.report();
    let mut named: Vec<_> = report.cut.iter().map(|cut| (cut.request.as_deref(), cut.reason)).collect();
    named.sort_by_key(|cut| cut.0);
    let expected = ["POST /talk.Talk/Chat", "POST /talk.Talk/Wait"];
    assert_eq!(named, expected.map(|request| (Some(request), CloseReason::StreamsCut)));
}

/// Thirty-two at once, on one channel; what is not answered was not taken.
fn busy_callers_lose_nothing(shell: Shell) {
    for round in 0..20 {
        let (server, talk) = start(shell);
        let answered = run(async {
            let client = Client::connect(&server).await;
            let call_until_refused = |mut client: Client| async move {
                for answered in 0.. {
                    match client.unary("Say", Request::new(words("hello", answered))).await {
                        Ok(answer) => assert_eq!(answer.into_inner(), words("HELLO", answered + 1)),
                        Err(_) => return answered,
                    }
                }
                0
            };
            let callers: Vec<_> = (0..32).map(|_| tokio::spawn(call_until_refused(client.clone()))).collect();
            drop(client);
            let (calls, handle) = (talk.clone(), server.handle.clone());
            thread::spawn(move || {
                while calls.0.calls.load(Ordering::Relaxed) < 300 + round * 10 {
                    thread::yield_now();
                }
                handle.begin();
            });
            let mut answered = 0;
            for caller in callers {
                answered += caller.await.expect("the caller is content");
            }
            answered
        });
        assert_eq!(talk.0.calls.load(Ordering::Relaxed) as u64, answered, "what was taken was answered");
        assert_eq!(server.clean_report().served, answered);
    }
}
