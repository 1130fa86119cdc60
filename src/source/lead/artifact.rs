//! Flux ArtifactGenerator: folders copied to other paths.
//!
//! Fields: <https://fluxcd.io/flux/components/source/artifactgenerators/>.

use crate::model::kube::Object;
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::render::within;
use crate::repo::matches;
use serde_json::Value;

/// Where a folder of an artifact comes from.
pub(super) struct Origin<'s> {
    /// The GitRepository; `None` when it was not seen.
    pub(super) repository: Option<&'s Object>,
    /// `GitRepository flux-system/platform`.
    pub(super) name: String,
    /// Folders of it that may be the one, the likeliest first.
    pub(super) paths: Vec<String>,
    /// What of them is copied.
    pub(super) copies: Copies,
}

/// Follows a path of an ExternalArtifact to the GitRepository that it is copied from; `None` when what made the
/// artifact was not seen.
///
/// # Errors
/// `remote-source` when the folder is put together, is not copied as it stands, or comes from what is no
/// GitRepository.
pub(super) fn origin<'s>(snapshot: &'s Snapshot, artifact: &Object, path: &str) -> Result<Option<Origin<'s>>, Refusal> {
    let maker = |field: &str| artifact.text(&format!("/spec/sourceRef/{field}"));
    let namespace = or(maker("namespace"), &artifact.metadata.namespace);
    let generator = snapshot.find("ArtifactGenerator", namespace, maker("name"));
    let Some(generator) = generator.filter(|_| maker("kind") == "ArtifactGenerator") else { return Ok(None) };
    let wanted = within("", path);
    let folder = format!("the folder `{wanted}` of its artifact {}", artifact.metadata.name);
    let refuse = |why: String| {
        let text = format!("{} {why}", generator.object().qualified());
        Refusal::new("remote-source", text, "name the folder that it is copied from: --path DIR")
    };
    let list = |of: &'s Value, field: &str| of[field].as_array().into_iter().flatten();
    let Some(spec) = generator.at("/spec") else { return Ok(None) };
    let Some(made) = list(spec, "artifacts").find(|made| made["name"] == artifact.metadata.name.as_str()) else {
        return Ok(None);
    };
    let (mut copies, mut paths, mut alias) = (Vec::new(), Vec::new(), "");
    for copy in list(made, "copy") {
        let Some((from, copied)) = Copied::of(copy) else { continue };
        let found = copied.origins(&wanted);
        if found.is_empty() {
            continue;
        }
        if let Some(why) = copied.unlike(copy) {
            return Err(refuse(format!("{why} for {folder}")));
        }
        if !copies.is_empty() && (alias, &paths) != (from, &found) {
            return Err(refuse(format!("puts together {folder}")));
        }
        (alias, paths) = (from, found);
        copies.push(copied);
    }
    if copies.is_empty() {
        return Err(refuse(format!("copies nothing to {folder}")));
    }
    let source = list(spec, "sources").find(|source| source["alias"] == alias).unwrap_or(&Value::Null);
    let text = |field: &str| source[field].as_str().unwrap_or_default();
    let namespace = or(text("namespace"), &generator.metadata.namespace);
    let name = format!("{} {namespace}/{}", text("kind"), text("name"));
    if text("kind") != "GitRepository" {
        return Err(refuse(format!("copies {folder} from {name}, not from Git")));
    }
    let repository = snapshot.find("GitRepository", namespace, text("name"));
    Ok(Some(Origin { repository, name, paths, copies: Copies(copies) }))
}

fn or<'t>(text: &'t str, default: &'t str) -> &'t str {
    if text.is_empty() { default } else { text }
}

/// The files that are copied, of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies(Vec<Copied>);

impl Copies {
    pub(super) fn hold(&self, path: &str) -> bool {
        self.0.iter().any(|copied| copied.holds(path))
    }
}

/// One copy, of a source without its alias.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Copied {
    /// The steps of the source's path; patterns are of one step each, as Go's `fs.Glob` takes them.
    from: Vec<String>,
    to: String,
    /// Of patterns, the steps that the copy leaves away.
    cut: usize,
    /// Whether there are patterns among the steps.
    glob: bool,
    exclude: Vec<String>,
}

/// <https://github.com/fluxcd/source-watcher>, `internal/builder`.
impl Copied {
    fn of(copy: &Value) -> Option<(&str, Self)> {
        let (alias, from) = copy["from"].as_str()?.strip_prefix('@')?.split_once('/')?;
        let to = within("", copy["to"].as_str()?.strip_prefix("@artifact")?);
        let steps: Vec<String> =
            within("", from).split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect();
        let exclude = copy["exclude"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let glob = steps.iter().any(|step| is_pattern(step));
        // `dir/**` copies what is in the folder; other patterns keep the whole path.
        let plain = steps.len().saturating_sub(1);
        let content =
            steps.last().is_some_and(|last| last == "**") && !steps[..plain].iter().any(|step| is_pattern(step));
        let cut = if content { plain } else { 0 };
        Some((alias, Self { from: steps, to, cut, glob, exclude: exclude.collect() }))
    }

    /// Why what arrives is not the files as they are.
    fn unlike(&self, copy: &Value) -> Option<String> {
        let from = self.from.join("/");
        match copy["strategy"].as_str().unwrap_or("Overwrite") {
            // Alone it has nothing to merge into.
            "Overwrite" | "Merge" => {}
            "Extract" => return Some(format!("unpacks `{from}`")),
            other => return Some(format!("copies `{from}` by a strategy that is not known here, `{other}`,")),
        }
        let odd = self.glob && from.contains(['{', '\\']) || self.exclude.iter().any(|one| one.contains('\\'));
        odd.then(|| format!("copies `{from}` by a pattern that is not read here"))
    }

    /// The folders that one of the artifact may be a copy of, the likeliest first.
    fn origins(&self, folder: &str) -> Vec<String> {
        let whole = self.from.join("/");
        if self.glob {
            let cut = self.from[..self.cut].join("/");
            let rest = match (below(folder, &self.to), below(&self.to, folder)) {
                (Some(rest), _) => rest,
                (None, Some(_)) => "",
                (None, None) => return Vec::new(),
            };
            let path = within(&cut, rest);
            return if self.meets(&path) { vec![path] } else { Vec::new() };
        }
        let name = self.from.last().map_or("", String::as_str);
        if name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json") {
            // A file keeps its name in a folder, or is given another.
            let named = self.to.rsplit('/').next().is_some_and(|last| last.contains('.'));
            let into = if named { self.to.rsplit_once('/').map_or("", |(into, _)| into) } else { self.to.as_str() };
            let parent = whole.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
            return if into == folder { vec![parent] } else { Vec::new() };
        }
        // The folder itself goes into one that is there; some versions make it one that is not.
        let own = within(&self.to, name);
        let found =
            [own.as_str(), self.to.as_str()].into_iter().filter_map(|to| Some(within(&whole, below(folder, to)?)));
        let found: Vec<String> = found.collect();
        if found.is_empty() && below(&self.to, folder).is_some() { vec![whole] } else { found }
    }

    /// Whether something in this folder of the source, or around it, is copied.
    fn meets(&self, path: &str) -> bool {
        let steps = path.split('/').filter(|step| !step.is_empty());
        self.from.iter().zip(steps).all(|(pattern, step)| fits(pattern, step))
    }

    /// Whether a file of the source is copied.
    fn holds(&self, path: &str) -> bool {
        let steps = path.split('/').count();
        if steps < self.from.len() || !self.meets(path) {
            return false;
        }
        let first = self.from.iter().take_while(|step| !is_pattern(step)).count();
        let base = if self.glob || steps > self.from.len() { self.from[..first].join("/") } else { String::new() };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        // A folder that is left out takes what is in it along.
        !ends.skip(first).any(|end| self.excludes(&path[..end], &base))
    }

    /// Patterns count from the source, from where the copy begins, and, without a `/`, for names.
    fn excludes(&self, path: &str, base: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        let inner = below(path, base).filter(|inner| !inner.is_empty());
        self.exclude.iter().any(|pattern| {
            let plain = !pattern.contains('/') && matches(pattern, name);
            plain || matches(pattern, path) || inner.is_some_and(|inner| matches(pattern, inner))
        })
    }
}

fn is_pattern(step: &str) -> bool {
    step.contains(['*', '?', '[', ']'])
}

fn fits(pattern: &str, step: &str) -> bool {
    if is_pattern(pattern) { matches(&pattern.replace("**", "*"), step) } else { pattern == step }
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
            // A pattern that is no `dir/**` keeps the whole path.
            ("@git/apps/*.yaml", "@artifact/", "apps", vec!["apps"]),
            ("@git/apps/*.yaml", "@artifact/", "production", vec![]),
            ("@git/apps/*", "@artifact/x/", "x/apps/production", vec!["apps/production"]),
            ("@git/apps/prod-[ab]/**", "@artifact/", "apps/prod-a", vec!["apps/prod-a"]),
            ("@git/apps/prod-[ab]/**", "@artifact/", "apps/prod-c", vec![]),
            ("@git/apps/**/web/*.yaml", "@artifact/", "apps/prod/web", vec!["apps/prod/web"]),
            ("@git/apps/**/web/*.yaml", "@artifact/", "apps/prod/db", vec![]),
            ("@git/apps/prod/**", "@artifact/prod/", "", vec!["apps/prod"]),
            ("@git/apps/web.yaml", "@artifact/prod/", "prod", vec!["apps"]),
            ("@git/apps/web.yaml", "@artifact/prod/all.yaml", "prod", vec!["apps"]),
            ("@git/apps/web.yaml", "@artifact/prod/", "other", vec![]),
            ("@git/apps/**", "@artifact/a/", "b", vec![]),
        ] {
            let copy = json!({"from": from, "to": to});
            let (alias, copied) = Copied::of(&copy).unwrap();
            assert_eq!(
                (alias, copied.origins(wanted)),
                ("git", origins.iter().map(|o| (*o).to_owned()).collect()),
                "{from} {wanted}"
            );
        }
    }

    #[test]
    fn what_a_pattern_does_not_take_is_not_copied() {
        let holds = |from: &str, exclude: &[&str], path: &str| {
            let copy = json!({"from": from, "to": "@artifact/", "exclude": exclude});
            Copied::of(&copy).unwrap().1.holds(path)
        };
        for (from, exclude, path, held) in [
            ("@git/apps/*.yaml", &[][..], "apps/web.yaml", true),
            ("@git/apps/*.yaml", &[], "apps/web.json", false),
            ("@git/apps/*.yaml", &[], "apps/prod/web.yaml", false),
            ("@git/apps/?.yaml", &[], "apps/a.yaml", true),
            ("@git/apps/?.yaml", &[], "apps/ab.yaml", false),
            // A folder that fits is copied with all that is in it.
            ("@git/apps/*", &[], "apps/prod/web.yaml", true),
            ("@git/**", &[], "apps/prod/web.yaml", true),
            // `**` in the middle is one folder.
            ("@git/apps/**/web.yaml", &[], "apps/prod/web.yaml", true),
            ("@git/apps/**/web.yaml", &[], "apps/eu/prod/web.yaml", false),
            ("@git/apps/**", &["*.md"], "apps/prod/README.md", false),
            ("@git/apps/**", &["prod/**"], "apps/prod/web.yaml", false),
            ("@git/apps/**", &["prod"], "apps/prod/web.yaml", false),
            ("@git/apps/**", &["apps/{prod,dev}/*.yaml"], "apps/dev/web.yaml", false),
            ("@git/apps/**", &["*.md"], "apps/prod/web.yaml", true),
            ("@git/apps", &["apps/db"], "apps/db/web.yaml", false),
            ("@git/apps", &["apps"], "apps/web.yaml", true),
        ] {
            assert_eq!(holds(from, exclude, path), held, "{from} {exclude:?} {path}");
        }
    }

    #[test]
    fn archives_and_unknown_strategies_are_named() {
        let unlike = |copy: Value| Copied::of(&copy).unwrap().1.unlike(&copy);
        let with = |from: &str, strategy: &str| json!({"from": from, "to": "@artifact/", "strategy": strategy});
        assert_eq!(unlike(with("@git/apps/**", "Merge")), None);
        assert_eq!(unlike(with("@git/apps/*.tgz", "Extract")).as_deref(), Some("unpacks `apps/*.tgz`"));
        let why = unlike(with("@git/apps/**", "Replace")).unwrap();
        assert_eq!(why, "copies `apps/**` by a strategy that is not known here, `Replace`,");
        assert!(unlike(with("@git/apps/{a,b}*", "Overwrite")).is_some());
    }
}
