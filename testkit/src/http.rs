//! HTTP/1.1 over a plain socket, with control over every byte.
//!
//! Real clients refuse to send what a test of bad input must send, and hide when a connection ended. This one sends
//! what it is told and says how each body ended.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::limits;

/// A request to send as it stands, but for `Host` and `Content-Length`, which are added where missing.
#[derive(Debug, Clone, Default)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    bare: bool,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// Shorthand.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header field; the same name again sends it twice.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds header fields.
    #[must_use]
    pub fn headers<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        fields.into_iter().fold(self, |request, (name, value)| request.header(name, value))
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    /// Leaves `Host` and `Content-Length` to the caller.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// What goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.bare && !has("host") {
            head += "Host: localhost\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let wants_length = !self.body.is_empty() || matches!(&*self.method, "POST" | "PUT" | "PATCH");
        if !self.bare && wants_length && !has("content-length") && !has("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends it on a connection of its own and returns the answer with its whole body.
    ///
    /// # Errors
    /// When the connection is refused or ends before an answer.
    pub fn try_send(&self, to: SocketAddr) -> io::Result<Response> {
        let mut connection = Connection::open(to)?;
        // A server may answer and close before it has read everything: its answer still counts.
        let sent = connection.send(&self.to_bytes());
        connection.response(&self.method).map_err(|error| sent.err().unwrap_or(error))
    }

    /// [`Self::try_send`] where an answer is a must.
    ///
    /// # Panics
    /// When there is none.
    pub fn send(&self, to: SocketAddr) -> Response {
        let answer = self.try_send(to);
        answer.unwrap_or_else(|error| panic!("{} {} on {to}: {error}", self.method, self.target))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as far as it came.
    pub body: Vec<u8>,
    /// Whether the body came to the end that its framing promised.
    pub whole: bool,
}

impl Response {
    /// The first field of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// A field that holds a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The code of a problem, empty when the body is none.
    pub fn problem(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns itself when the status is this.
    ///
    /// # Panics
    /// When it is another, with the answer.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.text());
        self
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What was read past the last answer.
    ahead: Vec<u8>,
}

impl Connection {
    /// Connects; reads and writes give up after [`limits::REQUEST`].
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, limits::REQUEST)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(limits::REQUEST))?;
        let connection = Self { stream, ahead: Vec::new() };
        connection.patience(limits::REQUEST)?;
        Ok(connection)
    }

    /// How long a read waits for the peer.
    ///
    /// # Errors
    /// When the socket does not take it.
    pub fn patience(&self, limit: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(limit))
    }

    /// The socket, for what is not HTTP.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the peer is gone or takes nothing any more.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request and reads its answer; the connection can be used again.
    ///
    /// # Errors
    /// When the connection ends before an answer.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        self.send(&request.to_bytes())?;
        self.response(&request.method)
    }

    /// Reads the answer to a request of this method, interim ones (1xx) left aside.
    ///
    /// # Errors
    /// When the connection ends before the head is there.
    pub fn response(&mut self, method: &str) -> io::Result<Response> {
        let mut response = self.head()?;
        while (100..200).contains(&response.status) {
            response = self.head()?;
        }
        if method != "HEAD" && !matches!(response.status, 204 | 304) {
            self.read_body(&mut response);
        }
        Ok(response)
    }

    /// Reads one head; its body, if it has one, is left for [`Self::read_some`].
    ///
    /// # Errors
    /// When the connection ends before, or what comes is not HTTP.
    pub fn head(&mut self) -> io::Result<Response> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let head = self.ahead.drain(..end + 4).collect::<Vec<u8>>();
                return parse_head(&head).ok_or_else(|| bad("not an HTTP answer"));
            }
            if self.ahead.len() > limits::RESPONSE_HEAD {
                return Err(bad("the head of the answer does not end"));
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads up to `most` bytes of whatever comes next; none at the end of the connection.
    ///
    /// # Errors
    /// When the connection broke or nothing came in time.
    pub fn read_some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.ahead.is_empty() {
            self.fill()?;
        }
        let now = most.min(self.ahead.len());
        Ok(self.ahead.drain(..now).collect())
    }

    fn read_body(&mut self, response: &mut Response) {
        let chunked = response.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
        response.whole = if chunked {
            self.read_chunks(&mut response.body).is_ok()
        } else if let Some(length) = response.number("content-length") {
            self.read_exactly(length, &mut response.body).is_ok()
        } else {
            self.read_to_end(&mut response.body).is_ok()
        };
    }

    fn read_exactly(&mut self, length: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let read = self.read_some(usize::try_from(left).unwrap_or(usize::MAX))?;
            if read.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= read.len() as u64;
            into.extend(read);
        }
        Ok(())
    }

    fn read_chunks(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| bad("not a chunk"))?;
            self.read_exactly(size, into)?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(());
            }
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn read_to_end(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let read = self.read_some(usize::MAX)?;
            if read.is_empty() {
                return Ok(());
            }
            into.extend(read);
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let read = self.stream.read(&mut chunk)?;
        self.ahead.extend_from_slice(&chunk[..read]);
        Ok(read)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn parse_head(head: &[u8]) -> Option<Response> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers = lines.take_while(|line| !line.is_empty()).map(field).collect::<Option<Vec<_>>>()?;
    Some(Response { status, headers, body: Vec::new(), whole: true })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// Answers one connection with these bytes, closes it, and returns what was asked.
    fn answer(bytes: &'static [u8], request: &Request) -> (io::Result<Response>, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while find(&asked, b"\r\n\r\n").is_none() {
                let mut chunk = [0; 1024];
                let read = stream.read(&mut chunk).unwrap();
                asked.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(bytes).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (request.try_send(addr), server.join().unwrap())
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        let get = Request::get("/a");
        let (sized, asked) = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b \r\n\r\nabcd", &get);
        let sized = sized.unwrap();
        assert_eq!((&*sized.text(), sized.whole, sized.header("x-a")), ("abc", true, Some("b")));
        assert_eq!(asked, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (cut, _) = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", &get);
        assert!(!cut.unwrap().whole);
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        let (chunked, _) = answer(chunks, &get);
        assert_eq!(
            chunked.unwrap(),
            Response {
                status: 200,
                headers: vec![("transfer-encoding".into(), "chunked".into())],
                body: b"abc".into(),
                whole: true
            }
        );
        let (to_end, _) = answer(b"HTTP/1.0 404 No\r\n\r\n{\"code\":\"not_found\"}", &get);
        assert_eq!(to_end.unwrap().expect(404).problem(), "not_found");
    }

    #[test]
    fn an_interim_answer_is_left_aside_and_silence_is_an_error() {
        let post = Request::new("POST", "/").header("X", 1);
        let (response, asked) = answer(b"HTTP/1.1 104 Go\r\nA: b\r\n\r\nHTTP/1.1 201 Made\r\n\r\n", &post);
        assert_eq!(response.unwrap().status, 201);
        assert!(asked.contains("X: 1\r\nContent-Length: 0\r\n"), "{asked}");
        assert!(answer(b"", &post).0.is_err());
    }
}
