//! What one finding may cost: calls, time, waits between them.

use super::answer::Usage;
use super::failure::Failure;
use super::settings::Settings;
use crate::doors::http::HttpError;
use std::time::Duration;
use tokio::time::Instant;

/// Calls for one finding at most.
pub const CALLS: usize = 3;

/// Calls and time that are left for one finding, and what they cost so far.
#[derive(Debug, Clone)]
pub struct Budget {
    calls: usize,
    until: Instant,
    made: usize,
    remembered: usize,
    usage: Usage,
}

impl Budget {
    /// The budget of one finding; its time starts now.
    pub fn new(settings: &Settings) -> Self {
        Self::of(CALLS, settings.together)
    }

    /// Another budget.
    pub fn of(calls: usize, together: Duration) -> Self {
        Self { calls, until: Instant::now() + together, made: 0, remembered: 0, usage: Usage::default() }
    }

    /// Calls that were made, without those that a remembered answer spared.
    pub fn made(&self) -> usize {
        self.made
    }

    /// Answers that were remembered.
    pub fn remembered(&self) -> usize {
        self.remembered
    }

    /// Tokens of all calls that were made, as the server counted them.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether another call may be made.
    pub fn is_spent(&self) -> bool {
        self.calls == 0 || self.left().is_zero()
    }

    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    pub(super) fn take(&mut self) -> Result<(), Failure> {
        if self.is_spent() {
            return Err(Failure::Spent);
        }
        self.calls -= 1;
        self.made += 1;
        Ok(())
    }

    /// Takes the last call back: the model never saw it.
    pub(super) fn give_back(&mut self) {
        self.calls += 1;
        self.made -= 1;
    }

    pub(super) fn was_remembered(&mut self) {
        self.made -= 1;
        self.remembered += 1;
    }

    pub(super) fn was_used(&mut self, usage: Usage) {
        self.usage.prompt += usage.prompt;
        self.usage.answer += usage.answer;
        self.usage.cached += usage.cached;
    }
}

/// How long to wait before a server that had no time is asked again; `None` when that is no use.
pub(super) fn pause(error: &HttpError, tries: u32) -> Option<Duration> {
    let HttpError::Status { code, retry_after, body, .. } = error else { return None };
    if !matches!(code, 429 | 502 | 503 | 504 | 529)
        || matches!(super::status::read(*code, *retry_after, body), Failure::NoQuota { .. })
    {
        return None;
    }
    let mut chance = [0];
    // Without chance it waits without it.
    let _ = getrandom::fill(&mut chance);
    Some(wait(*retry_after, tries, chance[0]))
}

/// What the server wishes, else one second, two, four; and up to a quarter more by chance, so that those who
/// were turned away together do not come back together.
fn wait(wish: Option<Duration>, tries: u32, chance: u8) -> Duration {
    let wait = wish.unwrap_or_else(|| Duration::from_secs(1 << tries.min(5)));
    wait + wait.mul_f64(f64::from(chance) / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, body: &[u8]) -> HttpError {
        HttpError::Status { code, retry_after: None, elsewhere: None, body: body.to_vec() }
    }

    #[test]
    fn it_never_comes_back_sooner_than_it_was_asked_to() {
        let seconds = |n| Duration::from_secs(n);
        assert_eq!(wait(Some(seconds(8)), 0, 0), seconds(8));
        assert!(wait(Some(seconds(8)), 0, 255) > seconds(9) && wait(Some(seconds(8)), 0, 255) < seconds(10));
        assert_eq!([0, 1, 2, 9].map(|tries| wait(None, tries, 0).as_secs()), [1, 2, 4, 32]);
    }

    #[test]
    fn only_a_server_that_had_no_time_is_asked_again() {
        for code in [429, 502, 503, 504, 529] {
            assert!(pause(&status(code, b""), 0).is_some(), "{code}");
        }
        for code in [400, 401, 404, 500] {
            assert_eq!(pause(&status(code, b""), 0), None, "{code}");
        }
        assert_eq!(pause(&status(429, br#"{"error":{"code":"insufficient_quota"}}"#), 0), None);
        assert_eq!(pause(&HttpError::Broken(String::new()), 0), None);
    }

    #[test]
    fn a_call_that_the_model_never_saw_is_none() {
        let mut budget = Budget::of(1, Duration::from_secs(60));
        budget.take().unwrap();
        budget.give_back();
        assert!(!budget.is_spent() && budget.made() == 0);
        budget.take().unwrap();
        assert_eq!(budget.take(), Err(Failure::Spent));
    }
}
