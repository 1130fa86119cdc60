//! From the evaluator's error text to a place and a reason.

use crate::model::verdict::Location;

/// Longest reason that is kept, in characters.
const REASON: usize = 500;

/// An error of the evaluator, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) location: Option<Location>,
}

impl Fault {
    /// A fault of our own.
    pub(super) fn new(message: impl Into<String>, location: Option<Location>) -> Self {
        Self { message: message.into(), location }
    }

    /// Reads regorus' text: `--> file:line:col`, a frame with the source line, `error: reason`
    /// (regorus `lexer.rs`, `SourceStr::message`). Text of another shape is the reason itself.
    pub(super) fn parse(text: &str) -> Self {
        let reason = text.split_once("\nerror: ").map_or(text, |(_, reason)| reason);
        Self { message: words(reason), location: place(text) }
    }
}

/// The reason on one line: further places in it (`depends on: --> a.rego:3:1`) keep their words
/// and lose their frames.
fn words(reason: &str) -> String {
    let lines: Vec<&str> = reason.lines().map(str::trim).filter(|line| !line.is_empty() && !is_frame(line)).collect();
    let text = lines.join(" ").replace("--> ", "");
    if text.contains("execution exceeded time limit") {
        return "ran longer than its deadline".to_owned();
    }
    crate::text::clip(&text, REASON)
}

/// `|`, `12 | code` and `| ^`.
fn is_frame(line: &str) -> bool {
    line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
}

fn place(text: &str) -> Option<Location> {
    let (_, rest) = text.split_once("--> ")?;
    let mut lines = rest.lines();
    let mut parts = lines.next()?.trim().rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    let line: u32 = line.parse().ok()?;
    let source = lines
        .find_map(|frame| {
            let (number, code) = frame.split_once('|')?;
            (number.trim().parse() == Ok(line)).then(|| code.strip_prefix(' ').unwrap_or(code).to_owned())
        })
        .unwrap_or_default();
    Some(Location { file: file.to_owned(), line, column: column.parse().ok()?, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_evaluator_becomes_place_line_and_reason() {
        let text = "\n--> x/a.rego:2:36\n  |\n2 |   deny contains x if { x := http.send({}) }\n  |      ^\nerror: could not find function http.send";
        let fault = Fault::parse(text);
        assert_eq!(fault.message, "could not find function http.send");
        let location = fault.location.unwrap();
        assert_eq!(location.to_string(), "x/a.rego:2:36");
        assert_eq!(location.source, "  deny contains x if { x := http.send({}) }");
    }

    #[test]
    fn further_places_lose_their_frames() {
        let text = "\n--> rec.rego:3:1\n  |\n3 | b := c\n  | ^\nerror: recursion detected when evaluating rule:\n--> rec.rego:2:1\n  |\n2 | deny\n  | ^\ndepends on: cyclic evaluation";
        assert_eq!(
            Fault::parse(text).message,
            "recursion detected when evaluating rule: rec.rego:2:1 depends on: cyclic evaluation"
        );
    }

    #[test]
    fn text_without_a_place_is_the_reason() {
        assert_eq!(Fault::parse("not a valid rule path"), Fault::new("not a valid rule path", None));
    }
}
