//! From a tree to objects, in a scratch copy of the inputs.
//!
//! A renderer starts only after our own walk ([`inputs()`]) found every file that it may read
//! inside the repository; it sees a copy of those files and nothing else.

mod argo;
mod chart_text;
pub mod charts;
mod child;
pub mod compare;
mod control;
mod filled;
mod flux;
mod helm;
mod inflate;
pub mod inputs;
mod keys;
mod kustomize;
mod made;
pub mod names;
mod packed;
mod plain;
mod post;
mod release;
mod resolve;
#[cfg(test)]
mod resolve_tests;
pub mod roots;
mod substitute;
pub mod template;
mod tools;
mod variants;
mod walk;

pub use argo::released_by;
pub use control::{Control, fills_in};
pub use filled::{Filled, MapName};
pub use inflate::{Inflation, inflations};
pub use inputs::{Inputs, inputs};
pub use made::Made;
pub use release::{Field, Post, Release, Values};
pub use roots::{Root, roots, within};
pub use tools::{Limits, Tools};

use crate::error::Error;
use crate::model::proposal::Tool;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::redact;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use substitute::Substitution;

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
}

impl<'t> Workbench<'t> {
    /// Walks the inputs of `root` and takes them out of `tree`.
    ///
    /// # Errors
    /// When an input is remote, outside the repository, or of a kind that is not rendered.
    pub fn new(tree: &Tree, root: &Root, tools: &'t Tools) -> Result<Self, Refusal> {
        Self::walked(tree, root, tools, Inputs::of(tree, root)?)
    }

    /// The same of inputs that were walked without a refusal.
    ///
    /// # Errors
    /// When charts are to be inflated, and that is not allowed.
    pub fn walked(tree: &Tree, root: &Root, tools: &'t Tools, inputs: Inputs) -> Result<Self, Refusal> {
        if let Some(file) = &inputs.inflating {
            tools.inflater(file)?;
        }
        let mut own = Tree::default();
        for path in inputs.files.keys().chain(inputs.links.keys()) {
            if let Some(entry) = tree.entries.get(path) {
                own.entries.insert(path.clone(), entry.clone());
            }
        }
        for (path, packed) in &inputs.packed {
            own.entries.insert(path.clone(), Entry::File(Arc::clone(&packed.bytes)));
        }
        Ok(Self { root: root.clone(), tools, inputs, tree: own })
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
        self.inputs.check(&tree)?;
        if !overlay.is_empty() {
            Inputs::of(&tree, &self.root)?;
        }
        render(&tree, &self.root, self.tools).await
    }

    /// `kustomize 5.8.2` or `helm 3.22.0`, empty for plain manifests.
    ///
    /// # Errors
    /// When the tool is missing or does not tell.
    pub async fn renderer(&self) -> Result<String, Stop> {
        // A controller may make a kustomization of a plain folder.
        let laid =
            self.root.control.as_ref().and_then(|control| control.lay(&mut self.tree.clone(), &self.root, &[]).ok());
        match laid.map_or(self.root.tool, |laid| laid.root.tool) {
            Tool::Kustomize if self.inputs.inflating.is_some() => {
                let (kustomize, helm) = (self.tools.kustomize_version().await?, self.tools.helm_version().await?);
                Ok(format!("{kustomize} with {helm}"))
            }
            Tool::Kustomize => self.tools.kustomize_version().await,
            Tool::Helm if !post::said(&mut helm::Feeds::new(&self.tree, self.tools), &self.root).await?.is_empty() => {
                let (helm, kustomize) = (self.tools.helm_version().await?, self.tools.kustomize_version().await?);
                Ok(format!("{helm} with {kustomize}"))
            }
            Tool::Helm => self.tools.helm_version().await,
            Tool::Plain => Ok(String::new()),
        }
    }
}

/// What a root of `tree` renders to; `tree` holds nothing but inputs that were walked.
async fn render(tree: &Tree, root: &Root, tools: &Tools) -> Result<Rendered, Stop> {
    let Some(control) = &root.control else { return folder(tree, root, tools, None).await };
    let above = match &control.above {
        Some(above) => Box::pin(render(tree, above, tools)).await?,
        None => Rendered::new(),
    };
    let mut tree = tree.clone();
    let laid = control.lay(&mut tree, root, &above)?;
    // What was laid over it may name further files.
    Inputs::of(&tree, &laid.root)?;
    let mut objects = folder(&tree, &laid.root, tools, laid.substitution.as_ref()).await?;
    laid.finish(&mut objects);
    // What becomes of the controller's object is a part of the difference.
    objects.extend(above);
    Ok(objects)
}

async fn folder(
    tree: &Tree,
    root: &Root,
    tools: &Tools,
    substitution: Option<&Substitution>,
) -> Result<Rendered, Stop> {
    match root.tool {
        Tool::Plain => Ok(plain::render(tree, root)?),
        Tool::Kustomize => kustomize::render(tree, root, tools, substitution).await,
        Tool::Helm => helm::template(tree, root, tools).await,
    }
}

/// `List` objects taken apart; documents without `kind` are left out.
fn flatten(documents: impl IntoIterator<Item = Value>) -> Rendered {
    let mut objects = Vec::new();
    for mut document in documents {
        // Nothing that holds rendered objects has a use for what a Secret holds.
        redact::drop_values(&mut document);
        let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        match document.get("items").and_then(Value::as_array) {
            Some(items) if is_list => objects.extend(flatten(items.iter().cloned())),
            _ if document["kind"].is_string() && document["apiVersion"].is_string() => objects.push(document),
            _ => {}
        }
    }
    objects
}
