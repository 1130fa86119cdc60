//! YAML as Kubernetes reads it, and edits that keep the rest.
//!
//! Reading and editing share one parser: `serde-saphyr` decides what a text means and the
//! parser below it, `granit-parser`, says at which bytes each node stands. An edit is a splice
//! of those bytes, and [`edit`] reads the result again before it lets it out.

mod disputed;
pub mod edit;
pub mod lines;
pub mod parse;
pub mod scalars;
mod splice;
pub mod split;
mod tree;
mod write;

/// Why a text is not read or not edited. Every reason is one: the text stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    #[error("the file is not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Syntax(String),
    #[error("a template (`{{{{`) stands where YAML is expected")]
    Template,
    #[error("there is no document {0}")]
    NoDocument(usize),
    #[error("there is nothing at `{0}`")]
    Missing(String),
    #[error("there is something at `{0}` already")]
    Occupied(String),
    #[error("`{0}` shares an anchor with other places")]
    Shared(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("the edit would change more than `{0}`")]
    Guard(String),
}
