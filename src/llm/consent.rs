//! Which hosts a person agreed to send evidence to.

use crate::doors::files;
use crate::doors::http::{self, Url};
use crate::error::Error;
use crate::settings::environment::Environment;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// `host:port` of a model server that is not this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(String);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The host that must be asked about before the first send, `None` for this machine and for hosts that
/// a person agreed to. The port is part of it: another port is another program.
pub fn consent_needed(url: &Url, remembered: &BTreeSet<String>) -> Option<Host> {
    if http::is_loopback(url) {
        return None;
    }
    let scheme = if url.scheme() == "http" { "http://" } else { "" };
    let host = format!("{scheme}{}", http::host(url));
    (!remembered.contains(&host)).then_some(Host(host))
}

/// The file of the hosts, in the user's configuration folder.
///
/// # Errors
/// When there is no home folder either.
pub fn file(environment: &Environment) -> Result<PathBuf, Error> {
    environment
        .path("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| environment.home().map(|home| home.join(".config")))
        .map(|folder| folder.join("aifix").join("llm-hosts"))
        .ok_or_else(|| Error::usage("there is no folder to remember hosts in").hint("set XDG_CONFIG_HOME or HOME"))
}

/// Hosts that were agreed to; none when there is no file.
///
/// # Errors
/// When the file is there and can't be read.
pub fn remembered(file: &Path) -> Result<BTreeSet<String>, Error> {
    if !files::exists(file) {
        return Ok(BTreeSet::new());
    }
    let bytes = files::read_bounded(file, 64 << 10)
        .map_err(|error| Error::usage(format!("{} can't be read", file.display())).because(error))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// Adds a host, after a person agreed. The file is written whole, for its owner alone.
///
/// # Errors
/// When it can't be written.
pub fn remember(file: &Path, host: &Host) -> Result<(), Error> {
    let mut hosts = remembered(file)?;
    hosts.insert(host.0.clone());
    let mut text = "# Hosts that aifix may send evidence to; take a line out to be asked again.\n".to_owned();
    for host in hosts {
        text.push_str(&host);
        text.push('\n');
    }
    let written = file.parent().map_or(Ok(PathBuf::new()), files::make_private_folder);
    written
        .and_then(|_| files::write_private(file, text.as_bytes()))
        .map_err(|error| Error::usage(format!("{} can't be written", file.display())).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn needed(url: &str, remembered: &[&str]) -> Option<String> {
        let remembered = remembered.iter().map(ToString::to_string).collect();
        consent_needed(&Url::parse(url).unwrap(), &remembered).map(|host| host.to_string())
    }

    #[test]
    fn this_machine_needs_no_consent_and_every_other_host_needs_its_own() {
        assert_eq!(needed("http://127.0.0.1:8080/v1", &[]), None);
        assert_eq!(needed("https://llm.example.org/v1", &[]), Some("llm.example.org:443".to_owned()));
        assert_eq!(needed("https://llm.example.org/v2?x=1", &["llm.example.org:443"]), None);
        for other in ["https://llm.example.org:8443/", "https://x.llm.example.org", "http://llm.example.org:443/"] {
            assert!(needed(other, &["llm.example.org:443"]).is_some(), "{other}");
        }
    }

    #[test]
    fn a_host_is_remembered_in_a_private_file() {
        let scratch = files::Scratch::new().unwrap();
        let file = scratch.path().join("a/aifix/llm-hosts");
        assert_eq!(remembered(&file).unwrap(), BTreeSet::new());
        for url in ["https://b.example.org", "https://a.example.org"] {
            let host = consent_needed(&Url::parse(url).unwrap(), &remembered(&file).unwrap()).unwrap();
            remember(&file, &host).unwrap();
        }
        assert_eq!(needed("https://a.example.org/v1", &[]), Some("a.example.org:443".to_owned()));
        let hosts: Vec<String> = remembered(&file).unwrap().into_iter().collect();
        assert_eq!(hosts, ["a.example.org:443", "b.example.org:443"]);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
