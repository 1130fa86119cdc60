//! What a chart may ask of the cluster: versions.

use super::Cluster;
use super::client::{Count, JSON};
use serde::Deserialize;

/// What `.Capabilities` of a chart says in this cluster, as far as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// `v1.34.2`, as the server calls itself.
    pub kube: Option<String>,
    /// `apps/v1`: served group versions.
    pub apis: Vec<String>,
}

impl Cluster {
    /// Asks for the server's version; the groups are known from the lists. What is not answered is not known.
    pub async fn versions(&self) -> Versions {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            git_version: String,
        }
        self.api.hope();
        let answer = self.api.read("/version", JSON, Count::Get).await.ok();
        let answer = answer.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok());
        let kube = answer.map(|answer| answer.git_version).filter(|version| is_version(version));
        let apis = self.served.get().into_iter().flat_map(|served| served.values().flatten());
        Versions { kube, apis: apis.filter(|api| is_plain(api)).cloned().collect() }
    }
}

/// It is handed to a program, so it looks like a version or counts as not told.
fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix('v').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.') && is_plain(text) && !text.contains('/')
}

fn is_plain(text: &str) -> bool {
    text.len() < 200 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_version_is_one() {
        for text in ["v1.34.2", "1.30", "v1.31.2+k3s1", "v1.29.4-gke.1043002"] {
            assert!(is_version(text), "{text}");
        }
        for text in ["", "v", "latest", "v1", "v1.2,--x", "v1.2\n", "--post-renderer=1.2", "v1.2/3"] {
            assert!(!is_version(text), "{text}");
        }
    }
}
