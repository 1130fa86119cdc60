//! `time.add_date`, as Go counts.
//!
//! The 29th of February and a year is the 1st of March: too many days of a month run over into the next one.
//! <https://pkg.go.dev/time#Time.AddDate>.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use regorus::Value;

/// Nanoseconds since 1970, with years, months and days added.
pub(super) fn add(values: &[Value]) -> Result<Value, String> {
    let [at, years, months, days] = values else { return Err("four arguments are needed".to_owned()) };
    let whole = |value: &Value| value.as_i64().map_err(|_| format!("{} is no whole number", super::shown(value)));
    let nanos = whole(at)?;
    let added = || {
        let at = Timestamp::from_nanosecond(nanos.into()).ok()?.to_zoned(TimeZone::UTC).datetime();
        let months = i64::from(at.year())
            .checked_add(whole(years).ok()?)?
            .checked_mul(12)?
            .checked_add(i64::from(at.month()) - 1)?
            .checked_add(whole(months).ok()?)?;
        let (year, month) = (i16::try_from(months.div_euclid(12)).ok()?, i8::try_from(months.rem_euclid(12) + 1).ok()?);
        let days = whole(days).ok()?.checked_add(i64::from(at.day()) - 1)?;
        let date = Date::new(year, month, 1).ok()?.checked_add(Span::new().try_days(days).ok()?).ok()?;
        let after = date.to_datetime(at.time()).to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond();
        i64::try_from(after).ok()
    };
    for value in [years, months, days] {
        whole(value)?;
    }
    added().map(Value::from).ok_or_else(|| "the time is outside of the valid range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, [years, months, days]: [i64; 3], to: &str) {
        let nanos = |text: &str| {
            let at: Timestamp = text.parse().unwrap();
            Value::from(i64::try_from(at.as_nanosecond()).unwrap())
        };
        let values = [nanos(from), Value::from(years), Value::from(months), Value::from(days)];
        assert_eq!(add(&values).unwrap(), nanos(to), "{from} {years} {months} {days}");
    }

    #[test]
    fn too_many_days_run_over_into_the_next_month() {
        check("2024-02-29T23:59:59.5Z", [1, 0, 0], "2025-03-01T23:59:59.5Z");
        check("2024-02-29T00:00:00Z", [4, 0, 0], "2028-02-29T00:00:00Z");
        check("2024-02-29T00:00:00Z", [1, 1, 1], "2025-03-30T00:00:00Z");
        check("2023-10-31T00:00:00Z", [0, 1, 0], "2023-12-01T00:00:00Z");
        check("2023-03-31T00:00:00Z", [0, -1, 0], "2023-03-03T00:00:00Z");
        check("2023-01-01T00:00:00Z", [0, -1, -1], "2022-11-30T00:00:00Z");
        check("2023-01-31T00:00:00Z", [-1, 13, 365], "2024-03-02T00:00:00Z");
    }

    #[test]
    fn what_cannot_be_counted_is_an_error() {
        let of = |at: Value, years: i64| add(&[at, Value::from(years), Value::from(0), Value::from(0)]);
        assert!(of(Value::from(vec![Value::from(0), Value::from("UTC")]), 1).unwrap_err().contains("whole number"));
        assert!(of(Value::from(0), 300).unwrap_err().contains("range"));
        assert!(of(Value::from(0), i64::MAX).unwrap_err().contains("range"));
        assert!(of(Value::from("x"), 1).unwrap_err().contains("whole number"));
    }
}
