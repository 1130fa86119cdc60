//! `aifix eval`: how often a model is right, on recorded cases.

use super::Session;
use super::model::{self, ModelArgs};
use super::{eval_repository, propose_place};
use crate::audit::Store;
use crate::cluster;
use crate::diagnose::diagnose;
use crate::doors::files;
use crate::error::{Error, exit};
use crate::fix;
use crate::fix::expect::{Case, Mark};
use crate::fix::model::{Case as Asked, Consultation, NoFix, label};
use crate::learn::{self, Share};
use crate::llm::{Budget, Client, Settings, Way, prompt};
use crate::model::finding::Finding;
use crate::model::intent::Intent;
use crate::model::snapshot::Snapshot;
use crate::model::tree::Tree;
use crate::output::eval::{self, Row};
use crate::redact;
use crate::settings::flags::ReportFormat;
use crate::source::Tools;
use crate::text::{self, Sanitised};
use clap::Args;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Measure how often the rules and a model are right, on recorded cases with known answers
///
/// Each case is a file NAME.toml: `snapshot` (what --from reads, seen from the file), `code` (of the finding), and
/// either `refuse = true` or `[[right]]` with `path` and `values`, `at-least` or `at-most`. The rules are measured
/// always, a model when one is configured: it is asked about every case, whatever the rules say. With `repository`
/// (a folder with the files as Git has them) a change is right only when it is proved there, too: rendered before and
/// after it, nothing else differs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix eval tests/eval                                   the rules, on the cases of aifix's own source
  aifix eval tests/eval --llm-url http://127.0.0.1:8080   and a model
  aifix eval cases --results results.json                 goes on where it was stopped
  aifix eval --with-records ~/.local/state/aifix          your own records: what was right")]
pub struct EvalArgs {
    /// Folder of cases
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,

    /// Folder of records: how often the fixes in it were right, by what became of them and by people's words
    #[arg(long, value_name = "DIR")]
    pub with_records: Option<PathBuf>,

    /// File of answers so far: what stands in it is not asked again
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,

    #[command(flatten)]
    pub model: ModelArgs,
}

/// A case with its recording.
struct Loaded {
    name: String,
    case: Case,
    snapshot: Snapshot,
    finding: Finding,
    /// The files that its change must be proved in.
    repository: Option<Tree>,
    /// Of the case's own text, its recording and its repository.
    hash: String,
}

pub(super) async fn run(args: &EvalArgs, session: &Session) -> Result<u8, Error> {
    let shares = match &args.with_records {
        Some(folder) => shares(folder, session)?,
        None => Vec::new(),
    };
    let Some(folder) = &args.folder else {
        if args.with_records.is_some() {
            print(&[], &shares, args, session)?;
            return Ok(exit::DONE);
        }
        return Err(Error::usage("no folder of cases was named")
            .hint("aifix's own are in tests/eval of its source: aifix eval tests/eval"));
    };
    let settings = args.model.settings(session)?;
    let cases = load(folder)?;
    if args.model.show_prompt {
        for (case, settings) in cases.iter().zip(settings.iter().cycle()) {
            let prompt = Asked::new(&case.snapshot, &case.finding, &[]).prompt(settings);
            session.ui.print(&String::from_utf8_lossy(prompt.bytes()))?;
            session.ui.print("\n")?;
        }
        return Ok(exit::DONE);
    }
    let client = match settings {
        None => None,
        Some(settings) => {
            let first = cases.first().map(|case| Asked::new(&case.snapshot, &case.finding, &[]).prompt(&settings));
            let leaves = first.map(|prompt| prompt.leaves()).unwrap_or_default();
            let agreed = model::agree(&settings, &leaves, session).await?;
            Some(args.model.connect(settings, &agreed, session).await?)
        }
    };
    let mut known = match &args.results {
        Some(file) if files::exists(file) => read_results(file)?,
        _ => Vec::new(),
    };
    let tools = propose_place::tools(session);
    let mut rows = Vec::new();
    for case in &cases {
        rows.push(ruled(case, &tools).await?);
    }
    if let Some(client) = &client {
        for (at, case) in cases.iter().enumerate() {
            let (model, hash) = (name(client), asked_as(case, client.settings()));
            let is_it = |row: &&Row| row.model == model && row.case == case.name && row.hash == hash;
            if let Some(row) = known.iter().find(is_it) {
                rows.push(row.clone());
                continue;
            }
            let progress = session.ui.progress(&format!("Case {} of {}: {}", at + 1, cases.len(), case.name));
            let row = Row { hash, ..ask(client, case, model, &tools).await? };
            drop(progress);
            rows.push(row.clone());
            known.push(row);
            // What a server did not answer is asked again the next time.
            known.retain(|row| row.mark != Mark::Failed);
            if let Some(file) = &args.results {
                write_results(file, &known)?;
            }
        }
    }
    print(&rows, &shares, args, session)?;
    let failed = rows.iter().any(|row| row.mark == Mark::Failed);
    Ok(if failed { exit::UNREACHABLE } else { exit::DONE })
}

fn print(rows: &[Row], shares: &[Share], args: &EvalArgs, session: &Session) -> Result<(), Error> {
    match args.output {
        ReportFormat::Json => session.ui.print(&eval::json(rows, shares)?),
        ReportFormat::Text => {
            let mut page = session.ui.page();
            if args.folder.is_some() {
                eval::text(&mut page, rows);
            }
            if args.with_records.is_some() {
                eval::shares(&mut page, shares);
            }
            session.ui.print(page.as_str())
        }
    }
}

/// What became of the fixes of a folder of records.
fn shares(folder: &Path, session: &Session) -> Result<Vec<Share>, Error> {
    let key = session.environment.path("AIFIX_AUDIT_KEY_FILE");
    let shown = Sanitised::line(&folder.display().to_string());
    let store = Store::open_existing(folder, key.as_deref())?.ok_or_else(|| {
        Error::usage(format!("there are no records in `{shown}`")).hint("name the folder of `records.db`")
    })?;
    Ok(learn::shares(&store.latest(usize::MAX)?))
}

/// The model, and where it is: the same name can be another model elsewhere.
fn name(client: &Client) -> String {
    let model = &client.settings().model;
    if model.is_empty() { client.host() } else { format!("{model} at {}", client.host()) }
}

/// All that a model's answer to a case hangs on: the case, the first request, where it goes, and the time for it. The
/// way of asking is left out: it is found out while asking, and another way is no other question.
fn asked_as(case: &Loaded, settings: &Settings) -> String {
    let first = settings.api.ways().first().copied().unwrap_or(Way::Plain);
    let request = Asked::new(&case.snapshot, &case.finding, &[]).prompt(settings).body(settings, first);
    let seconds = settings.together.as_secs().to_string();
    // The numbers of placeholders hang on what else a run has seen.
    let request = redact::unnumbered(&String::from_utf8_lossy(&request));
    let parts = [&case.hash, settings.api.name(), settings.url.as_str(), &seconds, &request];
    hashed(parts.map(str::as_bytes))
}

/// Sixteen hex digits of all these parts, each told from the next by its length.
fn hashed<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What the rules say to a case.
async fn ruled(case: &Loaded, tools: &Tools) -> Result<Row, Error> {
    let ruled = fix::candidates(&case.snapshot, &case.finding);
    let (mark, said) = match &ruled {
        Ok(intents) => judged(case, intents.first(), tools).await?,
        Err(refusal) => (case.case.mark(None), refusal.message.clone()),
    };
    Ok(row("rules".to_owned(), case, mark, &said))
}

/// What a proposed change is. One that is right must be proved in the case's repository, too.
async fn judged(case: &Loaded, proposed: Option<&Intent>, tools: &Tools) -> Result<(Mark, String), Error> {
    let (mark, said) = (case.case.mark(proposed), proposed.map(label).unwrap_or_default());
    let (Mark::Right, Some(intent), Some(repository)) = (mark, proposed, &case.repository) else {
        return Ok((mark, said));
    };
    Ok(match eval_repository::prove(repository, &case.snapshot, intent, tools).await? {
        Ok(()) => (mark, said),
        Err(refusal) => (Mark::Wrong, format!("{said}, not proved in its repository: {}", refusal.message)),
    })
}

fn row(model: String, case: &Loaded, mark: Mark, said: &str) -> Row {
    let said = text::clip(redact::text(said).as_str(), 240);
    Row { model, case: case.name.clone(), hash: case.hash.clone(), mark, said, tokens: 0, seconds: 0.0 }
}

async fn ask(client: &Client, case: &Loaded, model: String, tools: &Tools) -> Result<Row, Error> {
    let began = Instant::now();
    let asked = Asked::new(&case.snapshot, &case.finding, &[]);
    let mut consultation = Consultation::new(client, asked, Budget::new(client.settings()));
    let answer: Result<Intent, NoFix> = consultation.next().await;
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let (mark, said) = match answer {
        Ok(intent) => judged(case, Some(&intent), tools).await?,
        Err(NoFix::Failed(error)) => (Mark::Failed, error.to_string()),
        // Without a field that may change nobody was asked: the tool itself refuses.
        Err(NoFix::Refused(refusal)) if consultation.found_nothing() || consultation.budget().made() == 0 => {
            (case.case.mark(None), refusal.message)
        }
        Err(NoFix::Refused(refusal)) => (Mark::Invalid, refusal.message),
    };
    let usage = consultation.budget().usage();
    Ok(Row { tokens: usage.prompt + usage.answer, seconds, ..row(model, case, mark, &said) })
}

fn load(folder: &Path) -> Result<Vec<Loaded>, Error> {
    let shown = Sanitised::line(&folder.display().to_string());
    let names = files::list(folder)
        .map_err(|error| Error::usage(format!("the folder `{shown}` can't be read")).caused_by(&error))?;
    let cases: Result<Vec<Loaded>, Error> =
        names.iter().filter_map(|name| name.strip_suffix(".toml")).map(|name| load_case(folder, name)).collect();
    match cases {
        Ok(cases) if cases.is_empty() => {
            Err(Error::usage(format!("`{shown}` holds no case"))
                .hint("a case is a file NAME.toml: see aifix eval --help"))
        }
        other => other,
    }
}

fn load_case(folder: &Path, name: &str) -> Result<Loaded, Error> {
    let wrong = |why: String| Error::usage(format!("the case `{}` can't be used", Sanitised::line(name))).because(why);
    let bytes = files::read_bounded(&folder.join(format!("{name}.toml")), 1 << 20).map_err(|e| wrong(e.to_string()))?;
    let text = String::from_utf8_lossy(&bytes);
    let case: Case = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    if case.refuse != case.right.is_empty() {
        return Err(wrong("it needs either `refuse = true` or [[right]]".to_owned()));
    }
    let snapshot = cluster::files::load(&folder.join(&case.snapshot), None)?;
    let is_it = |finding: &Finding| {
        finding.code.name() == case.code && (case.object.is_empty() || finding.object.to_string() == case.object)
    };
    let finding = diagnose(&snapshot).findings.into_iter().find(is_it);
    let finding = finding.ok_or_else(|| wrong(format!("its recording has no finding `{}`", case.code)))?;
    let repository = case.repository.as_ref().map(|own| eval_repository::read(&folder.join(own))).transpose()?;
    let (version, recording) = (prompt::VERSION.to_be_bytes(), cluster::files::digest(&snapshot));
    let files = repository.iter().flat_map(|tree| &tree.entries);
    let files = files.flat_map(|(path, entry)| [path.as_bytes(), entry.bytes().unwrap_or_default()]);
    let hash = hashed([&version, text.as_bytes(), recording.as_bytes()].into_iter().chain(files));
    Ok(Loaded { name: name.to_owned(), case, snapshot, finding, repository, hash })
}

fn read_results(file: &Path) -> Result<Vec<Row>, Error> {
    let shown = Sanitised::line(&file.display().to_string());
    let wrong = |error: &dyn std::error::Error| {
        Error::usage(format!("the results in `{shown}` can't be read")).caused_by(error).hint("name another file")
    };
    let bytes = files::read_bounded(file, 64 << 20).map_err(|error| wrong(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(&error))
}

fn write_results(file: &Path, rows: &[Row]) -> Result<(), Error> {
    let failed = |error: &dyn std::error::Error| {
        Error::usage(format!("the results can't be written to `{}`", Sanitised::line(&file.display().to_string())))
            .caused_by(error)
    };
    let text = serde_json::to_vec_pretty(rows).map_err(|error| failed(&error))?;
    let file_parent = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default();
    files::write_private(&file_parent.join(name), &text).map_err(|error| failed(&error))
}
