//! A local forge that keeps pull requests as GitHub, GitLab or Gitea do; it misbehaves on demand.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Whose shapes it answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plays {
    GitHub,
    GitLab,
    Gitea,
}

/// What it does instead of answering.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// This status, these headers and this body.
    Answer(u16, &'static str, &'static str),
    /// Closes the connection.
    Close,
    /// Bytes without end.
    Endless,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

struct Rule {
    method: &'static str,
    part: &'static str,
    times: usize,
    act: Act,
}

/// One pull request as the forge keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) head: String,
    pub(crate) base: String,
    /// `open`, `closed` or `merged`.
    pub(crate) state: &'static str,
    pub(crate) draft: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) reviewers: Vec<String>,
    /// The commit of the merge; Grace merged it.
    pub(crate) merge: Option<String>,
    /// Who said what, oldest first: `APPROVED`, `CHANGES_REQUESTED`.
    pub(crate) reviews: Vec<(&'static str, &'static str)>,
}

struct Shared {
    plays: Plays,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    kept: Mutex<Vec<Kept>>,
    stop: AtomicBool,
}

pub(crate) struct ForgeServer {
    port: u16,
    shared: Arc<Shared>,
}

impl ForgeServer {
    pub(crate) fn start(plays: Plays) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            plays,
            rules: Mutex::default(),
            seen: Mutex::default(),
            kept: Mutex::default(),
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

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next `times` requests of `method` whose target holds `part` get this instead of an answer.
    pub(crate) fn rule(&self, method: &'static str, part: &'static str, times: usize, act: Act) {
        self.shared.rules.lock().unwrap().push(Rule { method, part, times, act });
    }

    /// Every request that came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.shared.kept.lock().unwrap().clone()
    }

    /// What a person does at the forge.
    pub(crate) fn change(&self, at: usize, change: impl FnOnce(&mut Kept)) {
        change(&mut self.shared.kept.lock().unwrap()[at]);
    }
}

impl Drop for ForgeServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some(seen) = request(&mut reader) {
            self.seen.lock().unwrap().push(seen.clone());
            let sent = match self.act(&seen) {
                None => {
                    let (code, body) = self.answer(&seen);
                    answer(&mut writer, code, "", &body.to_string())
                }
                Some(Act::Answer(code, headers, body)) => answer(&mut writer, code, headers, body),
                Some(Act::Close) => return,
                Some(Act::Endless) => return endless(&mut writer),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn act(&self, seen: &Seen) -> Option<Act> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules
            .iter_mut()
            .find(|rule| rule.times > 0 && rule.method == seen.method && seen.target.contains(rule.part))?;
        rule.times -= 1;
        Some(rule.act.clone())
    }

    fn answer(&self, seen: &Seen) -> (u16, Value) {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let root = match self.plays {
            Plays::GitHub => "/api/v3/repos/acme/shop",
            Plays::GitLab => "/api/v4/projects/acme%2Fshop",
            Plays::Gitea => "/api/v1/repos/acme/shop",
        };
        // The fork of a GitLab: its merge requests are kept by the project that they ask.
        let fork = "/api/v4/projects/ada%2Fshop";
        let is_fork = path.starts_with(fork);
        let Some(rest) = path.strip_prefix(if is_fork { fork } else { root }) else {
            return self.outside(path, query);
        };
        if seen.authorization.is_empty() {
            return (401, json!({"message": "Requires authentication"}));
        }
        let parts: Vec<String> = rest.split('/').skip(1).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let query =
            |name: &str| query.split('&').find_map(|pair| Some(decoded(pair.strip_prefix(name)?.strip_prefix('=')?)));
        let mut kept = self.kept.lock().unwrap();
        match (seen.method.as_str(), parts.as_slice()) {
            ("GET", []) => (200, json!({"id": if is_fork { 7 } else { 3 }, "full_name": "acme/shop", "empty": false})),
            ("POST", ["merge_requests"]) if is_fork && seen.body["target_project_id"] == 3 => {
                let mut body = seen.body.clone();
                body["source_branch"] = format!("ada:{}", body["source_branch"].as_str().unwrap()).into();
                self.create(&mut kept, &body)
            }
            _ if is_fork => (404, json!({"message": "404 Not found"})),
            ("GET", ["pulls"]) if self.plays == Plays::GitHub => {
                let head = query("head").unwrap();
                let head = head.strip_prefix("acme:").unwrap_or(&head);
                (200, self.list(&kept, |one| one.head == head && Some(&one.base) == query("base").as_ref()))
            }
            ("GET", ["merge_requests"]) => {
                let (head, base) = (query("source_branch").unwrap(), query("target_branch").unwrap());
                (200, self.list(&kept, |one| one.head.trim_start_matches("ada:") == head && one.base == base))
            }
            ("GET", ["pulls"]) => {
                let base = query("base_branch").unwrap();
                (200, self.list(&kept, |one| one.state == "open" && one.base == base))
            }
            ("GET", ["pulls" | "merge_requests", number]) => {
                let at = number.parse::<usize>().unwrap() - 1;
                (200, self.shape(at, &kept[at]))
            }
            ("GET", ["pulls" | "merge_requests", number, "reviews" | "approvals"]) => {
                (200, self.reviews(&kept[number.parse::<usize>().unwrap() - 1]))
            }
            ("GET", ["pulls", base, head]) => {
                let found = kept.iter().position(|one| one.base == *base && one.head == *head);
                found.map_or((404, json!({"message": "not found"})), |at| (200, self.shape(at, &kept[at])))
            }
            ("POST", ["pulls" | "merge_requests"]) => self.create(&mut kept, &seen.body),
            ("PATCH" | "PUT", ["pulls" | "merge_requests", number]) => {
                let at = number.parse::<usize>().unwrap() - 1;
                self.write(&mut kept[at], &seen.body);
                (200, self.shape(at, &kept[at]))
            }
            ("POST", ["issues", number, "labels"]) => {
                let one = &mut kept[number.parse::<usize>().unwrap() - 1];
                one.labels.extend(names(&seen.body["labels"]));
                let labels: Vec<Value> = one.labels.iter().map(|name| json!({"id": 1, "name": name})).collect();
                (200, json!(labels))
            }
            ("POST", ["pulls", number, "requested_reviewers"]) => {
                let at = number.parse::<usize>().unwrap() - 1;
                let (people, teams) = (names(&seen.body["reviewers"]), names(&seen.body["team_reviewers"]));
                kept[at].reviewers.extend(people.into_iter().chain(teams.into_iter().map(|team| format!("@{team}"))));
                (201, self.shape(at, &kept[at]))
            }
            _ => (404, json!({"message": "Not Found"})),
        }
    }

    /// What a stranger may ask.
    fn outside(&self, path: &str, query: &str) -> (u16, Value) {
        match (self.plays, path) {
            (Plays::Gitea, "/api/v1/version") => (200, json!({"version": "1.26.0"})),
            (Plays::GitLab, "/api/v4/version") => (401, json!({"message": "401 Unauthorized"})),
            (Plays::GitLab, "/api/v4/users") if query == "username=ada" => {
                (200, json!([{"id": 41, "username": "ada", "state": "active"}]))
            }
            (Plays::GitLab, "/api/v4/users") => (200, json!([])),
            (Plays::GitHub, "/api/v3/meta") => (200, json!({"verifiable_password_authentication": false})),
            _ => (404, json!({"message": "Not Found"})),
        }
    }

    /// Newest first.
    fn list(&self, kept: &[Kept], wanted: impl Fn(&Kept) -> bool) -> Value {
        let rows = kept.iter().enumerate().rev().filter(|(_, one)| wanted(one));
        Value::Array(rows.map(|(at, one)| self.shape(at, one)).collect())
    }

    fn create(&self, kept: &mut Vec<Kept>, body: &Value) -> (u16, Value) {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (head, base) = match self.plays {
            Plays::GitLab => (text("source_branch"), text("target_branch")),
            _ => (text("head"), text("base")),
        };
        if kept.iter().any(|one| one.head == head && one.base == base && one.state == "open") {
            return match self.plays {
                Plays::GitHub => {
                    let why = format!("A pull request already exists for acme:{head}.");
                    let error = json!({"resource": "PullRequest", "code": "custom", "message": why});
                    (422, json!({"message": "Validation Failed", "errors": [error], "status": "422"}))
                }
                Plays::GitLab => {
                    (409, json!({"message": ["Another open merge request already exists for this source branch: !1"]}))
                }
                Plays::Gitea => (409, json!({"message": "pull request already exists for these targets [id: 1]"})),
            };
        }
        let mut one = Kept {
            title: String::new(),
            body: String::new(),
            head,
            base,
            state: "open",
            draft: body["draft"] == true,
            labels: Vec::new(),
            reviewers: Vec::new(),
            merge: None,
            reviews: Vec::new(),
        };
        self.write(&mut one, body);
        kept.push(one);
        (201, self.shape(kept.len() - 1, &kept[kept.len() - 1]))
    }

    fn write(&self, one: &mut Kept, body: &Value) {
        let key = if self.plays == Plays::GitLab { "description" } else { "body" };
        if let Some(text) = body[key].as_str() {
            text.clone_into(&mut one.body);
        }
        if let Some(title) = body["title"].as_str() {
            title.clone_into(&mut one.title);
            match self.plays {
                Plays::GitHub => {}
                Plays::GitLab => one.draft = title.starts_with("Draft:"),
                Plays::Gitea => one.draft = title.starts_with("WIP:"),
            }
        }
        if let Some(labels) = body["add_labels"].as_str() {
            one.labels.extend(labels.split(',').map(str::to_owned));
        }
        if let Some(ids) = body["reviewer_ids"].as_array() {
            one.reviewers.extend(ids.iter().map(ToString::to_string));
        }
    }

    fn reviews(&self, one: &Kept) -> Value {
        let said = one.reviews.iter().map(|(by, state)| match self.plays {
            Plays::GitHub => json!({"user": {"login": by}, "state": state}),
            Plays::Gitea => {
                json!({"user": {"login": by}, "state": state.replace("CHANGES_REQUESTED", "REQUEST_CHANGES"), "dismissed": false})
            }
            Plays::GitLab => json!({"user": {"username": by}}),
        });
        let said: Vec<Value> = said.collect();
        if self.plays == Plays::GitLab { json!({"approved": true, "approved_by": said}) } else { json!(said) }
    }

    fn shape(&self, at: usize, one: &Kept) -> Value {
        let mut shape = self.plain_shape(at, one);
        if let Some(merge) = &one.merge {
            let key = if self.plays == Plays::GitLab { "squash_commit_sha" } else { "merge_commit_sha" };
            shape[key] = merge.as_str().into();
            let (key, name) =
                if self.plays == Plays::GitLab { ("merge_user", "username") } else { ("merged_by", "login") };
            shape[key] = json!({name: "grace"});
        }
        shape
    }

    fn plain_shape(&self, at: usize, one: &Kept) -> Value {
        let number = at + 1;
        let merged = (one.state == "merged").then_some("2026-11-28T08:00:00Z");
        let state = if one.state == "open" { "open" } else { "closed" };
        let page = "https://evil.example/pulls/1";
        match self.plays {
            Plays::GitHub => json!({
                "id": 900 + at, "number": number, "state": state, "draft": one.draft, "title": one.title,
                "body": one.body, "merged_at": merged, "html_url": page,
                "head": {"label": format!("acme:{}", one.head), "ref": one.head}, "base": {"ref": one.base},
            }),
            Plays::GitLab => json!({
                "id": 900 + at, "iid": number, "project_id": 3, "title": one.title, "description": one.body,
                "state": if one.state == "open" { "opened" } else { one.state }, "draft": one.draft,
                "merged_at": merged, "source_branch": one.head.trim_start_matches("ada:"),
                "source_project_id": if one.head.starts_with("ada:") { 7 } else { 3 }, "target_branch": one.base, "web_url": page,
            }),
            Plays::Gitea => json!({
                "id": 900 + at, "number": number, "state": state, "draft": one.draft, "title": one.title,
                "body": one.body, "merged": merged.is_some(), "merged_at": merged, "html_url": page,
                "head": {"label": one.head, "ref": one.head}, "base": {"label": one.base, "ref": one.base},
            }),
        }
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Without percent signs.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

fn answer(writer: &mut TcpStream, code: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    writer.write_all(format!("{head}{body}").as_bytes())
}

/// Sends chunks until the client goes.
fn endless(writer: &mut TcpStream) {
    let mut sent = writer.write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
    while sent.is_ok() {
        std::thread::sleep(Duration::ZERO);
        sent = writer.write_all(&chunk);
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let (mut authorization, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { method, target, authorization, body: serde_json::from_slice(&body).unwrap_or_default() })
}
