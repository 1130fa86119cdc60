//! The search for the folder that makes the running object.

use super::lead::Lead;
use super::programs::explain;
use super::trace::{Differs, Explains, Traced, Verdict, judge, not_explained};
use super::unseen::unseen;
use super::{Budget, OVER, Question, Stop};
use crate::model::object::ObjectRef;
use crate::model::proposal::{Signal, Tool, Trust};
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::render::names::{originals, without_hash};
use crate::render::{Inputs, Root};
use futures_util::{StreamExt, stream};
use std::collections::BTreeSet;

/// Renders that run at the same time in a search.
const PARALLEL: usize = 2;

/// Finds the one root that makes the running object.
pub(super) async fn trace<'q>(question: &Question<'q>, budget: &Budget) -> Result<Traced<'q>, Stop> {
    if question.path.is_none() && !question.values.is_empty() {
        let text = "values files are given, and no chart that reads them";
        return Err(Refusal::new("render-failed", text, "name the chart: --path CHART").into());
    }
    let mut traced = match (question.path, &question.found.lead) {
        // Values files that a person names say more than a controller does.
        (Some(path), _) if !question.values.is_empty() => given(question, path, None, budget).await?,
        (Some(path), lead) => {
            let same = |root: &Root| root.path == Root::at(question.base.tree, path).path;
            let led = lead.iter().flat_map(|lead| lead.roots(question.base.tree)).find(same);
            given(question, path, led, budget).await?
        }
        (None, Some(lead)) => follow(question, lead, budget).await?,
        (None, None) => search(question, None, budget).await?,
    };
    traced.trail.splice(0..0, question.found.trail.iter().cloned());
    Ok(traced)
}

/// Asks the folders that the controller names; the first that makes the object counts.
async fn follow<'q>(question: &Question<'q>, lead: &Lead, budget: &Budget) -> Result<Traced<'q>, Stop> {
    let object = question.intent.object.qualified();
    let mut shown = Vec::new();
    let away = lead.folders.iter().find_map(|folder| Some((folder, folder.remote.as_deref()?)));
    if let Some((folder, chart)) = away {
        return Err(super::remote::refuse(question, folder, chart).await);
    }
    let roots = lead.roots(question.base.tree);
    if roots.is_empty() {
        return search(question, None, budget).await;
    }
    for root in roots {
        shown.push(format!("`{}`", root.shown()));
        match judge_led(question, &root, budget).await? {
            Verdict::Proved(traced) => return Ok(*traced),
            Verdict::Differs(differs) => return Err(not_explained(question, &differs).into()),
            Verdict::Absent => {}
        }
    }
    let text =
        format!("{} names {}, which does not make {object}", lead.controller.qualified(), crate::text::and(&shown));
    Err(Refusal::new("not-explained", text, "sync first, or name another folder: --path DIR").into())
}

/// Where the root above can't be rendered, the controller's object counts as it is in the cluster.
async fn judge_led<'q>(question: &Question<'q>, root: &Root, budget: &Budget) -> Result<Verdict<'q>, Stop> {
    let judged = judge(question, root, budget, Explains::Mostly).await;
    let (Some(above), Err(Stop::Refused(refusal))) = (root.above(), &judged) else { return judged };
    let value = format!("`{}` was not read: {}", above.shown(), refusal.message);
    let mut alone = root.clone();
    if let Some(control) = &mut alone.control {
        control.above = None;
    }
    let mut verdict = judge(question, &alone, budget, Explains::Mostly).await?;
    if let Verdict::Proved(traced) = &mut verdict {
        traced.trail.push(Signal { signal: "one hop up".to_owned(), value, trust: Trust::Claimed });
    }
    Ok(verdict)
}

/// The folder that a person named; what a controller lays over that very folder counts, too.
async fn given<'q>(
    question: &Question<'q>,
    path: &str,
    led: Option<Root>,
    budget: &Budget,
) -> Result<Traced<'q>, Stop> {
    let (root, explains) = match led {
        Some(root) => (root, Explains::Mostly),
        None => (question.given(path)?, Explains::Wholly),
    };
    let signal = Signal { signal: "--path".to_owned(), value: root.folder().to_owned(), trust: Trust::Given };
    // Nothing is said of the values: those beside the chart are tried.
    let is_known = || question.roots().iter().any(|known| known.path == root.path);
    if explains == Explains::Wholly && root.tool == Tool::Helm && question.values.is_empty() && is_known() {
        let mut traced = search(question, Some(&root), budget).await?;
        traced.trail.insert(0, signal);
        return Ok(traced);
    }
    match judge(question, &root, budget, explains).await? {
        Verdict::Proved(mut traced) => {
            traced.trail.insert(0, signal);
            Ok(*traced)
        }
        Verdict::Differs(differs) => Err(not_explained(question, &differs).into()),
        Verdict::Absent => Err(Refusal::new(
            "not-explained",
            format!("`{}` does not make {}", root.shown(), question.intent.object.qualified()),
            "check --path, or leave it out to search the repository",
        )
        .into()),
    }
}

/// Asks every root that mentions the object; with `chart`, every release of that chart.
async fn search<'q>(question: &Question<'q>, chart: Option<&Root>, budget: &Budget) -> Result<Traced<'q>, Stop> {
    let object = &question.intent.object;
    let tree = question.base.tree;
    let mut mentioned: Vec<Root> = Vec::new();
    for root in question.roots() {
        budget.time()?;
        if chart.map_or_else(|| mentions(tree, &root, object), |chart| chart.path == root.path) {
            mentioned.push(root);
        }
    }
    let (mut outer, mut bases) = outer_first(tree, mentioned);
    // What they are built on stays a base: it is not what a cluster is given.
    outer.retain(|root| !is_elsewhere(tree, root, object));
    bases.retain(|root| !is_elsewhere(tree, root, object));
    let mut found = Found::default();
    found.take(outer.iter().zip(judge_all(question, &outer, budget).await))?;
    // A base is rarely deployed by itself: it is asked only when no root above it makes the object,
    // and not below one that could not be asked.
    if found.proved.is_empty() {
        let above: Vec<Inputs> = found.refused.iter().map(|(root, _)| Inputs::reach(tree, root).0).collect();
        bases.retain(|base| !above.iter().any(|inputs| inputs.folders.contains(&base.path)));
        found.take(bases.iter().zip(judge_all(question, &bases, budget).await))?;
    }
    found.choose(question)
}

/// What all roots said.
#[derive(Default)]
struct Found<'t> {
    proved: Vec<Traced<'t>>,
    differing: Vec<Differs>,
    refused: Vec<(Root, Refusal)>,
}

impl<'t> Found<'t> {
    fn take<'r>(&mut self, verdicts: impl Iterator<Item = (&'r Root, Result<Verdict<'t>, Stop>)>) -> Result<(), Stop> {
        for (root, verdict) in verdicts {
            match verdict {
                Ok(Verdict::Proved(traced)) => self.proved.push(*traced),
                Ok(Verdict::Differs(differs)) => self.differing.push(*differs),
                Ok(Verdict::Absent) => {}
                // The roots that were not asked any more could say something else.
                Err(Stop::Refused(refusal)) if refusal.code == OVER => return Err(refusal.into()),
                Err(Stop::Refused(refusal)) => self.refused.push((root.clone(), refusal)),
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    fn choose(self, question: &Question<'t>) -> Result<Traced<'t>, Stop> {
        let object = &question.intent.object;
        let proved = outermost(self.proved);
        let wanted = object.namespace.as_deref();
        if let Some(open) = proved.first().filter(|traced| wanted.is_some() && traced.reference.namespace.is_none()) {
            let mut exact: Vec<&Root> = self.differing.iter().filter(|d| d.exact).map(|d| &d.root).collect();
            let says = |root: &Root| says_namespace(question.base.tree, root, wanted.unwrap_or_default());
            exact.extend(self.refused.iter().map(|(root, _)| root).filter(|root| says(root)));
            if !exact.is_empty() {
                return Err(open_namespace(object, &open.root, &exact).into());
            }
        }
        if let Some(picked) = pick(question, proved) {
            let mut traced = picked?;
            if let (Tool::Plain, None, Some(wanted)) = (traced.root.tool, &traced.reference.namespace, wanted) {
                traced.review.push(format!(
                    "`{}` leaves the namespace open: nothing in Git says that it is applied to `{wanted}`",
                    traced.root.shown()
                ));
            }
            return Ok(traced);
        }
        let nearest = self.differing.iter().min_by_key(|differs| (!differs.exact, differs.open.len()));
        let refused = self.refused.into_iter().next().map(|(_, refusal)| refusal);
        Err(match (nearest, refused) {
            (Some(differs), None) => not_explained(question, differs),
            (Some(differs), Some(_)) if differs.exact => not_explained(question, differs),
            (_, Some(refusal)) => refusal,
            (None, None) => explain(question).unwrap_or_else(|| {
                Refusal::new(
                    "no-owner-in-git",
                    format!("nothing in {} makes {}", question.repo, object.qualified()),
                    "name the source: aifix propose --repo PATH --path DIR",
                )
                .with_details(unseen(question.base.tree))
            }),
        }
        .into())
    }
}

/// Whether a root that could not be asked speaks of a namespace.
fn says_namespace(tree: &Tree, root: &Root, namespace: &str) -> bool {
    let inputs = Inputs::reach(tree, root).0;
    let below = tree.below(&root.path).map(|(path, _)| path);
    inputs.files.keys().map(String::as_str).chain(below).filter_map(|path| tree.text(path)).any(|text| {
        text.lines().any(|line| {
            line.split_once("namespace").is_some_and(|(_, rest)| {
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == namespace)
            })
        })
    })
}

/// A folder without the namespace is what runs, another one says the namespace and is not.
fn open_namespace(object: &ObjectRef, open: &Root, exact: &[&Root]) -> Refusal {
    let details = exact.iter().map(|root| {
        format!("`{}` says namespace `{}`, and does not make it as it runs", root.shown(), object.namespace())
    });
    Refusal::new(
        "not-explained",
        format!("`{}` makes {} as it runs, but leaves the namespace open", open.shown(), object.qualified()),
        "sync first, or name the folder: --path DIR",
    )
    .with_details(details.collect())
}

async fn judge_all<'q>(question: &Question<'q>, roots: &[Root], budget: &Budget) -> Vec<Result<Verdict<'q>, Stop>> {
    stream::iter(roots).map(|root| judge(question, root, budget, Explains::Wholly)).buffered(PARALLEL).collect().await
}

/// Roots that no other root includes, and the rest.
fn outer_first(tree: &Tree, roots: Vec<Root>) -> (Vec<Root>, Vec<Root>) {
    let inner: BTreeSet<String> = roots
        .iter()
        .map(|root| (root, Inputs::reach(tree, root).0))
        .flat_map(|(root, inputs)| inputs.folders.into_iter().filter(|folder| *folder != root.path))
        .collect();
    let is_inner = |root: &Root, all: &[Root]| {
        inner.contains(&root.path) || all.iter().any(|other| other != root && root.is_part_of(other))
    };
    let all = roots.clone();
    roots.into_iter().partition(|root| !is_inner(root, &all))
}

/// Bases that another of these roots includes are not what is deployed.
fn outermost(mut proved: Vec<Traced<'_>>) -> Vec<Traced<'_>> {
    let is_base = |root: &Root, all: &[Traced<'_>]| {
        all.iter().any(|other| other.root.path != root.path && other.bench.inputs().folders.contains(&root.path))
    };
    let keep: Vec<bool> = proved.iter().map(|traced| !is_base(&traced.root, &proved)).collect();
    let mut keep = keep.into_iter();
    proved.retain(|_| keep.next().unwrap_or(true));
    // A root whose asked fields are as they run beats one where they are not.
    if proved.iter().any(Traced::is_as_it_runs) {
        proved.retain(Traced::is_as_it_runs);
    }
    // A root that says the namespace beats one that leaves it open.
    if proved.iter().any(|traced| traced.reference.namespace.is_some()) {
        proved.retain(|traced| traced.reference.namespace.is_some());
    }
    // What runs beats what is like it but for the asked fields: that may be another environment.
    if proved.iter().any(|traced| traced.runs) {
        let (mut runs, alike): (Vec<_>, Vec<_>) = proved.into_iter().partition(|traced| traced.runs);
        let said = alike.iter().map(|other| format!("`{}` differs only in what is to change", other.root.shown()));
        let said: Vec<String> = said.collect();
        runs.iter_mut().for_each(|traced| traced.review.extend(said.iter().cloned()));
        return runs;
    }
    proved
}

/// The only root, or the chosen one; `None` when there is none.
fn pick<'q>(question: &Question<'q>, mut proved: Vec<Traced<'q>>) -> Option<Result<Traced<'q>, Stop>> {
    if proved.len() < 2 {
        return proved.pop().map(Ok);
    }
    if let Some(at) = question.choose.and_then(|n| n.checked_sub(1)).filter(|at| *at < proved.len()) {
        return Some(Ok(proved.swap_remove(at)));
    }
    let list = proved.iter().enumerate().map(|(n, traced)| format!("{}. {}", n + 1, traced.root.shown())).collect();
    let text = format!("{} folders make {} exactly as it runs", proved.len(), question.intent.object.qualified());
    let hint = if proved.iter().all(|traced| traced.root.tool == Tool::Helm) {
        "choose with --choose N, or --path CHART --values FILE"
    } else {
        "choose with --choose N, or --path DIR"
    };
    Some(Err(Refusal::new("ambiguous", text, hint).with_details(list).into()))
}

/// A cheap look before rendering: some input holds the object's name, or what a prefix, suffix
/// or hash leaves of it. A root whose inputs can't be walked is looked at, so that it is refused by name.
fn mentions(tree: &Tree, root: &Root, object: &ObjectRef) -> bool {
    let name = without_hash(&object.name);
    let (inputs, refused) = Inputs::reach(tree, root);
    if root.tool == Tool::Helm || inputs.inflating.is_some() {
        // The chart makes the name.
        let all = inputs.files.keys().map(String::as_str).chain(tree.below(&root.path).map(|(path, _)| path));
        let speaks = |path: &str| tree.text(path).is_some_and(|text| text.contains(object.kind.as_str()));
        return all.into_iter().any(|path| path.ends_with(".tgz") || speaks(path));
    }
    let below = || tree.below(&root.path).any(|(path, _)| tree.text(path).is_some_and(|text| text.contains(name)));
    if !refused.is_empty() && below() {
        return true;
    }
    let names = originals(&object.name, inputs.kustomizations.iter().map(|(_, spec)| spec));
    inputs.files.keys().filter_map(|path| tree.text(path)).any(|text| names.iter().any(|name| holds_name(text, name)))
}

/// Whether a root gives all it makes another namespace: that of its own kustomization.
fn is_elsewhere(tree: &Tree, root: &Root, object: &ObjectRef) -> bool {
    let (inputs, _) = Inputs::reach(tree, root);
    let said = inputs.kustomizations.first().and_then(|(_, spec)| spec["namespace"].as_str());
    object.namespace.is_some() && said.is_some_and(|said| Some(said) != object.namespace.as_deref())
}

/// Whether a text holds this name, and not only a longer one.
fn holds_name(text: &str, name: &str) -> bool {
    let longer = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(longer) && !text[at + name.len()..].starts_with(longer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::proposal::Tool;
    use crate::model::tree::Entry;
    use std::sync::Arc;

    #[test]
    fn only_roots_that_may_make_the_object_are_rendered() {
        let mut tree = Tree::default();
        for (path, text) in [
            ("base/kustomization.yaml", "namespace: base\nresources: [web.yaml]\n"),
            ("base/web.yaml", "kind: Deployment\nmetadata: {name: web}\n"),
            ("prod/kustomization.yaml", "namespace: prod\nresources: [../base]\n"),
            ("dev/kustomization.yaml", "namespace: dev\nresources: [../base]\n"),
            ("open/kustomization.yaml", "resources: [web.yaml]\n"),
            ("open/web.yaml", "kind: Deployment\nmetadata:\n  name: \"web\"\n"),
            ("longer/kustomization.yaml", "resources: [web.yaml]\n"),
            ("longer/web.yaml", "kind: Deployment\nmetadata: {name: web-2}\n"),
            ("prefixed/kustomization.yaml", "namePrefix: w\nresources: [web.yaml]\n"),
            ("prefixed/web.yaml", "kind: Deployment\nmetadata: {name: eb}\n"),
        ] {
            tree.entries.insert(path.to_owned(), Entry::File(Arc::from(text.as_bytes())));
        }
        let asked = |object: &ObjectRef| {
            let all =
                ["base", "dev", "longer", "open", "prefixed", "prod"].map(|path| Root::new(path, Tool::Kustomize));
            let asked = all.iter().filter(|root| mentions(&tree, root, object) && !is_elsewhere(&tree, root, object));
            asked.map(|root| root.path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(asked(&ObjectRef::new("apps/v1", "Deployment", "prod", "web")), ["open", "prefixed", "prod"]);
        // What has no namespace is made by each of them.
        let mut role = ObjectRef::new("rbac.authorization.k8s.io/v1", "ClusterRole", "", "web");
        role.namespace = None;
        assert_eq!(asked(&role), ["base", "dev", "open", "prefixed", "prod"]);
    }
}
