//! Words for people: escaping, plurals, ages, wrapping.

use jiff::Timestamp;
use std::fmt::{self, Write as _};

/// Foreign text that can be shown: no control, bidi or zero-width character is left in it.
/// The only kind of foreign text that `ui` prints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sanitised(String);

impl Sanitised {
    /// One line: every line break is escaped too.
    pub fn line(text: &str) -> Self {
        Self(escape(text, false))
    }

    /// Several lines: line feeds stay, and a tab is four blanks.
    pub fn block(text: &str) -> Self {
        Self(escape(text, true))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sanitised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn escape(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if lines => out.push('\n'),
            '\t' if lines => out.push_str("    "),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{1b}' => out.push_str("\\e"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    without_runner_commands(&out).unwrap_or(out)
}

/// Characters that change how other text is shown, or show nothing: bidi controls (UAX #9),
/// zero-width characters, the byte order mark, line and paragraph separators, tags; and noncharacters,
/// which XML does not even let in by reference.
pub fn is_invisible(c: char) -> bool {
    let is_noncharacter = u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c);
    is_noncharacter
        || matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// CI runners execute commands that stand at a line's start on stdout.
/// GitHub: `::name::` and `##[name]`; Azure: `##vso[`. A backslash in them is enough. `None` when there is none.
pub fn without_runner_commands(text: &str) -> Option<String> {
    let runs = |line: &str| line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[");
    if !text.contains("::") && !text.contains("##") || !text.split('\n').any(runs) {
        return None;
    }
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| {
            let start = line.trim_start();
            let broken = line.replace("##[", "#\\#[").replace("##vso[", "#\\#vso[");
            if start.starts_with("::") { broken.replacen("::", ":\\:", 1) } else { broken }
        })
        .collect();
    Some(lines.join("\n"))
}

/// `1 pod`, `3 pods`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}{}", if noun.ends_with('s') { "es" } else { "s" }) }
}

/// `a`, `a and b`, `a, b and c`.
pub fn and<T: fmt::Display>(items: &[T]) -> String {
    join(items, "and")
}

/// `a`, `a or b`, `a, b or c`.
pub fn or<T: fmt::Display>(items: &[T]) -> String {
    join(items, "or")
}

fn join<T: fmt::Display>(items: &[T], word: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(ToString::to_string).collect();
            format!("{} {word} {last}", head.join(", "))
        }
    }
}

/// The time between two moments as people say it: `45 s`, `12 min`, `3 h`, `2 d`. Negative is `0 s`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    duration((to.as_second() - from.as_second()).max(0))
}

/// Seconds as people say them.
pub fn duration(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{} s", seconds.max(0)),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A word as a POSIX shell takes it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// At most `max` characters, cut with `...` at the end.
pub fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(max.saturating_sub(3)).collect();
    cut.push_str("...");
    cut
}

/// The one of `names` that a mistyped `wanted` most likely meant.
pub fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Damerau-Levenshtein distance (adjacent transpositions) in characters. Texts too long for a name are equal
/// or as far apart as can be: the time that it takes grows with both lengths.
pub fn distance(a: &str, b: &str) -> usize {
    const LONG: usize = 1000;
    if a == b {
        return 0;
    }
    if a.len().max(b.len()) > LONG {
        return a.len().max(b.len());
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_moves_the_cursor_or_turns_the_text() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\rd\ne\u{200b}\u{feff}\u{7}\u{ffff}\u{fffd}";
        let shown = Sanitised::line(hostile);
        assert_eq!(shown.as_str(), "a\\e[2Jb\\u{202e}c\\rd\\ne\\u{200b}\\u{feff}\\u{7}\\u{ffff}\u{fffd}");
        assert_eq!(Sanitised::block("a\tb\nc").as_str(), "a    b\nc");
    }

    #[test]
    fn runner_commands_are_broken_up() {
        assert_eq!(
            Sanitised::block("ok\n ::set-output name=x::y\n##[error]z").as_str(),
            "ok\n :\\:set-output name=x::y\n#\\#[error]z"
        );
        assert_eq!(Sanitised::line("std::fs is fine").as_str(), "std::fs is fine");
    }

    #[test]
    fn a_hostile_name_stays_one_shell_word() {
        assert_eq!(shell_word("Deployment/web"), "Deployment/web");
        assert_eq!(shell_word("Deployment/a'; rm -rf ~"), r"'Deployment/a'\''; rm -rf ~'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn people_read_numbers_with_units() {
        assert_eq!(count(1, "pod"), "1 pod");
        assert_eq!(count(2, "address"), "2 addresses");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
        assert_eq!([5, 119, 120, 7_200, 180_000].map(duration), ["5 s", "119 s", "2 min", "2 h", "2 d"]);
        assert_eq!(nearest("oom-kiled", ["oom-killed", "image-not-found"]), Some("oom-killed"));
        assert_eq!(distance("shopp", "shop"), 1);
        assert_eq!(distance("ab", "ba"), 1);
        let long = "x".repeat(1 << 20);
        assert_eq!((distance(&long, &long), distance(&long, &format!("{long}y"))), (0, (1 << 20) + 1));
    }
}
