//! A higher memory limit, within bounds.

use super::super::case::Case;
use super::super::{history, refusal};
use crate::diagnose::largest_allocatable;
use crate::model::intent::Intent;
use crate::model::kube::{Object, PodSpec};
use crate::model::quantity::Quantity;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("oom-init", killed), ("oom-killed", killed), ("sandbox-oom", too_small)];

const MEBI: i128 = 1 << 20;
const GIBI: i128 = 1 << 30;
/// Above this a person looks, whatever the facts say.
const LARGE: i128 = 2 * GIBI;
/// Nothing is raised above this by rule.
const CEILING: i128 = 8 * GIBI;
/// A run of an hour before the kill speaks for a leak.
const LEAK: i64 = 3600;

fn killed(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.container_path().field("resources").field("limits").field("memory");
    let name = case.finding.container.as_deref().unwrap_or_default();
    let Some(written) = case.fact("limit").cloned() else {
        let message = format!("container {name} has no limit of its own: its node or pod ran out of memory");
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "look at the memory of the node"));
    };
    // Set by a LimitRange, an autoscaler or a resize: the template is not the source.
    case.expect(&path, &written)?;
    if case.is("heapError") {
        let message = format!("the log of {name} shows a heap error: heap setting and limit belong together");
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "raise both, or find the leak"));
    }
    let shown = written.as_str().map_or_else(|| written.to_string(), str::to_owned);
    let Some(limit) = Quantity::of(&written).map(Quantity::units).filter(|units| *units > 0) else {
        return Err(Refusal::new(
            refusal::NEEDS_JUDGEMENT,
            format!("limit {shown} is no quantity"),
            "write it as 64Mi",
        ));
    };
    let mut review = reviews(case);
    let wanted = wanted(case, &path, &shown, limit, &mut review)?;
    let cap = caps(case, limit, &wanted, &mut review);
    let new = wanted.bytes.min(cap.bytes);
    if new * 4 < limit * 5 {
        let message =
            format!("the limit of {name} can't be raised by a quarter: {} allows {}", cap.reason, mebi(cap.bytes));
        let details = vec![format!("now {shown}, wanted {}", mebi(wanted.bytes))];
        let hint = "make room there, or lower what the program needs";
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details));
    }
    if new > LARGE {
        review.push(format!("{} is much memory", mebi(new)));
    }
    let like = if shown.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 'm') { "Mi" } else { shown.as_str() };
    let text = Quantity::whole(new).written_like(like);
    let mut edits = vec![case.set(path, json!(text))];
    edits.extend(request(case, &written, &text, new, &mut review)?);
    let subject = format!("Raise the memory limit of container {name} to {text}");
    let why = format!("container {name} was killed at its limit of {shown}; {}", wanted.why);
    Ok(vec![case.intent(subject, why, edits, review)])
}

/// A limit below what the runtime itself needs: the last good one, else what the slip of a unit meant.
fn too_small(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.container_path().field("resources").field("limits").field("memory");
    let shown = case.text("limit").to_owned();
    case.expect(&path, &json!(shown))?;
    let Some(limit) = Quantity::parse(&shown).map(Quantity::units).filter(|units| (1..16 * MEBI).contains(units))
    else {
        let message = format!("the memory limit {shown} is not small, and the runtime was killed at it");
        return Err(Refusal::new(
            refusal::NEEDS_CHOICE,
            message,
            "look at the node's memory, or choose a higher limit",
        ));
    };
    if let Some(found) = history::put_back(case, &format!("{shown} is less than the runtime needs"), |at| *at == path)?
    {
        return Ok(found);
    }
    let mut review = Vec::new();
    let wanted = slip(&shown, limit, &mut review)?;
    let cap = caps(case, limit, &wanted, &mut review);
    if cap.bytes < wanted.bytes {
        let message = format!("{} is needed and {} allows {}", mebi(wanted.bytes), cap.reason, mebi(cap.bytes));
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "make room there, then choose a limit"));
    }
    let text = mebi(wanted.bytes);
    let name = case.name();
    let why = format!("{shown} is less than the runtime itself needs to start container {name}; {}", wanted.why);
    let edits = vec![case.set(path, json!(text))];
    Ok(vec![case.intent(format!("Raise the memory limit of container {name} to {text}"), why, edits, review)])
}

/// Why a person should look, before any arithmetic.
fn reviews(case: &Case<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let kills = case.fact("kills").cloned().unwrap_or_default();
    let count = |name: &str| kills.get(name).and_then(Value::as_i64).unwrap_or_default();
    if count("exits") < 2 && count("restarts") < 2 {
        out.push("it was killed once: a peak would double the memory for good".to_owned());
    }
    if kills.get("shortestRun").and_then(Value::as_i64).is_some_and(|run| run > LEAK) {
        out.push("every run lived over an hour before the kill: it may be a leak".to_owned());
    }
    if !case.is("logReadable") {
        out.push("no log of the container could be read".to_owned());
    }
    if case.is("memoryVolume") {
        out.push("a volume in memory counts against the limit".to_owned());
    }
    out
}

struct Wanted {
    bytes: i128,
    why: String,
    /// From the last good revision: it was that high and worked.
    good: Option<i128>,
}

/// Steps 1 and 2: what an earlier revision had, else growth.
fn wanted(
    case: &Case<'_>,
    path: &crate::model::path::Path,
    shown: &str,
    limit: i128,
    review: &mut Vec<String>,
) -> Result<Wanted, Refusal> {
    if limit < 16 * MEBI {
        return slip(shown, limit, review);
    }
    let grown = grow(limit);
    let growth = Wanted { bytes: grown, why: format!("{} is the next step", mebi(grown)), good: None };
    let Some(change) = &case.finding.change else { return Ok(growth) };
    let Some(before) = change.fields.iter().find(|field| path.starts_with(&field.path)) else { return Ok(growth) };
    let earlier = match before.old.as_ref() {
        None if change.good => {
            let message = format!("revision {} had no memory limit and works; a limit is never removed", change.from);
            let hint = "choose a limit that the program can live with";
            return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
        }
        value => value.and_then(Quantity::of).map(Quantity::units).filter(|units| *units > limit),
    };
    let Some(earlier) = earlier else { return Ok(growth) };
    if change.good {
        // Reverted among others, a person sees what was left alone.
        if change.fields.len() > 1 {
            review.push(format!("{} other changes since revision {} left alone", change.fields.len() - 1, change.from));
        }
        let why = format!("revision {}, whose pods are ready, has {}", change.from, mebi(earlier));
        return Ok(Wanted { bytes: earlier, why, good: Some(earlier) });
    }
    review.push(format!("revision {} has no ready pods now: it is not known to have worked", change.from));
    let why = format!("revision {} had {}", change.from, mebi(earlier));
    Ok(Wanted { bytes: earlier.min(grown), why, good: None })
}

/// A limit below 16Mi is a slip of the unit (`128m`, `512`, `300Ki`), not a size.
fn slip(shown: &str, limit: i128, review: &mut Vec<String>) -> Result<Wanted, Refusal> {
    let digits: String = shown.chars().take_while(char::is_ascii_digit).collect();
    let unit = &shown[digits.len()..];
    let meant = digits.parse::<i128>().ok().map(|n| n * MEBI).filter(|bytes| (16 * MEBI..=LARGE).contains(bytes));
    review.push(format!("{shown} is less than a program needs: it looks like a slip of the unit"));
    match meant.filter(|_| matches!(unit, "" | "m" | "k" | "Ki")) {
        Some(bytes) => Ok(Wanted { bytes, why: format!("{} is the same number in Mi", mebi(bytes)), good: None }),
        None => {
            let bytes = (4 * limit).max(32 * MEBI);
            Ok(Wanted { bytes, why: format!("{} is the least that makes sense", mebi(bytes)), good: None })
        }
    }
}

/// Double below 1Gi, by half above; rounded up to 16Mi, 64Mi or 256Mi.
fn grow(limit: i128) -> i128 {
    let raw = if limit < GIBI { 2 * limit } else { limit + limit / 2 };
    let step = match raw {
        raw if raw < 256 * MEBI => 16 * MEBI,
        raw if raw < GIBI => 64 * MEBI,
        _ => 256 * MEBI,
    };
    (raw + step - 1) / step * step
}

struct Cap {
    bytes: i128,
    reason: String,
}

/// Step 3: the lowest bound that is known, and a look for each list that is not.
fn caps(case: &Case<'_>, limit: i128, wanted: &Wanted, review: &mut Vec<String>) -> Cap {
    let mut all: Vec<Cap> = Vec::new();
    let mut add = |bytes: i128, reason: String| all.push(Cap { bytes: bytes.max(0), reason });
    // What a good revision had needs neither the ceiling nor the distance to itself.
    if wanted.good.is_none() {
        add(CEILING, "the ceiling for rules".to_owned());
        if let Some(good) = last_good(case) {
            add(4 * good, "four times the last good limit".to_owned());
        }
    }
    match largest_allocatable(case.snapshot, "memory") {
        Some(node) => add(node.units() * 8 / 10, "four fifths of the largest node".to_owned()),
        None => review.push("no node was seen: whether it fits is not known".to_owned()),
    }
    for (kind, plural) in [("LimitRange", "limitranges"), ("ResourceQuota", "resourcequotas")] {
        if case.snapshot.lacks(plural) || !case.snapshot.objects.contains_key(kind) {
            review.push(format!("{plural} were not seen: whether they allow it is not known"));
        }
    }
    let namespace = case.finding.object.namespace();
    let here = |kind| case.snapshot.kind(kind).iter().filter(|o| o.metadata.namespace == namespace);
    for range in here("LimitRange") {
        for (bytes, scope) in range_caps(case, range) {
            add(bytes, format!("{} (per {scope})", range.object()));
        }
    }
    for quota in here("ResourceQuota") {
        if let Some(bytes) = quota_cap(case, quota, limit) {
            add(bytes, quota.object().to_string());
        }
    }
    let unbounded = Cap { bytes: i128::MAX, reason: "nothing known".to_owned() };
    all.into_iter().min_by_key(|cap| cap.bytes).unwrap_or(unbounded)
}

/// The limit of the last good revision when it differs from the present one.
fn last_good(case: &Case<'_>) -> Option<i128> {
    let path = case.container_path().field("resources").field("limits").field("memory");
    let change = case.finding.change.as_ref().filter(|change| change.good)?;
    let field = change.fields.iter().find(|field| field.path == path)?;
    field.old.as_ref().and_then(Quantity::of).map(Quantity::units)
}

fn range_caps(case: &Case<'_>, range: &Object) -> Vec<(i128, String)> {
    let limits: Vec<Value> = range.view("/spec/limits");
    let own = case.finding.container.as_deref().unwrap_or_default();
    let others: i128 = case
        .pod_spec()
        .containers
        .iter()
        .filter(|c| c.name != own)
        .filter_map(|c| Quantity::of(c.resources.limits.get("memory")?))
        .map(Quantity::units)
        .sum();
    limits
        .iter()
        .filter_map(|limit| {
            let scope = limit.get("type")?.as_str()?;
            let max = Quantity::of(limit.pointer("/max/memory")?)?.units();
            match scope {
                "Container" => Some((max, scope.to_owned())),
                "Pod" => Some((max - others, scope.to_owned())),
                _ => None,
            }
        })
        .collect()
}

/// The largest limit with `replicas x (new - limit) + surge x limit <= hard - used`.
fn quota_cap(case: &Case<'_>, quota: &Object, limit: i128) -> Option<i128> {
    let status = |name: &str| {
        let map = quota.at(&format!("/status/{name}"))?;
        Quantity::of(map.get("limits.memory")?).map(Quantity::units)
    };
    let free = status("hard")? - status("used").unwrap_or_default();
    let replicas = replicas(case).max(1);
    let surge = surge(case, replicas);
    Some(limit + (free - surge * limit) / replicas)
}

fn replicas(case: &Case<'_>) -> i128 {
    let most = case.autoscalers().filter_map(|hpa| hpa.int("/spec/maxReplicas")).max();
    let own = case.object.map(|object| match object.kind.as_str() {
        "DaemonSet" => object.int("/status/desiredNumberScheduled").unwrap_or(1),
        "CronJob" => object.int("/spec/jobTemplate/spec/parallelism").unwrap_or(1),
        _ => object.int("/spec/replicas").unwrap_or(1),
    });
    i128::from(most.or(own).unwrap_or(1))
}

/// `maxSurge` in pods; a percentage rounds up, 25% is the default of a Deployment.
fn surge(case: &Case<'_>, replicas: i128) -> i128 {
    let Some(object) = case.object.filter(|o| o.kind == "Deployment" && o.text("/spec/strategy/type") != "Recreate")
    else {
        return 0;
    };
    match object.at("/spec/strategy/rollingUpdate/maxSurge") {
        Some(Value::Number(number)) => number.as_i64().map_or(0, i128::from),
        Some(Value::String(text)) => {
            let percent: i128 = text.trim_end_matches('%').parse().unwrap_or(25);
            (replicas * percent + 99) / 100
        }
        _ => (replicas * 25 + 99) / 100,
    }
}

/// Steps 4 and 5: the request stays, unless the pod is Guaranteed or a ratio binds them.
fn request(
    case: &Case<'_>,
    limit: &Value,
    text: &str,
    new: i128,
    review: &mut Vec<String>,
) -> Result<Vec<crate::model::intent::FieldEdit>, Refusal> {
    let path = case.container_path().field("resources").field("requests").field("memory");
    let written = case.at(&path).cloned();
    let raised = || {
        let edit = case.set(path.clone(), json!(text));
        Ok(vec![edit])
    };
    match &written {
        None => {
            // The request follows the limit by default: a pod that can't fit any more would be worse.
            review.extend(case.request_review("memory"));
            Ok(Vec::new())
        }
        Some(request) if is_guaranteed(&case.pod_spec()) && Quantity::of(request) == Quantity::of(limit) => {
            review.extend(case.request_review("memory"));
            raised()
        }
        Some(request) => {
            let Some(ratio) = ratio(case) else { return Ok(Vec::new()) };
            let least = (new + ratio - 1) / ratio;
            if Quantity::of(request).is_none_or(|request| request.units() >= least) {
                return Ok(Vec::new());
            }
            review.push(format!("a LimitRange allows a limit of {ratio} times the request"));
            let like = request.as_str().unwrap_or("Mi");
            Ok(vec![case.set(path.clone(), json!(Quantity::whole(least).written_like(like)))])
        }
    }
}

fn ratio(case: &Case<'_>) -> Option<i128> {
    let namespace = case.finding.object.namespace();
    let ranges = case.snapshot.kind("LimitRange").iter().filter(|range| range.metadata.namespace == namespace);
    let limits = ranges.flat_map(|range| range.view::<Vec<Value>>("/spec/limits"));
    let of_containers = limits.filter(|limit| limit.get("type").and_then(Value::as_str) == Some("Container"));
    of_containers
        .filter_map(|limit| Quantity::of(limit.pointer("/maxLimitRequestRatio/memory")?))
        .map(|ratio| ratio.milli / 1000)
        .filter(|ratio| *ratio > 0)
        .min()
}

/// QoS class Guaranteed: every container has cpu and memory limits, and requests that equal them or are absent.
fn is_guaranteed(spec: &PodSpec) -> bool {
    let equal = |container: &crate::model::kube::Container| {
        ["cpu", "memory"].iter().all(|resource| {
            let limit = container.resources.limits.get(*resource).and_then(Quantity::of);
            let request = container.resources.requests.get(*resource).and_then(Quantity::of);
            limit.is_some() && (request.is_none() || request == limit)
        })
    };
    spec.containers.iter().chain(&spec.init_containers).all(equal)
}

fn mebi(bytes: i128) -> String {
    Quantity::whole(bytes).written_like("Mi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_by_steps() {
        for (from, to) in
            [(32, "64Mi"), (100, "208Mi"), (200, "448Mi"), (512, "1Gi"), (1024, "1536Mi"), (3000, "4608Mi")]
        {
            assert_eq!(mebi(grow(from * MEBI)), to, "{from}Mi");
        }
    }

    #[test]
    fn a_slip_of_the_unit_is_the_same_number_in_mebibytes() {
        let to = |text: &str, bytes| slip(text, bytes, &mut Vec::new()).map(|w| mebi(w.bytes)).unwrap();
        assert_eq!(to("128m", 1), "128Mi");
        assert_eq!(to("512", 512), "512Mi");
        assert_eq!(to("4Mi", 4 * MEBI), "32Mi");
        assert_eq!(to("12Mi", 12 * MEBI), "48Mi");
    }
}
