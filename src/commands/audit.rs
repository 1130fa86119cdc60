//! `aifix audit`: the records of what was decided.

use super::audit_change::{self, EraseArgs};
use super::audit_diff::{self, DiffArgs};
use super::audit_export::{self, ExportArgs};
use super::audit_list::{self, ListArgs, SearchArgs, ShowArgs};
use super::audit_verify::{self, VerifyArgs};
use super::{Session, audit_git::Git};
use crate::audit::{Moment, Select, Store};
use crate::error::Error;
use crate::model::record::Phase;
use crate::settings::{environment, resolve};
use crate::text::Sanitised;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;

/// Look at the records of decisions, and check that they hold
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be asked of the records.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    List(ListArgs),
    Show(ShowArgs),
    Search(SearchArgs),
    Diff(DiffArgs),
    Export(ExportArgs),
    Verify(VerifyArgs),
    Erase(EraseArgs),
    /// Put a new key into use, and keep the old ones
    ///
    /// What was written under an old key still verifies, and nothing more can be written under it. All keys are in
    /// one file, which needs a backup: AIFIX_AUDIT_KEY_FILE, or audit.key beside the records.
    RotateKey,
    Feedback(super::audit_feedback::FeedbackArgs),
    Patterns(super::audit_patterns::PatternsArgs),
}

pub(super) async fn run(args: &AuditArgs, session: &Session) -> Result<u8, Error> {
    match &args.command {
        AuditCommand::List(args) => audit_list::list(args, session),
        AuditCommand::Show(args) => audit_list::show(args, session),
        AuditCommand::Search(args) => audit_list::search(args, session),
        AuditCommand::Diff(args) => audit_diff::run(args, session),
        AuditCommand::Export(args) => audit_export::run(args, session),
        AuditCommand::Verify(args) => audit_verify::run(args, session),
        AuditCommand::Erase(args) => audit_change::erase(args, session).await,
        AuditCommand::RotateKey => audit_change::rotate(session),
        AuditCommand::Feedback(args) => super::audit_feedback::run(args, session),
        AuditCommand::Patterns(args) => super::audit_patterns::run(args, session),
    }
}

/// Which records.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which records")]
pub struct WhichArgs {
    /// Those of this failure
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,

    /// Those of this object: web, Deployment/web or shop/Deployment/web
    #[arg(long, value_name = "OBJECT")]
    pub object: Option<String>,

    /// Those that came to this
    #[arg(long, value_name = "PHASE", value_parser = PossibleValuesParser::new(Phase::ALL.map(Phase::name)))]
    pub phase: Option<String>,

    /// Those with an entry since then: 2026-11-22, 2026-11-22T16:46:58Z, 12h, 7d, 4w
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
}

impl WhichArgs {
    pub(super) fn select(&self, text: Option<&str>) -> Select {
        let phase = self.phase.as_deref();
        Select {
            text: text.map(str::to_owned),
            code: self.code.clone(),
            object: self.object.clone(),
            phase: phase.and_then(|name| serde_json::from_value(Value::String(name.to_owned())).ok()),
            since: self.since.map(|since| since.resolve(environment::now())),
        }
    }
}

/// The records of this machine.
pub(super) struct Records {
    pub(super) folder: PathBuf,
    key: Option<PathBuf>,
}

impl Records {
    pub(super) fn of(session: &Session) -> Result<Self, Error> {
        let folder = resolve::state_folder(&session.environment)?;
        Ok(Self { folder, key: session.environment.path("AIFIX_AUDIT_KEY_FILE") })
    }

    /// To read them; `None` when there are none.
    pub(super) fn open(&self) -> Result<Option<Store>, Error> {
        Store::open_existing(&self.folder, self.key.as_deref())
    }

    /// To read them, where there must be some.
    pub(super) fn expect(&self) -> Result<Store, Error> {
        self.open()?.ok_or_else(|| self.none())
    }

    /// To change them, where there must be some.
    pub(super) fn expect_writable(&self) -> Result<Store, Error> {
        self.expect()?;
        self.make()
    }

    /// To add to them; made when there are none.
    pub(super) fn make(&self) -> Result<Store, Error> {
        Store::open(&self.folder, self.key.as_deref())
    }

    fn none(&self) -> Error {
        let folder = Sanitised::line(&self.folder.display().to_string()).to_string();
        Error::usage(format!("there are no records in {folder}"))
            .hint("records are made by `aifix propose --push`")
            .hint("what commits say of them: aifix audit list --git")
    }
}

/// The commits of a repository, when they are asked for or when there are no records.
pub(super) fn commits(git: &Git, store: Option<&Store>, session: &Session) -> Result<Option<audit_list::Team>, Error> {
    if !git.is_asked() && store.is_some() {
        return Ok(None);
    }
    git.read(session)
}
