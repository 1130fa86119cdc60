//! What is followed, read from a commit's own words.

use super::Subject;
use crate::model::object::ObjectRef;
use jiff::Timestamp;

/// A commit that aifix may have made, and where it was found.
#[derive(Debug, Clone, Copy)]
pub struct Words<'w> {
    pub commit: &'w str,
    pub parent: &'w str,
    /// Foreign.
    pub message: &'w str,
    /// `None`: it was found in the base branch.
    pub branch: Option<&'w str>,
    pub base_branch: &'w str,
    /// Addresses of the repository and of the branch, without credentials.
    pub repo: &'w str,
    pub remote: &'w str,
    pub at: Option<Timestamp>,
}

/// Groups of the kinds that are most often fixed; the rest is of the core group, or of a custom one.
const GROUPS: [(&str, &[&str]); 5] = [
    ("apps/v1", &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]),
    ("batch/v1", &["Job", "CronJob"]),
    ("networking.k8s.io/v1", &["Ingress", "NetworkPolicy"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("policy/v1", &["PodDisruptionBudget"]),
];

/// Reads the trailers `Aifix-Object:`, `Aifix-Finding:` and `Aifix-Record:`; `None` without all of them. Which live
/// fields it changes is in the record alone.
pub fn of_commit(words: Words<'_>) -> Option<Subject> {
    // A squash may have indented them, or put text behind them.
    let trailer = |name: &str| {
        let line = words.message.lines().rev().find_map(|line| line.trim().strip_prefix(name))?;
        Some(line.trim()).filter(|value| !value.is_empty())
    };
    let object = object(trailer("Aifix-Object:")?)?;
    let hash = trailer("Aifix-Record:").filter(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(Subject {
        record: hash.to_owned(),
        hash: hash.to_owned(),
        code: trailer("Aifix-Finding:")?.to_owned(),
        target: object.clone(),
        object,
        container: None,
        live: Vec::new(),
        edits: Vec::new(),
        cluster: String::new(),
        repo: words.repo.to_owned(),
        base_branch: words.base_branch.to_owned(),
        base: words.parent.to_owned(),
        branch: words.branch.unwrap_or_default().to_owned(),
        commit: words.commit.to_owned(),
        remote: words.remote.to_owned(),
        request: None,
        pushed: words.at,
        told: Vec::new(),
    })
}

/// `Deployment shop/web`, or `Node n` without a namespace.
fn object(text: &str) -> Option<ObjectRef> {
    let (kind, name) = text.split_once(' ')?;
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let version = GROUPS.iter().find(|(_, kinds)| kinds.contains(&kind)).map_or("v1", |(version, _)| version);
    (!name.is_empty()).then(|| ObjectRef::new(version, kind, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Option<Subject> {
        let (commit, parent, base_branch, repo, remote) = ("c", "p", "main", "https://h/o/r", "https://h/o/r");
        of_commit(Words { commit, parent, message, branch: None, base_branch, repo, remote, at: None })
    }

    #[test]
    fn a_squashed_message_still_says_what_it_fixes() {
        let message = "Raise it (#7)\n\n* Deployment shop/web: raise\n\n  Aifix-Object: Deployment shop/web\n  \
                       Aifix-Finding: oom-killed\n  Aifix-Record: 00ff\n\nCo-authored-by: Bob";
        let subject = read(message).unwrap();
        assert_eq!(subject.object, ObjectRef::new("apps/v1", "Deployment", "shop", "web"));
        assert_eq!((subject.code.as_str(), subject.hash.as_str()), ("oom-killed", "00ff"));
        assert_eq!(read("Aifix-Object: Node n\nAifix-Finding: x\nAifix-Record: 1").unwrap().object.namespace(), "");
    }

    #[test]
    fn a_commit_without_all_trailers_is_none_of_ours() {
        for message in
            ["Raise it", "x\n\nAifix-Object: Deployment shop/web\nAifix-Finding: oom-killed", "Aifix-Record: zz"]
        {
            assert_eq!(read(message), None, "{message}");
        }
    }
}
