//! Images that cannot be pulled.

use super::observe::Observation;
use super::view::{Running, View};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::Source;
use crate::model::kube::Event;

pub(crate) static IMAGE_NOT_FOUND: CodeInfo = CodeInfo {
    name: "image-not-found",
    family: "image",
    title: "the registry does not have this image",
    meaning: "The registry answered that the repository or the tag does not exist, so the container cannot be created. \
              Waiting does not help.",
    signals: "state.waiting.reason ImagePullBackOff or ErrImagePull with `not found` or `manifest unknown` as the cause \
              in its message, or in the Failed event of the same pod when the last attempt failed on the way.",
    causes: "A tag that was never pushed, a build that failed after the deploy, a mistyped repository, a tag that was \
             deleted by a retention rule.",
    class: FixClass::Rule,
    fix: "Puts back the image of the last revision whose pods are ready. Without one it lists the tags of the same \
          repository that are in use and refuses: a tag is never guessed.",
};

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[&IMAGE_NOT_FOUND];

/// Waiting reasons that are about the image.
const REASONS: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

/// What a pull message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    NotFound,
    /// The attempt did not reach an answer: an earlier definite answer stays true.
    Transport,
    /// A definite answer of another kind.
    Other,
    Unknown,
}

/// Texts of definite answers that contain `not found` or follow it, tried before it.
const OTHER: [&str; 14] = [
    "invalid reference format",
    "is not present with pull policy",
    "signature validation failed",
    "no match for platform in manifest",
    "no space left on device",
    "failed to extract layer",
    "digest mismatch",
    "failed commit on ref",
    "pull access denied",
    "insufficient_scope",
    "401 Unauthorized",
    "no basic auth credentials",
    "authentication required",
    "403 Forbidden",
];

/// Faults on the way to the registry.
const TRANSPORT: [&str; 13] = [
    "429 Too Many Requests",
    "toomanyrequests",
    "pull rate limit",
    "x509: ",
    "tls: ",
    "server gave HTTP response to HTTPS client",
    "no such host",
    "connection refused",
    "i/o timeout",
    "context deadline exceeded",
    "failed to do request",
    "unexpected EOF",
    "503 Service Unavailable",
];

/// Reads a message of the kubelet. The texts overlap, so the order matters.
pub(crate) fn cause(message: &str) -> Cause {
    let has = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let message = message.trim_end();
    if has(&OTHER[..4]) {
        Cause::Other
    } else if has(&TRANSPORT) {
        Cause::Transport
    } else if has(&OTHER[4..]) {
        Cause::Other
    } else if message.contains("status code") && message.contains(": 5") {
        Cause::Transport
    } else if message.ends_with(": not found") || has(&["manifest unknown"]) || is_docker_not_found(message) {
        Cause::NotFound
    } else if message.contains("denied: ") {
        Cause::Other
    } else {
        Cause::Unknown
    }
}

/// `manifest for X not found: ...` of Docker's engine.
fn is_docker_not_found(message: &str) -> bool {
    message.split_once("manifest for ").is_some_and(|(_, rest)| rest.contains(" not found"))
}

/// The image that a pull message or event names.
fn names_image(text: &str, image: &str) -> bool {
    text.contains(&format!("\"{image}\"")) || text.contains(&format!("{image}:")) || text.ends_with(image)
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    view.subjects().flat_map(super::view::Subject::containers).filter_map(|c| not_found(&c)).collect()
}

fn not_found(container: &Running<'_, '_>) -> Option<Observation> {
    let reason = container.waiting();
    if !REASONS.contains(&reason) {
        return None;
    }
    let image = container.spec.map_or(container.status.image.as_str(), |spec| spec.image.as_str());
    let message = container.waiting_message();
    let events: Vec<_> = container.events().filter(|e| e.reason == "Failed" && names_image(e.text(), image)).collect();
    // One failed try is no finding yet; the back-off is, and so is a second try.
    if reason == "ErrImagePull" && !events.iter().any(|event| event.times() >= 2) {
        return None;
    }
    // The message tells the last attempt only: an earlier definite answer outlives a fault on the way.
    let said = match cause(message) {
        Cause::NotFound => None,
        Cause::Transport | Cause::Unknown => {
            Some(*events.iter().rfind(|event| cause(event.text()) == Cause::NotFound)?)
        }
        Cause::Other => return None,
    };
    let name = &container.status.name;
    let mut seen = Observation::of_container(&IMAGE_NOT_FOUND, container);
    seen.message = image.to_owned();
    seen.summary = format!("image {image} of container {name} does not exist in its registry");
    seen.show(Source::Status, None, &format!("{reason}: {message}"), None);
    if let Some(event) = said {
        seen.show_event(event);
    }
    seen.show(Source::Spec, None, &format!("image: {image}"), Some(container.path().field("image")));
    seen.since = container.events().filter(|e| e.reason == "Failed").filter_map(Event::first_seen).min().or(seen.since);
    seen.fact("image", image);
    seen.fact("worked", container.started_in_revision());
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_pull_messages_are_told_apart() {
        for (message, want) in [
            ("failed to resolve reference \"r/a:9\": r/a:9: not found", Cause::NotFound),
            ("manifest for r/a:9 not found: manifest unknown: manifest unknown", Cause::NotFound),
            ("no match for platform in manifest: not found", Cause::Other),
            ("pull access denied, repository does not exist or may require authorization", Cause::Other),
            (
                "failed to do request: Head \"http://r/v2\": dial tcp 1.2.3.4:80: connect: connection refused",
                Cause::Transport,
            ),
            ("unexpected status from HEAD request to http://r: 503 Service Unavailable", Cause::Transport),
            ("pulling from host r failed with status code [manifests 1]: 403 Forbidden", Cause::Other),
            ("x509: certificate signed by unknown authority", Cause::Transport),
            ("something new", Cause::Unknown),
        ] {
            assert_eq!(cause(message), want, "{message}");
        }
    }
}
