//! The key of a model server: from where, and never printed.

use crate::doors::files;
use crate::doors::process::{self, Run};
use crate::error::Error;
use crate::settings::environment::Environment;
use crate::text::Sanitised;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a file or of an output that can be a key.
const LIMIT: u64 = 64 << 10;

/// How long a command may think: it may ask a person to unlock something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key that cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key as it was read; blanks around it are dropped. `None` for an empty one.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The key, for the one header that carries it.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a key is read from, when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    /// A program and its arguments, run without a shell; its first line is the key.
    Command(Vec<String>),
}

/// A key that was read, and what a person should know of where it lies.
#[derive(Debug)]
pub struct Read {
    pub key: ApiKey,
    pub warning: Option<String>,
}

impl Source {
    /// Reads the key.
    ///
    /// # Errors
    /// When the file can't be read, the command fails, or either is empty. No text of either is shown.
    pub async fn read(&self, environment: &Environment) -> Result<Read, Error> {
        match self {
            Self::File(path) => {
                let shown = Sanitised::line(&path.display().to_string());
                let failed = |message: String| Error::usage(message).hint("check `key-file` in the table [llm]");
                let bytes = files::read_bounded(path, LIMIT)
                    .map_err(|error| failed(format!("the key in `{shown}` can't be read")).because(error))?;
                let key = first_line(&bytes).ok_or_else(|| failed(format!("`{shown}` holds no key")))?;
                let warning = files::is_open_to_others(path)
                    .then(|| format!("the key in `{shown}` can be read by others: chmod 600 {shown}"));
                Ok(Read { key, warning })
            }
            Self::Command(words) => Ok(Read { key: from_command(words, environment).await?, warning: None }),
        }
    }
}

async fn from_command(words: &[String], environment: &Environment) -> Result<ApiKey, Error> {
    let failed = |message: String| Error::usage(message).hint("check `key-command` in the table [llm]");
    let [program, args @ ..] = words else { return Err(failed("the command for the key is empty".to_owned())) };
    let shown = Sanitised::line(program);
    let found = if program.contains('/') { Some(PathBuf::from(program)) } else { environment.which(program) };
    let found = found.ok_or_else(|| failed(format!("the command for the key, `{shown}`, was not found")))?;
    let mut run = Run::new(found).args(args.iter().cloned());
    run.env = environment.0.clone();
    run.deadline = PATIENCE;
    run.output_limit = LIMIT as usize;
    // NOTE: neither its output nor its errors are shown: either can hold the key.
    let done =
        process::run(run).await.map_err(|error| failed("the command for the key failed".to_owned()).because(error))?;
    if done.code != 0 {
        return Err(failed(format!("the command for the key, `{shown}`, ended with exit code {}", done.code)));
    }
    first_line(&done.stdout).ok_or_else(|| failed(format!("the command for the key, `{shown}`, printed no key")))
}

fn first_line(bytes: &[u8]) -> Option<ApiKey> {
    let text = std::str::from_utf8(bytes).ok()?;
    let line = text.trim_start_matches('\u{feff}').lines().map(str::trim).find(|line| !line.is_empty())?;
    // What a header can't carry is no key.
    line.bytes().all(|byte| byte.is_ascii_graphic()).then(|| ApiKey::new(line))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn environment() -> Environment {
        Environment([("PATH".into(), "/usr/bin:/bin".into())].into())
    }

    async fn command(words: &[&str]) -> Result<Read, Error> {
        Source::Command(words.iter().map(ToString::to_string).collect()).read(&environment()).await
    }

    #[tokio::test]
    async fn a_key_file_is_read_and_one_that_others_can_read_is_told() {
        let scratch = files::Scratch::new().unwrap();
        let path = scratch.path().join("key");
        files::write_private(&path, b"\n  sk-local \n# mine\n").unwrap();
        let read = Source::File(path.clone()).read(&environment()).await.unwrap();
        assert_eq!((read.key.secret(), read.warning), ("sk-local", None));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let warning = Source::File(path.clone()).read(&environment()).await.unwrap().warning.unwrap();
        assert!(warning.contains("can be read by others") && warning.contains("chmod 600"), "{warning}");
        files::write_private(&path, b" \n").unwrap();
        let error = Source::File(path).read(&environment()).await.unwrap_err();
        assert!(error.message.ends_with("holds no key"), "{error:?}");
    }

    #[tokio::test]
    async fn a_command_prints_the_key_and_its_failure_prints_nothing_of_it() {
        assert_eq!(command(&["printf", "sk-local\\n"]).await.unwrap().key.secret(), "sk-local");
        for (words, message) in [
            (
                &["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 3"][..],
                "the command for the key, `sh`, ended with exit code 3",
            ),
            (&["true"], "the command for the key, `true`, printed no key"),
            (&["no-such-program"], "the command for the key, `no-such-program`, was not found"),
            (&[], "the command for the key is empty"),
            (&["printf", "two words"], "the command for the key, `printf`, printed no key"),
        ] {
            let error = command(words).await.unwrap_err();
            assert_eq!(error.message, message);
            assert!(!format!("{error:?}").contains("hunter2") && !error.hints.is_empty(), "{error:?}");
        }
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let key = ApiKey::new(" sk-abc \n").unwrap();
        assert_eq!(format!("{key:?} {key}"), "*** ***");
    }
}
