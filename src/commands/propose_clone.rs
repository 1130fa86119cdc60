//! The repository to change: a clone of the user's, or ours.

use super::Session;
use super::propose::ProposeArgs;
use crate::doors::files;
use crate::error::{Error, Kind};
use crate::model::refusal::Refusal;
use crate::repo::{Repo, RepoUrl, is_address};
use crate::settings::flags::ProposalFormat;
use crate::settings::resolve;
use crate::source::lead::Lead;
use crate::text::{Sanitised, shell_word};
use std::path::{Path, PathBuf};

/// Opens the repository that `--repo` names; an address is cloned into the cache first, after a yes.
pub(super) async fn open(args: &ProposeArgs, session: &Session) -> Result<Repo, Error> {
    let environment = &session.environment;
    let Some(text) = args.place.repo.to_str().filter(|text| is_address(text)) else {
        return Repo::discover(&args.place.repo, environment.0.clone());
    };
    let url = RepoUrl::parse(text)?;
    let folder = folder(&url, session)?;
    if !files::is_dir(&folder) {
        let shown = Sanitised::line(&url.to_string()).to_string();
        if args.yes.is_none() {
            if !session.ui.can_ask() {
                return Err(Error::usage(format!("{shown} is not cloned without a yes, and nobody can be asked"))
                    .hint(format!("add --push --yes, or clone it yourself: git clone {shown}")));
            }
            if !session.ui.confirm(&format!("Clone {shown} into {}?", folder.display())).await {
                return Err(Error::new(Kind::Declined, "nothing was cloned"));
            }
        }
        clone(&url, &folder, session).await?;
    }
    Repo::discover(&folder, environment.0.clone())
}

/// Where the repository of this address is kept, once it is cloned.
pub(super) fn folder(url: &RepoUrl, session: &Session) -> Result<PathBuf, Error> {
    Ok(resolve::cache_folder(&session.environment)?.join("repos").join(url.folder_name()))
}

async fn clone(url: &RepoUrl, folder: &Path, session: &Session) -> Result<(), Error> {
    session.ui.say(format_args!("Cloning {}", Sanitised::line(&url.to_string())));
    Repo::clone_bare(url, folder, session.environment.0.clone(), session.ui.can_ask()).await
}

/// Where the fix of a finding belongs.
pub(super) enum Settled {
    Here(Box<Repo>),
    /// A controller reads another repository, and nobody said yes to a clone of it.
    Elsewhere(Refusal),
}

fn here(repo: Repo) -> Settled {
    Settled::Here(Box::new(repo))
}

/// The opened repository; when nobody named one and the controller reads another, a clone of that is offered.
/// One that was made before is used.
pub(super) async fn settle(
    opened: Result<Repo, Error>,
    lead: Option<Lead>,
    args: &ProposeArgs,
    session: &Session,
) -> Result<Settled, Error> {
    let named = args.place.repo.as_path() != Path::new(".") || args.place.path.is_some() || args.all;
    let Some(lead) = lead.filter(|_| !named) else { return opened.map(here) };
    let mine = opened.as_ref().map(Repo::remotes).unwrap_or_default();
    if mine.iter().any(|remote| lead.is_of(&remote.url.identity())) {
        return opened.map(here);
    }
    // Credentials in the controller's address are the controller's.
    let Some(url) = lead.shown().and_then(|shown| RepoUrl::parse(&shown).ok()) else {
        return opened.map(here);
    };
    let folder = folder(&url, session)?;
    let shown = Sanitised::line(&url.to_string()).to_string();
    if files::is_dir(&folder) {
        session.ui.say(format_args!("Using the clone of {shown} in {}", folder.display()));
    } else {
        let by = Sanitised::line(&lead.controller.qualified()).to_string();
        let question = format!("This is no clone of {shown}, which {by} reads. Clone it into {}?", folder.display());
        let is_text = args.output == ProposalFormat::Text;
        if !is_text || !session.ui.can_ask() || !session.ui.confirm(&question).await {
            return match (opened, mine.first()) {
                (Ok(_), Some(remote)) if !args.push => Ok(Settled::Elsewhere(lead.mismatch(&remote.url.identity()))),
                (Ok(repo), _) => Ok(here(repo)),
                (Err(error), _) => {
                    Err(error.hint(format!("{by} reads {shown}: aifix propose --repo {}", shell_word(&shown))))
                }
            };
        }
        clone(&url, &folder, session).await?;
    }
    Repo::discover(&folder, session.environment.0.clone()).map(here)
}
