//! `aifix scan`: what fails here, and why.

use super::filter::{Bar, Baseline, FilterArgs, Filters};
use super::parts::{self, Part};
use super::scan_source::Sources;
use super::{Session, contexts, look, watch};
use crate::error::{Error, exit};
use crate::model::report::{ReportedFinding, ScanReport};
use crate::output::{github, html, json, junit, markdown, sarif, scan_text};
use crate::settings::flags::{LookArgs, ScanFormat};
use crate::text::{self, Sanitised, shell_word};
use clap::Args;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::Duration;

/// Find the failing workloads of a namespace, and why they fail
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix scan                      the current context's namespace
  aifix scan -n prod -n billing   two namespaces
  aifix scan -A -o json           the whole cluster, for another program
  aifix scan -o sarif > out.sarif for code scanning; findings do not fail it
  aifix scan --from snapshot.json a recorded snapshot
  aifix scan --watch 30s --context east --context west
                                  two clusters, looked at again and again
  aifix scan --write-baseline known.json
  aifix scan --baseline known.json
                                  only what is new since then fails

Patterns of --ignore and --only (a * stands for anything, a reason follows a #):
  'oom-killed#known, OPS-12'      a code; also probe-*
  Deployment/web, shop/deploy/web an object, in any namespace or in one; also */web-*
  Deployment/web:oom-killed       one code of an object
  team=payments                   what has the label, itself or its pods (as -l takes it)")]
pub struct ScanArgs {
    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ScanFormat,

    /// Also show what is merely worth knowing, what was set aside, every effect and all evidence
    #[arg(long)]
    pub all: bool,

    /// The least severity that makes the exit code 1
    #[arg(long, value_enum, default_value = "warning", value_name = "SEVERITY")]
    pub fail_on: Bar,

    /// Also exit 6 when something contextual (nodes, volumes, quotas) could not be looked at
    #[arg(long)]
    pub strict: bool,

    /// Look again and again until Ctrl-C, and show what changed; with json one document per line
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "10s",
        value_parser = interval, conflicts_with = "from")]
    pub watch: Option<Duration>,

    /// Also name the line in Git that makes each finding's field: proved by renders, else marked as likely
    #[arg(long)]
    pub source: bool,

    /// With --source: a clone of the repository, whose HEAD is read
    #[arg(long, value_name = "PATH", default_value = ".", requires = "source", hide_default_value = true)]
    pub repo: PathBuf,

    #[command(flatten)]
    pub look: LookArgs,

    #[command(flatten)]
    pub filter: FilterArgs,
}

/// How long to wait between two looks.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = crate::settings::flags::duration(text)?;
    if interval < Duration::from_secs(1) { Err("at least a second".to_owned()) } else { Ok(interval) }
}

pub(super) async fn run(args: &ScanArgs, session: &Session) -> Result<u8, Error> {
    let mut filters = Filters::read(&args.filter)?;
    let baseline = args.filter.baseline.as_deref().map(Baseline::read).transpose()?;
    if let Some(interval) = args.watch {
        if args.source {
            return Err(Error::usage("--watch does not read a repository").hint("leave --source away, or look once"));
        }
        if !matches!(args.output, ScanFormat::Text | ScanFormat::Json) {
            return Err(Error::usage("--watch writes text or json only").hint("leave -o away, or look once"));
        }
        return watch::run(args, interval, (filters, baseline), session).await;
    }
    let mut sources = if args.source { Some(Sources::open(&args.repo, session)?) } else { None };
    let mut parts = first(args, &mut filters, sources.as_mut(), session).await?;
    for idle in filters.idle() {
        session.ui.say(Sanitised::line(&format!("`{idle}` matched nothing")));
    }
    let written = match &args.filter.write_baseline {
        None => None,
        Some(file) => {
            let found = Baseline::of(&parts);
            found.write(file)?;
            Some((found, file))
        }
    };
    if let (Some(baseline), Some(file)) = (&baseline, &args.filter.baseline) {
        baseline.apply(&mut parts, file)?;
        tell_gone(baseline, &parts, args, session);
    }
    if let Some(sources) = &sources {
        sources.tell();
    }
    let report = parts::join(parts);
    session.ui.print(&written_as(args.output, &report, args, session)?)?;
    if let Some((found, file)) = &written {
        let file = shell_word(&file.display().to_string());
        session.ui.say(Sanitised::line(&format!(
            "Wrote {} to {file}; what is new fails: aifix scan --baseline {file}",
            text::count(found.len(), "finding")
        )));
    }
    Ok(exit_code(args, &report, written.is_some()))
}

/// Looks once at each context, or at the recording.
async fn first(
    args: &ScanArgs,
    filters: &mut Filters,
    mut sources: Option<&mut Sources<'_>>,
    session: &Session,
) -> Result<Vec<Part>, Error> {
    let narrowed = args.look.selector.is_some();
    if args.look.from.is_some() {
        let seen = ManuallyDrop::new(look::look(&args.look, session).await?);
        let mut part = Part::filtered(&seen, narrowed, filters);
        if let Some(sources) = sources {
            sources.name(&mut part, &seen).await?;
        }
        return Ok(vec![part]);
    }
    let selector = look::selected(&args.look)?;
    let mut places = contexts::places(&args.look);
    let seen = contexts::first(&mut places, selector.as_ref(), session).await?;
    let mut parts = Vec::new();
    for (place, seen) in places.iter().zip(seen) {
        let seen = match seen {
            // The process ends after this: a large snapshot is not given back piece by piece.
            Ok(seen) => ManuallyDrop::new(seen),
            Err(error) => {
                parts.push(Part::unseen(place.name(), place.scope()).without(error.to_string()));
                continue;
            }
        };
        let mut part = Part::filtered(&seen, narrowed, filters);
        if let Some(sources) = &mut sources {
            sources.name(&mut part, &seen).await?;
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Entries of the baseline that no longer occur.
fn tell_gone(baseline: &Baseline, parts: &[Part], args: &ScanArgs, session: &Session) {
    let gone = baseline.gone(parts);
    let (Some(first), Some(file)) = (gone.first(), &args.filter.baseline) else { return };
    let (is, it) = if gone.len() == 1 { ("is", "it") } else { ("are", "them") };
    let more = if gone.len() == 1 { String::new() } else { format!(" and {} more", gone.len() - 1) };
    session.ui.say(Sanitised::line(&format!(
        "{} of the baseline {is} gone ({first}{more}); to forget {it}: aifix scan --write-baseline {}",
        gone.len(),
        shell_word(&file.display().to_string())
    )));
}

/// The report in the format that was asked for.
fn written_as(format: ScanFormat, report: &ScanReport, args: &ScanArgs, session: &Session) -> Result<String, Error> {
    let command = |reported: &ReportedFinding| next_command(&args.look, reported);
    match format {
        ScanFormat::Text => Ok(text_of(report, args, session, session.ui.width())),
        ScanFormat::Json => json::scan(report),
        ScanFormat::Sarif => sarif::scan(report),
        ScanFormat::Junit => junit::scan(report),
        ScanFormat::Github => github::scan(report),
        ScanFormat::Markdown => markdown::scan(report),
        ScanFormat::Html => Ok(html::write(report, args.look.from.is_none().then_some(&command))),
    }
}

/// The report for people, `width` columns wide.
pub(super) fn text_of(report: &ScanReport, args: &ScanArgs, session: &Session, width: usize) -> String {
    let mut page = session.ui.page();
    let command = |reported: &ReportedFinding| next_command(&args.look, reported);
    let next: Option<&dyn Fn(&ReportedFinding) -> String> = args.look.from.is_none().then_some(&command);
    scan_text::write(&mut page, report, scan_text::View { width, all: args.all, next });
    page.as_str().to_owned()
}

/// What was just written into a baseline is known.
fn exit_code(args: &ScanArgs, report: &ScanReport, written: bool) -> u8 {
    let fails = |one: &ReportedFinding| args.fail_on.includes(one.finding.severity);
    let mut gaps = report.contexts.iter().flat_map(|context| &context.gaps);
    // A code-scanning job must reach its upload step: what fails there is the forge's to say.
    let counts = !written && args.output != ScanFormat::Sarif;
    if counts && report.findings.iter().any(fails) {
        exit::FOUND
    } else if gaps.any(|gap| gap.essential || args.strict) {
        exit::GAP
    } else {
        exit::DONE
    }
}

/// The command that proposes a fix of this finding, from where the user stands.
fn next_command(look: &LookArgs, reported: &ReportedFinding) -> String {
    let object = &reported.finding.object;
    let mut look = look.clone();
    if !look.context.is_empty() {
        look.context = vec![reported.context.clone()];
    }
    let mut words = vec!["propose".to_owned(), object.to_string()];
    words.extend(look.typed(object.namespace.as_deref()));
    words.iter().fold("aifix".to_owned(), |line, word| format!("{line} {}", shell_word(word)))
}
