//! Kubeconfig files: merge them, choose a context.

use crate::doors::files;
use crate::error::Error;
use crate::text;
use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};

/// What one context says.
pub(super) struct Chosen {
    pub(super) context: String,
    pub(super) namespace: Option<String>,
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
}

/// Merges the files that are there, the first to name something wins, as kubectl does:
/// <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files>.
/// `None` when none of them is there.
///
/// # Errors
/// When a file can't be read or is no kubeconfig. A line of it is never shown: it may hold a token.
pub(super) fn read(paths: &[PathBuf]) -> Result<Option<Kubeconfig>, Error> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
        if !files::exists(path) {
            continue;
        }
        let next = Kubeconfig::read_from(path).map_err(|error| broken(path, &error))?;
        merged = Some(match merged {
            Some(first) => first.merge(next).map_err(|error| broken(path, &error))?,
            None => next,
        });
    }
    Ok(merged)
}

fn broken(path: &Path, error: &KubeconfigError) -> Error {
    let file = path.display();
    match error {
        KubeconfigError::ReadConfig(cause, _) => {
            Error::usage(format!("the kubeconfig {file} can't be read")).because(cause)
        }
        // NOTE: the error's own text repeats source lines and values, which may be a token.
        KubeconfigError::Parse(error) => {
            let at = error.without_snippet().location();
            let at = at.map(|at| format!(":{}:{}", at.line(), at.column())).unwrap_or_default();
            Error::usage(format!("{file}{at}: this is no valid kubeconfig"))
                .hint("look at that line; it is not shown here because such files hold credentials")
        }
        error => Error::usage(format!("the kubeconfig {file} can't be used")).because(error),
    }
}

/// Takes the cluster and the user of a context.
///
/// # Errors
/// When the context, its cluster or its user is not there.
pub(super) fn choose(config: Kubeconfig, wanted: Option<&str>) -> Result<Chosen, Error> {
    let names: Vec<&str> = config.contexts.iter().map(|context| context.name.as_str()).collect();
    let current = config.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = wanted.or(current) else { return Err(none_chosen(&names)) };
    let Some(context) = config.contexts.iter().find(|context| context.name == name) else {
        return Err(unknown(name, &names));
    };
    let context = context.context.clone().unwrap_or_default();
    let cluster = config.clusters.into_iter().find(|cluster| cluster.name == context.cluster);
    let Some(cluster) = cluster.and_then(|cluster| cluster.cluster) else {
        return Err(dangling(name, "cluster", &context.cluster));
    };
    let user = match context.user.as_deref().filter(|user| !user.is_empty()) {
        None => AuthInfo::default(),
        Some(user) => {
            let found = config.auth_infos.into_iter().find(|info| info.name == user);
            found.ok_or_else(|| dangling(name, "user", user))?.auth_info.unwrap_or_default()
        }
    };
    let namespace = context.namespace.filter(|namespace| !namespace.is_empty());
    Ok(Chosen { context: name.to_owned(), namespace, cluster, user })
}

fn none_chosen(names: &[&str]) -> Error {
    let error = Error::usage("the kubeconfig names no current context");
    match names {
        [] => error.hint("it has no contexts at all: get a kubeconfig from your cluster's provider"),
        names => error.hint(format!("choose one with `--context`: {}", listed(names))),
    }
}

fn unknown(name: &str, names: &[&str]) -> Error {
    let error = Error::usage(format!("the kubeconfig has no context {name}"));
    let error = match text::nearest(name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `--context {near}`?")),
        None => error,
    };
    if names.is_empty() { error } else { error.hint(format!("contexts: {}", listed(names))) }
}

fn dangling(context: &str, what: &str, name: &str) -> Error {
    Error::usage(format!("context {context} names the {what} {name}, which the kubeconfig does not have"))
        .hint("look at it with `kubectl config view`")
}

fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut names = names.to_vec();
    names.sort_unstable();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, body: &str) -> (files::Scratch, PathBuf) {
        let scratch = files::Scratch::new().unwrap();
        let path = scratch.path().join(name);
        files::write_scratch(&path, body.as_bytes()).unwrap();
        (scratch, path)
    }

    const TWO: &str = "
contexts:
- {name: prod, context: {cluster: c, user: u, namespace: shop}}
- {name: staging, context: {cluster: gone}}
clusters:
- {name: c, cluster: {server: 'https://one'}}
users:
- {name: u, user: {token: first}}
";

    #[test]
    fn the_first_file_to_name_something_wins() {
        let (_one, first) = written("a", TWO);
        let (_two, second) =
            written("b", "current-context: prod\nclusters:\n- {name: c, cluster: {server: 'https://two'}}\n");
        let config = read(&[first, PathBuf::from("/nowhere/at/all"), second]).unwrap().unwrap();
        let chosen = choose(config, None).unwrap();
        assert_eq!(chosen.cluster.server.as_deref(), Some("https://one"));
        assert_eq!((chosen.context.as_str(), chosen.namespace.as_deref()), ("prod", Some("shop")));
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_never_quoted() {
        let (_scratch, path) = written("c", "users:\n- name: u\n  user:\n    token: SECRET-TOKEN\n   bad\n");
        let error = read(std::slice::from_ref(&path)).err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("SECRET"), "{shown}");
        assert!(error.message.starts_with(&format!("{}:5:", path.display())), "{shown}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_quoted() {
        let (_scratch, path) = written("c", "users: SECRET-TOKEN\n");
        let error = read(std::slice::from_ref(&path)).err().unwrap();
        assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    }

    #[test]
    fn an_unknown_context_lists_those_there_are_and_the_nearest() {
        let (_scratch, path) = written("c", TWO);
        let config = read(&[path]).unwrap().unwrap();
        let error = choose(config, Some("prd")).err().unwrap();
        assert_eq!(error.message, "the kubeconfig has no context prd");
        assert_eq!(error.hints, ["did you mean `--context prod`?", "contexts: prod, staging"]);
    }

    #[test]
    fn a_context_without_its_cluster_is_said() {
        let (_scratch, path) = written("c", TWO);
        let config = read(&[path]).unwrap().unwrap();
        let error = choose(config, Some("staging")).err().unwrap();
        assert_eq!(error.message, "context staging names the cluster gone, which the kubeconfig does not have");
    }
}
