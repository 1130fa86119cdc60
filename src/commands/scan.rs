//! `aifix scan`: what fails here, and why.

use super::{Session, look};
use crate::error::{Error, exit};
use crate::model::finding::{Finding, Severity};
use crate::output::{github, html, json, junit, markdown, sarif, scan_text};
use crate::settings::flags::{LookArgs, ScanFormat};
use crate::text::shell_word;
use clap::{Args, ValueEnum};

/// Find the failing workloads of a namespace, and why they fail
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix scan                      the current context's namespace
  aifix scan -n prod -n billing   two namespaces
  aifix scan -A -o json           the whole cluster, for another program
  aifix scan --from snapshot.json a recorded snapshot")]
pub struct ScanArgs {
    #[command(flatten)]
    pub look: LookArgs,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ScanFormat,

    /// Also show what is merely worth knowing, every effect and all evidence
    #[arg(long)]
    pub all: bool,

    /// The least severity that makes the exit code 1
    #[arg(long, value_enum, default_value = "warning", value_name = "SEVERITY")]
    pub fail_on: FailOn,

    /// Also exit 6 when something contextual (nodes, volumes, quotas) could not be looked at
    #[arg(long)]
    pub strict: bool,
}

/// From which severity on a scan fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Warning,
    Error,
    Critical,
}

impl FailOn {
    fn includes(self, severity: Severity) -> bool {
        let bar = match self {
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
            Self::Critical => Severity::Critical,
        };
        severity <= bar
    }
}

pub(super) async fn run(args: &ScanArgs, session: &Session) -> Result<u8, Error> {
    let seen = look::look(&args.look, session).await?;
    let report = seen.report();
    let command = |finding: &Finding| next_command(&args.look, finding);
    let next: Option<&dyn Fn(&Finding) -> String> = args.look.from.is_none().then_some(&command);
    let text = match args.output {
        ScanFormat::Json => json::scan(&report)?,
        ScanFormat::Sarif => sarif::scan(&report)?,
        ScanFormat::Junit => junit::scan(&report)?,
        ScanFormat::Github => github::scan(&report)?,
        ScanFormat::Markdown => markdown::scan(&report)?,
        ScanFormat::Html => html::write(&report, next),
        ScanFormat::Text => {
            let mut page = session.ui.page();
            let view = scan_text::View { width: session.ui.width(), all: args.all, next };
            scan_text::write(&mut page, &report, view);
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    // A code-scanning job must reach its upload step: what fails there is the forge's to say.
    let counts = args.output != ScanFormat::Sarif;
    let fails = counts && seen.diagnosis.findings.iter().any(|finding| args.fail_on.includes(finding.severity));
    let gap = seen.has_essential_gap() || (args.strict && !seen.snapshot.gaps.is_empty());
    Ok(if fails {
        exit::FOUND
    } else if gap {
        exit::GAP
    } else {
        exit::DONE
    })
}

/// The command that proposes a fix of this finding, from where the user stands.
fn next_command(look: &LookArgs, finding: &Finding) -> String {
    let mut words = vec!["propose".to_owned(), finding.object.to_string()];
    words.extend(look.typed(finding.object.namespace.as_deref()));
    words.iter().fold("aifix".to_owned(), |line, word| format!("{line} {}", shell_word(word)))
}
