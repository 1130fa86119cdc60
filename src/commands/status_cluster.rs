//! `status`: what the cluster tells of a pushed fix.

use super::Session;
use super::look::{self, Seen};
use crate::cluster::files;
use crate::follow::cluster::{self, ClusterFacts};
use crate::follow::{Asked, Subject};
use crate::settings::flags::LookArgs;
use serde_json::Value;
use std::collections::BTreeMap;

/// What was seen in this round already, by context and namespaces.
#[derive(Default)]
pub(super) struct Looks(BTreeMap<(Vec<String>, Vec<String>), Result<Seen, String>>);

/// Looks at the context that the failure was seen in, unless flags name another place.
pub(super) async fn ask(
    subject: &Subject,
    wanted: &[Option<Value>],
    flags: &LookArgs,
    looks: &mut Looks,
    session: &Session,
) -> Asked<ClusterFacts> {
    let mut flags = flags.clone();
    if flags.from.is_none() && flags.context.is_empty() && !subject.cluster.is_empty() {
        flags.context.push(subject.cluster.clone());
    }
    if flags.namespaces.is_empty() && !flags.all_namespaces {
        let mut names = vec![subject.target.namespace(), subject.object.namespace()];
        names.retain(|name| !name.is_empty());
        names.dedup();
        flags.all_namespaces = names.is_empty();
        flags.namespaces = names.into_iter().map(str::to_owned).collect();
    }
    let key = (flags.context.clone(), flags.namespaces.clone());
    if !looks.0.contains_key(&key) {
        // A recording is looked at whole: what applies the object may be in a namespace of its own.
        let names = if flags.from.is_some() { std::mem::take(&mut flags.namespaces) } else { Vec::new() };
        flags.all_namespaces |= !names.is_empty();
        let mut seen = look::look(&flags, session).await.map_err(|error| error.to_string().replace('\n', " "));
        if let Ok(seen) = &mut seen {
            let unrecorded = files::unrecorded(&seen.snapshot, &names);
            seen.snapshot.gaps.extend(unrecorded);
        }
        looks.0.insert(key.clone(), seen);
    }
    match looks.0.get(&key) {
        Some(Ok(seen)) => {
            let of_field = |at: usize| wanted.get(at).cloned().flatten();
            Asked::Seen(cluster::facts(&seen.snapshot, &seen.diagnosis.findings, subject, of_field))
        }
        Some(Err(why)) => Asked::Not(why.clone()),
        None => Asked::Not(String::new()),
    }
}
