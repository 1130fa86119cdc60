//! A report in parts: one per context, joined in order.

use super::filter::Filters;
use super::look::{self, Seen};
use crate::model::finding::{Finding, Severity};
use crate::model::identity::Identity;
use crate::model::report::{ContextReport, ReportedFinding, ScanReport, SetAside, Summary};
use crate::model::snapshot::{Gap, Scope};

/// What a scan reports of one context.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) context: ContextReport,
    pub(super) findings: Vec<ReportedFinding>,
    pub(super) set_aside: Vec<SetAside>,
    scope: Scope,
    /// Whether a selector left something out.
    narrowed: bool,
}

impl Part {
    /// All that was seen, nothing set aside.
    pub(super) fn new(seen: &Seen, narrowed: bool) -> Self {
        let Seen { snapshot, diagnosis, .. } = seen;
        let context = ContextReport {
            name: snapshot.context.clone(),
            scope: snapshot.scope.to_string(),
            taken_at: snapshot.now(),
            summary: Summary {
                workloads: diagnosis.summary.workloads,
                healthy: diagnosis.summary.healthy,
                in_progress: diagnosis.summary.in_progress,
                failing: diagnosis.summary.failing,
                gaps: snapshot.gaps.len(),
                requests: snapshot.requests,
                ..Summary::default()
            },
            gaps: snapshot.gaps.clone(),
        };
        let reported = |finding: &Finding| ReportedFinding {
            context: snapshot.context.clone(),
            finding: finding.clone(),
            source: None,
        };
        let findings = diagnosis.findings.iter().map(reported).collect();
        let mut part = Self { context, findings, set_aside: Vec::new(), scope: snapshot.scope.clone(), narrowed };
        part.recount();
        part
    }

    /// The same, and what the filters set aside.
    pub(super) fn filtered(seen: &Seen, narrowed: bool, filters: &mut Filters) -> Self {
        let mut part = Self::new(seen, narrowed);
        let has = |object: &_, selector: &_| look::is_selected(&seen.snapshot, object, selector);
        (part.findings, part.set_aside) = filters.apply(std::mem::take(&mut part.findings), &has);
        part.recount();
        part
    }

    /// A context of which nothing was seen.
    pub(super) fn unseen(name: &str, scope: Scope) -> Self {
        let context = ContextReport {
            name: name.to_owned(),
            scope: scope.to_string(),
            taken_at: None,
            summary: Summary::default(),
            gaps: Vec::new(),
        };
        Self { context, findings: Vec::new(), set_aside: Vec::new(), scope, narrowed: false }
    }

    /// Notes why the cluster was not looked at.
    #[must_use]
    pub(super) fn without(mut self, why: String) -> Self {
        let what = format!("context {}", self.context.name);
        self.context.gaps.insert(0, Gap { what, why, essential: true, codes: Vec::new() });
        self.context.summary.gaps = self.context.gaps.len();
        self
    }

    /// Counts the roots that are left after a filter.
    pub(super) fn recount(&mut self) {
        let roots = self.findings.iter().filter(|one| one.finding.severity != Severity::Info);
        self.context.summary.roots = roots.clone().count();
        self.context.summary.effects = roots.map(|one| one.finding.effects.len()).sum();
    }

    /// Whether something essential was not seen.
    pub(super) fn lacks_essential(&self) -> bool {
        self.context.gaps.iter().any(|gap| gap.essential)
    }

    /// Every finding, whether it counts or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &ReportedFinding> {
        self.findings.iter().chain(self.set_aside.iter().map(|one| &one.reported))
    }

    /// Whether this look would have shown such a finding: its object was looked at, and no gap could hide it.
    pub(super) fn would_show(&self, identity: &Identity) -> bool {
        let covered = match &self.scope {
            Scope::All => true,
            Scope::Namespaces(names) => names.contains(&identity.namespace),
        };
        let hides = |gap: &Gap| gap.essential || gap.codes.is_empty() || gap.codes.contains(&identity.code);
        covered && !self.narrowed && !self.context.gaps.iter().any(hides)
    }

    /// The report of this context alone.
    pub(super) fn report(self) -> ScanReport {
        join(vec![self])
    }
}

/// One report, its contexts in the order in which they were asked for.
pub(super) fn join(parts: Vec<Part>) -> ScanReport {
    let mut report = ScanReport::default();
    for part in parts {
        report.contexts.push(part.context);
        report.findings.extend(part.findings);
        report.set_aside.extend(part.set_aside);
    }
    report
}
