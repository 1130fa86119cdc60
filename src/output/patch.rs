//! A unified diff that `git apply` takes.

use crate::model::proposal::Proposal;
use similar::TextDiff;

/// The file changes of a proposal. Bytes that are not UTF-8 never occur: such files are not edited.
pub fn text(proposal: &Proposal) -> String {
    let mut out = String::new();
    for file in &proposal.files {
        let before = file.before.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let after = String::from_utf8_lossy(&file.after);
        let path = quoted(&file.path);
        out.push_str(&format!("diff --git {} {}\n", prefixed("a/", &path), prefixed("b/", &path)));
        let old = if file.before.is_some() {
            prefixed("a/", &path)
        } else {
            out.push_str("new file mode 100644\n");
            "/dev/null".to_owned()
        };
        let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
        out.push_str(&diff.unified_diff().context_radius(3).header(&old, &prefixed("b/", &path)).to_string());
    }
    out
}

/// A path as Git writes it: in double quotes with escapes when it holds a control character, a quote or a backslash.
fn quoted(path: &str) -> String {
    if !path.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        return path.to_owned();
    }
    let escaped: String = path
        .bytes()
        .map(|byte| match byte {
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            0x20..=0x7e => char::from(byte).to_string(),
            byte => format!("\\{byte:03o}"),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn prefixed(prefix: &str, path: &str) -> String {
    match path.strip_prefix('"') {
        Some(rest) => format!("\"{prefix}{rest}"),
        None => format!("{prefix}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted_as_git_does() {
        assert_eq!(prefixed("a/", &quoted("k8s/web.yaml")), "a/k8s/web.yaml");
        assert_eq!(prefixed("a/", &quoted("k8s/w\n\"b.yaml")), "\"a/k8s/w\\012\\\"b.yaml\"");
    }
}
