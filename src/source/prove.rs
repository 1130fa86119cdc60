//! The last render: it differs by the intent, or is refused.

use super::draft::Draft;
use super::{Located, Question, Stop, accept};
use crate::model::object::ObjectRef;
use crate::model::proposal::{Delta, FileChange, ObjectChange, Origin, Proof};
use crate::model::refusal::Refusal;
use crate::render::compare::{diff, masked, reference};
use crate::render::names::without_hash;
use crate::schema;
use serde_json::Value;
use std::collections::BTreeMap;

/// Side effects that are listed at most.
const LISTED: usize = 8;

/// Renders the finished draft and compares.
pub(super) async fn prove(question: &Question<'_>, mut draft: Draft<'_, '_>) -> Result<Located, Stop> {
    let traced = draft.traced;
    draft.budget.render();
    let after = traced.bench.render(&draft.overlay_with(BTreeMap::new())).await?;
    let all = diff(&traced.base, &after, &draft.noise);
    let judged = traced.judge(&draft.done, &all);
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
    // A claim that waits for a volume is deleted by hand and made anew.
    let anew = schema::is_unbound_claim(question.live).then_some(&question.intent.object);
    let judged_here = judged.delta.iter().chain(&judged.companions);
    let stays = |delta: &&Delta| anew.is_none_or(|claim| !delta.object.same_object(claim));
    let taken = accept::accepted(question.fields, judged_here.filter(stays), &traced.base).await?;
    let blast = draft.final_blast().await?;
    let mut review = [traced.review.as_slice(), &draft.review].concat();
    review.extend(judged.review);
    review.extend(blast.changed.iter().map(|root| format!("`{root}` changes too")));
    let mut not_proved = vec![after_the_sync(&traced.object)];
    not_proved.extend_from_slice(&traced.bench.inputs().notes);
    not_proved.extend(taken.unknown);
    not_proved.extend(blast.unknown.iter().map(|root| format!("`{root}` uses the file and does not render")));
    let proof = Proof {
        base: question.base.revision.to_owned(),
        renderer: traced.bench.renderer().await?,
        delta: judged.delta,
        companions: judged.companions,
        noise: draft.noise.len(),
        masked: masked(&draft.noise),
        siblings: blast.same,
        renders: draft.budget.renders(),
        not_proved,
        schema: taken.schema,
        dry_run: None,
    };
    let origin = Origin {
        tool: traced.root.tool,
        repo: question.repo.to_owned(),
        path: traced.root.folder().to_owned(),
        branch: question.branch.to_owned(),
        revision: traced.revision.clone(),
        trail: traced.trail.clone(),
    };
    let tree = question.base.tree;
    let files = draft.files.iter().map(|(path, text)| FileChange {
        path: path.clone(),
        before: tree.file(path).map(<[u8]>::to_vec),
        after: Some(text.clone().into_bytes()),
    });
    let objects = changed_objects(&proof, &traced.reference, &traced.base, &after);
    Ok(Located { origin, files: files.collect(), objects, edits: draft.edits, proof, review })
}

/// What no render can show of a changed object: what the cluster makes of it.
pub(super) fn after_the_sync(object: &Value) -> String {
    const POD_SPECS: [&str; 3] = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let has_containers = |spec: &str| object.pointer(spec).is_some_and(|spec| spec.get("containers").is_some());
    let what = if POD_SPECS.iter().any(|spec| has_containers(spec)) {
        "the pod starts"
    } else if object["kind"] == "Service" {
        "traffic arrives"
    } else {
        "the cluster acts on it"
    };
    format!("that {what}; see `aifix scan` after the sync")
}

/// Both sides of every object that the proof names.
pub(super) fn changed_objects(
    proof: &Proof,
    intended: &ObjectRef,
    before: &[Value],
    after: &[Value],
) -> Vec<ObjectChange> {
    let mut out: Vec<ObjectChange> = Vec::new();
    for Delta { object, .. } in proof.delta.iter().chain(&proof.companions) {
        if !out.iter().any(|change| change.object.same_object(object)) {
            out.push(ObjectChange {
                object: object.clone(),
                before: rendered(before, object),
                after: rendered(after, object),
                intended: object.same_object(intended),
                good: Value::Null,
            });
        }
    }
    rehashed(out)
}

/// What a generator makes gets another name with another text: it is one object that changes.
fn rehashed(changes: Vec<ObjectChange>) -> Vec<ObjectChange> {
    let (mut came, mut kept): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.before.is_null());
    for gone in kept.iter_mut().filter(|change| change.after.is_null()) {
        let (stem, old) = (without_hash(&gone.object.name), &gone.object);
        let follows =
            |new: &ObjectRef| new.kind == old.kind && new.namespace == old.namespace && without_hash(&new.name) == stem;
        let at = came.iter().position(|change| follows(&change.object)).filter(|_| stem != old.name);
        if let Some(new) = at.map(|at| came.remove(at)) {
            (gone.object, gone.after) = (new.object, new.after);
        }
    }
    kept.extend(came);
    kept
}

/// One object of a render, `Null` when it is not there.
pub(super) fn rendered(objects: &[Value], wanted: &ObjectRef) -> Value {
    let is_it = |value: &&Value| reference(value).is_some_and(|found| found.same_object(wanted));
    objects.iter().find(is_it).cloned().unwrap_or_default()
}

pub(super) fn line(delta: &Delta) -> String {
    let value = |value: &Option<Value>| match value {
        Some(_) if delta.path.0.is_empty() => "the object".to_owned(),
        Some(value) if delta.object.kind == "Secret" => super::trace::shown(&crate::redact::masked(value)),
        Some(value) => super::trace::shown_at(&delta.path, value),
        None => "absent".to_owned(),
    };
    format!("{} {}: {} -> {}", delta.object, delta.path, value(&delta.old), value(&delta.new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_generated_object_under_another_hash_is_one_change() {
        let change = |name: &str, before: Value, after: Value| ObjectChange {
            object: ObjectRef::new("v1", "ConfigMap", "p", name),
            before,
            after,
            intended: name == "b-b5m459hdcm",
            good: Value::Null,
        };
        let made = rehashed(vec![
            change("c-26b8dfm5tk", Value::Null, json!(3)),
            change("b-b5m459hdcm", json!(1), Value::Null),
            change("b-26b8dfm5tk", Value::Null, json!(2)),
            change("d", json!(4), Value::Null),
        ]);
        let shown = made.iter().map(|one| (one.object.name.as_str(), &one.before, &one.after, one.intended));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                ("b-26b8dfm5tk", &json!(1), &json!(2), true),
                ("d", &json!(4), &Value::Null, false),
                ("c-26b8dfm5tk", &Value::Null, &json!(3), false),
            ]
        );
    }

    #[test]
    fn what_is_unproved_fits_the_object() {
        let template = json!({"spec": {"containers": []}});
        for (object, want) in [
            (json!({"kind": "Deployment", "spec": {"template": template}}), "that the pod starts"),
            (
                json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}}),
                "that the pod starts",
            ),
            (json!({"kind": "Service", "spec": {"selector": {}}}), "that traffic arrives"),
            (json!({"kind": "PodDisruptionBudget", "spec": {}}), "that the cluster acts on it"),
        ] {
            assert_eq!(after_the_sync(&object), format!("{want}; see `aifix scan` after the sync"));
        }
    }
}
