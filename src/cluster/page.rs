//! One list: page after page, reduced as each is decoded.

use super::client::{Api, Count, JSON, METADATA_LIST};
use super::failure::{Failure, foreign};
use super::kinds::{Reading, Row, collection, escape};
use crate::model::kube::{Event, Keyed, Object, Pod};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Items per page, as kubectl asks.
const LIMIT: usize = 500;
/// A server that never ends its pages must not keep us forever: half a million objects.
const MAX_PAGES: usize = 1000;

/// Objects of one kind.
#[derive(Debug)]
pub(super) enum Batch {
    Pods(Vec<Pod>),
    Events(Vec<Event>),
    Keyed(Vec<Keyed>),
    Objects(Vec<Object>),
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Pods(items) => items.is_empty(),
            Self::Events(items) => items.is_empty(),
            Self::Keyed(items) => items.is_empty(),
            Self::Objects(items) => items.is_empty(),
        }
    }
}

/// What a list brought: its objects, and why there may be more.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) items: T,
    /// The request that failed; what earlier pages brought stays.
    pub(super) failure: Option<Failure>,
    /// Objects that could not be decoded.
    pub(super) odd: Vec<String>,
}

/// Lists one kind in one namespace, or everywhere.
/// `api_version` is the row's, or another in which the cluster serves it.
pub(super) async fn list(api: &Api, row: &Row, api_version: &str, namespace: Option<&str>) -> Listed<Batch> {
    let path = format!("{}?limit={LIMIT}", collection(api_version, namespace, row.plural));
    match row.reading {
        Reading::Pods => pages(api, &path, JSON, |pod: Pod| Some(pod.reduce())).await.map(Batch::Pods),
        Reading::Events => {
            let lean = |mut event: Event| {
                event.metadata.managed_fields = Vec::new();
                Some(event)
            };
            pages(api, &path, JSON, lean).await.map(Batch::Events)
        }
        Reading::Keys => {
            pages(api, &path, METADATA_LIST, |value: Value| Keyed::from_value(&value)).await.map(Batch::Keyed)
        }
        Reading::Objects => {
            let lean = |mut object: Object| {
                // Items of a list do not say what they are.
                row.kind.clone_into(&mut object.kind);
                api_version.clone_into(&mut object.api_version);
                if !Row::keeps_managers(row.kind) {
                    object.metadata.managed_fields = Vec::new();
                }
                Some(object)
            };
            pages(api, &path, JSON, lean).await.map(Batch::Objects)
        }
    }
}

impl<T> Listed<T> {
    fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Listed<U> {
        Listed { items: wrap(self.items), failure: self.failure, odd: self.odd }
    }
}

async fn pages<T: DeserializeOwned, U>(
    api: &Api,
    path: &str,
    accept: &str,
    keep: impl Fn(T) -> Option<U>,
) -> Listed<Vec<U>> {
    let mut listed = Listed { items: Vec::new(), failure: None, odd: Vec::new() };
    let (mut token, mut restarted, mut read) = (String::new(), false, 0);
    loop {
        let (page, count) = match token.as_str() {
            "" => (path.to_owned(), Count::List),
            token => (format!("{path}&continue={}", escape(token)), Count::Page),
        };
        let answer = api.read(&page, accept, count).await;
        let page = match answer.and_then(|bytes| decode::<T>(&bytes)) {
            Ok(page) => page,
            // The pages' snapshot was compacted away: begin again, once.
            Err(Failure::Answer { code: 410, .. }) if !restarted => {
                restarted = true;
                token.clear();
                listed = Listed { items: Vec::new(), failure: None, odd: Vec::new() };
                continue;
            }
            Err(failure) => {
                listed.failure = Some(failure);
                return listed;
            }
        };
        listed.items.extend(page.items.into_iter().filter_map(&keep));
        listed.odd.extend(page.odd);
        read += 1;
        if page.token.is_empty() {
            return listed;
        }
        if page.token == token || read >= MAX_PAGES {
            listed.failure = Some(Failure::Garbled(format!("its pages do not end, {read} were read")));
            return listed;
        }
        token = page.token;
    }
}

struct Decoded<T> {
    token: String,
    items: Vec<T>,
    odd: Vec<String>,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: ListMeta,
    /// Go writes `null` for an empty list.
    items: Option<Vec<T>>,
}

#[derive(Deserialize, Default)]
struct ListMeta {
    #[serde(rename = "continue", default)]
    token: Option<String>,
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Decoded<T>, Failure> {
    if let Ok(page) = serde_json::from_slice::<Page<T>>(bytes) {
        is_list(&page.kind)?;
        return Ok(Decoded {
            token: page.metadata.token.unwrap_or_default(),
            items: page.items.unwrap_or_default(),
            odd: Vec::new(),
        });
    }
    // One object of an unexpected shape must not hide the others.
    let page: Page<Value> =
        serde_json::from_slice(bytes).map_err(|error| Failure::Garbled(foreign(&error.to_string())))?;
    is_list(&page.kind)?;
    let mut decoded = Decoded { token: page.metadata.token.unwrap_or_default(), items: Vec::new(), odd: Vec::new() };
    for value in page.items.unwrap_or_default() {
        match T::deserialize(&value) {
            Ok(item) => decoded.items.push(item),
            Err(error) => {
                let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("one without a name");
                decoded.odd.push(foreign(&format!("{name}: {error}")));
            }
        }
    }
    Ok(decoded)
}

fn is_list(kind: &str) -> Result<(), Failure> {
    if kind.ends_with("List") {
        Ok(())
    } else {
        Err(Failure::Garbled("it is no list of Kubernetes objects".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_object_does_not_hide_the_others() {
        let page = br#"{"kind":"PodList","metadata":{"continue":"t"},"items":[
            {"metadata":{"name":"good"}},{"metadata":{"name":"odd"},"spec":{"hostNetwork":"yes"}}]}"#;
        let decoded = decode::<Pod>(page).unwrap();
        assert_eq!((decoded.items.len(), decoded.token.as_str()), (1, "t"));
        assert!(decoded.odd[0].starts_with("odd: invalid type"), "{:?}", decoded.odd);
    }

    #[test]
    fn an_answer_that_is_no_list_is_not_an_empty_list() {
        for body in ["{}", "<html>", r#"{"kind":"Status"}"#, "[]", ""] {
            assert!(decode::<Pod>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(decode::<Pod>(br#"{"kind":"PodList","items":null}"#).unwrap().items.is_empty());
    }
}
