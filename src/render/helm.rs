//! Helm, as a child process that sees only a scratch copy.

use super::chart_text::{check_values, lossy};
use super::release::{Field, Values};
use super::roots::Root;
use super::tools::Tools;
use super::{Rendered, Stop, charts, child, post, render};
use crate::doors::files::Scratch;
use crate::doors::process::Finished;
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Renders a chart of `tree`, which holds nothing but inputs that were walked.
pub(super) async fn template(tree: &Tree, root: &Root, tools: &Tools) -> Result<Rendered, Stop> {
    let scratch = child::scratch()?;
    let (mut finished, posts) = run(tree, root, tools, &scratch).await?;
    if finished.code == 0 {
        finished.stdout = post::through(finished.stdout, &posts, root, tools).await?;
    }
    Ok(child::objects(root, &finished, &scratch, &command(root))?)
}

/// What Helm prints, before any post renderer.
pub(super) async fn output(tree: &Tree, root: &Root, tools: &Tools) -> Result<String, Stop> {
    let (finished, _) = run(tree, root, tools, &child::scratch()?).await?;
    Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
}

/// Runs Helm; what its output is to be put through comes with it.
async fn run(tree: &Tree, root: &Root, tools: &Tools, scratch: &Scratch) -> Result<(Finished, Vec<Value>), Stop> {
    let program = tools.helm()?;
    let copy = child::copy(tree, scratch)?;
    for (from, to) in charts::vendored(tree, &root.path)? {
        if let Some(bytes) = tree.file(&from) {
            child::write(&copy.join(to), bytes)?;
        }
    }
    let release = root.release.as_deref().cloned().unwrap_or_default();
    let mut feeds = Feeds::new(tree, tools);
    let posts = post::said(&mut feeds, root).await?;
    let mut args = vec!["template".to_owned()];
    // What lies in `crds/` goes through no post renderer.
    args.push(format!("--include-crds={}", !release.skip_crds && posts.is_empty()));
    args.push(format!("--skip-tests={}", release.skip_tests));
    if !release.namespace.is_empty() {
        args.push(format!("--namespace={}", release.namespace));
    }
    let kube_version = release.kube_version.as_ref().or(tools.kube_version.as_ref());
    args.extend(kube_version.map(|version| format!("--kube-version={version}")));
    let apis = if release.api_versions.is_empty() { &tools.api_versions } else { &release.api_versions };
    args.extend(apis.iter().map(|version| format!("--api-versions={version}")));
    for (number, values) in release.values.iter().enumerate() {
        let (text, shown) = match values {
            Values::File(path) => (tree.file(path).unwrap_or_default().to_vec(), format!("`{path}`")),
            Values::Field(field) => (text_of(&feeds.value(field).await?).into_bytes(), said(field)),
            Values::Fixed(text) => (text.clone().into_bytes(), "a value of the release".to_owned()),
            Values::Set { name, value, text } => {
                let flag = if *text { "--set-string" } else { "--set" };
                let set = set_text(&feeds.value(value).await?);
                check_values(&said(value), &set)?;
                args.push(format!("{flag}={name}={set}"));
                continue;
            }
        };
        // The chart may run them as templates.
        check_values(&shown, &lossy(&text))?;
        // Helm takes a list of files apart at commas, so none is named by a path of the repository.
        let file = scratch.path().join(format!("values-{number}.yaml"));
        child::write(&file, &text)?;
        args.push(format!("--values={}", file.display()));
    }
    // What comes from a cluster must not be read as a flag: `--post-renderer` runs a program.
    args.push("--".to_owned());
    args.push(if release.name.is_empty() { "release-name".to_owned() } else { release.name.clone() });
    args.push(copy.join(&root.path).display().to_string());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Ok((child::run(program, &args, scratch, tools.limits).await?, posts))
}

fn said(field: &Field) -> String {
    format!("{} of {}", field.path, field.object.qualified())
}

/// The renders of other roots that a release reads from, each made once.
pub(super) struct Feeds<'t> {
    tree: &'t Tree,
    tools: &'t Tools,
    known: BTreeMap<Root, Rendered>,
}

impl<'t> Feeds<'t> {
    pub(super) const fn new(tree: &'t Tree, tools: &'t Tools) -> Self {
        Self { tree, tools, known: BTreeMap::new() }
    }

    /// The object of a field.
    pub(super) async fn object(&mut self, field: &Field) -> Result<&Value, Stop> {
        let objects = match self.known.entry((*field.root).clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(open) => open.insert(Box::pin(render(self.tree, &field.root, self.tools)).await?),
        };
        super::names::find(objects, &field.object).ok_or_else(|| unmade(field, ""))
    }

    async fn value(&mut self, field: &Field) -> Result<Value, Stop> {
        let object = self.object(field).await?;
        field.path.get(object).cloned().ok_or_else(|| unmade(field, &format!(" with {}", field.path)))
    }
}

fn unmade(field: &Field, what: &str) -> Stop {
    let text = format!("`{}` makes no {}{what}", field.root.shown(), field.object.qualified());
    Stop::Refused(Refusal::new("render-failed", text, "check what the release names"))
}

/// A text as it is, all else as JSON, which is YAML too.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value behind `name=`: a comma would begin another one (Argo CD escapes it, too).
fn set_text(value: &Value) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in text_of(value).chars() {
        if c == ',' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// What a person types to see the same.
fn command(root: &Root) -> String {
    let release = root.release.as_deref().cloned().unwrap_or_default();
    let files = release.values.iter().filter_map(|values| match values {
        Values::File(path) => Some(format!(" -f {path}")),
        _ => None,
    });
    format!("helm template {}{}", root.path, files.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_comma_stays_in_one_value() {
        assert_eq!(set_text(&json!("a,b")), "a\\,b");
        assert_eq!(set_text(&json!("a\\,b")), "a\\,b");
        assert_eq!(set_text(&json!(3)), "3");
    }
}
