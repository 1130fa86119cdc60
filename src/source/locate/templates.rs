//! Values that are written in a chart's templates. No I/O.

use super::candidate::{Candidate, Spot, Way, field};
use super::candidates::{Source, Target, same};
use crate::model::path::Step;
use crate::render::charts::Chart;
use crate::yaml::parse;

/// Lines `key: value` and `- value` without an action that could make the field.
pub fn literals(sources: &[Source<'_>], charts: &[Chart], target: &Target<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let key = target.path.0.iter().rev().find_map(field).unwrap_or_default();
    let is_item = matches!(target.path.0.last(), Some(Step::Index(_)));
    for source in sources.iter().filter(|source| charts.iter().any(|chart| is_template(source.path, chart))) {
        for (line, text) in source.text.lines().enumerate().filter(|(_, text)| !text.contains("{{")) {
            let Some((name, start, end)) = entry(text) else { continue };
            let fits = if is_item { name.is_empty() } else { name == key };
            let value = parse::document(&text[start..end]).ok();
            if let Some(old) = value.filter(|value| fits && same(value, target.value)) {
                let spot = Spot::Word { line, start, end };
                let (file, layer) = (source.path.to_owned(), source.layer);
                found.push(Candidate { file, spot, way: Way::Value, old, layer, related: true });
            }
        }
    }
    found
}

/// Whether a file is a template of this very chart.
fn is_template(path: &str, chart: &Chart) -> bool {
    let below = if chart.folder.is_empty() { Some(path) } else { path.strip_prefix(&chart.folder) };
    below.is_some_and(|rest| rest.trim_start_matches('/').starts_with("templates/"))
}

/// The innermost chart that a file belongs to, when it is copied from elsewhere.
pub fn is_foreign(path: &str, charts: &[Chart]) -> bool {
    charts
        .iter()
        .any(|chart| chart.foreign && path.strip_prefix(&chart.folder).is_some_and(|rest| rest.starts_with('/')))
}

/// The key of a line and the bytes of its scalar; the key of a list's item is empty.
fn entry(line: &str) -> Option<(&str, usize, usize)> {
    let mut at = line.len() - line.trim_start().len();
    let mut is_item = false;
    while line[at..].starts_with("- ") {
        is_item = true;
        at += 2;
        at += line[at..].len() - line[at..].trim_start().len();
    }
    let body = &line[at..];
    let (key, start) = match body.find(": ") {
        Some(colon) if !body.starts_with(['"', '\'', '#', '{', '[']) => (body[..colon].trim_end(), at + colon + 2),
        _ if is_item => ("", at),
        _ => return None,
    };
    let start = start + line[start..].len() - line[start..].trim_start().len();
    let end = line[start..].find(" #").map_or(line.len(), |comment| start + comment);
    let end = start + line[start..end].trim_end().len();
    (start < end && !line[start..].starts_with(['|', '>', '{', '[', '&', '*'])).then_some((key, start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_key_and_a_scalar() {
        let of = |line: &'static str| entry(line).map(|(key, start, end)| (key, &line[start..end]));
        assert_eq!(of("    memory: 64Mi  # measured"), Some(("memory", "64Mi")));
        assert_eq!(of("  - containerPort: 80"), Some(("containerPort", "80")));
        assert_eq!(of("  - \"--level=info\""), Some(("", "\"--level=info\"")));
        for line in ["spec:", "  run: |", "  a: {b: 1}", "# memory: 1", ""] {
            assert_eq!(of(line).filter(|(key, _)| *key != "#"), None, "{line}");
        }
    }
}
