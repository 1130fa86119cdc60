//! The command line: one command per file.

mod audit;
mod audit_change;
mod audit_diff;
mod audit_export;
mod audit_feedback;
mod audit_git;
mod audit_list;
mod audit_patterns;
mod audit_verify;
mod codes;
pub mod complete;
pub mod completions;
mod contexts;
mod demo;
mod doctor;
mod eval;
mod eval_repository;
mod explain;
mod filter;
mod forge_of;
mod look;
mod model;
mod parts;
mod policy;
mod policy_suggest;
mod policy_why;
mod propose;
mod propose_choose;
mod propose_clone;
mod propose_counsel;
mod propose_dry_run;
mod propose_history;
mod propose_lead;
mod propose_maps;
mod propose_place;
mod propose_push;
mod propose_request;
mod propose_schema;
pub mod runtime;
mod scan;
mod scan_source;
mod schema;
mod snapshot;
mod status;
mod status_cluster;
mod status_forge;
mod status_git;
mod status_shared;
mod target;
mod watch;

use crate::error::Error;
use crate::redact;
use crate::settings::environment::{self, Environment};
use crate::settings::file;
use crate::settings::flags::Personal;
use crate::text::shell_word;
use crate::ui::{Colour, Ui};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Finds why Kubernetes workloads fail, and pushes the proved fix to Git
///
/// aifix only reads the cluster and never touches your working tree: a fix is a commit on a branch of its own.
#[derive(Debug, Parser)]
#[command(name = "aifix", version, max_term_width = 100, after_help = EXIT_CODES, propagate_version = false)]
pub struct Cli {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", hide_possible_values = false)]
    pub color: Colour,

    /// Say nothing but warnings and errors on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,

    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    Scan(Box<scan::ScanArgs>),
    Explain(explain::ExplainArgs),
    Propose(Box<propose::ProposeArgs>),
    Status(Box<status::StatusArgs>),
    Codes(codes::CodesArgs),
    Schema(schema::SchemaArgs),
    Snapshot(snapshot::SnapshotArgs),
    Policy(policy::PolicyArgs),
    Doctor(doctor::DoctorArgs),
    Demo(demo::DemoArgs),
    Eval(eval::EvalArgs),
    Completions(completions::CompletionsArgs),
    Audit(audit::AuditArgs),
    /// Panics: the tests look at what a user sees then.
    #[cfg(debug_assertions)]
    #[command(name = "__panic", hide = true)]
    Panic,
}

/// The exit-code table, as `--help` shows it.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  scan found root causes worse than info, or status --wait a bad end
    2  wrong usage or configuration
    3  cluster, model or Git host unreachable
    4  refused: no safe edit could be proved
    5  denied: a policy, a missing approval, or a record that does not verify
    6  something essential could not be looked at, and nothing else is wrong
    7  declined, or a question with nobody to ask
   70  a bug in aifix
  130  interrupted
  143  terminated";

/// What every command is given.
#[derive(Debug)]
pub struct Session {
    pub ui: Ui,
    pub environment: Environment,
    /// The words after the program's name.
    pub typed: Vec<String>,
    /// What a signal would interrupt, and what to look at then.
    pub interruptible: Arc<Mutex<Option<String>>>,
}

impl Session {
    /// Notes what a signal would interrupt now.
    fn in_flight(&self, words: Option<String>) {
        *self.interruptible.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// The command line as it was typed, words joined.
    fn command(&self) -> String {
        self.typed.iter().fold("aifix".to_owned(), |line, word| format!("{line} {word}"))
    }
}

/// Reads the command line; help, usage errors and the version end the process here.
/// As a plugin of kubectl the binary is called `kubectl-aifix`, and says so in its help.
pub fn parse() -> Cli {
    let is_plugin = environment::invoked_as().is_some_and(|name| name.starts_with("kubectl-"));
    let command = if is_plugin { Cli::command().bin_name("kubectl aifix") } else { Cli::command() };
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// Our own binary, which evaluates policies in a child process.
fn program() -> Result<PathBuf, Error> {
    environment::program().map_err(|error| Error::bug("our own binary was not found").caused_by(&error))
}

/// Only a scan reads several contexts.
fn one_context(command: &Command) -> Result<(), Error> {
    let (name, look) = match command {
        Command::Explain(args) => ("explain", &args.look),
        Command::Propose(args) => ("propose", &args.look),
        Command::Status(args) => ("status", &args.look),
        Command::Snapshot(args) => ("snapshot", &args.look),
        Command::Doctor(args) => ("doctor", &args.look),
        _ => return Ok(()),
    };
    match look.context.as_slice() {
        [] | [_] => Ok(()),
        [first, ..] => Err(Error::usage(format!("`aifix {name}` looks at one context at a time"))
            .hint(format!("name one: aifix {name} --context {}", shell_word(first)))
            .hint("only `aifix scan` reads several")),
    }
}

/// From here on, what the user wants removed besides secrets is removed everywhere.
fn also_redact(command: &Command, session: &Session) -> Result<(), Error> {
    let look = match command {
        Command::Scan(args) => &args.look,
        Command::Explain(args) => &args.look,
        Command::Propose(args) => &args.look,
        Command::Status(args) => &args.look,
        Command::Snapshot(args) => &args.look,
        _ => return Ok(()),
    };
    let config = file::read(&session.environment)?.redact;
    let wants = |kind: Personal| look.redact.contains(&kind) || config.also.contains(&kind);
    redact::also(redact::Also { emails: wants(Personal::Emails), addresses: wants(Personal::Addresses) });
    Ok(())
}

/// Runs one command to its exit code.
///
/// # Errors
/// What the command could not do, with its kind and hints.
pub async fn run(command: Command, session: &Session) -> Result<u8, Error> {
    one_context(&command)?;
    also_redact(&command, session)?;
    match command {
        Command::Scan(args) => scan::run(&args, session).await,
        Command::Explain(args) => explain::run(&args, session).await,
        Command::Propose(args) => propose::run(&args, session).await,
        Command::Status(args) => status::run(&args, session).await,
        Command::Codes(args) => codes::run(&args, session),
        Command::Schema(args) => schema::run(&args, session),
        Command::Snapshot(args) => snapshot::run(&args, session).await,
        Command::Completions(args) => completions::run(&args, session),
        Command::Demo(args) => demo::run(&args, session).await,
        Command::Doctor(args) => doctor::run(&args, session).await,
        Command::Eval(args) => eval::run(&args, session).await,
        Command::Policy(args) => policy::run(&args, session).await,
        Command::Audit(args) => audit::run(&args, session).await,
        #[cfg(debug_assertions)]
        #[expect(clippy::panic, reason = "it is what is asked for")]
        Command::Panic => panic!("asked for"),
    }
}
