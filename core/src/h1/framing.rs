//! What the fields of a request say of its body and of its connection (RFC 9112 sections 6 and 9).

use crate::error::PeerError;
use crate::event::BodyLength;
use crate::h1::head::{Bounds, Kind};
use crate::h1::target;
use crate::head::Version;
use crate::lifecycle::http1::Persistence;

/// The facts as far as they have been read.
pub(crate) struct Framing {
    version: Version,
    hosts: u8,
    length: Option<u64>,
    coding: Coding,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade_offered: bool,
    expects_continue: bool,
}

/// What the transfer codings are, in the order applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    None,
    Chunked,
}

/// What the head says, once it has all been read.
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) persistence: Persistence,
    pub(crate) body: BodyLength,
    pub(crate) expects_continue: bool,
}

impl Framing {
    pub(crate) fn new(version: Version) -> Self {
        Self {
            version,
            hosts: 0,
            length: None,
            coding: Coding::None,
            close: false,
            keep_alive: false,
            upgrade_option: false,
            upgrade_offered: false,
            expects_continue: false,
        }
    }

    /// Reads one field.
    pub(crate) fn read(&mut self, name: &[u8], value: &[u8]) -> Result<(), PeerError> {
        match name.len() {
            4 if is(name, b"host") => self.host(value),
            6 if is(name, b"expect") => self.expectation(value),
            7 if is(name, b"upgrade") => self.upgrade(value),
            10 if is(name, b"connection") => self.connection(value),
            14 if is(name, b"content-length") => self.content_length(value),
            17 if is(name, b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), PeerError> {
        self.hosts = self.hosts.saturating_add(1);
        match self.hosts {
            1 if target::is_host_with_port(value) => Ok(()),
            1 => Err(PeerError::BadHost),
            _ => Err(PeerError::RepeatedHost),
        }
    }

    /// RFC 9110 section 10.1.1: an expectation in an HTTP/1.0 request is ignored.
    #[inline(never)]
    fn expectation(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if self.version == Version::Http10 {
            return Ok(());
        }
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(PeerError::UnknownExpectation);
        }
        self.expects_continue = true;
        Ok(())
    }

    /// RFC 9110 section 7.8. An offer of `h2c` is one that HTTP/2 itself has withdrawn (RFC 9113 section
    /// 3.1): the request stands on its own without it.
    #[inline(never)]
    fn upgrade(&mut self, value: &[u8]) -> Result<(), PeerError> {
        self.upgrade_offered |=
            list(value).any(|protocol| !protocol.is_empty() && !protocol.eq_ignore_ascii_case(b"h2c"));
        Ok(())
    }

    #[inline(never)]
    fn connection(&mut self, value: &[u8]) -> Result<(), PeerError> {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(())
    }

    /// RFC 9110 section 8.6: decimal digits and nothing else. A repeated value could be read in two ways.
    #[inline(never)]
    fn content_length(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if self.length.is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(PeerError::BadContentLength);
        }
        let digits = core::str::from_utf8(value).map_err(|_| PeerError::BadContentLength)?;
        self.length = Some(digits.parse().map_err(|_| PeerError::BodyTooLarge)?);
        Ok(())
    }

    /// RFC 9112 sections 6.1 and 6.3: `chunked` once, and nothing after it.
    #[inline(never)]
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), PeerError> {
        for coding in list(value) {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            match self.coding {
                Coding::Chunked => return Err(PeerError::BadChunkedCoding),
                Coding::None if coding.is_empty() => return Err(PeerError::BadChunkedCoding),
                Coding::None if is_chunked => self.coding = Coding::Chunked,
                Coding::None => return Err(PeerError::UnknownCoding),
            }
        }
        Ok(())
    }

    /// What it all says.
    pub(crate) fn conclude(self, method: &str, bounds: &Bounds) -> Result<Facts, PeerError> {
        if self.version == Version::Http11 && self.hosts == 0 {
            return Err(PeerError::MissingHost);
        }
        let body = self.body()?;
        if matches!(body, BodyLength::Known(length) if !bounds.admit_body(length)) {
            return Err(PeerError::BodyTooLarge);
        }
        let kind = self.kind(method);
        if kind == Kind::Connect && body != BodyLength::Empty {
            return Err(PeerError::BodyOnConnect);
        }
        let expects_continue = self.expects_continue && body != BodyLength::Empty;
        Ok(Facts { kind, persistence: self.persistence(), body, expects_continue })
    }

    fn body(&self) -> Result<BodyLength, PeerError> {
        match (self.coding, self.length) {
            (Coding::None, None | Some(0)) => Ok(BodyLength::Empty),
            (Coding::None, Some(length)) => Ok(BodyLength::Known(length)),
            (Coding::Chunked, _) if self.version == Version::Http10 => Err(PeerError::EncodingInHttp10),
            (Coding::Chunked, Some(_)) => Err(PeerError::LengthAndEncoding),
            (Coding::Chunked, None) => Ok(BodyLength::Unknown),
        }
    }

    fn kind(&self, method: &str) -> Kind {
        let upgrade = self.version == Version::Http11 && self.upgrade_option && self.upgrade_offered;
        match method {
            "CONNECT" => Kind::Connect,
            "HEAD" => Kind::Head,
            _ if upgrade => Kind::Upgrade,
            _ => Kind::Plain,
        }
    }

    /// RFC 9112 section 9.3.
    fn persistence(&self) -> Persistence {
        let keeps = match self.version {
            Version::Http11 | Version::Http2 => !self.close,
            Version::Http10 => self.keep_alive && !self.close,
        };
        if keeps { Persistence::Keep } else { Persistence::Close }
    }
}

/// Whether `name`, a token, is `wanted`, which is in small letters. The bit of a letter's case makes small letters
/// and hyphens of no other characters of tokens than capitals and themselves. Mostly the first letter tells.
fn is<const N: usize>(name: &[u8], wanted: &[u8; N]) -> bool {
    const CASE: u8 = 0x20;
    let begins = name.first().map(|first| first | CASE) == wanted.first().copied();
    begins && <&[u8; N]>::try_from(name).is_ok_and(|name| name.map(|byte| byte | CASE) == *wanted)
}

/// The members of a comma-separated list (RFC 9110 section 5.6.1), without the blanks around them.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
