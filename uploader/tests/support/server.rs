//! A small tus server that fails as it is told: the faults are a list, each meets the next request of its method.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::http::{Connection, Head};

/// One fault, for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Takes this many bytes of the body, then resets the connection.
    CutAfter(usize),
    /// Does what was asked, then resets the connection instead of answering.
    LoseAnswer,
    /// Answers this without doing anything or reading the body.
    Answer(u16, &'static [(&'static str, &'static str)]),
    /// Takes this many bytes of the body, then neither reads nor answers.
    StallAfter(usize),
    /// Before doing what was asked, drops this many bytes of the upload's end.
    LoseBytes(usize),
    /// Before doing what was asked, loses the upload.
    Forget,
    /// Takes this many bytes of the body and answers with success.
    TakeOnly(usize),
    /// Nothing: lets one request pass.
    Pass,
}

/// One upload.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    pub length: usize,
    pub bytes: Vec<u8>,
    pub metadata: Option<String>,
    pub concat: Option<String>,
    pub part_offset: Option<usize>,
    /// Counts the requests for it; an older one gives way to a newer one.
    turn: u64,
}

/// What the server knows and does.
#[derive(Debug, Default)]
pub struct State {
    pub uploads: HashMap<String, Upload>,
    pub faults: Vec<(&'static str, Fault)>,
    pub requests: Vec<Head>,
    /// `tidegate-digest` and `tidegate-asset` are sent.
    pub tells_digest: bool,
    /// The digest that is sent is another.
    pub lies: bool,
    pub cannot_concatenate: bool,
    pub max_size: Option<u64>,
    next: u32,
}

/// A running server.
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    /// One that tells digests, and meets these faults.
    pub async fn with(faults: &[(&'static str, Fault)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State { faults: faults.to_vec(), tells_digest: true, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move {
                    let mut connection = Connection::new(stream);
                    loop {
                        match serve(&mut connection, &state).await {
                            Ok(true) => {}
                            Ok(false) => break connection.reset(),
                            Err(_) => break,
                        }
                    }
                });
            }
        });
        Self { url, state, _task: AbortOnDropHandle::new(task) }
    }

    /// Looks at or changes what it knows.
    pub fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// The bytes of the only complete upload that is not a part.
    pub fn asset(&self) -> Vec<u8> {
        let whole = |upload: &&Upload| upload.bytes.len() == upload.length && upload.part_offset.is_none();
        let assets: Vec<Vec<u8>> = self
            .state(|state| state.uploads.values().filter(whole).map(|upload| upload.bytes.clone()).collect());
        assert_eq!(assets.len(), 1, "one complete upload");
        assets.into_iter().next().unwrap()
    }

    /// How often `method` was asked for.
    pub fn count(&self, method: &str) -> usize {
        self.state(|state| state.requests.iter().filter(|head| head.method == method).count())
    }
}

/// Serves one request. `false`: the connection is to be reset.
async fn serve(connection: &mut Connection, shared: &Mutex<State>) -> io::Result<bool> {
    let Some(head) = connection.head().await? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let fault = {
        let mut state = shared.lock().unwrap();
        state.requests.push(head.clone());
        let next = state.faults.iter().position(|(method, _)| *method == head.method);
        next.map_or(Fault::Pass, |at| state.faults.remove(at).1)
    };
    let id = head.path.rsplit('/').next().unwrap().to_owned();
    if let Some(upload) = shared.lock().unwrap().uploads.get_mut(&id) {
        upload.turn += 1;
    }
    match &fault {
        Fault::Answer(status, fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            connection.answer(*status, &fields, true).await?;
            return linger(connection, &head).await;
        }
        Fault::StallAfter(_) if head.method == "HEAD" => std::future::pending().await,
        Fault::Forget => drop(shared.lock().unwrap().uploads.remove(&id)),
        Fault::LoseBytes(lost) => {
            if let Some(upload) = shared.lock().unwrap().uploads.get_mut(&id) {
                let left = upload.bytes.len().saturating_sub(*lost);
                upload.bytes.truncate(left);
            }
        }
        _ => {}
    }
    let (status, fields) = match head.method.as_str() {
        "OPTIONS" => (204, shared.lock().unwrap().abilities()),
        "POST" => {
            let made = shared.lock().unwrap().create(&head);
            match made {
                Ok(id) => {
                    if !receive(connection, shared, &head, &id, &fault).await? {
                        return Ok(false);
                    }
                    (201, shared.lock().unwrap().describe(&id, true))
                }
                Err(status) => (status, Vec::new()),
            }
        }
        "HEAD" if shared.lock().unwrap().uploads.contains_key(&id) => {
            (200, shared.lock().unwrap().describe(&id, false))
        }
        "PATCH" => {
            let at = shared.lock().unwrap().uploads.get(&id).map(|upload| upload.bytes.len());
            match at {
                None => (404, Vec::new()),
                Some(at) if head.number("upload-offset") != Some(at) => (409, Vec::new()),
                Some(_) => {
                    if !receive(connection, shared, &head, &id, &fault).await? {
                        return Ok(false);
                    }
                    (204, shared.lock().unwrap().describe(&id, false))
                }
            }
        }
        _ => (404, Vec::new()),
    };
    if fault == Fault::LoseAnswer {
        return Ok(false);
    }
    connection.answer(status, &fields, head.method != "HEAD").await?;
    if status >= 400 {
        return linger(connection, &head).await;
    }
    Ok(!matches!(fault, Fault::TakeOnly(_)))
}

/// After an answer that came before the body was read: reads the body, or what comes of it. Closing at once would
/// reset the connection and lose the answer on its way.
async fn linger(connection: &mut Connection, head: &Head) -> io::Result<bool> {
    let mut left = head.number("content-length").unwrap_or(0);
    while left > 0 {
        let piece = connection.body(left).await?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= piece.len();
    }
    Ok(true)
}

/// Takes the body as far as the fault allows. `false`: the connection is to be reset.
async fn receive(
    connection: &mut Connection,
    shared: &Mutex<State>,
    head: &Head,
    id: &str,
    fault: &Fault,
) -> io::Result<bool> {
    let length = head.number("content-length").unwrap_or(0);
    let most = match fault {
        Fault::CutAfter(most) | Fault::StallAfter(most) | Fault::TakeOnly(most) => length.min(*most),
        _ => length,
    };
    let turn = shared.lock().unwrap().uploads.get(id).map_or(0, |upload| upload.turn);
    let mut left = most;
    while left > 0 {
        let piece = connection.body(left).await?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= piece.len();
        match shared.lock().unwrap().uploads.get_mut(id) {
            Some(upload) if upload.turn == turn => upload.bytes.extend_from_slice(&piece),
            _ => return Ok(false),
        }
    }
    match fault {
        Fault::CutAfter(_) => Ok(false),
        Fault::StallAfter(_) => std::future::pending().await,
        _ => Ok(true),
    }
}

impl State {
    fn abilities(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("tus-version", "1.0.0".to_owned())];
        let concat = if self.cannot_concatenate { "" } else { ",concatenation" };
        fields.push(("tus-extension", format!("creation,creation-with-upload{concat}")));
        fields.extend(self.max_size.map(|most| ("tus-max-size", most.to_string())));
        fields
    }

    fn create(&mut self, head: &Head) -> Result<String, u16> {
        self.next += 1;
        let id = format!("u{}", self.next);
        let concat = head.field("upload-concat").map(str::to_owned);
        let mut upload = Upload {
            metadata: head.field("upload-metadata").map(str::to_owned),
            part_offset: head.number("upload-part-offset"),
            concat: concat.clone(),
            ..Upload::default()
        };
        match concat.as_deref().and_then(|concat| concat.strip_prefix("final;")) {
            Some(parts) => {
                for part in parts.split(' ') {
                    let part = self.uploads.get(part.rsplit('/').next().unwrap()).ok_or(404u16)?;
                    if part.bytes.len() < part.length {
                        return Err(400);
                    }
                    upload.bytes.extend_from_slice(&part.bytes);
                }
                upload.length = upload.bytes.len();
            }
            None => upload.length = head.number("upload-length").ok_or(400u16)?,
        }
        self.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    fn describe(&self, id: &str, created: bool) -> Vec<(&'static str, String)> {
        let upload = &self.uploads[id];
        let mut fields = vec![
            ("tus-resumable", "1.0.0".to_owned()),
            ("upload-offset", upload.bytes.len().to_string()),
            ("upload-length", upload.length.to_string()),
        ];
        if created {
            fields.push(("location", format!("/files/{id}")));
        }
        if self.tells_digest && upload.bytes.len() == upload.length && upload.part_offset.is_none() {
            let digest = if self.lies { blake3::hash(b"other") } else { blake3::hash(&upload.bytes) };
            fields.push(("tidegate-digest", format!("blake3:{digest}")));
            fields.push(("tidegate-asset", format!("/media/{id}/source")));
        }
        fields
    }
}
