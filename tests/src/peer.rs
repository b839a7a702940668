//! A client on a raw socket, which can lie, leave, and be slow.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::reader::{Asked, Delimited, Extent, Reply, read_reply};
use crate::shells::PATIENCE;

/// A blocking client. Where it waits in vain, it panics.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// How the server ended a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With a FIN.
    Fin,
    /// With a RST.
    Reset,
}

/// What came instead of a whole response: these bytes, then that end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost(pub Vec<u8>, pub End);

impl Peer {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens");
        Self::over(stream)
    }

    /// Connects with the smallest receive buffer that the kernel allows, for a peer that stops reading. One that reads
    /// on would have to wait: a window below one segment is only filled when the sender's kernel has lost patience
    /// (RFC 9293 section 3.8.6.2.1), five times a second.
    pub fn with_least_buffer(address: SocketAddr) -> Self {
        Self::with_buffer(address, 1)
    }

    /// Connects with a receive buffer that fills soon, for a peer that reads slowly.
    pub fn with_small_buffer(address: SocketAddr) -> Self {
        Self::with_buffer(address, 32 << 10)
    }

    fn with_buffer(address: SocketAddr, size: usize) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
            .expect("there are descriptors");
        socket.set_recv_buffer_size(size).expect("the kernel rounds it");
        socket.connect_timeout(&address.into(), PATIENCE).expect("the server listens");
        Self::over(socket.into())
    }

    /// A client on this connection.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("it is connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("the timeout is not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("the timeout is not zero");
        Self { stream, unread: Vec::new() }
    }

    /// Its own address, as the server sees it.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// Sends these bytes.
    ///
    /// # Panics
    /// Where the server does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes what is sent");
    }

    /// Sends these bytes, for as long as the server takes some within `stall`; how many it took.
    pub fn send_until_stalled(&mut self, bytes: &[u8], stall: Duration) -> usize {
        self.stream.set_write_timeout(Some(stall)).expect("the timeout is not zero");
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if is_timeout(&error) => break,
                Err(error) => panic!("the server gave up after {sent} bytes: {error}"),
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).expect("the timeout is not zero");
        sent
    }

    /// Sends a GET for `path`.
    pub fn get(&mut self, path: &str) {
        self.send(get(path));
    }

    /// Sends a GET for `path`; the response to it.
    pub fn ask(&mut self, path: &str) -> Reply {
        self.get(path);
        self.reply()
    }

    /// Sends a GET for `path`; the response to it must be a 200 that keeps the connection open.
    pub fn ask_and_stay(&mut self, path: &str) -> Reply {
        let reply = self.ask(path);
        assert_eq!((reply.status, reply.is_last()), (200, false), "{reply:?}");
        reply
    }

    /// The next response, whole.
    ///
    /// # Panics
    /// Where the connection ends before it does.
    pub fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|lost| panic!("no whole response: {lost:?}"))
    }

    /// The next response, whole.
    ///
    /// # Errors
    /// What came instead.
    pub fn try_reply(&mut self) -> Result<Reply, Lost> {
        self.try_reply_to(Asked::Plain)
    }

    /// The next response, whole, to a request of that kind. A tunnel's is whole with its head.
    ///
    /// # Errors
    /// What came instead.
    pub fn try_reply_to(&mut self, asked: Asked) -> Result<Reply, Lost> {
        loop {
            let read = read_reply(&self.unread, asked).expect("the server speaks HTTP");
            let mut wanted = 1;
            if let Some((mut reply, used)) = read {
                match (reply.delimited, reply.extent) {
                    (_, Extent::Whole) => {
                        self.unread.drain(..used);
                        return Ok(reply);
                    }
                    (Delimited::Tunnel, Extent::Part) => {
                        self.unread = std::mem::take(&mut reply.body);
                        return Ok(reply);
                    }
                    (Delimited::Length, Extent::Part) => {
                        wanted = length(&reply) - reply.body.len();
                    }
                    _ => {}
                }
            }
            let goal = self.unread.len() + wanted;
            while self.unread.len() < goal {
                if let Some(end) = self.read_some() {
                    let got = std::mem::take(&mut self.unread);
                    return match read_reply(&got, asked) {
                        Ok(Some((reply, _))) if reply.delimited == Delimited::Close && end == End::Fin => {
                            Ok(reply)
                        }
                        _ => Err(Lost(got, end)),
                    };
                }
            }
        }
    }

    /// Reads so many bytes as they are.
    ///
    /// # Panics
    /// Where the connection ends before.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            if let Some(end) = self.read_some() {
                panic!("{end:?} after {:?}", String::from_utf8_lossy(&self.unread));
            }
        }
        self.unread.drain(..count).collect()
    }

    /// Reads up to and with the first `mark`.
    ///
    /// # Panics
    /// Where the connection ends before.
    pub fn take_through(&mut self, mark: &str) -> String {
        let mark = mark.as_bytes();
        loop {
            if let Some(at) = self.unread.windows(mark.len()).position(|window| window == mark) {
                return String::from_utf8_lossy(&self.take(at + mark.len())).into_owned();
            }
            self.take_one_more();
        }
    }

    fn take_one_more(&mut self) {
        if let Some(end) = self.read_some() {
            panic!("{end:?} after {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// Waits until bytes are there to be read, and leaves them.
    pub fn await_bytes(&mut self) {
        if self.unread.is_empty() {
            let count = self.stream.peek(&mut [0]).expect("something comes");
            assert_eq!(count, 1, "a FIN came instead of bytes");
        }
    }

    /// Reads all that still comes; it, and how the connection then ends.
    pub fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            if let Some(end) = self.read_some() {
                return (std::mem::take(&mut self.unread), end);
            }
        }
    }

    /// The bytes that come next.
    ///
    /// # Errors
    /// The end that comes instead.
    pub fn read(&mut self) -> Result<Vec<u8>, End> {
        if self.unread.is_empty()
            && let Some(end) = self.read_some()
        {
            return Err(end);
        }
        Ok(std::mem::take(&mut self.unread))
    }

    /// Waits for the server's FIN, before which nothing else must come.
    pub fn expect_fin(mut self) {
        let (rest, end) = self.rest();
        assert_eq!((String::from_utf8_lossy(&rest).as_ref(), end), ("", End::Fin));
    }

    /// Waits for the server's RST, whatever comes before.
    pub fn expect_reset(mut self) {
        assert_eq!(self.rest().1, End::Reset);
    }

    /// Waits for the end, before which nothing else must come: of a connection that nothing was owed on.
    pub fn expect_fin_or_reset(mut self) {
        assert_eq!(self.rest().0, b"");
    }

    /// Sends a FIN, and goes on reading.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// Leaves with a RST.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("it is connected");
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn read_some(&mut self) -> Option<End> {
        let mut buffer = [0; 64 * 1024];
        loop {
            return match self.stream.read(&mut buffer) {
                Ok(0) => Some(End::Fin),
                Ok(count) => {
                    self.unread.extend_from_slice(&buffer[..count]);
                    None
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) => {
                    panic!("nothing comes after {:?}", String::from_utf8_lossy(&self.unread))
                }
                Err(_) => Some(End::Reset),
            };
        }
    }
}

/// A GET for `path`.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// The head of a POST to `path` with a body of that length.
pub fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")
}

/// The value of a field of `reply`, where it has one.
pub fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let (_, value) = reply.fields.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}

fn length(reply: &Reply) -> usize {
    field(reply, "content-length").and_then(|length| length.parse().ok()).expect("its length delimits it")
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
