//! The only talker to a model: one client, one protocol.
//!
//! What a model says is data. This room sends a [`prompt::Prompt`] and reads an [`Answer`]; whether the
//! answer may become an edit is decided where the live object is known, in `fix::model`.

pub mod answer;
pub mod consent;
pub mod failure;
pub mod fence;
mod openai;
pub mod prompt;
pub mod settings;

pub use answer::{Answer, Said, Sentence, Shape, Usage};
pub use failure::Failure;
pub use prompt::Prompt;
pub use settings::{ApiKey, Settings};

use crate::doors::files;
use crate::doors::http::{self, Http, HttpError};
use crate::error::{Error, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;
use tokio::time::Instant;

/// Calls for one finding at most.
pub const CALLS: usize = 3;
/// Time for all calls of one finding.
pub const TOGETHER: Duration = Duration::from_secs(120);

/// Calls and time that are left for one finding.
#[derive(Debug, Clone)]
pub struct Budget {
    calls: usize,
    until: Instant,
    made: usize,
}

impl Budget {
    /// The budget of one finding; its time starts now.
    pub fn new() -> Self {
        Self::of(CALLS, TOGETHER)
    }

    /// Another budget.
    pub fn of(calls: usize, together: Duration) -> Self {
        Self { calls, until: Instant::now() + together, made: 0 }
    }

    /// Calls that were made.
    pub fn made(&self) -> usize {
        self.made
    }

    /// Whether another call may be made.
    pub fn is_spent(&self) -> bool {
        self.calls == 0 || self.left().is_zero()
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn take(&mut self) -> Result<(), Failure> {
        if self.is_spent() {
            return Err(Failure::Spent);
        }
        self.calls -= 1;
        self.made += 1;
        Ok(())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// A client of one model server.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    settings: Settings,
}

impl Client {
    /// Makes a client; sends nothing. Proxies are read from `environment` alone, and `agreed` holds the
    /// hosts that a person agreed to: there is no client for another.
    ///
    /// # Errors
    /// When nobody agreed to the host, or the certificates or the proxy can't be used.
    pub fn new(
        settings: Settings,
        environment: &BTreeMap<OsString, OsString>,
        agreed: &BTreeSet<String>,
    ) -> Result<Self, Error> {
        if let Some(host) = consent::consent_needed(&settings.url, agreed) {
            return Err(Error::new(Kind::Declined, format!("nobody agreed yet to send evidence to {host}"))
                .hint("run it once on a terminal: it shows what would leave, and asks"));
        }
        let authorities = settings.ca_file.as_ref().map(|file| {
            files::read_bounded(file, 1 << 20).map_err(|error| {
                Error::usage(format!("the certificates in {} can't be read", file.display())).because(error)
            })
        });
        let options = http::Options { environment: environment.clone(), authorities: authorities.transpose()? };
        Ok(Self { http: Http::new(&options)?, settings })
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// `host:port` of the server.
    pub fn host(&self) -> String {
        self.settings.host()
    }

    /// Sends exactly [`Prompt::bytes`] and reads the answer. When the server asks to wait (429, 503),
    /// it is asked once more after that, as long as the budget allows; every send counts as a call.
    ///
    /// # Errors
    /// For everything but a whole answer of the prompt's shape.
    pub async fn ask(&self, prompt: &Prompt, budget: &mut Budget) -> Result<Answer, Failure> {
        loop {
            budget.take()?;
            let deadline = self.settings.deadline.min(budget.left());
            let headers = openai::headers(&self.settings);
            let sent = self.http.post_json(&self.settings.url, &headers, prompt.bytes().to_vec(), deadline).await;
            let wait = match &sent {
                Err(HttpError::Status { code: 429 | 503, retry_after, .. }) => {
                    retry_after.unwrap_or(Duration::from_secs(2))
                }
                _ => Duration::MAX,
            };
            if wait < budget.left() && !budget.is_spent() {
                tokio::time::sleep(wait).await;
                continue;
            }
            return openai::read(&sent?.body, prompt.shape());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::model::code::{Code, CodeInfo, FixClass};
    use crate::model::finding::{Confidence, Evidence, Finding, FixHint, PodCounts, Severity, Source};
    use crate::model::object::ObjectRef;
    use serde_json::Value;

    static CODE: CodeInfo = CodeInfo {
        name: "test-code",
        family: "crash",
        title: "",
        meaning: "",
        signals: "",
        causes: "",
        class: FixClass::Model,
        fix: "",
    };

    /// A crash with a status line (1) and a log line (2).
    pub(crate) fn finding() -> Finding {
        let fact = |id, source, text: &str| Evidence { id, source, at: None, text: text.to_owned(), path: None };
        Finding {
            code: Code(&CODE),
            severity: Severity::Critical,
            confidence: Confidence::Strong,
            object: ObjectRef::new("apps/v1", "Deployment", "shop", "web"),
            container: Some("app".to_owned()),
            pods: PodCounts::default(),
            summary: "container app ends with exit code 1".to_owned(),
            since: None,
            evidence: vec![
                fact(1, Source::Status, "terminated: Error (exit 1)"),
                fact(2, Source::Log, "panic: no PORT"),
            ],
            effects: Vec::new(),
            change: None,
            fix: FixHint { class: FixClass::Model, summary: String::new() },
            facts: Value::Null,
        }
    }
}
