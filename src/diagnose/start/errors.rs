//! Containers that the runtime could not make or start.

use super::rows;
use crate::diagnose::crash::mounts;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, Settled};
use crate::diagnose::{config, image};
use crate::model::code::CodeInfo;
use crate::model::finding::Source;
use crate::model::kube::Event;
use crate::model::path::Step;
use crate::text;
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Waiting reasons of a container that could not be made or run.
const REASONS: [&str; 3] = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];

/// A reason that the catalogue does not know is told after this.
const LONG: i64 = 600;

/// Inner texts of each code: wrapping differs by runtime. The first match wins; the first capture is what it is about.
const TEXTS: [(&CodeInfo, &str); 16] = [
    (&rows::SECCOMP_PROFILE_MISSING, r#"cannot load seccomp profile "([^"]+)""#),
    (&rows::SANDBOX_OOM, r"container init was (OOM-killed)"),
    (&rows::MOUNT_TYPE_MISMATCH, r#"error mounting "[^"]*" to rootfs at "([^"]+)".*(?:not a directory|onto a file)"#),
    (&rows::WORKING_DIR_INVALID, r"mkdir ([^\s:]+): not a directory"),
    (&rows::WORKING_DIR_INVALID, r#"chdir to cwd \("([^"]*)"\)"#),
    (&rows::RUN_AS_USER_UNKNOWN, r"unable to find user ([^\s:]+): no matching entries"),
    (&rows::RUN_AS_NON_ROOT, r"container has (runAsNonRoot) and image will run as root"),
    (&rows::RUN_AS_ROOT_REFUSED, r"container's (runAsUser) breaks non-root policy"),
    (&rows::RUN_AS_USER_NAME, r"image has non-numeric user \(([^)]+)\)"),
    (&rows::COMMAND_NOT_FOUND, r#"exec: "([^"]*)": stat [^:"]*: no such file or directory"#),
    (&rows::COMMAND_NOT_FOUND, r#"exec: "([^"]*)": executable file not found in \$PATH"#),
    (&rows::COMMAND_NOT_EXECUTABLE, r#"exec: "([^"]*)": (?:permission denied|is a directory)"#),
    (&rows::EXEC_FORMAT_ERROR, r#"exec:? "?([^"\s:]*)"?: exec format error"#),
    (&rows::CONTAINER_CREATE_TIMEOUT, r"(failed to reserve container name)"),
    (&rows::CONTAINER_CREATE_TIMEOUT, r"(context deadline exceeded)"),
    (&rows::RUN_AS_USER_UNKNOWN, r"no users found|no matching (entries) in passwd file"),
];

static SHAPES: LazyLock<Vec<(&'static CodeInfo, Regex)>> =
    LazyLock::new(|| TEXTS.iter().filter_map(|(code, shape)| Some((*code, Regex::new(shape).ok()?))).collect());
static MOUNTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"error mounting "([^"]*)""#).ok());

/// The code of a start error, and what it is about.
pub(super) fn read(message: &str) -> Option<(&'static CodeInfo, String)> {
    SHAPES.iter().find_map(|(code, shape)| {
        let about = shape.captures(message)?.get(1).map_or("", |about| about.as_str());
        Some((*code, about.to_owned()))
    })
}

/// A start error cannot heal by waiting: it counts at once.
pub(super) fn start_error(container: &Running<'_, '_>) -> Option<Observation> {
    if container.status.ready {
        return None;
    }
    let end = container.last_exit().filter(|end| end.reason == "StartError");
    let message = match end {
        Some(end) => &end.message,
        None if REASONS.contains(&container.waiting()) => container.waiting_message(),
        None => return None,
    };
    let (code, about) = read(message)?;
    let mut seen = Observation::of_container(code, container);
    seen.message.clone_from(&about);
    let shown = if end.is_some() { message.to_owned() } else { format!("{}: {message}", container.waiting()) };
    seen.show(Source::Status, end.and_then(|end| end.finished_at.0), &shown, None);
    let failed = container.events().filter(|event| event.reason == "Failed");
    seen.since = failed.filter_map(Event::first_seen).min().or(seen.since);
    seen.summary = tell(&mut seen, container, message, &about);
    seen.fact("worked", container.ran_long_in_revision());
    Some(seen)
}

fn tell(seen: &mut Observation, container: &Running<'_, '_>, message: &str, about: &str) -> String {
    let name = &container.status.name;
    let image = container.image();
    match seen.code.name {
        "command-not-found" => {
            command(seen, container, about);
            format!("container {name} cannot start: {about} is not in image {image}")
        }
        "command-not-executable" => {
            command(seen, container, about);
            format!("container {name} cannot start: {about}{} is not executable", held(seen, container, about))
        }
        "exec-format-error" => {
            command(seen, container, about);
            seen.fact("node", container.at.pod.spec.node_name.as_str());
            format!("{about}, which container {name} runs, is no program for this node")
        }
        "mount-type-mismatch" => mount(seen, container, message, about),
        "working-dir-invalid" => {
            let path = container.path().field("workingDir");
            let dir = container.spec.map_or("", |spec| spec.working_dir.as_str());
            seen.show(Source::Spec, None, &format!("workingDir: {dir}"), Some(path));
            seen.fact("workingDir", dir);
            format!("container {name} cannot use {about} as its working folder")
        }
        "seccomp-profile-missing" => {
            seen.fact("profile", about);
            format!("the node does not have seccomp profile {about} of container {name}")
        }
        "sandbox-oom" => super::sandbox::limit(seen, container.at, Some(name)),
        "container-create-timeout" => format!("the node's runtime does not create container {name} in time: {about}"),
        _ => user(seen, container, image, about),
    }
}

fn command(seen: &mut Observation, container: &Running<'_, '_>, program: &str) {
    for (field, words) in container.spec.iter().flat_map(|c| [("command", &c.command), ("args", &c.args)]) {
        if !words.is_empty() {
            seen.show(Source::Spec, None, &format!("{field}: {}", json!(words)), Some(container.path().field(field)));
        }
    }
    seen.fact("program", program);
}

/// ` of ConfigMap scripts (mode 0644)` when the program is a file of a volume.
fn held(seen: &mut Observation, container: &Running<'_, '_>, program: &str) -> String {
    let Some(mount) = mounts::holding(container, program) else { return String::new() };
    seen.fact("mount", mount.fact());
    let Some((kind, object)) = mount.source() else { return format!(" in volume {}", mount.name) };
    let field = if kind == config::Kind::Secret { "secret" } else { "configMap" };
    let mode = mount.volume.and_then(|volume| volume.pointer(&format!("/{field}/defaultMode"))).and_then(Value::as_i64);
    let mode = mode.unwrap_or(0o644);
    seen.fact("mode", mode);
    let path = container.at.workload.spec_path().field("volumes").item(mount.name).field(field).field("defaultMode");
    seen.show(Source::Spec, None, &format!("defaultMode: {mode} (0{mode:o})"), Some(path));
    format!(" of {} {object} (mode 0{mode:o})", kind.name())
}

fn mount(seen: &mut Observation, container: &Running<'_, '_>, message: &str, target: &str) -> String {
    let name = &container.status.name;
    let source = MOUNTED.as_ref().and_then(|shape| shape.captures(message)).and_then(|found| found.get(1));
    // The kubelet mounts single files from a folder of its own.
    let is_file = source.is_some_and(|source| source.as_str().contains("/volume-subpaths/"));
    seen.fact("target", target);
    seen.fact("isFile", is_file);
    let mounted = container.spec.iter().flat_map(|spec| spec.volume_mounts.iter().enumerate());
    let text = |mount: &Value, field: &str| mount.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let found = mounted.into_iter().find(|(_, one)| text(one, "mountPath").trim_end_matches('/') == target);
    let mut volume = String::new();
    if let Some((at, one)) = found {
        volume = format!(" of volume {}", text(one, "name"));
        let path = container.path().field("volumeMounts").push(Step::Index(at));
        let sub_path = text(one, "subPath");
        let shown = if sub_path.is_empty() { String::new() } else { format!(", subPath: {sub_path}") };
        seen.show(Source::Spec, None, &format!("mountPath: {target}{shown}"), Some(path));
        seen.fact("mountIndex", at);
    }
    if let Some(mount) = mounts::holding(container, target) {
        seen.fact("mount", mount.fact());
    }
    if is_file {
        format!("container {name} cannot start: a file{volume} is mounted at {target}, which is a folder in the image")
    } else {
        format!("container {name} cannot start: a folder{volume} is mounted at {target}, which is a file in the image")
    }
}

fn user(seen: &mut Observation, container: &Running<'_, '_>, image: &str, about: &str) -> String {
    let name = &container.status.name;
    for field in ["runAsNonRoot", "runAsUser"] {
        let own = container.spec.and_then(|spec| spec.security_context.get(field));
        let of_pod = container.at.pod.spec.security_context.get(field);
        let path = if own.is_some() { container.path() } else { container.at.workload.spec_path() };
        if let Some(value) = own.or(of_pod) {
            seen.show(
                Source::Spec,
                None,
                &format!("{field}: {value}"),
                Some(path.field("securityContext").field(field)),
            );
        }
        seen.fact(field, own.or(of_pod).cloned());
    }
    match seen.code.name {
        "run-as-non-root" => format!("container {name} must not run as root, and image {image} does"),
        "run-as-root-refused" => {
            format!("container {name} has runAsNonRoot and runAsUser 0, which contradict each other")
        }
        "run-as-user-name" => {
            seen.fact("user", about);
            format!("image {image} of container {name} names user {about}, which cannot be checked for root")
        }
        _ => {
            seen.fact("user", about);
            format!("user {about} of container {name} is not in image {image}")
        }
    }
}

/// A reason that no rule knows, for long.
pub(super) fn waiting_long(container: &Running<'_, '_>) -> Option<Observation> {
    const KNOWN: [&str; 5] = ["", "ContainerCreating", "CrashLoopBackOff", "PodInitializing", "StartError"];
    let (reason, message) = (container.waiting(), container.waiting_message());
    if KNOWN.contains(&reason) || image::is_about_images(reason) || config::knows(container) {
        return None;
    }
    let created = container.at.pod.metadata.creation_timestamp;
    if container.at.view.settled(created, LONG) != Settled::Yes {
        return None;
    }
    let mut seen = Observation::of_container(&rows::CONTAINER_WAITING_LONG, container);
    seen.message = format!("{reason} {message}");
    seen.summary = format!("container {} waits: {reason} {}", container.status.name, text::clip(message, 120));
    seen.show(Source::Status, None, &format!("{reason}: {message}"), None);
    seen.fact("reason", reason);
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_errors_are_read_by_their_inner_text() {
        let runc = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                    failed: unable to start container process: ";
        for (why, code, about) in [
            (r#"exec: "serve": executable file not found in $PATH: unknown"#, "command-not-found", "serve"),
            (r#"exec: "/a/b": stat /a/b: no such file or directory: unknown"#, "command-not-found", "/a/b"),
            (r#"exec: "/etc/passwd": permission denied: unknown"#, "command-not-executable", "/etc/passwd"),
            (r#"error during container init: exec: "/b": exec format error"#, "exec-format-error", "/b"),
            (
                "error during container init: mkdir /etc/passwd: not a directory: unknown",
                "working-dir-invalid",
                "/etc/passwd",
            ),
            (
                r#"chdir to cwd ("/srv") set in config.json failed: no such file or directory"#,
                "working-dir-invalid",
                "/srv",
            ),
            (
                r#"error mounting "/x" to rootfs at "/etc": mount /x:/etc (via /proc/self/fd/6), flags: 0x5001: not a directory"#,
                "mount-type-mismatch",
                "/etc",
            ),
            ("unable to find user app: no matching entries in passwd file", "run-as-user-unknown", "app"),
            ("container init was OOM-killed (memory limit too low?): unknown", "sandbox-oom", "OOM-killed"),
            (
                "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
                "run-as-user-name",
                "app",
            ),
            ("context deadline exceeded", "container-create-timeout", "context deadline exceeded"),
            (
                r#"failed to reserve container name "app_web": name is reserved"#,
                "container-create-timeout",
                "failed to reserve container name",
            ),
        ] {
            let found = read(&format!("{runc}{why}")).map(|(code, about)| (code.name, about));
            assert_eq!(found, Some((code, about.to_owned())), "{why}");
        }
        assert_eq!(SHAPES.len(), TEXTS.len());
        assert!(read("something new").is_none());
    }
}
