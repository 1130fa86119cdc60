//! A chart that is kept elsewhere: where its values stand.

use super::lead::Folder;
use super::locate::candidates::{Source, Target, candidates};
use super::locate::post;
use super::{Question, Stop};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::render::compare::{reference, same_value};
use crate::render::{Rendered, Workbench};
use crate::yaml::scalars::leaves;
use serde_json::Value;

/// The chart can't be rendered here, so nothing about it can be proved: the refusal names the post renderers
/// and the values of the release that could make the asked fields.
pub(super) async fn refuse(question: &Question<'_>, folder: &Folder, chart: &str) -> Stop {
    let name = folder.control.object.qualified();
    let mut details = Vec::new();
    match in_git(question, folder).await {
        Ok(Some(found)) => details.extend(found),
        Ok(None) | Err(Stop::Refused(_)) => {
            let live: Value = serde_json::from_str(&folder.control.live).unwrap_or_default();
            details
                .extend(values(question, &live).into_iter().map(|(path, value)| format!("{name}: {path} is {value}")));
        }
        Err(failed) => return failed,
    }
    let hint = match details.first() {
        Some(first) => format!("change the release by hand: {first}"),
        None => format!("change the release by hand: {name}"),
    };
    Refusal::new("remote-source", format!("the template lives in {chart}, outside of this repository"), hint)
        .with_details(details)
        .into()
}

/// The files and keys of this repository that make the values; `None` when the release is not made here.
async fn in_git(question: &Question<'_>, folder: &Folder) -> Result<Option<Vec<String>>, Stop> {
    let tree = question.base.tree;
    let Some(above) = folder.above.as_ref().map(|above| above.root(tree)) else { return Ok(None) };
    let bench = Workbench::new(tree, &above, question.tools)?;
    let objects: Rendered = bench.render(&Default::default()).await?;
    let is_it = |value: &&Value| reference(value).is_some_and(|found| found.same_object(&folder.control.object));
    let Some(release) = objects.iter().find(is_it) else { return Ok(None) };
    let texts: Vec<(&String, usize, &str)> = bench
        .inputs()
        .files
        .iter()
        .filter_map(|(path, layer)| Some((path, *layer, bench.tree().text(path)?)))
        .collect();
    let specs = &bench.inputs().kustomizations;
    let sources: Vec<Source<'_>> = texts
        .iter()
        .map(|(path, layer, text)| {
            let kustomization = specs.iter().find(|(file, _)| file == *path).map(|(_, spec)| spec);
            Source { path, layer: *layer, text, kustomization }
        })
        .collect();
    let mut found = Vec::new();
    let post = folder.chart.as_ref().and_then(|chart| chart.release(&folder.control, Some(&above)).post);
    for (path, value) in
        question.intent.edits.iter().filter_map(|edit| Some((&edit.path, edit.path.get(question.live)?)))
    {
        let target = Target { object: &question.intent.object, path, value };
        let over = post.as_ref().map(|post| post::places(&sources, post, &target)).unwrap_or_default();
        found.extend(over.iter().map(|one| format!("{} is {}", one.shown(), one.old)));
    }
    for (path, value) in values(question, release) {
        let target = Target { object: &folder.control.object, path: &path, value: &value };
        found.extend(candidates(&sources, &target, false).0.first().map(|one| format!("{} is {value}", one.shown())));
    }
    Ok(Some(found))
}

/// Values of the release that are the asked fields' under the same name.
fn values(question: &Question<'_>, release: &Value) -> Vec<(Path, Value)> {
    let asked = question.intent.edits.iter().filter_map(|edit| Some((edit, edit.path.get(question.live)?)));
    let asked: Vec<_> = asked.collect();
    let fits = |path: &Path, leaf: &Value| {
        asked.iter().any(|(edit, live)| path.0.last() == edit.path.0.last() && same_value(&edit.path, leaf, Some(live)))
    };
    leaves(&release["spec"]["values"])
        .into_iter()
        .filter(|(path, leaf)| fits(path, leaf))
        .map(|(path, leaf)| (Path::of("spec.values").join(&path), leaf.clone()))
        .collect()
}
