//! A client's reading of responses, written from RFC 9112 and from nothing of the core's: what the core
//! sends has to mean the same here.

use std::fmt;

/// What a request was, as far as that decides how the response to it is read (RFC 9112 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Asked {
    /// A method that is neither of the others.
    Plain,
    /// HEAD: no body, whatever the head says.
    Head,
    /// CONNECT: a tunnel follows a 2xx.
    Connect,
}

/// How the end of a response is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Delimited {
    /// By its head alone.
    Bodiless,
    /// By `content-length`.
    Length,
    /// By the last chunk.
    Chunked,
    /// By the end of the connection.
    Close,
    /// It has none: what follows the head is another protocol.
    Tunnel,
}

/// How much of a response is here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its head and some of its body.
    Part,
}

/// A final response.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The statuses of the interim responses ahead of it.
    pub interim: Vec<u16>,
    /// The fields; names in lower case.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body so far, decoded.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// How its end is known.
    pub delimited: Delimited,
    /// How much of it is here.
    pub extent: Extent,
}

impl Reply {
    /// Whether it says that no other follows on the connection.
    pub fn says_close(&self) -> bool {
        self.fields.iter().any(|(name, value)| {
            name == "connection"
                && value.split(|byte| *byte == b',').any(|option| option.trim_ascii() == b"close")
        })
    }

    /// Whether a client takes it for the last one.
    pub fn is_last(&self) -> bool {
        self.says_close() || matches!(self.delimited, Delimited::Close | Delimited::Tunnel)
    }
}

/// What no client could make sense of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// The first final response in `text`, and how many bytes of `text` it takes; nothing while its head is
/// not whole.
///
/// # Errors
/// [`Malformed`].
pub fn read_reply(mut text: &[u8], asked: Asked) -> Result<Option<(Reply, usize)>, Malformed> {
    let all = text.len();
    let mut interim = Vec::new();
    loop {
        let Some((status, fields, used)) = read_head(text)? else { return Ok(None) };
        text = &text[used..];
        if (100..200).contains(&status) && status != 101 {
            interim.push(status);
            continue;
        }
        let mut reply = Reply {
            status,
            interim,
            fields,
            body: Vec::new(),
            trailers: Vec::new(),
            delimited: Delimited::Bodiless,
            extent: Extent::Whole,
        };
        let used = read_body(&mut reply, text, asked)?;
        return Ok(Some((reply, all - text.len() + used)));
    }
}

/// All responses in `text`, to requests that were `asked`. The last may be there in part; a head that is
/// not whole is left out.
///
/// # Errors
/// [`Malformed`]; for one, where something follows a response that was said to be the last.
pub fn read_replies(mut text: &[u8], asked: impl Fn(usize) -> Asked) -> Result<Vec<Reply>, Malformed> {
    let mut replies: Vec<Reply> = Vec::new();
    while !text.is_empty() {
        if replies.last().is_some_and(Reply::is_last) {
            return Err(Malformed("bytes after the last response"));
        }
        let Some((reply, used)) = read_reply(text, asked(replies.len()))? else { break };
        text = &text[used..];
        let extent = reply.extent;
        replies.push(reply);
        if extent == Extent::Part {
            break;
        }
    }
    Ok(replies)
}

type Head = (u16, Vec<(String, Vec<u8>)>, usize);

fn read_head(text: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some(end) = find(text, b"\r\n\r\n") else { return Ok(None) };
    let mut lines = split_lines(&text[..end + 2]);
    let status = read_status(lines.next().unwrap_or_default())?;
    let fields = lines.map(read_field).collect::<Result<_, _>>()?;
    Ok(Some((status, fields, end + 4)))
}

/// `HTTP/1.1 SP 3DIGIT SP phrase` (RFC 9112 section 4).
fn read_status(line: &[u8]) -> Result<u16, Malformed> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").ok_or(Malformed("no HTTP/1.1 status line"))?;
    match rest {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
            Ok(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => Err(Malformed("a status that is not three digits")),
    }
}

fn read_field(line: &[u8]) -> Result<(String, Vec<u8>), Malformed> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Malformed("a field without a colon"))?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic()) {
        return Err(Malformed("a field whose name is no token"));
    }
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(Malformed("a field with a control character"));
    }
    Ok((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()))
}

fn read_body(reply: &mut Reply, text: &[u8], asked: Asked) -> Result<usize, Malformed> {
    let values = |wanted: &str| -> Vec<&[u8]> {
        reply.fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_slice()).collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    if lengths.len() > 1 || codings.len() > 1 || (!lengths.is_empty() && !codings.is_empty()) {
        return Err(Malformed("a response that is framed twice"));
    }
    let is_tunnel = reply.status == 101 || (asked == Asked::Connect && (200..300).contains(&reply.status));
    if is_tunnel {
        reply.delimited = Delimited::Tunnel;
        reply.extent = Extent::Part;
        reply.body = text.to_vec();
        return Ok(text.len());
    }
    if asked == Asked::Head || matches!(reply.status, 204 | 304) {
        return Ok(0);
    }
    if let Some(coding) = codings.first() {
        if *coding != b"chunked" {
            return Err(Malformed("a transfer coding that nobody asked for"));
        }
        reply.delimited = Delimited::Chunked;
        return read_chunks(reply, text);
    }
    if let Some(length) = lengths.first() {
        let length = std::str::from_utf8(length).ok().and_then(|digits| digits.parse::<usize>().ok());
        let length = length.ok_or(Malformed("a content-length that is no number"))?;
        let used = length.min(text.len());
        reply.delimited = Delimited::Length;
        reply.extent = if used == length { Extent::Whole } else { Extent::Part };
        reply.body = text[..used].to_vec();
        return Ok(used);
    }
    reply.delimited = Delimited::Close;
    reply.extent = Extent::Part;
    reply.body = text.to_vec();
    Ok(text.len())
}

fn read_chunks(reply: &mut Reply, text: &[u8]) -> Result<usize, Malformed> {
    reply.extent = Extent::Part;
    let mut used = 0;
    loop {
        let Some(end) = find(&text[used..], b"\r\n") else { return Ok(text.len()) };
        let line = &text[used..used + end];
        let digits = std::str::from_utf8(line).ok().filter(|line| !line.starts_with('+'));
        let size = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.ok_or(Malformed("a chunk size that is no number"))?;
        used += end + 2;
        if size == 0 {
            return read_trailers(reply, text, used);
        }
        let data = &text[used..];
        reply.body.extend_from_slice(&data[..size.min(data.len())]);
        match data.get(size..size + 2) {
            Some(b"\r\n") => used += size + 2,
            Some(_) => return Err(Malformed("a chunk that does not end where it said")),
            None => return Ok(text.len()),
        }
    }
}

fn read_trailers(reply: &mut Reply, text: &[u8], mut used: usize) -> Result<usize, Malformed> {
    loop {
        let Some(end) = find(&text[used..], b"\r\n") else { return Ok(text.len()) };
        let line = &text[used..used + end];
        used += end + 2;
        if line.is_empty() {
            reply.extent = Extent::Whole;
            return Ok(used);
        }
        reply.trailers.push(read_field(line)?);
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// The lines of a head, each without its CRLF.
fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = find(rest, b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        Some(line)
    })
}
