//! The incident graph: a root and what follows from it.

use super::markup::Markup;
use crate::model::finding::{Effect, Finding};
use crate::text::{self, Sanitised};
use textwrap::core::display_width;

/// Pixels: height of a row, indentation of a level, width of one character of the 13 px monospace font.
const ROW: usize = 24;
const STEP: usize = 26;
const CHARACTER: usize = 8;
/// Half the size of a node's mark, and the distance from the marks to the left edge.
const MARK: usize = 5;
const EDGE: usize = 10;
/// Characters of a label. What is cut here stands in full in the table.
const LABEL: usize = 72;

/// How a node is marked: told apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// A diamond.
    Root,
    /// A ring: the effects of one code follow.
    Code,
    /// A disc.
    Effect,
}

/// One node; its place among the others is its row.
#[derive(Debug, PartialEq, Eq)]
struct Node {
    mark: Mark,
    level: usize,
    /// The row of the node that it follows from.
    parent: usize,
    /// As it is shown: sanitised and cut.
    label: String,
    /// What is said more quietly behind the label.
    note: String,
}

/// Draws the graph as an SVG of a fixed size; `n` makes its identifiers unique in the page.
pub(super) fn draw(out: &mut Markup, finding: &Finding, n: usize) {
    let nodes = nodes(finding);
    let width = nodes.iter().map(end).max().unwrap_or(0) + EDGE;
    let height = nodes.len() * ROW;
    out.raw("<div class=\"graph\" role=\"region\" tabindex=\"0\" aria-label=\"Incident graph\">");
    out.raw("<svg role=\"img\" width=\"").number(width).raw("\" height=\"").number(height);
    out.raw("\" viewBox=\"0 0 ").number(width).raw(" ").number(height);
    out.raw("\" aria-labelledby=\"graph-").number(n).raw("\"><title id=\"graph-").number(n).raw("\">");
    out.name(&finding.object).raw(" leads to ").words(&text::count(finding.effects.len(), "effect"));
    out.raw(", all in the table that follows</title>");
    for (row, node) in nodes.iter().enumerate().skip(1) {
        edge(out, node, row);
    }
    for (row, node) in nodes.iter().enumerate() {
        mark(out, node, row);
        out.raw("<text x=\"").number(text_at(node)).raw("\" y=\"").number(middle(row) + 4).raw("\">");
        out.name(&node.label);
        out.raw("<tspan class=\"quiet\" dx=\"").number(CHARACTER).raw("\">").name(&node.note).raw("</tspan></text>");
    }
    out.raw("</svg></div>");
}

/// The nodes from top to bottom. Effects of one code stand together, below a node of that code when they are
/// several.
fn nodes(finding: &Finding) -> Vec<Node> {
    let node = |mark, level, parent, label: &str, note: &str| {
        let label = text::clip(Sanitised::line(&text::clip(label, LABEL)).as_str(), LABEL);
        Node { mark, level, parent, label, note: note.to_owned() }
    };
    let named = |effect: &Effect| match effect.object.namespace.as_deref() {
        Some(namespace) if Some(namespace) != finding.object.namespace.as_deref() => {
            format!("{} in {namespace}", effect.object)
        }
        _ => effect.object.to_string(),
    };
    let mut out = vec![node(Mark::Root, 0, 0, &finding.object.to_string(), finding.code.name())];
    let mut seen: Vec<&str> = Vec::new();
    for first in &finding.effects {
        let code = first.code.name();
        if seen.contains(&code) {
            continue;
        }
        seen.push(code);
        let same: Vec<&Effect> = finding.effects.iter().filter(|effect| effect.code == first.code).collect();
        if let [only] = same.as_slice() {
            out.push(node(Mark::Effect, 1, 0, &named(only), code));
            continue;
        }
        let parent = out.len();
        out.push(node(Mark::Code, 1, 0, code, &text::count(same.len(), "effect")));
        out.extend(same.into_iter().map(|effect| node(Mark::Effect, 2, parent, &named(effect), "")));
    }
    out
}

/// Where the text of a node ends.
fn end(node: &Node) -> usize {
    let blank = usize::from(!node.note.is_empty());
    text_at(node) + (display_width(&node.label) + blank + display_width(&node.note)) * CHARACTER
}

fn mark_at(level: usize) -> usize {
    EDGE + level * STEP
}

fn text_at(node: &Node) -> usize {
    mark_at(node.level) + MARK + CHARACTER
}

fn middle(row: usize) -> usize {
    row * ROW + ROW / 2
}

/// From the parent down, round a corner, to an arrow head before the node's mark.
fn edge(out: &mut Markup, node: &Node, row: usize) {
    let (x, y, end) = (mark_at(node.level - 1), middle(row), mark_at(node.level) - MARK - 4);
    out.raw("<path d=\"M").number(x).raw(" ").number(middle(node.parent) + MARK + 1).raw("V").number(y - 6);
    out.raw("Q").number(x).raw(" ").number(y).raw(" ").number(x + 6).raw(" ").number(y).raw("H").number(end);
    out.raw("m-4-3l4 3-4 3\"/>");
}

fn mark(out: &mut Markup, node: &Node, row: usize) {
    let (x, y) = (mark_at(node.level), middle(row));
    let (tag, radius) = match node.mark {
        Mark::Root => {
            out.raw("<path class=\"root\" d=\"M").number(x - MARK - 1).raw(" ").number(y).raw("l6-6 6 6-6 6z\"/>");
            return;
        }
        Mark::Code => ("<circle class=\"code\" cx=\"", MARK),
        Mark::Effect => ("<circle cx=\"", MARK - 1),
    };
    out.raw(tag).number(x).raw("\" cy=\"").number(y).raw("\" r=\"").number(radius).raw("\"/>");
}
