//! `aifix completions`: the script that a shell loads.

use super::Session;
use crate::error::{Error, exit};
use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

/// Print the completion script of a shell
///
/// It completes commands and flags, and, by asking the cluster, contexts, namespaces and object names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix completions bash > ~/.local/share/bash-completion/completions/aifix
  aifix completions zsh > \"${fpath[1]}/_aifix\"
  aifix completions fish > ~/.config/fish/completions/aifix.fish
  aifix completions powershell >> $PROFILE")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Shells that can load a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// The variable by which the script asks the binary.
pub const VARIABLE: &str = "COMPLETE";

pub(super) fn run(args: &CompletionsArgs, session: &Session) -> Result<u8, Error> {
    session.ui.print(&script(args.shell)?)?;
    Ok(exit::DONE)
}

fn script(shell: Shell) -> Result<String, Error> {
    let writer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    let bug = || Error::bug("the completion script could not be written");
    writer
        .write_registration(VARIABLE, "aifix", "aifix", "aifix", &mut script)
        .map_err(|error| bug().caused_by(&error))?;
    String::from_utf8(script).map_err(|error| bug().caused_by(&error))
}
