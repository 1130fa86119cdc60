//! What a proof asks the cluster: the fields of kinds.

use super::Session;
use super::look::Seen;
use crate::cluster::{Cluster, Document, Documents};
use crate::doors::files;
use crate::model::object::ObjectRef;
use crate::render::{Filled, MapName};
use crate::schema::{Describe, Described, OpenApi};
use crate::settings::resolve;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// Bytes of a document that is kept.
const LIMIT: u64 = 16 << 20;
/// Documents that are kept; then the folder is emptied.
const KEPT: usize = 64;

/// Asks the cluster, each document once; what came is kept on disk under its hash. It reads ConfigMaps, too.
pub(super) struct Fields<'c> {
    pub(super) cluster: Option<&'c Cluster>,
    /// ConfigMaps that were read; nothing of them is kept.
    pub(super) maps: Mutex<BTreeMap<MapName, Result<Filled, String>>>,
    folder: Option<PathBuf>,
    index: OnceCell<Result<Documents, String>>,
    known: Mutex<BTreeMap<String, Result<Arc<OpenApi>, String>>>,
}

impl<'c> Fields<'c> {
    pub(super) fn of(seen: &'c Seen, session: &Session) -> Self {
        let folder = resolve::cache_folder(&session.environment).ok().map(|folder| folder.join("openapi"));
        Self {
            cluster: seen.cluster.as_ref(),
            folder,
            index: OnceCell::new(),
            known: Mutex::default(),
            maps: Mutex::default(),
        }
    }

    async fn fetch(&self, api_version: &str) -> Result<Arc<OpenApi>, String> {
        let cluster = self.cluster.ok_or("there is no cluster to ask")?;
        let index = self.index.get_or_init(|| cluster.documents()).await.as_ref().map_err(Clone::clone)?;
        let document = index.of(api_version).ok_or_else(|| format!("the cluster has no document of {api_version}"))?;
        let file = self.folder.as_ref().map(|folder| folder.join(name(cluster, &document)));
        let kept = file.as_ref().and_then(|file| files::read_bounded(file, LIMIT).ok());
        if let Some(known) = kept.and_then(|bytes| OpenApi::parse(&bytes)) {
            return Ok(Arc::new(known));
        }
        let bytes = cluster.document(&document).await?;
        let parsed = OpenApi::parse(&bytes).ok_or("the cluster's document can't be read")?;
        self.keep(file, &bytes);
        Ok(Arc::new(parsed))
    }

    /// What can't be kept is asked for again.
    fn keep(&self, file: Option<PathBuf>, bytes: &[u8]) {
        let (Some(folder), Some(file)) = (&self.folder, file) else { return };
        if bytes.len() as u64 > LIMIT || files::make_private_folder(folder).is_err() {
            return;
        }
        let there = files::list(folder).unwrap_or_default();
        if there.len() >= KEPT {
            for old in there {
                let _ = files::remove(&folder.join(old));
            }
        }
        let _ = files::write_private(&file, bytes);
    }
}

/// One server can't put a document in the place of another's.
fn name(cluster: &Cluster, document: &Document) -> String {
    let hash = Sha256::digest(format!("{}{}", cluster.server(), document.path()));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.json")
}

impl Describe for Fields<'_> {
    fn describe<'d>(&'d self, object: &'d ObjectRef) -> Described<'d> {
        Box::pin(async move {
            let version = object.api_version();
            let mut known = self.known.lock().await;
            if !known.contains_key(&version) {
                known.insert(version.clone(), self.fetch(&version).await);
            }
            known.get(&version).cloned().unwrap_or_else(|| Err("it was not asked".to_owned()))
        })
    }
}
