//! One evaluator: some files, their data, one input at a time.

use super::location::Fault;
use super::own;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use serde_json::Value as Json;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Units of work between two looks at the clock.
const CLOCK_INTERVAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

/// regorus with our settings.
pub(super) struct Evaluator {
    engine: Engine,
    is_strict: Arc<AtomicBool>,
}

/// What a rule said.
#[derive(Debug)]
pub(super) struct Said {
    /// `None` when it is undefined.
    pub(super) value: Option<Json>,
    /// The builtin that failed, and was read as if it had said nothing.
    pub(super) unread: Option<Fault>,
}

impl Evaluator {
    /// An empty one.
    ///
    /// # Errors
    /// Only a bug: a builtin of ours is one of the evaluator's too.
    pub(super) fn new() -> Result<Self, Fault> {
        let mut engine = Engine::new();
        let is_strict = Arc::new(AtomicBool::new(true));
        // A builtin that fails would make its rule silently not fire.
        engine.set_strict_builtin_errors(true);
        engine.set_gather_prints(true);
        own::add(&mut engine, &is_strict).map_err(|error| Fault::new(error, None))?;
        Ok(Self { engine, is_strict })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// What the evaluator has against it.
    pub(super) fn add(&mut self, path: &str, text: String, rego_v0: bool) -> Result<(), Fault> {
        self.engine.set_rego_v0(rego_v0);
        self.engine.add_policy(path.to_owned(), text).map(drop).map_err(|error| Fault::parse(&error.to_string()))
    }

    /// Adds what the files read as `data`.
    ///
    /// # Errors
    /// What the evaluator has against it.
    pub(super) fn add_data(&mut self, data: Value) -> Result<(), Fault> {
        self.engine.add_data(data).map_err(|error| Fault::parse(&error.to_string()))
    }

    /// From now on the lines that are reached are counted.
    pub(super) fn watch_coverage(&mut self) {
        self.engine.set_enable_coverage(true);
    }

    /// The lines of each file that were reached, and those that were not.
    pub(super) fn coverage(&self) -> Option<regorus::coverage::Report> {
        self.engine.get_coverage_report().ok()
    }

    /// What the files read as `input` from now on.
    pub(super) fn set_input(&mut self, input: &Value) {
        self.engine.set_input(input.clone());
    }

    /// The value of a rule, `None` when it is undefined.
    ///
    /// # Errors
    /// When it can't be evaluated, or not before `end`.
    pub(super) fn rule(&mut self, rule: &str, end: Instant) -> Result<Option<Json>, Fault> {
        let limit = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CLOCK_INTERVAL });
        let value = self.engine.eval_rule(rule.to_owned()).map_err(|error| Fault::parse(&error.to_string()))?;
        // Prints are for whoever writes a policy; here they would only fill memory.
        drop(self.engine.take_prints());
        if value == Value::Undefined {
            return Ok(None);
        }
        serde_json::to_value(&value).map(Some).map_err(|error| Fault::new(error.to_string(), None))
    }

    /// The same; when `is_lenient` a builtin that fails says nothing, as in OPA, and is told.
    ///
    /// # Errors
    /// When it can't be evaluated, or not before `end`.
    pub(super) fn say(&mut self, rule: &str, is_lenient: bool, end: Instant) -> Result<Said, Fault> {
        match self.rule(rule, end) {
            Err(fault) if is_lenient => {
                self.be_strict(false);
                let again = self.rule(rule, end);
                self.be_strict(true);
                again.map(|value| Said { value, unread: Some(fault) })
            }
            value => value.map(|value| Said { value, unread: None }),
        }
    }

    fn be_strict(&mut self, is_strict: bool) {
        self.is_strict.store(is_strict, Ordering::Relaxed);
        self.engine.set_strict_builtin_errors(is_strict);
    }
}
