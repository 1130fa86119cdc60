//! `aifix schema`: what the documents of `-o json` hold.

use super::Session;
use crate::error::{Error, exit};
use crate::output::{crd, schema};
use clap::Args;
use clap::builder::PossibleValuesParser;

/// Print the JSON Schema of what `-o json` writes
///
/// Every document names its `kind`. Fields are added and never renamed. PolicyInput is what policies read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix schema ScanReport   what `aifix scan -o json` writes
  aifix schema PolicyInput  what a policy reads as `input`
  aifix schema              what any command writes
  aifix schema --crd        the definition of AIFix objects, for a cluster")]
pub struct SchemaArgs {
    /// The kind of document [default: any]
    #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(schema::kinds()), ignore_case = true)]
    pub kind: Option<String>,

    /// Print the CustomResourceDefinition of AIFix instead; aifix applies it nowhere
    #[arg(long, conflicts_with = "kind")]
    pub crd: bool,
}

pub(super) fn run(args: &SchemaArgs, session: &Session) -> Result<u8, Error> {
    if args.crd {
        session.ui.print(&crd::definition()?)?;
        return Ok(exit::DONE);
    }
    let kind = args.kind.as_deref().and_then(|typed| schema::kinds().find(|kind| kind.eq_ignore_ascii_case(typed)));
    session.ui.print(&schema::of(kind)?)?;
    Ok(exit::DONE)
}
