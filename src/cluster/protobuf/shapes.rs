//! Names and numbers of the fields of each type.
//!
//! The table, `shapes.txt`, is written from the Go types of Kubernetes 1.37 by `tests/lab/encoding`, whose head
//! explains it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a field's bytes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Boolean,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    Json,
    /// By its place in the table.
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    One,
    List,
    Map,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// As JSON has it, quoted and with its colon; empty: the fields of the message stand in its place.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) many: Many,
    /// Whether JSON shows it when it is zero.
    pub(super) shows_zero: bool,
    /// Who set which field: many bytes that few kinds are asked for.
    pub(super) is_managed: bool,
}

/// One type.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// By their number.
    fields: Vec<Option<Field>>,
}

impl Shape {
    pub(super) fn field(&self, number: u64) -> Option<&Field> {
        self.fields.get(usize::try_from(number).ok()?)?.as_ref()
    }
}

pub(super) struct Table {
    shapes: Vec<Shape>,
    /// By name; kinds as `@group/version/Kind`.
    places: BTreeMap<&'static str, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("shapes.txt")));

impl Table {
    pub(super) fn here() -> &'static Self {
        &TABLE
    }

    fn read(text: &'static str) -> Self {
        let rows: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
        let places: BTreeMap<&str, usize> = rows.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
        let shape = |(name, fields): &(&'static str, &str)| {
            let mut shape = Shape { name, fields: Vec::new() };
            for (number, field) in fields.split(' ').filter_map(|field| field_of(field, &places)) {
                if shape.fields.len() <= number {
                    shape.fields.resize(number + 1, None);
                }
                shape.fields[number] = Some(field);
            }
            shape
        };
        Self { shapes: rows.iter().map(shape).collect(), places }
    }

    pub(super) fn at(&self, place: usize) -> Option<&Shape> {
        self.shapes.get(place)
    }

    pub(super) fn of(&self, name: &str) -> Option<&Shape> {
        self.at(*self.places.get(name)?)
    }
}

/// One field of a row: `name:number:shape`.
fn field_of(text: &str, places: &BTreeMap<&str, usize>) -> Option<(usize, Field)> {
    let mut parts = text.split(':');
    let (name, number, shape) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let (shape, shows_zero) = shape.strip_prefix('!').map_or((shape, false), |shape| (shape, true));
    let (many, shape) = if let Some(shape) = shape.strip_prefix("[]") {
        (Many::List, shape)
    } else if let Some(shape) = shape.strip_prefix("{}") {
        (Many::Map, shape)
    } else {
        (Many::One, shape)
    };
    let kind = match shape {
        "s" => Kind::Text,
        "i" => Kind::Integer,
        "b" => Kind::Boolean,
        "y" => Kind::Bytes,
        "t" => Kind::Time,
        "u" => Kind::MicroTime,
        "q" => Kind::Quantity,
        "x" => Kind::IntOrString,
        "r" => Kind::Json,
        name => Kind::Message(*places.get(name)?),
    };
    let is_managed = name == "managedFields";
    let name = if name == "-" { String::new() } else { format!("\"{name}\":") };
    Some((number, Field { name, kind, many, shows_zero, is_managed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_table_is_read_once_and_every_type_is_there() {
        for line in include_str!("shapes.txt").lines() {
            let (name, fields) = line.split_once('\t').unwrap_or_else(|| panic!("{line}"));
            let shape = Table::here().of(name).unwrap();
            assert_eq!(shape.name, name);
            let read = shape.fields.iter().flatten().count();
            assert_eq!(read, fields.split(' ').filter(|field| !field.is_empty()).count(), "{line}");
        }
        let ports = Table::here().of("ServicePort").unwrap();
        assert_eq!(ports.field(3).map(|port| (port.name.as_str(), port.shows_zero)), Some(("\"port\":", true)));
        assert_eq!(ports.field(99), None);
    }
}
