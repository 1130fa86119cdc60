//! The line that makes a field, told by renders.

use super::draft::Draft;
use super::{Budget, Question, Stop, guards, search};
use crate::model::proposal::Edit;
use crate::model::report::SourceLine;
use crate::yaml::lines;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// What renders tell of the fields of a question.
#[derive(Debug)]
pub enum Pointed {
    /// Changing this line changes the field; with the value that stands there.
    Line(Box<(SourceLine, Edit)>),
    /// The folder that makes the object is known, with all files that it reads; the line is not.
    Within(BTreeSet<String>),
}

/// Finds the line that makes the first field of the intent that has one, until `ends`. Nothing is changed, so
/// other folders that read the same file are not looked at.
///
/// # Errors
/// A refusal when no folder makes the object as it runs; an error when the machine failed.
pub async fn point(question: &Question<'_>, ends: Instant) -> Result<Pointed, Stop> {
    guards::refuse_object(&question.intent.object, question.live)?;
    let question = Question { allow_shared: true, ..*question };
    let mut budget = Budget::new();
    budget.ends = budget.ends.min(ends);
    let traced = search::trace(&question, &budget).await?;
    let line = match Draft::new(&question, &traced, &budget).await {
        Ok(draft) => placed(draft).await,
        Err(stop) => Err(stop),
    };
    match line {
        Ok(Some(line)) => Ok(Pointed::Line(Box::new(line))),
        Ok(None) | Err(Stop::Refused(_)) => Ok(Pointed::Within(traced.bench.inputs().files.keys().cloned().collect())),
        Err(failed) => Err(failed),
    }
}

async fn placed(mut draft: Draft<'_, '_>) -> Result<Option<(SourceLine, Edit)>, Stop> {
    for edit in &draft.question.intent.edits {
        match draft.place(edit).await {
            Ok(()) => {}
            Err(Stop::Refused(_)) => continue,
            Err(failed) => return Err(failed),
        }
        let Some(edit) = draft.edits.last() else { continue };
        let before = draft.question.base.tree.text(&edit.file);
        let line = before.zip(draft.text(&edit.file)).and_then(|(before, after)| line_of(edit, before, &after));
        if let Some(line) = line {
            let line = SourceLine { file: edit.file.clone(), line, proved: true, commit: None };
            return Ok(Some((line, edit.clone())));
        }
    }
    Ok(None)
}

/// The line, from 1, that an edit changes; for what is new, that of the map that it would stand in.
fn line_of(edit: &Edit, before: &str, after: &str) -> Option<u32> {
    let line = if edit.old.is_some() {
        before.lines().zip(after.lines()).position(|(before, after)| before != after)? + 1
    } else {
        lines::line(before, edit.document, &edit.path)?.0
    };
    u32::try_from(line).ok()
}
