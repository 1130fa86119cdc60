//! `aifix policy`: what the policies are, and what they say.

use super::{Session, policy_why};
use crate::doors::files;
use crate::error::{Error, Kind, exit};
use crate::model::verdict::Decision;
use crate::output::{json, verdicts};
use crate::policy::{self, File, Limits, Set};
use crate::settings::flags::ReportFormat;
use crate::text;
use crate::ui::Paint;
use crate::yaml;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// List the policies, test them, or check manifests with them
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What can be asked of the policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the policies and what each is for
    ///
    /// Exits 5 when one does not parse.
    List {
        #[command(flatten)]
        policies: PolicySource,
    },
    /// Check manifests as they stand
    ///
    /// Exits 5 when a policy denies one.
    Check {
        /// Files, or folders whose YAML and JSON files are read
        #[arg(value_name = "FILE|FOLDER", required = true)]
        manifests: Vec<PathBuf>,
        #[command(flatten)]
        policies: PolicySource,
        /// How to write the answer
        #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
        output: ReportFormat,
    },
    /// Say why the policies said what they said
    ///
    /// Of manifests, or of a record: each verdict with the rule that gave it, the fields that the rule reads, and
    /// what the policy is for. Exits 0 whatever they said.
    Why {
        /// Files or folders of manifests, or the id of one record (its start is enough)
        #[arg(value_name = "FILE|FOLDER|RECORD", required = true)]
        subjects: Vec<PathBuf>,
        /// Only what this policy said
        #[arg(long = "only", value_name = "NAME")]
        only: Option<String>,
        #[command(flatten)]
        policies: PolicySource,
        /// How to write the answer
        #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
        output: ReportFormat,
    },
    /// Run the policies' own tests
    ///
    /// Without folders: those of the policies that aifix brings. Exits 5 when one fails, and with
    /// --coverage when they reach too little.
    Test {
        /// Folders with policies and their `_test.rego` files
        #[arg(value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// The same as DIR; may be repeated
        #[arg(long = "policy", value_name = "DIR|FILE")]
        policies: Vec<PathBuf>,
        /// Say which lines of the policies no test reaches, and fail when fewer than PERCENT are reached
        #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "100", require_equals = true, value_parser = clap::value_parser!(u8).range(0..=100))]
        coverage: Option<u8>,
    },
    Suggest(super::policy_suggest::SuggestArgs),
}

/// Which policies are asked.
#[derive(Debug, Args)]
pub struct PolicySource {
    /// A further folder or file of policies; may be repeated. They can only add denials
    ///
    /// Rego v1 or v0, for aifix or for conftest, and Gatekeeper's ConstraintTemplates and Constraints as they are.
    #[arg(long = "policy", value_name = "DIR|FILE")]
    pub policies: Vec<PathBuf>,
}

pub(super) async fn run(args: &PolicyArgs, session: &Session) -> Result<u8, Error> {
    match &args.command {
        PolicyCommand::List { policies } => list(&Set::load(true, &policies.policies)?, session).await,
        PolicyCommand::Check { manifests, policies, output } => {
            check(manifests, &Set::load(true, &policies.policies)?, *output, session).await
        }
        PolicyCommand::Suggest(args) => super::policy_suggest::run(args, session).await,
        PolicyCommand::Why { subjects, only, policies, output } => {
            let set = Set::load(true, &policies.policies)?;
            policy_why::run(subjects, only.as_deref(), &set, *output, session).await
        }
        PolicyCommand::Test { folders, policies, coverage } => {
            let folders = [folders.as_slice(), policies].concat();
            test(&Set::load(folders.is_empty(), &folders)?, *coverage, session).await
        }
    }
}

async fn list(set: &Set, session: &Session) -> Result<u8, Error> {
    let program = super::program()?;
    let faults = policy::parse(set, &Limits::default(), &program).await;
    let described = policy::describe(set, &Limits::default(), &program).await;
    let mut page = session.ui.page();
    let is_sound = |file: &File| faults.iter().all(|fault| fault.policy != file.name) && !file.is_test();
    for (at, file) in set.files.iter().enumerate().filter(|(_, file)| is_sound(file) && !file.is_template) {
        let about = file.metadata();
        // A file that only others import decides nothing.
        if file.name.starts_with("lib/") {
            continue;
        }
        page.foreign(Paint::Bold, &file.name);
        if !about.severity.is_empty() {
            page.put(Paint::Plain, "  ").foreign(Paint::Cyan, &about.severity);
        }
        page.put(Paint::Dim, "  ").foreign(Paint::Dim, &file.path);
        let reads = described.iter().find(|described| described.file == at).map_or("", |described| &described.reads);
        match reads {
            "manifest" => page.put(Paint::Dim, "  each manifest"),
            "both" => page.put(Paint::Dim, "  the change and each manifest"),
            _ => &mut page,
        }
        .end();
        if !about.title.is_empty() {
            page.wrapped(session.ui.width(), "  ", "  ", text::Sanitised::line(&about.title).as_str());
        }
    }
    for constraint in &set.constraints {
        page.foreign(Paint::Bold, constraint.name())
            .put(Paint::Plain, "  ")
            .put(Paint::Cyan, constraint.action().name());
        page.put(Paint::Dim, "  ").foreign(Paint::Dim, constraint.path()).end();
        let words = if constraint.fault().is_empty() { &constraint.title } else { constraint.fault() };
        if !words.is_empty() {
            page.wrapped(session.ui.width(), "  ", "  ", text::Sanitised::line(words).as_str());
        }
    }
    for words in set.unused().map(|kind| format!("no constraint uses the template of {kind}")).chain(set.aside.clone())
    {
        page.put(Paint::Yellow, "not asked").put(Paint::Plain, "  ").foreign(Paint::Plain, &words).end();
    }
    for fault in &faults {
        page.put(Paint::Red, "does not parse").put(Paint::Plain, "  ").foreign(Paint::Bold, &fault.policy);
        if let Some(place) = &fault.location {
            page.put(Paint::Dim, "  ").foreign(Paint::Dim, &place.to_string());
        }
        page.end();
        page.wrapped(session.ui.width(), "  ", "  ", text::Sanitised::line(&fault.message).as_str());
    }
    session.ui.print(page.as_str())?;
    Ok(if faults.is_empty() { exit::DONE } else { exit::DENIED })
}

/// Checking many manifests takes longer than one proposal: the deadline grows with them.
pub(super) fn limits(objects: usize) -> Limits {
    let seconds = 5 + u64::try_from(objects / 50).unwrap_or(60).min(60);
    Limits { deadline: Duration::from_secs(seconds), ..Limits::default() }
}

async fn check(paths: &[PathBuf], set: &Set, output: ReportFormat, session: &Session) -> Result<u8, Error> {
    let objects = manifests(paths)?;
    let evaluation = policy::check(&objects, set, &limits(objects.len()), &super::program()?).await;
    let text = match output {
        ReportFormat::Json => json::verdicts(&evaluation, objects.len())?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            verdicts::headline(&mut page, &evaluation, objects.len());
            verdicts::write(&mut page, &evaluation, session.ui.width());
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(if evaluation.decision() == Decision::Deny { exit::DENIED } else { exit::DONE })
}

/// Kubernetes objects of what is named.
pub(super) fn manifests(paths: &[PathBuf]) -> Result<Vec<Value>, Error> {
    let mut objects = Vec::new();
    for path in paths {
        read(path, &mut objects)?;
    }
    if objects.is_empty() {
        return Err(Error::usage("there is no Kubernetes object in what was named")
            .hint("name YAML or JSON files, or a folder of them"));
    }
    Ok(objects)
}

/// Kubernetes objects of a file, or of every manifest of a folder.
fn read(path: &Path, into: &mut Vec<Value>) -> Result<(), Error> {
    let shown = path.display().to_string();
    let unread = |error: &std::io::Error| Error::usage(format!("could not read `{shown}`")).caused_by(error);
    if files::is_dir(path) {
        for name in files::list(path).map_err(|error| unread(&error))? {
            let below = path.join(&name);
            let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
            if is_manifest || (files::is_dir(&below) && !name.starts_with('.')) {
                read(&below, into)?;
            }
        }
        return Ok(());
    }
    let bytes = files::read_bounded(path, 16 << 20).map_err(|error| unread(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::usage(format!("`{shown}` is not UTF-8")))?;
    let documents =
        yaml::parse::all(&text).map_err(|error| Error::usage(format!("`{shown}` is no manifest")).because(error))?;
    into.extend(documents.into_iter().filter(|document| document.get("kind").is_some()));
    Ok(())
}

async fn test(set: &Set, coverage: Option<u8>, session: &Session) -> Result<u8, Error> {
    let results = policy::test(set, &Limits::default(), &super::program()?).await;
    if results.is_empty() {
        return Err(Error::new(Kind::Usage, "there is no test")
            .hint("tests are rules named `test_...` in files named `..._test.rego`"));
    }
    let mut page = session.ui.page();
    verdicts::tests(&mut page, &results, session.ui.width());
    let is_reached = coverage.is_none_or(|wanted| {
        let files = policy::coverage(set, &results);
        verdicts::coverage(&mut page, &files);
        policy::percent(&files) >= usize::from(wanted)
    });
    session.ui.print(page.as_str())?;
    let is_good = is_reached && results.iter().all(|result| result.passed);
    Ok(if is_good { exit::DONE } else { exit::DENIED })
}
