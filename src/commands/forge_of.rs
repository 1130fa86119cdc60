//! The forge of a remote: its kind, and how we sign in.

use super::Session;
use crate::doors::files;
use crate::doors::http::{Http, Options};
use crate::error::Error;
use crate::forge::{self, Forge, Host, Kind};
use crate::repo::{Repo, RepoUrl};
use crate::settings::file::Config;

/// What is known of the forge of an address; `None` for a folder. A token is never sent in the clear, and a host
/// of unknown kind is asked what it is.
pub(super) async fn open(
    url: &RepoUrl,
    kind: Option<Kind>,
    config: &Config,
    repo: &Repo,
    session: &Session,
) -> Result<Option<Forge>, Error> {
    let Some(mut host) = Host::resolve(url, kind, &session.environment, &config.forge)? else { return Ok(None) };
    if host.is_in_the_clear() {
        if host.can_sign_in() {
            session.ui.warn(format_args!("no token is sent to {}: it would go there unencrypted", host.base));
        }
        host.stay_a_stranger();
    } else if !host.can_sign_in()
        && let Some(known) = repo.credential(url, host.base.as_str()).await
    {
        host.sign_in_with(known);
    }
    let file = match host.ca_file.clone() {
        Some(file) => Some(file),
        None => repo.authorities(host.base.as_str()).await,
    };
    let authorities = file.map(|file| {
        files::read_bounded(&file, 1 << 20).map_err(|error| {
            Error::usage(format!("the certificates in {} can't be read", file.display())).because(error)
        })
    });
    let options = Options { environment: session.environment.0.clone(), authorities: authorities.transpose()? };
    let http = Http::new(&options)?;
    let kind = match host.kind {
        Some(kind) => kind,
        None => forge::detect(&http, &host.base).await?,
    };
    Forge::new(http, kind, host, url.path()).map(Some)
}
