//! Kustomize, as a child process that sees only a scratch copy.

use super::roots::Root;
use super::substitute::Substitution;
use super::tools::Tools;
use super::{Rendered, Stop, child};
use crate::doors::files::Scratch;
use crate::doors::process::Finished;
use crate::model::tree::Tree;

/// Renders a folder of `tree`, which holds nothing but inputs that were walked.
/// `substitution` fills in each document.
pub(super) async fn render(
    tree: &Tree,
    root: &Root,
    tools: &Tools,
    substitution: Option<&Substitution>,
) -> Result<Rendered, Stop> {
    let scratch = child::scratch()?;
    let mut finished = build(tree, &root.path, tools, &scratch).await?;
    if let Some(substitution) = substitution {
        let text = String::from_utf8_lossy(&finished.stdout).into_owned();
        let documents = text.split("\n---\n").map(|document| substitution.document(document));
        finished.stdout = documents.collect::<Vec<String>>().join("\n---\n").into_bytes();
    }
    Ok(child::objects(root, &finished, &scratch, &format!("kustomize build {}", root.shown()))?)
}

/// What kustomize says of a folder of `tree`.
pub(super) async fn build(tree: &Tree, folder: &str, tools: &Tools, scratch: &Scratch) -> Result<Finished, Stop> {
    let (program, is_kubectl) = tools.kustomize()?;
    let folder = child::copy(tree, scratch)?.join(folder).display().to_string();
    // Every input was walked, so files beside the root are allowed, as Flux does.
    let restrictor = "--load-restrictor=LoadRestrictionsNone";
    let verb = if is_kubectl { "kustomize" } else { "build" };
    let helm = tools.spare_inflater().map(|helm| format!("--helm-command={}", helm.display()));
    let mut args = vec![verb, restrictor];
    args.extend(helm.iter().flat_map(|helm| ["--enable-helm", helm]));
    args.push(&folder);
    child::run(program, &args, scratch, tools.limits).await
}
