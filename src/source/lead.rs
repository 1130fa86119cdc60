//! The way to a folder, as controllers' objects say it.
//!
//! Labels and annotations are claims: one counts when the object that it names lists the object in turn.
//! Decides without I/O.

mod argo;
mod artifact;
pub(super) mod config_sync;
mod flux;
mod helm;

pub use artifact::Copies;
pub use flux::commit;
pub use helm::{Chart, Given};

use super::claims::{self, Marks};
use super::scaler::Scaler;
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::proposal::{Signal, Tool, Trust};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::model::tree::Tree;
use crate::render::{Control, Root, Values, released_by};
use crate::repo::RepoUrl;

/// Controllers above each other that are followed at most.
const HOPS: usize = 8;

/// Where a controller takes an object from.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    /// `Kustomization flux-system/apps`.
    pub controller: ObjectRef,
    /// The repository's address; `None` when the source may not be read.
    pub repository: Option<String>,
    pub base: Base,
    /// Commits that may be what runs, the likeliest first, each with the field that names it.
    pub revisions: Vec<(String, NamedBy)>,
    /// Folders that may hold it, the first that makes it counts.
    pub folders: Vec<Folder>,
}

/// By what a controller names a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// Of Argo CD, a sync that succeeded.
    Finished,
    /// Of Argo CD, the last one of those that succeeded before.
    History,
    /// Of Argo CD, the comparison that was made last: nothing of it need be applied.
    Compared,
    /// Of Argo CD, what was hydrated; whether the outcome is the one that was synced.
    Hydrated { synced: bool },
    /// Of Config Sync.
    Synced,
    /// Of Flux, what was fetched.
    Artifact,
    /// Of Flux, what the artifact says that it was made from.
    ArtifactRevision,
    /// Of Flux, a field of the status: attempted or applied.
    Status(&'static str),
}

impl NamedBy {
    /// As people read it.
    pub fn words(self) -> String {
        match self {
            Self::Finished => "the finished sync".to_owned(),
            Self::History => "the history of syncs".to_owned(),
            Self::Compared => "what was compared last".to_owned(),
            Self::Hydrated { .. } => "the hydrated commit".to_owned(),
            Self::Synced => "the synced commit".to_owned(),
            Self::Artifact => "the artifact of the source".to_owned(),
            Self::ArtifactRevision => "the revision of the artifact".to_owned(),
            Self::Status(field) => format!("status.{field}"),
        }
    }

    /// Whether a sync put the commit on the cluster; what was attempted, fetched or compared is not yet there. Fields
    /// of Flux are read where the commit of the fix's own files is known.
    pub fn is_synced(self) -> bool {
        matches!(self, Self::Finished | Self::History | Self::Synced | Self::Hydrated { synced: true })
    }
}

/// One folder that a controller renders.
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    pub path: String,
    pub control: Control,
    /// Where the controller's object itself comes from, when that is the same repository.
    pub above: Option<Box<Folder>>,
    /// How a chart is released.
    pub chart: Option<Chart>,
    /// The chart is not in Git: its name and address.
    pub remote: Option<String>,
    /// Manifests below a plain folder; `None`: as the controller does it by itself.
    pub directory: Option<Directory>,
    /// The only file of the folder that counts, from the repository's root.
    pub file: Option<String>,
    /// The files that are copied to where the controller finds the folder; `None`: it is the folder itself.
    pub copies: Option<Copies>,
}

/// How Argo CD reads a folder of plain manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    pub recurse: bool,
    pub include: String,
    pub exclude: String,
}

/// What the controller follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The default branch of the remote, or it is not known.
    Default,
    Branch(String),
    /// A tag, a range of versions or a commit, as it is written.
    Pinned(String),
}

/// What the signals on an object come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    pub lead: Option<Lead>,
    /// Every signal that was believed or not.
    pub trail: Vec<Signal>,
    /// What sets its replicas, whatever Git says.
    pub scaler: Option<Scaler>,
}

/// Follows the signals on an object.
///
/// # Errors
/// A refusal when two controllers claim the object, or its controller renders what is not in Git.
pub fn find(snapshot: &Snapshot, object: &ObjectRef) -> Result<Found, Refusal> {
    let mut trail = Vec::new();
    let Some(live) = snapshot.seen(object) else { return Ok(Found::default()) };
    let lead = one(snapshot, &live, &mut trail, 0)?;
    Ok(Found { lead, trail, scaler: Scaler::of(snapshot, &live) })
}

/// Where a controller takes what it applies from; nothing for what is no controller.
///
/// # Errors
/// As for [`find`].
pub fn of_controller(snapshot: &Snapshot, controller: &ObjectRef) -> Result<Found, Refusal> {
    let mut trail = Vec::new();
    let Some(live) = snapshot.resolve(controller) else { return Ok(Found::default()) };
    let lead = led(snapshot, live, &mut trail, 0)?;
    Ok(Found { lead, trail, scaler: None })
}

/// What one controller says of an object that it lists.
struct Confirmed<'s> {
    controller: &'s Object,
    signal: &'static str,
}

fn one(snapshot: &Snapshot, live: &Object, trail: &mut Vec<Signal>, hops: usize) -> Result<Option<Lead>, Refusal> {
    let marks = Marks::of(live);
    let flux = flux::confirmed(snapshot, live, &marks, trail);
    let argo = argo::confirmed(snapshot, live, &marks, trail)?;
    if let (Some(flux), Some(argo)) = (&flux, &argo) {
        return Err(two_managers(live, [&flux.controller.object(), &argo.controller.object()]));
    }
    let synced = config_sync::lead(live, trail);
    let Some(found) = flux.or(argo) else {
        if synced.is_none() {
            trail.extend(claims::others(live));
        }
        return Ok(synced);
    };
    if let Some(synced) = synced {
        return Err(two_managers(live, [&found.controller.object(), &synced.controller]));
    }
    let controller = found.controller.object();
    let text = format!("{}/{}, which lists it", controller.namespace(), controller.name);
    trail.push(Signal { signal: found.signal.to_owned(), value: text, trust: Trust::Proved });
    led(snapshot, found.controller, trail, hops)
}

/// Where a controller takes what it applies from.
fn led(
    snapshot: &Snapshot,
    controller: &Object,
    trail: &mut Vec<Signal>,
    hops: usize,
) -> Result<Option<Lead>, Refusal> {
    let mut lead = match controller.kind.as_str() {
        "Kustomization" => flux::lead(snapshot, controller, trail)?,
        "HelmRelease" => helm::lead(snapshot, controller, trail)?,
        "Application" => argo::lead(controller, trail)?,
        _ => None,
    };
    if let Some(lead) = lead.as_mut().filter(|_| hops < HOPS) {
        above(snapshot, controller, lead, trail, hops)?;
    }
    Ok(lead)
}

fn two_managers(live: &Object, managers: [&ObjectRef; 2]) -> Refusal {
    let names = managers.map(ObjectRef::qualified);
    Refusal::new(
        "two-managers",
        format!("{} is applied by {}", live.object().qualified(), crate::text::and(&names)),
        "let one of them manage it, or name the folder: --path DIR",
    )
}

/// Follows the controller's own object one hop up.
fn above(
    snapshot: &Snapshot,
    controller: &Object,
    lead: &mut Lead,
    trail: &mut Vec<Signal>,
    hops: usize,
) -> Result<(), Refusal> {
    let mut further = Vec::new();
    let Some(upper) = one(snapshot, controller, &mut further, hops + 1)? else { return Ok(()) };
    // What applies itself, as the first Kustomization of a cluster does, has nothing above it.
    if upper.controller.same_object(&lead.controller) {
        return Ok(());
    }
    // Of a chart that is kept elsewhere the values may be here.
    if lead.repository.is_none() {
        lead.repository.clone_from(&upper.repository);
        lead.base = upper.base.clone();
    }
    let same = match (&lead.repository, &upper.repository) {
        (Some(own), Some(upper)) => is_same(own, upper),
        _ => true,
    };
    let name = controller.object().qualified();
    if !same || lead.base != upper.base {
        let value = format!("{name} comes from {}", upper.repository.as_deref().map_or_else(String::new, shown));
        trail.push(Signal { signal: "another repository".to_owned(), value, trust: Trust::Claimed });
        return Ok(());
    }
    let by = format!("{name} is applied by {}", upper.controller.qualified());
    trail.push(Signal { signal: "one hop up".to_owned(), value: by, trust: Trust::Proved });
    if let Some(upper) = upper.folders.into_iter().next() {
        for folder in &mut lead.folders {
            folder.above = Some(Box::new(upper.clone()));
        }
    }
    Ok(())
}

/// Whether two addresses are of one repository.
pub fn is_same(one: &str, other: &str) -> bool {
    match (RepoUrl::parse(one), RepoUrl::parse(other)) {
        (Ok(one), Ok(other)) => one.identity() == other.identity(),
        _ => one == other,
    }
}

/// Whether an address is of the repository with this identity. A clone of a folder of this machine says
/// nothing of where that came from.
pub fn is_of(address: &str, identity: &str) -> bool {
    let is_local = identity.starts_with(['/', '.', '~']) || !identity.contains('/');
    is_local || RepoUrl::parse(address).is_ok_and(|url| url.identity() == identity)
}

/// An address without credentials.
fn shown(address: &str) -> String {
    RepoUrl::parse(address).map_or_else(|_| crate::redact::text(address).to_string(), |url| url.to_string())
}

impl Lead {
    /// The repository without credentials.
    pub fn shown(&self) -> Option<String> {
        self.repository.as_deref().map(shown)
    }

    /// Whether it leads to the repository with this identity, as far as is known.
    pub fn is_of(&self, identity: &str) -> bool {
        self.repository.as_deref().is_none_or(|address| is_of(address, identity))
    }

    /// `repo-mismatch`: this is a clone of another repository.
    pub fn mismatch(&self, identity: &str) -> Refusal {
        let (controller, wanted) = (self.controller.qualified(), self.shown().unwrap_or_default());
        let command = crate::text::shell_word(&wanted);
        Refusal::new(
            "repo-mismatch",
            format!("{controller} reads {wanted}, and this is a clone of {identity}"),
            format!("aifix propose --repo {command}, or if this is a copy of it: --path DIR"),
        )
    }

    /// Whether a change of `branch` of the repository would reach the cluster; `given`: a person named it.
    ///
    /// # Errors
    /// `repo-mismatch` and `pinned-revision`.
    pub fn check(&self, identity: &str, branch: &str, given: bool) -> Result<(), Refusal> {
        let controller = self.controller.qualified();
        if !self.is_of(identity) {
            return Err(self.mismatch(identity));
        }
        let follows = match &self.base {
            _ if given => return Ok(()),
            Base::Default => return Ok(()),
            Base::Branch(name) if name == branch => return Ok(()),
            Base::Branch(name) => format!("branch {name}"),
            Base::Pinned(what) => format!("{what}, not a branch"),
        };
        let text = format!("{controller} follows {follows}");
        Err(Refusal::new("pinned-revision", text, "name the branch that it will be made from: --base BRANCH"))
    }

    /// The roots of a tree that the folders are. A named file that is not there was made by a renderer.
    pub(super) fn roots(&self, tree: &Tree) -> Vec<Root> {
        let is_there = |folder: &&Folder| folder.file.as_ref().is_none_or(|file| tree.file(file).is_some());
        self.folders.iter().filter(is_there).map(|folder| folder.root(tree)).collect()
    }
}

impl Folder {
    pub(super) fn root(&self, tree: &Tree) -> Root {
        if let Some(file) = &self.file {
            let all = tree.below(&self.path).map(|(path, _)| path.to_owned());
            return Root { without: all.filter(|path| path != file).collect(), ..Root::new(&self.path, Tool::Plain) };
        }
        let mut root = Root::at(tree, &self.path);
        if let Some(directory) = &self.directory {
            directory.narrow(&mut root, tree);
        }
        if let Some(copies) = &self.copies {
            root.without = tree.below(&root.path).map(|(path, _)| path.to_owned()).collect();
            root.without.retain(|path| !copies.hold(path));
        }
        let above = self.above.as_ref().map(|above| above.root(tree));
        if let Some(chart) = self.chart.as_ref().filter(|_| root.tool == Tool::Helm) {
            let mut release = chart.release(&self.control, above.as_ref());
            if chart.spares_missing {
                release.values.retain(|one| !matches!(one, Values::File(file) if !is_there(tree, file)));
            }
            release.overridden = released_by(tree, &root, &self.control);
            root.release = Some(Box::new(release));
            return root;
        }
        root.control = Some(Box::new(Control { above, ..self.control.clone() }));
        root
    }
}

/// Whether something is at this path, a link too.
fn is_there(tree: &Tree, file: &str) -> bool {
    tree.entries.contains_key(file)
}

impl Directory {
    /// Leaves out what the patterns do not let in; they count from the folder.
    fn narrow(&self, root: &mut Root, tree: &Tree) {
        root.recurse = self.recurse;
        let top = if root.path.is_empty() { 0 } else { root.path.len() + 1 };
        let fits = |pattern: &str, path: &str| crate::repo::matches(pattern, path.get(top..).unwrap_or_default());
        let out = |path: &str| {
            !self.include.is_empty() && !fits(&self.include, path)
                || !self.exclude.is_empty() && fits(&self.exclude, path)
        };
        root.without = tree.below(&root.path).map(|(path, _)| path.to_owned()).filter(|path| out(path)).collect();
    }
}

#[cfg(test)]
mod tests;
