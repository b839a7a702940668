//! Accepting, until the drain has emptied the kernel's queue.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use lameduck_core::server::Gate;
use lameduck_service::listen::{AcceptError, Emptying};
use lameduck_service::{Body, Hub, Listening, Session, service_for};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use crate::connection::Connection;
use crate::runtime::Runtime;
use crate::socket::Socket;
use crate::wake::Changes;

/// Accepts from `listener` for as long as the gate is open, then empties its queue and closes it.
pub(crate) async fn run<S, B>(listener: TcpListener, listening: Listening, hub: Arc<Hub>, service: S)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Display,
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let changes = Changes::of(&hub);
    let (centre, runtime) = (Arc::clone(&hub), Runtime::current());
    let attend = move |stream: TcpStream, peer: SocketAddr| {
        let Some(service) = service_for(&service, peer) else { return };
        let session = Session::with_spawn(Arc::clone(&centre), service, peer, runtime);
        tokio::spawn(Connection::new(session, Socket::new(stream), Arc::clone(&centre)));
    };
    while hub.gate() == Gate::Open {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => attend(stream, peer),
                Err(error) => match AcceptError::of(&error, &hub) {
                    AcceptError::Empty | AcceptError::Next => {}
                    AcceptError::BackOff(rest) => tokio::time::sleep(rest).await,
                    AcceptError::Broken => break,
                },
            },
            () = changes.next() => {}
        }
    }
    // Those who are in hear of it first: it takes a moment to find out whether the door can be closed.
    tokio::task::yield_now().await;
    if hub.gate() != Gate::Shut
        && let Err(error) = empty(listener, &hub, attend).await
    {
        tracing::error!("the last connections in the kernel's queue are lost: {error}");
    }
    drop(listening);
}

/// Accepts what the kernel's queue holds, until it would block; then closes the socket.
async fn empty(listener: TcpListener, hub: &Hub, attend: impl Fn(TcpStream, SocketAddr)) -> io::Result<()> {
    let mut emptying = Emptying::begin(&listener, hub.clock.now());
    // The runtime knows of its readiness alone; the socket knows of its queue.
    let listener = listener.into_std()?;
    while hub.gate() != Gate::Shut {
        match listener.accept() {
            Ok((stream, peer)) => match adopt(stream) {
                Ok(stream) => attend(stream, peer),
                // The others in the queue are not to pay for it.
                Err(error) => {
                    tracing::error!(%peer, "a connection could not be registered and is dropped: {error}");
                }
            },
            Err(error) => match AcceptError::of(&error, hub) {
                AcceptError::Next => {}
                AcceptError::Empty => match emptying.look_again(hub.clock.now()) {
                    Some(at) => tokio::time::sleep_until(hub.clock.to_std(at).into()).await,
                    None => break,
                },
                AcceptError::BackOff(rest) => tokio::time::sleep(rest).await,
                AcceptError::Broken => return Err(error),
            },
        }
    }
    Ok(())
}

fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}
