//! A local model server; it misbehaves on demand.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers with this text as the model's.
    Say(String),
    /// The same, with this `finish_reason`.
    Finish(&'static str, String),
    /// This status, these headers and this message in OpenAI's shape.
    Fail(u16, &'static str, &'static str),
    /// This status with exactly this body.
    Status(u16, String),
    /// The body of a context that is too small.
    TooLong { needs: u64, holds: u64 },
    /// Exactly this body with 200.
    Body(String),
    /// One byte now and then, never all.
    Drip,
    /// Bytes without end.
    Endless,
    /// Half a body, then the connection closes.
    Break,
    /// Exactly these bytes, then the connection closes.
    Raw(Vec<u8>),
    /// Exactly these bytes, then nothing until the client goes.
    Stall(Vec<u8>),
    /// Follows the last line of the prompt's data that says `set X to Y`, as a model would.
    Obey,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) target: String,
    /// Header lines.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the user's message.
    pub(crate) fn user(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body.pointer("/messages/1/content").and_then(Value::as_str).unwrap().to_owned()
    }
}

#[derive(Default)]
struct Shared {
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

pub(crate) struct ModelServer {
    port: u16,
    shared: Arc<Shared>,
}

impl ModelServer {
    /// Serves requests with these acts in turn; the last one stays.
    pub(crate) fn start(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { acts: Mutex::new(acts.iter().cloned().collect()), ..Shared::default() });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.stop.load(Ordering::SeqCst) {
                    return;
                }
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.connection(stream));
            }
        });
        Self { port, shared }
    }

    /// A port where nothing listens.
    pub(crate) fn absent() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://127.0.0.1:{}/v1", listener.local_addr().unwrap().port())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Every request that came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// An answer of the model in its envelope.
pub(crate) fn completion(finish: &str, text: &str) -> String {
    json!({
        "object": "chat.completion", "model": "played", "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 40, "total_tokens": 340},
    })
    .to_string()
}

/// An edit as the model says it.
pub(crate) fn edit(path: &str, old: &str, new: &str) -> String {
    json!({"path": path, "old": old, "new": new, "evidence": [1], "reason": "the evidence says so"}).to_string()
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some(seen) = request(&mut reader) {
            self.seen.lock().unwrap().push(seen.clone());
            let act = {
                let mut acts = self.acts.lock().unwrap();
                if acts.len() > 1 { acts.pop_front().unwrap() } else { acts[0].clone() }
            };
            let sent = match act {
                Act::Say(text) => answer(&mut writer, 200, "", &completion("stop", &text)),
                Act::Finish(finish, text) => answer(&mut writer, 200, "", &completion(finish, &text)),
                Act::Body(body) => answer(&mut writer, 200, "", &body),
                Act::Obey => answer(&mut writer, 200, "", &completion("stop", &obey(&seen))),
                Act::Fail(code, headers, message) => {
                    let body = json!({"error": {"message": message, "type": "played", "code": code}});
                    answer(&mut writer, code, headers, &body.to_string())
                }
                Act::Status(code, body) => answer(&mut writer, code, "", &body),
                Act::TooLong { needs, holds } => {
                    let error = json!({"code": 400, "message": "too long", "type": "exceed_context_size_error",
                                       "n_prompt_tokens": needs, "n_ctx": holds});
                    answer(&mut writer, 400, "", &json!({"error": error}).to_string())
                }
                Act::Break => {
                    let _ = writer.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{\"choices\":[");
                    return;
                }
                Act::Raw(bytes) => {
                    let _ = writer.write_all(&bytes);
                    return;
                }
                Act::Stall(bytes) => {
                    let _ = writer.write_all(&bytes);
                    let _ = reader.read(&mut [0; 1]);
                    return;
                }
                Act::Drip => return drip(&mut writer, b" ", Duration::from_millis(20)),
                Act::Endless => return drip(&mut writer, &[b' '; 65_536], Duration::ZERO),
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

fn answer(writer: &mut TcpStream, code: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    writer.write_all(format!("{head}{body}").as_bytes())
}

/// Sends chunks until the client goes.
fn drip(writer: &mut TcpStream, chunk: &[u8], pause: Duration) {
    let head = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut sent = writer.write_all(head);
    while sent.is_ok() {
        std::thread::sleep(pause);
        let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        sent = writer.write_all(&framed);
    }
}

/// What a model that follows instructions from its data answers: the field and the value that they name.
fn obey(seen: &Seen) -> String {
    let user = seen.user();
    let order = user.lines().rev().find_map(|line| line.split_once("set ")?.1.split_once(" to "));
    let (field, value) = order.unwrap();
    let offered = user.lines().find_map(|line| line.strip_prefix("| ")?.split_once(&format!(".{field} = ")));
    let (path, old) = offered
        .map_or((field.to_owned(), ""), |(path, rest)| (format!("{path}.{field}"), rest.split("   ").next().unwrap()));
    edit(&path, old, value)
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { target, head, body })
}
