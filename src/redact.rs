//! What is removed before anything leaves or is stored.

mod diff;
mod names;
mod shapes;

pub use names::{is_secret_name, is_secret_variable};

use crate::model::path::{Path, Step};
use serde_json::{Map, Value};
use std::fmt;

/// Text with every recognised secret replaced. The only text that is stored or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What stands where a secret stood.
pub const MASK: &str = "<secret>";

/// Removes every recognised secret from `text`.
pub fn text(text: &str) -> Redacted {
    Redacted(shapes::without(text))
}

/// Removes secrets from a unified diff of YAML files, line by line. For a record: the diff does not
/// apply any more.
pub fn diff(text: &str) -> Redacted {
    Redacted(diff::without(text))
}

/// Removes secrets from every string of a JSON value: values of variables, headers and fields whose
/// name says secret, words after flags that take one, the values of Secret objects, the `old` and `new`
/// of a `path` that leads to one, and recognised shapes anywhere.
pub fn value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(self::text(text).into_string()),
        Value::Array(items) => Value::Array(arguments(items, None)),
        Value::Object(map) => Value::Object(entries(map)),
        other => other.clone(),
    }
}

fn entries(map: &Map<String, Value>) -> Map<String, Value> {
    let words = |key: &str| map.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let is_secret = map.get("kind").and_then(Value::as_str) == Some("Secret");
    let is_variable = map.get("name").and_then(Value::as_str).is_some_and(is_secret_variable);
    let changed = map.get("path").and_then(Value::as_str).map(Path::of);
    let masked = |key: &str, item: &Value| match (item, &changed) {
        (Value::Object(data), _) if is_secret && matches!(key, "data" | "stringData") => {
            Value::Object(data.keys().map(|key| (key.clone(), Value::String(MASK.to_owned()))).collect())
        }
        (Value::String(_), _) if is_variable && key == "value" => Value::String(MASK.to_owned()),
        (Value::String(text), _) if is_password(key, text) => Value::String(MASK.to_owned()),
        (Value::Array(items), _) if matches!(key, "args" | "command") => {
            Value::Array(arguments(items, names::client(words("command").chain(words("args")))))
        }
        (item, Some(path)) if matches!(key, "old" | "new") => field(path, item),
        (item, _) => value(item),
    };
    map.iter().map(|(key, item)| (key.clone(), masked(key, item))).collect()
}

/// The words of an array, without those that a flag before them, or the client that is started, says
/// are secret.
fn arguments(items: &[Value], client: Option<names::Client>) -> Vec<Value> {
    let client = client.or_else(|| names::client(items.iter().filter_map(Value::as_str).take(1)));
    let mut before = None;
    items
        .iter()
        .map(|item| {
            let Value::String(word) = item else { return value(item) };
            let flag = before.replace(word.as_str()).unwrap_or_default();
            let is_named = names::is_secret_flag(flag) && names::is_secret_argument(word);
            match client {
                _ if is_named => Value::String(MASK.to_owned()),
                Some(names::Client::Redis) if flag == "-a" => Value::String(MASK.to_owned()),
                Some(names::Client::MySql)
                    if word.len() > 2 && word.starts_with("-p") && !names::is_reference(&word[2..]) =>
                {
                    Value::String(format!("-p{MASK}"))
                }
                _ => value(item),
            }
        })
        .collect()
}

/// The value of one field as it may be shown: the value of a variable or field whose name says secret
/// is masked, recognised shapes are removed from any other.
pub fn field(path: &Path, value: &Value) -> Value {
    let mut steps = path.0.iter().rev();
    let is_masked = match (steps.next(), steps.next()) {
        (Some(Step::Field(last)), Some(Step::Item { value: name, .. })) if last == "value" => is_secret_variable(name),
        (Some(Step::Field(last)), _) => names::is_password_field(last),
        _ => false,
    };
    let named_secret = path.0.iter().any(|step| matches!(step, Step::Item { value, .. } if is_secret_name(value)));
    let last_is_value = matches!(path.0.last(), Some(Step::Field(name)) if name == "value");
    match value {
        Value::String(_) if is_masked || named_secret && last_is_value => Value::String(MASK.to_owned()),
        value => self::value(value),
    }
}

/// Whether a field of this name with this text is a secret: any text under `password`, under `secret` and
/// its like only what does not look like the name of one.
fn is_password(key: &str, text: &str) -> bool {
    let is_named = names::is_password_field(key) && !text.is_empty() && !names::is_reference(text);
    is_named || names::is_secret_field(key) && looks_random(text)
}

/// Whether text mixes letters and digits in one long word, as names do not.
fn looks_random(text: &str) -> bool {
    text.len() >= 12
        && !text.contains(char::is_whitespace)
        && text.chars().any(|c| c.is_ascii_digit())
        && text.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_removed_and_their_surroundings_stay() {
        for (text, want) in [
            ("postgres://app:hunter2@db:5432/x refused", "postgres://<secret>@db:5432/x refused"),
            ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer <secret>"),
            ("DB_PASSWORD=s3cr3t! retry", "DB_PASSWORD=<secret> retry"),
            ("key AKIAABCDEFGHIJKLMNOP used", "key <secret> used"),
            ("x -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- y", "x <secret> y"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def", "<secret>"),
            ("Authorization: Basic YTpiYw== and more", "Authorization: Basic <secret>"),
            ("authorization=YTpiYw==", "authorization=<secret>"),
            ("Cookie: a=b; c=d", "Cookie: <secret>"),
            ("password=$uperSecret88", "password=<secret>"),
            ("postgres://app:p@ss.Word9@db/x", "postgres://<secret>@db/x"),
            ("postgres://app:p@ss/x@y", "postgres://<secret>@ss/x@y"),
            ("PGPASSWORD=abc psql", "PGPASSWORD=<secret> psql"),
            ("REDIS_AUTH=a MYSQL_ROOT_PW=b", "REDIS_AUTH=<secret> MYSQL_ROOT_PW=<secret>"),
            ("app --password hunter -v", "app --password <secret> -v"),
            ("app --db-password=hunter", "app --db-password=<secret>"),
            (r#"["--password","arghunter6"]"#, r#"["--password","<secret>"]"#),
            ("mysql -u root -phunter7x db", "mysql -u root -p<secret> db"),
            ("redis-cli -a hunter7x ping", "redis-cli -a <secret> ping"),
            (r#"{"name":"DB_PASSWORD","value":"hunter two"}"#, r#"{"name":"DB_PASSWORD","value":"<secret>"}"#),
            (r#"{\"name\":\"DB_PASSWORD\",\"value\":\"x1\"}"#, r#"{\"name\":\"DB_PASSWORD\",\"value\":\"<secret>\"}"#),
            ("- {name: DB_PASSWORD, value: hunter two}", "- {name: DB_PASSWORD, value: <secret>}"),
            ("- {value: hunter two, name: X-API-KEY}", "- {value: <secret>, name: X-API-KEY}"),
            ("https://ghp_abcdefghijklmnopqrstuvwxyz0123@host/o/r.git", "https://<secret>@host/o/r.git"),
        ] {
            assert_eq!(super::text(text).as_str(), want);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "couldn't find key password in Secret prod/db",
            "secret \"db\" not found",
            "may require authorization: server message: insufficient_scope: authorization failed",
            "failed to fetch anonymous token: unexpected status: 401 Unauthorized",
            "image@sha256:98334c585f6cc11758ed97966d151a30dd1e7569fef03093a8eac23ea0acff1f",
            "main@sha1:0123456789abcdef0123456789abcdef01234567",
            "pod web-6b46dcddd9-lt8jr_prod(0cc9698d-e860-40ef-a8e4-f6364e91f322)",
            "http://10.0.0.1:8080/healthz",
            "password=$(DB_PASSWORD) or ${DB_PASSWORD} or $DB_PASSWORD",
            "password=${DB_PASSWORD}",
            "postgres://app:$(DB_PASSWORD)@db/x",
            "flag needs an argument: --password",
            "required flag --token not set",
            "--key /etc/tls/tls.key --cert x",
            "-p8080 nginx -port",
            "mkdir -parents mysql",
            "{name: MODE, value: fast}",
        ] {
            assert_eq!(super::text(text).as_str(), text);
        }
    }

    #[test]
    fn a_changed_variable_whose_name_says_secret_is_masked() {
        let path = Path::of("spec.containers[app].env[DB_PASSWORD].value");
        assert_eq!(field(&path, &json!("x")), json!(MASK));
        assert_eq!(field(&Path::of("spec.containers[app].env[redis-auth].value"), &json!("x")), json!(MASK));
        assert_eq!(field(&Path::of("spec.containers[auth].env[MODE].value"), &json!("x")), json!("x"));
    }

    #[test]
    fn values_of_secret_variables_and_objects_are_removed() {
        let object =
            json!({"kind": "Pod", "env": [{"name": "API_TOKEN", "value": "abc"}, {"name": "MODE", "value": "fast"}]});
        assert_eq!(
            value(&object)["env"],
            json!([{"name": "API_TOKEN", "value": MASK}, {"name": "MODE", "value": "fast"}])
        );
        let secret = json!({"kind": "Secret", "data": {"p": "aHVudGVyMg=="}});
        assert_eq!(value(&secret)["data"], json!({"p": MASK}));
    }

    #[test]
    fn names_of_variables_and_headers_that_hold_secrets_are_known() {
        for name in ["REDIS_AUTH", "MYSQL_ROOT_PW", "API-KEY", "X-API-KEY", "COOKIE", "SESSION_ID", "GH_PAT", "SALT"] {
            let item = json!({"httpHeaders": [{"name": name, "value": "abc"}]});
            assert_eq!(value(&item)["httpHeaders"][0]["value"], MASK, "{name}");
        }
        for name in ["AUTHOR", "PATH", "PATTERN", "SIDECAR", "SALTED_WATER", "auth-proxy", "pass-through", "MODE"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn words_after_flags_of_secrets_are_removed() {
        let container =
            json!({"args": ["--password", "arghunter6", "--tokens", "5", "--key", "/etc/x", "--token", "-v"]});
        assert_eq!(
            value(&container)["args"],
            json!(["--password", MASK, "--tokens", "5", "--key", "/etc/x", "--token", "-v"])
        );
        let client = json!({"command": ["/usr/bin/mysql"], "args": ["-phunter7x", "-p"]});
        assert_eq!(value(&client)["args"], json!(["-p<secret>", "-p"]));
        let server = json!({"command": ["nginx"], "args": ["-prefix", "-a", "b"]});
        assert_eq!(value(&server), server);
        assert_eq!(value(&json!({"command": ["redis-cli", "-a", "b"]}))["command"][2], MASK);
    }

    #[test]
    fn what_a_path_to_a_secret_held_and_holds_is_removed() {
        let edit = json!({"path": "spec.containers[app].env[DB_PASSWORD].value", "old": "a", "new": "b", "file": "c"});
        assert_eq!((&value(&edit)["old"], &value(&edit)["new"]), (&json!(MASK), &json!(MASK)));
    }

    #[test]
    fn the_names_of_secrets_stay() {
        let object = json!({"secretName": "db-credentials-v12x", "tokenPath": "/var/run/secrets/token1"});
        assert_eq!(value(&object), object);
    }

    #[test]
    fn any_text_under_a_field_of_passwords_is_removed() {
        let values = json!({"password": "hunter", "dbPassword": "x", "passwordKey": "password", "password2": ""});
        assert_eq!(
            value(&values),
            json!({"password": MASK, "dbPassword": MASK, "passwordKey": "password", "password2": ""})
        );
        assert_eq!(field(&Path::of("db.password"), &json!("hunter")), json!(MASK));
        assert_eq!(field(&Path::of("db.password"), &json!(null)), json!(null));
    }
}
