//! The client for a server that is reached without a proxy.

use http::header::ACCEPT_ENCODING;
use http::{Extensions, HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector, HttpInfo};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::Config;
use kube::client::{Body, ConfigExt};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

type Connector = HttpsConnector<HttpConnector>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Later<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// A server on this machine shakes hands within this; one at the other end of a tunnel rarely does.
const NEAR: Duration = Duration::from_millis(20);
/// Bytes of one part of an answer at most: fewer and larger ones cost both ends less.
const FRAME: u32 = 1 << 20;

/// What kube makes of the same configuration, but for four things. All requests share one connection where the
/// server speaks HTTP/2. Nagle's algorithm is off: with it the first request on a connection waits until the server
/// has acknowledged the end of the handshake. Packed answers are left packed. A server on this machine is not asked
/// to pack them: that costs its processors, which are ours, more than the way costs.
pub(super) fn client(config: &Config) -> Result<kube::Client, BoxError> {
    let connector = connector(config)?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(Sender { connector, packs: !config.disable_compression, opened: Arc::default() });
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

fn connector(config: &Config) -> Result<Connector, BoxError> {
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_nodelay(true);
    let mut tls = HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    if let Some(name) = &config.tls_server_name {
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name.clone().try_into()?));
    }
    Ok(tls.enable_all_versions().wrap_connector(plain))
}

/// Sends requests; the first connection tells which protocol the server speaks, and how near it is.
#[derive(Clone)]
struct Sender {
    connector: Connector,
    /// Whether answers may come packed.
    packs: bool,
    opened: Arc<OnceCell<Opened>>,
}

/// What the first connection told.
struct Opened {
    client: Client<Begun, Body>,
    is_near: bool,
}

impl Sender {
    async fn open(&self, to: Uri) -> Result<Opened, BoxError> {
        let began = Instant::now();
        let first = self.connector.clone().oneshot(to).await?;
        let connected = first.connected();
        let is_near = is_near(remote(&connected), began.elapsed());
        // The pool lets requests wait for a connection under way only when it was told that it will be HTTP/2.
        let shared = connected.is_negotiated_h2();
        let begun = Begun { first: Arc::new(Mutex::new(Some(first))), connector: self.connector.clone() };
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder.http2_only(shared).http2_max_frame_size(FRAME).build(begun);
        Ok(Opened { client, is_near })
    }
}

/// The address at the other end.
fn remote(connected: &Connected) -> Option<IpAddr> {
    let mut told = Extensions::new();
    connected.get_extras(&mut told);
    told.get::<HttpInfo>().map(|ends| ends.remote_addr().ip())
}

/// Whether the server is on this machine, as that of kind or minikube is, by its address and by how long the first
/// connection took.
fn is_near(remote: Option<IpAddr>, took: Duration) -> bool {
    took < NEAR && remote.is_some_and(|address| address.is_loopback())
}

impl Service<Request<Body>> for Sender {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Later<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (sender, to) = (self.clone(), request.uri().clone());
        Box::pin(async move {
            let opened = sender.opened.get_or_try_init(|| sender.open(to)).await?;
            if sender.packs && !opened.is_near {
                request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Ok(opened.client.request(request).await?)
        })
    }
}

/// A connector whose first connection is there already.
#[derive(Clone)]
struct Begun {
    first: Arc<Mutex<Option<Stream>>>,
    connector: Connector,
}

impl Service<Uri> for Begun {
    type Response = Stream;
    type Error = BoxError;
    type Future = Later<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let connector = self.connector.clone();
        Box::pin(async move {
            match first {
                Some(stream) => Ok(stream),
                None => connector.oneshot(to).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, Connection as _, NEAR, Opened, Sender, connector, is_near, remote};
    use http::Request;
    use hyper_util::rt::TokioExecutor;
    use kube::Config;
    use kube::client::Body;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tower::{Service, ServiceExt};

    /// The headers that a server sees, and the address that we see.
    async fn headers(packs: bool, near: bool) -> Vec<String> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let to: http::Uri = format!("http://{}/", server.local_addr().unwrap()).parse().unwrap();
        let answering = std::thread::spawn(move || {
            let (stream, _) = server.accept().unwrap();
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let seen: Vec<String> = lines.map(|line| line.to_lowercase()).collect();
            (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            seen
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connector = connector(&Config::new(to.clone())).unwrap();
        let first = connector.clone().oneshot(to.clone()).await.unwrap();
        assert!(remote(&first.connected()).is_some_and(|address| address.is_loopback()));
        let begun = super::Begun { first: Arc::new(Mutex::new(Some(first))), connector: connector.clone() };
        let opened = Opened { client: Client::builder(TokioExecutor::new()).build(begun), is_near: near };
        let mut sender = Sender { connector, packs, opened: Arc::new(opened.into()) };
        sender.call(Request::get(to).body(Body::empty()).unwrap()).await.unwrap();
        answering.join().unwrap()
    }

    #[tokio::test]
    async fn only_a_server_that_is_far_is_asked_to_pack() {
        let asks = async |packs, near| headers(packs, near).await.contains(&"accept-encoding: gzip".to_owned());
        assert!(asks(true, false).await);
        assert!(!asks(true, true).await);
        assert!(!asks(false, false).await, "the kubeconfig says disable-compression");
    }

    #[test]
    fn only_a_quick_server_on_this_machine_is_near() {
        let quick = Duration::from_millis(4);
        for (address, took, near) in [
            ("127.0.0.1", quick, true),
            ("::1", quick, true),
            // The way into a tunnel.
            ("127.0.0.1", NEAR, false),
            ("10.0.0.1", quick, false),
        ] {
            assert_eq!(is_near(address.parse().ok(), took), near, "{address} after {took:?}");
        }
        assert!(!is_near(None, quick));
    }
}
