//! Names that kustomize makes: hash suffixes.

/// Characters of a hash suffix: hexadecimal with look-alikes replaced
/// (kustomize `api/hasher/hasher.go`, kept from kubectl).
const HASH: &str = "2456789bcdfghkmt";

/// The name without a generator's hash suffix: `web-config-thctc996df` is `web-config`.
pub fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((head, hash)) if hash.len() == 10 && hash.chars().all(|c| HASH.contains(c)) && !head.is_empty() => head,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hash_is_taken_off() {
        assert_eq!(without_hash("web-config-thctc996df"), "web-config");
        for name in ["web-config", "web-production", "web-0123456789", "-thctc996df", "web-thctc996d"] {
            assert_eq!(without_hash(name), name);
        }
    }
}
