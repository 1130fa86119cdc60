//! Which candidates reach the field: told by renders.

use super::candidate::{Candidate, Shown};
use super::candidates::Target;
use crate::render::Stop;
use crate::render::compare::same_value;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a probe needs from its surroundings: the text of a file, and a render.
pub trait Bench {
    /// The current text of an input.
    fn text(&self, file: &str) -> Option<String>;
    /// The field after rendering with these files, null where the object has none; `None` when the render fails or
    /// the object is gone.
    fn field(&self, files: BTreeMap<String, String>) -> impl Future<Output = Result<Option<Value>, Stop>>;
}

/// The candidates that reach the field. One render, in which each holds another value, tells it
/// for all; when that breaks the render, halves are tried.
///
/// # Errors
/// When a render fails for a reason that is not the repository's, or the budget is used up.
pub async fn shortlist<B: Bench>(
    bench: &B,
    candidates: &[Candidate],
    target: &Target<'_>,
    new: &Value,
) -> Result<Vec<usize>, Stop> {
    let mut open: Vec<Vec<usize>> = Vec::new();
    let (distinct, alone): (Vec<usize>, Vec<usize>) =
        (0..candidates.len()).partition(|at| candidates[*at].sentinel(target, *at).is_some());
    open.push(distinct);
    open.extend(alone.into_iter().map(|at| vec![at]));
    let mut reached = Vec::new();
    while let Some(set) = open.pop() {
        if set.is_empty() {
            continue;
        }
        let (files, marks) = fill(bench, candidates, &set, target, new);
        match bench.field(files).await? {
            Some(value) if marks.iter().any(|(_, mark)| mark.by(target, &value)) => {
                reached.extend(marks.iter().filter(|(_, mark)| mark.by(target, &value)).map(|(at, _)| *at));
            }
            // Nothing of this set reaches the field.
            Some(value) if value == *target.value => {}
            _ if set.len() == 1 => {}
            _ => {
                let (left, right) = set.split_at(set.len() / 2);
                open.extend([left.to_vec(), right.to_vec()]);
            }
        }
    }
    reached.sort_unstable();
    Ok(reached)
}

/// How a candidate shows.
enum Mark {
    Shown(Shown),
    /// The wanted value itself, where there is no spare one.
    Value(Value),
}

impl Mark {
    fn by(&self, target: &Target<'_>, value: &Value) -> bool {
        match self {
            Self::Shown(shown) => shown.by(value),
            Self::Value(wanted) => same_value(target.path, wanted, Some(value)),
        }
    }
}

/// The files with a sentinel at each candidate; candidates that can't be edited are left out.
fn fill<B: Bench>(
    bench: &B,
    candidates: &[Candidate],
    set: &[usize],
    target: &Target<'_>,
    new: &Value,
) -> (BTreeMap<String, String>, Vec<(usize, Mark)>) {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut marks = Vec::new();
    for at in set {
        let candidate = &candidates[*at];
        let Some(text) = files.get(&candidate.file).cloned().or_else(|| bench.text(&candidate.file)) else { continue };
        let (value, mark) = match candidate.sentinel(target, *at) {
            Some((value, shown)) => (value, Mark::Shown(shown)),
            None => match candidate.wanted(target.value, new) {
                Some(value) => (value, Mark::Value(new.clone())),
                None => continue,
            },
        };
        if let Ok(edited) = candidate.apply(&text, &value) {
            files.insert(candidate.file.clone(), edited);
            marks.push((*at, mark));
        }
    }
    (files, marks)
}

#[cfg(test)]
mod tests {
    use super::super::candidate::{Spot, Way};
    use super::*;
    use crate::model::object::ObjectRef;
    use crate::model::path::Path;
    use crate::yaml::{parse, scalars::Place};
    use serde_json::json;
    use std::cell::Cell;

    /// A renderer that takes `b` of the file when it is a number, and fails when `a` is not 1.
    struct Fake {
        strict: bool,
        renders: Cell<usize>,
    }

    const TEXT: &str = "a: 1\nb: 1\nc: 1\n";

    impl Bench for Fake {
        fn text(&self, _: &str) -> Option<String> {
            Some(TEXT.to_owned())
        }
        async fn field(&self, files: BTreeMap<String, String>) -> Result<Option<Value>, Stop> {
            self.renders.set(self.renders.get() + 1);
            let value = parse::document(files.get("f").map_or(TEXT, String::as_str)).unwrap_or_default();
            Ok((!self.strict || value["a"] == 1).then(|| value["b"].clone()))
        }
    }

    async fn run(strict: bool) -> (Vec<usize>, usize) {
        let candidate = |key: &str| Candidate {
            file: "f".to_owned(),
            spot: Spot::Yaml(Place { document: 0, path: Path::of(key), inner: None }),
            way: Way::Value,
            old: json!(1),
            layer: 0,
            related: true,
        };
        let object = ObjectRef::new("v1", "X", "p", "x");
        let (path, value) = (Path::of("spec.b"), json!(1));
        let target = Target { object: &object, path: &path, value: &value };
        let bench = Fake { strict, renders: Cell::new(0) };
        let all = [candidate("a"), candidate("b"), candidate("c")];
        let reached = shortlist(&bench, &all, &target, &json!(2)).await.unwrap_or_default();
        (reached, bench.renders.get())
    }

    #[tokio::test]
    async fn one_render_tells_which_candidate_reaches_the_field() {
        assert_eq!(run(false).await, (vec![1], 1));
    }

    #[tokio::test]
    async fn a_candidate_that_breaks_the_render_is_cut_off_by_halves() {
        let (reached, renders) = run(true).await;
        assert_eq!(reached, [1]);
        assert!(renders <= 5, "{renders}");
    }
}
