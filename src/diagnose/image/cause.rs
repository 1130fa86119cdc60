//! What a pull message of the kubelet says.

use super::rows;
use crate::model::code::CodeInfo;
use regex::Regex;
use std::sync::LazyLock;

/// What a pull message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    NameInvalid,
    NeverPresent,
    Signature,
    Platform,
    RateLimited,
    Tls,
    DiskFull,
    Corrupt,
    Unreachable,
    AccessDenied,
    AuthRequired,
    Forbidden,
    RegistryError,
    NotFound,
    Inspect,
    Unknown,
}

/// Texts of each cause. They overlap (`no match for platform in manifest: not found`), so the first row wins.
const TEXTS: [(Cause, &[&str]); 12] = [
    (Cause::NameInvalid, &["invalid reference format", "couldn't parse image name", "invalid checksum digest"]),
    (Cause::NeverPresent, &["is not present with pull policy"]),
    (Cause::Signature, &["signature validation failed"]),
    (Cause::Platform, &["no match for platform in manifest"]),
    (Cause::RateLimited, &["429 Too Many Requests", "toomanyrequests", "pull rate limit"]),
    (Cause::Tls, &["x509: ", "tls: ", "server gave HTTP response to HTTPS client"]),
    (Cause::DiskFull, &["no space left on device"]),
    (Cause::Corrupt, &["failed to extract layer", "unexpected EOF", "digest mismatch", "failed commit on ref"]),
    (
        Cause::Unreachable,
        &["no such host", "connection refused", "i/o timeout", "context deadline exceeded", "failed to do request"],
    ),
    (Cause::AccessDenied, &["pull access denied", "insufficient_scope"]),
    (Cause::AuthRequired, &["401 Unauthorized", "no basic auth credentials", "authentication required"]),
    (Cause::Forbidden, &["403 Forbidden"]),
];

static SERVER_ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:: |status code )5[0-9]{2}\b").ok());
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b([45][0-9]{2}) [A-Z][A-Za-z ]+").ok());

/// Reads a message of the kubelet.
pub(crate) fn cause(message: &str) -> Cause {
    let message = message.trim_end();
    let known = TEXTS.iter().find(|(_, texts)| texts.iter().any(|text| message.contains(text)));
    if let Some((cause, _)) = known {
        *cause
    } else if message.contains(" 5") && SERVER_ERROR.as_ref().is_some_and(|shape| shape.is_match(message)) {
        Cause::RegistryError
    } else if message.ends_with(": not found") || message.contains("manifest unknown") || is_docker_not_found(message) {
        Cause::NotFound
    } else if message.contains("denied: ") {
        Cause::AccessDenied
    } else {
        Cause::Unknown
    }
}

/// The status that a registry answered with: `503 Service Unavailable`.
pub(crate) fn status(message: &str) -> Option<&str> {
    STATUS.as_ref()?.find(message).map(|found| found.as_str().trim())
}

/// `manifest for X not found: ...` of Docker's engine.
fn is_docker_not_found(message: &str) -> bool {
    message.split_once("manifest for ").is_some_and(|(_, rest)| rest.contains(" not found"))
}

impl Cause {
    /// What waiting reasons that need no message mean.
    pub(crate) fn of_reason(reason: &str) -> Option<Self> {
        Some(match reason {
            "InvalidImageName" => Self::NameInvalid,
            "ErrImageNeverPull" => Self::NeverPresent,
            "ImageInspectError" => Self::Inspect,
            "RegistryUnavailable" => Self::RegistryError,
            "SignatureValidationFailed" => Self::Signature,
            _ => return None,
        })
    }

    /// The attempt did not reach an answer: an earlier definite answer stays true.
    pub(crate) fn is_transport(self) -> bool {
        matches!(self, Self::Unreachable | Self::Tls | Self::RateLimited | Self::RegistryError | Self::Unknown)
    }

    /// The registry said what is wrong with this image.
    pub(crate) fn is_definite(self) -> bool {
        matches!(self, Self::NotFound | Self::Platform | Self::AccessDenied | Self::AuthRequired | Self::Forbidden)
    }

    /// Whether it is the registry's fault and not this image's: then all its images share it.
    pub(crate) fn is_of_registry(self) -> bool {
        matches!(self, Self::RateLimited | Self::Tls | Self::Unreachable | Self::RegistryError)
    }

    /// The row of the catalogue.
    pub(crate) fn code(self) -> Option<&'static CodeInfo> {
        Some(match self {
            Self::NameInvalid => &rows::IMAGE_NAME_INVALID,
            Self::NeverPresent => &rows::IMAGE_NEVER_PRESENT,
            Self::Signature => &rows::IMAGE_SIGNATURE_REJECTED,
            Self::Platform => &rows::IMAGE_PLATFORM_MISSING,
            Self::RateLimited => &rows::IMAGE_RATE_LIMITED,
            Self::Tls => &rows::IMAGE_REGISTRY_TLS,
            Self::DiskFull => &rows::IMAGE_DISK_FULL,
            Self::Corrupt => &rows::IMAGE_CORRUPT,
            Self::Unreachable => &rows::IMAGE_REGISTRY_UNREACHABLE,
            Self::AccessDenied => &rows::IMAGE_ACCESS_DENIED,
            Self::AuthRequired => &rows::IMAGE_AUTH_REQUIRED,
            Self::Forbidden => &rows::IMAGE_FORBIDDEN,
            Self::RegistryError => &rows::IMAGE_REGISTRY_ERROR,
            Self::NotFound => &rows::IMAGE_NOT_FOUND,
            Self::Inspect => &rows::IMAGE_INSPECT_ERROR,
            Self::Unknown => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_pull_messages_are_told_apart() {
        for (message, want) in [
            ("failed to resolve reference \"r/a:9\": r/a:9: not found", Cause::NotFound),
            ("manifest for r/a:9 not found: manifest unknown: manifest unknown", Cause::NotFound),
            ("no match for platform in manifest: not found", Cause::Platform),
            ("pull access denied, repository does not exist or may require authorization", Cause::AccessDenied),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
                Cause::AuthRequired,
            ),
            (
                "failed to do request: Head \"http://r/v2\": dial tcp 1.2.3.4:80: connect: connection refused",
                Cause::Unreachable,
            ),
            ("failed to do request: Head \"https://r/v2\": x509: certificate signed by unknown authority", Cause::Tls),
            ("unexpected status from HEAD request to http://r: 503 Service Unavailable", Cause::RegistryError),
            ("pulling from host r failed with status code [manifests 1]: 502 Bad Gateway", Cause::RegistryError),
            ("pulling from host r failed with status code [manifests 1]: 403 Forbidden", Cause::Forbidden),
            ("pulling from host r failed with status code [manifests 1]: 429 Too Many Requests", Cause::RateLimited),
            ("denied: requested access to the resource is denied", Cause::AccessDenied),
            ("write /var/lib/containerd/x: no space left on device", Cause::DiskFull),
            ("failed commit on ref \"layer-sha256:0\": unexpected commit digest", Cause::Corrupt),
            ("image pull failed for r/a:1 because the signature validation failed: no key", Cause::Signature),
            ("something new", Cause::Unknown),
        ] {
            assert_eq!(cause(message), want, "{message}");
        }
    }

    #[test]
    fn a_status_is_read_with_its_words() {
        assert_eq!(
            status("failed with status code [manifests 1]: 503 Service Unavailable"),
            Some("503 Service Unavailable")
        );
        assert_eq!(status("dial tcp 10.0.0.1:5000: connect: connection refused"), None);
    }
}
