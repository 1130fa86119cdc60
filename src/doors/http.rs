//! HTTP requests: bounded, no redirects, proxies as told.

use super::http_date;
use crate::error::Error;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, NoProxy, Proxy};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

pub use reqwest::{Method, Url};

/// Bytes of an answer that are read at most, after decompression.
pub const ANSWER_LIMIT: usize = 1 << 20;

/// How a client is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are read from here and nowhere else, the upper-case
    /// name first.
    pub environment: BTreeMap<OsString, OsString>,
    /// Certificates in PEM that are trusted besides those of the system.
    pub authorities: Option<Vec<u8>>,
}

/// An answer with a status of 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why a request brought nothing. No text in it holds a URL: paths and queries can be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection: refused, no such name, no route.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before the answer did.
    #[error("{0}")]
    Broken(String),
    #[error("no whole answer within {}", seconds(*.0))]
    Timeout(Duration),
    /// The certificate or the handshake.
    #[error("{0}")]
    Tls(String),
    /// 407: the proxy lets nobody through without a name and a password.
    #[error("the proxy asks for a name and a password (407)")]
    Proxy,
    /// Another status than 2xx; a redirect too, for it is never followed. `elsewhere` is `host:port` of
    /// the place that a redirect names.
    #[error("it answered {code}")]
    Status { code: u16, retry_after: Option<Duration>, elsewhere: Option<String>, body: Vec<u8> },
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct Http(reqwest::Client);

impl Http {
    /// Makes a client; sends nothing.
    ///
    /// # Errors
    /// When the proxy's address or the certificates can't be used.
    pub fn new(options: &Options) -> Result<Self, Error> {
        // reqwest is built without a TLS provider of its own; a second call only says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = options.authorities.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let beside = Self::builder(options)?.tls_certs_merge(own.clone()).build();
        // A container may have no authorities at all: then only those count that were named.
        let made = beside.or_else(|failed| match Self::builder(options) {
            Ok(builder) => builder.tls_certs_only(own).build(),
            Err(_) => Err(failed),
        });
        made.map(Self).map_err(|error| Error::bug("no HTTP client can be made").caused_by(&error.without_url()))
    }

    fn builder(options: &Options) -> Result<ClientBuilder, Error> {
        let mut builder = ClientBuilder::new()
            .user_agent(concat!("aifix/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key and the body to a host that nobody agreed to.
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy();
        for proxy in proxies(&options.environment)? {
            builder = builder.proxy(proxy);
        }
        Ok(builder)
    }

    /// Sends `body` as JSON and reads the whole answer, both within `deadline`. Headers are name and
    /// value; values are marked sensitive and so are never printed.
    ///
    /// # Errors
    /// For every outcome but a whole answer with a status of 2xx.
    pub async fn post_json(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        deadline: Duration,
    ) -> Result<Answer, HttpError> {
        self.send(Method::POST, url, headers, Some(body), ANSWER_LIMIT, deadline).await
    }

    /// Sends a request, with a body of JSON or none, and reads at most `limit` bytes of the answer, all within
    /// `deadline`. Headers are as for [`Http::post_json`].
    ///
    /// # Errors
    /// For every outcome but a whole answer with a status of 2xx.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Option<Vec<u8>>,
        limit: usize,
        deadline: Duration,
    ) -> Result<Answer, HttpError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| HttpError::Unreachable(format!("the value of header {name} can't be sent")))?;
            value.set_sensitive(true);
            map.insert(HeaderName::from_static(name), value);
        }
        let mut request = self.0.request(method, url.clone());
        if let Some(body) = body {
            map.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(body);
        }
        let request = request.headers(map);
        tokio::time::timeout(deadline, finish(request, limit)).await.unwrap_or(Err(HttpError::Timeout(deadline)))
    }
}

async fn finish(request: reqwest::RequestBuilder, limit: usize) -> Result<Answer, HttpError> {
    let mut response = request.send().await.map_err(lost)?;
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let elsewhere = elsewhere(response.url(), response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        Ok(Answer { status: status.as_u16(), body })
    } else {
        match status.as_u16() {
            407 => Err(HttpError::Proxy),
            code => Err(HttpError::Status { code, retry_after, elsewhere, body }),
        }
    }
}

/// Where a redirect points, as `host:port`; nothing else of its address is looked at.
fn elsewhere(asked: &Url, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(reqwest::header::LOCATION)?.to_str().ok()?;
    asked.join(location).ok().map(|url| host(&url))
}

/// Seconds, or a date, which is measured with the server's own clock: aifix trusts no local one.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let wish = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = wish.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date::parse(wish)?;
    let now = http_date::parse(headers.get(DATE)?.to_str().ok()?.trim())?;
    // A date that has passed wishes for nothing more.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

fn lost(error: reqwest::Error) -> HttpError {
    let (connect, timeout) = (error.is_connect(), error.is_timeout());
    let error = error.without_url();
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    let tls = texts
        .iter()
        .any(|text| text.contains("certificate") || text.contains("handshake") || text.contains("InvalidContentType"));
    if texts.iter().any(|text| text.contains("proxy authorization required")) {
        return HttpError::Proxy;
    }
    // The innermost reason is the one that a person can act on.
    let why = texts.pop().unwrap_or_default();
    match (tls, connect, timeout) {
        (true, ..) => HttpError::Tls(why),
        (_, true, _) => HttpError::Unreachable(why),
        (_, _, true) => HttpError::Timeout(Duration::ZERO),
        _ => HttpError::Broken(why),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    match Certificate::from_pem_bundle(pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Error::usage("the file of certificate authorities holds no certificate")
            .hint("it must hold PEM: `-----BEGIN CERTIFICATE-----`")),
    }
}

/// The environment's proxies. Loopback never goes through one, as in Go's `httpproxy`.
fn proxies(environment: &BTreeMap<OsString, OsString>) -> Result<Vec<Proxy>, Error> {
    let variable = |name: &str| {
        [name, &name.to_lowercase()].into_iter().find_map(|name| {
            let value = environment.get(&OsString::from(name))?.to_str()?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        })
    };
    let except = format!("localhost,127.0.0.0/8,::1,{}", variable("NO_PROXY").unwrap_or_default());
    let mut found = Vec::new();
    for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
        let Some(address) = variable(name) else { continue };
        let proxy = if name == "HTTP_PROXY" { Proxy::http(address) } else { Proxy::https(address) };
        // NOTE: the address may hold a password, so it is never shown.
        let proxy = proxy.map_err(|_| {
            Error::usage(format!("{name} is no address of a proxy"))
                .hint("write it as `http://host:port`, `https://host:port` or `socks5://host:port`")
        })?;
        found.push(proxy.no_proxy(NoProxy::from_string(&except)));
    }
    Ok(found)
}

/// Whether a URL names this machine: `localhost`, `127.0.0.0/8` or `::1`. Other names are not
/// looked up.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<core::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `host:port` of a URL; what messages show of it.
pub fn host(url: &Url) -> String {
    let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn this_machine_is_told_from_others_without_looking_names_up() {
        for here in ["http://localhost:1", "http://127.0.0.1", "http://127.9.9.9:1/x", "http://[::1]:8080/v1"] {
            assert!(is_loopback(&url(here)), "{here}");
        }
        for there in ["http://0.0.0.0", "https://localhost.example.org", "http://10.0.0.1", "https://127.0.0.1.nip.io"]
        {
            assert!(!is_loopback(&url(there)), "{there}");
        }
    }

    #[test]
    fn a_host_is_shown_with_its_port_and_nothing_else() {
        assert_eq!(host(&url("https://me:hunter2@llm.example.org/v1?key=abc")), "llm.example.org:443");
        assert_eq!(host(&url("http://[::1]:8080/v1")), "[::1]:8080");
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_without_showing_its_password() {
        let environment = BTreeMap::from([(OsString::from("https_proxy"), OsString::from("ftp://me:hunter2@[x"))]);
        let error = Http::new(&Options { environment, authorities: None }).unwrap_err();
        assert_eq!(error.message, "HTTPS_PROXY is no address of a proxy");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let options = Options { environment: BTreeMap::new(), authorities: Some(b"nothing".to_vec()) };
        assert!(Http::new(&options).is_err());
    }
}
