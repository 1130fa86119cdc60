//! The last render: it differs by the intent, or is refused.

use super::draft::Draft;
use super::locate::choose::judge;
use super::{Located, Question, Stop};
use crate::model::proposal::{Delta, FileChange, Origin, Proof};
use crate::model::refusal::Refusal;
use crate::render::compare::diff;
use std::collections::BTreeMap;

/// Side effects that are listed at most.
const LISTED: usize = 8;

/// Renders the finished draft and compares.
pub(super) async fn prove(question: &Question<'_>, mut draft: Draft<'_, '_>) -> Result<Located, Stop> {
    let traced = draft.traced;
    draft.budget.render();
    let after = traced.bench.render(&draft.overlay_with(BTreeMap::new())).await?;
    let all = diff(&traced.base, &after, &draft.noise);
    let judged = judge(&traced.reference, &draft.done, &traced.object, &all);
    if !judged.side_effects.is_empty() {
        let details = judged.side_effects.iter().take(LISTED).map(line).collect();
        let text = format!("the edit changes {} besides", crate::text::count(judged.side_effects.len(), "field"));
        return Err(Refusal::new("side-effects", text, "change it by hand").with_details(details).into());
    }
    if !judged.holds {
        let files: Vec<&String> = draft.files.keys().collect();
        let text = format!("the field does not become the wanted value by changing {}", crate::text::and(&files));
        return Err(Refusal::new("no-effect", text, "change it by hand, where it is computed").into());
    }
    let blast = draft.final_blast().await?;
    let mut review = judged.review;
    review.extend(blast.changed.iter().map(|root| format!("`{root}` changes too")));
    let mut not_proved = vec!["that the pod starts; see `aifix scan` after the sync".to_owned()];
    not_proved.extend(blast.unknown.iter().map(|root| format!("`{root}` uses the file and does not render")));
    let proof = Proof {
        base: question.base.revision.to_owned(),
        renderer: traced.bench.renderer().await?,
        delta: judged.delta,
        companions: judged.companions,
        noise: draft.noise.len(),
        siblings: blast.same,
        renders: draft.budget.renders(),
        not_proved,
    };
    let origin = Origin {
        tool: traced.root.tool,
        repo: question.repo.to_owned(),
        path: traced.root.shown().to_owned(),
        branch: question.branch.to_owned(),
        revision: traced.revision.clone(),
        trail: traced.trail.clone(),
    };
    let tree = question.base.tree;
    let files = draft.files.iter().map(|(path, text)| FileChange {
        path: path.clone(),
        before: tree.file(path).map(<[u8]>::to_vec),
        after: text.clone().into_bytes(),
    });
    Ok(Located { origin, files: files.collect(), edits: draft.edits, proof, review })
}

fn line(delta: &Delta) -> String {
    let value = |value: &Option<serde_json::Value>| match value {
        Some(_) if delta.path.0.is_empty() => "the object".to_owned(),
        Some(_) if delta.object.kind == "Secret" => crate::redact::MASK.to_owned(),
        Some(value) => super::trace::shown_at(&delta.path, value),
        None => "absent".to_owned(),
    };
    format!("{} {}: {} -> {}", delta.object, delta.path, value(&delta.old), value(&delta.new))
}
