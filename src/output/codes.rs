//! The failure codes as text.

use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::FixHint;
use crate::ui::{Page, Paint};

/// One line per code.
pub fn list(page: &mut Page, codes: &[&CodeInfo]) {
    let width = codes.iter().map(|code| code.name.len()).max().unwrap_or(0);
    let mut family = "";
    let mut codes = codes.to_vec();
    codes.sort_by_key(|code| (code.family, code.name));
    for code in codes {
        if code.family != family {
            if !family.is_empty() {
                page.end();
            }
            family = code.family;
            page.put(Paint::Bold, family).end();
        }
        let guess = if code.is_hypothesis() { " (hypothesis)" } else { "" };
        page.line(format_args!("  {:width$}  {}{guess}", code.name, code.title));
    }
    page.end().line("One of them: aifix codes CODE");
}

/// Everything about one code.
pub fn one(page: &mut Page, code: &CodeInfo, width: usize) {
    page.put(Paint::Bold, code.name).line(format_args!(": {}", code.title));
    if code.is_hypothesis() {
        page.wrapped(width, "", "", "A hypothesis: what it finds is a possible cause, never a proof.");
    }
    for (label, words) in
        [("Meaning", code.meaning), ("Signals", code.signals), ("Causes", code.causes), ("Fix", code.fix)]
    {
        page.end();
        page.put(Paint::Bold, label);
        if label == "Fix" {
            page.put(Paint::Plain, format_args!(" ({})", class(code.class)));
        }
        page.end();
        page.wrapped(width, "  ", "  ", words);
    }
}

/// `by rule: ...`. Where the words begin with what the class is called, it is not said twice.
pub fn fix(hint: &FixHint) -> String {
    let class = class(hint.class);
    let said = hint.summary.get(..class.len()).is_some_and(|start| start.eq_ignore_ascii_case(class));
    if said { hint.summary.clone() } else { format!("{class}: {}", hint.summary) }
}

/// Words for a fix class.
pub fn class(class: FixClass) -> &'static str {
    match class {
        FixClass::Rule => "by rule",
        FixClass::Ask => "a person chooses",
        FixClass::Model => "needs judgement",
        FixClass::None => "not in Git",
    }
}
