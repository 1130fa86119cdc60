//! The API server: writes the objects, and bare GETs.

use aifix::cluster::protobuf;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How bare GETs ask for a list.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// As kubectl and curl do.
    Json,
    /// As the API server's own components and a scan do.
    Binary,
}

impl Form {
    fn accept(self, list: &str) -> String {
        let form = match self {
            Self::Json => "application/json",
            Self::Binary => "application/vnd.kubernetes.protobuf",
        };
        // As a scan reads them: see `src/cluster/page.rs`.
        let metadata =
            if list.contains("/configmaps") { ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" } else { "" };
        format!("{form}{metadata}")
    }
}

/// Requests at one time when objects are made.
const AT_ONCE: usize = 32;

/// A client with the lab's administrator token.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    server: String,
    token: String,
    slots: Arc<Semaphore>,
}

impl Api {
    /// Address, token and certificate come from `tests/bench/run`.
    pub(crate) fn from_env() -> Self {
        let get = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: use tests/bench/run"));
        let authority = std::fs::read(get("AIFIX_BENCH_AUTHORITY")).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            // As kube does: one connection for each request under way.
            .http1_only()
            .no_proxy()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&authority).unwrap())
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Self {
            client,
            server: get("AIFIX_BENCH_SERVER"),
            token: get("AIFIX_BENCH_TOKEN"),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Creates an object as `manager`, writes its status as `reporter`, and gives its uid; `None` when it is there.
    pub(crate) async fn create(
        &self,
        collection: &str,
        object: Value,
        manager: &str,
        reporter: &str,
    ) -> Option<String> {
        let _slot = self.slots.acquire().await.unwrap();
        let url = format!("{}{collection}", self.server);
        let create = self.client.post(format!("{url}?fieldManager={manager}")).json(&object);
        let made = self.answer(create).await?;
        if let Some(status) = object.get("status") {
            let name = object["metadata"]["name"].as_str().unwrap();
            let patch = self
                .client
                .patch(format!("{url}/{name}/status?fieldManager={reporter}"))
                .header("content-type", "application/merge-patch+json")
                .body(serde_json::json!({ "status": status }).to_string());
            self.answer(patch).await;
        }
        made["metadata"]["uid"].as_str().map(str::to_owned)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success() || status.as_u16() == 409, "{status}: {body}");
        status.is_success().then_some(body)
    }

    /// Reads lists to their last page, all at once, and throws the bytes away; gives their number.
    pub(crate) async fn read_all(&self, lists: &[String], form: Form) -> usize {
        let mut reading = JoinSet::new();
        for list in lists {
            let (api, list) = (self.clone(), list.clone());
            reading.spawn(async move { api.read(&list, form).await });
        }
        reading.join_all().await.into_iter().sum()
    }

    async fn read(&self, list: &str, form: Form) -> usize {
        let (mut total, mut token) = (0, String::new());
        loop {
            let page = if token.is_empty() { list.to_owned() } else { format!("{list}&continue={token}") };
            let request = self.client.get(format!("{}{page}", self.server)).header("accept", form.accept(list));
            let answer = request.bearer_auth(&self.token).send().await.unwrap();
            assert!(answer.status().is_success(), "{page}: {}", answer.status());
            let body = answer.bytes().await.unwrap();
            total += body.len();
            match continued(&body) {
                Some(next) => token = next,
                None => return total,
            }
        }
    }
}

/// The token of the next page. Go writes `metadata` of a list before its items.
fn continued(body: &[u8]) -> Option<String> {
    if protobuf::is(body) {
        return protobuf::Page::read(body).ok()?.token;
    }
    let head = String::from_utf8_lossy(&body[..body.len().min(2000)]).into_owned();
    let head = head.split("\"items\":").next()?;
    let (_, rest) = head.split_once("\"continue\":\"")?;
    Some(rest.split('"').next()?.to_owned()).filter(|token| !token.is_empty())
}
