//! `aifix snapshot`: record what is seen, to look at it later.

use super::{Session, look};
use crate::cluster;
use crate::doors::files;
use crate::error::{Error, exit};
use crate::settings::flags::LookArgs;
use crate::text;
use clap::Args;
use std::path::{Path, PathBuf};

/// Record what a scan sees, redacted, for `--from`
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    #[command(flatten)]
    pub look: LookArgs,

    /// File to write, readable by you alone [default: stdout]
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

pub(super) async fn run(args: &SnapshotArgs, session: &Session) -> Result<u8, Error> {
    let (snapshot, _) = look::take(&args.look, session).await?;
    let recorded = cluster::files::save(&snapshot);
    match args.file.as_deref().filter(|file| *file != Path::new("-")) {
        None => session.ui.print(&recorded)?,
        Some(file) => {
            if !files::is_free_or_regular(file) {
                return Err(Error::usage(format!("`{}` is no regular file", file.display()))
                    .hint("name a file, or write to stdout: aifix snapshot > FILE"));
            }
            files::write_private(file, recorded.as_bytes())
                .map_err(|error| Error::usage(format!("could not write `{}`", file.display())).caused_by(&error))?;
            session.ui.say(format_args!("Recorded {} in {}", text::count(snapshot.pods.len(), "pod"), file.display()));
        }
    }
    for gap in &snapshot.gaps {
        session.ui.warn(format_args!(
            "not recorded: {}: {}",
            text::Sanitised::line(&gap.what),
            text::Sanitised::line(&gap.why)
        ));
    }
    Ok(if snapshot.gaps.iter().any(|gap| gap.essential) { exit::GAP } else { exit::DONE })
}
