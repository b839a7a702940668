//! A client on a raw socket, which can lie, leave, and be slow.

use std::net::SocketAddr;

use super::frame::{Frame, settings, settings_ack, window_update};
use super::reader::{Reader, Sent};
use super::reply::{Reply, reply};
use super::requests::Requests;
use super::{PREFACE, frame};
use crate::peer::{self, End};

/// A blocking client. Where it waits in vain, it panics. It answers nothing by itself: neither SETTINGS nor a
/// PING, and it grants no window.
#[derive(Debug)]
pub struct Peer {
    /// The socket.
    pub socket: peer::Peer,
    /// What makes its field blocks.
    pub requests: Requests,
    reader: Reader,
    /// All that the server sent and that was read.
    sent: Vec<Sent>,
}

impl Peer {
    /// Connects, and says nothing.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(peer::Peer::connect(address))
    }

    /// A client on this connection.
    pub fn over(socket: peer::Peer) -> Self {
        Self { socket, requests: Requests::new(), reader: Reader::new(), sent: Vec::new() }
    }

    /// Connects, and leaves the settings as they are.
    pub fn greeted(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address);
        peer.greet(&[]);
        peer
    }

    /// Sends the preface with these settings; waits for the server's, acks them, and waits for its ack.
    pub fn greet(&mut self, ours: &[(u16, u32)]) {
        self.send(frame::join([PREFACE, settings(ours).as_ref()]));
        self.reader.apply(ours);
        self.until(|sent| matches!(sent, Sent::Settings(_)));
        self.send(settings_ack());
        self.until(|sent| *sent == Sent::SettingsAck);
    }

    /// Sends a frame, or any bytes.
    ///
    /// # Panics
    /// Where the server does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.send(bytes);
    }

    /// Sends frames in one go.
    pub fn send_all(&mut self, frames: &[Frame]) {
        self.send(frame::join(frames));
    }

    /// Sends a whole GET for `path`.
    pub fn get(&mut self, stream: u32, path: &str) {
        let request = self.requests.get(stream, path);
        self.send(request);
    }

    /// Sends the head of a POST to `path`.
    pub fn post(&mut self, stream: u32, path: &str) {
        let request = self.requests.post(stream, path);
        self.send(request);
    }

    /// Lets the server send so much more: on a stream, or on the connection where that is zero.
    pub fn grant(&mut self, stream: u32, increment: u32) {
        self.reader.grant(stream, increment);
        self.send(window_update(stream, increment));
    }

    /// What the server sends next.
    ///
    /// # Panics
    /// Where the connection ends instead, or what comes is malformed.
    #[track_caller]
    pub fn read(&mut self) -> Sent {
        self.try_read().unwrap_or_else(|end| panic!("{end:?} after {:#?}", self.sent))
    }

    /// What the server sends next.
    ///
    /// # Errors
    /// The end of the connection.
    #[track_caller]
    pub fn try_read(&mut self) -> Result<Sent, End> {
        loop {
            match self.reader.read() {
                Ok(Some(sent)) => {
                    self.sent.push(sent.clone());
                    return Ok(sent);
                }
                Ok(None) => self.reader.feed(&self.socket.read()?),
                Err(malformed) => panic!("{malformed} after {:#?}", self.sent),
            }
        }
    }

    /// Reads up to the first of what fits; that.
    #[track_caller]
    pub fn until(&mut self, fits: impl Fn(&Sent) -> bool) -> Sent {
        loop {
            let sent = self.read();
            if fits(&sent) {
                return sent;
            }
        }
    }

    /// Reads up to the next GOAWAY; its last stream and its code.
    #[track_caller]
    pub fn until_goaway(&mut self) -> (u32, u32) {
        loop {
            if let Sent::GoAway { last, code, .. } = self.read() {
                return (last, code);
            }
        }
    }

    /// Reads up to the end of the response on a stream, if that has not been read; the response.
    #[track_caller]
    pub fn reply(&mut self, stream: u32) -> Reply {
        loop {
            let reply = reply(&self.sent, stream);
            if reply.ended.is_some() {
                return reply;
            }
            self.read();
        }
    }

    /// All that the server sent and that was read.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Reads all that still comes; it, and how the connection then ends.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<Sent>, End) {
        let from = self.sent.len();
        loop {
            if let Err(end) = self.try_read() {
                assert_eq!(self.reader.unread(), b"", "half a frame after {:#?}", self.sent);
                return (self.sent[from..].to_vec(), end);
            }
        }
    }

    /// Waits for the server's FIN, before which nothing else must come.
    #[track_caller]
    pub fn expect_fin(mut self) {
        assert_eq!(self.rest(), (Vec::new(), End::Fin));
    }
}
