//! Credential plugins: run once, their answer handed on.

use super::failure::foreign;
use crate::doors::process::{self, Run, RunError};
use crate::error::Error;
use k8s_openapi::ByteString;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

/// How long a plugin may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a plugin may take that asks a person.
const PATIENCE: Duration = Duration::from_secs(300);
/// Held while a plugin asks a person.
static TERMINAL: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const API_VERSION: &str = "client.authentication.k8s.io/v1";

/// The user with the plugin's credential in place of the plugin.
///
/// kube would run the plugin three times per client and leave its standard input open.
///
/// # Errors
/// When the plugin is missing, fails or answers something else than a credential.
pub(super) async fn resolve(
    mut user: AuthInfo,
    cluster: &Cluster,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<AuthInfo, Error> {
    if let Some(provider) = user.auth_provider.take() {
        return legacy(user, &provider.name, provider.config.get("id-token").cloned());
    }
    let Some(exec) = user.exec.take() else { return Ok(user) };
    if user.token.is_some() || user.token_file.is_some() || user.username.is_some() {
        return Ok(user);
    }
    let credential = run(&exec, cluster, environment).await?;
    put(user, credential)
}

/// The providers that client-go dropped in 1.26; a ready `id-token` is still usable.
fn legacy(user: AuthInfo, name: &str, token: Option<String>) -> Result<AuthInfo, Error> {
    let Some(token) = token else {
        return Err(Error::usage(format!(
            "the kubeconfig uses the auth provider {name}, which Kubernetes 1.26 removed"
        ))
        .hint("get a kubeconfig with an `exec` plugin from your cluster's provider"));
    };
    put(user, Credential { token: Some(token), ..Credential::default() })
}

/// `status` of an `ExecCredential`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Credential {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Credential>,
}

fn put(user: AuthInfo, credential: Credential) -> Result<AuthInfo, Error> {
    // By way of JSON: the fields are of a type that this crate does not name. `ByteString` is base64.
    let encoded = |pem: String| serde_json::to_value(ByteString(pem.into_bytes())).unwrap_or_default();
    let mut fields = serde_json::Map::new();
    if let Some(token) = credential.token {
        fields.insert("token".to_owned(), Value::String(token));
    }
    if let (Some(certificate), Some(key)) = (credential.client_certificate_data, credential.client_key_data) {
        fields.insert("client-certificate-data".to_owned(), encoded(certificate));
        fields.insert("client-key-data".to_owned(), encoded(key));
    }
    let new = AuthInfo::deserialize(Value::Object(fields)).map_err(|_| Error::bug("a credential was not taken"))?;
    Ok(AuthInfo {
        token: new.token.or(user.token),
        client_certificate_data: new.client_certificate_data.or(user.client_certificate_data),
        client_key_data: new.client_key_data.or(user.client_key_data),
        exec: None,
        auth_provider: None,
        ..user
    })
}

/// Runs the plugin: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>.
async fn run(
    exec: &ExecConfig,
    cluster: &Cluster,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Credential, Error> {
    let Some(command) = exec.command.as_deref().filter(|command| !command.is_empty()) else {
        return Err(Error::usage("the kubeconfig has an exec plugin without a command"));
    };
    let interactive = exec.interactive_mode == Some(ExecInteractiveMode::Always);
    let mut run = Run::new(command).args(exec.args.iter().flatten());
    run.env.clone_from(environment);
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            run.env.insert(name.into(), value.into());
        }
    }
    run.env.insert("KUBERNETES_EXEC_INFO".into(), request(exec, cluster, interactive)?.into());
    run.interactive = interactive;
    // The terminal is lent to one plugin at a time.
    let _lent = if interactive { Some(TERMINAL.lock().await) } else { None };
    run.deadline = if interactive { PATIENCE } else { DEADLINE };
    run.output_limit = 1 << 20;
    let finished = process::run(run).await.map_err(|error| not_run(exec, command, &error))?;
    if finished.code != 0 {
        let error =
            Error::unreachable(format!("the credential plugin `{command}` failed with exit code {}", finished.code))
                .hint(format!("run it by hand, most often it wants you to log in again: `{}`", typed(exec, command)));
        let stderr = foreign(&finished.stderr);
        return Err(if stderr.is_empty() { error } else { error.because(stderr) });
    }
    // NOTE: its output is the credential; no part of it may be shown.
    let answer: Option<ExecCredential> = serde_json::from_slice(&finished.stdout).ok();
    answer
        .and_then(|answer| answer.status)
        .filter(|status| status.token.is_some() || status.client_key_data.is_some())
        .ok_or_else(|| {
            Error::unreachable(format!("the credential plugin `{command}` printed no credential"))
                .hint(format!("run it by hand: `{}`", typed(exec, command)))
        })
}

/// The `ExecCredential` that tells the plugin what is wanted.
fn request(exec: &ExecConfig, cluster: &Cluster, interactive: bool) -> Result<String, Error> {
    let mut spec = json!({"interactive": interactive});
    if exec.provide_cluster_info {
        let cluster = ExecAuthCluster::try_from(cluster);
        let cluster = cluster.map_err(|error| Error::usage("the kubeconfig's cluster can't be used").because(error))?;
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let version = exec.api_version.as_deref().unwrap_or(API_VERSION);
    Ok(json!({"apiVersion": version, "kind": "ExecCredential", "spec": spec}).to_string())
}

fn not_run(exec: &ExecConfig, command: &str, error: &RunError) -> Error {
    match error {
        RunError::NotFound(_) => {
            let error = Error::usage(format!("the credential plugin `{command}` of the kubeconfig was not found"));
            match exec.install_hint.as_deref().map(foreign).filter(|hint| !hint.is_empty()) {
                Some(hint) => error.hint(hint),
                None => error.hint(format!("install `{command}` or put its folder on PATH")),
            }
        }
        RunError::Deadline { .. } => Error::unreachable(format!("the credential plugin `{command}` did not come back"))
            .because(error)
            .hint(format!("run it by hand, it may wait for a login: `{}`", typed(exec, command))),
        error => Error::unreachable(format!("the credential plugin `{command}` failed")).caused_by(error),
    }
}

/// The command as a person would type it.
fn typed(exec: &ExecConfig, command: &str) -> String {
    let mut line = command.to_owned();
    for argument in exec.args.iter().flatten() {
        line.push(' ');
        line.push_str(argument);
    }
    foreign(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(exec: Value) -> Result<AuthInfo, Error> {
        let path = BTreeMap::from([(OsString::from("PATH"), OsString::from("/usr/bin:/bin"))]);
        let user = AuthInfo::deserialize(json!({"exec": exec})).unwrap();
        resolve(user, &Cluster::default(), &path).await
    }

    #[tokio::test]
    async fn a_token_takes_the_plugins_place() {
        let script = r#"printf '{"kind":"ExecCredential","status":{"token":"%s-%s"}}' "$X" "$(echo "$KUBERNETES_EXEC_INFO" | grep -c interactive.:false)""#;
        let user = resolved(json!({"command": "sh", "args": ["-c", script], "env": [{"name": "X", "value": "t"}]}))
            .await
            .unwrap();
        assert!(user.exec.is_none());
        assert_eq!(serde_json::to_value(&user).unwrap()["token"], "t-1");
    }

    #[tokio::test]
    async fn a_client_certificate_is_handed_on_in_base64() {
        let script = r#"printf '{"status":{"clientCertificateData":"PEM","clientKeyData":"KEY"}}'"#;
        let user = resolved(json!({"command": "sh", "args": ["-c", script]})).await.unwrap();
        let user = serde_json::to_value(&user).unwrap();
        assert_eq!((&user["client-certificate-data"], &user["client-key-data"]), (&json!("UEVN"), &json!("S0VZ")));
    }

    #[tokio::test]
    async fn a_missing_plugin_says_how_to_install_it() {
        let error =
            resolved(json!({"command": "no-such-plugin", "installHint": "brew install it"})).await.err().unwrap();
        assert_eq!(error.message, "the credential plugin `no-such-plugin` of the kubeconfig was not found");
        assert_eq!(error.hints, ["brew install it"]);
    }

    #[tokio::test]
    async fn what_a_failing_plugin_printed_is_never_shown_but_its_complaint_is() {
        let script = "echo '{\"token\":\"hunter2hunter2\"}'; echo session expired >&2; exit 3";
        let error = resolved(json!({"command": "sh", "args": ["-c", script]})).await.err().unwrap();
        assert_eq!(error.message, "the credential plugin `sh` failed with exit code 3");
        assert_eq!(error.causes, ["session expired"]);
    }

    #[tokio::test]
    async fn a_removed_auth_provider_is_refused() {
        let user =
            AuthInfo::deserialize(json!({"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/false"}}}));
        let error = resolve(user.unwrap(), &Cluster::default(), &BTreeMap::new()).await.err().unwrap();
        assert!(error.message.contains("auth provider gcp"), "{error}");
    }
}
