//! Tests of redaction: what goes and what stays.

use super::*;
use serde_json::json;

const MASK: &str = "<secret>";

/// Without numbers: they depend on what else the process has seen.
fn value(value: &Value) -> Value {
    serde_json::from_str(&unnumbered(&super::value(value).to_string())).unwrap()
}

fn field(path: &Path, value: &Value) -> Value {
    serde_json::from_str(&unnumbered(&super::field(path, value).to_string())).unwrap()
}

fn shown(text: &str) -> String {
    unnumbered(super::text(text).as_str())
}

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
        ("DB_PASSWORD=a,b;c&d retry", "DB_PASSWORD=<secret> retry"),
        ("Server=db;Password=ab,c;User Id=x;Token=y", "Server=db;Password=<secret>;User Id=x;Token=y"),
        ("{\"password\":\"two words\"}", "{\"password\":\"<secret>\"}"),
        ("<dbPassword>hunter</dbPassword>", "<dbPassword><secret></dbPassword>"),
        ("app:hunter@tcp(db:3306)/x", "app:<secret>@tcp(db:3306)/x"),
        ("GET /x?a=1&sig=abcdefgh12 404", "GET /x?a=1&sig=<secret> 404"),
        ("curl -u app:hunter http://x", "curl -u app:<secret> http://x"),
        (
            "- name: DB_PASSWORD\n  value: hunter two\n- name: MODE\n  value: b",
            "- name: DB_PASSWORD\n  value: <secret>\n- name: MODE\n  value: b",
        ),
        ("kind: Secret\ndata:\n  a: eHh4\n", "kind: Secret\ndata:\n  a: <secret>\n"),
        ("data:\n  a: eHh4\nkind: Secret\n", "data:\n  a: <secret>\nkind: Secret\n"),
        ("redis-cli -a hunter7x ping", "redis-cli -a <secret> ping"),
        (r#"{"name":"DB_PASSWORD","value":"hunter two"}"#, r#"{"name":"DB_PASSWORD","value":"<secret>"}"#),
        (r#"{\"name\":\"DB_PASSWORD\",\"value\":\"x1\"}"#, r#"{\"name\":\"DB_PASSWORD\",\"value\":\"<secret>\"}"#),
        ("- {name: DB_PASSWORD, value: hunter two}", "- {name: DB_PASSWORD, value: <secret>}"),
        ("- {value: hunter two, name: X-API-KEY}", "- {value: <secret>, name: X-API-KEY}"),
        ("https://ghp_abcdefghijklmnopqrstuvwxyz0123@host/o/r.git", "https://<secret>@host/o/r.git"),
    ] {
        assert_eq!(shown(text), want);
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
    assert_eq!(value(&object)["env"], json!([{"name": "API_TOKEN", "value": MASK}, {"name": "MODE", "value": "fast"}]));
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
    let container = json!({"args": ["--password", "arghunter6", "--tokens", "5", "--key", "/etc/x", "--token", "-v"]});
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

#[test]
fn the_last_applied_copy_of_an_object_is_read_as_one() {
    let applied = json!({"spec": {"env": [{"name": "DB_PASSWORD", "value": "hunter two"}]}}).to_string();
    let object = json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}});
    let shown = value(&object).to_string();
    assert!(!shown.contains("hunter") && shown.contains("DB_PASSWORD"), "{shown}");
    let plain = json!({"note": "{\"a\": 1,  \"b\": 2}"});
    assert_eq!(value(&plain), plain);
}

#[test]
fn a_rendered_secret_keeps_its_name_and_its_keys() {
    let secret = |text: &str| {
        let mut object = json!({"kind": "Secret", "metadata": {"name": "db"}, "data": {"p": text, "q": "YQ=="}, "stringData": {"r": 1}});
        drop_values(&mut object);
        object
    };
    let (one, two) = (secret("b25l"), secret("dHdv"));
    assert!(!format!("{one}{two}").contains("b25l") && !format!("{one}{two}").contains("dHdv"));
    assert_eq!((&one["metadata"]["name"], &one["data"]["q"]), (&json!("db"), &two["data"]["q"]));
    assert_ne!(one["data"]["p"], two["data"]["p"]);
    let mut map = json!({"kind": "ConfigMap", "data": {"p": "b25l"}});
    drop_values(&mut map);
    assert_eq!(map["data"]["p"], "b25l");
}

#[test]
fn a_value_that_only_a_generator_wrote_is_one_whatever_its_name() {
    let env = json!([{"name": "X", "value": "Zq81kWm20xLp77aBcD93"}, {"name": "GIT_SHA", "value": "0123456789abcdef0123456789abcdef01234567"}]);
    assert_eq!(
        value(&env),
        json!([{"name": "X", "value": MASK}, {"name": "GIT_SHA", "value": "0123456789abcdef0123456789abcdef01234567"}])
    );
    assert_eq!(field(&Path::of("env[X].value"), &json!("Zq81kWm20xLp77aBcD93")), json!(MASK));
}

#[test]
fn a_text_of_a_thousand_secrets_is_read_in_one_pass_each() {
    let line = "password=a;b=c,token: abcdefgh&x=y ";
    let text = text(&line.repeat(20_000)).into_string();
    assert!(!text.contains("=a;") && text.contains("b=c"));
}
