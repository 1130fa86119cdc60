//! Texts, numbers and times that nobody expects.

use super::chance::Chance;
use jiff::{SignedDuration, Timestamp};

const HOSTILE: [&str; 36] = [
    "",
    " ",
    "\u{0}",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\u{202e}gnp.exe\u{2066}",
    "\u{200b}\u{feff}\u{ad}",
    "a\r\nb\tc",
    "::set-output name=x::y",
    "\n::error::x\n##vso[task.setvariable]y",
    "\u{1f469}\u{200d}\u{1f4bb}\u{e0041}",
    "ÄÖÜß€日本語",
    "e\u{301}\u{301}\u{301}",
    "ſK",
    "İı",
    "<script>alert(1)</script>",
    "'; DROP TABLE pods; --",
    "$(id)`id`${IFS}",
    "{}%s%n{0}",
    "\\",
    "\"",
    "../../etc/passwd",
    "-n",
    "--all",
    "/",
    ":",
    "@",
    "=",
    "[",
    "a/b/c/d",
    "true",
    "null",
    "0",
    "\u{85}\u{2028}",
    "password=hunter2",
    "postgres://u:p@h:99999/d",
    "999999999999999999999999999999",
];

const QUANTITIES: [&str; 18] = [
    "0",
    "-1",
    "-5Mi",
    "1e999",
    "1E-999",
    "9223372036854775807",
    "99999999999999999999Ei",
    "0.000000001n",
    "1.5Gi",
    "Mi",
    "1Mi1",
    "+1",
    ".5",
    "5.",
    "1_000",
    "NaN",
    "inf",
    "٣",
];

const NUMBERS: [i64; 14] =
    [0, 1, -1, 2, 127, 128, 255, 65535, 65536, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN, 1_000_000_007];

const TIMES: [&str; 8] = [
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "-009999-01-02T01:59:59Z",
    "2026-11-22T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-11-22T16:00:00+25:00",
    "2026-11-22",
];

pub(crate) fn hostile(chance: &mut Chance) -> String {
    match chance.below(2000) {
        0 => "n".repeat(1 << 20),
        1..20 => "long name ".repeat(2000),
        20..30 => "\u{1b}[31m\u{202e}".repeat(500),
        _ => (*chance.pick(&HOSTILE)).to_owned(),
    }
}

/// Another text in the place of this one.
pub(crate) fn text(old: &str, chance: &mut Chance) -> String {
    if let Ok(at) = old.parse::<Timestamp>() {
        return time(at, chance);
    }
    match chance.below(10) {
        0..2 => hostile(chance),
        2 => (*chance.pick(&QUANTITIES)).to_owned(),
        3 => with_digits(old, chance),
        4 => old.to_uppercase(),
        5 => cut(old, chance),
        6 => format!("{old}{old}"),
        7 => inserted(old, &hostile(chance), chance),
        8 => old.split(' ').rev().collect::<Vec<_>>().join(" "),
        _ => inserted(&cut(old, chance), old, chance),
    }
}

fn time(at: Timestamp, chance: &mut Chance) -> String {
    let seconds = [1, 10, 100, 1_000, 10_000, 1_000_000, 100_000_000, 10_000_000_000];
    let shift = SignedDuration::from_secs(*chance.pick(&seconds));
    match chance.below(3) {
        0 => at.checked_add(shift).map(|at| at.to_string()).unwrap_or_default(),
        1 => at.checked_sub(shift).map(|at| at.to_string()).unwrap_or_default(),
        _ => (*chance.pick(&TIMES)).to_owned(),
    }
}

/// Every run of digits is another number.
fn with_digits(old: &str, chance: &mut Chance) -> String {
    let mut out = String::new();
    let mut within = false;
    for c in old.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !within {
            out.push_str(&number(chance).to_string());
        }
        within = c.is_ascii_digit();
    }
    out
}

fn cut(old: &str, chance: &mut Chance) -> String {
    let kept = chance.below(old.chars().count() + 1);
    if chance.percent(50) { old.chars().take(kept).collect() } else { old.chars().skip(kept).collect() }
}

fn inserted(old: &str, new: &str, chance: &mut Chance) -> String {
    let at = chance.below(old.chars().count() + 1);
    let (head, tail): (String, String) = (old.chars().take(at).collect(), old.chars().skip(at).collect());
    format!("{head}{new}{tail}")
}

pub(crate) fn number(chance: &mut Chance) -> i64 {
    *chance.pick(&NUMBERS)
}

/// Damages a file: cut off, bytes changed, put in or taken out.
pub(crate) fn bytes(file: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(file.len() + 1);
        match chance.below(4) {
            0 => file.truncate(at),
            1 if at < file.len() => file[at] = u8::try_from(chance.below(256)).unwrap_or(0),
            2 => {
                let end = (at + chance.below(40)).min(file.len());
                file.drain(at..end);
            }
            _ => {
                let new = hostile(chance).into_bytes();
                file.splice(at..at, new);
            }
        }
    }
}

/// Damages a log, line by line.
pub(crate) fn log(text: &str, chance: &mut Chance) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=chance.below(4) {
        let at = chance.below(lines.len());
        match chance.below(5) {
            0 if !lines.is_empty() => drop(lines.remove(at)),
            1 if !lines.is_empty() => lines[at] = self::text(&lines[at], chance),
            2 if !lines.is_empty() => {
                let line = lines[at].clone();
                let more = chance.below(300);
                lines.splice(at..at, std::iter::repeat_n(line, more));
            }
            3 => chance.shuffle(&mut lines),
            _ => lines.insert(at, hostile(chance)),
        }
    }
    lines.join("\n")
}
