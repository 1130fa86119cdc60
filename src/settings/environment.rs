//! The user's environment, read once.
#![expect(clippy::disallowed_methods, reason = "settings read the environment for everybody")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A copy of the environment at start.
#[derive(Debug, Clone, Default)]
pub struct Environment(pub BTreeMap<OsString, OsString>);

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    /// Where `name` is on `PATH`: the first file of that name that may be executed.
    pub fn which(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.get("PATH")?)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok())
    }
}

/// What was typed after the program's name.
pub fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The name that we were started by, without its folder.
pub fn invoked_as() -> Option<String> {
    let first = std::env::args_os().next()?;
    PathBuf::from(first).file_name().map(|name| name.to_string_lossy().into_owned())
}

/// Where our own binary is.
///
/// # Errors
/// When the system does not tell.
pub fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// The local clock, for records only: ages are measured with the API server's.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
