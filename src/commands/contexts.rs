//! Several contexts, connected and read at once.

use super::Session;
use super::look::{self, Seen};
use crate::cluster::{self, Cluster};
use crate::error::{Error, Kind};
use crate::model::selector::Selector;
use crate::model::snapshot::Scope;
use crate::settings::flags::LookArgs;
use futures_util::future::join_all;

/// A context that is looked at, once or again and again.
pub(super) struct Place {
    /// The flags with this context alone.
    look: LookArgs,
    cluster: Option<Cluster>,
    /// Whether its notices were shown.
    told: bool,
}

/// Every context that was typed, each once, or the current one.
pub(super) fn places(look: &LookArgs) -> Vec<Place> {
    let place = |context: Vec<String>| Place { look: LookArgs { context, ..look.clone() }, cluster: None, told: false };
    let mut names: Vec<&String> = Vec::new();
    for name in &look.context {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [] => vec![place(Vec::new())],
        names => names.iter().map(|name| place(vec![(*name).clone()])).collect(),
    }
}

impl Place {
    /// How it was typed.
    pub(super) fn name(&self) -> &str {
        self.look.context.first().map_or("", String::as_str)
    }

    /// The scope that was asked for; the default namespace of a context is known once it was connected.
    pub(super) fn scope(&self) -> Scope {
        match &self.cluster {
            Some(cluster) => cluster.scope().clone(),
            None if self.look.all_namespaces => Scope::All,
            None if self.look.namespaces.is_empty() => Scope::Namespaces(vec!["its own namespace".to_owned()]),
            None => Scope::Namespaces(self.look.namespaces.clone()),
        }
    }

    /// Whether the next look uses a connection and a credential of an earlier one.
    pub(super) fn is_connected(&self) -> bool {
        self.cluster.is_some()
    }

    /// Forgets connection and credential: the next look reads the kubeconfig and asks the plugin anew.
    pub(super) fn disconnect(&mut self) {
        self.cluster = None;
    }

    async fn connect(&mut self, session: &Session) -> Result<(), Error> {
        if let Some(cluster) = &mut self.cluster {
            cluster.begin();
            return Ok(());
        }
        let cluster = cluster::connect(&look::options(&self.look, session)).await?;
        for notice in cluster.notices().iter().filter(|_| !self.told) {
            session.ui.warn(notice);
        }
        self.told = true;
        self.cluster = Some(cluster);
        Ok(())
    }

    async fn read(&self, selector: Option<&Selector>, say: &(dyn Fn(&str) + Sync)) -> Result<Seen, Error> {
        let Some(cluster) = &self.cluster else { return Err(Error::bug("a context was read before it was connected")) };
        let snapshot = look::read(cluster, say, None).await?;
        Ok(Seen::new(snapshot, Some(cluster.server().to_owned()), selector))
    }
}

/// Connects those that are not connected yet. Their credential plugins run at once, but for those that ask on
/// the terminal: they wait for each other.
pub(super) async fn connect(places: &mut [&mut Place], session: &Session) -> Vec<Result<(), Error>> {
    join_all(places.iter_mut().map(|place| place.connect(session))).await
}

/// Reads those that could be connected.
pub(super) async fn read(
    places: &[&mut Place],
    connected: Vec<Result<(), Error>>,
    selector: Option<&Selector>,
    say: &(dyn Fn(&str) + Sync),
) -> Vec<Result<Seen, Error>> {
    let reading = places.iter().zip(connected).map(|(place, connected)| async move {
        connected?;
        place.read(selector, say).await
    });
    join_all(reading).await
}

/// The first look at every context. One that can't be reached is an error of its own.
///
/// # Errors
/// When the kubeconfig or a flag is wrong, or none could be looked at.
pub(super) async fn first(
    places: &mut [Place],
    selector: Option<&Selector>,
    session: &Session,
) -> Result<Vec<Result<Seen, Error>>, Error> {
    let mut all: Vec<&mut Place> = places.iter_mut().collect();
    let mut connected = connect(&mut all, session).await;
    for one in &mut connected {
        if one.as_ref().is_err_and(|error| error.kind == Kind::Usage) {
            std::mem::replace(one, Ok(()))?;
        }
    }
    let words = match all.as_slice() {
        [one] => one.scope().to_string(),
        all => format!("{} contexts", all.len()),
    };
    // A spinner would hide the question of a plugin: not before all are through.
    let progress = session.ui.progress(&format!("Reading {words}"));
    let one = all.len() == 1;
    let say = |words: &str| {
        if one {
            progress.say(words);
        }
    };
    let seen = read(&all, connected, selector, &say).await;
    if seen.iter().any(Result::is_ok) {
        return Ok(seen);
    }
    let mut errors: Vec<Error> = seen.into_iter().filter_map(Result::err).collect();
    Err(if one { errors.remove(0) } else { none(errors) })
}

/// The error when no context could be looked at.
fn none(errors: Vec<Error>) -> Error {
    let kind = if errors.iter().any(|error| error.kind == Kind::Unreachable) { Kind::Unreachable } else { Kind::Usage };
    let none = Error::new(kind, format!("none of the {} contexts could be looked at", errors.len()));
    let mut hints: Vec<String> = Vec::new();
    let none = errors.into_iter().fold(none, |none, error| {
        for hint in &error.hints {
            if !hints.contains(hint) {
                hints.push(hint.clone());
            }
        }
        none.because(error)
    });
    hints.into_iter().fold(none, Error::hint)
}
