//! Which findings of a scan count: the flags and their order.

mod baseline;
mod pattern;

pub(super) use baseline::Baseline;

use self::pattern::{HasLabels, Pattern};
use crate::error::Error;
use crate::model::finding::{Finding, Severity};
use crate::model::report::{Filter, ReportedFinding, SetAside};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which findings count. The others are set aside: counted nowhere, and named with the reason.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What counts")]
pub struct FilterArgs {
    /// Set aside what this file lists: only what is new, or worse than then, counts
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// Write the file for --baseline: what counts now is known from then on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "watch"])]
    pub write_baseline: Option<PathBuf>,

    /// Set aside roots by code, object or label, with the reason behind a #; may be repeated
    #[arg(long, value_name = "PATTERN[#REASON]")]
    pub ignore: Vec<String>,

    /// Set aside every root that no such pattern names, itself or an effect; may be repeated
    #[arg(long, value_name = "PATTERN[#REASON]")]
    pub only: Vec<String>,

    /// Set aside what is less severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub min_severity: Option<Bar>,
}

/// A severity to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bar {
    Warning,
    Error,
    Critical,
}

impl Bar {
    /// Whether something is at least as severe.
    pub(super) fn includes(self, severity: Severity) -> bool {
        let bar = match self {
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
            Self::Critical => Severity::Critical,
        };
        severity <= bar
    }

    fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// The filters that need no file.
#[derive(Debug, Default)]
pub(super) struct Filters {
    ignore: Vec<Pattern>,
    only: Vec<Pattern>,
    least: Option<Bar>,
}

impl Filters {
    /// Reads the patterns.
    ///
    /// # Errors
    /// When one names nothing that there can be.
    pub(super) fn read(args: &FilterArgs) -> Result<Self, Error> {
        let read = |flag: &str, all: &[String]| -> Result<Vec<Pattern>, Error> {
            all.iter().map(|typed| Pattern::parse(flag, typed)).collect()
        };
        Ok(Self {
            ignore: read("--ignore", &args.ignore)?,
            only: read("--only", &args.only)?,
            least: args.min_severity,
        })
    }

    /// What counts, and what is set aside with the first reason against it.
    pub(super) fn apply(
        &mut self,
        found: Vec<ReportedFinding>,
        has: HasLabels<'_>,
    ) -> (Vec<ReportedFinding>, Vec<SetAside>) {
        let (mut counting, mut set_aside) = (Vec::new(), Vec::new());
        for reported in found {
            match self.against(&reported.finding, has) {
                None => counting.push(reported),
                Some((filter, reason)) => set_aside.push(SetAside { reported, filter, reason }),
            }
        }
        (counting, set_aside)
    }

    fn against(&mut self, finding: &Finding, has: HasLabels<'_>) -> Option<(Filter, String)> {
        let mut asked = self.only.is_empty();
        for pattern in &mut self.only {
            let touches = pattern.touches(finding, has);
            pattern.matched |= touches;
            asked |= touches;
        }
        let mut ignored = None;
        for pattern in &mut self.ignore {
            if pattern.names(finding, has) {
                pattern.matched = true;
                let reason = pattern.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
                ignored = ignored.or(Some((Filter::Ignored, reason)));
            }
        }
        if !asked {
            return Some((Filter::Unasked, self.asked_for()));
        }
        let least = self.least.filter(|least| !least.includes(finding.severity));
        ignored.or_else(|| least.map(|least| (Filter::Minor, format!("below {}", least.name()))))
    }

    /// `--only team=payments (ours)`.
    fn asked_for(&self) -> String {
        let one = |pattern: &Pattern| match &pattern.reason {
            Some(reason) => format!("{} ({reason})", pattern.text),
            None => pattern.text.clone(),
        };
        format!("--only {}", self.only.iter().map(one).collect::<Vec<_>>().join(" or "))
    }

    /// Patterns that matched nothing so far, as they were typed.
    pub(super) fn idle(&self) -> Vec<String> {
        let of = |flag: &str, all: &[Pattern]| -> Vec<String> {
            all.iter().filter(|one| !one.matched).map(|one| format!("{flag} {}", one.text)).collect()
        };
        [of("--ignore", &self.ignore), of("--only", &self.only)].concat()
    }
}
