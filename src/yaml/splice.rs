//! The bytes that a change replaces, and their replacement.

use super::YamlError;
use super::edit::Change;
use super::tree::{Found, Kind, Node, Tree};
use super::write::Style;
use crate::model::path::{Path, Step};
use granit_parser::ScalarStyle;
use serde_json::{Map, Value};
use std::ops::Range;

/// A byte range and what stands there instead.
pub(super) type Splice = (Range<usize>, String);

/// The splice of one document that makes a change.
pub(super) fn splice(text: &str, path: &Path, change: &Change) -> Result<Splice, YamlError> {
    let tree = Tree::of(text)?;
    let page = Page { text, style: style(text, &tree) };
    match (tree.find(path)?, change) {
        (Found::Node(chain), Change::Set(new)) => page.set(&chain, new),
        (Found::Node(chain), Change::Remove) => page.remove(&chain, path),
        (Found::Node(chain), Change::Add(new)) => page.fill(&chain, new),
        (Found::Missing(chain, taken), Change::Add(new)) => page.add(&chain, &path.0[taken..], new),
        (Found::Missing(..), _) => Err(YamlError::Missing(path.to_string())),
    }
}

fn style(text: &str, tree: &Tree) -> Style {
    let json = tree.root.as_ref().is_some_and(|root| match &root.kind {
        Kind::Map { flow: true, entries } => entries
            .first()
            .is_some_and(|(key, _)| matches!(key.kind, Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. })),
        Kind::Seq { flow, .. } => *flow && text.contains('"'),
        _ => false,
    });
    let mut style =
        Style { eol: if text.contains("\r\n") { "\r\n" } else { "\n" }, json, indent: 2, deep_lists: false };
    if let Some(root) = &tree.root {
        let mut seen = (false, false);
        learn(text, root, &mut style, &mut seen);
    }
    style
}

/// Takes indentation and list style from the first nested map and list.
fn learn(text: &str, node: &Node, style: &mut Style, seen: &mut (bool, bool)) {
    match &node.kind {
        Kind::Map { flow: false, entries } => {
            for (key, value) in entries {
                let own = column(text, key.range.start);
                match &value.kind {
                    Kind::Map { flow: false, .. } if !seen.0 => {
                        *seen = (true, seen.1);
                        style.indent = column(text, value.range.start).saturating_sub(own).clamp(1, 8);
                    }
                    Kind::Seq { flow: false, .. } if !seen.1 => {
                        if let Some(dash) = dash(text, value.range.start) {
                            *seen = (seen.0, true);
                            style.deep_lists = column(text, dash) > own;
                        }
                    }
                    _ => {}
                }
                learn(text, value, style, seen);
            }
        }
        Kind::Seq { flow: false, items } => items.iter().for_each(|item| learn(text, item, style, seen)),
        _ => {}
    }
}

/// The `-` before a list item that starts at `at`.
fn dash(text: &str, at: usize) -> Option<usize> {
    let head = text[..at].trim_end_matches(' ');
    head.ends_with('-').then(|| head.len() - 1)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The end of the line at `at`, before its line break.
fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if text[at..end].ends_with('\r') { end - 1 } else { end }
}

fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].trim_start_matches('\u{feff}').chars().count()
}

/// A document and how it is written.
struct Page<'t> {
    text: &'t str,
    style: Style,
}

impl Page<'_> {
    fn set(&self, chain: &[&Node], new: &Value) -> Result<Splice, YamlError> {
        let node = chain[chain.len() - 1];
        let flow = self.style.json || chain[..chain.len() - 1].iter().any(|node| node.is_flow());
        let collection = new.is_object() || new.is_array();
        match &node.kind {
            Kind::Scalar { style: ScalarStyle::Literal, value } if new.is_string() => {
                self.literal(node, value, new.as_str().unwrap_or_default())
            }
            Kind::Scalar { style, value } if !collection => {
                let written = &self.text[node.range.clone()];
                if let Some(text) = without_returns(written, *style, value, new) {
                    return Ok((node.range.clone(), text));
                }
                if self.text[node.range.clone()].contains('\n')
                    || value.contains('\n') && *style == ScalarStyle::SingleQuoted
                {
                    return Err(YamlError::Unsupported("the value is written on several lines".to_owned()));
                }
                let text = self.style.scalar(new, *style, flow)?;
                Ok(self.put(node, text))
            }
            Kind::Scalar { .. } if flow => Ok(self.put(node, self.style.flow(new))),
            Kind::Map { flow: true, .. } | Kind::Seq { flow: true, .. } => {
                Ok((node.range.clone(), self.style.flow(new)))
            }
            Kind::Map { .. } | Kind::Seq { .. } => self.set_block(node, new),
            _ => self.fill(chain, new),
        }
    }

    /// `text` where the node stands. One without text stands before its `:`.
    fn put(&self, node: &Node, text: String) -> Splice {
        if !node.is_blank() {
            return (node.range.clone(), text);
        }
        let at = node.range.start + usize::from(self.text[node.range.start..].starts_with(':'));
        (at..at, format!(" {text}"))
    }

    /// Replaces a block collection by another.
    fn set_block(&self, node: &Node, new: &Value) -> Result<Splice, YamlError> {
        let same_kind = matches!((&node.kind, new), (Kind::Map { .. }, Value::Object(map)) if !map.is_empty())
            || matches!((&node.kind, new), (Kind::Seq { .. }, Value::Array(items)) if !items.is_empty());
        let end = self.content_end(node);
        let old = &self.text[node.range.start..end];
        if !same_kind || old.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #")) {
            return Err(YamlError::Unsupported("the list or map holds comments or becomes something else".to_owned()));
        }
        let start = match node.kind {
            Kind::Seq { .. } => dash(self.text, node.range.start)
                .ok_or_else(|| YamlError::Unsupported("the list is written in an unusual way".to_owned()))?,
            _ => node.range.start,
        };
        Ok((start..end, self.lines(&self.style.block(new), column(self.text, start), false)))
    }

    /// Replaces lines of a literal block; lines that stay the same stay as they are written.
    fn literal(&self, node: &Node, old: &str, new: &str) -> Result<Splice, YamlError> {
        let body = self.literal_body(node);
        let indent = node.range.start - body.start;
        let written: Vec<&str> = self.text[body.clone()].split_inclusive('\n').collect();
        let breaks = |text: &str| text.len() - text.trim_end_matches('\n').len();
        if breaks(old) != breaks(new) || new.starts_with([' ', '\n']) {
            return Err(YamlError::Unsupported("the block's indicator does not fit the new text".to_owned()));
        }
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        if old.len() != written.len() || new.is_empty() || old.first().is_some_and(|line| line.is_empty()) {
            return Err(YamlError::Unsupported("the block is written in an unusual way".to_owned()));
        }
        let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let room = old.len().min(new.len()) - head;
        let tail = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
        let start = body.start + written[..head].iter().map(|line| line.len()).sum::<usize>();
        let end = body.start + written[..old.len() - tail].iter().map(|line| line.len()).sum::<usize>();
        let lines: Vec<String> = new[head..new.len() - tail]
            .iter()
            .map(|line| if line.is_empty() { String::new() } else { format!("{:indent$}{line}", "") })
            .collect();
        let mut text = lines.join(self.style.eol);
        if !lines.is_empty() && self.text[..end].ends_with('\n') {
            text.push_str(self.style.eol);
        } else if !lines.is_empty() && end == start {
            // The last line of the file has no line break.
            text.insert_str(0, self.style.eol);
        }
        Ok((start..end, text))
    }

    /// The lines of a literal block, with their line breaks, without blank lines at the end.
    fn literal_body(&self, node: &Node) -> Range<usize> {
        let start = line_start(self.text, node.range.start);
        let indent = node.range.start - start;
        let mut end = start;
        let mut at = start;
        for line in self.text[start..].split_inclusive('\n') {
            let content = line.trim_end();
            if !content.is_empty() && line.len() - line.trim_start_matches(' ').len() < indent {
                break;
            }
            at += line.len();
            if !content.is_empty() {
                end = at;
            }
        }
        start..end
    }

    /// Where the text of a node really ends, before the line break.
    fn content_end(&self, node: &Node) -> usize {
        match &node.kind {
            Kind::Map { flow: false, entries } => {
                entries.last().map_or(node.range.end, |(_, value)| self.content_end(value))
            }
            Kind::Seq { flow: false, items } => items.last().map_or(node.range.end, |item| self.content_end(item)),
            Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, value } if !value.is_empty() => {
                let end = self.literal_body(node).end;
                end - (self.text[..end].len() - self.text[..end].trim_end_matches(['\r', '\n']).len())
            }
            _ => node.range.end,
        }
    }

    /// Lines at a column; the first one too when `break_first`, which then starts on a new line.
    fn lines(&self, lines: &[String], column: usize, break_first: bool) -> String {
        let between = format!("{}{:column$}", self.style.eol, "");
        let text = lines.join(&between);
        if break_first { format!("{between}{text}") } else { text }
    }

    /// Writes a value where the document has `{}`, `[]`, `null` or nothing.
    fn fill(&self, chain: &[&Node], new: &Value) -> Result<Splice, YamlError> {
        let unusual = || YamlError::Unsupported("an empty value is written in an unusual way".to_owned());
        let [.., parent, node] = chain else { return Err(unusual()) };
        let flow = self.style.json || chain[..chain.len() - 1].iter().any(|node| node.is_flow());
        if flow {
            return Ok(self.put(node, self.style.flow(new)));
        }
        let collection =
            new.as_object().is_some_and(|map| !map.is_empty()) || new.as_array().is_some_and(|items| !items.is_empty());
        let Kind::Map { entries, .. } = &parent.kind else { return Err(unusual()) };
        let (key, _) = entries.iter().find(|(_, value)| value.range == node.range).ok_or_else(unusual)?;
        let colon = self.text[key.range.end..].find(':').map(|at| key.range.end + at + 1).ok_or_else(unusual)?;
        if !collection {
            return Ok(self.put(node, self.style.block(new).concat()));
        }
        let end = line_end(self.text, node.range.end.max(colon));
        let rest = self.text[node.range.end.max(colon)..end].trim_end();
        let depth =
            if new.is_array() { self.style.indent * usize::from(self.style.deep_lists) } else { self.style.indent };
        let block = self.lines(&self.style.block(new), column(self.text, key.range.start) + depth, true);
        Ok((colon..end, format!("{rest}{block}")))
    }

    fn add(&self, chain: &[&Node], steps: &[Step], new: &Value) -> Result<Splice, YamlError> {
        let node = chain[chain.len() - 1];
        let Some((first, rest)) = steps.split_first() else { return self.fill(chain, new) };
        match (&node.kind, first) {
            (Kind::Map { entries, flow }, Step::Field(name)) if !entries.is_empty() => {
                let value = wrap(rest, new);
                if *flow {
                    let last = &entries[entries.len() - 1];
                    return self.append_flow(
                        last.0.range.start,
                        last.1.range.end,
                        &self.style.flow_entry(name, &value),
                    );
                }
                let at = self.entry_end(node);
                Ok((
                    at..at,
                    self.lines(&self.style.block_entry(name, &value), column(self.text, node.range.start), true),
                ))
            }
            (Kind::Seq { items, flow }, Step::Index(_) | Step::Item { .. }) if !items.is_empty() => {
                let value = item(first, wrap(rest, new));
                let last = &items[items.len() - 1];
                if *flow {
                    return self.append_flow(last.range.start, last.range.end, &self.style.flow(&value));
                }
                let dash = dash(self.text, last.range.start)
                    .ok_or_else(|| YamlError::Unsupported("the list is written in an unusual way".to_owned()))?;
                let at = self.entry_end(node);
                Ok((at..at, self.lines(&self.style.block_item(&value), column(self.text, dash), true)))
            }
            (Kind::Map { .. } | Kind::Seq { .. } | Kind::Scalar { style: ScalarStyle::Plain, .. }, _) => {
                self.fill(chain, &wrap(steps, new))
            }
            _ => Err(YamlError::Missing(Path(steps.to_vec()).to_string())),
        }
    }

    /// The end of the last line of a block collection; a comment on that line stays there.
    fn entry_end(&self, node: &Node) -> usize {
        line_end(self.text, self.content_end(node))
    }

    fn append_flow(&self, last_start: usize, last_end: usize, entry: &str) -> Result<Splice, YamlError> {
        if self.text[last_end..].trim_start().starts_with(',') {
            return Err(YamlError::Unsupported("the list or map ends with a comma".to_owned()));
        }
        let line = line_start(self.text, last_start);
        let head = &self.text[line..last_start];
        // One entry a line: the new one gets its own line too.
        let text =
            if head.trim().is_empty() { format!(",{}{head}{entry}", self.style.eol) } else { format!(", {entry}") };
        Ok((last_end..last_end, text))
    }

    fn remove(&self, chain: &[&Node], path: &Path) -> Result<Splice, YamlError> {
        let unusual = || YamlError::Unsupported(format!("`{path}` can't be taken out alone"));
        let [.., parent, node] = chain else { return Err(unusual()) };
        let same = |other: &Node| std::ptr::eq(other, *node);
        let (flow, spans): (bool, Vec<Range<usize>>) = match &parent.kind {
            Kind::Map { flow, entries } => {
                (*flow, entries.iter().map(|(key, value)| key.range.start..value.range.end).collect())
            }
            Kind::Seq { flow, items } => (*flow, items.iter().map(|item| item.range.clone()).collect()),
            _ => return Err(unusual()),
        };
        let at = match &parent.kind {
            Kind::Map { entries, .. } => entries.iter().position(|(_, value)| same(value)),
            Kind::Seq { items, .. } => items.iter().position(same),
            _ => None,
        }
        .ok_or_else(unusual)?;
        if flow {
            let range = match (at, spans.get(at + 1)) {
                (_, Some(next)) => spans[at].start..next.start,
                (0, None) => spans[at].clone(),
                (_, None) => spans[at - 1].end..spans[at].end,
            };
            return Ok((range, String::new()));
        }
        let start = match &parent.kind {
            Kind::Seq { .. } => dash(self.text, spans[at].start).ok_or_else(unusual)?,
            _ => spans[at].start,
        };
        let line = line_start(self.text, start);
        if spans.len() < 2 || !self.text[line..start].trim().is_empty() {
            return Err(unusual());
        }
        let end = line_end(self.text, self.content_end(node));
        let next = self.text[end..].find('\n').map(|newline| end + newline + 1);
        Ok(match next {
            Some(next) => (line..next, String::new()),
            // The last line of the file: the line break before it goes.
            None => (line_end(self.text, line.saturating_sub(self.style.eol.len()))..end, String::new()),
        })
    }
}

/// A text in double quotes that only loses the carriage returns of its line ends; the rest stays as it is written.
fn without_returns(written: &str, style: ScalarStyle, old: &str, new: &Value) -> Option<String> {
    if style != ScalarStyle::DoubleQuoted || !old.contains("\r\n") || new.as_str()? != old.replace("\r\n", "\n") {
        return None;
    }
    let (mut out, mut rest) = (String::new(), written);
    while let Some(at) = rest.find('\\') {
        let escape = rest[at + 1..].chars().next().map_or(0, char::len_utf8) + 1;
        let is_return = rest[at..].starts_with("\\r");
        out.push_str(&rest[..if is_return { at } else { at + escape }]);
        rest = &rest[at + escape..];
    }
    out.push_str(rest);
    (super::parse::document(&out).as_ref() == Ok(new)).then_some(out)
}

/// `new` inside the maps and lists that `steps` name.
pub(super) fn wrap(steps: &[Step], new: &Value) -> Value {
    steps.iter().rev().fold(new.clone(), |inner, step| match step {
        Step::Field(name) => Value::Object(Map::from_iter([(name.clone(), inner)])),
        Step::Item { .. } => Value::Array(vec![item(step, inner)]),
        Step::Index(_) => Value::Array(vec![inner]),
    })
}

/// A list item that carries its merge key first.
pub(super) fn item(step: &Step, inner: Value) -> Value {
    let (Step::Item { key, value }, Value::Object(fields)) = (step, &inner) else { return inner };
    if fields.contains_key(key) {
        return inner;
    }
    let name = value.parse::<u64>().map_or_else(|_| Value::from(value.as_str()), Value::from);
    let mut map = Map::from_iter([(key.clone(), if key == "name" { Value::from(value.as_str()) } else { name })]);
    map.extend(fields.clone());
    Value::Object(map)
}
