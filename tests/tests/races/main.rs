//! Drains over real sockets, each on every shell: the windows in which other servers lose a request, and the
//! rows of the contract.
//!
//! No test sleeps until something has probably happened. Where the server's own timers are awaited they are
//! set short; everything else waits for a minute, so that what ends sooner has ended for the right reason.

mod answers;
mod bodies;
mod ending;
mod fairly;
mod handlers;
mod heads;
mod idle;
mod listeners;
mod load;
mod threads;
mod tunnels;
