//! Which proxy, if any, stands before the API server.

use crate::error::Error;
use http::Uri;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;

/// The proxy for this server: the kubeconfig's `proxy-url`, else the environment's, unless `NO_PROXY` names the server.
///
/// kube compares `NO_PROXY` with the proxy's address instead of the server's.
/// The rules are those of Go, which kubectl follows: <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>.
///
/// # Errors
/// When the proxy's address is none.
pub(super) fn choose(
    explicit: Option<&str>,
    server: &Uri,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Option<Uri>, Error> {
    if let Some(explicit) = explicit.filter(|url| !url.is_empty()) {
        return address(explicit, "proxy-url of the kubeconfig").map(Some);
    }
    let variable = |name: &str| {
        let lower = name.to_lowercase();
        [name, &lower].into_iter().find_map(|name| {
            let value = environment.get(&OsString::from(name))?.to_str()?.trim();
            (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        })
    };
    let name = if server.scheme_str() == Some("http") { "HTTP_PROXY" } else { "HTTPS_PROXY" };
    let Some((name, proxy)) = variable(name) else { return Ok(None) };
    let except = variable("NO_PROXY").map(|(_, value)| value).unwrap_or_default();
    if excepted(server, &except) { Ok(None) } else { address(&proxy, &name).map(Some) }
}

/// NOTE: the address may hold a password, so it is never shown.
fn address(text: &str, origin: &str) -> Result<Uri, Error> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let text = text.replacen("socks5h://", "socks5://", 1);
    let uri: Option<Uri> = text.parse().ok();
    match uri.filter(|uri| uri.host().is_some()) {
        Some(uri) if matches!(uri.scheme_str(), Some("http" | "https" | "socks5")) => Ok(uri),
        _ => Err(Error::usage(format!("{origin} is no address of a proxy"))
            .hint("write it as `http://host:port`, `https://host:port` or `socks5://host:port`")),
    }
}

fn excepted(server: &Uri, except: &str) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    except.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return ip.is_some_and(|ip| within(ip, network, bits));
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => (name, port.parse().ok()),
            _ => (entry.as_str(), None),
        };
        let same_port = port.is_none_or(|port: u16| server.port_u16().unwrap_or(443) == port);
        let name = name.trim_start_matches('*');
        let bare = name.trim_start_matches('.');
        // `.example.org` names what is below it, `example.org` also itself.
        same_port && (host.ends_with(&format!(".{bare}")) || (host == bare && !name.starts_with('.')))
    })
}

fn within(ip: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let (ip, network, width) = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => (u128::from(u32::from(ip)), u128::from(u32::from(network)), 32),
        (IpAddr::V6(ip), IpAddr::V6(network)) => (u128::from(ip), u128::from(network), 128),
        _ => return false,
    };
    bits <= width && ip.checked_shr(width - bits).unwrap_or(0) == network.checked_shr(width - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, except: &str) -> Option<String> {
        let environment = [("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", except)];
        let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value))).into();
        choose(None, &server.parse().unwrap(), &environment).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn the_environments_proxy_is_used_unless_the_server_is_excepted() {
        let proxy = Some("http://proxy:3128/".to_owned());
        assert_eq!(chosen("https://k8s.example.org:6443", ""), proxy);
        for except in
            ["*", "example.org", ".example.org", "k8s.example.org:6443", "a, k8s.example.org", "*.example.org"]
        {
            assert_eq!(chosen("https://k8s.example.org:6443", except), None, "{except}");
        }
        for except in ["ample.org", "k8s.example.org:443", "10.0.0.0/8", ".k8s.example.org"] {
            assert_eq!(chosen("https://k8s.example.org:6443", except), proxy, "{except}");
        }
        assert_eq!(chosen("https://10.1.2.3:6443", "10.0.0.0/8"), None);
        assert_eq!(chosen("https://11.1.2.3:6443", "10.0.0.0/8,0.0.0.0/33"), proxy);
        assert_eq!(chosen("https://127.0.0.1:6443", ""), None);
        assert_eq!(chosen("https://[::1]:6443", ""), None);
    }

    #[test]
    fn the_kubeconfigs_proxy_goes_before_the_environments() {
        let server = "https://k8s.example.org".parse().unwrap();
        let chosen = choose(Some("socks5h://localhost:1080"), &server, &BTreeMap::new()).unwrap();
        assert_eq!(chosen.unwrap().to_string(), "socks5://localhost:1080/");
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_without_showing_its_password() {
        let server = "https://k8s.example.org".parse().unwrap();
        let error = choose(Some("ftp://me:hunter2@x"), &server, &BTreeMap::new()).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
