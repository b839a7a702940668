//! A third shell, on `smol`: all that a runtime has to bring is sockets, timers and tasks.
//!
//! `cargo run -p lameduck-service --example smol`; Enter drains.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use lameduck_core::server::Gate;
use lameduck_service::listen::Emptying;
use lameduck_service::{Body, Hub, Opened, Server, Session, Transport, socket};
use smol::{Async, Timer, future};

async fn hello(_: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello\n"))))
}

fn main() -> io::Result<()> {
    let server = Server::bind("127.0.0.1:8080")?.open();
    println!("listening on http://127.0.0.1:8080; Enter drains");
    let handle = server.handle();
    std::thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        handle.begin();
    });
    smol::block_on(serve(server))
}

async fn serve(Opened { hub, listeners }: Opened) -> io::Result<()> {
    for listener in listeners {
        let (socket, listening) = listener.into_parts();
        let (socket, hub) = (Async::new(socket)?, Arc::clone(&hub));
        smol::spawn(async move {
            let result = accept(socket, hub).await;
            drop(listening);
            result
        })
        .detach();
    }
    while !hub.has_stopped() {
        let timer = hub.next_timeout().map_or_else(Timer::never, |at| Timer::at(hub.clock.to_std(at)));
        let expired = async { _ = timer.await };
        future::or(until(&hub, Hub::has_stopped), expired).await;
        hub.expire();
    }
    println!("served {}", hub.report().served);
    Ok(())
}

/// Accepts while the gate is open; then what the kernel's queue holds, until nobody else can come.
async fn accept(listener: Async<TcpListener>, hub: Arc<Hub>) -> io::Result<()> {
    loop {
        let closed = async {
            until(&hub, |hub| hub.gate() != Gate::Open).await;
            None
        };
        match future::or(closed, async { Some(listener.accept().await) }).await {
            Some(accepted) => attend(accepted?, &hub),
            None => break,
        }
    }
    let mut emptying = Emptying::begin(&listener, hub.clock.now());
    loop {
        while let Ok((stream, peer)) = listener.get_ref().accept() {
            attend((Async::new(stream)?, peer), &hub);
        }
        match emptying.look_again(hub.clock.now()) {
            Some(at) => _ = Timer::at(hub.clock.to_std(at)).await,
            None => return Ok(()),
        }
    }
}

/// Starts the task of a connection: a session, its socket, its timer, and an eye on the hub.
fn attend((stream, peer): (Async<TcpStream>, SocketAddr), hub: &Arc<Hub>) {
    let hub = Arc::clone(hub);
    let (mut session, mut socket) =
        (Session::new(Arc::clone(&hub), tower::service_fn(hello), peer), Socket(stream));
    let (mut timer, mut watch) = (Timer::never(), None);
    smol::spawn(poll_fn(move |cx| {
        watch.get_or_insert_with(|| hub.watch(cx.waker().clone()));
        loop {
            if session.poll(cx, &mut socket, hub.clock.now()).is_ready() {
                return Poll::Ready(());
            }
            match session.next_timeout() {
                Some(at) => timer.set_at(hub.clock.to_std(at)),
                None => return Poll::Pending,
            }
            ready!(Pin::new(&mut timer).poll(cx));
        }
    }))
    .detach();
}

/// Waits until `done`, which is asked whenever the hub changes.
async fn until(hub: &Arc<Hub>, done: impl Fn(&Hub) -> bool) {
    let mut watch = None;
    poll_fn(|cx| {
        watch = Some(hub.watch(cx.waker().clone()));
        if done(hub) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

struct Socket(Async<TcpStream>);

impl Transport for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.read_now(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.0, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match socket::send(&self.0, pieces) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_writable(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Write)
    }

    fn reset_on_close(&mut self) {
        socket::reset_on_close(&self.0);
    }
}
