//! `aifix propose`: a proved fix; with `--push`, a branch.

use super::look::{self, Seen};
use super::model::ModelArgs;
use super::propose_clone::Settled;
use super::propose_place::{Place, PlaceArgs};
use super::propose_request::{self, RequestArgs};
use super::propose_schema::Fields;
use super::target::Target;
use super::{Session, propose_choose, propose_clone, propose_counsel, propose_dry_run, propose_lead, propose_push};
use crate::diagnose;
use crate::error::{Error, Kind, exit};
use crate::fix;
use crate::fix::model::Case;
use crate::llm::{Counsel, Settings};
use crate::model::code::FixClass;
use crate::model::finding::{Finding, Severity};
use crate::model::intent::{Disposition, Intent};
use crate::model::proposal::Outcome;
use crate::model::refusal::Refusal;
use crate::output::json::{self, Done};
use crate::output::{explain_text, patch, propose_text, scan_text};
use crate::proposal::{self, Advisor};
use crate::repo::RepoUrl;
use crate::settings::flags::{LookArgs, ProposalFormat};
use crate::text::{self, Sanitised, shell_word};
use crate::ui::Paint;
use clap::{Args, ValueEnum};
use std::path::Path;

/// Work out the fix of a failing object, prove it, and with --push put it on a branch
///
/// Without --push nothing is written anywhere: the finding, the edit, its proof and the next command are shown.
/// The fix is decided by rule from the facts. It is committed on a branch of its own, based on the freshly fetched
/// base branch; your working tree, index and branches are never touched.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix propose                         the one fixable root cause
  aifix propose deployment/web -n prod  this object
  aifix propose deploy/web --push       ask, then push the branch
  aifix propose deploy/web --push --pr  and open a pull request
  aifix propose deploy/web --revert     take back the commit that broke it
  aifix propose --all --push --yes      in CI: every fix that facts decide")]
pub struct ProposeArgs {
    /// The failing object: KIND/NAME or KIND NAME [default: the one fixable root cause]
    #[arg(value_name = "KIND/NAME", num_args = 0..=2)]
    pub object: Vec<String>,

    /// Push the branch, after a yes
    #[arg(long)]
    pub push: bool,

    /// Answer yes: to fixes that facts decide, or with `review` also to those a person should look at
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "safe", requires = "push")]
    pub yes: Option<Yes>,

    /// Take back the one commit that broke it, instead of changing a field
    #[arg(long, conflicts_with_all = ["all", "intent"])]
    pub revert: bool,

    /// Also have the API server try the changed objects; it stores nothing, and asks for the right to patch
    #[arg(long, conflicts_with = "from")]
    pub server_dry_run: bool,

    /// Every fixable root cause, worst first, one branch each
    #[arg(long, conflicts_with = "object")]
    pub all: bool,

    /// With --all: how many at most
    #[arg(long, value_name = "N", default_value = "5", requires = "all")]
    pub max: usize,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ProposalFormat,

    #[command(flatten)]
    pub place: PlaceArgs,

    #[command(flatten)]
    pub request: RequestArgs,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub look: LookArgs,
}

/// What `--yes` answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Yes {
    Safe,
    Review,
}

pub(super) async fn run(args: &ProposeArgs, session: &Session) -> Result<u8, Error> {
    let target = Target::parse(&args.object)?;
    if args.push && args.output != ProposalFormat::Text && args.yes.is_none() {
        return Err(Error::usage("a question can't be asked while stdout is for another program")
            .hint("add --yes, or leave --output away"));
    }
    let settings = if args.revert { None } else { args.model.settings(session)? };
    let intent = args.place.intent.as_deref().map(read_intent).transpose()?;
    let opened = propose_clone::open(args, session).await;
    // Outside of any repository a controller may still name one.
    let nowhere = opened.is_err() && args.place.repo.as_path() == Path::new(".");
    let opened = if nowhere { opened } else { Ok(opened?) };
    if let Ok(repo) = &opened {
        repo.remote(args.place.remote.as_deref())?;
    }
    let seen = look::look(&args.look, session).await?;
    let serves =
        |finding: &Finding| args.revert || settings.is_some() && fix::model::serves(finding, args.model.use_for());
    let mut findings = pick(args, target.as_ref(), &seen, serves, session).await?;
    if args.revert {
        findings.truncate(1);
    }
    if findings.is_empty() {
        return nothing_to_fix(args, target.as_ref(), &seen, session);
    }
    propose_choose::check(args, &findings, &seen)?;
    let lead = findings.first().and_then(|finding| propose_lead::of(finding, args, &seen));
    let repo = match propose_clone::settle(opened, lead, args, session).await? {
        Settled::Here(repo) => *repo,
        Settled::Elsewhere(refusal) => return elsewhere(&findings, &refusal, args, session),
    };
    let remote = repo.remote(args.place.remote.as_deref())?;
    let remote = match (&args.place.remote, &args.place.path) {
        (None, None) => propose_lead::remote(&repo, remote, &findings, args, &seen),
        _ => remote,
    };
    let mut place = Place::fetch(args, repo, remote, session).await?;
    place.see_cluster(&seen).await;
    let fields = Fields::of(&seen, session);
    if args.model.show_prompt {
        return show_prompt(&findings, settings, &mut place, args, &seen, session).await;
    }
    let records = propose_counsel::teach(&mut place, session);
    let client = args
        .model
        .client(
            settings,
            &seen.snapshot,
            &findings,
            |finding| propose_counsel::gather(finding, &place, &records),
            session,
        )
        .await?;
    let requests = propose_request::prepare(args, &place, session).await?;
    let mut results: Vec<(Outcome, propose_push::Decision)> = Vec::new();
    let mut untried = 0;
    for finding in findings {
        let proposed = results.iter().filter(|(outcome, _)| matches!(outcome, Outcome::Proposed(_))).count();
        if args.all && proposed >= args.max {
            untried += 1;
            continue;
        }
        if !results.is_empty() && args.output == ProposalFormat::Text {
            session.ui.print("\n")?;
        }
        place.follow(&finding, args, &seen, session).await?;
        place.ask_namespace(finding.object.namespace(), &seen).await;
        let counsel =
            if client.is_some() { propose_counsel::gather(&finding, &place, &records) } else { Counsel::default() };
        let advisor =
            client.as_ref().map(|client| Advisor { client, use_for: args.model.use_for(), counsel: &counsel });
        let mut progress = Some(session.ui.progress(&format!("Proving a fix for {}", finding.object)));
        let ground = |choose| place.ground(args, &seen, advisor, intent.as_ref(), choose, &fields);
        let mut outcome = proposal::find(&finding, &ground(&args.place.choose)).await?;
        let mut told = false;
        if propose_choose::may_ask(&outcome, args, session) {
            drop(progress.take());
            show(&outcome, args, session)?;
            match propose_choose::ask(&outcome, session).await {
                Some(number) => outcome = proposal::find(&finding, &ground(&[number])).await?,
                None => told = true,
            }
        }
        if args.server_dry_run {
            outcome = propose_dry_run::ask(outcome, &seen).await?;
        }
        drop(progress);
        if let (Outcome::Proposed(proposal), Some(branch)) = (&mut outcome, &args.place.branch) {
            proposal.branch.clone_from(branch);
        }
        let wanted = propose_request::look(requests.as_ref(), &mut outcome, &place, session).await?;
        if !told {
            show(&outcome, args, session)?;
        }
        let done = if args.push {
            propose_push::decide(&outcome, args, &place, wanted.as_ref(), &seen, session).await?
        } else {
            next_step(&outcome, args, &place, &seen, session)?;
            propose_push::Decision::Shown
        };
        results.push((outcome, done));
    }
    if untried > 0 {
        session.ui.warn(format_args!("{} not tried: raise --max", text::count(untried, "further finding")));
    }
    report(&results, args, session)?;
    Ok(exit_code(&results))
}

/// Nothing of the findings is in this repository.
fn elsewhere(findings: &[Finding], refusal: &Refusal, args: &ProposeArgs, session: &Session) -> Result<u8, Error> {
    let mut results = Vec::new();
    for finding in findings {
        let outcome = Outcome::Refused { finding: Box::new(finding.clone()), refusal: refusal.clone() };
        show(&outcome, args, session)?;
        results.push((outcome, propose_push::Decision::Shown));
    }
    report(&results, args, session)?;
    Ok(exit_code(&results))
}

/// The first request about each finding, one per line, exactly as it would be sent.
async fn show_prompt(
    findings: &[Finding],
    settings: Option<Settings>,
    place: &mut Place,
    args: &ProposeArgs,
    seen: &Seen,
    session: &Session,
) -> Result<u8, Error> {
    let Some(settings) = settings else { return Ok(exit::DONE) };
    for finding in findings {
        place.follow(finding, args, seen, session).await?;
        let ruled = fix::candidates(&seen.snapshot, finding).unwrap_or_default();
        let counsel = propose_counsel::gather(finding, place, &propose_counsel::records(session));
        let prompt = Case::new(&seen.snapshot, finding, &ruled).advised(&counsel).prompt(&settings);
        session.ui.print(&String::from_utf8_lossy(prompt.bytes()))?;
        session.ui.print("\n")?;
    }
    Ok(exit::DONE)
}

fn read_intent(file: &Path) -> Result<Intent, Error> {
    let shown = file.display();
    let bytes = crate::doors::files::read_bounded(file, 1 << 20)
        .map_err(|error| Error::usage(format!("could not read `{shown}`")).caused_by(&error))?;
    let mut intent: Intent = serde_json::from_slice(&bytes)
        .map_err(|error| Error::usage(format!("`{shown}` is no intent")).caused_by(&error))?;
    // Whatever the file says of itself: no rule decided it.
    intent.disposition = Disposition::Review;
    intent.review.push("the change was given in a file".to_owned());
    Ok(intent)
}

/// The findings to fix: the named object's, all fixable ones, or the only fixable one.
async fn pick(
    args: &ProposeArgs,
    target: Option<&Target>,
    seen: &Seen,
    serves: impl Fn(&Finding) -> bool,
    session: &Session,
) -> Result<Vec<Finding>, Error> {
    let failing: Vec<&Finding> =
        seen.diagnosis.findings.iter().filter(|finding| finding.severity != Severity::Info).collect();
    if let Some(target) = target {
        let owner = seen.owner_of_pod(&target.kind, &target.name);
        let mut about: Vec<Finding> =
            failing.iter().filter(|finding| target.is_about(finding, owner.as_ref())).map(|f| (*f).clone()).collect();
        if about.is_empty() && !args.place.choose.is_empty() {
            about = propose_choose::unhurried(target, seen).into_iter().cloned().collect();
        }
        if about.is_empty() {
            return no_finding(target, seen);
        }
        return Ok(about);
    }
    let fixable: Vec<&Finding> =
        failing.iter().copied().filter(|finding| finding.fix.class == FixClass::Rule || serves(finding)).collect();
    if args.all {
        // What no rule fixes is refused by name, not passed over.
        let rest = failing.iter().filter(|finding| !fixable.iter().any(|one| std::ptr::eq(*one, **finding)));
        return Ok(fixable.iter().chain(rest).map(|finding| (*finding).clone()).collect());
    }
    match fixable.as_slice() {
        [one] => Ok(vec![(*one).clone()]),
        [] if failing.is_empty() => Ok(Vec::new()),
        [] => match failing.as_slice() {
            [one] => Ok(vec![(*one).clone()]),
            several => propose_choose::which(several, "None of these is fixed by rule. Which one", session).await,
        },
        several => propose_choose::which(several, "Which one", session).await,
    }
}

fn no_finding(target: &Target, seen: &Seen) -> Result<Vec<Finding>, Error> {
    if seen.knows(&target.kind, &target.name) {
        return Ok(Vec::new());
    }
    Err(seen.not_seen(target))
}

fn nothing_to_fix(args: &ProposeArgs, target: Option<&Target>, seen: &Seen, session: &Session) -> Result<u8, Error> {
    match args.output {
        ProposalFormat::Json => session.ui.print(&json::proposals(&[])?)?,
        ProposalFormat::Patch => {}
        ProposalFormat::Text => {
            let mut page = session.ui.page();
            let checked = target.and_then(|target| diagnose::checks(&seen.snapshot, &target.kind, &target.name));
            if let Some((object, checks)) = checked {
                explain_text::healthy(&mut page, &object, &checks, &[], session.ui.width());
                page.end().line("Nothing to fix. A failure that is just beginning shows after a minute.");
                if target.is_some_and(|target| !propose_choose::unhurried(target, seen).is_empty()) {
                    page.put(Paint::Plain, "What may be chosen all the same: ");
                    page.foreign(Paint::Bold, &format!("aifix explain {object}")).end();
                }
                session.ui.print(page.as_str())?;
                return Ok(if seen.has_essential_gap() { exit::GAP } else { exit::DONE });
            }
            let view = scan_text::View { width: session.ui.width(), all: false, next: None };
            scan_text::write(&mut page, &seen.report(), view);
            page.end().line("Nothing to fix.");
            session.ui.print(page.as_str())?;
        }
    }
    Ok(if seen.has_essential_gap() { exit::GAP } else { exit::DONE })
}

fn show(outcome: &Outcome, args: &ProposeArgs, session: &Session) -> Result<(), Error> {
    if args.output != ProposalFormat::Text {
        return Ok(());
    }
    let mut page = session.ui.page();
    match outcome {
        Outcome::Proposed(proposal) => propose_text::proposed(&mut page, proposal, session.ui.width()),
        Outcome::Refused { finding, refusal } => propose_text::refused(&mut page, finding, refusal, session.ui.width()),
    }
    session.ui.print(page.as_str())
}

/// Without `--push`: whom a push would talk to, and the command that pushes.
fn next_step(
    outcome: &Outcome,
    args: &ProposeArgs,
    place: &Place,
    seen: &Seen,
    session: &Session,
) -> Result<(), Error> {
    let Outcome::Proposed(proposal) = outcome else { return Ok(()) };
    if args.output != ProposalFormat::Text {
        return Ok(());
    }
    let mut page = session.ui.page();
    let cluster =
        seen.server.as_deref().map(|server| format!("{} (read), ", Sanitised::line(server))).unwrap_or_default();
    let shown = |url: &RepoUrl| Sanitised::line(&url.to_string()).to_string();
    let repository = match place.fork() {
        None => format!("{} (fetched; --push pushes there)", shown(&place.remote.push_url)),
        Some(fork) => format!("{} (fetched), {} (--push pushes there)", shown(&place.remote.url), shown(fork)),
    };
    page.wrapped(session.ui.width(), "contacts  ", "          ", &format!("{cluster}{repository}"));
    if args.all {
        return session.ui.print(page.as_str());
    }
    let mut words = session.typed.clone();
    if args.object.is_empty() && !args.all {
        words.push(proposal.finding.object.to_string());
    }
    words.push("--push".to_owned());
    let command = words.iter().fold("aifix".to_owned(), |line, word| format!("{line} {}", shell_word(word)));
    page.end().put(Paint::Plain, "Nothing was written. Next: ").foreign(Paint::Bold, &command).end();
    session.ui.print(page.as_str())
}

fn report(results: &[(Outcome, propose_push::Decision)], args: &ProposeArgs, session: &Session) -> Result<(), Error> {
    match args.output {
        ProposalFormat::Text => Ok(()),
        ProposalFormat::Json => {
            let rows: Vec<(Outcome, Done)> =
                results.iter().map(|(outcome, decision)| (outcome.clone(), decision.done())).collect();
            session.ui.print(&json::proposals(&rows)?)
        }
        ProposalFormat::Patch => {
            for (outcome, _) in results {
                match outcome {
                    Outcome::Proposed(proposal) => print_patch(&patch::text(proposal), session)?,
                    Outcome::Refused { finding, refusal } => session.ui.warn(format_args!(
                        "no safe fix for {}: {}",
                        Sanitised::line(&finding.object.to_string()),
                        Sanitised::line(&refusal.message)
                    )),
                }
            }
            Ok(())
        }
    }
}

/// A patch is bytes for `git apply`; on a terminal what would move the cursor is escaped.
fn print_patch(text: &str, session: &Session) -> Result<(), Error> {
    if !patch::is_hostile(text) {
        return session.ui.print(text);
    }
    session.ui.warn(
        "the files hold characters that act on a terminal or a runner: look at the patch before you trust what you see",
    );
    if session.ui.out_is_terminal() {
        session.ui.print(Sanitised::block(text).as_str())
    } else {
        session.ui.print(text)
    }
}

/// With one outcome its own code; with several, done when at least one was proposed and none was declined.
fn exit_code(results: &[(Outcome, propose_push::Decision)]) -> u8 {
    use propose_push::Decision;
    let unasked = results.iter().find_map(|(_, decision)| decision.failed_request());
    if let Some(kind) = unasked {
        return kind.exit_code();
    }
    let pushed = results.iter().any(|(_, decision)| matches!(decision, Decision::Pushed { .. }));
    let declined = results.iter().any(|(_, decision)| matches!(decision, Decision::Declined { .. }));
    let waits = |denied: bool| {
        results.iter().any(
            |(_, decision)| matches!(decision, Decision::Waiting { kind, .. } if (*kind == Kind::Denied) == denied),
        )
    };
    if !pushed && waits(true) {
        return exit::DENIED;
    }
    if !pushed && waits(false) {
        return exit::DECLINED;
    }
    let proposed = results.iter().any(|(outcome, _)| matches!(outcome, Outcome::Proposed(_)));
    let denied = results.iter().any(|(outcome, _)| match outcome {
        Outcome::Refused { refusal, .. } => refusal.code == proposal::POLICY_DENIED,
        Outcome::Proposed(_) => false,
    });
    match (declined, proposed, denied) {
        (true, ..) => exit::DECLINED,
        (false, true, _) => exit::DONE,
        (false, false, true) => exit::DENIED,
        (false, false, false) => exit::REFUSED,
    }
}
