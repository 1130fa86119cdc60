//! From a tree to objects, in a scratch copy of the inputs.
//!
//! A renderer starts only after our own walk ([`inputs()`]) found every file that it may read
//! inside the repository; it sees a copy of those files and nothing else.

mod argo;
pub mod compare;
mod control;
mod flux;
pub mod inputs;
mod keys;
mod kustomize;
pub mod names;
mod plain;
mod resolve;
#[cfg(test)]
mod resolve_tests;
pub mod roots;
mod substitute;

pub use control::{Control, fills_in};
pub use inputs::{Inputs, inputs};
pub use kustomize::Tools;
pub use roots::{Root, roots};

use crate::error::Error;
use crate::model::proposal::Tool;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use control::Laid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The objects that a root renders to, `List`s taken apart.
pub type Rendered = Vec<Value>;

/// New or changed files by path.
pub type Overlay = BTreeMap<String, Vec<u8>>;

/// Why there is no answer.
#[derive(Debug)]
pub enum Stop {
    /// A named refusal: an answer of its own.
    Refused(Refusal),
    /// Something failed that has nothing to do with the repository.
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// One root, ready to be rendered with changed files.
#[derive(Debug)]
pub struct Workbench<'t> {
    root: Root,
    tools: &'t Tools,
    inputs: Inputs,
    /// The inputs' content, and links.
    tree: Tree,
    /// The root that makes the controller's own object, and what it renders as it is.
    above: Option<Box<Workbench<'t>>>,
    made_above: OnceCell<Rendered>,
}

impl<'t> Workbench<'t> {
    /// Walks the inputs of `root` and takes them out of `tree`.
    ///
    /// # Errors
    /// When an input is remote, outside the repository, or of a kind that is not rendered.
    pub fn new(tree: &Tree, root: &Root, tools: &'t Tools) -> Result<Self, Refusal> {
        let inputs = Inputs::of(tree, root)?;
        let mut own = Tree::default();
        for path in inputs.files.keys().chain(inputs.links.keys()) {
            if let Some(entry) = tree.entries.get(path) {
                own.entries.insert(path.clone(), entry.clone());
            }
        }
        let above = root.above().map(|above| Workbench::new(tree, above, tools)).transpose()?.map(Box::new);
        Ok(Self { root: root.clone(), tools, inputs, tree: own, above, made_above: OnceCell::new() })
    }

    /// What the renderer reads.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The content of the inputs.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Renders with `overlay` laid over the inputs. A changed input is walked again first.
    ///
    /// # Errors
    /// `render-failed` when the renderer says no, and the refusals of [`Inputs::of`].
    pub async fn render(&self, overlay: &Overlay) -> Result<Rendered, Stop> {
        let mut tree = self.tree.clone();
        for (path, bytes) in overlay {
            tree.entries.insert(path.clone(), Entry::File(Arc::from(bytes.as_slice())));
        }
        if !overlay.is_empty() {
            Inputs::of(&tree, &self.root)?;
        }
        let Some(control) = &self.root.control else { return self.folder(&tree, &Laid::new(&self.root)).await };
        let above = self.above(overlay).await?;
        let laid = control.lay(&mut tree, &self.root, &above)?;
        // What was laid over it may name further files.
        Inputs::of(&tree, &laid.root)?;
        let mut objects = self.folder(&tree, &laid).await?;
        laid.finish(&mut objects);
        // What becomes of the controller's object is a part of the difference.
        objects.extend(above);
        Ok(objects)
    }

    /// What the root above renders; once where none of its files is changed.
    async fn above(&self, overlay: &Overlay) -> Result<Rendered, Stop> {
        let Some(bench) = &self.above else { return Ok(Rendered::new()) };
        let own: Overlay = overlay
            .iter()
            .filter(|(path, _)| bench.inputs.files.contains_key(*path))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect();
        if own.is_empty() {
            return self.made_above.get_or_try_init(|| Box::pin(bench.render(&own))).await.cloned();
        }
        Box::pin(bench.render(&own)).await
    }

    async fn folder(&self, tree: &Tree, laid: &Laid) -> Result<Rendered, Stop> {
        match laid.root.tool {
            Tool::Plain => Ok(plain::render(tree, &laid.root)?),
            Tool::Kustomize => kustomize::render(tree, &laid.root, self.tools, laid.substitution.as_ref()).await,
            Tool::Helm => Err(Stop::Refused(Refusal::new(
                "unsupported-renderer",
                format!("`{}` is a Helm chart, and charts are not rendered yet", self.root.path),
                "name a folder of plain manifests or a kustomization: --path DIR",
            ))),
        }
    }

    /// `kustomize 5.8.2`, empty for plain manifests.
    ///
    /// # Errors
    /// When the tool is missing or does not tell.
    pub async fn renderer(&self) -> Result<String, Stop> {
        // A controller may make a kustomization of a plain folder.
        let laid =
            self.root.control.as_ref().and_then(|control| control.lay(&mut self.tree.clone(), &self.root, &[]).ok());
        match laid.map_or(self.root.tool, |laid| laid.root.tool) {
            Tool::Kustomize => self.tools.version().await,
            _ => Ok(String::new()),
        }
    }
}

/// `List` objects taken apart; documents without `kind` are left out.
fn flatten(documents: impl IntoIterator<Item = Value>) -> Rendered {
    let mut objects = Vec::new();
    for document in documents {
        let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        match document.get("items").and_then(Value::as_array) {
            Some(items) if is_list => objects.extend(flatten(items.iter().cloned())),
            _ if document["kind"].is_string() && document["apiVersion"].is_string() => objects.push(document),
            _ => {}
        }
    }
    objects
}
