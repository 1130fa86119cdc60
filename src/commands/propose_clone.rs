//! The repository to change: a clone of the user's, or ours.

use super::Session;
use super::propose::ProposeArgs;
use crate::doors::files;
use crate::error::{Error, Kind};
use crate::repo::{Repo, RepoUrl, is_address};
use crate::settings::resolve;
use crate::text::Sanitised;

/// Opens the repository that `--repo` names; an address is cloned into the cache first, after a yes.
pub(super) async fn open(args: &ProposeArgs, session: &Session) -> Result<Repo, Error> {
    let environment = &session.environment;
    let Some(text) = args.place.repo.to_str().filter(|text| is_address(text)) else {
        return Repo::discover(&args.place.repo, environment.0.clone());
    };
    let url = RepoUrl::parse(text)?;
    let folder = resolve::cache_folder(environment)?.join("repos").join(url.folder_name());
    if !files::is_dir(&folder) {
        let shown = Sanitised::line(&url.to_string()).to_string();
        let ask = session.ui.can_ask();
        if args.yes.is_none() {
            if !ask {
                return Err(Error::usage(format!("{shown} is not cloned without a yes, and nobody can be asked"))
                    .hint(format!("add --push --yes, or clone it yourself: git clone {shown}")));
            }
            if !session.ui.confirm(&format!("Clone {shown} into {}?", folder.display())).await {
                return Err(Error::new(Kind::Declined, "nothing was cloned"));
            }
        }
        session.ui.say(format_args!("Cloning {shown}"));
        Repo::clone_bare(&url, &folder, environment.0.clone(), ask).await?;
    }
    Repo::discover(&folder, environment.0.clone())
}
