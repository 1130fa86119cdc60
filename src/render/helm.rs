//! Helm, as a child process that sees only a scratch copy.

use super::release::{Field, Values};
use super::roots::Root;
use super::tools::Tools;
use super::{Rendered, Stop, charts, child, render};
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use serde_json::Value;

/// Renders a chart of `tree`, which holds nothing but inputs that were walked.
pub(super) async fn template(tree: &Tree, root: &Root, tools: &Tools) -> Result<Rendered, Stop> {
    let program = tools.helm()?;
    let scratch = child::scratch()?;
    let copy = child::copy(tree, &scratch)?;
    for (from, to) in charts::vendored(tree, &root.path)? {
        if let Some(bytes) = tree.file(&from) {
            child::write(&copy.join(to), bytes)?;
        }
    }
    let release = root.release.as_deref().cloned().unwrap_or_default();
    let mut args = vec!["template".to_owned()];
    args.push(format!("--include-crds={}", !release.skip_crds));
    args.push(format!("--skip-tests={}", release.skip_tests));
    if !release.namespace.is_empty() {
        args.push(format!("--namespace={}", release.namespace));
    }
    args.extend(release.kube_version.iter().map(|version| format!("--kube-version={version}")));
    args.extend(release.api_versions.iter().map(|version| format!("--api-versions={version}")));
    for (number, values) in release.values.iter().enumerate() {
        let text = match values {
            Values::File(path) => tree.file(path).unwrap_or_default().to_vec(),
            Values::Field(field) => text_of(&read(tree, field, tools).await?).into_bytes(),
            Values::Fixed(text) => text.clone().into_bytes(),
            Values::Set { name, value, text } => {
                let flag = if *text { "--set-string" } else { "--set" };
                args.push(format!("{flag}={name}={}", set_text(&read(tree, value, tools).await?)));
                continue;
            }
        };
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
    let finished = child::run(program, &args, &scratch).await?;
    Ok(child::objects(root, &finished, &scratch, &command(root))?)
}

/// The value of a field in the render of its own root.
async fn read(tree: &Tree, field: &Field, tools: &Tools) -> Result<Value, Stop> {
    let objects = Box::pin(render(tree, &field.root, tools)).await?;
    let found = super::names::find(&objects, &field.object).and_then(|object| field.path.get(object));
    found.cloned().ok_or_else(|| {
        let text = format!("`{}` makes no {} with {}", field.root.shown(), field.object.qualified(), field.path);
        Stop::Refused(Refusal::new("render-failed", text, "check the values that the release names"))
    })
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
