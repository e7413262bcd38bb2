//! A receiver of webhooks that does what it is told: takes, refuses, hangs, answers late, or breaks off.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::limits;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The path.
    pub path: String,
    /// The fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: String,
}

impl Received {
    /// A field, empty when it did not come.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The event's type.
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This status, with these fields.
    Status(u16, Vec<(&'static str, String)>),
    /// The same after a while.
    Late(Duration, u16),
    /// Nothing, until the other side goes away.
    Hang,
    /// The end of the connection, without an answer.
    Cut,
    /// 200, and a body that does not end.
    Endless,
}

impl Reply {
    /// This status and nothing else.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

type Plan = Arc<dyn Fn(&Received, usize) -> Reply + Send + Sync>;

/// A running receiver. It listens until the test's process ends.
#[derive(Clone)]
pub struct Receiver {
    addr: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({})", self.addr)
    }
}

impl Receiver {
    /// Listens and answers as `plan` says, which sees each request and how many came before it.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start(plan: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let receiver = Self { addr, received: Arc::default() };
        let (plan, own): (Plan, Self) = (Arc::new(plan), receiver.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (plan, own) = (plan.clone(), own.clone());
                std::thread::spawn(move || own.answer(stream, &plan));
            }
        });
        receiver
    }

    /// One that takes everything.
    pub fn willing() -> Self {
        Self::start(|_, _| Reply::status(204))
    }

    /// Its address with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What has come so far, also what was not taken.
    pub fn received(&self) -> Vec<Received> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, mut stream: TcpStream, plan: &Plan) {
        let _ = stream.set_read_timeout(Some(limits::REQUEST));
        let Some(request) = read(&mut stream) else { return };
        let before = {
            let mut received = self.lock();
            received.push(request.clone());
            received.len() - 1
        };
        match plan(&request, before) {
            Reply::Status(status, fields) => say(&mut stream, status, &fields),
            Reply::Late(after, status) => {
                std::thread::sleep(after);
                say(&mut stream, status, &[]);
            }
            // Read until nobody is there any more.
            Reply::Hang => while matches!(stream.read(&mut [0; 64]), Ok(1..)) {},
            Reply::Cut => {}
            Reply::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
                while stream.write_all(&[b'x'; 4096]).is_ok() {}
            }
        }
    }
}

fn say(stream: &mut TcpStream, status: u16, fields: &[(&'static str, String)]) {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let text = format!("HTTP/1.1 {status} So\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes());
}

fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(stream, &mut bytes)?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(field).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    while bytes.len() < end + 4 + length {
        more(stream, &mut bytes)?;
    }
    Some(Received { path, headers, body: String::from_utf8(bytes[end + 4..].to_vec()).ok()? })
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
    bytes.extend_from_slice(&chunk[..read]);
    Some(())
}
