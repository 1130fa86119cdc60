//! What filters set aside: one line, or the whole list.

use super::scan_text;
use crate::model::finding::{Finding, Severity};
use crate::model::report::{Filter, SetAside};
use crate::text::Sanitised;
use crate::ui::{Page, Paint};

/// Reasons that one line tells.
const FEW: usize = 3;

/// Writes the line, and below it the list when all is to be shown.
pub fn write(page: &mut Page, set_aside: &[SetAside], width: usize, all: bool, contexts: bool) {
    if set_aside.is_empty() {
        return;
    }
    let how = if all { "" } else { ": aifix scan --all" };
    page.end().wrapped(width, "", "  ", &format!("{}{how}", summary(set_aside)));
    for one in set_aside.iter().filter(|_| all) {
        let finding = &one.reported.finding;
        let context = contexts.then_some(one.reported.context.as_str());
        page.put(Paint::Plain, "  ");
        scan_text::placed(page, finding, true, context);
        let effects = along(elsewhere(finding), "it");
        let words = format!("{}: {}{effects}", name(one.filter), Sanitised::line(&one.reason));
        page.wrapped(width, "    ", "    ", &words);
    }
}

/// `7 set aside: 5 in the baseline (known.json), 2 ignored (OPS-12); 3 effects go with them`.
pub fn summary(set_aside: &[SetAside]) -> String {
    let mut parts = Vec::new();
    for filter in [Filter::Baseline, Filter::Ignored, Filter::Unasked, Filter::Minor] {
        let of_it: Vec<&SetAside> = set_aside.iter().filter(|one| one.filter == filter).collect();
        if of_it.is_empty() {
            continue;
        }
        let mut reasons: Vec<&str> = Vec::new();
        for one in &of_it {
            if !reasons.contains(&one.reason.as_str()) {
                reasons.push(&one.reason);
            }
        }
        let more = if reasons.len() > FEW { "; ..." } else { "" };
        let reasons: Vec<Sanitised> = reasons.into_iter().take(FEW).map(Sanitised::line).collect();
        let reasons: Vec<&str> = reasons.iter().map(Sanitised::as_str).collect();
        parts.push(format!("{} {} ({}{more})", of_it.len(), name(filter), reasons.join("; ")));
    }
    let counting = |one: &&SetAside| one.reported.finding.severity != Severity::Info;
    let effects = set_aside.iter().filter(counting).map(|one| elsewhere(&one.reported.finding)).sum();
    let with = along(effects, if set_aside.len() == 1 { "it" } else { "them" });
    format!("{} set aside: {}{with}", set_aside.len(), parts.join(", "))
}

/// What follows for other objects.
fn elsewhere(finding: &Finding) -> usize {
    finding.effects.iter().filter(|effect| !effect.object.same_object(&finding.object)).count()
}

fn along(effects: usize, root: &str) -> String {
    match effects {
        0 => String::new(),
        1 => format!("; 1 effect goes with {root}"),
        n => format!("; {n} effects go with {root}"),
    }
}

/// How a filter is called.
pub fn name(filter: Filter) -> &'static str {
    match filter {
        Filter::Baseline => "in the baseline",
        Filter::Ignored => "ignored",
        Filter::Unasked => "not asked for",
        Filter::Minor => "minor",
    }
}
