//! What works, what does not, and what to type.

use crate::text::Sanitised;
use crate::ui::{Page, Paint};
use serde::Serialize;

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Works,
    /// It works in part, or is not needed yet.
    Limited,
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkup {
    /// `cluster`, `rights`, `git`.
    pub area: &'static str,
    pub state: State,
    pub summary: String,
    /// What to type next, one line each.
    pub hints: Vec<String>,
    /// It is broken because a host did not answer.
    #[serde(skip)]
    pub unreachable: bool,
}

/// One line per thing, its hints below.
pub fn write(page: &mut Page, checkups: &[Checkup], width: usize) {
    for checkup in checkups {
        let (paint, word) = match checkup.state {
            State::Works => (Paint::Green, "works  "),
            State::Limited => (Paint::Yellow, "limited"),
            State::Broken => (Paint::Red, "broken "),
        };
        page.put(paint, word).put(Paint::Plain, "  ").put(Paint::Bold, format_args!("{:<10}", checkup.area));
        let words = Sanitised::line(&checkup.summary);
        // The first words stand behind the label; only what follows is wrapped.
        let indent = " ".repeat(19);
        let mut wrapped = Page::default();
        wrapped.wrapped(width, &indent, &indent, words.as_str());
        page.line(wrapped.as_str().trim());
        for hint in &checkup.hints {
            page.put(Paint::Cyan, format_args!("{indent}hint: ")).put(Paint::Plain, Sanitised::line(hint)).end();
        }
    }
}
