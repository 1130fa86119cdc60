//! From flags to a diagnosed snapshot.

use super::Session;
use super::parts::Part;
use super::target::Target;
use crate::cluster::{self, Cluster};
use crate::diagnose::{self, Diagnosis, parallel};
use crate::error::{Error, Kind};
use crate::fix;
use crate::model::finding::Severity;
use crate::model::kube::Pod;
use crate::model::object::ObjectRef;
use crate::model::report::ScanReport;
use crate::model::selector::Selector;
use crate::model::snapshot::Snapshot;
use crate::settings::flags::LookArgs;
use crate::settings::resolve;
use crate::text;
use std::path::Path;
use std::sync::OnceLock;

/// What was seen and what it means.
pub(super) struct Seen {
    pub(super) snapshot: Snapshot,
    pub(super) diagnosis: Diagnosis,
    /// Host and port of the API server, `None` for a recorded snapshot.
    pub(super) server: Option<String>,
    /// The connection of a single look.
    pub(super) cluster: Option<Cluster>,
    digest: OnceLock<String>,
}

/// Takes a snapshot of a cluster, both waves, or reads a recorded one.
pub(super) async fn take(args: &LookArgs, session: &Session) -> Result<(Snapshot, Option<Cluster>), Error> {
    take_closely(args, session, None).await
}

/// The same; the logs of what is asked about by name are read even when it seems well.
async fn take_closely(
    args: &LookArgs,
    session: &Session,
    about: Option<&Target>,
) -> Result<(Snapshot, Option<Cluster>), Error> {
    if args.from.is_some() {
        return Ok((recorded(args)?, None));
    }
    // The exec credential plugin may ask on the terminal: no spinner before it is through.
    let cluster = cluster::connect(&options(args, session)).await?;
    for notice in cluster.notices() {
        session.ui.warn(notice);
    }
    let progress = session.ui.progress(&format!("Reading {}", cluster.scope()));
    let snapshot = read(&cluster, &|words| progress.say(words), about).await?;
    Ok((snapshot, Some(cluster)))
}

/// The recorded snapshot that the flags name.
fn recorded(args: &LookArgs) -> Result<Snapshot, Error> {
    let path = args.from.as_deref().unwrap_or(Path::new("."));
    let mut snapshot = cluster::files::load(path, args.at)?;
    let unrecorded = cluster::files::unrecorded(&snapshot, &args.namespaces);
    snapshot.gaps.extend(unrecorded);
    narrow(&mut snapshot, &args.namespaces);
    Ok(snapshot)
}

/// Reads a cluster, both waves.
pub(super) async fn read(
    cluster: &Cluster,
    say: &(dyn Fn(&str) + Sync),
    about: Option<&Target>,
) -> Result<Snapshot, Error> {
    let mut snapshot = cluster.first_wave(say).await?;
    // While the few requests of the second wave are waited for.
    tokio::task::spawn_blocking(diagnose::prepare);
    let mut needs = diagnose::needs(&snapshot);
    needs.kinds.extend(diagnose::INSTALLED);
    if let Some(target) = about {
        let own = diagnose::logs_of(&snapshot, &target.kind, &target.name);
        needs.logs.retain(|log| !own.contains(log));
        needs.logs.splice(0..0, own);
    }
    let seen = size(&snapshot);
    cluster.second_wave(&mut snapshot, &needs).await;
    if size(&snapshot) > seen {
        // A log can point to one more kind, such as the roles behind a refusal.
        let mut further = diagnose::further(&snapshot);
        further.kinds.retain(|kind| !needs.kinds.contains(kind));
        if !further.kinds.is_empty() {
            cluster.second_wave(&mut snapshot, &further).await;
        }
    }
    let owners = diagnose::unseen_owners(&snapshot);
    cluster.read_owners(&mut snapshot, &owners).await;
    // What is read may be owned by another kind.
    let mut listed = Vec::new();
    loop {
        let owners = diagnose::unlisted_owners(&snapshot, &listed);
        if owners.is_empty() {
            break;
        }
        cluster.list_owners(&mut snapshot, &owners).await;
        listed.extend(owners);
    }
    Ok(snapshot)
}

/// How many objects and logs there are.
fn size(snapshot: &Snapshot) -> usize {
    snapshot.objects.values().map(Vec::len).sum::<usize>() + snapshot.logs.len()
}

/// Takes a snapshot and diagnoses it.
pub(super) async fn look(args: &LookArgs, session: &Session) -> Result<Seen, Error> {
    look_at(args, session, None).await
}

/// The same, with a closer look at one object.
pub(super) async fn look_at(args: &LookArgs, session: &Session, about: Option<&Target>) -> Result<Seen, Error> {
    let selector = selected(args)?;
    let (snapshot, cluster) = take_closely(args, session, about).await?;
    let server = cluster.as_ref().map(|cluster| cluster.server().to_owned());
    Ok(Seen { cluster, ..Seen::new(snapshot, server, selector.as_ref()) })
}

/// The selector of `-l`.
pub(super) fn selected(args: &LookArgs) -> Result<Option<Selector>, Error> {
    args.selector.as_deref().map(selector).transpose()
}

pub(super) fn options(args: &LookArgs, session: &Session) -> cluster::Options {
    cluster::Options {
        kubeconfig: resolve::kubeconfig(args, &session.environment),
        context: args.context.first().cloned(),
        namespaces: args.namespaces.clone(),
        all_namespaces: args.all_namespaces,
        as_user: args.as_user.clone(),
        as_groups: args.as_groups.clone(),
        request_timeout: args.request_timeout,
        read_secret_keys: args.read_secret_keys,
        environment: session.environment.0.clone(),
    }
}

fn selector(text: &str) -> Result<Selector, Error> {
    Selector::parse(text).map_err(|why| {
        Error::usage(format!("`{text}` is no label selector"))
            .because(why)
            .hint("write it as kubectl takes it: -l app=web,tier!=cache")
    })
}

/// Whether an object, its pod template or one of its pods has the labels.
pub(super) fn is_selected(snapshot: &Snapshot, object: &ObjectRef, selector: &Selector) -> bool {
    let of_pod = |pod: &Pod| selector.matches(&pod.metadata.labels);
    let is_it = |pod: &&Pod| object.kind == "Pod" && pod.object().same_object(object);
    snapshot.pods.iter().find(is_it).is_some_and(of_pod)
        || snapshot.resolve(object).is_some_and(|found| {
            selector.matches(&found.metadata.labels)
                || (found.template_pointer().is_some() && selector.matches(found.template_labels()))
        })
}

/// Keeps only the asked namespaces of a recorded snapshot.
fn narrow(snapshot: &mut Snapshot, namespaces: &[String]) {
    if namespaces.is_empty() {
        return;
    }
    let asked = |namespace: &String| namespace.is_empty() || namespaces.contains(namespace);
    snapshot.pods.retain(|pod| asked(&pod.metadata.namespace));
    snapshot.events.retain(|event| asked(&event.involved_object.namespace));
    snapshot.config_maps.retain(|map| asked(&map.metadata.namespace));
    snapshot.secrets.retain(|secret| asked(&secret.metadata.namespace));
    for objects in snapshot.objects.values_mut() {
        objects.retain(|object| asked(&object.metadata.namespace));
    }
    snapshot.logs.retain(|log| asked(&log.namespace));
    snapshot.scope = crate::model::snapshot::Scope::Namespaces(namespaces.to_vec());
}

impl Seen {
    /// What a snapshot means, told of what the selector names.
    pub(super) fn new(snapshot: Snapshot, server: Option<String>, selector: Option<&Selector>) -> Self {
        let keep = |object: &ObjectRef| selector.is_none_or(|selector| is_selected(&snapshot, object, selector));
        let mut diagnosis = diagnose::diagnose_only(&snapshot, keep);
        // The code says what can be done at best; this says it of this very finding.
        let hints = parallel::map(&diagnosis.findings, |finding| fix::hint(&snapshot, finding));
        for (finding, hint) in diagnosis.findings.iter_mut().zip(hints) {
            finding.fix = hint;
        }
        Self { snapshot, diagnosis, server, cluster: None, digest: OnceLock::new() }
    }

    /// SHA-256 of what was seen.
    pub(super) fn digest(&self) -> &str {
        self.digest.get_or_init(|| cluster::files::digest(&self.snapshot))
    }

    /// The report of what was seen.
    pub(super) fn report(&self) -> ScanReport {
        Part::new(self, false).report()
    }

    /// Whether something essential was not seen.
    pub(super) fn has_essential_gap(&self) -> bool {
        self.snapshot.gaps.iter().any(|gap| gap.essential)
    }
}

impl Seen {
    /// The workload that a pod belongs to, when `kind` is Pod and it was seen.
    pub(super) fn owner_of_pod(&self, kind: &str, name: &str) -> Option<ObjectRef> {
        let pods = self.snapshot.pods.iter().filter(|_| kind == "Pod");
        pods.into_iter().find(|pod| pod.metadata.name == name).map(|pod| diagnose::owner(&self.snapshot, pod))
    }

    /// The error for an object that is not there, with what is.
    pub(super) fn not_seen(&self, target: &Target) -> Error {
        let what = format!("{}/{} was not seen in {}", target.kind, target.name, self.snapshot.scope);
        if let Some(gap) = self.snapshot.gaps.iter().find(|gap| gap.essential) {
            return Error::new(Kind::Gap, what)
                .because(format!("{}: {}", gap.what, gap.why))
                .hint("what may be read: aifix doctor");
        }
        let error = Error::usage(what);
        let known: Vec<&str> = match target.kind.as_str() {
            "Pod" => self.snapshot.pods.iter().map(|pod| pod.metadata.name.as_str()).collect(),
            kind => self.snapshot.kind(kind).iter().map(|object| object.metadata.name.as_str()).collect(),
        };
        if let Some(nearest) = text::nearest(&target.name, known) {
            return error.hint(format!("did you mean {}/{nearest}?", target.kind));
        }
        let failing = self.diagnosis.findings.iter().filter(|finding| finding.severity != Severity::Info);
        let names: Vec<String> = failing.map(|finding| finding.object.to_string()).collect();
        if names.is_empty() {
            error.hint("look at another namespace with -n, or list what fails: aifix scan")
        } else {
            error.hint(format!("failing here: {}", names.join(", ")))
        }
    }

    /// Whether an object of this kind and name was seen.
    pub(super) fn knows(&self, kind: &str, name: &str) -> bool {
        let pod = kind == "Pod" && self.snapshot.pods.iter().any(|pod| pod.metadata.name == name);
        pod || self.snapshot.kind(kind).iter().any(|object| object.metadata.name == name)
    }
}
