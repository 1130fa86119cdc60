//! A unified diff that `git apply` takes.

use crate::model::proposal::Proposal;
use crate::text::is_invisible;
use similar::{ChangeTag, TextDiff};

/// The file changes of a proposal. Bytes that are not UTF-8 never occur: such files are not edited.
pub fn text(proposal: &Proposal) -> String {
    let files = proposal.files.iter();
    files.map(|change| file(&change.path, change.before.as_deref(), change.after.as_deref())).collect()
}

/// The change of one file; `before` is absent when it is new, `after` when it is taken away. Only a line feed ends a line, as for Git:
/// a lone carriage return is a character of its line.
pub fn file(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let path = quoted(path);
    let (old_path, new_path) = (prefixed("a/", &path), prefixed("b/", &path));
    let mut out = format!("diff --git {old_path} {new_path}\n");
    if before.is_none() {
        out.push_str("new file mode 100644\n");
    }
    if after.is_none() {
        out.push_str("deleted file mode 100644\n");
    }
    let old = String::from_utf8_lossy(before.unwrap_or_default());
    let new = String::from_utf8_lossy(after.unwrap_or_default());
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let diff = TextDiff::from_slices(&old, &new);
    for (at, hunk) in diff.unified_diff().context_radius(3).iter_hunks().enumerate() {
        if at == 0 {
            let old_path = if before.is_some() { &old_path } else { "/dev/null" };
            let new_path = if after.is_some() { &new_path } else { "/dev/null" };
            out.push_str(&format!("--- {old_path}\n+++ {new_path}\n"));
        }
        out.push_str(&format!("{}\n", hunk.header()));
        for change in hunk.iter_changes() {
            out.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            out.push_str(change.value());
            if !change.value().ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// Whether a patch holds what a terminal or a CI runner obeys: control, bidi and zero-width characters,
/// and the commands that runners read from stdout (`::name::`, `##[name]`, `##vso[`). Its bytes must stay
/// for `git apply`; so on a terminal it is to be escaped, and elsewhere to be warned of.
pub fn is_hostile(patch: &str) -> bool {
    patch.split('\n').any(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        // Runners pass over blanks before a command; a context line starts with one.
        line.trim_start().starts_with("::")
            || line.contains("##[")
            || line.contains("##vso[")
            || line.chars().any(|c| c != '\t' && c.is_control() || is_invisible(c))
    })
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

    #[test]
    fn only_a_line_feed_ends_a_line() {
        let patch = file("x", Some(b"a\rb\nc\r\nd\r"), Some(b"a\rb\nC\r\nd\r"));
        assert!(
            patch.ends_with("@@ -1,3 +1,3 @@\n a\rb\n-c\r\n+C\r\n d\r\n\\ No newline at end of file\n"),
            "{patch:?}"
        );
    }

    #[test]
    fn a_new_file_comes_from_nowhere() {
        let want = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n";
        assert_eq!(file("x", None, Some(b"a\n")), want);
    }

    #[test]
    fn a_file_that_is_taken_away_goes_nowhere() {
        let want = "diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n";
        assert_eq!(file("x", Some(b"a\n"), None), want);
    }

    #[test]
    fn what_a_terminal_or_a_runner_obeys_is_hostile() {
        for line in
            [" # \u{202e}x", "+a: ##[error]x", " ##vso[task.x]", "   ::error::x", " a\rb", " \u{1b}[2J", " a\u{200b}b"]
        {
            assert!(is_hostile(&format!(" a\n{line}\n")), "{line:?}");
        }
        for line in [" a: b\r", "+\tx", " image: a::b", "-ümlaut 日本", "@@ -1 +1 @@", "## [x]"] {
            assert!(!is_hostile(&format!(" a\n{line}\n")), "{line:?}");
        }
    }
}
