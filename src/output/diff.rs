//! The coloured, word-level diff of a proposal.
//!
//! It goes to terminals and logs of CI servers: without secrets. `-o patch` is the exact one.

use crate::model::proposal::FileChange;
use crate::redact;
use crate::text::Sanitised;
use crate::ui::{Page, Paint};
use similar::{ChangeTag, TextDiff};

/// Writes each changed file as a unified diff; changed words are underlined where colour is shown.
pub fn write(page: &mut Page, files: &[FileChange]) {
    for file in files {
        one(page, file);
    }
}

fn one(page: &mut Page, file: &FileChange) {
    // A secret has the same placeholder on both sides, so its line differs only when it does.
    let shown = |text: &Option<Vec<u8>>| {
        text.as_deref().map(|text| redact::file(&String::from_utf8_lossy(text)).into_string()).unwrap_or_default()
    };
    let (before, after) = (shown(&file.before), shown(&file.after));
    let path = Sanitised::line(&file.path);
    let old_name = if file.before.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    page.put(Paint::Bold, format_args!("--- {old_name}")).end();
    let new_name = if file.after.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() };
    page.put(Paint::Bold, format_args!("+++ {new_name}")).end();
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        page.put(Paint::Cyan, hunk.header().to_string().trim_end()).end();
        for op in hunk.ops() {
            for change in diff.iter_inline_changes(op) {
                let (sign, line, word) = match change.tag() {
                    ChangeTag::Delete => ("-", Paint::Removed, Paint::RemovedWord),
                    ChangeTag::Insert => ("+", Paint::Added, Paint::AddedWord),
                    ChangeTag::Equal => (" ", Paint::Plain, Paint::Plain),
                };
                page.put(line, sign);
                for (emphasised, text) in change.iter_strings_lossy() {
                    let text = text.trim_end_matches(['\n', '\r']);
                    page.foreign(if emphasised { word } else { line }, text);
                }
                page.end();
                if change.missing_newline() {
                    page.put(Paint::Dim, "\\ No newline at end of file").end();
                }
            }
        }
    }
}

/// Two texts line by line, without a frame: what is only in the one, only in the other, and a line around it.
pub fn lines(page: &mut Page, one: &str, other: &str) {
    for hunk in TextDiff::from_lines(one, other).unified_diff().context_radius(1).iter_hunks() {
        for change in hunk.iter_changes() {
            let (sign, paint) = match change.tag() {
                ChangeTag::Delete => ("-", Paint::Removed),
                ChangeTag::Insert => ("+", Paint::Added),
                ChangeTag::Equal => (" ", Paint::Plain),
            };
            page.put(paint, sign).foreign(paint, change.value().trim_end_matches(['\n', '\r'])).end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Colour, Ui};

    fn change(before: &str, after: &str) -> FileChange {
        FileChange { path: "k8s/web.yaml".into(), before: Some(before.into()), after: Some(after.into()) }
    }

    #[test]
    fn only_the_lines_around_the_edit_are_shown() {
        let before = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nmemory: 32Mi # app\nf: 6\n";
        let mut page = Ui::new(Colour::Never, true).page();
        write(&mut page, &[change(before, &before.replace("32Mi", "64Mi"))]);
        insta::assert_snapshot!(page.as_str(), @r"
        --- a/k8s/web.yaml
        +++ b/k8s/web.yaml
        @@ -3,5 +3,5 @@
         c: 3
         d: 4
         e: 5
        -memory: 32Mi # app
        +memory: 64Mi # app
         f: 6
        ");
    }

    #[test]
    fn a_secret_beside_the_edit_is_not_shown_and_its_line_stays() {
        let before = "env:\n- name: DB_PASSWORD\n  value: hunter2\nmemory: 32Mi\n";
        let mut page = Ui::new(Colour::Never, true).page();
        write(&mut page, &[change(before, &before.replace("32Mi", "64Mi"))]);
        let shown = redact::unnumbered(page.as_str());
        assert!(shown.contains("@@ -1,4 +1,4 @@\n env:\n - name: DB_PASSWORD\n   value: <secret>\n-memory"), "{shown}");
    }

    #[test]
    fn the_changed_word_is_marked_with_colour() {
        let mut page = Ui::new(Colour::Always, true).page();
        write(&mut page, &[change("memory: 32Mi # app\n", "memory: 64Mi # app\n")]);
        assert!(page.as_str().contains("\u{1b}[1m\u{1b}[4m\u{1b}[32m64Mi"), "{:?}", page.as_str());
    }

    #[test]
    fn escape_sequences_of_a_file_are_shown_not_sent() {
        let mut page = Ui::new(Colour::Never, true).page();
        write(&mut page, &[change("a: \u{1b}[2J1\n", "a: \u{1b}[2J2\n")]);
        assert!(!page.as_str().contains('\u{1b}'), "{:?}", page.as_str());
    }
}
