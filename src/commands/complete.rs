//! What the shell offers at Tab: contexts, namespaces, objects.

use super::{Cli, target};
use crate::cluster::{self, Options};
use crate::diagnose;
use crate::settings::environment::Environment;
use crate::settings::flags::LookArgs;
use crate::settings::resolve;
use clap::{Args, Command, CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use std::ffi::OsStr;
use std::time::Duration;

/// How long a cluster may take to answer a Tab.
const PATIENCE: Duration = Duration::from_secs(2);

/// The command line with completers for what a cluster knows.
pub fn command() -> Command {
    let typed = crate::settings::environment::typed();
    let names: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(Cli::command(), |command, name| {
        let typed = typed.clone();
        command.mut_subcommand(name, move |subcommand| with_completers(subcommand, &typed))
    })
}

fn with_completers(subcommand: Command, typed: &[String]) -> Command {
    let ids: Vec<String> = subcommand.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    ids.into_iter().fold(subcommand, |subcommand, id| {
        let look = look(typed);
        let completer = match id.as_str() {
            "context" => ArgValueCompleter::new(move |current: &OsStr| offer(current, "", &contexts(&look))),
            "namespaces" => {
                ArgValueCompleter::new(move |current: &OsStr| offer(current, "", &names(&look, "Namespace")))
            }
            "ignore" | "only" => ArgValueCompleter::new(move |current: &OsStr| offer(current, "", &codes())),
            "object" => ArgValueCompleter::new(move |current: &OsStr| objects(current, &look)),
            _ => return subcommand,
        };
        subcommand.mut_arg(id, |arg| arg.add(completer))
    })
}

fn codes() -> Vec<String> {
    diagnose::codes().iter().map(|code| code.name.to_owned()).collect()
}

/// `depl` offers kinds, `deploy/w` the names of Deployments.
fn objects(current: &OsStr, look: &LookArgs) -> Vec<CompletionCandidate> {
    let text = current.to_string_lossy();
    match text.split_once('/') {
        None => target::kinds()
            .map(|kind| format!("{}/", kind.to_lowercase()))
            .filter(|kind| kind.starts_with(&*text))
            .map(CompletionCandidate::new)
            .collect(),
        Some((kind, _)) => match target::kind(kind) {
            Some(full) => offer(current, &format!("{kind}/"), &names(look, full)),
            None => Vec::new(),
        },
    }
}

fn offer(current: &OsStr, prefix: &str, names: &[String]) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let whole = names.iter().map(|name| format!("{prefix}{name}"));
    // A name that is no plain word could be read by the shell as more than a name.
    let plain = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c));
    whole.filter(|name| name.starts_with(&*current) && plain(name)).map(CompletionCandidate::new).collect()
}

fn contexts(look: &LookArgs) -> Vec<String> {
    cluster::contexts(&resolve::kubeconfig(look, &Environment::read()))
}

fn names(look: &LookArgs, kind: &str) -> Vec<String> {
    let environment = Environment::read();
    let options = Options {
        kubeconfig: resolve::kubeconfig(look, &environment),
        context: look.context.first().cloned(),
        namespaces: look.namespaces.clone(),
        all_namespaces: look.all_namespaces,
        request_timeout: PATIENCE,
        environment: environment.0,
        ..Options::default()
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    runtime.block_on(async {
        let Ok(cluster) = cluster::connect(&options).await else { return Vec::new() };
        tokio::time::timeout(PATIENCE, cluster.names(kind)).await.unwrap_or_default()
    })
}

/// The flags that were typed before the word that is completed, as far as they can be read.
fn look(typed: &[String]) -> LookArgs {
    let flags = ["-n", "--namespace", "--context", "--kubeconfig"];
    let mut words = vec!["x".to_owned()];
    let mut rest = typed.iter().skip_while(|word| *word != "--").skip(1).peekable();
    while let Some(word) = rest.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        if !flags.contains(&name) {
            continue;
        }
        if word.contains('=') {
            words.push(word.clone());
        } else if let Some(value) = rest.peek().filter(|value| !value.is_empty() && !value.starts_with('-')) {
            words.extend([word.clone(), (*value).clone()]);
        }
    }
    let command = LookArgs::augment_args(Command::new("x"));
    let read = |words: &[String]| LookArgs::from_arg_matches(&command.clone().try_get_matches_from(words).ok()?).ok();
    read(&words).or_else(|| read(&["x".to_owned()])).unwrap_or_default()
}
