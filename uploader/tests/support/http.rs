//! Just enough HTTP/1.1, by hand, for a server that breaks at any byte.

use std::collections::HashMap;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request's head.
#[derive(Debug, Clone)]
pub struct Head {
    pub method: String,
    pub path: String,
    pub fields: HashMap<String, String>,
}

impl Head {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<usize> {
        self.field(name)?.parse().ok()
    }
}

/// A connection with what was read past the head.
pub struct Connection {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if self.stream.read_buf(&mut self.ahead).await? == 0 {
                return Ok(None);
            }
        };
        let rest = self.ahead.split_off(end + 4);
        let text = String::from_utf8(std::mem::replace(&mut self.ahead, rest)).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let mut request = lines.next().unwrap().split(' ');
        let (method, path) = (request.next().unwrap().to_owned(), request.next().unwrap().to_owned());
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Ok(Some(Head { method, path, fields: fields.collect() }))
    }

    /// Up to `most` bytes of a body; empty at the end of the connection.
    pub async fn body(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.ahead.is_empty() && self.stream.read_buf(&mut self.ahead).await? == 0 {
            return Ok(Vec::new());
        }
        let rest = self.ahead.split_off(most.min(self.ahead.len()));
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    pub async fn answer(
        &mut self,
        status: u16,
        fields: &[(&str, String)],
        with_length: bool,
    ) -> io::Result<()> {
        let mut text = format!("HTTP/1.1 {status} -\r\n");
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if with_length && status != 204 {
            text.push_str("content-length: 0\r\n");
        }
        text.push_str("\r\n");
        self.stream.write_all(text.as_bytes()).await
    }

    /// Closes with a reset, as a network that loses its state does.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}
