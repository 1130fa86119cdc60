//! What the API server would say of an object.

use super::Cluster;
use super::client::Count;
use super::failure::Failure;
use super::kinds::{self, collection, escape};
use crate::error::Error;
use crate::model::object::ObjectRef;
use serde_json::Value;

impl Cluster {
    /// Has an object defaulted, admitted and validated as if `manager` applied it; nothing is stored.
    /// `Some`: what the API server says against it.
    /// <https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run>
    ///
    /// # Errors
    /// When the right to patch is missing, or the cluster does not answer.
    pub async fn dry_run(&self, object: &ObjectRef, whole: &Value, manager: &str) -> Result<Option<String>, Error> {
        self.api.hope();
        let plural = match kinds::of_kind(&object.group, &object.kind) {
            Some(row) => row.plural.to_owned(),
            None => self.plural(object).await?,
        };
        let path = collection(&object.api_version(), object.namespace.as_deref(), &plural);
        let path = format!("{path}/{}", escape(&object.name));
        match self.api.dry_apply(&path, &escape(manager), whole, Count::Get).await {
            Ok(()) => Ok(None),
            // An authorizer says who cannot do what; admission says what it has against the object.
            Err(Failure::Answer { code: 403, message }) if message.contains("cannot patch resource") => {
                Err(Error::unreachable(format!("{} may not be tried", object.qualified()))
                    .because(message)
                    .hint(format!("ask for the right `patch` on {plural}, or leave --server-dry-run away")))
            }
            Err(Failure::Answer { code: 400 | 403 | 409 | 422, message }) => Ok(Some(message)),
            Err(failure) => Err(self.not_got(object, &failure)),
        }
    }
}
