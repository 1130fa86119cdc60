//! What a policy says of itself in its leading comment.

use serde::{Deserialize, Serialize};

/// The `# METADATA` comment before `package`, in OPA's shape:
/// <https://www.openpolicyagent.org/docs/policy-language#metadata>. What is absent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// One sentence.
    pub title: String,
    /// Why it matters; `description` of the comment.
    pub reason: String,
    /// `custom.severity`.
    pub severity: String,
    /// The Kubernetes term that it is about; `custom.term`.
    pub term: String,
    /// `custom.input`: `changes` or `manifest`, when the policy says itself what it wants to read.
    pub input: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Comment {
    title: String,
    description: String,
    custom: Custom,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Custom {
    severity: String,
    term: String,
    input: String,
}

impl Metadata {
    /// Reads it from a file's text; a comment that is no YAML is as good as none.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#'));
        let yaml: Vec<&str> = lines
            .skip_while(|line| line.trim() != "# METADATA")
            .skip(1)
            .map_while(|line| line.strip_prefix('#'))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        if yaml.is_empty() {
            return Self::default();
        }
        let options = serde_saphyr::options! { with_snippet: false };
        let comment: Comment = serde_saphyr::from_str_with_options(&yaml.join("\n"), options).unwrap_or_default();
        Self {
            title: comment.title,
            reason: comment.description,
            severity: comment.custom.severity,
            term: comment.custom.term,
            input: comment.custom.input,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leading_comment_is_read() {
        let text = "# Copyright\n\n# METADATA\n# title: No tag moves\n# description: A tag that moves\n#   can't be rolled back.\n# custom:\n#   severity: error\n#   term: image\npackage a\n# METADATA\n# title: other\n";
        let metadata = Metadata::read(text);
        assert_eq!(metadata.title, "No tag moves");
        assert_eq!(metadata.reason, "A tag that moves can't be rolled back.");
        assert_eq!((metadata.severity.as_str(), metadata.term.as_str()), ("error", "image"));
        assert_eq!(Metadata::read("package a"), Metadata::default());
        assert_eq!(Metadata::read("# METADATA\n# title: [\npackage a"), Metadata::default());
    }
}
