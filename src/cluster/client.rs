//! One GET: deadline, retries, clock, counters.

use super::failure::{Failure, from_body, from_kube};
use crate::model::snapshot::Requests;
use flate2::{Decompress, FlushDecompress, Status};
use http::response::Parts;
use hyper::body::Body as _;
use jiff::Timestamp;
use kube::client::Body;
use serde_json::Value;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    List,
    Page,
    Get,
    Log,
}

/// How the answer is asked for.
pub(super) const JSON: &str = "application/json";
/// For logs, which are plain text.
pub(super) const ANY: &str = "*/*";
/// Metadata of every item and nothing else: the values of ConfigMaps stay on the server.
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches>
pub(super) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// The same for one object.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Requests that may fail one after the other before the server counts as gone.
const GONE_AFTER: usize = 4;
/// Bytes of an unpacked answer at most: a page of 500 objects of 1.5 MiB, the largest that etcd takes, is less.
const MOST: usize = 1 << 30;
/// Bytes of an answer that are made room for on its word alone.
const TOLD: usize = 1 << 24;
/// Bytes that a packed answer may be longer than it says, at no cost.
const ROOM: usize = 64;
/// How often a request that was turned away with 429 is sent again.
const RETRIES: usize = 4;

/// The only way to the API server. It sends GET, a review of our own rights and dry runs, which nothing stores.
pub(super) struct Api {
    client: kube::Client,
    deadline: Duration,
    sent: Mutex<Requests>,
    clock: OnceLock<Timestamp>,
    failed_in_a_row: AtomicUsize,
    /// Whether an answer in binary form could not be had, or not be read.
    plain: AtomicBool,
}

impl Api {
    pub(super) fn new(client: kube::Client, deadline: Duration) -> Self {
        Self {
            client,
            deadline,
            sent: Mutex::default(),
            clock: OnceLock::new(),
            failed_in_a_row: AtomicUsize::new(0),
            plain: AtomicBool::new(false),
        }
    }

    /// Forgets that the server seemed gone: each wave tries anew.
    pub(super) fn hope(&self) {
        self.failed_in_a_row.store(0, Ordering::Relaxed);
    }

    /// Begins another look: what was sent is counted anew, and the clock is read anew.
    pub(super) fn begin(&mut self) {
        self.sent = Mutex::default();
        self.clock = OnceLock::new();
    }

    /// Remembers that only JSON can be read: what follows is asked for so at once.
    pub(super) fn found_plain(&self) {
        self.plain.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    /// What was sent so far.
    pub(super) fn sent(&self) -> Requests {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's clock at its first answer.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        self.clock.get().copied()
    }

    /// Asks the server about ourselves: a `selfsubject*reviews` object is sent and answered, never stored.
    pub(super) async fn review(&self, path: &str, review: &Value, count: Count) -> Result<Vec<u8>, Failure> {
        let body = Body::from(review.to_string().into_bytes());
        let request = http::Request::post(path)
            .header(http::header::ACCEPT, JSON)
            .header(http::header::CONTENT_TYPE, JSON)
            .body(body)
            .map_err(|error| Failure::Garbled(error.to_string()))?;
        let sent = tokio::time::timeout(self.deadline, self.send(request, count)).await;
        sent.unwrap_or(Err((Failure::Timeout(self.deadline), None))).map_err(|(failure, _)| failure)
    }

    /// Applies an object as `manager` would, and stores nothing: `dryRun=All` is not the caller's to leave out.
    /// `path` and `manager` are escaped.
    pub(super) async fn dry_apply(
        &self,
        path: &str,
        manager: &str,
        object: &Value,
        count: Count,
    ) -> Result<(), Failure> {
        let path = format!("{path}?dryRun=All&fieldManager={manager}&force=true");
        let request = http::Request::patch(path)
            .header(http::header::ACCEPT, JSON)
            // Every JSON document is YAML.
            .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml")
            .body(Body::from(object.to_string().into_bytes()))
            .map_err(|error| Failure::Garbled(error.to_string()))?;
        let sent = tokio::time::timeout(self.deadline, self.send(request, count)).await;
        let answer = sent.unwrap_or(Err((Failure::Timeout(self.deadline), None)));
        answer.map(|_| ()).map_err(|(failure, _)| failure)
    }

    /// Sends one GET and reads its answer, both within the deadline.
    pub(super) async fn read(&self, path: &str, accept: &str, count: Count) -> Result<Vec<u8>, Failure> {
        // A server that died in the middle of a scan costs one deadline, not one per request.
        if self.failed_in_a_row.load(Ordering::Relaxed) >= GONE_AFTER {
            return Err(Failure::Gone);
        }
        let until = Instant::now() + self.deadline;
        let answer = tokio::time::timeout_at(until, self.attempts(path, accept, count, until)).await;
        let answer = answer.unwrap_or(Err(Failure::Timeout(self.deadline)));
        match &answer {
            Err(Failure::Timeout(_) | Failure::Transport(..)) => {
                self.failed_in_a_row.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.failed_in_a_row.store(0, Ordering::Relaxed),
        }
        answer
    }

    /// Sends until something else than 429 comes, as long as the server's wish to wait fits the deadline.
    async fn attempts(&self, path: &str, accept: &str, count: Count, until: Instant) -> Result<Vec<u8>, Failure> {
        let mut left = RETRIES;
        loop {
            let (failure, wait) = match self.once(path, accept, count).await {
                Err((failure @ Failure::Answer { code: 429, .. }, wait)) => (failure, wait),
                other => return other.map_err(|(failure, _)| failure),
            };
            let wait = wait.unwrap_or(Duration::from_secs(1));
            if left == 0 || Instant::now() + wait >= until {
                return Err(failure);
            }
            left -= 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, path: &str, accept: &str, count: Count) -> Result<Vec<u8>, (Failure, Option<Duration>)> {
        let request = http::Request::get(path).header(http::header::ACCEPT, accept).body(Body::empty());
        let request = request.map_err(|error| (Failure::Garbled(error.to_string()), None))?;
        self.send(request, count).await
    }

    async fn send(&self, request: http::Request<Body>, count: Count) -> Result<Vec<u8>, (Failure, Option<Duration>)> {
        self.count(count);
        let (head, bytes) = exchange(self.client.clone(), request).await.map_err(|failure| (failure, None))?;
        let date = head.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            let _ = self.clock.set(date.timestamp());
        }
        let wait = head.headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        if head.status.is_success() { Ok(bytes) } else { Err((from_body(head.status.as_u16(), &bytes), wait)) }
    }

    fn count(&self, count: Count) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *match count {
            Count::List => &mut sent.lists,
            Count::Page => &mut sent.pages,
            Count::Get => &mut sent.gets,
            Count::Log => &mut sent.logs,
        } += 1;
    }
}

/// One request and its whole answer, on a task of its own: handshakes, decryption and unpacking of answers that
/// come together take all processors. The task ends with who waits for it.
async fn exchange(client: kube::Client, request: http::Request<Body>) -> Result<(Parts, Vec<u8>), Failure> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        let (head, body) = client.send(request).await.map_err(|error| from_kube(&error))?.into_parts();
        let bytes = whole(body).await.map_err(|error| from_kube(&error))?;
        let is_packed = head.headers.get(http::header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        Ok((head, if is_packed { unpacked(&bytes)? } else { bytes }))
    });
    match task.join_next().await {
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        Some(Ok(answer)) => answer,
        // It is never aborted while someone waits.
        _ => std::future::pending().await,
    }
}

/// The bytes of an answer. Each part is let go as soon as it was copied: parts that are kept to the end take as much
/// memory again.
async fn whole(mut body: Body) -> Result<Vec<u8>, kube::Error> {
    let mut bytes = Vec::with_capacity(usize::try_from(body.size_hint().lower()).unwrap_or_default().min(TOLD));
    while let Some(part) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = part?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// Unpacks an answer as a whole: its end tells how long it becomes.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Failure> {
    let told = packed.last_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
    // What is told is a stranger's word: text packs a hundredfold at best.
    let mut bytes = Vec::with_capacity(told.min(packed.len().saturating_mul(100)).saturating_add(ROOM));
    let mut decoder = Decompress::new_gzip(15);
    loop {
        let (read, written) = (decoder.total_in(), decoder.total_out());
        let rest = usize::try_from(read).ok().and_then(|read| packed.get(read..)).unwrap_or_default();
        match decoder.decompress_vec(rest, &mut bytes, FlushDecompress::None) {
            Ok(Status::StreamEnd) if decoder.total_in() == packed.len() as u64 => return Ok(bytes),
            // A cut answer must not look whole: a log has no end that would be missed.
            Ok(Status::StreamEnd) => return Err(Failure::Garbled("more follows the end of its gzip".to_owned())),
            Ok(_) if bytes.len() > MOST => {
                return Err(Failure::Garbled(format!("it is longer than {} MiB", MOST >> 20)));
            }
            Ok(_) if (read, written) != (decoder.total_in(), decoder.total_out()) => {
                bytes.reserve(if bytes.len() == bytes.capacity() { bytes.len() } else { ROOM });
            }
            Ok(_) => return Err(Failure::Garbled("its gzip ends too early".to_owned())),
            Err(error) => return Err(Failure::Garbled(format!("its gzip is not sound: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::GzEncoder;
    use std::io::Read;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        GzEncoder::new(text, Compression::fast()).read_to_end(&mut packed).unwrap();
        packed
    }

    #[test]
    fn a_packed_answer_is_unpacked_whole_or_refused() {
        let text = "{\"kind\":\"PodList\"}".repeat(10_000).into_bytes();
        let whole = packed(&text);
        assert_eq!(unpacked(&whole).unwrap(), text);
        // Of which it tells too little.
        let long = vec![b'a'; 5_000_000];
        assert_eq!(unpacked(&packed(&long)).unwrap(), long);
        assert_eq!(unpacked(&packed(b"")).unwrap(), b"");
        let two = [packed(b"one, "), packed(b"two")].concat();
        assert!(matches!(unpacked(&two), Err(Failure::Garbled(_))), "never half of it");
        let mut lies = whole.clone();
        *lies.last_mut().unwrap() ^= 0x7f;
        for bad in [&lies, &whole[..whole.len() - 9], &whole[..3], b"{}", b""] {
            assert!(matches!(unpacked(bad), Err(Failure::Garbled(_))), "{} bytes", bad.len());
        }
    }
}
