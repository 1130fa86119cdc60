//! `aifix audit diff`: how two decisions differ.

use super::Session;
use super::audit::Records;
use crate::error::{Error, exit};
use crate::output::records_diff;
use crate::settings::flags::ReportFormat;
use clap::Args;

/// Compare two records: failure, context, fix, verdicts, what became of it
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// One record: its id, or the start of it
    #[arg(value_name = "RECORD")]
    pub one: String,

    /// The other
    #[arg(value_name = "OTHER")]
    pub other: String,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,
}

pub(super) fn run(args: &DiffArgs, session: &Session) -> Result<u8, Error> {
    let store = Records::of(session)?.expect()?;
    let (one, other) = (store.entries(&args.one)?, store.entries(&args.other)?);
    let difference = records_diff::of(&one, &other)?;
    let text = match args.output {
        ReportFormat::Json => difference.json()?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            difference.write(&mut page, session.ui.width());
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(exit::DONE)
}
