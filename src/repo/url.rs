//! Addresses of repositories, and names of branches.

use crate::error::Error;
use crate::redact;
use crate::text::Sanitised;
use gix::bstr::ByteSlice;
use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Https,
    Http,
    Ssh,
    /// `user@host:path`, which Git reads as ssh.
    ScpLike,
    /// `file://` or a plain path.
    Local,
}

/// The address of a repository: `https`, `http`, `ssh`, `user@host:path`, `file://` or a path.
///
/// Neither `Display` nor `Debug` prints a user, a password or a query. No part that Git or ssh
/// could take for an option starts with `-`.
#[derive(Clone, PartialEq, Eq)]
pub struct RepoUrl {
    scheme: Scheme,
    host: Option<String>,
    port: Option<u16>,
    path: String,
    /// As written, with credentials; only to find it in what Git prints.
    written: String,
}

impl RepoUrl {
    /// Reads an address as Git does (`git help urls`).
    ///
    /// # Errors
    /// A usage error for remote helpers (`ext::`), other schemes, and hosts or paths that start with `-`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            let shown = Sanitised::line(redact::text(text).as_str()).to_string();
            Error::usage(format!("`{shown}` can't be used as the address of a repository"))
                .because(why)
                .hint("use an https or ssh address, such as `https://git.example.com/team/app.git`")
        };
        if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(refuse("it is empty, or holds blanks at its ends or control characters"));
        }
        let url = if let Some((scheme, rest)) = text.split_once("://") {
            Self::with_scheme(text, &scheme.to_ascii_lowercase(), rest).map_err(refuse)?
        } else if is_remote_helper(text) {
            return Err(refuse("remote helpers such as `ext::` run commands"));
        } else if let Some((authority, path)) = scp_like(text) {
            let (host, port) = host_and_port(authority).map_err(refuse)?;
            Self { scheme: Scheme::ScpLike, host: Some(host), port, path: path.to_owned(), written: text.to_owned() }
        } else {
            Self { scheme: Scheme::Local, host: None, port: None, path: text.to_owned(), written: text.to_owned() }
        };
        if url.path.trim_start_matches('/').starts_with('-') {
            return Err(refuse("its path starts with `-`"));
        }
        if url.path.trim_matches('/').is_empty() {
            return Err(refuse("it has no path"));
        }
        Ok(url)
    }

    fn with_scheme(text: &str, scheme: &str, rest: &str) -> Result<Self, &'static str> {
        let scheme = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" | "git+ssh" | "ssh+git" => Scheme::Ssh,
            "file" => Scheme::Local,
            _ => return Err("only https, http, ssh and file addresses are supported"),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if scheme == Scheme::Local {
            if !matches!(authority, "" | "localhost") {
                return Err("a file address names no host");
            }
            return Ok(Self { scheme, host: None, port: None, path: path.to_owned(), written: text.to_owned() });
        }
        let (host, port) = host_and_port(authority)?;
        // A query may hold a token.
        let path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
        Ok(Self { scheme, host: Some(host), port, path, written: text.to_owned() })
    }

    /// The host in lower case, without user and port; `None` for a local path.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path without `/` at its ends and without `.git`: `team/app`.
    pub fn path(&self) -> &str {
        let path = self.path.trim_matches('/');
        path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/')
    }

    pub(super) fn is_web(&self) -> bool {
        matches!(self.scheme, Scheme::Https | Scheme::Http)
    }

    /// Where a browser finds its host: `https://h:8443` of a web address, `https://h` of an ssh one, whose port
    /// says nothing about the web. `None` for a local path.
    pub fn web(&self) -> Option<String> {
        // Both hosts serve ssh at port 443 under another name, for networks that let nothing else out.
        let host = match self.host.as_deref()? {
            "ssh.github.com" => "github.com".to_owned(),
            "altssh.gitlab.com" => "gitlab.com".to_owned(),
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let port = self.port.filter(|_| self.is_web()).map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = if self.is_plain_http() { "http" } else { "https" };
        Some(format!("{scheme}://{host}{port}"))
    }

    /// Whether it is `http://`: credentials would be sent in the clear.
    pub fn is_plain_http(&self) -> bool {
        self.scheme == Scheme::Http
    }

    /// What two addresses of one repository share: `git@h:o/r`, `ssh://git@h/o/r` and `https://h/o/r.git`
    /// are all `h/o/r`.
    ///
    /// The port of ssh is left out, as it says nothing about the port of https on the same host.
    pub fn identity(&self) -> String {
        let Some(host) = &self.host else {
            let path = self.path.trim_end_matches('/');
            return path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/').to_owned();
        };
        let port = match (self.scheme, self.port) {
            (Scheme::Https, Some(port)) if port != 443 => format!(":{port}"),
            (Scheme::Http, Some(port)) if port != 80 => format!(":{port}"),
            _ => String::new(),
        };
        let parts: Vec<&str> = self.path().split('/').filter(|part| !part.is_empty()).collect();
        format!("{host}{port}/{}", parts.join("/")).to_lowercase()
    }

    /// As written, with credentials. Never shown.
    pub(super) fn written(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or_default();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let path = Sanitised::line(&self.path);
        match self.scheme {
            Scheme::Https => write!(f, "https://{host}{port}{path}"),
            Scheme::Http => write!(f, "http://{host}{port}{path}"),
            // `git` is the customary user and no credential.
            Scheme::Ssh if self.written.contains("://git@") => write!(f, "ssh://git@{host}{port}{path}"),
            Scheme::Ssh => write!(f, "ssh://{host}{port}{path}"),
            Scheme::ScpLike if self.written.starts_with("git@") => write!(f, "git@{host}:{path}"),
            Scheme::ScpLike => write!(f, "{host}:{path}"),
            Scheme::Local => write!(f, "{path}"),
        }
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoUrl({self})")
    }
}

/// `ext::sh -c ...` and its like (`git help remote-helpers`).
fn is_remote_helper(text: &str) -> bool {
    text.split_once("::").is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '.'))
    })
}

/// Splits `[user@]host:path`: the colon stands before any slash, outside of brackets.
fn scp_like(text: &str) -> Option<(&str, &str)> {
    let from = text.find(']').unwrap_or(0);
    let colon = from + text[from..].find(':')?;
    if text[..colon].contains('/') {
        return None;
    }
    Some((&text[..colon], &text[colon + 1..]))
}

/// The host in lower case and the port of `[user[:password]@]host[:port]`.
fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.starts_with('-') {
        return Err("its user starts with `-`");
    }
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%') || !c.is_ascii();
    if host.is_empty() || host.starts_with('-') || !host.chars().all(fits) {
        return Err("its host is missing, starts with `-` or is no host name");
    }
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().map_err(|_| "its port is no number up to 65535")?),
    };
    Ok((host.to_lowercase(), port))
}

/// The short name of a branch that Git accepts: `main`, `aifix/prod/deployment-web/oom-killed-1a2b3c4d`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Branch(String);

impl Branch {
    /// Checks a short name (`git help check-ref-format`).
    ///
    /// # Errors
    /// A usage error when Git would refuse it, or when it looks like an option.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::usage(format!("`{}` can't be the name of a branch", Sanitised::line(name)))
                .because(why)
                .hint("name it without `refs/heads/` or a remote, such as `main`")
        };
        if name.starts_with('-') || name == "HEAD" || name.starts_with("refs/") {
            return Err(refuse("it looks like an option or a full ref"));
        }
        // A lock file adds five bytes, and file systems end at 255.
        if name.split('/').any(|part| part.len() > 250) {
            return Err(refuse("a part of it is longer than 250 bytes"));
        }
        let full = format!("refs/heads/{name}");
        if let Err(error) = gix::validate::reference::branch_name(full.as_bytes().as_bstr()) {
            return Err(refuse(&error.to_string()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The short name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `refs/heads/<name>`.
    pub fn full(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(text: &str) -> String {
        RepoUrl::parse(text).unwrap().identity()
    }

    #[test]
    fn every_way_to_write_one_repository_has_one_identity() {
        for text in [
            "https://Git.Example.com/Team/App",
            "https://git.example.com/team/app.git",
            "https://git.example.com:443/team/app.git/",
            "https://bot:t0ken@git.example.com//team/app?x=1",
            "git@git.example.com:team/app.git",
            "git.example.com:/team/app",
            "ssh://git@git.example.com/team/app",
            "ssh://git@git.example.com:2222/team/app.git",
        ] {
            assert_eq!(identity(text), "git.example.com/team/app", "{text}");
        }
        assert_eq!(identity("http://127.0.0.1:3000/a/b.git"), "127.0.0.1:3000/a/b");
        assert_eq!(identity("/srv/Git/app.git"), "/srv/Git/app");
        assert_eq!(identity("file:///srv/Git/app.git/"), "/srv/Git/app");
    }

    #[test]
    fn credentials_are_never_shown() {
        for (text, want) in [
            ("https://bot:hunter2@h.example/o/r.git", "https://h.example/o/r.git"),
            ("https://hunter2@h.example:8443/o/r", "https://h.example:8443/o/r"),
            ("https://h.example/o/r?private_token=hunter2", "https://h.example/o/r"),
            ("ssh://me:hunter2@h.example:22/o/r", "ssh://h.example:22/o/r"),
            ("ssh://git@h.example/o/r", "ssh://git@h.example/o/r"),
            ("hunter2@h.example:o/r", "h.example:o/r"),
            ("git@h.example:o/r", "git@h.example:o/r"),
            ("https://[::1]:8443/o/r", "https://[::1]:8443/o/r"),
        ] {
            let url = RepoUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), want);
            assert_eq!(format!("{url:?}"), format!("RepoUrl({want})"));
        }
    }

    #[test]
    fn the_web_is_found_from_every_kind_of_address() {
        for (text, want) in [
            ("https://me:hunter2@h.example:8443/o/r.git", Some("https://h.example:8443")),
            ("http://[::1]:3000/o/r", Some("http://[::1]:3000")),
            ("ssh://git@h.example:2222/o/r", Some("https://h.example")),
            ("git@ssh.github.com:o/r.git", Some("https://github.com")),
            ("/srv/git/r.git", None),
        ] {
            assert_eq!(RepoUrl::parse(text).unwrap().web().as_deref(), want, "{text}");
        }
    }

    #[test]
    fn what_git_or_ssh_could_run_is_refused() {
        for text in [
            "",
            " https://h/o",
            "ext::sh -c 'touch /tmp/x'",
            "fd::7",
            "git://h/o/r",
            "javascript://h/o",
            "ssh://-oProxyCommand=x/o/r",
            "ssh://-l@h/o/r",
            "-oProxyCommand=x:o/r",
            "h:-o/r",
            "https://h/-o",
            "--upload-pack=x",
            "https:///o/r",
            "https://h",
            "https://h:99999/o",
            "https://h/o\n",
        ] {
            assert!(RepoUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_that_git_refuses_are_no_branches() {
        for name in
            ["", "-x", "a b", "a..b", "a.lock", "system:x", "HEAD", "refs/heads/main", "a/", "/a", "a\u{7f}", "@{u}"]
        {
            assert!(Branch::parse(name).is_err(), "{name}");
        }
        for name in ["main", "release/1.2", "aifix/prod/deployment-web/oom-killed-1a2b3c4d", "ü"] {
            assert_eq!(Branch::parse(name).unwrap().full(), format!("refs/heads/{name}"));
        }
    }

    proptest! {
        #[test]
        fn no_password_survives(user in "[a-z]{1,8}", password in "[A-Z]{12}", path in "[a-z]{1,8}/[a-z]{1,8}") {
            for text in [format!("https://{user}:{password}@h.example/{path}"), format!("ssh://{user}:{password}@h.example/{path}")] {
                let url = RepoUrl::parse(&text).unwrap();
                let shown = format!("{url}{url:?}{}", url.identity()).to_uppercase();
                prop_assert!(!shown.contains(&password));
            }
        }

        #[test]
        fn any_text_is_read_or_refused_and_never_an_option(text in "\\PC{0,40}") {
            if let Ok(url) = RepoUrl::parse(&text) {
                prop_assert!(!url.host().unwrap_or_default().starts_with('-'));
                prop_assert!(!url.path().starts_with('-'));
            }
        }
    }
}
