//! Pods that are ended for what they use.

use super::super::case::Case;
use super::super::facts::{judge, outside};
use super::super::refusal;
use crate::diagnose::largest_allocatable;
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("evicted-emptydir-limit", empty_dir),
    ("evicted-ephemeral-limit", ephemeral),
    ("evicted-node-pressure", pressure),
];

const MEBI: i128 = 1 << 20;
/// No room on a disk is raised above this by rule.
const LARGEST: i128 = 10 * 1024 * MEBI;

/// Twice the limit, where pods were evicted at it again and again.
fn doubled(case: &Case<'_>, path: Path, what: &str, resource: &str) -> Result<Vec<Intent>, Refusal> {
    let shown = case.text("limit").to_owned();
    case.expect(&path, &json!(shown))?;
    let times = case.int("times").unwrap_or_default();
    let hint = "look what it writes: logs and the image's own layer count too";
    if times < 2 {
        return Err(judge(format!("one pod was evicted at {shown}: a peak would double it for good"), hint));
    }
    let Some(limit) = Quantity::parse(&shown).filter(|limit| limit.milli > 0) else {
        return Err(judge(format!("{shown} is no quantity"), "write it as 64Mi"));
    };
    let new = (limit.units() * 2).min(LARGEST);
    if new * 4 < limit.units() * 5 || !allowed(case, resource, new, limit.units()) {
        let message = format!("{shown} can't be doubled: the ceiling for rules, a LimitRange or a quota is in the way");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "write less, or make room there and choose a limit"));
    }
    let text = Quantity::whole(new).written_like(&shown);
    let review = vec!["whether it stops growing is not known; logs and the image's own layer count too".to_owned()];
    let why = format!("{times} pods were evicted at {shown} of {what}");
    Ok(vec![case.intent(format!("Raise {what} to {text}"), why, vec![case.set(path, json!(text))], review)])
}

/// Whether LimitRanges and quotas of the namespace allow a higher limit.
fn allowed(case: &Case<'_>, resource: &str, new: i128, old: i128) -> bool {
    let quantity = |value: &Value| Quantity::of(value).map(Quantity::units);
    let ranges = case.here("LimitRange").flat_map(|range| range.view::<Vec<Value>>("/spec/limits"));
    let over =
        |limit: Value| limit.get("max").and_then(|max| quantity(max.get(resource)?)).is_some_and(|max| new > max);
    let mut quotas = case.here("ResourceQuota").filter_map(|quota| {
        let of = |part: &str| quantity(quota.at(&format!("/status/{part}"))?.get(format!("limits.{resource}"))?);
        Some(of("hard")? - of("used").unwrap_or_default())
    });
    !ranges.into_iter().any(over) && quotas.all(|free| new - old <= free)
}

fn ephemeral(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    if case.finding.container.is_none() {
        let message = "which container writes too much is not told, and several have limits";
        return Err(Refusal::new(
            refusal::NEEDS_CHOICE,
            message,
            "raise limits.ephemeral-storage of the one that does",
        ));
    }
    let path = case.container_path().field("resources").field("limits").field("ephemeral-storage");
    doubled(case, path, &format!("the disk limit of container {}", case.name()), "ephemeral-storage")
}

fn empty_dir(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let name = case.text("volume");
    let volume = case.spec_path().field("volumes").item(name).field("emptyDir");
    if case.at(&volume.field("medium")).and_then(Value::as_str) == Some("Memory") {
        let message = format!("volume {name} lies in memory and counts against the memory limit");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "choose sizeLimit and memory limit together"));
    }
    doubled(case, volume.field("sizeLimit"), &format!("the size of volume {name}"), "")
}

/// A container that uses far more memory than it asks for is ended first: it asks for what it uses.
fn pressure(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (name, resource) = (case.text("name"), case.text("resource"));
    let units = |fact: &str| Quantity::parse(case.text(fact)).map(Quantity::units);
    let used = units("used").filter(|_| resource == "memory" && case.is("ofContainer"));
    let asked = units("request").unwrap_or_default();
    let Some(used) = used.filter(|used| *used > 2 * asked) else {
        return Err(outside(format!("the node was low on {resource}"), "look what fills the node, or add one"));
    };
    let new = (used + 16 * MEBI - 1) / (16 * MEBI) * 16 * MEBI;
    let spec = case.pod_spec();
    let resources = spec.containers.iter().find(|container| container.name == name).map(|c| &c.resources);
    let limit = resources.and_then(|all| all.limits.get("memory")).and_then(Quantity::of).map(Quantity::units);
    let free = |node: Quantity| new < node.units() * 8 / 10;
    let fits = largest_allocatable(case.snapshot, "memory").is_some_and(free);
    if limit.is_some_and(|limit| new > limit) || !fits || !allowed_request(case, new - asked) {
        let message =
            format!("container {name} used {} of memory: its limit, the nodes or a quota are below", case.text("used"));
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "choose request and limit together, or add a node"));
    }
    let text = Quantity::whole(new).written_like("Mi");
    let path = case.spec_path().field("containers").item(name).field("resources").field("requests").field("memory");
    let mut review = vec!["what it used when the node ran low may be a peak".to_owned()];
    review.extend(case.request_review("memory"));
    let why = format!(
        "the node ran low on memory; container {name} used {} and asks for {}",
        case.text("used"),
        case.text("request")
    );
    Ok(vec![case.intent(
        format!("Request {text} of memory for container {name}"),
        why,
        vec![case.set(path, json!(text))],
        review,
    )])
}

fn allowed_request(case: &Case<'_>, more: i128) -> bool {
    let quantity = |value: &Value| Quantity::of(value).map(Quantity::units);
    let mut free = case.here("ResourceQuota").filter_map(|quota| {
        let of = |part: &str| {
            let map = quota.at(&format!("/status/{part}"))?;
            quantity(map.get("requests.memory").or(map.get("memory"))?)
        };
        Some(of("hard")? - of("used").unwrap_or_default())
    });
    free.all(|free| more <= free)
}
