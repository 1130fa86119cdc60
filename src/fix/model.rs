//! The model's part of a fix: what it may say, what is taken.
//!
//! Pure but for [`candidates`], which asks. What a model answers is data: it becomes an [`Intent`] only
//! when its field was offered, its old value is the live one and its new value passes the rule of that
//! field. It is never `Safe`.

mod about;
pub mod check;
pub mod fields;

pub use check::check;
pub use fields::{AllowedField, Kind, fields};

use crate::error::Error;
use crate::llm::material::Material;
use crate::llm::prompt;
use crate::llm::{Answer, Budget, Client, Counsel, Failure, Prompt, Said, Settings, Shape, fence};
use crate::model::code::FixClass;
use crate::model::finding::Finding;
use crate::model::intent::{Author, Disposition, Intent, Op};
use crate::model::refusal::Refusal;
use crate::model::snapshot::{LogTail, Snapshot};
use crate::redact::{self, Redacted};
use crate::text;
use serde_json::{Value, json};

/// Lines of a log that may reach a model.
const LOG_LINES: usize = 40;

/// For which findings a model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Where facts alone decide nothing: crash loops of the program's own.
    Crashes,
    /// For every finding (`--llm always`).
    Always,
}

/// Why there is no intent.
#[derive(Debug)]
pub enum NoFix {
    /// The model answered, and nothing of it could be taken.
    Refused(Refusal),
    /// The model could not be asked.
    Failed(Error),
}

/// Whether a model is asked about this finding.
pub fn serves(finding: &Finding, use_for: Use) -> bool {
    use_for == Use::Always || finding.code.name() == "crash-app-error" || finding.fix.class == FixClass::Model
}

/// Everything that is said to a model about one finding, and what its answers are checked against.
pub struct Case<'c> {
    finding: &'c Finding,
    fields: Vec<AllowedField>,
    /// Candidates that rules made, each with the text it is chosen by.
    prepared: Vec<(String, &'c Intent)>,
    log: Vec<Redacted>,
    material: Material,
}

impl<'c> Case<'c> {
    /// Gathers it; the same snapshot gives the same case.
    pub fn new(snapshot: &Snapshot, finding: &'c Finding, prepared: &'c [Intent]) -> Self {
        let log = log(snapshot, finding);
        let fields = fields(snapshot, finding);
        // A text that a prompt would show otherwise can't be repeated by an answer.
        let prepared: Vec<_> = prepared
            .iter()
            .map(|intent| (label(intent), intent))
            .filter(|(label, _)| fence::is_plain(label) && label != crate::llm::answer::NONE)
            .collect();
        let mut material = Material::new(finding, &log);
        material.fields = fields.iter().map(AllowedField::offer).collect();
        material.candidates = prepared.iter().map(|(label, _)| label.clone()).collect();
        Self { finding, fields, prepared, log, material }
    }

    /// The same, with bounds and habits of the place.
    #[must_use]
    pub fn advised(mut self, counsel: &Counsel) -> Self {
        self.material.counsel = counsel.clone();
        self
    }

    /// Whether there is anything to ask.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.prepared.is_empty()
    }

    /// The first request, byte for byte as it is sent (`--show-prompt`).
    pub fn prompt(&self, settings: &Settings) -> Prompt {
        Prompt::build(&self.material, settings, prompt::LIMIT)
    }

    /// What an answer comes to: an intent, or why not, in words that go back to the model.
    ///
    /// # Errors
    /// The reasons.
    pub fn judge(&self, said: &Said) -> Result<Intent, Vec<String>> {
        let Said::Choice { at, evidence, reason } = said else {
            return check(said, &self.fields, self.finding, &self.log);
        };
        let Some((_, prepared)) = self.prepared.get(*at) else {
            return Err(vec!["`choice` is none of the candidates".to_owned()]);
        };
        let unknown = check::unknown_evidence(evidence, self.finding);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let mut intent = (*prepared).clone();
        intent.why = check::why(&intent.why, evidence, reason);
        intent.evidence.extend(evidence);
        intent.evidence.sort_unstable();
        intent.evidence.dedup();
        intent.author = Author::Model;
        intent.disposition = Disposition::Review;
        intent.review.push("a model chose it among prepared candidates".to_owned());
        Ok(intent)
    }
}

/// Asks until one answer holds, within the budget; else says honestly that there is no safe fix.
///
/// # Errors
/// [`NoFix::Failed`] when the model could not be asked, [`NoFix::Refused`] when nothing it said could be taken.
pub async fn candidates(
    client: &Client,
    budget: &mut Budget,
    snapshot: &Snapshot,
    finding: &Finding,
    prepared: &[Intent],
) -> Result<Vec<Intent>, NoFix> {
    let mut consultation = Consultation::new(client, Case::new(snapshot, finding, prepared), budget.clone());
    let answer = consultation.next().await;
    budget.clone_from(&consultation.budget);
    answer.map(|intent| vec![intent])
}

/// A case that is put to a model until something holds: here, and where the change is proved.
pub struct Consultation<'c> {
    client: &'c Client,
    case: Case<'c>,
    budget: Budget,
    limit: usize,
    refused: Vec<String>,
    /// The last request and what came.
    last: Option<(Prompt, Option<Answer>)>,
    /// All that was answered, in order.
    answers: Vec<Value>,
}

impl<'c> Consultation<'c> {
    /// Asks nothing yet.
    pub fn new(client: &'c Client, case: Case<'c>, budget: Budget) -> Self {
        Self { client, case, budget, limit: prompt::LIMIT, refused: Vec::new(), last: None, answers: Vec::new() }
    }

    /// Calls, tokens and remembered answers so far.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether the last answer was whole, and said that nothing of what was offered is proved.
    pub fn found_nothing(&self) -> bool {
        let last = self.last.as_ref().and_then(|(_, answer)| answer.as_ref());
        last.is_some_and(|answer| matches!(answer.said, Said::Nothing { .. }))
    }

    /// Tells the model why its last answer, which held here, can't be taken all the same.
    pub fn object(&mut self, reasons: Vec<String>) {
        self.refused.push(reasons.join("; "));
        self.case.material.objections = reasons;
    }

    /// The next intent that holds here. At most three calls are made in all.
    ///
    /// # Errors
    /// [`NoFix::Failed`] when the model could not be asked, [`NoFix::Refused`] when nothing it said could be taken.
    pub async fn next(&mut self) -> Result<Intent, NoFix> {
        if self.case.is_empty() {
            self.refused.push("there is no field that a model may change".to_owned());
            return Err(self.no_safe_fix());
        }
        while !self.budget.is_spent() {
            let prompt = Prompt::build(&self.case.material, self.client.settings(), self.limit);
            let answer = self.client.ask(&prompt, &mut self.budget).await;
            let shape = prompt.shape().clone();
            self.answers.push(match &answer {
                Ok(answer) => {
                    json!({"said": answer.said.value(), "remembered": answer.remembered, "tokens": answer.usage})
                }
                Err(failure) => json!({"failed": failure.message(&self.client.host())}),
            });
            self.last = Some((prompt, answer.as_ref().ok().cloned()));
            let said = match answer {
                Ok(answer) => answer.said,
                // Once: a server that still has no room says so.
                Err(Failure::TooLong { needs, holds }) if self.limit == prompt::LIMIT => {
                    self.limit = shrunk(self.limit, needs, holds);
                    continue;
                }
                Err(Failure::Spent) => break,
                Err(failure) if failure.is_of_the_answer() => {
                    self.object(vec![failure.message(&self.client.host())]);
                    continue;
                }
                Err(failure) => return Err(NoFix::Failed(failure.into_error(&self.client.host()))),
            };
            if let Said::Nothing { reason } = &said {
                self.refused.push(nothing(&shape, reason));
                if matches!(shape, Shape::Choice { .. }) && !self.case.fields.is_empty() {
                    self.case.material.candidates = Vec::new();
                    self.case.material.objections = Vec::new();
                    continue;
                }
                break;
            }
            match self.case.judge(&said) {
                Ok(intent) => return Ok(intent),
                Err(reasons) => self.object(reasons),
            }
        }
        Err(self.no_safe_fix())
    }

    /// What was asked, what was answered and what it cost, for the record: the request is the last one, as it was
    /// sent.
    pub fn record(&self) -> Value {
        let settings = self.client.settings();
        let answer = self.last.as_ref().and_then(|(_, answer)| answer.as_ref());
        let way = answer.map_or(settings.way, |answer| answer.way);
        let request = self.last.as_ref().map(|(prompt, _)| prompt.body(settings, way));
        let request: Value = request.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        let answered_by = answer.map(|answer| redact::text(&text::clip(&answer.model, 80)).to_string());
        json!({
            "host": self.client.host(),
            "api": settings.api.name(),
            "model": settings.model,
            "answeredBy": answered_by,
            "promptVersion": prompt::VERSION,
            "structure": way.name(),
            "calls": self.budget.made(),
            "remembered": self.budget.remembered(),
            "tokens": self.budget.usage(),
            "request": request,
            "answers": redact::value(&Value::Array(self.answers.clone())),
        })
    }

    fn no_safe_fix(&self) -> NoFix {
        let object = &self.case.finding.object;
        let last =
            self.refused.last().map_or_else(|| "the model was not asked".to_owned(), |reason| text::clip(reason, 240));
        let message = format!("no safe fix for {object} from the model: {last}");
        let details = match self.refused.len() {
            0 | 1 => vec![format!("{} made", text::count(self.budget.made(), "call"))],
            _ => self.refused.iter().enumerate().map(|(at, reason)| format!("answer {}: {reason}", at + 1)).collect(),
        };
        let hint = "nothing was changed; look at the evidence, or write the change yourself with `--intent FILE`";
        NoFix::Refused(Refusal::new("no-safe-fix", message, hint).with_details(details))
    }
}

fn nothing(shape: &Shape, reason: &str) -> String {
    let of = match shape {
        Shape::Choice { .. } => "candidate",
        Shape::Edit { .. } | Shape::Sentences { .. } => "change",
    };
    let said = check::tame(reason);
    if said.is_empty() {
        format!("the model found no {of} proved")
    } else {
        format!("the model found no {of} proved: {said}")
    }
}

/// A limit that fits a context, with room for the answer and for what the template adds; half of it when
/// the server does not tell its size.
fn shrunk(limit: usize, needs: Option<u64>, holds: Option<u64>) -> usize {
    let Some((needs, holds)) = needs.zip(holds) else { return limit / 2 };
    let room = holds.saturating_sub(400);
    usize::try_from((limit as u64).saturating_mul(room) / needs.max(1)).unwrap_or(limit).min(limit - 1)
}

/// How a candidate is chosen: its edits as text.
pub fn label(intent: &Intent) -> String {
    let edits: Vec<String> = intent
        .edits
        .iter()
        .map(|edit| match (edit.op, &edit.new) {
            (Op::Lf, _) => format!("{} with Unix line ends", edit.path),
            (Op::Remove, _) | (_, None) => format!("remove {}", edit.path),
            (Op::Set | Op::Add, Some(new)) => format!("{} = {}", edit.path, written(new)),
        })
        .collect();
    edits.join("; ")
}

/// A value as it stands in prompts and answers: strings without quotes, anything else as JSON.
pub(crate) fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The end of the log of the finding's container: of the run that ended, when there is one.
fn log(snapshot: &Snapshot, finding: &Finding) -> Vec<Redacted> {
    let is_of = |tail: &&LogTail| {
        tail.namespace == finding.object.namespace()
            && finding.pods.names.contains(&tail.pod)
            && finding.container.as_ref().is_none_or(|container| *container == tail.container)
            && !tail.lines.is_empty()
    };
    let tails = || snapshot.logs.iter().filter(is_of);
    let Some(tail) = tails().find(|tail| tail.previous).or_else(|| tails().next()) else { return Vec::new() };
    // Redacted as a whole: a key can span lines.
    let whole: Vec<&str> = tail.lines.iter().map(|line| line.text.as_str()).collect();
    let whole = redact::text(&whole.join("\n"));
    let lines: Vec<&str> = whole.as_str().lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| redact::text(line)).collect()
}

#[cfg(test)]
mod tests;
