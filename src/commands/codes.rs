//! `aifix codes`: what can be found, and how it is fixed.

use super::Session;
use crate::diagnose;
use crate::error::{Error, exit};
use crate::output::{codes as codes_text, json};
use crate::settings::flags::ReportFormat;
use crate::text;
use clap::Args;

/// List the failure codes, or explain one
#[derive(Debug, Args)]
pub struct CodesArgs {
    /// The code to explain
    #[arg(value_name = "CODE")]
    pub code: Option<String>,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,
}

pub(super) fn run(args: &CodesArgs, session: &Session) -> Result<u8, Error> {
    let mut codes = diagnose::codes();
    if let Some(name) = &args.code {
        let Some(code) = codes.iter().find(|code| code.name == name) else {
            let error = Error::usage(format!("there is no code `{name}`"));
            let nearest = text::nearest(name, codes.iter().map(|code| code.name));
            return Err(match nearest {
                Some(nearest) => error.hint(format!("did you mean `aifix codes {nearest}`?")),
                None => error.hint("list them with `aifix codes`"),
            });
        };
        codes = vec![*code];
    }
    let text = match args.output {
        ReportFormat::Json => json::codes(&codes)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            match (&args.code, codes.as_slice()) {
                (Some(_), [code]) => codes_text::one(&mut page, code, session.ui.width()),
                _ => codes_text::list(&mut page, &codes),
            }
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(exit::DONE)
}
