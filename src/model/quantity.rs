//! Kubernetes resource quantities.

use serde_json::Value;
use std::fmt;

/// A quantity as Kubernetes writes it (`250m`, `1.5Gi`, `1e3`), kept exactly in thousandths.
/// Grammar: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    /// The value times 1000.
    pub milli: i128,
}

/// Suffixes and what they multiply by, in thousandths.
const SUFFIXES: [(&str, i128); 16] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
    ("m", 0),
    ("u", 0),
    ("n", 0),
    ("", 1),
];

impl Quantity {
    /// A whole number of units (bytes, cores).
    pub const fn whole(units: i128) -> Self {
        Self { milli: units * 1000 }
    }

    /// Reads a quantity; `None` for text that is none. Parts below a thousandth round up, as Kubernetes does.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits_end =
            text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-' && c != '+').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits_end);
        let milli_number = decimal_milli(number)?;
        if let Some(exponent) = suffix.strip_prefix(['e', 'E']).filter(|rest| !rest.is_empty()) {
            let exponent: u32 = exponent.trim_start_matches('+').parse().ok()?;
            return Some(Self { milli: milli_number.checked_mul(10_i128.checked_pow(exponent)?)? });
        }
        let milli = match suffix {
            "m" => div_up(milli_number, 1_000),
            "u" => div_up(milli_number, 1_000_000),
            "n" => div_up(milli_number, 1_000_000_000),
            suffix => milli_number.checked_mul(SUFFIXES.iter().find(|(name, _)| *name == suffix)?.1)?,
        };
        Some(Self { milli })
    }

    /// Reads a quantity from JSON: a string or a number.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// Whole units, rounded up.
    pub fn units(self) -> i128 {
        div_up(self.milli, 1000)
    }

    /// Written in the unit family of `like` (`Mi`, `M`, `m`), as a whole number,
    /// in the largest unit of that family that keeps it whole and is not larger than 1.
    pub fn written_like(self, like: &str) -> String {
        let suffix = like.trim().trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if suffix == "m" {
            return if self.milli % 1000 == 0 { (self.milli / 1000).to_string() } else { format!("{}m", self.milli) };
        }
        let binary = suffix.ends_with('i') || suffix.is_empty();
        let family: &[&str] =
            if binary { &["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"] } else { &["E", "P", "T", "G", "M", "k"] };
        let units = self.units();
        for name in family {
            let size = SUFFIXES.iter().find(|(suffix, _)| suffix == name).map_or(1, |(_, size)| *size);
            if units >= size && units % size == 0 {
                return format!("{}{name}", units / size);
            }
        }
        units.to_string()
    }
}

fn div_up(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

fn decimal_milli(number: &str) -> Option<i128> {
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || part.len() > 18 || !digits(whole) || !digits(part) {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let scaled = div_up(fraction.checked_mul(1000)?, 10_i128.pow(u32::try_from(part.len()).ok()?));
    Some(sign * (whole.checked_mul(1000)?.checked_add(scaled)?))
}

/// In binary units when whole, else plain or in thousandths.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.milli % 1000 == 0 { self.written_like("Mi") } else { self.written_like("m") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        for (text, milli) in [
            ("250m", 250),
            ("1", 1000),
            ("0.5", 500),
            ("1.5Gi", 1_610_612_736_000),
            ("128Mi", 134_217_728_000),
            ("1e3", 1_000_000),
            ("12E", 12_000_000_000_000_000_000_000),
            ("100M", 100_000_000_000),
            ("128m", 128),
        ] {
            assert_eq!(Quantity::parse(text), Some(Quantity { milli }), "{text}");
        }
        for text in ["", "Mi", "1.2.3", "1Q", "abc", "--1", "1e99"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn quantities_are_written_in_the_family_of_the_old_value() {
        let mebi = |n: i128| Quantity::whole(n << 20);
        assert_eq!(mebi(64).written_like("32Mi"), "64Mi");
        assert_eq!(mebi(1536).written_like("1Gi"), "1536Mi");
        assert_eq!(mebi(2048).written_like("512Mi"), "2Gi");
        assert_eq!(Quantity::whole(64_000_000).written_like("32M"), "64M");
        assert_eq!(Quantity { milli: 250 }.written_like("100m"), "250m");
        assert_eq!(Quantity { milli: 2000 }.written_like("100m"), "2");
    }
}
