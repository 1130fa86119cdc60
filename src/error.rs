//! One error: a kind, a message, a source, and hints.

use std::fmt;

/// What kind of failure it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wrong flags, files or settings.
    Usage,
    /// The cluster, the model or the Git host did not answer.
    Unreachable,
    /// No safe edit could be proved.
    Refused,
    /// A policy denied it, an approval is missing, or a chain does not hold.
    Denied,
    /// The person said No, or nobody could be asked.
    Declined,
    /// What was asked about could not be looked at.
    Gap,
    /// A bug in aifix.
    Bug,
}

/// Exit codes; they are part of the contract and documented in `--help`.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// `scan` found roots worse than info.
    pub const FOUND: u8 = 1;
    /// Usage or configuration.
    pub const USAGE: u8 = 2;
    /// Cluster, model or Git host unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// No safe edit could be proved.
    pub const REFUSED: u8 = 4;
    /// Denied by a policy, approval missing, or a chain that does not hold.
    pub const DENIED: u8 = 5;
    /// Something essential was not seen and nothing else is wrong.
    pub const GAP: u8 = 6;
    /// Declined, or a question with nobody to ask.
    pub const DECLINED: u8 = 7;
    /// A bug in aifix.
    pub const BUG: u8 = 70;
    /// Interrupted (SIGINT).
    pub const INTERRUPTED: u8 = 130;
    /// Terminated (SIGTERM).
    pub const TERMINATED: u8 = 143;
}

impl Kind {
    /// The exit code of this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => exit::USAGE,
            Self::Unreachable => exit::UNREACHABLE,
            Self::Refused => exit::REFUSED,
            Self::Denied => exit::DENIED,
            Self::Declined => exit::DECLINED,
            Self::Gap => exit::GAP,
            Self::Bug => exit::BUG,
        }
    }
}

/// What went wrong, why, and what to do or type next.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    /// One sentence without a full stop.
    pub message: String,
    /// The reasons below it, outermost first.
    pub causes: Vec<String>,
    /// Each a next step.
    pub hints: Vec<String>,
}

impl Error {
    /// An error without cause or hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A usage or configuration error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A peer that did not answer.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, message)
    }

    /// A broken invariant of our own.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds an error and all below it as causes.
    #[must_use]
    pub fn caused_by(mut self, source: &dyn std::error::Error) -> Self {
        let mut next = Some(source);
        while let Some(error) = next {
            let text = error.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
