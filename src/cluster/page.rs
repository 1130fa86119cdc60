//! One list: page after page, reduced as each is decoded.

use super::client::{Api, Count, JSON, METADATA_LIST};
use super::failure::{Failure, foreign};
use super::kinds::{Reading, Row, collection, escape};
use super::protobuf;
use crate::model::kube::{Event, Keyed, Object, Pod, Reduced, Unmanaged};
use crate::model::object::ObjectRef;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::Value;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;

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

/// How a list is asked for.
#[derive(Debug, Clone, Copy)]
struct Ask {
    /// The forms of its answer, the best first.
    forms: &'static [&'static str],
    /// Whether who set which field is read.
    managed: bool,
}

impl Ask {
    /// As JSON, which every kind has.
    const PLAIN: Self = Self { forms: &[JSON], managed: false };

    fn of(row: &Row, api_version: &str, api: &Api) -> Self {
        let forms: &[_] = match row.reading {
            Reading::Keys => &[protobuf::ACCEPT_METADATA, METADATA_LIST],
            _ if protobuf::knows(api_version, row.kind) => &[protobuf::ACCEPT, JSON],
            _ => &[JSON],
        };
        let forms = if api.is_plain() { &forms[forms.len() - 1..] } else { forms };
        Self { forms, managed: Row::keeps_managers(row.kind) }
    }
}

/// Lists one kind in one namespace, or everywhere.
/// `api_version` is the row's, or another in which the cluster serves it.
pub(super) async fn list(api: &Api, row: &Row, api_version: &str, namespace: Option<&str>) -> Listed<Batch> {
    let path = format!("{}?limit={LIMIT}", collection(api_version, namespace, row.plural));
    let ask = Ask::of(row, api_version, api);
    match row.reading {
        Reading::Pods => pages(api, &path, ask, |Reduced(pod)| Some(pod)).await.map(Batch::Pods),
        Reading::Events => {
            let lean = |mut event: Event| {
                event.metadata.managed_fields = Vec::new();
                Some(event)
            };
            pages(api, &path, ask, lean).await.map(Batch::Events)
        }
        Reading::Keys => pages(api, &path, ask, |value: Value| Keyed::from_value(&value)).await.map(Batch::Keyed),
        Reading::Objects => {
            // Items of a list do not say what they are.
            let (kind, api_version) = (row.kind, api_version.to_owned());
            let named = move |mut object: Object| {
                kind.clone_into(&mut object.kind);
                object.api_version.clone_from(&api_version);
                // While other lists are still on their way.
                object.read_ahead();
                Some(object)
            };
            let listed = if ask.managed {
                pages(api, &path, ask, named).await
            } else {
                pages(api, &path, ask, move |Unmanaged(object)| named(object)).await
            };
            listed.map(Batch::Objects)
        }
    }
}

/// Lists a kind that is not known here, and keeps the objects of these uids.
pub(super) async fn list_known(
    api: &Api,
    owner: &ObjectRef,
    path: &str,
    uids: BTreeSet<String>,
) -> Listed<Vec<Object>> {
    let (kind, api_version, uids) = (owner.kind.clone(), owner.api_version(), Arc::new(uids));
    let named = move |Unmanaged(mut object)| {
        kind.clone_into(&mut object.kind);
        object.api_version.clone_from(&api_version);
        uids.contains(&object.metadata.uid).then_some(object)
    };
    pages(api, &format!("{path}?limit={LIMIT}"), Ask::PLAIN, named).await
}

impl<T> Listed<T> {
    fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Listed<U> {
        Listed { items: wrap(self.items), failure: self.failure, odd: self.odd }
    }
}

/// Reads a list in the first of its forms that can be read whole.
async fn pages<T, U>(
    api: &Api,
    path: &str,
    ask: Ask,
    keep: impl Fn(T) -> Option<U> + Clone + Send + 'static,
) -> Listed<Vec<U>>
where
    T: DeserializeOwned,
    U: Send + 'static,
{
    let (mut forms, mut restarted) = (ask.forms.iter().copied(), false);
    let mut form = forms.next().unwrap_or(JSON);
    loop {
        let listed = pages_in(form, api, path, ask.managed, keep.clone()).await;
        match &listed.failure {
            // The pages' snapshot was compacted away: begin again, once.
            Some(Failure::Answer { code: 410, .. }) if !restarted => restarted = true,
            // The server knows more of the kind than we do, or what stands before it knows less of its forms.
            Some(Failure::Unread(_) | Failure::Answer { code: 406, .. }) => match forms.next() {
                Some(plain) => {
                    api.found_plain();
                    form = plain;
                }
                None => return listed,
            },
            _ => return listed,
        }
    }
}

/// Reads page after page. A page is decoded while the next one is on its way: the server needs as long for
/// one as we do.
async fn pages_in<T, U>(
    form: &'static str,
    api: &Api,
    path: &str,
    managed: bool,
    keep: impl Fn(T) -> Option<U> + Clone + Send + 'static,
) -> Listed<Vec<U>>
where
    T: DeserializeOwned,
    U: Send + 'static,
{
    let mut listed = Listed { items: Vec::new(), failure: None, odd: Vec::new() };
    let (mut read, mut last) = (0, None);
    let mut answer = api.read(path, form, Count::List).await;
    loop {
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(failure) => {
                listed.failure = Some(failure);
                return listed;
            }
        };
        read += 1;
        let token = token(&bytes);
        let keep = keep.clone();
        let decoding = tokio::task::spawn_blocking(move || {
            let Decoded { items, odd } = decode::<T>(&bytes, managed)?;
            Ok((items.into_iter().filter_map(keep).collect::<Vec<U>>(), odd))
        });
        let next = match &token {
            Some(token) if last.as_ref() != Some(token) && read < MAX_PAGES => {
                let page = format!("{path}&continue={}", escape(token));
                Some(api.read(&page, form, Count::Page).await)
            }
            _ => None,
        };
        match decoding.await.unwrap_or_else(|error| resume_unwind(error.into_panic())) {
            Ok((items, odd)) => {
                listed.items.extend(items);
                listed.odd.extend(odd);
            }
            Err(failure) => {
                listed.failure = Some(failure);
                return listed;
            }
        }
        answer = match next {
            Some(next) => next,
            None => {
                let endless = || Failure::Garbled(format!("its pages do not end, {read} were read"));
                listed.failure = token.map(|_| endless());
                return listed;
            }
        };
        last = token;
    }
}

/// The token of the next page, without reading further than the server writes it: before the items.
fn token(bytes: &[u8]) -> Option<String> {
    if protobuf::is(bytes) {
        return protobuf::Page::read(bytes).ok()?.token;
    }
    struct Head<'t>(&'t mut Option<String>);
    impl<'de> Visitor<'de> for Head<'_> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
            while let Some(key) = fields.next_key::<String>()? {
                if key == "metadata" {
                    *self.0 = fields.next_value::<ListMeta>()?.token;
                    break;
                }
                fields.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let mut token = None;
    // What is wrong with the rest is said by who decodes it.
    let _ = serde_json::Deserializer::from_slice(bytes).deserialize_map(Head(&mut token));
    token.filter(|token| !token.is_empty())
}

struct Decoded<T> {
    items: Vec<T>,
    odd: Vec<String>,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    kind: String,
    /// Go writes `null` for an empty list.
    items: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue", default)]
    token: Option<String>,
}

fn decode<T: DeserializeOwned>(bytes: &[u8], managed: bool) -> Result<Decoded<T>, Failure> {
    if protobuf::is(bytes) {
        return Ok(unpacked(bytes, managed)?);
    }
    // Text that is known to be UTF-8 is not checked word by word.
    let page = std::str::from_utf8(bytes).map_or_else(|_| serde_json::from_slice(bytes), serde_json::from_str);
    if let Ok(page) = page as serde_json::Result<Page<T>> {
        is_list(&page.kind)?;
        return Ok(Decoded { items: page.items.unwrap_or_default(), odd: Vec::new() });
    }
    // One object of an unexpected shape must not hide the others.
    let page: Page<Value> =
        serde_json::from_slice(bytes).map_err(|error| Failure::Garbled(foreign(&error.to_string())))?;
    is_list(&page.kind)?;
    let mut decoded = Decoded { items: Vec::new(), odd: Vec::new() };
    for value in page.items.unwrap_or_default() {
        match T::deserialize(&value) {
            Ok(item) => decoded.items.push(item),
            Err(error) => decoded.odd.push(odd(&value, &error)),
        }
    }
    Ok(decoded)
}

/// The same of an answer in its binary form.
fn unpacked<T: DeserializeOwned>(bytes: &[u8], managed: bool) -> Result<Decoded<T>, protobuf::Unread> {
    let page = protobuf::Page::read(bytes)?;
    let mut decoded = Decoded { items: Vec::with_capacity(page.len()), odd: Vec::new() };
    let mut written = page.written(managed);
    while let Some(text) = written.advance() {
        let text = text?;
        match serde_json::from_str(text) {
            Ok(item) => decoded.items.push(item),
            Err(error) => decoded.odd.push(odd(&serde_json::from_str(text).unwrap_or_default(), &error)),
        }
    }
    Ok(decoded)
}

/// An object that could not be decoded.
fn odd(value: &Value, error: &serde_json::Error) -> String {
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("one without a name");
    foreign(&format!("{name}: {error}"))
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
        let decoded = decode::<Pod>(page, false).unwrap();
        assert_eq!((decoded.items.len(), token(page).as_deref()), (1, Some("t")));
        assert!(decoded.odd[0].starts_with("odd: invalid type"), "{:?}", decoded.odd);
    }

    #[test]
    fn an_answer_that_is_no_list_is_not_an_empty_list() {
        for body in ["{}", "<html>", r#"{"kind":"Status"}"#, "[]", ""] {
            assert!(decode::<Pod>(body.as_bytes(), false).is_err(), "{body}");
        }
        assert!(decode::<Pod>(br#"{"kind":"PodList","items":null}"#, false).unwrap().items.is_empty());
    }

    #[test]
    fn the_token_is_read_before_the_items_and_behind_them() {
        for (body, there) in [
            (r#"{"kind":"PodList","metadata":{"continue":"t"},"items":[{"cut"#, Some("t")),
            (r#"{"items":[{"metadata":{"continue":"not this"}}],"metadata":{"continue":"t"}}"#, Some("t")),
            (r#"{"metadata":{"continue":""}}"#, None),
            (r#"{"metadata":{"resourceVersion":"1"},"continue":"t"}"#, None),
            (r#"{"metadata":null,"items":[]}"#, None),
            ("[]", None),
        ] {
            assert_eq!(token(body.as_bytes()).as_deref(), there, "{body}");
        }
    }
}
