//! `aifix audit`: the records of what was decided.

use super::Session;
use crate::audit::Store;
use crate::error::{Error, Kind, exit};
use crate::output::{json, records};
use crate::settings::flags::ReportFormat;
use crate::settings::resolve;
use clap::{Args, Subcommand};

/// Look at the records of decisions, and check that they hold
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be asked of the records.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List the newest records
    List {
        /// How many at most
        #[arg(long, default_value = "20", value_name = "N")]
        max: usize,
        /// How to write the answer
        #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
        output: ReportFormat,
    },
    /// Show one record whole
    Show {
        /// Its id, or the start of it
        #[arg(value_name = "RECORD")]
        record: String,
        /// How to write the answer
        #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
        output: ReportFormat,
    },
    /// Check that no entry was changed, added or taken away
    ///
    /// The key lies beside the store: the check finds accidents and other people's edits. Against the owner of
    /// the key the proof is the `Aifix-Record:` trailer in the commits that were pushed.
    Verify,
}

pub(super) fn run(args: &AuditArgs, session: &Session) -> Result<u8, Error> {
    let folder = resolve::state_folder(&session.environment)?;
    let key = session.environment.path("AIFIX_AUDIT_KEY_FILE");
    let store = Store::open_existing(&folder, key.as_deref())?;
    let mut page = session.ui.page();
    let text = match (&args.command, store) {
        (AuditCommand::List { output, .. }, None) => match output {
            ReportFormat::Json => json::records(&[])?,
            ReportFormat::Text => {
                records::none(&mut page, &folder.display().to_string());
                page.as_str().to_owned()
            }
        },
        (AuditCommand::Show { record, .. }, None) => {
            return Err(Error::usage(format!("there is no record `{record}`"))
                .hint("records are made by `aifix propose --push`"));
        }
        (AuditCommand::Verify, None) => {
            records::none(&mut page, &folder.display().to_string());
            page.as_str().to_owned()
        }
        (AuditCommand::List { max, output }, Some(store)) => {
            let latest = store.latest(*max)?;
            match output {
                ReportFormat::Json => json::records(&latest)?,
                ReportFormat::Text => {
                    records::list(&mut page, &latest);
                    page.as_str().to_owned()
                }
            }
        }
        (AuditCommand::Show { record, output }, Some(store)) => {
            let entries = store.entries(record)?;
            match output {
                ReportFormat::Json => json::record(&entries)?,
                ReportFormat::Text => {
                    records::show(&mut page, &entries, session.ui.width());
                    page.as_str().to_owned()
                }
            }
        }
        (AuditCommand::Verify, Some(store)) => {
            let verified = store.verify()?;
            if let Some(bad) = &verified.first_bad {
                return Err(Error::new(
                    Kind::Denied,
                    format!("the records do not hold: entry {} of record {}", bad.seq, bad.record),
                )
                .because(&bad.why)
                .hint("compare with the `Aifix-Record:` trailers of the pushed commits"));
            }
            records::verified(&mut page, verified.entries, verified.records);
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(exit::DONE)
}
