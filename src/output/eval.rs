//! The outcome of an evaluation: a table, or JSON.

use crate::error::Error;
use crate::fix::expect::Mark;
use crate::learn::Share;
use crate::ui::{Page, Paint};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// What one model said to one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// `rules`, or the model as the server calls it.
    pub model: String,
    pub case: String,
    /// Of the case and of everything that its answer depends on; a row with another one is asked again.
    pub hash: String,
    pub mark: Mark,
    /// What was proposed, or why nothing was.
    pub said: String,
    pub tokens: u64,
    pub seconds: f64,
}

#[derive(Default)]
struct Sum {
    cases: usize,
    marks: BTreeMap<&'static str, usize>,
    tokens: u64,
    seconds: f64,
}

const COLUMNS: [&str; 6] = ["right", "refused rightly", "missed", "wrong", "invalid", "failed"];

fn column(mark: Mark) -> &'static str {
    match mark {
        Mark::Right => COLUMNS[0],
        Mark::RefusedRightly => COLUMNS[1],
        Mark::Missed => COLUMNS[2],
        Mark::Wrong => COLUMNS[3],
        Mark::Invalid => COLUMNS[4],
        Mark::Failed => COLUMNS[5],
    }
}

/// One line for each model, in the order in which they were asked.
fn sums(rows: &[Row]) -> Vec<(&str, Sum)> {
    let mut sums: Vec<(&str, Sum)> = Vec::new();
    for row in rows {
        let at = sums.iter().position(|(model, _)| *model == row.model).unwrap_or_else(|| {
            sums.push((&row.model, Sum::default()));
            sums.len() - 1
        });
        if let Some((_, sum)) = sums.get_mut(at) {
            sum.cases += 1;
            *sum.marks.entry(column(row.mark)).or_default() += 1;
            sum.tokens += row.tokens;
            sum.seconds += row.seconds;
        }
    }
    sums
}

impl Sum {
    fn of(&self, column: &str) -> usize {
        self.marks.get(column).copied().unwrap_or_default()
    }

    /// Answers of the asked shape that no guard stopped.
    fn valid(&self) -> usize {
        self.cases - self.of("invalid") - self.of("failed")
    }
}

/// Writes the table; with `all` what was said to every case that is not right, too.
pub fn text(page: &mut Page, rows: &[Row]) {
    let sums = sums(rows);
    let width = sums.iter().map(|(model, _)| model.chars().count()).max().unwrap_or(0).clamp(5, 40);
    page.put(Paint::Bold, format_args!("{:width$}  cases  valid", "model"));
    for column in COLUMNS {
        page.put(Paint::Bold, format_args!("  {column}"));
    }
    page.put(Paint::Bold, "  tokens  seconds").end();
    for (model, sum) in &sums {
        let model = crate::text::clip(model, 40);
        page.foreign(Paint::Plain, &format!("{model:width$}"));
        page.put(Paint::Plain, format_args!("  {:>5}  {:>5}", sum.cases, sum.valid()));
        for column in COLUMNS {
            let paint = if column == "wrong" && sum.of(column) > 0 { Paint::Red } else { Paint::Plain };
            page.put(paint, format_args!("  {:>1$}", sum.of(column), column.len()));
        }
        page.put(Paint::Plain, format_args!("  {:>6}  {:>7.1}", sum.tokens, sum.seconds)).end();
    }
    let told: Vec<&Row> = rows.iter().filter(|row| matches!(row.mark, Mark::Wrong | Mark::Failed)).collect();
    if !told.is_empty() {
        page.end();
    }
    for row in told {
        page.foreign(Paint::Plain, &format!("{} {}: {}: {}", column(row.mark), row.model, row.case, row.said)).end();
    }
}

/// One line for each author of recorded fixes: how many of those whose end is known were right.
pub fn shares(page: &mut Page, shares: &[Share]) {
    let mut sums: BTreeMap<&str, Share> = BTreeMap::new();
    for share in shares {
        let sum = sums.entry(&share.author).or_default();
        sum.records += share.records;
        sum.right += share.right;
        sum.changed += share.changed;
        sum.wrong += share.wrong;
        sum.refused += share.refused;
        sum.open += share.open;
    }
    if sums.is_empty() {
        page.line("There is no record of a failure.");
    }
    for (author, sum) in sums {
        let Share { right, changed, wrong, open, refused, .. } = sum;
        if author == "none" {
            page.line(format_args!("records of no fix  {refused} refused"));
            continue;
        }
        let known = right + changed + wrong;
        page.foreign(Paint::Plain, &format!("records by {author:<7}"));
        let share = (right * 100).checked_div(known).map(|percent| format!(" ({percent} %)")).unwrap_or_default();
        page.line(format_args!(
            " right {right} of {known}{share}, merged with other values {changed}, wrong {wrong}; not known {open}"
        ));
    }
}

/// The same as JSON, with every case.
///
/// # Errors
/// Only a bug: a row can't be serialised.
pub fn json(rows: &[Row], shares: &[Share]) -> Result<String, Error> {
    let models: Vec<_> = sums(rows)
        .iter()
        .map(|(model, sum)| {
            json!({
                "model": model, "cases": sum.cases, "valid": sum.valid(), "right": sum.of("right"),
                "refusedRightly": sum.of("refused rightly"), "missed": sum.of("missed"), "wrong": sum.of("wrong"),
                "invalid": sum.of("invalid"), "failed": sum.of("failed"),
                "tokens": sum.tokens, "seconds": sum.seconds,
            })
        })
        .collect();
    let whole = json!({"models": models, "cases": rows, "records": shares});
    let text = serde_json::to_string_pretty(&whole);
    text.map(|text| text + "\n").map_err(|error| Error::bug("an evaluation can't be written").caused_by(&error))
}
