//! Which records are asked for.

use crate::model::record::{Entry, Phase};
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::Value;
use std::str::FromStr;

/// A moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    Ago(SignedDuration),
}

impl Moment {
    /// When it is, as the clock stands at `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    /// `2026-11-22`, `2026-11-22T16:46:58Z`, `30m`, `12h`, `7d` or `4w`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as 2026-11-22, 2026-11-22T16:46:58Z, 12h, 7d or 4w".to_owned();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(date) = text.parse::<civil::Date>() {
            let at = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
            return Ok(Self::At(at.timestamp()));
        }
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let minutes = match unit {
            "m" => 1,
            "h" => 60,
            "d" => 24 * 60,
            "w" => 7 * 24 * 60,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        Ok(Self::Ago(SignedDuration::from_mins(i64::from(number) * minutes)))
    }
}

/// What records must have. Everything that is given must hold; the default takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// Words that occur in it, in any case.
    pub text: Option<String>,
    /// Its failure.
    pub code: Option<String>,
    /// Its object: `web`, `Deployment/web` or `shop/Deployment/web`, in any case.
    pub object: Option<String>,
    /// What became of it.
    pub phase: Option<Phase>,
    /// Its newest entry is not older.
    pub since: Option<Timestamp>,
}

impl Select {
    /// Whether a record is asked for.
    pub fn takes(&self, entries: &[Entry]) -> bool {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return false };
        let says = |pointer: &str| first.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        self.code.as_deref().is_none_or(|code| says("/failure/code") == code)
            && self.object.as_deref().is_none_or(|object| {
                let of = |name: &str| says(&format!("/failure/object/{name}"));
                is_named(object, [of("namespace"), of("kind"), of("name")])
            })
            && self.phase.is_none_or(|phase| last.phase == phase)
            && self.since.is_none_or(|since| last.at.parse::<Timestamp>().is_ok_and(|at| at >= since))
            && self.text.as_deref().is_none_or(|text| hit(entries, text).is_some())
    }
}

/// Whether `typed` names the object: its last parts, each in any case.
fn is_named(typed: &str, names: [&str; 3]) -> bool {
    let mut names = names.into_iter().rev();
    typed.split('/').rev().all(|part| names.next().is_some_and(|name| name.eq_ignore_ascii_case(part)))
}

/// The first place of a record that says `text`, in any case: a pointer into a body, and all that stands there.
pub fn hit(entries: &[Entry], text: &str) -> Option<(String, String)> {
    let text = text.to_lowercase();
    let id = entries.first().filter(|entry| entry.record.contains(&text));
    let found = id.map(|entry| ("record".to_owned(), entry.record.clone()));
    found.or_else(|| entries.iter().find_map(|entry| within(&entry.body, &text, String::new())))
}

fn within(value: &Value, text: &str, at: String) -> Option<(String, String)> {
    match value {
        Value::Null => None,
        Value::String(said) => said.to_lowercase().contains(text).then(|| (at, said.clone())),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(nth, item)| within(item, text, format!("{at}/{nth}")))
        }
        Value::Object(map) => map.iter().find_map(|(key, item)| within(item, text, format!("{at}/{key}"))),
        other => other.to_string().contains(text).then(|| (at, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(phase: Phase, at: &str) -> Vec<Entry> {
        let body = json!({"failure": {"code": "oom-killed", "object":
            {"kind": "Deployment", "namespace": "shop", "name": "web"}}, "context": {"evidence": [{"text": "exit Code 137"}]}});
        let entry = |seq, phase, at: &str, body| {
            let (record, at) = ("00112233445566aa".to_owned(), at.to_owned());
            Entry { seq, record, phase, at, body, previous: String::new(), hash: String::new() }
        };
        vec![entry(1, Phase::Proposed, "2026-11-01T00:00:00Z", body), entry(2, phase, at, json!({"commit": "c0ffee"}))]
    }

    #[test]
    fn everything_that_is_given_must_hold() {
        let record = record(Phase::Pushed, "2026-11-02T10:00:00.5Z");
        let all = Select::default();
        let text = |text: &str| Select { text: Some(text.into()), ..all.clone() };
        let object = |object: &str| Select { object: Some(object.into()), ..all.clone() };
        let since = |at: &str| Select { since: Some(at.parse().unwrap()), ..all.clone() };
        let code = |code: &str| Select { code: Some(code.into()), ..all.clone() };
        let phase = |phase| Select { phase: Some(phase), ..all.clone() };
        for (select, taken) in [
            (all.clone(), true),
            (text("code 137"), true),
            (text("C0FFEE"), true),
            (text("2233"), true),
            (text("exit 2"), false),
            (object("web"), true),
            (object("deployment/WEB"), true),
            (object("shop/Deployment/web"), true),
            (object("x/shop/Deployment/web"), false),
            (object("prod/Deployment/web"), false),
            (object("Deployment"), false),
            (object("eb"), false),
            (code("oom-killed"), true),
            (code("oom"), false),
            (phase(Phase::Pushed), true),
            (phase(Phase::Proposed), false),
            (since("2026-11-02T10:00:00Z"), true),
            (since("2026-11-02T10:00:01Z"), false),
            (Select { phase: Some(Phase::Pushed), ..code("other") }, false),
        ] {
            assert_eq!(select.takes(&record), taken, "{select:?}");
        }
        assert!(!all.takes(&[]));
    }

    #[test]
    fn a_hit_names_its_place() {
        let place = hit(&record(Phase::Pushed, "2026-11-02T10:00:00Z"), "137");
        assert_eq!(place, Some(("/context/evidence/0/text".into(), "exit Code 137".into())));
    }

    #[test]
    fn a_moment_is_a_date_a_time_or_a_span() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("2026-11-20T01:02:03Z", "2026-11-20T01:02:03Z"),
            ("30m", "2026-11-22T11:30:00Z"),
            ("12h", "2026-11-22T00:00:00Z"),
            ("7d", "2026-11-15T12:00:00Z"),
            ("1w", "2026-11-15T12:00:00Z"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().resolve(now).to_string(), at, "{text}");
        }
        for text in ["", "d", "7", "7y", "-1d", "yesterday", "7\u{e9}"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert_eq!(Moment::Ago(SignedDuration::from_hours(1_000_000_000)).resolve(now), Timestamp::MIN);
    }
}
