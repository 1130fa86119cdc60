//! What commits say of records, read in a clone.

use super::Session;
use super::audit_list::Team;
use crate::error::Error;
use crate::repo::Repo;
use clap::Args;
use std::path::{Path, PathBuf};

/// Which repository.
#[derive(Debug, Clone, Default, Args)]
pub struct Git {
    /// Read what commits say (aifix/* branches and the default branch) instead of the records of this machine
    #[arg(long)]
    pub git: bool,

    /// Clone whose commits are read, also without --git [default: the one around the current folder]
    #[arg(long, value_name = "PATH")]
    pub repo: Option<PathBuf>,
}

impl Git {
    pub(super) fn is_asked(&self) -> bool {
        self.git || self.repo.is_some()
    }

    /// The commits, and where they were read; `None` when nobody asked for them and there is no repository here.
    pub(super) fn read(&self, session: &Session) -> Result<Option<Team>, Error> {
        let Some(repo) = repository(self.repo.as_deref(), self.git, session)? else { return Ok(None) };
        let place = repo.root().unwrap_or(Path::new("the repository")).display().to_string();
        Ok(Some(Team { commits: repo.published()?, place }))
    }
}

/// The repository at a path, or around the current folder. Where nobody named or wants one, none is no error.
pub(super) fn repository(path: Option<&Path>, wanted: bool, session: &Session) -> Result<Option<Repo>, Error> {
    match Repo::discover(path.unwrap_or(Path::new(".")), session.environment.0.clone()) {
        Ok(repo) => Ok(Some(repo)),
        Err(error) if path.is_some() || wanted => Err(error),
        Err(_) => Ok(None),
    }
}
