//! Where in Git a proposal belongs: repository, base, tools.

use super::Session;
use super::look::Seen;
use super::policy::PolicySource;
use super::propose::ProposeArgs;
use super::propose_schema::Fields;
use crate::error::Error;
use crate::model::intent::Intent;
use crate::model::lesson::{Lessons, Tried};
use crate::model::object::ObjectRef;
use crate::model::tree::Tree;
use crate::policy::{Circumstances, Set};
use crate::proposal::{Advisor, BranchState, Ground};
use crate::repo::{Branch, CommitId, Remote, Repo, RepoUrl};
use crate::settings::environment;
use crate::settings::repository::{self, Repository};
use crate::source::Tools;
use crate::text::Sanitised;
use clap::Args;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where in Git the fix belongs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the fix belongs")]
pub struct PlaceArgs {
    /// A clone of the repository, or its address [default: the one around the current folder]
    #[arg(long, value_name = "PATH", default_value = ".", hide_default_value = true)]
    pub repo: PathBuf,

    /// The folder that is rendered, from the repository's root [default: searched]
    #[arg(long, value_name = "DIR")]
    pub path: Option<String>,

    /// A values file of the chart at --path, from the repository's root; repeated, the last wins
    #[arg(long, value_name = "FILE", requires = "path")]
    pub values: Vec<String>,

    /// Branch that the fix is based on [default: the remote's default branch]
    #[arg(long, value_name = "BRANCH")]
    pub base: Option<String>,

    /// Remote to fetch from and push to [default: origin, or the only one]
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,

    /// Remote of your fork: the branch is pushed there, and --pr asks the repository of --remote to take it
    #[arg(long, value_name = "NAME")]
    pub fork: Option<String>,

    /// Which of several changes, or of several places in Git; repeated, it answers one question after another
    #[arg(long, value_name = "N", value_parser = number)]
    pub choose: Vec<usize>,

    /// Let kustomize have Helm render charts of the repository (helmCharts); nothing is fetched
    #[arg(long)]
    pub enable_helm: bool,

    /// Allow an edit that also changes other environments
    #[arg(long)]
    pub allow_shared: bool,

    #[command(flatten)]
    pub policies: PolicySource,

    /// Take the change of the live object from a file instead of the rules (JSON; for tests and other programs)
    #[arg(long, value_name = "FILE", hide_short_help = true, conflicts_with = "all")]
    pub intent: Option<PathBuf>,

    /// Name of the branch to push [default: made of the object, the code and the edit]
    #[arg(long, value_name = "BRANCH", conflicts_with = "all")]
    pub branch: Option<String>,
}

fn number(typed: &str) -> Result<usize, &'static str> {
    typed.parse().ok().filter(|number| *number > 0).ok_or("it is a number from 1")
}

/// What the repository says of itself at its base revision, and the policies that were given with those that it adds.
/// A file that can't be read could hold a denial: it is an error.
fn own(given: &Set, tree: &Tree, revision: &str) -> Result<(Repository, Set), Error> {
    let settings = match (tree.text(repository::NAME), tree.entries.contains_key(repository::NAME)) {
        (Some(text), _) => repository::parse(text, revision)?,
        (None, false) => Repository::default(),
        (None, true) => {
            return Err(Error::usage(format!("`{}` of the repository can't be read", repository::NAME))
                .hint("it is a plain text file of the base branch"));
        }
    };
    let mut policies = given.clone();
    for folder in &settings.policies {
        if !policies.add_tree(tree, folder, revision)? {
            return Err(Error::usage(format!("the base revision has no policy folder `{}`", Sanitised::line(folder)))
                .because(format!("`{}` names it", repository::NAME))
                .hint("add the folder, or take it out of `policies`"));
        }
    }
    if !settings.policies.iter().any(|folder| folder.trim_matches('/') == repository::POLICIES) {
        policies.add_tree(tree, repository::POLICIES, revision)?;
    }
    Ok((settings, policies))
}

/// The repository, its remote and the freshly fetched base.
pub(super) struct Place {
    pub(super) repo: Repo,
    pub(super) remote: Remote,
    /// Where the branch is pushed: the same, or a fork.
    pub(super) push: Remote,
    pub(super) base_branch: Branch,
    pub(super) base: CommitId,
    base_id: String,
    pub(super) base_tree: Tree,
    /// The branch that counts where no controller names another.
    pub(super) default_branch: Branch,
    /// `--base` was given.
    based: bool,
    pub(super) deployed: Vec<(String, Tree)>,
    branches: BTreeMap<String, BranchState>,
    pub(super) identity: String,
    shown: String,
    tools: Tools,
    /// The policies that were given, and those with what the base revision adds.
    given: Set,
    pub(super) policies: Set,
    /// What the base revision says in its own file.
    pub(super) settings: Repository,
    program: PathBuf,
    /// The Git identity, empty when there is none, and the time of the run: policies are told.
    who: String,
    time: String,
    /// Namespaces that were read because a policy asks for their labels.
    namespaces: Vec<Value>,
    /// What earlier fixes teach.
    pub(super) lessons: Lessons,
    /// Changes that were pushed within the last days.
    pub(super) tried: Vec<Tried>,
}

/// The renderers of this machine.
pub(super) fn tools(session: &Session) -> Tools {
    let which = |name| session.environment.which(name);
    Tools::new(which("kustomize"), which("kubectl"), which("helm"))
}

impl Place {
    pub(super) async fn fetch(
        args: &ProposeArgs,
        repo: Repo,
        remote: Remote,
        session: &Session,
    ) -> Result<Self, Error> {
        let push = match args.place.fork.as_deref() {
            None => remote.clone(),
            Some(name) => repo.remote(Some(name))?,
        };
        if args.place.fork.is_some() && push.push_url.identity() == remote.url.identity() {
            return Err(Error::usage(format!("`{}` is the repository itself, and no fork of it", remote.url))
                .hint("name the repository that you forked: --remote NAME"));
        }
        let given = Set::load(true, &args.place.policies.policies)?;
        let ask = session.ui.can_ask();
        // With a person at the terminal Git may ask there: a line instead of a spinner.
        if ask {
            session.ui.say(format_args!("Fetching {}", Sanitised::line(&remote.url.to_string())));
        }
        let progress = (!ask).then(|| session.ui.progress(&format!("Fetching {}", remote.url)));
        let base_branch = repo.base_branch(&remote, args.place.base.as_deref(), ask).await?;
        if args.place.branch.as_deref() == Some(base_branch.as_str()) {
            return Err(Error::usage(format!("--branch may not name the base branch {base_branch}"))
                .hint("leave it away, or name a branch of its own"));
        }
        let base = repo.fetch(&remote, &base_branch, ask).await?;
        let mut branches = BTreeMap::new();
        for prefix in std::iter::once("aifix/").chain(args.place.branch.as_deref()) {
            for (name, tip) in repo.branches(&push, prefix).await? {
                let state = if repo.contains(&base, &tip) { BranchState::Merged } else { BranchState::Open };
                branches.insert(name, state);
            }
        }
        drop(progress);
        let base_tree = repo.tree(&base)?;
        let (settings, policies) = own(&given, &base_tree, &base.to_string())?;
        Ok(Self {
            who: repo.identity().unwrap_or_default(),
            time: environment::now().to_string(),
            namespaces: Vec::new(),
            base_id: base.to_string(),
            identity: remote.url.identity(),
            shown: remote.url.to_string(),
            tools: tools(session).inflating(args.place.enable_helm),
            given,
            policies,
            settings,
            program: super::program()?,
            lessons: Lessons::default(),
            tried: Vec::new(),
            repo,
            remote,
            push,
            default_branch: base_branch.clone(),
            based: args.place.base.is_some(),
            base_branch,
            base,
            base_tree,
            deployed: Vec::new(),
            branches,
        })
    }

    /// Makes another branch the base.
    pub(super) async fn stand_on(&mut self, branch: Branch, session: &Session) -> Result<(), Error> {
        self.base = self.repo.fetch(&self.remote, &branch, session.ui.can_ask()).await?;
        self.base_id = self.base.to_string();
        self.base_tree = self.repo.tree(&self.base)?;
        self.base_branch = branch;
        (self.settings, self.policies) = own(&self.given, &self.base_tree, &self.base_id)?;
        Ok(())
    }

    pub(super) fn ground<'g>(
        &'g self,
        args: &'g ProposeArgs,
        seen: &'g Seen,
        model: Option<Advisor<'g>>,
        intent: Option<&'g Intent>,
        choose: &'g [usize],
        asked: &'g Fields<'g>,
    ) -> Ground<'g> {
        Ground {
            snapshot: &seen.snapshot,
            base: &self.base_id,
            base_tree: &self.base_tree,
            deployed: &self.deployed,
            repo_identity: &self.identity,
            repo: &self.shown,
            base_branch: self.base_branch.as_str(),
            based: self.based,
            branches: &self.branches,
            reopen: args.request.pr && args.place.branch.is_none(),
            path: args.place.path.as_deref(),
            values: &args.place.values,
            choose,
            allow_shared: args.place.allow_shared,
            tools: &self.tools,
            policies: &self.policies,
            program: &self.program,
            namespaces: &self.namespaces,
            circumstances: Circumstances { git: &self.who, cluster: &seen.snapshot.context, time: &self.time },
            model,
            fields: asked,
            maps: asked,
            history: &self.repo,
            lessons: &self.lessons,
            tried: &self.tried,
            revert: args.revert,
            intent,
        }
    }

    /// Charts are rendered as this cluster has them made: its version and its kinds decide what some of them do.
    pub(super) async fn see_cluster(&mut self, seen: &Seen) {
        let is_chart = |path: &String| path == "Chart.yaml" || path.ends_with("/Chart.yaml");
        let Some(cluster) = seen.cluster.as_ref().filter(|_| self.base_tree.entries.keys().any(is_chart)) else {
            return;
        };
        let versions = cluster.versions().await;
        self.tools.see_cluster(versions.kube, versions.apis);
    }

    /// Reads the namespace of an object when a policy asks for its labels. Where that is not allowed they stay unknown,
    /// and the policies say so.
    pub(super) async fn ask_namespace(&mut self, namespace: &str, seen: &Seen) {
        let is_known = self.namespaces.iter().any(|one| one.pointer("/metadata/name") == Some(&namespace.into()))
            || seen.snapshot.find("Namespace", "", namespace).is_some();
        let Some(cluster) = seen.cluster.as_ref().filter(|_| !namespace.is_empty() && !is_known) else { return };
        if !self.policies.asks_for_namespaces() {
            return;
        }
        if let Ok(found) = cluster.get(&ObjectRef::new("v1", "Namespace", "", namespace)).await {
            self.namespaces.push(found);
        }
    }

    /// The address of the fork that the branch is pushed to.
    pub(super) fn fork(&self) -> Option<&RepoUrl> {
        (self.push != self.remote).then_some(&self.push.push_url)
    }

    /// Whether the remote has a branch of ours of this name that is not merged.
    pub(super) fn is_open(&self, branch: &str) -> bool {
        self.branches.get(branch) == Some(&BranchState::Open)
    }
}
