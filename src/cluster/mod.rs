//! The only reader of the cluster.
//!
//! It sends GET requests and nothing that is stored: lists, single objects, logs, and the resource list
//! of an API group whose kinds are not known here. Secrets are not read unless they were asked for,
//! and then only their metadata. What was not seen becomes a [`Gap`](crate::model::snapshot::Gap).

mod client;
mod concern;
mod connect;
mod credential;
mod direct;
mod dry_run;
mod failure;
pub mod files;
mod get;
mod grants;
mod kinds;
mod kubeconfig;
mod lists;
mod logs;
mod names;
mod openapi;
mod owners;
mod page;
pub mod protobuf;
mod proxy;
mod rights;
mod served;

pub use connect::connect;
pub use grants::{Grant, Reach, grants, scope};
pub use kinds::hidden_codes;
pub use names::contexts;
pub use openapi::{Document, Documents};
pub use rights::Right;
pub use served::Versions;

use crate::model::snapshot::{Requests, Scope};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// How to reach a cluster, and what to read of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// From `--kubeconfig`, else the list of KUBECONFIG, else `~/.kube/config`; in order.
    pub kubeconfig: Vec<PathBuf>,
    /// `None`: the current context.
    pub context: Option<String>,
    /// Empty: the namespace of the context, else `default`.
    pub namespaces: Vec<String>,
    /// Goes before `namespaces`.
    pub all_namespaces: bool,
    pub as_user: Option<String>,
    pub as_groups: Vec<String>,
    /// How long one request may take, its answer and retries included.
    pub request_timeout: Duration,
    /// Whether names and key names of Secrets may be listed; values never are.
    pub read_secret_keys: bool,
    /// For the credential plugin and the proxy.
    pub environment: BTreeMap<OsString, OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kubeconfig: Vec::new(),
            context: None,
            namespaces: Vec::new(),
            all_namespaces: false,
            as_user: None,
            as_groups: Vec::new(),
            request_timeout: Duration::from_secs(10),
            read_secret_keys: false,
            environment: BTreeMap::new(),
        }
    }
}

/// A cluster that can be read.
pub struct Cluster {
    api: client::Api,
    context: String,
    server: String,
    scope: Scope,
    notices: Vec<String>,
    read_secret_keys: bool,
    /// Versions of each API group, the preferred one first; not set where they were not told.
    served: OnceLock<BTreeMap<String, Vec<String>>>,
}

impl Cluster {
    /// Name of the kubeconfig context.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Which namespaces are read.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What a person must be told before anything else: TLS verification is off.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Host and port of the API server, for people.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Begins another look over the same connection, with a clock and a count of its own.
    pub fn begin(&mut self) {
        self.api.begin();
    }

    /// What was sent so far, each attempt counted.
    pub fn requests(&self) -> Requests {
        self.api.sent()
    }
}
