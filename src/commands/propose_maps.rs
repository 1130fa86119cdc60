//! ConfigMaps whose values Flux fills in and Git does not have.

use super::propose_schema::Fields;
use crate::error::Kind;
use crate::model::object::ObjectRef;
use crate::render::{Filled, MapName};
use crate::source::{Maps, Reading};

impl Fields<'_> {
    async fn fetch_map(&self, (namespace, name): &MapName) -> Result<Filled, String> {
        let cluster = self.cluster.ok_or("there is no cluster to ask")?;
        match cluster.get(&ObjectRef::new("v1", "ConfigMap", namespace, name)).await {
            Ok(map) => Ok(Filled::of(&map)),
            Err(error) if error.kind == Kind::Usage => Ok(Filled::Missing),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Each is read once, when a render needs it.
impl Maps for Fields<'_> {
    fn read<'d>(&'d self, map: &'d MapName) -> Reading<'d> {
        Box::pin(async move {
            let mut known = self.maps.lock().await;
            if let Some(read) = known.get(map) {
                return read.clone();
            }
            let read = self.fetch_map(map).await;
            known.insert(map.clone(), read.clone());
            read
        })
    }
}
