//! `aifix audit patterns`: what incidents have in common.

use super::Session;
use super::audit::Records;
use crate::error::{Error, exit};
use crate::learn::{self, Record};
use crate::output::patterns;
use crate::settings::flags::ReportFormat;
use clap::Args;

/// Say what recorded incidents have in common: a change before them, a workload, an image, a label, an author, a time
///
/// Several records of one failure count once. A pattern is at least two incidents; of a change, an author, an image
/// or a label it is also at least half of the failure's incidents there.
#[derive(Debug, Args)]
pub struct PatternsArgs {
    /// Only patterns of this failure
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,

    /// Only incidents of this namespace
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,
}

pub(super) fn run(args: &PatternsArgs, session: &Session) -> Result<u8, Error> {
    let records = records(session)?;
    let mut found = learn::patterns(&records);
    found.retain(|pattern| {
        args.code.as_ref().is_none_or(|code| pattern.code == *code)
            && args.namespace.as_ref().is_none_or(|name| pattern.namespace.as_ref() == Some(name))
    });
    match args.output {
        ReportFormat::Json => session.ui.print(&patterns::json(&found, records.len())?)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            patterns::text(&mut page, &found, records.len(), session.ui.width());
            session.ui.print(page.as_str())?;
        }
    }
    Ok(exit::DONE)
}

/// All records that are here.
pub(super) fn records(session: &Session) -> Result<Vec<Record>, Error> {
    match Records::of(session)?.open()? {
        Some(store) => store.latest(usize::MAX),
        None => Ok(Vec::new()),
    }
}
