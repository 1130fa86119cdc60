//! Where each node of a document stands, in bytes.

use super::YamlError;
use crate::model::path::{Path, Step};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use std::collections::BTreeSet;
use std::ops::Range;

/// One node. `range` covers its own text; of a block collection from its first to its last child.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
    /// Not 0: other places may refer to it.
    pub(super) anchor: usize,
    pub(super) tagged: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar { style: ScalarStyle, value: String },
    Map { flow: bool, entries: Vec<(Node, Node)> },
    Seq { flow: bool, items: Vec<Node> },
    Alias,
}

/// One document: its root (`None` without content) and the anchors that something refers to.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) root: Option<Node>,
    aliased: BTreeSet<usize>,
}

/// What a path leads to.
pub(super) enum Found<'t> {
    /// The node itself, and the collection it is in, outermost first.
    Node(Vec<&'t Node>),
    /// The last collection on the way, those around it, and how many steps were taken.
    Missing(Vec<&'t Node>, usize),
}

/// Nesting that is read at most; the strict parser stops earlier.
const DEPTH: usize = 256;

impl Tree {
    /// Reads the first document of `text`.
    pub(super) fn of(text: &str) -> Result<Self, YamlError> {
        let mut reader = Reader { parser: parser(text), aliased: BTreeSet::new() };
        let root = reader.document()?;
        Ok(Self { root, aliased: reader.aliased })
    }

    /// Follows `path`. Anchors with users, aliases and tags on the way are refused:
    /// the bytes there mean more than one place.
    pub(super) fn find(&self, path: &Path) -> Result<Found<'_>, YamlError> {
        let Some(root) = &self.root else { return Err(YamlError::Missing(path.to_string())) };
        let mut chain = vec![root];
        self.refuse_shared(root, path)?;
        for (taken, step) in path.0.iter().enumerate() {
            let here = chain[chain.len() - 1];
            let next = match (&here.kind, step) {
                (Kind::Map { entries, .. }, Step::Field(name)) => {
                    entries.iter().find(|(key, _)| key.scalar() == Some(name)).map(|(_, value)| value)
                }
                (Kind::Seq { items, .. }, Step::Index(at)) => items.get(*at),
                (Kind::Seq { items, .. }, Step::Item { key, value }) => {
                    items.iter().find(|item| item.entry(key).and_then(Node::scalar) == Some(value))
                }
                _ => None,
            };
            match next {
                Some(next) => {
                    self.refuse_shared(next, path)?;
                    chain.push(next);
                }
                None => return Ok(Found::Missing(chain, taken)),
            }
        }
        Ok(Found::Node(chain))
    }

    /// Whether the last scalar is written as a block (`|`, `>`).
    pub(super) fn ends_in_block(&self) -> bool {
        let mut last = self.root.as_ref();
        while let Some(node) = last {
            last = match &node.kind {
                Kind::Map { flow: false, entries } => entries.last().map(|(_, value)| value),
                Kind::Seq { flow: false, items } => items.last(),
                Kind::Scalar { style, .. } => return matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
                _ => None,
            };
        }
        false
    }

    fn refuse_shared(&self, node: &Node, path: &Path) -> Result<(), YamlError> {
        if matches!(node.kind, Kind::Alias) || node.anchor != 0 && self.aliased.contains(&node.anchor) {
            return Err(YamlError::Shared(path.to_string()));
        }
        if node.tagged {
            return Err(YamlError::Unsupported(format!("`{path}` has a YAML tag")));
        }
        Ok(())
    }
}

impl Node {
    /// The text of a scalar.
    pub(super) fn scalar(&self) -> Option<&String> {
        match &self.kind {
            Kind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The value of a key.
    pub(super) fn entry(&self, name: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map { entries, .. } => {
                entries.iter().find(|(key, _)| key.scalar().is_some_and(|key| key == name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Whether it is written between brackets.
    pub(super) fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Map { flow: true, .. } | Kind::Seq { flow: true, .. })
    }

    /// Whether it is `null` without any text.
    pub(super) fn is_blank(&self) -> bool {
        self.range.is_empty() && matches!(self.kind, Kind::Scalar { style: ScalarStyle::Plain, .. })
    }
}

/// A parser of `text`. Long comments are common in manifests; the default stops at 96 lines.
pub(super) fn parser(text: &str) -> Parser<'_, granit_parser::StrInput<'_>> {
    let mut options = granit_parser::Options::default();
    options.max_buffered_comment_events = 100_000;
    Parser::new_from_str_with_options(text, options)
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    aliased: BTreeSet<usize>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), YamlError> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, bytes(&span)?)),
                Some(Err(error)) => return Err(YamlError::Syntax(error.to_string())),
                None => return Ok((Event::StreamEnd, 0..0)),
            }
        }
    }

    fn document(&mut self) -> Result<Option<Node>, YamlError> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(None),
                (event, range) => {
                    let node = self.node(event, range, 0)?;
                    return Ok((!node.is_blank()).then_some(node));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, range: Range<usize>, depth: usize) -> Result<Node, YamlError> {
        if depth > DEPTH {
            return Err(YamlError::Syntax(format!("nested deeper than {DEPTH}")));
        }
        Ok(match event {
            Event::Scalar(value, style, anchor, tag) => {
                Node { range, kind: Kind::Scalar { style, value: value.into_owned() }, anchor, tagged: tag.is_some() }
            }
            Event::Alias(id) => {
                self.aliased.insert(id);
                Node { range, kind: Kind::Alias, anchor: 0, tagged: false }
            }
            Event::SequenceStart(style, anchor, tag) => {
                let (items, range) = self.items(range, depth)?;
                let kind = Kind::Seq { flow: style == StructureStyle::Flow, items };
                Node { range, kind, anchor, tagged: tag.is_some() }
            }
            Event::MappingStart(style, anchor, tag) => {
                let (nodes, range) = self.items(range, depth)?;
                let mut nodes = nodes.into_iter();
                let mut entries = Vec::new();
                while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                    entries.push((key, value));
                }
                let kind = Kind::Map { flow: style == StructureStyle::Flow, entries };
                Node { range, kind, anchor, tagged: tag.is_some() }
            }
            event => return Err(YamlError::Syntax(format!("unexpected {event:?}"))),
        })
    }

    fn items(&mut self, start: Range<usize>, depth: usize) -> Result<(Vec<Node>, Range<usize>), YamlError> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
                let last = items.last().map_or(start.end, |node| node.range.end);
                let first = items.first().map_or(start.start, |node| node.range.start);
                // A flow collection has its own brackets; a block one has only its children.
                let whole = if start.is_empty() { first..last } else { start.start..range.end };
                return Ok((items, whole));
            }
            items.push(self.node(event, range, depth + 1)?);
        }
    }
}

/// The bytes that an event covers.
pub(super) fn bytes(span: &Span) -> Result<Range<usize>, YamlError> {
    span.byte_range().ok_or_else(|| YamlError::Syntax("no byte offsets".to_owned()))
}
