//! Child processes: bounded in time and output.
#![expect(clippy::disallowed_methods, reason = "this is the door for child processes and for the environment")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// A command to run. The child sees only the environment that is given here.
#[derive(Debug, Clone)]
pub struct Run {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: BTreeMap<OsString, OsString>,
    pub folder: Option<PathBuf>,
    /// Written to its standard input, which is then closed.
    pub input: Vec<u8>,
    /// The terminal is handed to the child: its standard input and error are ours.
    pub interactive: bool,
    pub deadline: Duration,
    /// Bytes of standard output and of standard error that are kept at most.
    pub output_limit: usize,
    /// Bytes of memory that the child may write to, where the system can bound them (Linux). It gets no more
    /// processor time than its deadline for each core then either, so that it ends even when we are killed.
    pub memory_limit: Option<u64>,
}

impl Run {
    /// A command without environment, input or folder; 30 s and 64 MiB.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            folder: None,
            input: Vec::new(),
            interactive: false,
            deadline: Duration::from_secs(30),
            output_limit: 64 << 20,
            memory_limit: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }
}

/// What a finished child left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; 128 + signal when a signal ended it.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Why a child did not finish.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("`{0}` was not found")]
    NotFound(String),
    #[error("`{program}` could not be started")]
    Start { program: String, source: std::io::Error },
    #[error("`{program}` did not finish within {seconds} s")]
    Deadline { program: String, seconds: u64 },
    #[error("`{program}` printed more than {} MiB", limit >> 20)]
    TooMuchOutput { program: String, limit: usize },
}

/// Kills the whole group of the child when it is dropped before the child was waited for.
struct Group(Option<rustix::process::Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it can't be started, passes its deadline or prints too much; its whole process group is killed then.
pub async fn run(run: Run) -> Result<Finished, RunError> {
    let program = run.program.display().to_string();
    let mut command = Command::new(&run.program);
    command.args(&run.args).env_clear().envs(&run.env).stdout(Stdio::piped()).kill_on_drop(true);
    if run.interactive {
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        // A group of its own: a kill reaches grandchildren, and Ctrl-C does not tear a push in two.
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    }
    if let Some(folder) = &run.folder {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => RunError::NotFound(program.clone()),
        _ => RunError::Start { program: program.clone(), source },
    })?;
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    let mut group = Group(pid.filter(|_| !run.interactive));
    if let (Some(pid), Some(memory)) = (pid, run.memory_limit) {
        bound(pid, memory, run.deadline);
    }
    let finished = tokio::time::timeout(run.deadline, collect(&mut child, &run)).await;
    match finished {
        Ok(Ok(Some((code, stdout, stderr)))) => {
            group.0 = None;
            Ok(Finished { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
        }
        Ok(Ok(None)) => Err(RunError::TooMuchOutput { program, limit: run.output_limit }),
        Ok(Err(source)) => Err(RunError::Start { program, source }),
        Err(_) => Err(RunError::Deadline { program, seconds: run.deadline.as_secs() }),
    }
}

/// Bounds a child's memory and processor time. It runs already, and has done little yet.
#[cfg(target_os = "linux")]
fn bound(pid: rustix::process::Pid, memory: u64, deadline: Duration) {
    use rustix::process::{Resource, Rlimit, prlimit};
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    // A child that has ended meanwhile needs none.
    let _ = prlimit(Some(pid), Resource::Data, limit(memory));
    let _ = prlimit(Some(pid), Resource::Cpu, limit((deadline.as_secs() + 1) * cores));
}

#[cfg(not(target_os = "linux"))]
fn bound(_: rustix::process::Pid, _: u64, _: Duration) {}

type Collected = Option<(i32, Vec<u8>, Vec<u8>)>;

async fn collect(child: &mut Child, run: &Run) -> std::io::Result<Collected> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A child that does not read its input is not an error.
            let _ = stdin.write_all(&run.input).await;
        }
    };
    let ((), stdout, stderr) = tokio::join!(feed, read(stdout, run.output_limit), read(stderr, run.output_limit));
    let (Some(stdout), Some(stderr)) = (stdout?, stderr?) else { return Ok(None) };
    let status = child.wait().await?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Ok(Some((status.code().unwrap_or(128 + signal.unwrap_or(0)), stdout, stderr)))
}

/// Reads to the end; `None` when there is more than `limit`.
async fn read<R: AsyncRead + Unpin>(from: Option<R>, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// A variable of our own environment.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Our whole environment.
pub fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

/// Where a program is on `PATH`.
pub fn which(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .map(|folder| folder.join(name))
        .find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        Run::new("/bin/sh").args(["-c", script]).env("PATH", "/usr/bin:/bin")
    }

    #[tokio::test]
    async fn a_child_sees_only_what_it_is_given() {
        let mut child = shell("cat; echo; env; exit 3");
        child.input = b"said".to_vec();
        let done = run(child).await.unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        assert_eq!(done.code, 3);
        assert!(text.starts_with("said\n") && text.contains("PATH=/usr/bin:/bin") && !text.contains("HOME="), "{text}");
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_ended_with_its_children() {
        let folder = crate::doors::files::Scratch::new().unwrap();
        let mark = folder.path().join("alive");
        let mut child = shell(&format!("(sleep 1; touch '{}') & sleep 60", mark.display()));
        child.deadline = Duration::from_millis(200);
        assert!(matches!(run(child).await, Err(RunError::Deadline { .. })));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(!mark.exists(), "the grandchild lived on");
    }

    #[tokio::test]
    async fn a_child_that_prints_without_end_is_ended() {
        let mut child = shell("yes");
        child.output_limit = 1 << 16;
        assert!(matches!(run(child).await, Err(RunError::TooMuchOutput { .. })));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_child_gets_so_much_memory_and_no_more() {
        // The shell's own copy of the text would need twice the limit.
        let script = "read line; s=x; i=0; while [ $i -lt 28 ]; do s=$s$s; i=$((i + 1)); done; echo ${#s}";
        let mut child = shell(script);
        child.input = b"go\n".to_vec();
        child.memory_limit = Some(32 << 20);
        let done = run(child).await.unwrap();
        assert!(done.code != 0 && done.stdout.is_empty(), "{done:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_that_never_ends_is_ended_though_nobody_watches_it() {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        bound(pid, 1 << 30, Duration::ZERO);
        let status = child.wait().unwrap();
        assert!(std::os::unix::process::ExitStatusExt::signal(&status).is_some(), "{status}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = run(Run::new("/nowhere/kustomize")).await.unwrap_err();
        assert_eq!(error.to_string(), "`/nowhere/kustomize` was not found");
    }
}
