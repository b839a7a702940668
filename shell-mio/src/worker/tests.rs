//! What waits to be sent waits for nothing that it could be lost by.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use http_body_util::Full;
use lameduck_core::{Allowance, Config};
use lameduck_service::{Opened, Server};
use tower::service_fn;
use tower::util::ServiceFn;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

type Answer = Ready<Result<Response<Full<Bytes>>, Infallible>>;
type Handler = ServiceFn<fn(Request<Body>) -> Answer>;

/// A handler that has its answer at hand.
fn hello(_: Request<Body>) -> Answer {
    ready(Ok(Response::new(Full::from("hello"))))
}

/// An event loop that goes on when it is told to, and its client.
struct Run {
    worker: Worker<Handler, Full<Bytes>>,
    events: Events,
    client: TcpStream,
}

impl Run {
    /// The client has had one answer, and the loop is brisk.
    fn new(config: Config) -> Self {
        let server = Server::bind("127.0.0.1:0").expect("loopback is there").config(config);
        let client = TcpStream::connect(server.addresses()[0]).expect("it listens");
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("that is not zero");
        let Opened { hub, listeners } = server.open();
        let worker =
            Worker::new(&hub, listeners, service_fn(hello as fn(_) -> _)).expect("there are descriptors");
        let mut run = Self { worker, events: Events::with_capacity(EVENTS), client };
        run.ask();
        while run.worker.connections.is_empty() {
            run.turn();
        }
        assert!(run.client.read(&mut [0; 1024]).expect("it was sent") > 0);
        while !run.worker.pace.count(|| Instant::ORIGIN) {}
        run
    }

    fn ask(&mut self) {
        self.client.write_all(REQUEST).expect("the connection is open");
    }

    fn turn(&mut self) {
        self.worker.turn(&mut self.events).expect("the loop waits");
    }

    /// All that the client gets until the end.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.client.read_to_string(&mut rest).expect("it ends with a FIN");
        rest
    }
}

#[test]
fn an_answer_that_was_given_goes_before_its_connection_is_forced_to_end() {
    let mut run = Run::new(Config::default());
    run.ask();
    while run.worker.to_send.is_empty() {
        run.turn();
    }
    run.worker.hub.handle().force();
    run.worker.follow_hub();
    assert!(run.worker.connections.is_empty());
    assert_eq!(run.rest().matches("HTTP/1.1 200").count(), 1);
}

#[test]
fn a_fin_that_the_drain_brings_goes_before_other_connections_receive() {
    let mut config = Config::default();
    config.timeouts.keep_alive = Allowance::millis(60_000, 0);
    let mut run = Run::new(config);
    run.worker.hub.handle().begin();
    let key = run.worker.connections.iter().next().expect("it is open").0;
    run.worker.drive(key);
    assert_eq!(run.rest(), "");
}
