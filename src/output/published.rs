//! What commits say of records, as text.

use crate::audit::Select;
use crate::model::published::Published;
use crate::text::Sanitised;
use crate::ui::{Page, Paint};

/// Whether a commit is asked for. What it does not tell (such as a phase beside merged) takes none.
pub fn takes(commit: &Published, select: &Select) -> bool {
    use crate::model::record::Phase;
    let says = |text: &str, wanted: &str| text.to_lowercase().contains(&wanted.to_lowercase());
    let (kind, name) = commit.object.split_once(' ').unwrap_or(("", &commit.object));
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let named = |object: &str| {
        let mut parts = [name, kind, namespace].into_iter();
        object.split('/').rev().all(|part| parts.next().is_some_and(|own| own.eq_ignore_ascii_case(part)))
    };
    let phase = if commit.merged { Phase::Merged } else { Phase::Pushed };
    select.code.as_deref().is_none_or(|code| commit.code == code)
        && select.object.as_deref().is_none_or(named)
        && select.phase.is_none_or(|wanted| wanted == phase)
        && select.since.is_none_or(|since| commit.at.is_some_and(|at| at >= since))
        && select.text.as_deref().is_none_or(|text| says(&commit.message, text))
}

/// One line per commit.
pub fn list(page: &mut Page, commits: &[Published]) {
    for commit in commits {
        let words = format!(
            "{}  {}  {:<12}  {}  {}  {}",
            commit.commit.get(..8).unwrap_or(&commit.commit),
            moment(commit, 16).replace('T', " "),
            state(commit),
            commit.object,
            commit.code,
            commit.author,
        );
        page.foreign(Paint::Plain, &words).end();
    }
}

/// One commit whole.
pub fn show(page: &mut Page, commit: &Published, width: usize) {
    let paint = if commit.merged { Paint::Green } else { Paint::Yellow };
    page.put(paint, state(commit)).put(Paint::Plain, "  ").foreign(Paint::Bold, &commit.object);
    page.put(Paint::Plain, "  ").foreign(Paint::Cyan, &commit.code).end();
    for (label, words) in [
        ("record", commit.record.as_str()),
        ("commit", &commit.commit),
        ("branch", &commit.branch),
        ("who", &commit.author),
        ("when", &format!("{}Z", moment(commit, 19))),
        ("model", commit.model.as_deref().unwrap_or_default()),
    ] {
        if !words.is_empty() {
            page.wrapped(width, &format!("{label:<10}"), "          ", Sanitised::line(words).as_str());
        }
    }
    page.end();
    for line in commit.message.lines() {
        page.foreign(Paint::Plain, line).end();
    }
    page.end().line("This is what the commit says; the record itself is on the machine of who pushed it.");
}

fn state(commit: &Published) -> &'static str {
    if commit.merged { "merged" } else { "pushed" }
}

fn moment(commit: &Published, length: usize) -> String {
    let at = commit.at.map(|at| at.to_string()).unwrap_or_default();
    at.get(..length).unwrap_or("?").to_owned()
}
