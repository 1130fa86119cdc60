//! `aifix explain`: one object, from cause to symptom.

use super::Session;
use super::look::{self, Seen};
use super::model::{self, ModelArgs};
use super::target::Target;
use crate::diagnose;
use crate::error::{Error, exit};
use crate::fix;
use crate::llm::{Client, Settings, consent};
use crate::model::code::FixClass;
use crate::model::finding::{Finding, Severity};
use crate::model::kube::{Pod, Terminated};
use crate::model::object::ObjectRef;
use crate::model::proposal::Signal;
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::narrative::{self, Narrative};
use crate::output::{explain_text, json, scan_text};
use crate::settings::flags::{LookArgs, ReportFormat};
use crate::source;
use crate::text::Sanitised;
use clap::Args;

/// Explain why an object fails: cause, evidence, what changed, what a fix would be
///
/// A healthy object says so, and shows what was looked at. Without an object: the worst failing one.
/// With a model, a few sentences in its words follow, each with the numbers of the evidence it stands on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix explain pod web-7d4b9c-x2x4z  a pod, by the name that kubectl shows
  aifix explain service/web -n prod   any object
  aifix explain                       the worst failure here")]
pub struct ExplainArgs {
    /// The object: KIND/NAME or KIND NAME [default: the worst failing one]
    #[arg(value_name = "KIND/NAME", num_args = 0..=2)]
    pub object: Vec<String>,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,

    #[command(flatten)]
    pub look: LookArgs,

    #[command(flatten)]
    pub model: ModelArgs,
}

pub(super) async fn run(args: &ExplainArgs, session: &Session) -> Result<u8, Error> {
    let target = Target::parse(&args.object)?;
    let settings = args.model.settings(session)?;
    let seen = look::look_at(&args.look, session, target.as_ref()).await?;
    let roots = roots(target.as_ref(), &seen);
    if args.model.show_prompt {
        return show_prompt(&roots, settings.as_ref(), session);
    }
    match (roots.as_slice(), &target) {
        ([], None) => nothing_fails(args, &seen, session),
        ([], Some(target)) => healthy(target, args, &seen, session),
        (roots, target) => failing(roots, target.as_ref(), settings, args, &seen, session).await,
    }
}

/// The request that would be sent, byte for byte.
fn show_prompt(roots: &[&Finding], settings: Option<&Settings>, session: &Session) -> Result<u8, Error> {
    match (told_about(roots), settings) {
        (Some(finding), Some(settings)) => {
            session.ui.print(&String::from_utf8_lossy(narrative::prompt(finding, settings).bytes()))?;
            if session.ui.out_is_terminal() {
                session.ui.print("\n")?;
            }
        }
        _ => session.ui.say("nothing would be sent: a model is asked about failures alone"),
    }
    Ok(exit::DONE)
}

/// The finding that a model is asked about: the worst, when it is a failure.
fn told_about<'f>(roots: &[&'f Finding]) -> Option<&'f Finding> {
    roots.first().copied().filter(|finding| narrative::serves(finding))
}

/// The model's words. An explanation stands without them: what keeps a model from answering is a warning.
async fn tell(
    roots: &[&Finding],
    settings: Option<Settings>,
    args: &ExplainArgs,
    session: &Session,
) -> Option<Narrative> {
    let (finding, settings) = (told_about(roots)?, settings?);
    let told = async {
        let client = client(finding, settings, args, session).await?;
        let _progress = session.ui.progress(&format!("Asking the model at {}", client.host()));
        narrative::tell(&client, finding).await
    };
    match told.await {
        Ok(told) => Some(told),
        Err(error) => {
            let hints: String = error.hints.iter().map(|hint| format!(" ({hint})")).collect();
            session.ui.warn(Sanitised::line(&format!("nothing in a model's words: {error}{hints}")));
            None
        }
    }
}

async fn client(finding: &Finding, settings: Settings, args: &ExplainArgs, session: &Session) -> Result<Client, Error> {
    // The question is shown on stdout: where that is data, only what was agreed to before counts.
    let agreed = if args.output == ReportFormat::Text && session.ui.out_is_terminal() {
        model::agree(&settings, &narrative::prompt(finding, &settings).leaves(), session).await?
    } else {
        consent::remembered(&consent::file(&session.environment)?)?
    };
    args.model.connect(settings, &agreed, session).await
}

/// The findings that are about the target; without one the worst.
fn roots<'s>(target: Option<&Target>, seen: &'s Seen) -> Vec<&'s Finding> {
    let Some(target) = target else {
        return seen.diagnosis.findings.iter().find(|finding| finding.severity != Severity::Info).into_iter().collect();
    };
    let owner = seen.owner_of_pod(&target.kind, &target.name);
    seen.diagnosis.findings.iter().filter(|finding| target.is_about(finding, owner.as_ref())).collect()
}

fn nothing_fails(args: &ExplainArgs, seen: &Seen, session: &Session) -> Result<u8, Error> {
    let report = seen.report();
    let text = match args.output {
        ReportFormat::Json => json::scan(&report)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            let view = scan_text::View { width: session.ui.width(), all: false, next: None };
            scan_text::write(&mut page, &report, view);
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(exit::DONE)
}

fn healthy(target: &Target, args: &ExplainArgs, seen: &Seen, session: &Session) -> Result<u8, Error> {
    let Some((object, checks)) = diagnose::checks(&seen.snapshot, &target.kind, &target.name) else {
        return Err(seen.not_seen(target));
    };
    let unseen: Vec<String> =
        seen.snapshot.gaps.iter().filter(|gap| gap.essential).map(|gap| format!("{}: {}", gap.what, gap.why)).collect();
    let text = match args.output {
        ReportFormat::Json => json::explanation(&object, &[], &checks, &[], None)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            explain_text::healthy(&mut page, &object, &checks, &unseen, session.ui.width());
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(exit::DONE)
}

async fn failing(
    roots: &[&Finding],
    target: Option<&Target>,
    settings: Option<Settings>,
    args: &ExplainArgs,
    seen: &Seen,
    session: &Session,
) -> Result<u8, Error> {
    let mut page = session.ui.page();
    let mut trails = Vec::new();
    for (at, finding) in roots.iter().enumerate() {
        let trail = trail(&finding.object, seen);
        let asked = target.filter(|t| t.kind != finding.object.kind || t.name != finding.object.name);
        let asked = asked.filter(|t| t.kind != "Pod").map(|t| format!("{}/{}", t.kind, t.name));
        let refusal = fix::candidates(&seen.snapshot, finding).err();
        let next = next(finding, refusal.as_ref(), args, &seen.snapshot);
        if at > 0 {
            page.end();
        }
        explain_text::failing(
            &mut page,
            finding,
            &explain_text::Around {
                width: session.ui.width(),
                now: seen.snapshot.now(),
                asked: asked.as_deref(),
                trail: &trail,
                refusal: refusal.as_ref(),
                next: &next,
            },
        );
        trails.extend(trail);
    }
    if let (ReportFormat::Json, Some(first)) = (args.output, roots.first()) {
        let told = tell(roots, settings, args, session).await;
        session.ui.print(&json::explanation(&first.object, roots, &[], &trails, told.as_ref())?)?;
        return Ok(exit::DONE);
    }
    // Before the model is asked: nobody waits for what is known.
    session.ui.print(page.as_str())?;
    if let Some(told) = tell(roots, settings, args, session).await {
        let mut page = session.ui.page();
        let about = told_about(roots).filter(|_| roots.len() > 1).map(|finding| &finding.object);
        explain_text::narrative(&mut page, &told, about, session.ui.width());
        session.ui.print(page.as_str())?;
    }
    Ok(exit::DONE)
}

fn trail(object: &ObjectRef, seen: &Seen) -> Vec<Signal> {
    seen.snapshot.resolve(object).map(source::claims).unwrap_or_default()
}

/// Whether the container of the finding (any, when it names none) ever ran in this pod: else there is no log.
fn has_run(snapshot: &Snapshot, finding: &Finding, pod: &str) -> bool {
    let namespace = finding.object.namespace.as_deref().unwrap_or_default();
    let is_it = |p: &&Pod| p.metadata.name == pod && p.metadata.namespace == namespace;
    let Some(pod) = snapshot.pods.iter().find(is_it) else { return false };
    // A container that could not be created ends at once and has the Unix epoch as its start.
    let ended = |end: &Option<Terminated>| {
        end.as_ref().is_some_and(|end| end.started_at.0.is_some_and(|start| start.as_second() > 0))
    };
    let mut all = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    all.any(|status| {
        finding.container.as_ref().is_none_or(|name| *name == status.name)
            && (status.state.running.is_some()
                || ended(&status.state.terminated)
                || ended(&status.last_state.terminated))
    })
}

/// Commands that look further.
fn next(
    finding: &Finding,
    refusal: Option<&Refusal>,
    args: &ExplainArgs,
    snapshot: &Snapshot,
) -> Vec<(String, String)> {
    let namespace = finding.object.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
    let mut out = Vec::new();
    if let Some(pod) = finding.pods.names.first() {
        let container = finding.container.as_ref().map(|name| format!(" -c {name}")).unwrap_or_default();
        let crashed = finding.evidence.iter().any(|item| item.text.contains("restart"));
        let previous = if crashed { " --previous" } else { "" };
        if has_run(snapshot, finding, pod) {
            let command = format!("kubectl logs{namespace} {pod}{container}{previous}");
            out.push((command, "the program's own words".to_owned()));
        }
        out.push((format!("kubectl describe pod{namespace} {pod}"), "all fields and events of the pod".to_owned()));
    }
    if finding.fix.class == FixClass::Rule && args.look.from.is_none() {
        out.push((
            format!("aifix propose {}{namespace}", finding.object),
            "the fix, proved; run it inside a clone of the manifests".to_owned(),
        ));
    }
    if refusal.is_some_and(|refusal| !refusal.choices.is_empty()) && args.look.from.is_none() {
        out.push((
            format!("aifix propose {}{namespace} --choose N", finding.object),
            "one of these changes, proved; run it inside a clone of the manifests".to_owned(),
        ));
    }
    out
}
