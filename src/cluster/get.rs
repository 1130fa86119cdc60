//! One object, fresh from the cluster.

use super::Cluster;
use super::client::{Count, JSON, METADATA};
use super::failure::{Failure, foreign, unreachable};
use super::kinds::{self, collection, escape};
use crate::error::Error;
use crate::model::object::ObjectRef;
use serde::Deserialize;
use serde_json::Value;

impl Cluster {
    /// Reads one object as it is now, in the API's shape, without `last-applied-configuration`.
    /// Of a Secret only metadata is read, and only with `--read-secret-keys`.
    ///
    /// # Errors
    /// When it is not there, may not be read, or the cluster does not answer.
    pub async fn get(&self, object: &ObjectRef) -> Result<Value, Error> {
        self.api.hope();
        let is_secret = object.group.is_empty() && object.kind == "Secret";
        if is_secret && !self.read_secret_keys {
            return Err(Error::usage(format!("{object} was not read: aifix does not read Secrets"))
                .hint("`--read-secret-keys` reads their names and key names, never their values"));
        }
        let plural = match kinds::of_kind(&object.group, &object.kind) {
            Some(row) => row.plural.to_owned(),
            None => self.plural(object).await?,
        };
        let path = collection(&object.api_version(), object.namespace.as_deref(), &plural);
        let path = format!("{path}/{}", escape(&object.name));
        let accept = if is_secret { METADATA } else { JSON };
        let bytes = self.api.read(&path, accept, Count::Get).await.map_err(|failure| self.not_got(object, &failure))?;
        let mut value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| self.not_got(object, &Failure::Garbled(foreign(&error.to_string()))))?;
        if let Some(Value::Object(annotations)) = value.pointer_mut("/metadata/annotations") {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        Ok(value)
    }

    /// The plural of a kind that is not known here, from the server's resource list.
    pub(super) async fn plural(&self, object: &ObjectRef) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Resources {
            #[serde(default)]
            resources: Vec<Resource>,
        }
        #[derive(Deserialize)]
        struct Resource {
            name: String,
            kind: String,
        }
        let root = if object.group.is_empty() { "api" } else { "apis" };
        let version: Vec<String> = object.api_version().split('/').map(escape).collect();
        let path = format!("/{root}/{}", version.join("/"));
        let bytes = self.api.read(&path, JSON, Count::List).await.map_err(|failure| self.not_got(object, &failure))?;
        let found: Resources = serde_json::from_slice(&bytes)
            .map_err(|error| self.not_got(object, &Failure::Garbled(foreign(&error.to_string()))))?;
        // `deployments/scale` is a part of a resource.
        let found = found.resources.into_iter().find(|one| one.kind == object.kind && !one.name.contains('/'));
        found.map(|resource| escape(&resource.name)).ok_or_else(|| {
            Error::usage(format!("the cluster serves no kind {} in {}", object.kind, object.api_version()))
        })
    }

    pub(super) fn not_got(&self, object: &ObjectRef, failure: &Failure) -> Error {
        let name = object.qualified();
        match failure.code() {
            Some(404) => Error::usage(format!("{name} is not in the cluster of context {}", self.context)),
            Some(403) => Error::unreachable(format!("{name} may not be read"))
                .because(failure)
                .hint(format!("ask for the right `get` on {} of group {:?}", object.kind, object.group)),
            _ => unreachable(failure, &self.context, &self.server),
        }
    }
}
