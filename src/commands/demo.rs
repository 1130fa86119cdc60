//! `aifix demo`: the whole road, on a recorded failure.

use super::{Cli, Session};
use crate::doors::files::{Scratch, write_scratch};
use crate::doors::process::{Run, run as run_child};
use crate::error::{Error, exit};
use crate::text::Sanitised;
use crate::ui::Paint;
use clap::{Args, Parser};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// Play the whole road on a recorded failure: scan, propose, policies, push
///
/// A real failure of a real cluster and a small repository are unpacked into a temporary folder. Every step is the
/// real code; it needs Git and nothing else, and leaves nothing behind.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Do not ask before the push
    #[arg(long)]
    pub yes: bool,
}

/// The recording, and the repository that made what it shows.
const SNAPSHOT: &str = include_str!("demo/snapshot.json");
const FILES: [(&str, &str); 2] = [
    ("apps/cart.yaml", include_str!("demo/repository/apps/cart.yaml")),
    ("apps/landing.yaml", include_str!("demo/repository/apps/landing.yaml")),
];

pub(super) async fn run(args: &DemoArgs, session: &Session) -> Result<u8, Error> {
    let scratch = Scratch::new().map_err(|error| Error::usage("there is no room for the demo").caused_by(&error))?;
    let stage = Stage::set(scratch.path(), session).await?;
    let snapshot = scratch.path().join("snapshot.json").display().to_string();
    let work = scratch.path().join("shop").display().to_string();

    stage.say("A recorded failure of a real cluster. What fails, and why?")?;
    stage.aifix(&["scan", "--from", &snapshot]).await?;
    stage.say("\nWhich line of which file made it, and what would fix it?")?;
    let mut words = vec!["propose", "deployment/cart", "--from", &snapshot, "--repo", &work, "--push"];
    if args.yes {
        words.push("--yes");
    }
    let code = stage.aifix(&words).await?;
    if code != exit::DONE {
        stage.say("\nNothing was pushed; the demo ends here. Its folder is gone.")?;
        return Ok(code);
    }
    stage.say("\nWhat landed in the remote:")?;
    let log = stage
        .git("remote.git", &["log", "-1", "-p", "--all", "--no-color", "--format=%h %an: %s", "--not", "main"])
        .await?;
    session.ui.print(Sanitised::block(&log).as_str())?;
    stage.say("\nThe demo's folder, its remote and its record end here.")?;
    stage.say("On your own cluster, inside a clone of its manifests:")?;
    session.ui.print("  aifix scan\n  aifix propose\n  aifix propose --push\n")?;
    Ok(exit::DONE)
}

/// A temporary folder with a repository and its remote, and a session that sees only them.
struct Stage<'s> {
    folder: &'s Path,
    session: Session,
}

impl<'s> Stage<'s> {
    async fn set(folder: &'s Path, session: &Session) -> Result<Self, Error> {
        let mut environment = session.environment.clone();
        let mut set = |name: &str, value: OsString| environment.0.insert(name.into(), value);
        set("AIFIX_STATE_DIR", folder.join("records").into());
        set("GIT_CONFIG_GLOBAL", "/dev/null".into());
        set("GIT_CONFIG_NOSYSTEM", "1".into());
        for who in ["AUTHOR", "COMMITTER"] {
            set(&format!("GIT_{who}_NAME"), "Demo".into());
            set(&format!("GIT_{who}_EMAIL"), "demo@example.com".into());
        }
        let session = Session {
            ui: session.ui.clone(),
            environment,
            typed: session.typed.clone(),
            interruptible: Arc::clone(&session.interruptible),
        };
        let stage = Self { folder, session };
        let unpack = |name: &str, text: &str| {
            write_scratch(&folder.join(name), text.as_bytes())
                .map_err(|error| Error::usage("the demo could not be unpacked").caused_by(&error))
        };
        unpack("snapshot.json", SNAPSHOT)?;
        stage.git("", &["init", "-q", "--bare", "-b", "main", "remote.git"]).await?;
        stage.git("", &["init", "-q", "-b", "main", "shop"]).await?;
        for (name, text) in FILES {
            unpack(&format!("shop/{name}"), text)?;
        }
        let remote = folder.join("remote.git").display().to_string();
        for words in [
            &["add", "-A"][..],
            &["commit", "-qm", "Add the shop"],
            &["remote", "add", "origin", &remote],
            &["push", "-q", "origin", "main"],
        ] {
            stage.git("shop", words).await?;
        }
        Ok(stage)
    }

    fn say(&self, words: &str) -> Result<(), Error> {
        let mut page = self.session.ui.page();
        page.put(Paint::Cyan, words).end();
        self.session.ui.print(page.as_str())
    }

    /// Runs one of our own commands, and shows how it is typed.
    async fn aifix(&self, words: &[&str]) -> Result<u8, Error> {
        let folder = format!("{}/", self.folder.display());
        let line: Vec<String> = words.iter().map(|word| word.replace(&folder, "")).collect();
        let mut page = self.session.ui.page();
        page.put(Paint::Bold, format_args!("$ aifix {}", line.join(" "))).end().end();
        self.session.ui.print(page.as_str())?;
        let cli = Cli::try_parse_from(std::iter::once(&"aifix").chain(words))
            .map_err(|error| Error::bug("the demo's own words were not understood").caused_by(&error))?;
        let typed = words.iter().map(ToString::to_string).collect();
        let session = Session {
            ui: self.session.ui.clone(),
            environment: self.session.environment.clone(),
            typed,
            interruptible: Arc::clone(&self.session.interruptible),
        };
        Box::pin(super::run(cli.command, &session)).await
    }

    async fn git(&self, folder: &str, words: &[&str]) -> Result<String, Error> {
        let git = self
            .session
            .environment
            .which("git")
            .ok_or_else(|| Error::usage("the demo needs Git").hint("install git"))?;
        let mut run = Run::new(git).args(words);
        run.env = self.session.environment.0.clone();
        run.folder = Some(self.folder.join(folder));
        let failed = |why: String| Error::usage(format!("`git {}` failed", words.join(" "))).because(why);
        let done = run_child(run).await.map_err(|error| failed(error.to_string()))?;
        if done.code != 0 {
            return Err(failed(done.stderr));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}
