//! The run loop over `std::net`: a thread for each connection and no runtime. Pressing Enter drains.
//!
//! `cargo run -p lameduck-core --example blocking`

#![expect(clippy::disallowed_methods, reason = "whoever owns the sockets has a clock")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use lameduck_core::{Config, Connection, Event, Instant, ResponseHead, ResponseLength, Transmit};

static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
/// The drain is a level that every connection reads; its value is the deadline.
static DRAIN: OnceLock<Instant> = OnceLock::new();

fn now() -> Instant {
    Instant::from(START.elapsed())
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8080")?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}; Enter drains");
    thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        DRAIN.get_or_init(|| now() + Duration::from_secs(25));
        TcpStream::connect(address) // wakes the accept below
    });
    thread::scope(|scope| {
        while DRAIN.get().is_none() {
            let (stream, _) = listener.accept()?;
            scope.spawn(move || serve(stream));
        }
        Ok(())
    })
}

// [run-loop]
fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut connection = Connection::new(Arc::new(Config::default()), now());
    let mut buffer = [0; 16 * 1024];
    loop {
        // 1. Take what happened, and answer.
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Request { id, .. } => {
                    let head = ResponseHead { status: 200, fields: [], length: ResponseLength::Known(6) };
                    let _ = connection.respond(now(), id, head);
                    let _ = connection.send_body(now(), id, Bytes::from_static(b"hello\n"));
                    let _ = connection.finish(now(), id, []);
                }
                Event::Data { id, data } => drop(connection.release(now(), id, data.len())),
                Event::Closed(_) => return Ok(()),
                Event::End { .. } | Event::Cancelled { .. } | Event::Refused { .. } => {}
            }
        }
        // 2. Send what is to be sent.
        if let Some(transmit) = connection.poll_transmit(now()) {
            let sent = match transmit {
                Transmit::Bytes(mut pieces) => stream.write(pieces.next().unwrap_or_default()),
                Transmit::Fin => stream.shutdown(Shutdown::Write).map(|()| 0),
            };
            match sent {
                Ok(count) => connection.transmitted(now(), count),
                Err(_) => connection.handle_gone(now()),
            }
            continue;
        }
        // 3. Wait for bytes or for time; look at the level now and then.
        let patience = connection.poll_timeout().map_or(Duration::MAX, |at| at.since(now()));
        stream.set_read_timeout(Some(patience.clamp(Duration::from_millis(1), Duration::from_millis(50))))?;
        match stream.read(&mut buffer) {
            Ok(0) => connection.handle_eof(now()),
            Ok(count) => connection.handle_bytes(now(), &buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                DRAIN.get().into_iter().for_each(|deadline| connection.drain(now(), *deadline));
                connection.handle_timeout(now());
            }
            Err(_) => connection.handle_gone(now()),
        }
    }
}
// [/run-loop]
