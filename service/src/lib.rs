//! The handler's side of lameduck, for any runtime.
//!
//! A handler is any [`tower_service::Service`] of `http::Request<`[`Body`]`>`; its response's body is any
//! [`http_body::Body`]. In the extensions of each request it finds a [`DrainNotice`] and, where the request
//! may become one, a [`Tunnel`].
//!
//! A [`Session`] is one connection with the handlers that it has called. A shell accepts, makes a session of
//! each connection, gives it a [`Transport`], and polls it when something may have changed; all that two
//! shells would both need is here.
//!
//! A handler is polled where its connection is. One that was not ready at once goes on in a task of its own when it is
//! woken while other requests of the connection are under way, where the shell has a way to [`Spawn`] tasks on other
//! threads.

mod bell;
mod body;
mod clock;
mod exchange;
mod exchanges;
mod half_open;
mod head;
mod hub;
mod known;
pub mod listen;
mod notice;
mod recent;
mod requests;
mod scratch;
mod session;
pub mod socket;
mod spare;
mod spawn;
mod transport;

pub use body::{Body, BodyError};
pub use clock::Clock;
pub use hub::{Cut, DrainHandle, Holder, Hub, Listening, Progress, Report, Watch};
pub use lameduck_core::Reason;
pub use listen::{Listener, Opened, Server};
pub use notice::{DrainNotice, Notices, Started};
pub use requests::Tunnel;
pub use session::{Session, ToSend, service_for};
pub use spawn::{InPlace, Spawn, Task};
pub use transport::Transport;
