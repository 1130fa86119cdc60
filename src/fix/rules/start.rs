//! Containers that can't be started: commands, modes, mounts.

use super::super::case::Case;
use super::super::facts::{items, judge, outside, text_of};
use super::super::guards::executable;
use super::super::{history, refusal};
use super::refs::mount_path;
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("command-not-executable", not_executable),
    ("command-not-found", not_found),
    ("crash-bad-args", bad_args),
    ("crash-exit-127", not_found),
    ("mount-type-mismatch", mount_type),
];

/// Fields that say what a container runs.
fn is_command(case: &Case<'_>) -> impl Fn(&Path) -> bool {
    let here = case.container_path();
    let (command, args) = (here.field("command"), here.field("args"));
    move |path| path.starts_with(&command) || path.starts_with(&args)
}

/// Whether the image changed too; then it is as likely as the command.
fn image_changed(case: &Case<'_>) -> bool {
    let image = case.container_path().field("image");
    case.finding.change.as_ref().is_some_and(|change| change.fields.iter().any(|field| field.path == image))
}

/// The image of the earlier revision, for a person to choose.
fn earlier_image(case: &Case<'_>, message: String, hint: &str) -> Refusal {
    let image = case.container_path().field("image");
    let asked = history::put_back(case, &message, |path| *path == image);
    let choices = match asked {
        Ok(found) => found.unwrap_or_default(),
        Err(refusal) => refusal.choices,
    };
    case.ask(message, hint, choices).with_details(history::changes(case))
}

fn not_found(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let program = case.text("program");
    let container = case.name();
    if program.contains(char::is_whitespace) {
        return Err(shell_line(case, program));
    }
    if image_changed(case) {
        let message = format!("the image of container {container} changed and may lack {program}");
        return Err(earlier_image(case, message, "put back the image, or name a command that it has"));
    }
    let why = format!("{program} is not in the image, which is the same as before");
    if let Some(found) = history::put_back(case, &why, is_command(case))? {
        return Ok(found);
    }
    let message = format!("the image does not have {program}, and no earlier revision says what it should run");
    Err(judge(message, "look what the image has, or leave command unset"))
}

/// A whole shell line as one word: no shell reads it.
fn shell_line(case: &Case<'_>, program: &str) -> Refusal {
    let path = case.container_path().field("command");
    let message = format!("`{program}` is a shell line in one word, and no shell reads it");
    let hint = "split it, or wrap it in a shell";
    let mut choices = Vec::new();
    if case.at(&path) == Some(&json!([program])) {
        let shell = case.set(path.clone(), json!(["sh", "-c", program]));
        let subject = format!("Run the line of container {} in a shell", case.name());
        choices.push(case.intent(subject, "if the image has a shell".to_owned(), vec![shell], Vec::new()));
        if !program.contains(['"', '\'', '$', '|', ';', '&', '<', '>', '`', '\\', '*']) {
            let words: Vec<&str> = program.split_whitespace().collect();
            let split = case.set(path, json!(words));
            let subject = format!("Split the line of container {} into words", case.name());
            choices.push(case.intent(subject, "each word is one of its own".to_owned(), vec![split], Vec::new()));
        }
    }
    if choices.is_empty() {
        let details = vec![
            format!("[\"sh\", \"-c\", {program:?}], if the image has a shell"),
            "each word an element of its own".to_owned(),
        ];
        return Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details);
    }
    case.ask(message, hint, choices)
}

fn bad_args(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let container = case.name();
    if image_changed(case) {
        let message = format!("the image of container {container} changed and may not take these arguments any more");
        return Err(earlier_image(case, message, "put back the image, or give arguments that it takes"));
    }
    if let Some(found) = history::put_back(case, "the program does not take these arguments", is_command(case))? {
        return Ok(found);
    }
    let message = format!("container {container} does not take its arguments, and no earlier ones are known");
    Err(judge(message, "see the program's own help for the flag"))
}

/// A script of a volume without the right to execute it.
fn not_executable(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let program = case.text("program");
    let mount = case.fact("mount").cloned().unwrap_or(Value::Null);
    let root = case.spec_path().field("volumes").item(text_of(&mount, "name"));
    if let Some((field, volume)) = ["configMap", "secret", "projected"]
        .into_iter()
        .find_map(|field| Some((field, case.at(&root.field(field)).cloned()?)))
    {
        return mode(case, program, &mount, (field, &volume), &root.field(field));
    }
    if image_changed(case) {
        let message = format!("the image of container {} changed, and its {program} is not executable", case.name());
        return Err(earlier_image(case, message, "put back the image, or build it anew"));
    }
    if let Some(found) = history::put_back(case, &format!("{program} is not executable"), is_command(case))? {
        return Ok(found);
    }
    let message = format!("{program} of the image is not executable");
    Err(judge(message, "name a program, or make it executable where the image is built"))
}

fn mode(
    case: &Case<'_>,
    program: &str,
    mount: &Value,
    (field, volume): (&str, &Value),
    root: &Path,
) -> Result<Vec<Intent>, Refusal> {
    let (name, at) = (text_of(mount, "name"), text_of(mount, "path"));
    let inside = program.strip_prefix(at.trim_end_matches('/')).unwrap_or_default().trim_start_matches('/');
    let file = if text_of(mount, "subPath").is_empty() { inside } else { text_of(mount, "subPath") };
    let item = items(volume, "items").position(|item| text_of(item, "path") == file);
    let own =
        item.filter(|at| field == "secret" || root.field("items").index(*at).field("mode").get(&case.live).is_some());
    let path = match own {
        Some(at) => root.field("items").index(at).field("mode"),
        None if field == "secret" => {
            let message = format!("{program} is a file of a Secret, whose mode is for all of its files");
            return Err(outside(
                message,
                "list the file under items with a mode of its own, or keep it in a ConfigMap",
            ));
        }
        None => root.field("defaultMode"),
    };
    let of_all = volume.get("defaultMode").and_then(Value::as_i64).unwrap_or(0o644);
    let old = case.at(&path).and_then(Value::as_i64).unwrap_or(of_all);
    let new = executable(old);
    if new == old {
        return Err(judge(format!("{program} is executable by its mode 0{old:o}"), "look whether it is a folder"));
    }
    let mut review = Vec::new();
    if field == "secret" {
        review.push("it is a file of a Secret".to_owned());
    }
    let has_more = |source: &Value| source.get("secret").is_some() || source.get("serviceAccountToken").is_some();
    if field == "projected" && items(volume, "sources").any(has_more) {
        review.push("the volume also holds a Secret or a token".to_owned());
    }
    let why = format!("{program} is a file of volume {name} with mode 0{old:o}; whoever may read it may then run it");
    let edits = vec![case.set(path, json!(new))];
    Ok(vec![case.intent(format!("Make the files of volume {name} executable"), why, edits, review)])
}

/// A folder that is mounted onto a file of the image, or a file onto a folder.
fn mount_type(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let target = case.text("target");
    let here = case.container_path();
    let container = case.at(&here).cloned().unwrap_or(Value::Null);
    let is_it = |mount: &&Value| text_of(mount, "mountPath").trim_end_matches('/') == target;
    let found = items(&container, "volumeMounts").find(is_it).cloned();
    let hint = "mount a file onto a file, a folder onto a folder";
    let Some(mount) = found else { return Err(judge(format!("nothing here is mounted at {target} any more"), hint)) };
    let (path, volume) = (mount_path(&here, &mount), text_of(&mount, "name"));
    let sub_path = text_of(&mount, "subPath");
    if case.is("isFile") && !sub_path.is_empty() {
        let file = sub_path.rsplit('/').next().unwrap_or(sub_path);
        let new = format!("{target}/{file}");
        let why = format!("{target} is a folder of the image, and {sub_path} of volume {volume} is a file");
        let edits = vec![case.set(path.field("mountPath"), json!(new))];
        let review = vec![format!("the program must look for it at {new}")];
        return Ok(vec![case.intent(format!("Mount {file} into {target}"), why, edits, review)]);
    }
    let file = target.rsplit('/').next().unwrap_or(target);
    if !case.is("isFile") && sub_path.is_empty() && volume_keys(case, volume).iter().any(|key| key == file) {
        let why = format!("{target} is a file of the image, and volume {volume} has a file {file}");
        let edits = vec![case.set(path.field("subPath"), json!(file))];
        let review = vec!["a file that is mounted by subPath does not follow changes".to_owned()];
        return Ok(vec![case.intent(format!("Mount only {file} at {target}"), why, edits, review)]);
    }
    if let Some(found) = history::put_back(case, "the mount does not fit the image", |at| at.starts_with(&path))? {
        return Ok(found);
    }
    Err(Refusal::new(
        refusal::NEEDS_CHOICE,
        format!("what is mounted at {target} is of another type than in the image"),
        hint,
    ))
}

/// Files that a ConfigMap or Secret volume makes.
fn volume_keys(case: &Case<'_>, volume: &str) -> Vec<String> {
    let source = case.at(&case.spec_path().field("volumes").item(volume)).cloned().unwrap_or(Value::Null);
    let namespace = case.finding.object.namespace();
    let of = |field: &str, name: &str, all: &[crate::model::kube::Keyed]| {
        let source = source.get(field)?;
        let files: Vec<String> = items(source, "items").map(|item| text_of(item, "path").to_owned()).collect();
        let mut found = all.iter().filter(|one| one.metadata.namespace == namespace);
        let keys = found.find(|one| one.metadata.name == text_of(source, name))?.keys.clone()?;
        Some(if files.is_empty() { keys.into_iter().collect() } else { files })
    };
    of("configMap", "name", &case.snapshot.config_maps)
        .or_else(|| of("secret", "secretName", &case.snapshot.secrets))
        .unwrap_or_default()
}
