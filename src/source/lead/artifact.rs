//! Flux ArtifactGenerator: folders copied to other paths.
//!
//! Fields: <https://fluxcd.io/flux/components/source/artifactgenerators/>.

use crate::model::kube::Object;
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::render::within;
use serde_json::Value;

/// Where a folder of an artifact comes from.
pub(super) struct Origin<'s> {
    /// The GitRepository; `None` when it was not seen.
    pub(super) repository: Option<&'s Object>,
    /// `GitRepository flux-system/platform`.
    pub(super) name: String,
    /// Folders of it that may be the one, the likeliest first.
    pub(super) paths: Vec<String>,
}

/// Follows a path of an ExternalArtifact to the GitRepository that it is copied from; `None` when what made the
/// artifact was not seen.
///
/// # Errors
/// `remote-source` when the folder is put together, or comes from what is no GitRepository.
pub(super) fn origin<'s>(snapshot: &'s Snapshot, artifact: &Object, path: &str) -> Result<Option<Origin<'s>>, Refusal> {
    let maker = |field: &str| artifact.text(&format!("/spec/sourceRef/{field}"));
    let namespace = or(maker("namespace"), &artifact.metadata.namespace);
    let generator = snapshot.find("ArtifactGenerator", namespace, maker("name"));
    let Some(generator) = generator.filter(|_| maker("kind") == "ArtifactGenerator") else { return Ok(None) };
    let refuse = |why: String| {
        let text = format!("{} {why}", generator.object().qualified());
        Refusal::new("remote-source", text, "name the folder that it is copied from: --path DIR")
    };
    let list = |of: &'s Value, field: &str| of[field].as_array().into_iter().flatten();
    let Some(spec) = generator.at("/spec") else { return Ok(None) };
    let Some(made) = list(spec, "artifacts").find(|made| made["name"] == artifact.metadata.name.as_str()) else {
        return Ok(None);
    };
    let wanted = within("", path);
    let copies: Vec<(&str, Copied)> =
        list(made, "copy").filter_map(|copy| Copied::of(copy)).filter(|(_, copied)| copied.reaches(&wanted)).collect();
    let [(alias, copied)] = copies.as_slice() else {
        let why = if copies.is_empty() { "copies nothing to" } else { "puts together" };
        return Err(refuse(format!("{why} the folder `{wanted}` of its artifact {}", artifact.metadata.name)));
    };
    let paths = copied.origins(&wanted);
    if paths.is_empty() {
        return Err(refuse(format!("copies parts of `{}` to the folder `{wanted}` of its artifact", copied.from)));
    }
    let source = list(spec, "sources").find(|source| source["alias"] == *alias).unwrap_or(&Value::Null);
    let text = |field: &str| source[field].as_str().unwrap_or_default();
    let namespace = or(text("namespace"), &generator.metadata.namespace);
    let name = format!("{} {namespace}/{}", text("kind"), text("name"));
    if text("kind") != "GitRepository" {
        return Err(refuse(format!("copies the folder `{wanted}` from {name}, not from Git")));
    }
    Ok(Some(Origin { repository: snapshot.find("GitRepository", namespace, text("name")), name, paths }))
}

fn or<'t>(text: &'t str, default: &'t str) -> &'t str {
    if text.is_empty() { default } else { text }
}

/// One copy, of a source without its alias.
struct Copied {
    from: String,
    to: String,
    /// `dir/**`: what is in the folder, not the folder itself.
    content: bool,
    /// Only some files of it.
    part: bool,
}

impl Copied {
    fn of(copy: &Value) -> Option<(&str, Self)> {
        let (alias, from) = copy["from"].as_str()?.strip_prefix('@')?.split_once('/')?;
        let to = copy["to"].as_str()?.strip_prefix("@artifact")?.trim_matches('/').to_owned();
        let content = from == "**" || from.ends_with("/**");
        let from = from.strip_suffix("**").unwrap_or(from).trim_matches('/').to_owned();
        let part =
            from.contains(['*', '?', '[']) || !copy["exclude"].is_null() && copy["exclude"] != Value::Array(vec![]);
        Some((alias, Self { from, to, content, part }))
    }

    /// Whether it writes into a folder of the artifact.
    fn reaches(&self, folder: &str) -> bool {
        below(&self.to, folder).is_some() || below(folder, &self.to).is_some()
    }

    /// The folders that one of the artifact may be a copy of.
    fn origins(&self, folder: &str) -> Vec<String> {
        if self.part {
            return Vec::new();
        }
        let name = self.from.rsplit('/').next().unwrap_or_default();
        let own = within(&self.to, name);
        // As `cp -r` does: the folder itself goes into one that is there, and becomes one that is not.
        let places = if self.content { vec![self.to.as_str()] } else { vec![own.as_str(), self.to.as_str()] };
        places.into_iter().filter_map(|to| Some(within(&self.from, below(folder, to)?))).collect()
    }
}

/// The rest of a path inside a folder; `""` for the folder itself.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() || path == folder {
        return Some(path.strip_prefix(folder).unwrap_or_default());
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_folder_of_an_artifact_is_followed_to_where_it_is_copied_from() {
        for (from, to, wanted, origins) in [
            ("@git/apps/production/**", "@artifact/production/", "production", vec!["apps/production"]),
            ("@git/apps/**", "@artifact/", "production/web", vec!["apps/production/web"]),
            ("@git/**", "@artifact/", "production", vec!["production"]),
            (
                "@git/apps/production/",
                "@artifact/",
                "production",
                vec!["apps/production", "apps/production/production"],
            ),
            ("@git/apps/production", "@artifact/prod", "prod", vec!["apps/production"]),
            ("@git/apps/*.yaml", "@artifact/", "production", vec![]),
        ] {
            let copy = json!({"from": from, "to": to});
            let (alias, copied) = Copied::of(&copy).unwrap();
            assert_eq!(
                (alias, copied.origins(wanted)),
                ("git", origins.iter().map(|o| (*o).to_owned()).collect()),
                "{from}"
            );
        }
        let copy = json!({"from": "@git/apps/**", "to": "@artifact/a/"});
        let (_, copied) = Copied::of(&copy).unwrap();
        assert_eq!(["a", "", "a/b", "b", "ab"].map(|folder| copied.reaches(folder)), [true, true, true, false, false]);
    }
}
