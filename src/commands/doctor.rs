//! `aifix doctor`: what works here, and what to type where not.

use super::model::ModelArgs;
use super::{Session, forge_of, look};
use crate::audit::Store;
use crate::cluster::{self, Right};
use crate::doors::files;
use crate::doors::process::{Run, run as run_child};
use crate::error::{Error, Kind, exit};
use crate::output::doctor_text::{self, Checkup, State};
use crate::output::{json, roles};
use crate::policy::Set;
use crate::repo::Repo;
use crate::settings::flags::{LookArgs, ReportFormat};
use crate::settings::{file, resolve};
use crate::text;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Look at cluster, rights, renderers, Git, policies and records: what works, and what to type
///
/// Nothing is written. Exits 3 when the cluster or the Git host does not answer, else 2 when something is
/// broken.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix doctor                           what works here
  aifix doctor --rbac -n shop            the rights that a scan of shop uses, for kubectl apply -f
  aifix doctor --rbac -A -o json         those of a scan of the whole cluster")]
pub struct DoctorArgs {
    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,

    /// A clone of the repository [default: the one around the current folder]
    #[arg(long, value_name = "PATH", default_value = ".", hide_default_value = true)]
    pub repo: PathBuf,

    /// Print the smallest Role and ClusterRole that cover a scan, and what each rule is for; asks no cluster
    #[arg(long, conflicts_with = "from")]
    pub rbac: bool,

    #[command(flatten)]
    pub look: LookArgs,
}

/// The roles for what these flags would read.
fn roles(args: &DoctorArgs, session: &Session) -> Result<u8, Error> {
    let scope = cluster::scope(&look::options(&args.look, session))?;
    let grants = cluster::grants(args.look.read_secret_keys);
    session.ui.print(&match args.output {
        ReportFormat::Text => roles::yaml(&grants, &scope),
        ReportFormat::Json => roles::json(&grants, &scope)?,
    })?;
    Ok(exit::DONE)
}

pub(super) async fn run(args: &DoctorArgs, session: &Session) -> Result<u8, Error> {
    if args.rbac {
        return roles(args, session);
    }
    let progress = session.ui.progress("Looking");
    let mut all = cluster(args, session).await;
    all.push(renderer("kustomize", &["version"], session).await);
    all.extend(git(args, session).await);
    all.push(model(session));
    all.push(policies());
    all.push(records(session));
    drop(progress);
    let text = match args.output {
        ReportFormat::Json => json::doctor(&all)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            doctor_text::write(&mut page, &all, session.ui.width());
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    let is_broken = |checkup: &&Checkup| checkup.state == State::Broken;
    Ok(match all.iter().filter(is_broken).map(|checkup| checkup.unreachable).max() {
        Some(true) => exit::UNREACHABLE,
        Some(false) => exit::USAGE,
        None => exit::DONE,
    })
}

fn works(area: &'static str, summary: impl Into<String>) -> Checkup {
    Checkup { area, state: State::Works, summary: summary.into(), hints: Vec::new(), unreachable: false }
}

fn limited(area: &'static str, summary: impl Into<String>, hint: impl Into<String>) -> Checkup {
    Checkup { area, state: State::Limited, summary: summary.into(), hints: vec![hint.into()], unreachable: false }
}

fn broken(area: &'static str, error: &Error) -> Checkup {
    Checkup {
        area,
        state: State::Broken,
        summary: error.to_string(),
        hints: error.hints.clone(),
        unreachable: error.kind == Kind::Unreachable,
    }
}

/// The cluster answers, and tells what we may read.
async fn cluster(args: &DoctorArgs, session: &Session) -> Vec<Checkup> {
    let cluster = match cluster::connect(&look::options(&args.look, session)).await {
        Ok(cluster) => cluster,
        Err(error) => return vec![broken("cluster", &error)],
    };
    let mut out = Vec::new();
    for notice in cluster.notices() {
        out.push(limited("cluster", notice.clone(), "set certificate-authority in the kubeconfig"));
    }
    match cluster.rights().await {
        Err(error) => out.push(broken("cluster", &error)),
        Ok(rights) => {
            out.push(works(
                "cluster",
                format!("context {} at {}, {}", cluster.context(), cluster.server(), cluster.scope()),
            ));
            out.push(match rights {
                None => limited(
                    "rights",
                    "the API server does not tell all of them",
                    "aifix scan says what it could not read",
                ),
                Some(rights) => of_rights(&rights),
            });
        }
    }
    out
}

fn of_rights(rights: &[Right]) -> Checkup {
    let missing: BTreeMap<&str, &Right> =
        rights.iter().filter(|right| !right.allowed).map(|right| (right.resource, right)).collect();
    if missing.is_empty() {
        let kinds: BTreeSet<&str> = rights.iter().map(|right| right.resource).collect();
        return works("rights", format!("get and list on {}", text::count(kinds.len(), "kind")));
    }
    let essential: Vec<&str> = missing.values().filter(|right| right.essential).map(|right| right.resource).collect();
    let (state, summary) = if essential.is_empty() {
        let names: Vec<&str> = missing.keys().copied().collect();
        (State::Limited, format!("{} may not be read; some failures stay unseen", text::and(&names)))
    } else {
        let summary = format!("{} may not be listed: no workload can be judged without them", text::and(&essential));
        (State::Broken, summary)
    };
    let unseen = missing.values().filter(|right| !right.essential);
    let mut hints: Vec<String> =
        unseen.map(|right| format!("{}: unseen without it are {}", right.resource, text::and(right.codes))).collect();
    hints.push("`aifix doctor --rbac` prints the roles to ask for; Secrets are never needed".to_owned());
    Checkup { area: "rights", state, summary, hints, unreachable: false }
}

/// A renderer by its own words.
async fn renderer(name: &'static str, version: &[&str], session: &Session) -> Checkup {
    let found = session.environment.which(name).map(|path| (path, version.to_vec()));
    let found = found.or_else(|| session.environment.which("kubectl").map(|path| (path, vec!["kustomize", "--help"])));
    let Some((path, args)) = found else {
        return limited(
            "renderer",
            "neither kustomize nor kubectl is on PATH: only plain manifests can be fixed",
            "install kustomize: https://kubectl.docs.kubernetes.io/installation/kustomize/",
        );
    };
    match run_child(Run::new(&path).args(args)).await {
        Ok(done) if done.code == 0 => {
            let first = String::from_utf8_lossy(&done.stdout).lines().next().unwrap_or_default().to_owned();
            let is_kubectl = path.ends_with("kubectl");
            works("renderer", if is_kubectl { "kubectl kustomize".to_owned() } else { format!("kustomize {first}") })
        }
        Ok(done) => {
            limited("renderer", format!("{} ends with code {}", path.display(), done.code), "install kustomize anew")
        }
        Err(error) => limited("renderer", error.to_string(), "install kustomize anew"),
    }
}

async fn git(args: &DoctorArgs, session: &Session) -> Vec<Checkup> {
    let repo = match Repo::discover(&args.repo, session.environment.0.clone()) {
        Ok(repo) => repo,
        Err(error) => {
            return vec![limited(
                "git",
                error.to_string(),
                error.hints.first().cloned().unwrap_or_else(|| "run it inside a clone of the manifests".to_owned()),
            )];
        }
    };
    let mut out = Vec::new();
    let shown = repo.root().map_or_else(|| "a bare repository".to_owned(), |root| root.display().to_string());
    match repo.remote(None) {
        Err(error) => out.push(limited("git", error.to_string(), error.hints.join("; "))),
        Ok(remote) => {
            // What the clone knows is enough: a checkup should not wait for a host, or ask for a password.
            let (branch, how) = match repo.known_default(&remote) {
                Some(branch) => (Ok(branch), "not contacted"),
                None => (repo.base_branch(&remote, None, false).await, "answers"),
            };
            out.push(match branch {
                Ok(branch) => {
                    works("git", format!("{shown}, {} at {} ({how}), branch {branch}", remote.name, remote.url))
                }
                Err(error) => broken("git", &error),
            });
        }
    }
    out.extend(forge(&repo, session).await);
    out.push(match repo.identity() {
        Some(who) => works("identity", who),
        None => limited(
            "identity",
            "Git does not know who you are: nothing can be committed",
            "git config --global user.name NAME, and user.email",
        ),
    });
    out
}

/// Whom `--pr` would ask, and whether the token is taken; it is never shown. A folder has no forge.
async fn forge(repo: &Repo, session: &Session) -> Option<Checkup> {
    let url = repo.remote(None).ok()?.push_url;
    let look = async || -> Result<Option<Checkup>, Error> {
        let config = file::read(&session.environment)?;
        let Some(forge) = forge_of::open(&url, None, &config, repo, session).await? else { return Ok(None) };
        let at = format!("{} at {}", forge.kind().name(), forge.host());
        if !forge.can_sign_in() {
            let hint = format!("set {}, or open the request at the address that is printed", forge.token_names());
            return Ok(Some(limited("forge", format!("{at}, no token: --pr can open no request"), hint)));
        }
        forge.check().await?;
        Ok(Some(works("forge", format!("{at}, which takes the token of {}", forge.token_names()))))
    };
    match look().await {
        Ok(found) => found,
        Err(error) => {
            let hint = error.hints.join("; ");
            Some(limited("forge", format!("--pr would fail: {error}"), hint))
        }
    }
}

/// Which model would be asked; nothing is sent.
fn model(session: &Session) -> Checkup {
    match ModelArgs::default().settings(session) {
        Err(error) => broken("model", &error),
        Ok(None) => works("model", "none: fixes are decided by rule alone"),
        Ok(Some(settings)) => {
            let name = if settings.model.is_empty() { "its own model" } else { &settings.model };
            works("model", format!("{} ({name}), asked where rules decide nothing", settings.host()))
        }
    }
}

fn policies() -> Checkup {
    match Set::load(true, &[]) {
        Ok(set) => works(
            "policies",
            format!("{} built in", set.policies().filter(|file| !file.name.starts_with("lib/")).count()),
        ),
        Err(error) => broken("policies", &error),
    }
}

fn records(session: &Session) -> Checkup {
    let look = |folder: &Path| -> Result<Checkup, Error> {
        if let Some(closed) = files::closed_ancestor(folder) {
            let message = format!("can't be kept in {}: {} can't be written", folder.display(), closed.display());
            return Err(Error::usage(message).hint("set AIFIX_STATE_DIR to a folder of your own"));
        }
        let key = session.environment.path("AIFIX_AUDIT_KEY_FILE");
        let Some(store) = Store::open_existing(folder, key.as_deref())? else {
            return Ok(works("records", format!("none yet in {}", folder.display())));
        };
        let verified = store.verify()?;
        Ok(match verified.first_bad {
            None => works("records", format!("{} entries in {} hold", verified.entries, folder.display())),
            Some(bad) => Checkup {
                area: "records",
                state: State::Broken,
                summary: format!("entry {} does not hold: {}", bad.seq, bad.why),
                hints: vec!["aifix audit verify".to_owned()],
                unreachable: false,
            },
        })
    };
    resolve::state_folder(&session.environment)
        .and_then(|folder| look(&folder))
        .unwrap_or_else(|error| broken("records", &error))
}
