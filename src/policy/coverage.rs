//! Which lines of the policies their tests reach.

use super::evaluator::Evaluator;
use super::protocol::TestResult;
use super::set::Set;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of one file that a test was the first to reach, and with them all that can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    pub file: String,
    /// From 1.
    pub lines: BTreeSet<u32>,
    /// Lines that are evaluated when their rule is; told once for each file.
    pub all: BTreeSet<u32>,
}

/// What a child has told already: each line is told once, so that many tests make no long answer.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<String, BTreeSet<u32>>);

impl Told {
    /// What the test that this evaluator ran was the first to reach.
    pub(super) fn news(&mut self, evaluator: &Evaluator) -> Vec<Reached> {
        let Some(report) = evaluator.coverage() else { return Vec::new() };
        let mut out = Vec::new();
        for file in report.files {
            let all = match self.0.contains_key(&file.path) {
                true => BTreeSet::new(),
                false => file.covered.union(&file.not_covered).copied().collect(),
            };
            let told = self.0.entry(file.path.clone()).or_default();
            let lines: BTreeSet<u32> = file.covered.difference(told).copied().collect();
            told.extend(&lines);
            if !(lines.is_empty() && all.is_empty()) {
                out.push(Reached { file: file.path, lines, all });
            }
        }
        out
    }
}

/// How much of one policy file the tests reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCoverage {
    pub file: String,
    pub reached: usize,
    /// Lines that no test reaches, from 1; empty with nothing reached when no test knows the file.
    pub missed: Vec<u32>,
}

/// What the tests reach of each policy file of the set, in its order.
pub fn coverage(set: &Set, results: &[TestResult]) -> Vec<FileCoverage> {
    let mut known: BTreeMap<&str, (BTreeSet<u32>, BTreeSet<u32>)> = BTreeMap::new();
    for reached in results.iter().flat_map(|result| &result.reached) {
        let (lines, all) = known.entry(reached.file.as_str()).or_default();
        lines.extend(&reached.lines);
        all.extend(&reached.all);
    }
    let of = |path: &str| {
        let (lines, all) = known.get(path).cloned().unwrap_or_default();
        FileCoverage { file: path.to_owned(), reached: lines.len(), missed: all.difference(&lines).copied().collect() }
    };
    set.policies().map(|file| of(&file.path)).collect()
}

impl FileCoverage {
    /// Every line is reached.
    pub fn is_whole(&self) -> bool {
        self.reached > 0 && self.missed.is_empty()
    }

    /// `12, 15-17`.
    pub fn missed_lines(&self) -> String {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for line in &self.missed {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *line => *last = *line,
                _ => runs.push((*line, *line)),
            }
        }
        let shown = runs.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// Reached lines of a hundred, rounded down: 100 is all of them. A file that no test knows counts as one line.
pub fn percent(files: &[FileCoverage]) -> usize {
    let reached: usize = files.iter().map(|file| file.reached).sum();
    let missed: usize =
        files.iter().map(|file| if file.reached == 0 { file.missed.len().max(1) } else { file.missed.len() }).sum();
    (reached * 100).checked_div(reached + missed).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(reached: usize, missed: &[u32]) -> FileCoverage {
        FileCoverage { file: "a.rego".to_owned(), reached, missed: missed.to_vec() }
    }

    #[test]
    fn lines_that_follow_each_other_are_one_range() {
        assert_eq!(file(1, &[3, 5, 6, 7, 9]).missed_lines(), "3, 5-7, 9");
        assert_eq!(file(1, &[]).missed_lines(), "");
    }

    #[test]
    fn a_hundred_is_every_line_and_a_file_without_tests_is_missed() {
        assert_eq!(percent(&[file(999, &[7])]), 99);
        assert_eq!(percent(&[file(3, &[])]), 100);
        assert_eq!(percent(&[file(1, &[]), file(0, &[])]), 50);
        assert!(!file(0, &[]).is_whole() && file(2, &[]).is_whole() && !file(2, &[1]).is_whole());
    }
}
