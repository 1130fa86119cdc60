//! What follow-up wrote into a record, as its status says it.

use crate::model::record::{Entry, Phase};
use crate::text;
use serde_json::{Value, json};

/// Where the change is now; null before anybody followed it.
pub(super) fn deployment(entries: &[Entry]) -> Value {
    let Some(seen) = entries.iter().rev().find(|entry| entry.phase.is_outcome()) else { return Value::Null };
    let last = |phase: Phase, name: &str| {
        let entry = entries.iter().rev().find(|entry| entry.phase == phase);
        entry.and_then(|entry| entry.body.get(name)).cloned().unwrap_or_default()
    };
    json!({
        "seenAt": seen.at,
        "baseBranch": last(Phase::Merged, "base"),
        "mergeCommit": last(Phase::Merged, "mergeCommit"),
        "mergedBy": last(Phase::Merged, "by"),
        "changes": last(Phase::Merged, "changes"),
        "controller": last(Phase::Synced, "controller"),
        "appliedCommit": last(Phase::Synced, "applied"),
        "readyPods": last(Phase::RolledOut, "ready"),
        "desiredPods": last(Phase::RolledOut, "desired"),
    })
}

/// The steps of the way that something is known of, each as it stands now.
pub(super) fn conditions(entries: &[Entry]) -> Value {
    const STEPS: [&str; 5] = ["Pushed", "Merged", "Synced", "RolledOut", "Healed"];
    let step = |step: &str| {
        let said = entries.iter().filter_map(|entry| {
            let (status, reason) = says(entry.phase, step)?;
            Some((entry, status, reason))
        });
        // Since when it stands so: told again is no change.
        let mut since = "";
        let mut before = "";
        let mut last = None;
        for (entry, status, reason) in said {
            if status != before {
                since = &entry.at;
            }
            before = status;
            last = Some((entry, status, reason));
        }
        let (entry, status, reason) = last?;
        Some(json!({"type": step, "status": status, "reason": reason, "message": message(entry),
            "lastTransitionTime": since}))
    };
    STEPS.into_iter().filter_map(step).collect()
}

/// What a phase says of a step: its status and the reason.
fn says(phase: Phase, step: &str) -> Option<(&'static str, &'static str)> {
    Some(match (step, phase) {
        ("Pushed", Phase::Pushed) => ("True", "Pushed"),
        ("Pushed", Phase::Declined) => ("False", "Declined"),
        ("Pushed", Phase::Failed) => ("False", "Failed"),
        ("Merged", Phase::Merged) => ("True", "Merged"),
        ("Merged", Phase::Closed) => ("False", "Closed"),
        ("Merged" | "Synced" | "Healed", Phase::Reverted) => ("False", "Reverted"),
        ("Synced", Phase::Synced) => ("True", "Synced"),
        ("Synced", Phase::Drifted) => ("False", "Drifted"),
        ("RolledOut", Phase::RolledOut) => ("True", "RolledOut"),
        ("Healed", Phase::Drifted) => ("Unknown", "Drifted"),
        ("Healed", Phase::Healed) => ("True", "Healed"),
        ("Healed", Phase::Worse) => ("False", "Worse"),
        _ => return None,
    })
}

/// One sentence of what an entry says; foreign.
fn message(entry: &Entry) -> String {
    let body = &entry.body;
    let said = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let short = |name: &str| said(name).get(..7).unwrap_or(said(name)).to_owned();
    let number = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or_default();
    match entry.phase {
        Phase::Pushed => format!("commit {} is on branch {}", short("commit"), said("branch")),
        Phase::Declined | Phase::Failed => said("reason").to_owned(),
        Phase::Merged if said("base").is_empty() => "the pull request was merged".to_owned(),
        Phase::Merged => format!("commit {} of {} has the change", short("mergeCommit"), said("base")),
        Phase::Closed => "it was closed without a merge".to_owned(),
        Phase::Reverted => format!("commit {} took the change back", short("revert")),
        Phase::Synced if said("controller").is_empty() => "the live object has the values".to_owned(),
        Phase::Synced if said("applied").is_empty() => format!("the object of {} has the values", said("controller")),
        Phase::Synced => format!("{} has applied {}", said("controller"), short("applied")),
        Phase::Drifted => "the live object has other values than the merged ones".to_owned(),
        Phase::RolledOut => {
            let desired = usize::try_from(number("desired")).unwrap_or_default();
            format!("{} of {} run with it", number("ready"), text::count(desired, "pod"))
        }
        Phase::Healed => format!("{} is gone", said("code")),
        Phase::Worse if said("still").is_empty() => "another failure took its place".to_owned(),
        Phase::Worse => format!("still there: {}", said("still")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(steps: &[(Phase, Value)]) -> Vec<Entry> {
        let entry = |(at, (phase, body)): (usize, &(Phase, Value))| Entry {
            seq: at as u64,
            record: "00".into(),
            phase: *phase,
            at: format!("2026-11-24T08:00:{at:02}Z"),
            body: body.clone(),
            previous: String::new(),
            hash: String::new(),
        };
        steps.iter().enumerate().map(entry).collect()
    }

    fn stands(entries: &[Entry]) -> Vec<String> {
        let all = conditions(entries);
        let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        let line = |one: &Value| {
            format!(
                "{} {} {} {}",
                text(one, "type"),
                text(one, "status"),
                text(one, "reason"),
                text(one, "lastTransitionTime").get(17..19).unwrap()
            )
        };
        all.as_array().unwrap().iter().map(line).collect()
    }

    fn road() -> Vec<(Phase, Value)> {
        vec![
            (Phase::Proposed, json!({})),
            (Phase::Pushed, json!({"commit": "c0ffee00", "branch": "aifix/x"})),
            (Phase::Merged, json!({"base": "main", "mergeCommit": "aaaaaaaa1", "by": "ada", "changes": []})),
            (Phase::Synced, json!({"controller": "Kustomization flux/apps", "applied": "bbbbbbbb2", "live": true})),
            (Phase::RolledOut, json!({"ready": 2, "desired": 2})),
            (Phase::Healed, json!({"code": "oom-killed", "goneFor": 300})),
        ]
    }

    #[test]
    fn a_way_that_was_gone_to_its_end_is_told_step_by_step() {
        let entries = record(&road());
        assert_eq!(
            stands(&entries),
            [
                "Pushed True Pushed 01",
                "Merged True Merged 02",
                "Synced True Synced 03",
                "RolledOut True RolledOut 04",
                "Healed True Healed 05"
            ]
        );
        let deployment = deployment(&entries);
        assert_eq!(
            (&deployment["mergeCommit"], &deployment["appliedCommit"]),
            (&json!("aaaaaaaa1"), &json!("bbbbbbbb2"))
        );
        assert_eq!((&deployment["readyPods"], &deployment["seenAt"]), (&json!(2), &json!("2026-11-24T08:00:05Z")));
        assert_eq!(conditions(&entries)[2]["message"], "Kustomization flux/apps has applied bbbbbbb");
    }

    #[test]
    fn before_it_was_followed_nothing_is_said_of_it() {
        let entries = record(&road()[..2]);
        assert_eq!((deployment(&entries), stands(&entries)), (Value::Null, vec!["Pushed True Pushed 01".to_owned()]));
        let declined = record(&[(Phase::Proposed, json!({})), (Phase::Declined, json!({"reason": "answered no"}))]);
        assert_eq!(conditions(&declined)[0]["message"], "answered no");
        assert_eq!(stands(&record(&[(Phase::Refused, json!({}))])), Vec::<String>::new());
    }

    #[test]
    fn a_setback_is_told_and_the_way_back_too() {
        let mut steps = road();
        steps.push((Phase::Drifted, json!({"fields": []})));
        assert_eq!(
            stands(&record(&steps))[2..],
            ["Synced False Drifted 06", "RolledOut True RolledOut 04", "Healed Unknown Drifted 06"]
        );
        steps.extend([
            (Phase::Synced, json!({"live": true})),
            (Phase::Healed, json!({"code": "x"})),
            (Phase::Healed, json!({"code": "x"})),
        ]);
        assert_eq!(
            stands(&record(&steps))[2..],
            ["Synced True Synced 07", "RolledOut True RolledOut 04", "Healed True Healed 08"]
        );
        steps.push((Phase::Reverted, json!({"revert": "cccccccc3"})));
        let back = record(&steps);
        assert_eq!(stands(&back)[1..3], ["Merged False Reverted 10", "Synced False Reverted 10"]);
        assert_eq!(conditions(&back)[1]["message"], "commit ccccccc took the change back");
        let worse = record(&[(Phase::Pushed, json!({})), (Phase::Worse, json!({"still": "killed"}))]);
        assert_eq!(conditions(&worse)[1]["message"], "still there: killed");
    }
}
