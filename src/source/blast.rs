//! Other roots that a changed file reaches.

use super::{Budget, Question, Stop};
use crate::model::proposal::Tool;
use crate::render::compare::{Noise, diff};
use crate::render::{Inputs, Overlay, Rendered, Root, Workbench, roots};

/// The other roots that are deployed (no other root includes them), with what they render to.
#[derive(Debug, Default)]
pub(super) struct Siblings<'t> {
    all: Option<Vec<Sibling<'t>>>,
}

#[derive(Debug)]
struct Sibling<'t> {
    root: Root,
    bench: Workbench<'t>,
    base: Option<Rendered>,
}

/// What a change does to the other roots.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Blast {
    pub(super) changed: Vec<String>,
    pub(super) same: Vec<String>,
    /// They use the file, but do not render.
    pub(super) unknown: Vec<String>,
}

impl<'t> Siblings<'t> {
    /// Renders each other root that uses one of the changed files, before and after.
    pub(super) async fn blast(
        &mut self,
        question: &Question<'t>,
        own: &Root,
        overlay: &Overlay,
        budget: &Budget,
    ) -> Result<Blast, Stop> {
        let all = self.all.get_or_insert_with(|| others(question, own));
        let mut blast = Blast::default();
        for sibling in
            all.iter_mut().filter(|other| overlay.keys().any(|file| other.bench.inputs().files.contains_key(file)))
        {
            let name = sibling.root.shown().to_owned();
            if sibling.base.is_none() {
                budget.render();
                sibling.base = refused_is_none(sibling.bench.render(&Overlay::new()).await)?;
            }
            let Some(before) = &sibling.base else {
                blast.unknown.push(name);
                continue;
            };
            budget.probe()?;
            match refused_is_none(sibling.bench.render(overlay).await)? {
                Some(after) if diff(before, &after, &Noise::new()).is_empty() => blast.same.push(name),
                _ => blast.changed.push(name),
            }
        }
        Ok(blast)
    }
}

fn refused_is_none(rendered: Result<Rendered, Stop>) -> Result<Option<Rendered>, Stop> {
    match rendered {
        Ok(objects) => Ok(Some(objects)),
        Err(Stop::Refused(_)) => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// A plain folder below another one is read with it, not beside it.
fn is_part(root: &Root, own: &Root) -> bool {
    let below = own.path.is_empty() || root.path.starts_with(&format!("{}/", own.path));
    (root.tool, own.tool) == (Tool::Plain, Tool::Plain) && below
}

fn others<'t>(question: &Question<'t>, own: &Root) -> Vec<Sibling<'t>> {
    let tree = question.base.tree;
    let all: Vec<(Root, Inputs)> =
        roots(tree).into_iter().filter_map(|root| Inputs::of(tree, &root).ok().map(|inputs| (root, inputs))).collect();
    let is_base =
        |root: &Root| all.iter().any(|(other, inputs)| other.path != root.path && inputs.folders.contains(&root.path));
    all.iter()
        .filter(|(root, _)| root.path != own.path && !is_base(root) && !is_part(root, own))
        .filter_map(|(root, _)| {
            let bench = Workbench::new(tree, root, question.tools).ok()?;
            Some(Sibling { root: root.clone(), bench, base: None })
        })
        .collect()
}
