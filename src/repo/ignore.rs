//! Which paths a list of patterns leaves out.

use gix::bstr::{BStr, ByteSlice};
use gix::glob::Pattern;
use gix::glob::pattern::Case;
use gix::glob::wildmatch::Mode;

/// Patterns as `.gitignore` has them: the last one that matches decides, `!` takes a path in again.
#[derive(Debug, Clone, Default)]
pub struct Ignore(Vec<(String, Pattern)>);

impl Ignore {
    /// Adds the patterns of a text that counts below `folder`.
    pub fn add(&mut self, folder: &str, text: &str) {
        let lines = text.lines().map(str::trim_end).filter(|line| !line.starts_with('#'));
        let parsed = lines.filter_map(|line| Some((folder.to_owned(), gix::glob::parse(line)?)));
        self.0.extend(parsed);
    }

    /// Whether a file is left out, by itself or with a folder above it.
    pub fn hides(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| (at, true)).chain([(path.len(), false)]);
        // What lies in a hidden folder can't be taken in again.
        ends.into_iter().any(|(end, is_folder)| self.decides(&path[..end], is_folder))
    }

    fn decides(&self, path: &str, is_folder: bool) -> bool {
        let hit = self.0.iter().rev().find(|(folder, pattern)| {
            let inside = match folder.as_str() {
                "" => Some(path),
                folder => path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            inside.is_some_and(|inside| {
                let bytes: &BStr = inside.as_bytes().as_bstr();
                let name = inside.rfind('/').map(|at| at + 1);
                pattern.matches_repo_relative_path(
                    bytes,
                    name,
                    Some(is_folder),
                    Case::Sensitive,
                    Mode::NO_MATCH_SLASH_LITERAL,
                )
            })
        });
        hit.is_some_and(|(_, pattern)| !pattern.is_negative())
    }
}

/// Whether a path matches one shell pattern, where `*` stops at `/` and `{a,b}` are two patterns.
pub fn matches(pattern: &str, path: &str) -> bool {
    if let Some((head, rest)) = pattern.split_once('{')
        && let Some((choices, tail)) = rest.split_once('}')
    {
        return choices.split(',').any(|choice| matches(&format!("{head}{choice}{tail}"), path));
    }
    gix::glob::wildmatch(pattern.as_bytes().as_bstr(), path.as_bytes().as_bstr(), Mode::NO_MATCH_SLASH_LITERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_decides_and_folders_hide_what_is_in_them() {
        let mut ignore = Ignore::default();
        ignore.add("", "# comment\n*.md\n/docs/\ncharts/*\n!charts/web\n");
        ignore.add("apps", "dev/\n");
        for (path, hidden) in [
            ("README.md", true),
            ("a/README.md", true),
            ("docs/a.yaml", true),
            ("a/docs/a.yaml", false),
            ("charts/db/a.yaml", true),
            ("charts/web/a.yaml", false),
            ("apps/dev/a.yaml", true),
            ("dev/a.yaml", false),
        ] {
            assert_eq!(ignore.hides(path), hidden, "{path}");
        }
    }

    #[test]
    fn choices_in_braces_are_patterns_of_their_own() {
        assert!(matches("{a,b}/*.yaml", "b/x.yaml"));
        assert!(!matches("*.yaml", "b/x.yaml"));
        assert!(matches("**/*.yaml", "b/x.yaml"));
    }
}
