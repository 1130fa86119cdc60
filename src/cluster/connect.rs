//! From a kubeconfig to a client.

use super::client::Api;
use super::failure::foreign;
use super::{Cluster, Options, credential, direct, kubeconfig, proxy};
use crate::error::Error;
use crate::model::snapshot::Scope;
use k8s_openapi::ByteString;
use kube::Config;
use kube::config::{AuthInfo, Cluster as Entry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::Value;
use std::ffi::OsString;
use std::time::Duration;

/// Makes a client; sends no request. A credential plugin is run, once.
///
/// # Errors
/// When there is no usable kubeconfig, context or credential.
pub async fn connect(options: &Options) -> Result<Cluster, Error> {
    // kube needs one provider for the process; a second call only says that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if options.as_user.is_none() && !options.as_groups.is_empty() {
        return Err(Error::usage("`--as-group` needs `--as`").hint("name the user too: `--as USER --as-group GROUP`"));
    }
    let found = kubeconfig::read(&options.kubeconfig)?;
    let (context, mut config) = match found {
        Some(found) => configured(options, kubeconfig::choose(found, options.context.as_deref())?).await?,
        None => (IN_CLUSTER.to_owned(), in_cluster(options)?),
    };
    if let Some(user) = &options.as_user {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_groups = Some(options.as_groups.clone());
        config.auth_info.impersonate_uid = None;
        config.auth_info.impersonate_user_extra = None;
    }
    // Retries are ours: they must stay within the deadline and be counted.
    config.default_retry = false;
    config.connect_timeout = Some(options.request_timeout);
    config.write_timeout = Some(options.request_timeout);
    // Who reads the audit log of the cluster should see who asked.
    let name = http::HeaderValue::from_static(concat!("aifix/", env!("CARGO_PKG_VERSION")));
    config.headers.push((http::header::USER_AGENT, name));
    let scope = scope(options, &config.default_namespace)?;
    let (server, notices) = (shown(&config), notices(&config));
    let client = match &config.proxy_url {
        Some(_) => kube::Client::try_from(config).map_err(Into::into),
        None => direct::client(&config),
    };
    let client = client.map_err(|error| {
        Error::usage(format!("the credentials of context {context} can't be used"))
            .because(foreign(&chain(error.as_ref())))
    })?;
    Ok(Cluster {
        api: Api::new(client, options.request_timeout.max(Duration::from_millis(1))),
        context,
        server,
        scope,
        notices,
        read_secret_keys: options.read_secret_keys,
        served: std::sync::OnceLock::new(),
    })
}

/// What the cluster that a pod runs in is called, where no kubeconfig names a context.
const IN_CLUSTER: &str = "in-cluster";

/// Inside a pod without a kubeconfig the service account is used, as kubectl does. Records name the context so.
fn in_cluster(options: &Options) -> Result<Config, Error> {
    let in_pod = options.environment.contains_key(&OsString::from("KUBERNETES_SERVICE_HOST"));
    let is_meant = options.context.as_ref().is_none_or(|context| context == IN_CLUSTER);
    if let (true, true, Ok(config)) = (is_meant, in_pod, Config::incluster()) {
        return Ok(config);
    }
    let looked: Vec<String> = options.kubeconfig.iter().map(|path| path.display().to_string()).collect();
    let error = match looked.as_slice() {
        [] => Error::usage("there is no kubeconfig"),
        looked => Error::usage(format!("there is no kubeconfig at {}", looked.join(" or "))),
    };
    Err(error.hint("name one with `--kubeconfig FILE` or KUBECONFIG, or read a saved snapshot with `--from FILE`"))
}

async fn configured(options: &Options, chosen: kubeconfig::Chosen) -> Result<(String, Config), Error> {
    let kubeconfig::Chosen { context, namespace, cluster, user } = chosen;
    let server = cluster.server.as_deref().filter(|server| !server.is_empty());
    let Some(server) = server else {
        return Err(Error::usage(format!("the cluster of context {context} has no server")));
    };
    let server = if server.contains("://") { server.to_owned() } else { format!("https://{server}") };
    let no_server = || Error::usage(format!("`server` of the cluster of context {context} is no address"));
    let url: http::Uri = server.parse().map_err(|_| no_server())?;
    if url.host().is_none() || !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(no_server());
    }
    let mut config = Config::new(url);
    config.proxy_url = proxy::choose(cluster.proxy_url.as_deref(), &config.cluster_url, &options.environment)?;
    config.root_cert = authorities(&cluster)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    config.auth_info = credential::resolve(without_blanks(user), &cluster, &options.environment).await?;
    if let Some(namespace) = namespace {
        config.default_namespace = namespace;
    }
    Ok((context, config))
}

/// Tools write empty strings for what is not set; kube would take them for values.
fn without_blanks(user: AuthInfo) -> AuthInfo {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&user) else { return user };
    fields.retain(|_, value| value.as_str() != Some(""));
    let exec = user.exec.clone();
    AuthInfo::deserialize(Value::Object(fields)).map_or(user, |cleaned| AuthInfo { exec, ..cleaned })
}

/// The certificates that the server is checked with; `None` means those of the system.
fn authorities(cluster: &Entry) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let data = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty());
    let file = cluster.certificate_authority.as_deref().filter(|file| !file.is_empty());
    let pem = match (data, file) {
        (Some(data), _) => {
            let decoded = ByteString::deserialize(Value::String(data.to_owned()));
            decoded.map_err(|_| Error::usage("`certificate-authority-data` of the kubeconfig is no base64"))?.0
        }
        (None, Some(file)) => crate::doors::files::read(file.as_ref()).map_err(|error| {
            Error::usage(format!("the kubeconfig's certificate authority {file} can't be read")).because(error)
        })?,
        (None, None) => return Ok(None),
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(Some(found.into_iter().map(|one| one.to_vec()).collect())),
        _ => Err(Error::usage("the kubeconfig's certificate authority holds no certificate")),
    }
}

/// The scope of these options, from flags and kubeconfig alone; `default` where there is none.
pub(super) fn scope_of(options: &Options) -> Result<Scope, Error> {
    let own = match kubeconfig::read(&options.kubeconfig)? {
        Some(found) => kubeconfig::choose(found, options.context.as_deref())?.namespace,
        None if options.context.is_some() => Some(in_cluster(options)?.default_namespace),
        None => in_cluster(options).ok().map(|config| config.default_namespace),
    };
    scope(options, own.as_deref().unwrap_or("default"))
}

fn scope(options: &Options, default: &str) -> Result<Scope, Error> {
    if options.all_namespaces {
        return Ok(Scope::All);
    }
    let asked: &[String] = if options.namespaces.is_empty() { &[default.to_owned()] } else { &options.namespaces };
    let mut names: Vec<String> = Vec::new();
    for name in asked {
        // RFC 1123 label, as the API server checks it.
        let is_label = !name.is_empty()
            && name.len() <= 63
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if !is_label {
            return Err(Error::usage(format!("{name:?} can't be the name of a namespace"))
                .hint("names have lower-case letters, digits and `-`; `-A` reads all namespaces"));
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(Scope::Namespaces(names))
}

/// Host and port; never the credentials that an address may hold.
fn shown(config: &Config) -> String {
    let host = config.cluster_url.host().unwrap_or_default();
    config.cluster_url.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn notices(config: &Config) -> Vec<String> {
    let server = shown(config);
    let mut notices = Vec::new();
    if config.accept_invalid_certs {
        notices.push(format!("TLS verification is off for {server}: anyone on the way can read your credentials"));
    }
    let host = config.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if config.cluster_url.scheme_str() == Some("http") && !is_local {
        notices.push(format!("the connection to {server} is not encrypted: anyone on the way can read it"));
    }
    notices
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.dedup();
    texts.join(": ")
}
