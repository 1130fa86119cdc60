//! Repositories that are not what a repository should be: a clear refusal, nothing changed, nothing left over.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use crate::road::bytes;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// A repository that `make` fills; what it left is committed and pushed.
fn repository(make: impl FnOnce(&Sandbox)) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    make(&sandbox);
    sandbox.git("work", &["add", "-A"]);
    commit(&sandbox);
    sandbox
}

fn commit(sandbox: &Sandbox) {
    sandbox.git("work", &["commit", "-qm", "Change it", "--allow-empty"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
}

fn command(sandbox: &Sandbox, program: &str) -> Command {
    let scratch = sandbox.path("scratch");
    fs::create_dir_all(&scratch).unwrap();
    let mut command = sandbox.command(program);
    command.env("TMPDIR", scratch).current_dir(sandbox.path("work"));
    command
}

/// Proposes; whatever comes of it, the repository is as before and nothing lies in the temporary folder.
fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let before = bytes(&sandbox.path("work"));
    let mut command = command(sandbox, env!("CARGO_BIN_EXE_aifix"));
    command.args(["propose", "deployment/web", "--from", &recorded("oom-killed")]).args(more);
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(bytes(&sandbox.path("work")), before, "{}{}", ran.out, ran.err);
    let left: Vec<_> = fs::read_dir(sandbox.path("scratch")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    ran
}

/// Refused with this code, and these words are said.
#[track_caller]
fn refused(sandbox: &Sandbox, code: &str, words: &[&str]) {
    let ran = propose(sandbox, &[]).exits(4);
    for word in [code].iter().chain(words) {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}

const KUSTOMIZATION: &str = "namespace: cat-oom-killed\nresources:\n";

#[test]
fn links_in_a_circle_are_refused() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n- ../loop/web\n"));
        sandbox.write("work/prod/web.yaml", &oom_manifest());
        symlink("there", sandbox.path("work/loop")).unwrap();
        symlink("loop", sandbox.path("work/there")).unwrap();
        symlink(".", sandbox.path("work/self")).unwrap();
    });
    refused(&sandbox, "path-escape", &["../loop/web"]);
}

#[test]
fn a_link_to_the_whole_repository_is_no_second_folder() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/k8s/web.yaml", &oom_manifest());
        symlink(".", sandbox.path("work/k8s/again")).unwrap();
        symlink("..", sandbox.path("work/k8s/up")).unwrap();
    });
    propose(&sandbox, &[]).exits(0);
}

#[test]
fn a_submodule_is_named_and_not_entered() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n- ../lib/base\n"));
        sandbox.write("work/prod/web.yaml", &oom_manifest());
    });
    let id = sandbox.git("work", &["rev-parse", "HEAD"]);
    sandbox.git("work", &["update-index", "--add", "--cacheinfo", &format!("160000,{id},lib")]);
    fs::create_dir(sandbox.path("work/lib")).unwrap();
    commit(&sandbox);
    refused(&sandbox, "remote-source", &["`lib` is a submodule"]);
    // The same where nothing names it: it may hold the object.
    sandbox.git("work", &["rm", "-q", "-r", "prod"]);
    commit(&sandbox);
    refused(&sandbox, "no-owner-in-git", &["`lib` is a submodule: not looked at"]);
}

#[test]
fn a_pointer_of_git_lfs_is_no_manifest_and_is_told() {
    let sandbox = repository(|sandbox| {
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 900\n", "0".repeat(64));
        sandbox.write("work/k8s/web.yaml", &pointer);
    });
    refused(&sandbox, "no-owner-in-git", &["`k8s/web.yaml` is a Git LFS pointer"]);
}

#[test]
fn a_file_of_100_mib_is_no_manifest_and_is_told() {
    let sandbox = repository(|sandbox| {
        let file = fs::File::create(sandbox.path("work/web.yaml")).unwrap();
        file.set_len(100 << 20).unwrap();
    });
    refused(&sandbox, "no-owner-in-git", &["`web.yaml` has 100 MiB"]);
    sandbox.write("work/k8s/web.yaml", &oom_manifest());
    sandbox.git("work", &["add", "-A"]);
    commit(&sandbox);
    propose(&sandbox, &[]).exits(0);
}

/// Repositories that name `big.yaml` in each of the ways in which a renderer reads a file.
fn naming(big: impl Fn(&Sandbox, &str)) -> Vec<(Sandbox, Vec<&'static str>)> {
    let chart = "apiVersion: v2\nname: web\nversion: 0.1.0\n";
    let mut all = Vec::new();
    for field in ["resources: [web.yaml, big.yaml]", "resources: [web.yaml]\npatches: [{path: big.yaml}]"] {
        let sandbox = repository(|sandbox| {
            sandbox.write("work/p/kustomization.yaml", &format!("namespace: cat-oom-killed\n{field}\n"));
            sandbox.write("work/p/web.yaml", &oom_manifest());
            big(sandbox, "work/p/big.yaml");
        });
        all.push((sandbox, vec!["--path", "p"]));
    }
    for (file, more) in [("work/p/templates/big.yaml", &[][..]), ("work/big.yaml", &["--values", "big.yaml"])] {
        let sandbox = repository(|sandbox| {
            sandbox.write("work/p/Chart.yaml", chart);
            sandbox.write("work/p/templates/web.yaml", &oom_manifest());
            big(sandbox, file);
        });
        all.push((sandbox, [&["--path", "p"], more].concat()));
    }
    all
}

#[test]
fn a_pointer_of_git_lfs_that_is_named_is_refused_by_its_name() {
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 900\n", "0".repeat(64));
    for (sandbox, args) in naming(|sandbox, path| drop(sandbox.write(path, &pointer))) {
        let ran = propose(&sandbox, &args).exits(4);
        let words = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("remote-source") && words.contains("big.yaml` is a Git LFS pointer"),
            "{args:?}: {words}"
        );
    }
}

#[test]
fn a_file_of_100_mib_that_is_named_is_refused_by_its_name() {
    for (sandbox, args) in naming(|sandbox, path| {
        sandbox.write(path, "");
        fs::File::options().write(true).open(sandbox.path(path)).unwrap().set_len(100 << 20).unwrap();
    }) {
        let ran = propose(&sandbox, &args).exits(4);
        let words = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("render-limit") && words.contains("big.yaml` is too large"), "{args:?}: {words}");
    }
}

/// A repository where somebody does this while the renderer runs for the first time, and what came of it.
fn meanwhile(does: &str, more: &[&str]) -> (Sandbox, Ran) {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n"));
        sandbox.write("work/prod/web.yaml", &oom_manifest());
    });
    let script = format!(
        "marker='{}'\nif [ ! -e \"$marker\" ]; then\ncd '{}' || exit 7\n\
         export PATH=/usr/local/bin:/usr/bin:/bin GIT_CONFIG_GLOBAL=/dev/null\n{does}\n\
         git for-each-ref > \"$marker\"\nfi\nexec '{}' \"$@\"",
        sandbox.path("meanwhile").display(),
        sandbox.path("work").display(),
        crate::source::tools().kustomize.unwrap().display(),
    );
    let path = renderer(&sandbox, &script);
    let mut command = command(&sandbox, env!("CARGO_BIN_EXE_aifix"));
    command.env("PATH", path).args(["propose", "deployment/web", "--from", &recorded("oom-killed")]).args(more);
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(fs::read_to_string(sandbox.path("work/.git/HEAD")).unwrap(), "ref: refs/heads/other\n");
    assert_eq!(fs::read_dir(sandbox.path("scratch")).unwrap().count(), 0);
    (sandbox, ran)
}

const TIDY: &str = "git checkout -q --orphan other\ngit -c user.name=a -c user.email=a@b commit -qm Other\n\
                    git branch -qD main\ngit update-ref -d refs/remotes/origin/HEAD\n\
                    git update-ref -d refs/remotes/origin/main\ngit reflog expire --expire=now --all\n\
                    git gc -q --prune=now";

#[test]
fn a_clone_that_is_switched_and_tidied_meanwhile_is_left_as_it_is() {
    let refs = |text: &str| -> Vec<String> {
        let own = |line: &&str| !line.contains("refs/aifix/") && !line.contains("refs/remotes/origin/aifix/");
        text.lines().filter(own).map(str::to_owned).collect()
    };
    let (sandbox, ran) = meanwhile(TIDY, &[]);
    // What is there afterwards is what the person left, and what was read is held by a ref of our own.
    let left = fs::read_to_string(sandbox.path("meanwhile")).unwrap();
    assert_eq!(refs(&sandbox.git("work", &["for-each-ref"])), refs(&left));
    assert_eq!(refs(&left).len(), 1, "{left}");
    assert!(ran.code == 0 && ran.out.contains("memory: 64Mi"), "{}{}", ran.out, ran.err);
    let (sandbox, ran) = meanwhile(TIDY, &["--push", "--yes=review"]);
    let left = fs::read_to_string(sandbox.path("meanwhile")).unwrap();
    assert_eq!(refs(&sandbox.git("work", &["for-each-ref"])), refs(&left));
    let branches = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname)", "refs/heads/aifix"]);
    assert_eq!((ran.code, branches.lines().count()), (0, 1), "{}{}", ran.out, ran.err);
}

#[test]
fn a_clone_that_is_gone_meanwhile_is_an_error_and_nothing_is_pushed() {
    let gone = format!("{TIDY}\nrm -rf .git/objects/pack .git/objects/??");
    let (sandbox, ran) = meanwhile(&gone, &["--push", "--yes=review"]);
    assert!(ran.code == 2 && ran.err.contains("can't be read"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("hint: ") && ran.err.contains("git fsck"), "{}", ran.err);
    let branches = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(branches, "refs/heads/main");
}

#[test]
fn a_name_that_is_no_text_is_told_and_hides_nothing() {
    let sandbox = repository(|sandbox| {
        fs::write(sandbox.path("work").join(OsStr::from_bytes(b"w\xffb.yaml")), oom_manifest()).unwrap();
        sandbox.write("work/\u{1b}[2J\u{202e}.yaml", "kind: Nothing\n");
    });
    refused(&sandbox, "no-owner-in-git", &["1 name that is not UTF-8"]);
    sandbox.write("work/k8s/web.yaml", &oom_manifest());
    sandbox.git("work", &["add", "-A"]);
    commit(&sandbox);
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\u{202e}'), "{}", ran.out);
}

#[test]
fn a_kustomization_that_includes_itself_is_a_circle() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n- ../base\n"));
        sandbox.write("work/prod/web.yaml", &oom_manifest());
        sandbox.write("work/base/kustomization.yaml", "resources: [../prod]\n");
    });
    refused(&sandbox, "render-failed", &["circle", "`base` -> `prod` -> `base`"]);
}

/// A `kustomize` that answers its version, and else does as told.
fn renderer(sandbox: &Sandbox, script: &str) -> String {
    let text = format!("#!/bin/sh\n[ \"$1\" = version ] && exec /bin/echo v5.8.2\n{script}\n");
    let path = sandbox.write("tools/kustomize", &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", sandbox.path("tools").display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_renderer_that_prints_without_end_fails_or_prints_secrets_says_nothing_of_them() {
    for (script, code, word) in [
        ("exec /usr/bin/yes 'password: hunter2hunter2'", "render-limit", "64 MiB"),
        ("/bin/echo 'token: ghp_0123456789abcdefghijABCDEFGHIJ012345' >&2; exit 1", "render-failed", "does not render"),
        ("/bin/echo '{{{ no yaml'", "render-failed", "no YAML"),
        ("kill -9 $$", "render-failed", "does not render"),
    ] {
        let sandbox = repository(|sandbox| {
            sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n"));
            sandbox.write("work/prod/web.yaml", &oom_manifest());
        });
        let path = renderer(&sandbox, script);
        let before = bytes(&sandbox.path("work"));
        let mut command = command(&sandbox, env!("CARGO_BIN_EXE_aifix"));
        command.env("PATH", path).args(["propose", "deployment/web", "--from", &recorded("oom-killed")]);
        let ran = Ran::of(&command.output().unwrap()).exits(4);
        assert!(ran.out.contains(code) && ran.out.contains(word), "{script}: {}", ran.out);
        assert!(!ran.out.contains("hunter2") && !ran.out.contains("ghp_"), "{}", ran.out);
        assert_eq!(bytes(&sandbox.path("work")), before);
        assert_eq!(fs::read_dir(sandbox.path("scratch")).unwrap().count(), 0, "{script}");
    }
}

#[test]
fn a_chart_that_makes_too_much_leaves_nothing_over() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/p/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
        sandbox.write("work/p/templates/web.yaml", &oom_manifest());
        sandbox.write("work/p/templates/b.yaml", "a: {{ repeat 70000000 \"x\" }}\n");
    });
    let ran = propose(&sandbox, &["--path", "p"]).exits(4);
    assert!(ran.out.contains("render-limit") && ran.out.contains("more than 64 MiB"), "{}", ran.out);
}

#[test]
fn a_base_that_moves_while_we_look_is_no_lost_commit() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/k8s/web.yaml", &oom_manifest());
    });
    // Somebody merges between our fetch and our push.
    let script = "#!/bin/sh\ncd \"$GIT_DIR\" || exit 1\nunset GIT_QUARANTINE_PATH\nnew=$(git commit-tree -p main -m Other \
                  main^{tree}) && git update-ref refs/heads/main \"$new\"\nexit 0\n";
    let hook = sandbox.write("remote.git/hooks/pre-receive", script);
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let old = sandbox.git("remote.git", &["rev-parse", "main"]);
    let ran = Ran::of(
        &command(&sandbox, env!("CARGO_BIN_EXE_aifix"))
            .args(["propose", "deployment/web", "--push", "--yes=review", "--from", &recorded("oom-killed")])
            .output()
            .unwrap(),
    );
    let branches = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"]);
    assert_eq!((ran.code, branches.lines().count()), (0, 1), "{}{}", ran.out, ran.err);
    assert_eq!(sandbox.git("remote.git", &["rev-parse", &format!("{branches}^")]), old, "based on what was looked at");
}

#[test]
fn a_full_disk_is_an_error_that_says_so_and_nothing_is_pushed() {
    // No file may grow: as on a full disk each write fails, with EFBIG in place of ENOSPC.
    let sandbox = repository(|sandbox| {
        sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n"));
        sandbox.write("work/prod/web.yaml", &oom_manifest());
    });
    let before = bytes(&sandbox.path("work"));
    let from = recorded("oom-killed");
    let line = format!(
        "trap '' XFSZ; ulimit -f 0; exec '{}' propose deployment/web --push --yes=review --from '{from}'",
        env!("CARGO_BIN_EXE_aifix")
    );
    let ran = Ran::of(&command(&sandbox, "bash").args(["-c", &line]).output().unwrap());
    assert!(ran.err.contains("a disk is full") && ran.err.contains("hint: make room"), "{}", ran.err);
    assert_eq!(ran.code, 2);
    assert_eq!(bytes(&sandbox.path("work")), before);
    let branches = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    assert_eq!(branches, "main");
}

/// Asks until there is an answer.
#[track_caller]
fn wait<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The seconds of processor time that a process may use at most.
#[cfg(target_os = "linux")]
fn processor_time(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max cpu time")?.split_whitespace().nth(1)?.parse().ok())
}

#[test]
fn what_a_killed_process_left_is_gone_after_the_next_run() {
    let sandbox = repository(|sandbox| {
        sandbox.write("work/prod/kustomization.yaml", &format!("{KUSTOMIZATION}- web.yaml\n"));
        sandbox.write("work/prod/web.yaml", &oom_manifest());
    });
    let before = bytes(&sandbox.path("work"));
    let started = sandbox.path("started");
    // It never ends by itself, and outlives us.
    let path = renderer(&sandbox, &format!("echo $$ >{}\nwhile :; do :; done", started.display()));
    let mut command = command(&sandbox, env!("CARGO_BIN_EXE_aifix"));
    command.env("PATH", path).args(["propose", "deployment/web", "--from", &recorded("oom-killed")]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let orphan = wait("the renderer to start", || fs::read_to_string(&started).ok()?.trim().parse::<i32>().ok());
    #[cfg(target_os = "linux")]
    let most = wait("the renderer to be bounded", || processor_time(orphan));
    child.kill().unwrap();
    child.wait().unwrap();
    let orphan = rustix::process::Pid::from_raw(orphan).unwrap();
    let outlived = rustix::process::test_kill_process(orphan).is_ok();
    let _ = rustix::process::kill_process(orphan, rustix::process::Signal::KILL);
    assert!(outlived, "the renderer is to outlive the one that started it");
    #[cfg(target_os = "linux")]
    assert!(most <= 31 * std::thread::available_parallelism().unwrap().get() as u64, "{most} s");
    assert_eq!(bytes(&sandbox.path("work")), before);
    let held: Vec<_> = fs::read_dir(sandbox.path("scratch")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!held.is_empty());
    for folder in held {
        // As if a minute had passed: younger ones may be about to be held.
        let made = SystemTime::now() - Duration::from_secs(120);
        fs::File::options().write(true).open(folder.join(".held")).unwrap().set_modified(made).unwrap();
    }
    propose(&sandbox, &[]).exits(0);
}
