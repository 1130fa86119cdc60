//! A local API server over recorded objects; it misbehaves.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use aifix::doors::files;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

/// What it does instead of answering.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers with this status, these headers and a `Status` with this message.
    Fail(u16, &'static str, &'static str),
    /// Says nothing until the client goes.
    Silence,
    /// Closes the connection.
    Close,
    /// Says after each page that there is another.
    Endless,
    /// Answers with exactly this body.
    Body(String),
    /// The same, of bytes that need not be text.
    Bytes(Vec<u8>),
    /// Answers as ever, once all others that share the barrier were asked too.
    Meet(Arc<Barrier>),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, Vec<String>>,
}

struct Rule {
    part: String,
    times: usize,
    act: Act,
}

struct Shared {
    objects: Vec<Value>,
    logs: BTreeMap<String, String>,
    /// The clock that it tells, as HTTP writes it.
    date: String,
    page: usize,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    answers_left: AtomicUsize,
    /// A token that is refused.
    expired: Mutex<Option<String>>,
    stop: AtomicBool,
}

/// The clock that it tells, where no recording has one.
pub(crate) const DATE: &str = "Sun, 22 Nov 2026 16:46:58 GMT";

/// Kinds that it serves: everything else is 404.
const KINDS: [(&str, &str, &str); 46] = [
    ("v1", "pods", "Pod"),
    ("v1", "events", "Event"),
    ("v1", "services", "Service"),
    ("v1", "configmaps", "ConfigMap"),
    ("v1", "secrets", "Secret"),
    ("v1", "serviceaccounts", "ServiceAccount"),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    ("v1", "persistentvolumes", "PersistentVolume"),
    ("v1", "namespaces", "Namespace"),
    ("v1", "nodes", "Node"),
    ("v1", "resourcequotas", "ResourceQuota"),
    ("v1", "limitranges", "LimitRange"),
    ("v1", "endpoints", "Endpoints"),
    ("v1", "replicationcontrollers", "ReplicationController"),
    ("apps/v1", "deployments", "Deployment"),
    ("apps/v1", "replicasets", "ReplicaSet"),
    ("apps/v1", "statefulsets", "StatefulSet"),
    ("apps/v1", "daemonsets", "DaemonSet"),
    ("apps/v1", "controllerrevisions", "ControllerRevision"),
    ("batch/v1", "jobs", "Job"),
    ("batch/v1", "cronjobs", "CronJob"),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
    ("networking.k8s.io/v1", "ingresses", "Ingress"),
    ("networking.k8s.io/v1", "ingressclasses", "IngressClass"),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
    ("node.k8s.io/v1", "runtimeclasses", "RuntimeClass"),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass"),
    ("storage.k8s.io/v1", "storageclasses", "StorageClass"),
    ("storage.k8s.io/v1", "csidrivers", "CSIDriver"),
    ("storage.k8s.io/v1", "volumeattachments", "VolumeAttachment"),
    ("rbac.authorization.k8s.io/v1", "roles", "Role"),
    ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    ("apiregistration.k8s.io/v1", "apiservices", "APIService"),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition"),
    ("coordination.k8s.io/v1", "leases", "Lease"),
    ("kustomize.toolkit.fluxcd.io/v1beta2", "kustomizations", "Kustomization"),
    ("argoproj.io/v1alpha1", "rollouts", "Rollout"),
    ("example.org/v1", "widgets", "Widget"),
];

/// The plural of a kind that it serves.
pub(crate) fn plural(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|row| row.2 == kind).map(|row| row.1)
}

pub(crate) struct ApiServer {
    port: u16,
    shared: Arc<Shared>,
}

impl ApiServer {
    /// Serves the objects and logs of a recorded case.
    pub(crate) fn recorded(case: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(case);
        let list: Value = serde_json::from_slice(&files::read(&folder.join("objects.json")).unwrap()).unwrap();
        let logs = files::read(&folder.join("logs.txt")).map(|b| String::from_utf8(b).unwrap()).unwrap_or_default();
        let at: Option<jiff::Timestamp> =
            files::read(&folder.join("taken-at")).ok().map(|at| String::from_utf8(at).unwrap().trim().parse().unwrap());
        let date = at.map_or(DATE.to_owned(), |at| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        Self::at(list["items"].as_array().unwrap().clone(), &logs, 500, date)
    }

    /// Serves these objects, `page` of them at a time, and a `logs.txt`.
    pub(crate) fn start(objects: Vec<Value>, logs: &str, page: usize) -> Self {
        Self::at(objects, logs, page, DATE.to_owned())
    }

    fn at(objects: Vec<Value>, logs: &str, page: usize, date: String) -> Self {
        let mut sections = BTreeMap::new();
        for section in logs.split("== ").filter(|section| !section.is_empty()) {
            let (head, body) = section.split_once('\n').unwrap();
            sections.insert(head.to_owned(), body.to_owned());
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            objects,
            logs: sections,
            date,
            page,
            rules: Mutex::default(),
            seen: Mutex::default(),
            answers_left: AtomicUsize::new(usize::MAX),
            expired: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.stop.load(Ordering::SeqCst) {
                    return;
                }
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.connection(stream));
            }
        });
        Self { port, shared }
    }

    /// Kinds of which it has objects.
    pub(crate) fn kinds(&self) -> BTreeSet<String> {
        self.shared.objects.iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// Its objects of all other kinds.
    pub(crate) fn objects_without(&self, kind: &str) -> Vec<Value> {
        self.shared.objects.iter().filter(|object| object["kind"] != kind).cloned().collect()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Misbehaves whenever the path and query contain `part`; `$` is their end.
    pub(crate) fn always(&self, part: &str, act: Act) -> &Self {
        self.rule(part, usize::MAX, act)
    }

    /// Misbehaves once.
    pub(crate) fn once(&self, part: &str, act: Act) -> &Self {
        self.rule(part, 1, act)
    }

    fn rule(&self, part: &str, times: usize, act: Act) -> &Self {
        self.shared.rules.lock().unwrap().push(Rule { part: part.to_owned(), times, act });
        self
    }

    /// Closes every connection without an answer after this many answers.
    pub(crate) fn dies_after(&self, answers: usize) -> &Self {
        self.shared.answers_left.store(answers, Ordering::SeqCst);
        self
    }

    /// Refuses this token from now on.
    pub(crate) fn expires(&self, token: &str) -> &Self {
        *self.shared.expired.lock().unwrap() = Some(format!("Bearer {token}"));
        self
    }

    /// Every request that came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Paths and queries of requests that contain `part`.
    pub(crate) fn targets(&self, part: &str) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).filter(|target| target.contains(part)).collect()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

struct Answer {
    code: u16,
    headers: String,
    body: Vec<u8>,
}

fn status(code: u16, headers: &str, message: &str) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
    Answer { code, headers: headers.to_owned(), body: body.to_string().into_bytes() }
}

fn ok(body: &(impl ToString + ?Sized)) -> Answer {
    Answer { code: 200, headers: String::new(), body: body.to_string().into_bytes() }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some(seen) = request(&mut reader) {
            self.seen.lock().unwrap().push(seen.clone());
            if self.answers_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err() {
                return;
            }
            let token = seen.headers.get("authorization").and_then(|values| values.first());
            let expired = token.is_some() && token == self.expired.lock().unwrap().as_ref();
            let answer = match self.rule_for(&seen.target) {
                _ if expired => status(401, "", "Unauthorized"),
                None => self.answer(&seen, false),
                Some(Act::Endless) => self.answer(&seen, true),
                Some(Act::Fail(code, headers, message)) => status(code, headers, message),
                Some(Act::Body(body)) => ok(&body),
                Some(Act::Bytes(body)) => Answer { code: 200, headers: String::new(), body },
                Some(Act::Meet(all)) => {
                    all.wait();
                    self.answer(&seen, false)
                }
                Some(Act::Close) => return,
                Some(Act::Silence) => {
                    let _ = reader.read_to_end(&mut Vec::new());
                    return;
                }
            };
            let head = format!(
                "HTTP/1.1 {} X\r\nDate: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n",
                answer.code,
                self.date,
                answer.body.len(),
                answer.headers
            );
            // One write: two would wait for each other's acknowledgement.
            if writer.write_all(&[head.as_bytes(), &answer.body].concat()).is_err() {
                return;
            }
        }
    }

    fn rule_for(&self, target: &str) -> Option<Act> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.times > 0 && format!("{target}$").contains(&rule.part))?;
        rule.times -= 1;
        Some(rule.act.clone())
    }

    fn answer(&self, seen: &Seen, endless: bool) -> Answer {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        if seen.method == "POST" && path == "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" {
            let all = json!({"verbs": ["get", "list"], "apiGroups": ["*"], "resources": ["*"]});
            return ok(
                &json!({"kind": "SelfSubjectRulesReview", "status": {"incomplete": false, "resourceRules": [all]}}),
            );
        }
        if seen.method == "POST" && path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
            return ok(&json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": true}}));
        }
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        if path == "/apis" {
            return Self::groups();
        }
        let not_found = || status(404, "", "the server could not find the requested resource");
        let mut steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let version = match steps.first() {
            Some(&"api") if steps.len() > 1 => steps.drain(..2).skip(1).collect::<Vec<_>>().join("/"),
            Some(&"apis") if steps.len() > 2 => steps.drain(..3).skip(1).collect::<Vec<_>>().join("/"),
            _ => return not_found(),
        };
        match steps.as_slice() {
            [] => Self::resources(&version),
            ["namespaces", namespace, "pods", pod, "log"] => self.log(namespace, pod, &query),
            ["namespaces", namespace, plural, name] => self.one(&version, plural, Some(namespace), name),
            ["namespaces", namespace, plural] => self.list(seen, &version, plural, Some(namespace), &query, endless),
            [plural, name] => self.one(&version, plural, None, name),
            [plural] => self.list(seen, &version, plural, None, &query, endless),
            _ => not_found(),
        }
    }

    fn groups() -> Answer {
        let versions: BTreeMap<&str, &str> =
            KINDS.iter().filter_map(|row| Some((row.0.split_once('/')?.0, row.0))).collect();
        let group = |(name, version): (&&str, &&str)| json!({"name": name, "preferredVersion": {"groupVersion": version}, "versions": [{"groupVersion": version}]});
        ok(&json!({"kind": "APIGroupList", "groups": versions.iter().map(group).collect::<Vec<_>>()}))
    }

    fn resources(version: &str) -> Answer {
        let served = KINDS.iter().filter(|(served, ..)| *served == version);
        let served: Vec<Value> = served.map(|(_, name, kind)| json!({"name": name, "kind": kind})).collect();
        ok(&json!({"kind": "APIResourceList", "resources": served}))
    }

    fn of(&self, version: &str, plural: &str, namespace: Option<&str>) -> Option<(Vec<&Value>, &'static str)> {
        let (.., kind) = KINDS.iter().find(|(served, name, _)| *served == version && *name == plural)?;
        let found = self.objects.iter().filter(|object| {
            object["kind"] == *kind
                && object["apiVersion"] == version
                && namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
        });
        Some((found.collect(), kind))
    }

    fn one(&self, version: &str, plural: &str, namespace: Option<&str>, name: &str) -> Answer {
        let found = self.of(version, plural, namespace).map(|(found, _)| found).unwrap_or_default();
        match found.into_iter().find(|object| object["metadata"]["name"] == name) {
            Some(object) => ok(object),
            None => status(404, "", &format!("{plural} {name:?} not found")),
        }
    }

    fn list(
        &self,
        seen: &Seen,
        version: &str,
        plural: &str,
        namespace: Option<&str>,
        query: &BTreeMap<&str, &str>,
        endless: bool,
    ) -> Answer {
        let Some((found, kind)) = self.of(version, plural, namespace) else {
            return status(404, "", "the server could not find the requested resource");
        };
        let start: usize = query.get("continue").map_or(0, |token| token.trim_start_matches("at-").parse().unwrap());
        let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap()).min(self.page);
        let end = start.saturating_add(limit);
        let only_metadata = seen.headers["accept"][0].contains("as=PartialObjectMetadataList");
        let bare = |object: &&Value| {
            let mut fields: Map<String, Value> = object.as_object().unwrap().clone();
            fields.remove("kind");
            fields.remove("apiVersion");
            if only_metadata {
                own_keys(&mut fields);
                fields.retain(|name, _| name == "metadata");
            }
            Value::Object(fields)
        };
        let items: Vec<Value> = found.iter().skip(start).take(limit).map(bare).collect();
        let more = endless || end < found.len();
        let kind = if only_metadata { "PartialObjectMetadataList".to_owned() } else { format!("{kind}List") };
        let token = if more { format!("at-{end}") } else { String::new() };
        ok(&json!({"kind": kind, "apiVersion": version, "metadata": {"continue": token}, "items": items}))
    }

    fn log(&self, _: &str, pod: &str, query: &BTreeMap<&str, &str>) -> Answer {
        let run = if query.contains_key("previous") { "--previous" } else { "current" };
        match self.logs.get(&format!("pod/{pod} container={} {run}", query["container"])) {
            Some(body) => ok(body),
            None => status(400, "", "previous terminated container not found"),
        }
    }
}

/// A server knows who set which key; `kubectl get`, which wrote the recordings, leaves it out.
fn own_keys(object: &mut Map<String, Value>) {
    let keys = |name: &str| {
        let keys = object.get(name)?.as_object()?.keys();
        Some((format!("f:{name}"), keys.map(|key| (format!("f:{key}"), json!({}))).collect::<Map<_, _>>().into()))
    };
    let owned: Map<String, Value> = ["data", "binaryData"].into_iter().filter_map(keys).collect();
    let metadata = object["metadata"].as_object_mut().unwrap();
    if !owned.is_empty() && !metadata.contains_key("managedFields") {
        let entry = json!({"manager": "kubectl", "operation": "Update", "fieldsV1": owned});
        metadata.insert("managedFields".to_owned(), json!([entry]));
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.entry(name.to_lowercase()).or_default().push(value.trim().to_owned());
    }
    if let Some(length) = headers.get("content-length").and_then(|values| values[0].parse().ok()) {
        reader.read_exact(&mut vec![0; length]).ok()?;
    }
    Some(Seen { method, target, headers })
}
