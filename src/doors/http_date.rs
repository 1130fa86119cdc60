//! Dates as HTTP headers write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The form that is sent, and the two old ones that must be read:
/// <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>.
const FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// The time that a header names, `None` for any other text.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let time = FORMS.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_one_time_and_other_texts_are_none() {
        let time: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(text), Some(time), "{text}");
        }
        for text in
            ["", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 +0200", "tomorrow", "Sun, 31 Feb 2026 08:49:37 GMT"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
