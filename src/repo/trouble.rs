//! What Git says when a remote can't be used, and what to do.

use super::config::Remote;
use crate::error::{Error, Kind};
use crate::redact;
use crate::text::{Sanitised, clip};

/// Why a remote could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Credentials,
    /// The account is known and has not the right.
    NotAllowed,
    /// The terminal was handed to Git, and the person has seen what it said.
    Asked,
    HostKey,
    Certificate,
    Unreachable,
    NoRepository,
    NoBranch,
    /// A ref is locked, or its name is a folder of another one.
    Lock,
    /// A disk is full or can't be written: ours, or the remote's.
    NoRoom,
    Other,
}

/// What Git, ssh, curl and the big hosts print, in lower case, and what it means. The first hit counts.
const SIGNS: [(&str, Trouble); 43] = [
    ("no space left on device", Trouble::NoRoom),
    ("disk quota exceeded", Trouble::NoRoom),
    ("file too large", Trouble::NoRoom),
    ("read-only file system", Trouble::NoRoom),
    ("couldn't write", Trouble::NoRoom),
    ("host key verification failed", Trouble::HostKey),
    ("ssl certificate", Trouble::Certificate),
    ("certificate verif", Trouble::Certificate),
    ("server certificate", Trouble::Certificate),
    ("couldn't find remote ref", Trouble::NoBranch),
    ("terminal prompts disabled", Trouble::Credentials),
    ("could not read username", Trouble::Credentials),
    ("could not read password", Trouble::Credentials),
    ("authentication failed", Trouble::Credentials),
    ("permission denied (", Trouble::Credentials),
    ("permission to ", Trouble::NotAllowed),
    ("access denied", Trouble::Credentials),
    ("invalid credentials", Trouble::Credentials),
    ("requested url returned error: 401", Trouble::Credentials),
    ("requested url returned error: 403", Trouble::NotAllowed),
    ("you are not allowed to", Trouble::NotAllowed),
    ("too many authentication failures", Trouble::Credentials),
    ("cannot lock ref", Trouble::Lock),
    ("unable to create", Trouble::Lock),
    ("could not resolve host", Trouble::Unreachable),
    ("name or service not known", Trouble::Unreachable),
    ("temporary failure in name resolution", Trouble::Unreachable),
    ("connection refused", Trouble::Unreachable),
    ("connection timed out", Trouble::Unreachable),
    ("connection reset", Trouble::Unreachable),
    ("connection closed", Trouble::Unreachable),
    ("operation timed out", Trouble::Unreachable),
    ("couldn't connect to server", Trouble::Unreachable),
    ("failed to connect to", Trouble::Unreachable),
    ("no route to host", Trouble::Unreachable),
    ("network is unreachable", Trouble::Unreachable),
    ("requested url returned error: 5", Trouble::Unreachable),
    ("repository not found", Trouble::NoRepository),
    ("does not appear to be a git repository", Trouble::NoRepository),
    ("requested url returned error: 404", Trouble::NoRepository),
    ("' not found", Trouble::NoRepository),
    ("could not be found", Trouble::NoRepository),
    ("does not exist", Trouble::NoRepository),
];

impl Trouble {
    /// Reads what a failed `git` printed on standard error, in the C locale.
    pub(super) fn read(stderr: &str) -> Self {
        let text = stderr.to_lowercase();
        SIGNS.iter().find(|(sign, _)| text.contains(sign)).map_or(Self::Other, |(_, trouble)| *trouble)
    }

    /// Whether a person at a terminal could still make it work.
    pub(super) fn can_be_asked(self) -> bool {
        matches!(self, Self::Credentials | Self::HostKey)
    }
}

/// What Git and the remote said, on one line: without its advice, credentials or control characters.
pub(super) fn words(stderr: &str) -> Sanitised {
    const BOILERPLATE: [&str; 5] =
        ["hint:", "please make sure you have the correct", "and the repository exists", "to ", "error: failed to push"];
    let lines: Vec<&str> = stderr
        .lines()
        .map(|line| line.strip_prefix("remote:").unwrap_or(line).trim())
        .filter(|line| !line.is_empty())
        .filter(|line| !BOILERPLATE.iter().any(|start| line.to_lowercase().starts_with(start)))
        .collect();
    let last = &lines[lines.len().saturating_sub(6)..];
    let text = redact::text(&last.join("; ")).into_string();
    Sanitised::line(&clip(&text, 600))
}

/// What gix says, outermost first, and what a program that it ran has printed.
pub(super) fn causes(error: &gix::Error) -> Vec<String> {
    use gix::error::{Message, MetadataValue};
    let mut causes = Vec::new();
    for error in error.iter_errors() {
        let Some(Message { message, values, .. }) = error.downcast_ref() else {
            causes.push(Sanitised::line(&error.to_string()).to_string());
            continue;
        };
        // Its `Display` adds every value, the exit status and empty output among them.
        causes.push(Sanitised::line(message).to_string());
        if let Some(MetadataValue::Bytes(printed)) = values.get("stderr") {
            causes.push(words(&String::from_utf8_lossy(printed)).to_string());
        }
    }
    causes.dedup();
    causes
}

/// Takes the addresses of a remote out of a text, as they may hold credentials.
pub(super) fn scrub(remote: &Remote, text: &str) -> String {
    let mut text = text.to_owned();
    for url in [&remote.url, &remote.push_url] {
        text = text.replace(url.written(), &url.to_string());
    }
    text
}

/// The error of a remote that could not be used to `doing`, such as ``fetch `main` from``.
pub(super) fn error(doing: &str, remote: &Remote, trouble: Trouble, stderr: &str) -> Error {
    let pushing = doing.starts_with("push");
    let url = if pushing { &remote.push_url } else { &remote.url };
    let name = Sanitised::line(&remote.name);
    let kind = match trouble {
        Trouble::NoBranch | Trouble::NoRepository | Trouble::Lock | Trouble::NoRoom => Kind::Usage,
        _ => Kind::Unreachable,
    };
    let try_it = format!("try `git ls-remote {name}`");
    let (why, hint) = match trouble {
        Trouble::Credentials => {
            let right = if pushing { "write" } else { "read" };
            let what = if url.host().is_none() {
                format!("check that your user may {right} `{url}`")
            } else {
                format!(
                    "sign in so that `git ls-remote {name}` works without a question, or use an account that may {right}"
                )
            };
            ("it wants other credentials", what)
        }
        Trouble::NotAllowed if pushing => (
            "your account may not push there",
            "ask for the right to write, or sign in with an account or a token that has it".to_owned(),
        ),
        Trouble::NotAllowed => (
            "your account may not read it",
            "ask for the right to read, or sign in with an account or a token that has it".to_owned(),
        ),
        Trouble::Asked => (
            "Git could not sign in there, as it says above",
            "try again; many hosts take no password but an access token in its place".to_owned(),
        ),
        Trouble::HostKey => (
            "its host key is not known",
            format!("check the key, then `ssh {}` once to accept it", url.host().unwrap_or("HOST")),
        ),
        Trouble::Certificate => (
            "its certificate is not trusted",
            "name the certificate authority: `git config --global http.sslCAInfo FILE`".to_owned(),
        ),
        Trouble::Unreachable => ("it can't be reached", format!("check the network and proxy, then {try_it}")),
        Trouble::NoRepository => (
            "it is not there, or your account may not see it",
            format!("check the address: `git remote get-url {name}`"),
        ),
        Trouble::NoBranch => {
            ("it has no such branch", format!("list its branches: `git ls-remote {name} 'refs/heads/*'`"))
        }
        Trouble::Lock => (
            "a ref is locked or stands in the way of the new name",
            "wait for other Git commands to end, then look at `git for-each-ref refs/aifix`".to_owned(),
        ),
        Trouble::NoRoom => {
            ("a disk is full or may not be written", "make room where the repository is, then try again".to_owned())
        }
        Trouble::Other => ("Git reported an error", try_it),
    };
    let mut error = Error::new(kind, format!("can't {doing} `{name}` ({url}): {why}"));
    let said = words(&scrub(remote, stderr));
    if !said.as_str().is_empty() {
        error = error.because(said);
    }
    error.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::RepoUrl;

    #[test]
    fn what_hosts_say_is_understood() {
        for (stderr, want) in [
            (
                "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
                Trouble::Credentials,
            ),
            (
                "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Trouble::Credentials,
            ),
            (
                "remote: Permission to o/r.git denied to bot.\nfatal: unable to access 'https://github.com/o/r/': The requested URL returned error: 403",
                Trouble::NotAllowed,
            ),
            ("remote: HTTP Basic: Access denied", Trouble::Credentials),
            ("remote: You are not allowed to push code to this project.", Trouble::NotAllowed),
            ("fatal: unable to access 'https://x.invalid/o/': Could not resolve host: x.invalid", Trouble::Unreachable),
            (
                "fatal: unable to access 'http://127.0.0.1:1/o/': Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
                Trouble::Unreachable,
            ),
            ("ssh: connect to host h port 22: Connection refused", Trouble::Unreachable),
            ("fatal: write error: No space left on device", Trouble::NoRoom),
            ("error: unable to create temporary file: Read-only file system", Trouble::NoRoom),
            ("fatal: couldn't find remote ref refs/heads/nope", Trouble::NoBranch),
            ("remote: Repository not found.", Trouble::NoRepository),
            ("fatal: '/x.git' does not appear to be a git repository", Trouble::NoRepository),
            ("fatal: repository 'http://127.0.0.1/x.git/' not found", Trouble::NoRepository),
            ("Host key verification failed.", Trouble::HostKey),
            (
                "fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
                Trouble::Certificate,
            ),
            ("error: cannot lock ref 'refs/aifix/base/a/b': 'refs/aifix/base/a' exists", Trouble::Lock),
            ("fatal: something new", Trouble::Other),
        ] {
            assert_eq!(Trouble::read(stderr), want, "{stderr}");
        }
    }

    #[test]
    fn an_account_that_may_not_push_is_not_told_to_sign_in_again() {
        let url = RepoUrl::parse("https://h.example/o/r").unwrap();
        let remote = Remote { name: "origin".into(), url: url.clone(), push_url: url };
        let stderr = "fatal: unable to access 'https://h.example/o/r/': The requested URL returned error: 403";
        let pushed = error("push `x` to", &remote, Trouble::read(stderr), stderr);
        assert!(pushed.message.ends_with("your account may not push there"), "{pushed:?}");
        assert!(!format!("{pushed:?}").contains("ls-remote"), "{pushed:?}");
        let fetched = error("fetch `x` from", &remote, Trouble::read(stderr), stderr);
        assert!(fetched.message.ends_with("your account may not read it"), "{fetched:?}");
    }

    #[test]
    fn a_password_that_was_typed_in_vain_is_told_as_that() {
        let url = RepoUrl::parse("https://h.example/o/r").unwrap();
        let remote = Remote { name: "origin".into(), url: url.clone(), push_url: url };
        let error = error("push `x` to", &remote, Trouble::Asked, "");
        assert!(error.message.ends_with("Git could not sign in there, as it says above"), "{error:?}");
    }

    #[test]
    fn an_error_shows_the_remotes_words_without_credentials_or_escapes() {
        let url = RepoUrl::parse("https://bot:hunter2@h.example/o/r").unwrap();
        let remote = Remote { name: "origin".into(), url: url.clone(), push_url: url };
        let stderr =
            "remote: \u{1b}[2Jbad token\nfatal: unable to access 'https://bot:hunter2@h.example/o/r/': no\nhint: x\n";
        let error = error("fetch `main` from", &remote, Trouble::Other, stderr);
        assert_eq!(
            error.to_string(),
            "can't fetch `main` from `origin` (https://h.example/o/r): Git reported an error: \
             \\e[2Jbad token; fatal: unable to access 'https://h.example/o/r/': no"
        );
    }
}
