//! `aifix audit export`: records for other programs.

use super::Session;
use super::audit::{Records, WhichArgs};
use crate::error::{Error, exit};
use crate::model::record::Entry;
use crate::output::records_export::{self, TooLarge};
use crate::settings::flags::ExportFormat;
use crate::text::Sanitised;
use clap::Args;
use std::ops::ControlFlow;

/// Write records for other programs: objects, a log, or files for a Git repository
///
/// Redacted as they are stored, the oldest first. Nothing is applied to a cluster: put the files into your own
/// repository. The CustomResourceDefinition of the objects is written by aifix schema --crd.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix audit export > records.yaml
  aifix audit export --since 1d -o jsonl >> aifix.log
  aifix audit export --phase pushed -o configmap > records/aifix.yaml")]
pub struct ExportArgs {
    /// Their ids, or the starts of them [default: all]
    #[arg(value_name = "RECORD")]
    pub records: Vec<String>,

    /// How to write them
    #[arg(short, long, value_enum, default_value = "yaml", value_name = "FORMAT")]
    pub output: ExportFormat,

    #[command(flatten)]
    pub which: WhichArgs,
}

pub(super) fn run(args: &ExportArgs, session: &Session) -> Result<u8, Error> {
    let store = Records::of(session)?.expect()?;
    let select = args.which.select(None);
    let mut skipped = false;
    let mut write = |entries: &[Entry]| {
        let Some(text) = text(entries, args.output, session)? else {
            skipped = true;
            return Ok(ControlFlow::Continue(()));
        };
        // A reader that went away has had enough.
        Ok(if session.ui.feed(&text)? { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    };
    match args.records.as_slice() {
        [] => store.each(&select, |entries| write(&entries))?,
        named => {
            let found: Result<Vec<_>, Error> = named.iter().map(|record| store.entries(record)).collect();
            let mut found = found?;
            found.sort_by_key(|entries| entries.first().map(|entry| entry.seq));
            found.dedup_by_key(|entries| entries.first().map(|entry| entry.seq));
            for entries in found.iter().filter(|entries| select.takes(entries)) {
                if write(entries)?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(if skipped { exit::GAP } else { exit::DONE })
}

/// One record in the wanted shape; `None` when it does not fit, which is said.
fn text(entries: &[Entry], format: ExportFormat, session: &Session) -> Result<Option<String>, Error> {
    Ok(match format {
        ExportFormat::Yaml => Some(records_export::yaml(entries)?),
        ExportFormat::Jsonl => Some(records_export::lines(entries)?),
        ExportFormat::Configmap => match records_export::config_map(entries)? {
            Ok(text) => Some(text),
            Err(TooLarge { record, bytes }) => {
                session.ui.warn(format_args!(
                    "record {} is left out: {bytes} bytes are more than a ConfigMap may hold; -o yaml writes it",
                    Sanitised::line(&record)
                ));
                None
            }
        },
    })
}
