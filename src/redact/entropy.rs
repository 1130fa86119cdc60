//! Values that look like keys, though no name says so.

/// The shortest word that can be told from a name by its look.
const LONG: usize = 20;

/// Whether a value is one long word of letters and digits as only a generator writes them. A digest, a
/// commit id, a uid and a name are none.
pub(super) fn is_key(text: &str) -> bool {
    let text = text.trim();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~');
    if text.len() < LONG || text.len() > 4_096 || !text.bytes().all(is_word) || is_digest(text) {
        return false;
    }
    // Names of objects and versions have short parts; a slash or a plus belongs to base64.
    let longest = text.split(['-', '_', '.', '~']).max_by_key(|part| part.len()).unwrap_or_default();
    let part: String = longest.chars().filter(char::is_ascii_alphanumeric).collect();
    let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
    let least = match [char::is_ascii_lowercase, char::is_ascii_uppercase, char::is_ascii_digit].map(has) {
        // Base64 and base62.
        [true, true, true] => 16,
        // Base36, base32 and hexadecimal of no usual length.
        [true, _, true] | [_, true, true] => LONG,
        [true, true, false] => 24,
        _ => return false,
    };
    let is_mixed = turns(&part) * 4 >= part.len() && in_words(&part) * 2 < part.len();
    part.len() >= least && is_mixed && is_varied(&part)
}

/// Letters that stand in words of four or more, written small or with a capital.
fn in_words(text: &str) -> usize {
    let runs = text.split(|c: char| !c.is_ascii_lowercase()).map(str::len);
    runs.filter(|length| *length >= 3).map(|length| length + 1).sum()
}

/// Hexadecimal digits as of MD5, SHA-1 and SHA-2, alone or after the name of the algorithm; a uid.
fn is_digest(text: &str) -> bool {
    let digits = text.rsplit_once([':', '-', '_']).map_or(text, |(name, digits)| match name {
        "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512" => digits,
        _ => text,
    });
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    is_hex(digits) && matches!(digits.len(), 32 | 40 | 56 | 64 | 96 | 128)
        || groups == [8, 4, 4, 4, 12] && text.split('-').all(is_hex)
}

/// How often small letters, capitals and digits follow each other.
fn turns(text: &str) -> usize {
    let kind = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    text.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count()
}

/// Whether at least every third character is another one, up to what an alphabet has.
fn is_varied(text: &str) -> bool {
    let mut seen = [false; 128];
    text.bytes().filter(u8::is_ascii).for_each(|b| seen[usize::from(b)] = true);
    seen.iter().filter(|seen| **seen).count() * 3 >= text.len().min(30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_generator_wrote_is_a_key() {
        for key in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY",
            "9f8a7b6c5d4e3f2a1b0c9d8e",
            "Zq81kWm20xLp77aBcD93",
            "q3x9v0m2k8z7w1n5b4c6d8f2",
            "VGhpc0lzQVNlY3JldFZhbHVlMTIz",
            "aGVsbG8gd29ybGQgMTIzNDU2Nzg5MA==",
        ] {
            assert!(is_key(key), "{key}");
        }
    }

    #[test]
    fn digests_ids_names_and_paths_are_none() {
        for text in [
            "0123456789abcdef0123456789abcdef01234567",
            "98334c585f6cc11758ed97966d151a30dd1e7569fef03093a8eac23ea0acff1f",
            "sha256:98334c585f6cc11758ed97966d151a30dd1e7569fef03093a8eac23ea0acff1f",
            "0cc9698d-e860-40ef-a8e4-f6364e91f322",
            "web-6b46dcddd9-lt8jr",
            "java.lang.IllegalArgumentException",
            "registry.example.com/team/web:v1.2.3",
            "/usr/local/lib/python3.11/site-packages",
            "ip-10-0-12-34.eu-west-1.compute.internal",
            "20261122T164658Z-nightly-build",
            "application/vnd.oci.image.manifest.v1+json",
            "MyCompanyInternalServiceNameV2",
            "ApplicationInsightsAgent3Extension",
            "12345678901234567890",
            "true",
        ] {
            assert!(!is_key(text), "{text}");
        }
    }
}
