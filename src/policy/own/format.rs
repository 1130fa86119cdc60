//! `sprintf`, as Go writes.
//!
//! A verb that does not fit its argument is written as `%!d(string=x)`, and never makes a rule say nothing.
//! <https://pkg.go.dev/fmt#hdr-Printing>; OPA hands over numbers and texts, and everything else as its text.

use regorus::Value;

/// Characters that one field may be padded to.
const WIDEST: usize = 1000;

/// What a verb writes.
enum Arg {
    Int(i64),
    /// A whole number beyond 64 bits, by its digits.
    Big(String),
    Float(f64),
    Text(String),
}

/// Between `%` and the verb.
#[derive(Default)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

pub(super) fn sprintf(values: &[Value]) -> Result<Value, String> {
    let [Value::String(format), Value::Array(args)] = values else {
        return Err("it takes a text and a list".to_owned());
    };
    let args: Vec<Arg> = args.iter().map(Arg::of).collect();
    written(format, &args).map(Value::from)
}

fn written(format: &str, args: &[Arg]) -> Result<String, String> {
    let mut out = String::new();
    let (mut chars, mut next) = (format.chars().peekable(), 0);
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let spec = Spec::read(&mut chars)?;
        match (chars.next(), args.get(next)) {
            (None, _) => out.push_str("%!(NOVERB)"),
            (Some('%'), _) => out.push('%'),
            (Some('*' | '['), _) => return Err("a width from an argument, or its number, is not known here".to_owned()),
            (Some(verb), None) => out.push_str(&format!("%!{verb}(MISSING)")),
            (Some(verb), Some(arg)) => {
                next += 1;
                out.push_str(&spec.write(verb, arg)?);
            }
        }
    }
    if next < args.len() {
        let plain = Spec::default();
        let more: Result<Vec<String>, String> =
            args[next..].iter().map(|arg| Ok(format!("{}={}", arg.kind(), plain.write('v', arg)?))).collect();
        out.push_str(&format!("%!(EXTRA {})", more?.join(", ")));
    }
    Ok(out)
}

impl Arg {
    fn of(value: &Value) -> Self {
        match value {
            Value::Number(number) => match (number.as_i64(), number.is_integer(), number.as_f64()) {
                (Some(whole), _, _) => Self::Int(whole),
                (None, true, _) => Self::Big(number.format_decimal()),
                (None, false, Some(float)) => Self::Float(float),
                (None, false, None) => Self::Text(number.format_decimal()),
            },
            Value::String(text) => Self::Text(text.to_string()),
            other => Self::Text(super::shown(other)),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int64",
            Self::Big(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

impl Spec {
    fn read(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Self, String> {
        let mut spec = Self::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '+' | '-' | '#' | ' ' | '0')) {
            match flag {
                '+' => spec.plus = true,
                '-' => spec.minus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                _ => spec.zero = true,
            }
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            match digits.as_str() {
                "" => Ok(None),
                digits => digits
                    .parse()
                    .ok()
                    .filter(|number| *number <= WIDEST)
                    .map(Some)
                    .ok_or_else(|| format!("a field of {digits} characters is too wide")),
            }
        };
        spec.width = number(chars)?;
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = if chars.peek() == Some(&'*') { None } else { number(chars)?.or(Some(0)) };
        }
        Ok(spec)
    }

    fn write(&self, verb: char, arg: &Arg) -> Result<String, String> {
        Ok(match (verb, arg) {
            ('T', _) => self.padded("", arg.kind()),
            ('v' | 'd', Arg::Int(whole)) => self.whole(*whole < 0, whole.unsigned_abs().to_string(), ""),
            ('b', Arg::Int(whole)) => self.whole(*whole < 0, format!("{:b}", whole.unsigned_abs()), "0b"),
            ('o', Arg::Int(whole)) => self.whole(*whole < 0, format!("{:o}", whole.unsigned_abs()), "0"),
            ('x', Arg::Int(whole)) => self.whole(*whole < 0, format!("{:x}", whole.unsigned_abs()), "0x"),
            ('X', Arg::Int(whole)) => self.whole(*whole < 0, format!("{:X}", whole.unsigned_abs()), "0X"),
            ('c', Arg::Int(code)) => {
                let c = u32::try_from(*code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                self.padded("", c.encode_utf8(&mut [0; 4]))
            }
            ('v' | 'd', Arg::Big(digits)) => {
                self.whole(digits.starts_with('-'), digits.trim_start_matches('-').to_owned(), "")
            }
            ('v' | 'g' | 'G' | 'e' | 'E' | 'f' | 'F', Arg::Float(float)) => self.float(verb, *float),
            ('v' | 's', Arg::Text(text)) => match self.precision {
                Some(most) => self.padded("", &text.chars().take(most).collect::<String>()),
                None => self.padded("", text),
            },
            ('q', Arg::Text(text)) if !self.sharp && !self.plus && self.precision.is_none() => {
                self.padded("", &quoted(text))
            }
            ('x' | 'X', Arg::Text(text)) if !self.sharp && !self.space && self.precision.is_none() => {
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                self.padded("", if verb == 'X' { hex.to_uppercase() } else { hex }.as_str())
            }
            // Rare, and not written here: refused rather than wrong.
            ('q' | 'U' | 'O', Arg::Int(_))
            | ('b' | 'x' | 'X', Arg::Float(_))
            | ('q' | 'x' | 'X', Arg::Text(_))
            | ('b' | 'o' | 'O' | 'x' | 'X' | 's' | 'c' | 'q' | 'U', Arg::Big(_)) => {
                return Err(format!("`%{verb}` of {} is not known here", arg.kind()));
            }
            _ => format!("%!{verb}({}={})", arg.kind(), self.write('v', arg)?),
        })
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    fn whole(&self, negative: bool, digits: String, prefix: &str) -> String {
        let digits = match self.precision {
            Some(0) if digits == "0" => return self.filled(' ', ""),
            Some(least) => format!("{digits:0>least$}"),
            None => digits,
        };
        let prefix = if self.sharp && !(prefix == "0" && digits.starts_with('0')) { prefix } else { "" };
        let sign = format!("{}{prefix}", self.sign(negative));
        if self.precision.is_some() {
            self.filled(' ', &format!("{sign}{digits}"))
        } else {
            self.padded(&sign, &digits)
        }
    }

    fn float(&self, verb: char, value: f64) -> String {
        let size = value.abs();
        let text = match verb {
            'f' | 'F' => format!("{size:.*}", self.precision.unwrap_or(6)),
            'e' | 'E' => exponent(&format!("{size:.*e}", self.precision.unwrap_or(6))),
            _ => general(size, self.precision),
        };
        let text = if matches!(verb, 'E' | 'G') { text.to_uppercase() } else { text };
        self.padded(self.sign(value.is_sign_negative()), &text)
    }

    /// Padded with zeros behind the sign, or with blanks around all.
    fn padded(&self, sign: &str, text: &str) -> String {
        let room = self.width.unwrap_or(0).saturating_sub(sign.chars().count());
        if self.zero && !self.minus {
            format!("{sign}{text:0>room$}")
        } else {
            self.filled(' ', &format!("{sign}{text}"))
        }
    }

    fn filled(&self, by: char, text: &str) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let fill: String = std::iter::repeat_n(by, missing).collect();
        if self.minus { format!("{text}{fill}") } else { format!("{fill}{text}") }
    }
}

/// `2.5e0` as `2.5e+00`.
fn exponent(text: &str) -> String {
    let (digits, power) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

/// The shortest text of a number, or so many digits of it; with a power where it is very large or small.
fn general(size: f64, precision: Option<usize>) -> String {
    let text = match precision {
        None => format!("{size:e}"),
        Some(digits) => format!("{size:.*e}", digits.max(1) - 1),
    };
    let Some((digits, power)) = text.split_once('e') else { return text };
    let power: i32 = power.parse().unwrap_or(0);
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    let count = i32::try_from(digits.chars().filter(char::is_ascii_digit).count()).unwrap_or(i32::MAX);
    let most = match precision {
        None => 6,
        Some(digits) => {
            let digits = i32::try_from(digits.max(1)).unwrap_or(i32::MAX);
            if digits > count && count > power { count } else { digits }
        }
    };
    if power < -4 || power >= most {
        return exponent(&format!("{digits}e{power}"));
    }
    let all: String = digits.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(power) {
        Ok(power) if power + 1 >= all.len() => format!("{all:0<width$}", width = power + 1),
        Ok(power) => format!("{}.{}", &all[..=power], &all[power + 1..]),
        Err(_) => format!("0.{}{all}", "0".repeat(usize::try_from(-power - 1).unwrap_or(0))),
    }
}

/// Between double quotes, with what cannot be printed escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || c != ' ' && c.is_whitespace() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(format: &str, args: serde_json::Value, want: &str) {
        let args: Value = serde_json::from_value(args).unwrap();
        assert_eq!(sprintf(&[Value::from(format), args]), Ok(Value::from(want)), "{format}");
    }

    #[test]
    fn a_verb_that_does_not_fit_is_written_and_never_silent() {
        check("%d", json!(["ab"]), "%!d(string=ab)");
        check("%d", json!([2.5]), "%!d(float64=2.5)");
        check("%t", json!([true]), "%!t(string=true)");
        check("%s", json!([12]), "%!s(int64=12)");
        check("%.1f", json!([12]), "%!f(int64=12)");
        check("%y", json!(["ab"]), "%!y(string=ab)");
        check("%s %s", json!(["ab"]), "ab %!s(MISSING)");
        check("%s", json!(["ab", 1, "c"]), "ab%!(EXTRA int64=1, string=c)");
        check("100%", json!([]), "100%!(NOVERB)");
        check("%d%%", json!([7]), "7%");
        check("%T %T %T", json!([1, 2.5, "x"]), "int64 float64 string");
    }

    #[test]
    fn whole_numbers_are_written_as_go_does() {
        check("%d|%5d|%05d|%-5d|%+d|% d|%.3d", json!([42, 42, 42, 42, 42, 42, 42]), "42|   42|00042|42   |+42| 42|042");
        check(
            "%d|%05d|%x|%X|%b|%o|%#x|%#o",
            json!([-7, -7, -7, 255, -7, 12, 255, 12]),
            "-7|-0007|-7|FF|-111|14|0xff|014",
        );
        check(
            "%v|%d",
            json!([18446744073709551615u64, 18446744073709551615u64]),
            "18446744073709551615|18446744073709551615",
        );
    }

    #[test]
    fn other_numbers_are_written_as_go_does() {
        check(
            "%v|%g|%e|%f|%.2f|%8.3f|%08.3f|%+.1f",
            json!([2.5, 2.5, 2.5, 2.5, 2.5, 2.5, -2.5, 2.5]),
            "2.5|2.5|2.500000e+00|2.500000|2.50|   2.500|-002.500|+2.5",
        );
        check("%v|%v|%v", json!([1234567.5, 0.00001, 0.0001]), "1.2345675e+06|1e-05|0.0001");
        check("%.3g|%.3g|%G", json!([1234.5, 0.012345, 1e-7]), "1.23e+03|0.0123|1E-07");
        check("%v|%v", json!([123456.5, 20.5]), "123456.5|20.5");
    }

    #[test]
    fn texts_and_what_is_written_as_text() {
        check(
            "%s|%10s|%-10s|%.2s|%q|%x",
            json!(["ab", "ab", "ab", "äbc", "a\"\u{1}\n", "äb"]),
            "ab|        ab|ab        |äb|\"a\\\"\\x01\\n\"|c3a462",
        );
        check("%v %v %s", json!([null, true, [1, "a", {"k": [2]}]]), "null true [1, \"a\", {\"k\": [2]}]");
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for format in ["%[1]d", "%*d", "%.*f", "%U", "%99999d"] {
            let args: Value = serde_json::from_value(json!([65, 65])).unwrap();
            assert!(sprintf(&[Value::from(format), args]).is_err(), "{format}");
        }
        assert!(sprintf(&[Value::from("a"), Value::from("b")]).is_err());
    }
}
