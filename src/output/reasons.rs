//! Why policies said what they said.

use super::json::document;
use super::verdicts;
use crate::error::Error;
use crate::model::verdict::{Evaluation, Verdict};
use crate::policy::{DescribedRule, Metadata};
use crate::text::Sanitised;
use crate::ui::{Page, Paint};
use serde::Serialize;
use serde_json::json;

/// Whether the policy of a record is still the one that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Same,
    Changed,
    /// It is not among the policies any more.
    Gone,
}

/// One verdict with the rule that gave it.
#[derive(Debug, Clone)]
pub struct Reason {
    pub verdict: Verdict,
    pub about: Metadata,
    pub standing: Standing,
    /// `None` when it is not known any more, or no rule said it.
    pub rule: Option<DescribedRule>,
}

/// Each verdict, what its policy is for, and its rule.
pub fn write(page: &mut Page, evaluation: &Evaluation, reasons: &[Reason], width: usize) {
    verdicts::summary(page, evaluation);
    for reason in reasons {
        page.end();
        let mut verdict = reason.verdict.clone();
        if let (Some(_), Some(place)) = (&reason.rule, &mut verdict.location) {
            // The rule follows whole.
            place.source.clear();
        }
        verdicts::one(page, &verdict, width);
        one(page, reason, width);
    }
}

fn one(page: &mut Page, reason: &Reason, width: usize) {
    let mut row = |name: &str, words: &str| {
        if !words.is_empty() {
            let lead = format!("    {name:<9} ");
            page.wrapped(width, &lead, "              ", Sanitised::line(words).as_str());
        }
    };
    row("policy", &reason.about.title);
    row("because", &reason.about.reason);
    row("severity", &reason.about.severity);
    row("about", &reason.about.term);
    match reason.standing {
        Standing::Same => {}
        Standing::Changed => row("since", "the policy was changed after this was said"),
        Standing::Gone => row("since", "the policy is not among those of today: name its folder with --policy"),
    }
    let Some(rule) = &reason.rule else { return };
    row("reads", &rule.fields.join(", "));
    for (nth, line) in rule.source.lines().enumerate() {
        let number = rule.line as usize + nth;
        page.put(Paint::Dim, format_args!("{number:>10} | ")).foreign(Paint::Dim, &line.replace('\t', "    ")).end();
    }
}

/// The document `PolicyReasons`.
///
/// # Errors
/// Only a bug: it can't be serialised.
pub fn json(evaluation: &Evaluation, reasons: &[Reason]) -> Result<String, Error> {
    let rows = reasons.iter().map(|reason| {
        let rule = reason.rule.as_ref();
        json!({
            "verdict": reason.verdict,
            "title": reason.about.title,
            "reason": reason.about.reason,
            "severity": reason.about.severity,
            "term": reason.about.term,
            "policy": reason.standing,
            "reads": rule.map(|rule| &rule.fields),
            "source": rule.map(|rule| &rule.source),
        })
    });
    let rows: Vec<_> = rows.collect();
    document("PolicyReasons", &json!({"decision": evaluation.decision(), "reasons": rows}))
}
