//! Drains of HTTP/2 over real sockets, each on every shell: the windows in which other servers lose a stream, and
//! the rows of the contract; then real clients, and load.
//!
//! No test sleeps until something has probably happened. Where the server's own timers are awaited they are
//! set short; everything else waits for a minute, so that what ends sooner has ended for the right reason.

mod bodies;
mod clients;
mod cuts;
mod endless;
mod goaway;
mod handshake;
mod kit;
mod late;
mod load;
mod programs;
mod streams;
