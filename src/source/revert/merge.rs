//! Both of two changes to one text.

use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::ops::Range;

/// One changed run of lines: where it stood in the old text, and what stands there now.
struct Hunk<'t> {
    at: Range<usize>,
    lines: &'t [&'t str],
}

/// `old` with the changes that lead to `ours` and those that lead to `theirs`; `None` when they touch
/// the same or neighbouring lines in different ways.
pub(super) fn merge(old: &str, ours: &str, theirs: &str) -> Option<String> {
    let (old, ours, theirs) = (lines(old), lines(ours), lines(theirs));
    let (mut left, mut right) =
        (hunks(&old, &ours).into_iter().peekable(), hunks(&old, &theirs).into_iter().peekable());
    let (mut out, mut done) = (String::new(), 0);
    loop {
        let hunk = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(a), Some(b)) if a.at == b.at && a.lines == b.lines => {
                left.next();
                right.next()
            }
            (Some(a), Some(b)) if a.at.start <= b.at.end && b.at.start <= a.at.end => return None,
            (Some(a), Some(b)) if a.at.start < b.at.start => left.next(),
            (Some(_), None) => left.next(),
            _ => right.next(),
        }?;
        out.extend(old[done..hunk.at.start].iter().copied());
        out.extend(hunk.lines.iter().copied());
        done = hunk.at.end;
    }
    out.extend(old[done..].iter().copied());
    Some(out)
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn hunks<'t>(old: &[&str], new: &'t [&'t str]) -> Vec<Hunk<'t>> {
    capture_diff_slices(Algorithm::Myers, old, new)
        .iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }))
        .map(|op| Hunk { at: op.old_range(), lines: &new[op.new_range()] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "a\nb\nc\nd\ne\n";

    #[test]
    fn changes_of_different_lines_go_together() {
        assert_eq!(merge(OLD, "A\nb\nc\nd\ne\n", "a\nb\nc\nd\nE\n").as_deref(), Some("A\nb\nc\nd\nE\n"));
        assert_eq!(merge(OLD, "a\nb\nc\nd\n", "0\na\nb\nc\nd\ne\n").as_deref(), Some("0\na\nb\nc\nd\n"));
        assert_eq!(merge(OLD, OLD, "a\n").as_deref(), Some("a\n"));
        assert_eq!(merge(OLD, "a\n", OLD).as_deref(), Some("a\n"));
    }

    #[test]
    fn the_same_change_is_made_once() {
        assert_eq!(merge(OLD, "a\nB\nc\nd\ne\n", "a\nB\nc\nd\nE\n").as_deref(), Some("a\nB\nc\nd\nE\n"));
    }

    #[test]
    fn changes_of_the_same_or_neighbouring_lines_are_a_conflict() {
        for theirs in ["a\nX\nc\nd\ne\n", "a\nb\nX\nd\ne\n", "a\nb\n", "a\nb\nnew\nc\nd\ne\n"] {
            assert_eq!(merge(OLD, "a\nB\nc\nd\ne\n", theirs), None, "{theirs:?}");
        }
    }
}
