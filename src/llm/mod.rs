//! The only talker to a model: one client, two wire formats.
//!
//! What a model says is data. This room sends a [`prompt::Prompt`] and reads an [`Answer`]; whether the
//! answer may become an edit is decided where the live object is known, in `fix::model`. The client knows
//! no format: `wire` does, with one file for each.

pub mod answer;
mod anthropic;
mod budget;
pub mod consent;
mod counsel;
pub mod failure;
pub mod fence;
pub mod key;
pub mod material;
mod memory;
mod openai;
pub mod prompt;
pub mod settings;
mod status;
mod wire;

pub use answer::{Answer, Said, Sentence, Shape, Usage};
pub use budget::{Budget, CALLS};
pub use counsel::{Counsel, EXAMPLES};
pub use failure::Failure;
pub use key::ApiKey;
pub use memory::Memory;
pub use prompt::Prompt;
pub use settings::Settings;
pub use wire::{Api, Way};

use crate::doors::files;
use crate::doors::http::{self, Http, HttpError};
use crate::error::{Error, Kind};
use memory::Kept;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A client of one model server. Its copies share what they used.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    settings: Settings,
    memory: Memory,
    way: Arc<Mutex<Way>>,
    /// Tokens that were used.
    used: Arc<AtomicU64>,
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
        let way = Arc::new(Mutex::new(settings.way));
        let http = Http::new(&options)?;
        Ok(Self { http, settings, memory: Memory::default(), way, used: Arc::default() })
    }

    /// The same, with a memory.
    #[must_use]
    pub fn remembering(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// `host:port` of the server.
    pub fn host(&self) -> String {
        self.settings.host()
    }

    /// How the server is asked now.
    fn way(&self) -> Way {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_on_with(&self, way: Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    /// Sends exactly [`Prompt::bytes`] and reads the answer, or gives the one that is remembered.
    ///
    /// A server that refuses the way it is asked is asked in the next, which is remembered: that is no call.
    /// One that asks to wait (429, 503 and their like) is asked again after that and a little longer, as
    /// long as the budget allows; every such send counts as a call.
    ///
    /// # Errors
    /// For everything but a whole answer of the prompt's shape.
    pub async fn ask(&self, prompt: &Prompt, budget: &mut Budget) -> Result<Answer, Failure> {
        let mut tries = 0;
        loop {
            let way = self.way();
            let body = prompt.body(&self.settings, way);
            budget.take()?;
            if let Some(Kept { text, model, usage }) = self.memory.answer(&self.settings, &body)
                && let Ok(said) = prompt.shape().read(&text)
            {
                budget.was_remembered();
                return Ok(Answer { said, model, usage, way, remembered: true });
            }
            let estimate = prompt.tokens();
            self.may_use(estimate).inspect_err(|_| budget.give_back())?;
            let deadline = self.settings.deadline.min(budget.left());
            let headers = wire::headers(&self.settings);
            let error = match self.http.post_json(&self.settings.url, &headers, body.clone(), deadline).await {
                Ok(response) => return self.answer(&response.body, &body, prompt, estimate, way, budget),
                Err(error) => error,
            };
            if let Some(next) = self.refused_way(way, &error) {
                budget.give_back();
                self.go_on_with(next);
                self.memory.keep_way(&self.settings, next);
                continue;
            }
            let wait = budget::pause(&error, tries).filter(|wait| *wait < budget.left() && !budget.is_spent());
            let Some(wait) = wait else { return Err(self.failure(error)) };
            tries += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// Reads what came with a status of 2xx; what it cost is counted whatever it says.
    fn answer(
        &self,
        bytes: &[u8],
        body: &[u8],
        prompt: &Prompt,
        estimate: u64,
        way: Way,
        budget: &mut Budget,
    ) -> Result<Answer, Failure> {
        let reply = wire::read(self.settings.api, bytes);
        let told = reply.as_ref().map(|reply| reply.usage).unwrap_or_default();
        let used = if told == Usage::default() { estimate } else { told.prompt + told.answer };
        self.used.fetch_add(used, Ordering::Relaxed);
        budget.was_used(told);
        let reply = reply?;
        let text = reply.text?;
        match prompt.shape().read(&text) {
            Ok(said) => {
                let kept = Kept { text, model: reply.model, usage: reply.usage };
                self.memory.keep_answer(&self.settings, body, &kept);
                // A server that ignored the better way says nothing of it: that this one worked is all there is to know.
                if way != self.settings.way {
                    self.memory.keep_way(&self.settings, way);
                }
                Ok(Answer { said, model: kept.model, usage: kept.usage, way, remembered: false })
            }
            Err(failure) => {
                // It took the request and did not hold the model to it: from here on the prompt tells the shape.
                if let Some(next) = way.next(self.settings.api).filter(|_| failure.is_of_the_shape()) {
                    self.go_on_with(next);
                }
                Err(failure)
            }
        }
    }

    /// Whether so many tokens are left of what the run may use.
    fn may_use(&self, tokens: u64) -> Result<(), Failure> {
        match self.settings.tokens {
            Some(budget) if self.used.load(Ordering::Relaxed).saturating_add(tokens) > budget => {
                Err(Failure::Dear { budget })
            }
            _ => Ok(()),
        }
    }

    /// The next way to ask, when it is the way that was refused.
    fn refused_way(&self, way: Way, error: &HttpError) -> Option<Way> {
        let HttpError::Status { code, body, .. } = error else { return None };
        let is_it = way.is_refused_by(*code, &status::Said::new(body).text)
            && !matches!(status::read(*code, None, body), Failure::TooLong { .. });
        way.next(self.settings.api).filter(|_| is_it)
    }

    fn failure(&self, error: HttpError) -> Failure {
        match Failure::from(error) {
            Failure::Unauthorised { said, .. } if self.settings.key.is_none() => Failure::KeyWanted { said },
            failure => failure,
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
