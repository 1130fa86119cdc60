//! The client for a server that is reached without a proxy.

use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::Config;
use kube::client::{Body, ConfigExt};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

type Connector = HttpsConnector<HttpConnector>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Later<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Bytes of one part of an answer at most: fewer and larger ones cost both ends less.
const FRAME: u32 = 1 << 20;

/// What kube makes of the same configuration, but for three things. All requests share one connection where the
/// server speaks HTTP/2. Nagle's algorithm is off: with it the first request on a connection waits until the server
/// has acknowledged the end of the handshake. Packed answers are left packed.
pub(super) fn client(config: &Config) -> Result<kube::Client, BoxError> {
    let connector = connector(config)?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(Sender { connector, packs: !config.disable_compression, client: Arc::default() });
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

/// Sends requests; the first connection tells which protocol the server speaks.
#[derive(Clone)]
struct Sender {
    connector: Connector,
    /// Whether answers may come packed.
    packs: bool,
    client: Arc<OnceCell<Client<Begun, Body>>>,
}

impl Sender {
    async fn open(&self, to: Uri) -> Result<Client<Begun, Body>, BoxError> {
        let first = self.connector.clone().oneshot(to).await?;
        // The pool lets requests wait for a connection under way only when it was told that it will be HTTP/2.
        let shared = first.connected().is_negotiated_h2();
        let begun = Begun { first: Arc::new(Mutex::new(Some(first))), connector: self.connector.clone() };
        Ok(Client::builder(TokioExecutor::new()).http2_only(shared).http2_max_frame_size(FRAME).build(begun))
    }
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
            let client = sender.client.get_or_try_init(|| sender.open(to)).await?;
            if sender.packs {
                request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Ok(client.request(request).await?)
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
    use super::{Sender, connector};
    use http::Request;
    use kube::Config;
    use kube::client::Body;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use tower::Service;

    /// The headers that a server sees.
    async fn headers(packs: bool) -> Vec<String> {
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
        let mut sender = Sender { connector, packs, client: Arc::default() };
        sender.call(Request::get(to).body(Body::empty()).unwrap()).await.unwrap();
        answering.join().unwrap()
    }

    #[tokio::test]
    async fn answers_come_packed_unless_the_kubeconfig_disables_compression() {
        let asks = async |packs| headers(packs).await.contains(&"accept-encoding: gzip".to_owned());
        assert!(asks(true).await);
        assert!(!asks(false).await);
    }
}
