//! `aifix schema`: what the documents of `-o json` hold.

use super::Session;
use crate::error::{Error, exit};
use crate::output::schema;
use clap::Args;
use clap::builder::PossibleValuesParser;

/// Print the JSON Schema of what `-o json` writes
///
/// Every document names its `kind`. Fields are added and never renamed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix schema ScanReport   what `aifix scan -o json` writes
  aifix schema              what any command writes")]
pub struct SchemaArgs {
    /// The kind of document [default: any]
    #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(schema::kinds()), ignore_case = true)]
    pub kind: Option<String>,
}

pub(super) fn run(args: &SchemaArgs, session: &Session) -> Result<u8, Error> {
    let kind = args.kind.as_deref().and_then(|typed| schema::kinds().find(|kind| kind.eq_ignore_ascii_case(typed)));
    session.ui.print(&schema::of(kind)?)?;
    Ok(exit::DONE)
}
