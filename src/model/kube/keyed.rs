//! ConfigMaps and Secrets: names of keys, never a value.

use super::{Meta, Object};
use crate::model::path::{Path, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A ConfigMap or a Secret: its name and key names, never a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Keyed {
    pub metadata: Meta,
    /// `None`: the keys are not known.
    pub keys: Option<BTreeSet<String>>,
    /// What is odd about values of a ConfigMap; a key whose value was not read is not in it.
    pub odd: BTreeMap<String, Oddity>,
}

/// What is odd about a value, told without the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Oddity {
    /// Nothing, or nothing but white space.
    Empty,
    ByteOrderMark,
    CarriageReturn,
    /// A script whose first line, which names its interpreter, ends in a carriage return.
    WindowsScript,
    /// A line of YAML that begins with a tab.
    TabIndent,
    /// Base64 of readable text, as Secrets hold it.
    Base64,
}

impl Oddity {
    fn of(key: &str, value: &str) -> Option<Self> {
        let is_yaml = key.ends_with(".yaml") || key.ends_with(".yml");
        if value.trim().is_empty() {
            Some(Self::Empty)
        } else if value.starts_with('\u{feff}') {
            Some(Self::ByteOrderMark)
        } else if value.contains('\r') {
            let first = value.split_once('\n').map_or("", |(first, _)| first);
            let is_script = first.starts_with("#!") && first.ends_with('\r');
            Some(if is_script { Self::WindowsScript } else { Self::CarriageReturn })
        } else if is_yaml && value.lines().any(|line| line.starts_with('\t') && !line.trim().is_empty()) {
            Some(Self::TabIndent)
        } else if is_base64_of_text(value.trim()) {
            Some(Self::Base64)
        } else {
            None
        }
    }

    /// A value of this oddity under this key that holds nothing else.
    fn example(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::ByteOrderMark => "\u{feff}<not kept>",
            Self::CarriageReturn => "<not kept>\r\n",
            Self::WindowsScript => "#!<not kept>\r\n",
            Self::TabIndent => "\t<not kept>",
            Self::Base64 => "PHRoZSB2YWx1ZSBpcyBub3Qga2VwdD4=",
        }
    }
}

/// What stands for a value without any oddity.
const NOT_KEPT: &str = "<not kept>";

/// Whether a text stands for a value that was not kept.
fn stands_for(text: &str) -> bool {
    const ODD: [Oddity; 6] = [
        Oddity::Empty,
        Oddity::ByteOrderMark,
        Oddity::CarriageReturn,
        Oddity::WindowsScript,
        Oddity::TabIndent,
        Oddity::Base64,
    ];
    text == NOT_KEPT || ODD.iter().any(|odd| odd.example() == text)
}

/// Whether Git's value at this path may be the one of a ConfigMap that was seen without its values
/// ([`Keyed::object`]): the key is there, and what is odd about the one is odd about the other.
pub fn may_be(path: &Path, written: &Value, seen: &Value) -> bool {
    let text = |key: &str| seen["data"][key].as_str().filter(|text| stands_for(text));
    match (path.0.as_slice(), written) {
        ([Step::Field(data), Step::Field(key)], Value::String(written)) if data == "data" => {
            text(key).is_some_and(|text| Oddity::of(key, text) == Oddity::of(key, written))
        }
        ([Step::Field(data), Step::Field(key)], _) if data == "binaryData" => text(key).is_some(),
        ([Step::Field(name)], _) if name == "immutable" => {
            seen["data"].as_object().is_some_and(|data| data.keys().any(|key| text(key).is_some()))
        }
        _ => false,
    }
}

/// Whether this is Base64, padded or long, of printable text. Names, hashes and numbers decode to bytes
/// that nobody writes.
fn is_base64_of_text(text: &str) -> bool {
    if text.len() < 8 || !text.len().is_multiple_of(4) || !(text.ends_with('=') || text.len() >= 24) {
        return false;
    }
    let digit = |byte: u8| -> Option<u32> {
        Some(u32::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }))
    };
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return false;
    }
    let readable = |byte: u32| (0x20..0x7f).contains(&byte) || byte == 0x0a;
    digits.as_bytes().chunks(4).all(|group| {
        let Some(bits) = group.iter().try_fold(0, |bits, byte| Some(bits << 6 | digit(*byte)?)) else { return false };
        match group.len() {
            4 => [16, 8, 0].iter().all(|shift| readable(bits >> shift & 0xff)),
            3 => [10, 2].iter().all(|shift| readable(bits >> shift & 0xff)),
            2 => readable(bits >> 4 & 0xff),
            _ => false,
        }
    })
}

impl Keyed {
    /// Names of `data`, `binaryData` and `stringData` when they are there (an offline file),
    /// else the keys that `managedFields` own (a metadata list). Values are dropped here.
    pub fn from_value(value: &Value) -> Option<Self> {
        let mut metadata = Meta::deserialize(value.get("metadata")?).ok()?;
        let mut keys = BTreeSet::new();
        let mut known = !metadata.managed_fields.is_empty();
        for name in ["data", "binaryData", "stringData"] {
            if let Some(Value::Object(map)) = value.get(name) {
                known = true;
                keys.extend(map.keys().cloned());
            }
        }
        // Of who wrote what only the names of keys are kept.
        for entry in &mut metadata.managed_fields {
            let fields = entry.fields_v1.read();
            let owned = ["f:data", "f:binaryData", "f:stringData"].into_iter().filter_map(|name| {
                let fields = fields.get(name)?.as_object()?;
                keys.extend(fields.keys().filter_map(|key| key.strip_prefix("f:")).map(str::to_owned));
                let names = fields.keys().map(|key| (key.clone(), Value::Object(Map::new())));
                Some((name.to_owned(), Value::Object(names.collect())))
            });
            entry.fields_v1 = Value::Object(owned.collect()).into();
        }
        Some(Self { metadata, keys: known.then_some(keys), odd: BTreeMap::new() })
    }

    /// A text in place of each value, with what is odd about it and nothing else; `None`: the keys are not known.
    pub fn values(&self) -> Option<Value> {
        let value = |key: &String| Value::from(self.odd.get(key).map_or(NOT_KEPT, |odd| odd.example()));
        Some(self.keys.as_ref()?.iter().map(|key| (key.clone(), value(key))).collect::<Map<_, _>>().into())
    }

    /// The ConfigMap as an object, without its values.
    pub fn object(&self) -> Option<Object> {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata, "data": self.values()?});
        serde_json::from_value(object).ok()
    }

    /// The same of a ConfigMap, with what is odd about its values.
    pub fn config_map(value: &Value) -> Option<Self> {
        let mut keyed = Self::from_value(value)?;
        let data = value.get("data").and_then(Value::as_object);
        let texts = data.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
        keyed.odd = texts.filter_map(|(key, text)| Some((key.clone(), Oddity::of(key, text)?))).collect();
        Some(keyed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_a_secret_are_never_held() {
        let secret = Keyed::from_value(&json!({
            "metadata": {"name": "db", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"p\":\"hunter2\"}}"}},
            "data": {"password": "aHVudGVyMg=="}
        }));
        let printed = format!("{secret:?}");
        assert!(
            printed.contains("password") && !printed.contains("aHVudGVyMg") && !printed.contains("hunter2"),
            "{printed}"
        );
    }

    #[test]
    fn odd_values_are_told_apart_without_being_held() {
        let map = json!({"metadata": {"name": "cfg"}, "data": {
            "EMPTY": " \n", "PLAIN": "debug", "CRLF": "a\r\nb", "run.sh": "#!/bin/sh\r\nx\r\n", "lf.sh": "#!/bin/sh\nx\r\n", "BOM": "\u{feff}a", "app.yaml": "a:\n\tb: 1\n",
            "Makefile": "all:\n\tmake\n", "ENCODED": "cG9zdGdyZXM6Ly9kYg==", "HASH": "d41d8cd98f00b204e9800998ecf8427e",
            "WORD": "database", "PATH": "/usr/local/share/config", "NUMBER": "1234567890123456",
        }});
        let keyed = Keyed::config_map(&map).unwrap();
        let odd: Vec<_> = keyed.odd.iter().map(|(key, oddity)| (key.as_str(), *oddity)).collect();
        let expected = [
            ("BOM", Oddity::ByteOrderMark),
            ("CRLF", Oddity::CarriageReturn),
            ("EMPTY", Oddity::Empty),
            ("ENCODED", Oddity::Base64),
            ("app.yaml", Oddity::TabIndent),
            ("lf.sh", Oddity::CarriageReturn),
            ("run.sh", Oddity::WindowsScript),
        ];
        assert_eq!(odd, expected);
        assert!(!format!("{keyed:?}").contains("cG9zd"));
        for (key, oddity) in expected {
            assert_eq!(Oddity::of(key, oddity.example()), Some(oddity), "{key}");
        }
    }

    #[test]
    fn a_value_that_was_not_kept_may_be_one_that_is_as_odd() {
        let map = json!({"metadata": {"name": "cfg", "namespace": "p"}, "data": {"run.sh": "#!/bin/sh\r\nx\r\n", "a": "b"},
            "binaryData": {"z": "AA=="}});
        let seen = Keyed::config_map(&map).and_then(|map| map.object()).unwrap().to_value();
        assert!(!seen.to_string().contains("bin/sh"), "{seen}");
        let may = |path: &[&str], value: Value| {
            may_be(&Path(path.iter().map(|name| Step::Field((*name).to_owned())).collect()), &value, &seen)
        };
        assert!(may(&["data", "run.sh"], json!("#!/bin/bash\r\ny\r\n")));
        assert!(!may(&["data", "run.sh"], json!("#!/bin/sh\nx\n")), "Git has other line ends");
        assert!(
            may(&["data", "a"], json!("c"))
                && may(&["binaryData", "z"], json!("AQ=="))
                && may(&["immutable"], json!(true))
        );
        assert!(!may(&["data", "a"], json!("c\r\n")) && !may(&["data", "new"], json!("c")));
        assert!(!may(&["metadata", "labels"], json!("c")));
        let told = json!({"data": {"a": "b"}});
        assert!(!may_be(&Path::of("data.a"), &json!("c"), &told), "a value that is told is compared");
        assert!(!may_be(&Path::of("immutable"), &json!(true), &told));
    }

    #[test]
    fn who_wrote_which_keys_is_kept_by_name() {
        let map = json!({"metadata": {"name": "cfg", "managedFields": [
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:LEVEL": {"x": 1}}, "f:metadata": {"f:labels": {}}}}]}});
        let keyed = Keyed::from_value(&map).unwrap();
        assert_eq!(keyed.metadata.managed_fields[0].fields_v1.read(), json!({"f:data": {"f:LEVEL": {}}}));
    }
}
