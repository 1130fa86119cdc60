//! The binary form of the API server's own kinds.
//!
//! JSON costs the server four times as much: <https://kubernetes.io/docs/reference/using-api/api-concepts/>. What is
//! not understood down to its last field is asked for again as JSON: a newer server may know more than the table here.

mod json;
mod shapes;
mod wire;

use json::Writer;
use shapes::{Shape, Table};
use wire::{Fields, Value};

/// For kinds that the table has; who does not know this form, such as a proxy, may answer with JSON.
pub(super) const ACCEPT: &str = "application/vnd.kubernetes.protobuf, application/json";

/// Metadata of every item and nothing else, in whichever form.
pub(super) const ACCEPT_METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What every answer in this form begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Why an answer can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("field {0} of {1} is not known here")]
    Newer(u64, &'static str),
    #[error("its kind is not known here")]
    Kind,
    #[error("its binary form is not sound: {0}")]
    Broken(&'static str),
}

/// Whether the table has a kind.
pub fn knows(api_version: &str, kind: &str) -> bool {
    Table::here().of(&format!("@{api_version}/{kind}")).is_some()
}

/// Whether an answer is in this form.
pub fn is(answer: &[u8]) -> bool {
    answer.starts_with(MAGIC)
}

/// A page of objects, each still in its bytes.
#[derive(Debug)]
pub struct Page<'b> {
    shape: &'static Shape,
    /// Leads to the next page.
    pub token: Option<String>,
    items: Vec<&'b [u8]>,
}

impl<'b> Page<'b> {
    /// The page of an answer.
    ///
    /// # Errors
    /// When it is no list, holds what is not known here, or is not sound.
    pub fn read(answer: &'b [u8]) -> Result<Self, Unread> {
        let envelope = Envelope::read(answer)?;
        let item = envelope.kind.strip_suffix("List").unwrap_or_default();
        let shape = envelope.shape(item)?;
        let (mut token, mut items) = (None, Vec::new());
        for field in Fields(envelope.object) {
            match field? {
                (1, value) => token = Fields(value.bytes()?).find(3)?,
                (2, value) => items.push(value.bytes()?),
                (number, _) => return Err(Unread::Newer(number, "a list")),
            }
        }
        let token = token.map(Value::bytes).transpose()?.map(|token| String::from_utf8_lossy(token).into_owned());
        Ok(Self { shape, token: token.filter(|token| !token.is_empty()), items })
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items as JSON, one after the other, with who set which field or without.
    pub fn written(&self, managed: bool) -> Written<'_> {
        Written { shape: self.shape, items: &self.items, writer: Writer { out: String::new(), managed } }
    }
}

/// The items of a page.
#[derive(Debug)]
pub struct Written<'p> {
    shape: &'static Shape,
    items: &'p [&'p [u8]],
    writer: Writer,
}

impl Written<'_> {
    /// The next item as JSON.
    pub fn advance(&mut self) -> Option<Result<&str, Unread>> {
        let (item, rest) = self.items.split_first()?;
        self.items = rest;
        self.writer.out.clear();
        let written = self.writer.message(self.shape, item);
        Some(written.map(|()| self.writer.out.as_str()))
    }
}

/// The object of an answer, which is none of a list, as JSON.
///
/// # Errors
/// When it holds what is not known here, or is not sound.
pub fn object(answer: &[u8]) -> Result<String, Unread> {
    let envelope = Envelope::read(answer)?;
    let mut writer = Writer { out: String::new(), managed: true };
    writer.message(envelope.shape(&envelope.kind)?, envelope.object)?;
    Ok(writer.out)
}

/// What every answer is wrapped in: `k8s.io.apimachinery.pkg.runtime.Unknown`.
struct Envelope<'b> {
    api_version: String,
    kind: String,
    object: &'b [u8],
}

impl<'b> Envelope<'b> {
    fn read(answer: &'b [u8]) -> Result<Self, Unread> {
        let wrapped = answer.strip_prefix(MAGIC).ok_or(Unread::Broken("it begins otherwise"))?;
        let (mut of, mut object) = (&[][..], None);
        for field in Fields(wrapped) {
            match field? {
                (1, value) => of = value.bytes()?,
                (2, value) => object = Some(value.bytes()?),
                // How the object is packed, which the server leaves empty.
                (3 | 4, Value::Bytes([])) => {}
                (number, _) => return Err(Unread::Newer(number, "the envelope")),
            }
        }
        let text = |number| -> Result<String, Unread> {
            let text = Fields(of).find(number)?.map_or(Ok(&[][..]), Value::bytes)?;
            Ok(String::from_utf8_lossy(text).into_owned())
        };
        let object = object.ok_or(Unread::Broken("it ends too early"))?;
        Ok(Self { api_version: text(1)?, kind: text(2)?, object })
    }

    fn shape(&self, kind: &str) -> Result<&'static Shape, Unread> {
        Table::here().of(&format!("@{}/{kind}", self.api_version)).ok_or(Unread::Kind)
    }
}

#[cfg(test)]
mod tests;
