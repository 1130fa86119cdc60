//! When the schedule of a CronJob starts a run.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One field: a bit for each value that it names.
#[derive(Debug, Clone, Copy)]
struct Field {
    bits: u64,
    /// `*` or `?` without a step: it does not narrow the day.
    any: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits >> value & 1 == 1)
    }

    fn parse(text: &str, least: u32, most: u32, names: &[&str]) -> Option<Self> {
        let mut field = Self { bits: 0, any: false };
        for part in text.split(',') {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let step: u32 = step.map_or(Some(1), |step| step.parse().ok()).filter(|step| *step > 0)?;
            let is_star = matches!(range, "*" | "?");
            let (from, to) = match range.split_once('-') {
                _ if is_star => (least, most),
                Some((from, to)) => (value(from, least, names)?, value(to, least, names)?),
                None if part.contains('/') => (value(range, least, names)?, most),
                None => (value(range, least, names)?, value(range, least, names)?),
            };
            if from < least || to > most || from > to {
                return None;
            }
            field.any |= is_star && step == 1;
            field.bits |= (from..=to).step_by(usize::try_from(step).ok()?).fold(0, |bits, value| bits | 1 << value);
        }
        Some(field)
    }
}

fn value(text: &str, least: u32, names: &[&str]) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let named = names.iter().position(|name| *name == lower).and_then(|at| u32::try_from(at).ok());
    named.map(|at| at + least).or_else(|| lower.parse().ok())
}

/// A schedule of five fields, as the CronJob controller reads it (github.com/robfig/cron, `ParseStandard`).
#[derive(Debug)]
pub(super) struct Starts {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

impl Starts {
    /// `None` for `@every` and for what is no schedule.
    pub(super) fn parse(schedule: &str) -> Option<Self> {
        let schedule = match schedule.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = schedule.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        Some(Self {
            minutes: Field::parse(minutes, 0, 59, &[])?,
            hours: Field::parse(hours, 0, 23, &[])?,
            days: Field::parse(days, 1, 31, &[])?,
            months: Field::parse(months, 1, 12, &MONTHS)?,
            weekdays: Field::parse(weekdays, 0, 6, &DAYS)?,
        })
    }

    fn on(&self, date: Date) -> bool {
        let (day, weekday) = (self.days.has(date.day()), self.weekdays.has(date.weekday().to_sunday_zero_offset()));
        // Two that narrow the day each allow it.
        let either = if self.days.any || self.weekdays.any { day && weekday } else { day || weekday };
        self.months.has(date.month()) && either
    }

    /// Whether it names a date that no calendar has, such as 31 February.
    pub(super) fn never_comes(&self) -> bool {
        // Eight years have every day of the year, 29 February on two weekdays; with a date and a weekday
        // either is enough.
        !Date::constant(2024, 1, 1).series(1.day()).take(8 * 366).any(|date| self.on(date))
    }

    /// Whether two starts lie after `from` and up to `to`. The zone of the schedule is not looked at: it moves
    /// a start by less than a day, so one of two daily ones has come for certain.
    pub(super) fn twice_between(&self, from: Timestamp, to: Timestamp) -> bool {
        let day_of = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        let last = day_of(to);
        let dates = day_of(from).series(1.day()).take_while(|date| *date <= last).filter(|date| self.on(*date));
        let hours = (0..24).filter(|hour| self.hours.has(*hour));
        let minutes = (0..60).filter(|minute| self.minutes.has(*minute));
        let times: Vec<(i8, i8)> = hours.flat_map(|hour| minutes.clone().map(move |minute| (hour, minute))).collect();
        dates
            .flat_map(|date| times.iter().map(move |(hour, minute)| date.at(*hour, *minute, 0, 0)))
            .filter_map(|at| Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp()))
            .filter(|at| *at > from && *at <= to)
            .nth(1)
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_no_calendar_has_never_comes() {
        let never = |schedule: &str| Starts::parse(schedule).unwrap().never_comes();
        for schedule in ["0 0 31 2 *", "0 3 30 feb *", "0 0 31 4,6,9,11 *"] {
            assert!(never(schedule), "{schedule}");
        }
        for schedule in ["0 0 29 2 *", "0 0 31 2 1", "0 0 31 2,3 *", "*/5 * * * *", "@monthly", "0 9-17/2 * * MON-fri"]
        {
            assert!(!never(schedule), "{schedule}");
        }
    }

    #[test]
    fn what_is_no_schedule_of_five_fields_is_not_read() {
        for schedule in
            ["@every 1h", "* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", ""]
        {
            assert!(Starts::parse(schedule).is_none(), "{schedule}");
        }
    }

    #[test]
    fn two_starts_lie_between_two_times_or_not() {
        let twice = |schedule: &str, from: &str, to: &str| {
            let at = |text: &str| format!("2026-{text}:00Z").parse().unwrap();
            Starts::parse(schedule).unwrap().twice_between(at(from), at(to))
        };
        assert!(twice("*/5 * * * *", "11-22T16:01", "11-22T16:10"));
        assert!(!twice("*/5 * * * *", "11-22T16:00", "11-22T16:09"), "the first start is at its creation");
        assert!(twice("0 3 * * *", "11-20T16:00", "11-22T03:00"));
        assert!(!twice("0 3 * * *", "11-20T16:00", "11-22T02:59"));
        assert!(twice("0 3 1,15 * *", "10-22T16:00", "11-22T16:00"));
        assert!(!twice("0 3 1 * *", "10-22T16:00", "11-22T16:00"), "one start only");
        assert!(!twice("0 3 * * 1", "11-22T16:00", "11-29T16:00"), "one Monday");
        assert!(twice("0 3 13 * 1", "11-09T16:00", "11-16T16:00"), "Friday the 13th and Monday the 16th");
    }
}
