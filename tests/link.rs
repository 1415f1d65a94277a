//! The smallest HTTP/1.1 client, so that a test says which bytes go out on which connection and sees when one breaks.
//! Reads answers with a Content-Length only, which is all that imbot gives.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any deadline of the server.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// What the door says became of the event; `None` where it was refused.
    pub(crate) fn outcome(&self) -> Option<&str> {
        self.header("x-imbot-outcome")
    }

    /// The value of a header, named in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// A connection that stays open between requests until one fails.
#[derive(Debug)]
pub(crate) struct Link {
    to: SocketAddr,
    host: String,
    open: Option<BufReader<TcpStream>>,
    keep: bool,
}

impl Link {
    /// `keep`: one connection for all requests, else a new one for each, as Bitrix24 does it.
    pub(crate) fn new(to: SocketAddr, keep: bool) -> Self {
        Self {
            to,
            host: to.to_string(),
            open: None,
            keep,
        }
    }

    /// A link that asks for this host, whatever the address.
    pub(crate) fn asking_for(self, host: &str) -> Self {
        let host = host.to_owned();
        Self { host, ..self }
    }

    /// Posts an event and asks what became of it.
    pub(crate) fn post(&mut self, content_type: &str, body: &[u8]) -> io::Result<Reply> {
        let head = format!(
            "content-type: {content_type}\r\nx-imbot-ask: outcome\r\ncontent-length: {}\r\n",
            body.len()
        );
        self.send("POST /webhook", &head, body)
    }

    fn send(&mut self, line: &str, headers: &str, body: &[u8]) -> io::Result<Reply> {
        let done = self.exchange(line, headers, body);
        if done.is_err() || !self.keep {
            self.open = None;
        }
        done
    }

    fn exchange(&mut self, line: &str, headers: &str, body: &[u8]) -> io::Result<Reply> {
        let fate = if self.keep { "keep-alive" } else { "close" };
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: {fate}\r\n{headers}\r\n",
            self.host
        );
        let stream = match &mut self.open {
            Some(stream) => stream,
            none => none.insert(connect(self.to)?),
        };
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        // A server that refuses before it has read everything answers all the same.
        let written = stream.get_mut().write_all(&request);
        let reply = read(stream);
        if reply.is_err() {
            written?;
        }
        reply
    }
}

fn connect(to: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let mut reply = Reply {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        head,
        body: String::new(),
    };
    let length = reply.header("content-length").and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    reply.body = String::from_utf8_lossy(&body).into_owned();
    Ok(reply)
}

/// Posts an event over a connection of its own.
pub(crate) fn post(to: SocketAddr, content_type: &str, body: &[u8]) -> io::Result<Reply> {
    Link::new(to, false).post(content_type, body)
}

/// Gets a page over a connection of its own.
pub(crate) fn get(to: SocketAddr, path: &str) -> io::Result<Reply> {
    Link::new(to, false).send(&format!("GET {path}"), "", b"")
}

/// Posts to another path than the door's, over a connection of its own.
pub(crate) fn post_to(to: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> io::Result<Reply> {
    let head = format!("content-type: {content_type}\r\ncontent-length: {}\r\n", body.len());
    Link::new(to, false).send(&format!("POST {path}"), &head, body)
}
