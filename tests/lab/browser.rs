//! The HTML page in a real browser: nothing is cut, nothing is hard to read, nothing is sent.

use crate::grown;
use crate::kit::{aifix, lab, wait};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Where no proxy listens.
const NOBODY: &str = "127.0.0.1:9";

/// Headless, as root, alike everywhere, and quiet as far as it can be made to be.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--virtual-time-budget=10000",
    "--window-size=1400,1000",
    // Not even loopback goes around the proxy.
    "--proxy-bypass-list=<-loopback>",
];

/// A page in frames of two widths, and what a script beside them measured.
const PROBE: &str = include_str!("browser/probe.js");

/// Chromium, `None` where it could not be installed: `tests/run` says so then.
struct Browser {
    program: String,
    folder: tempfile::TempDir,
}

impl Browser {
    fn new() -> Option<Self> {
        let program = lab("AIFIX_LAB_BROWSER");
        (!program.is_empty()).then(|| Self { program, folder: tempfile::tempdir().unwrap() })
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The page of a recording.
    fn page(&self, recording: &Path) -> String {
        let ran = aifix(self.folder.path(), &["scan", "-A", "--from", recording.to_str().unwrap(), "-o", "html"]);
        assert!(ran.out.ends_with("</html>\n"), "{}", ran.err);
        ran.out
    }

    /// Opens a file, and gives what its document was when all had run. Whatever is asked of any host, the
    /// browser's maker included, goes to `proxy`.
    #[track_caller]
    fn open(&self, file: &Path, proxy: &str, flags: &[&str]) -> String {
        let profile = tempfile::tempdir_in(self.folder.path()).unwrap();
        let output = Command::new(&self.program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--proxy-server=http://{proxy}"))
            .args(flags)
            .arg("--dump-dom")
            .arg(format!("file://{}", file.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(dom.contains("</html>"), "{dom}\n{}", String::from_utf8_lossy(&output.stderr));
        dom
    }

    /// What the probe measured of each page, at each width.
    #[track_caller]
    fn measure(&self, pages: &[String], flags: &[&str]) -> Vec<Value> {
        let mut wrapper = String::from("<!DOCTYPE html><meta charset=\"utf-8\"><pre id=\"result\"></pre>\n");
        for page in pages {
            for width in [360, 1280] {
                let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
                wrapper.push_str(&format!("<iframe width=\"{width}\" height=\"900\" srcdoc=\"{quoted}\"></iframe>\n"));
            }
        }
        wrapper.push_str(&format!("<script>{PROBE}</script>\n"));
        let dom = self.open(&self.write("wrapper.html", &wrapper), NOBODY, flags);
        let result = dom.split("<pre id=\"result\">").nth(1).unwrap().split("</pre>").next().unwrap();
        let result = result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        serde_json::from_str(&result).unwrap_or_else(|error| panic!("{error}: {result}"))
    }
}

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name)
}

#[test]
fn pages_fit_a_phone_and_a_desk_and_can_be_read_in_light_and_dark() {
    let Some(browser) = Browser::new() else { return };
    let (grown, hostile) = (browser.folder.path().join("grown"), browser.folder.path().join("hostile"));
    grown::grow(&recorded("quota-exceeded"), &grown, 40);
    grown::make_hostile(&recorded("image-not-found"), &hostile);
    let healthy = recorded("trap-scaled-to-zero");
    let unseen = recorded("namespace-terminating-stuck");
    let all = [&recorded("rollout-stalled"), &recorded("sts-pvc-pending"), &grown, &hostile, &healthy, &unseen];
    let pages: Vec<String> = all.iter().map(|recording| browser.page(recording)).collect();
    for (dark, flags) in [(false, &[][..]), (true, &["--blink-settings=preferredColorScheme=0"][..])] {
        let measured = browser.measure(&pages, flags);
        assert_eq!(measured.len(), 2 * all.len());
        for (at, page) in measured.iter().enumerate() {
            let name = all[at / 2].file_name().unwrap().display();
            assert_eq!(page["width"], if at % 2 == 0 { 360 } else { 1280 }, "{name}");
            assert_eq!(page["dark"], dark, "{name}");
            assert!(page["texts"].as_u64().unwrap() > 20, "{name}: {page}");
            assert_eq!(page["faults"], json!([]), "{name} at {} px, dark {dark}", page["width"]);
            assert_eq!(page["ran"], json!([]), "{name}: its policy lets something run or load");
        }
        // The first page, before anything is unfolded.
        let shown = measured[0]["shown"].as_str().unwrap();
        for words in
            ["all namespaces: 1 root cause", "ImagePullBackOff", "localhost:5055/app/web:9.9", "How this was read"]
        {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        // Many effects are folded at first, what was not looked at never is.
        assert!(!measured[4]["shown"].as_str().unwrap().contains("Deployment/shop-39"));
        assert!(measured[10]["shown"].as_str().unwrap().contains("Not looked at"));
    }
}

#[test]
fn a_page_sends_nothing() {
    let Some(browser) = Browser::new() else { return };
    let hostile = browser.folder.path().join("hostile");
    grown::make_hostile(&recorded("image-not-found"), &hostile);
    let page = browser.page(&hostile);
    // A page that asks for something shows that it would be seen.
    let asks = "<!DOCTYPE html><html><body><img src=\"http://canary.test/seen\"></body></html>";
    assert_eq!(asked(&browser, "asks.html", asks), ["GET http://canary.test/seen HTTP/1.1"]);
    assert!(asked(&browser, "page.html", &page).is_empty());
    let font = "<!DOCTYPE html><html><body><img src=\"http://fonts.googleapis.com/css\"></body></html>";
    assert_eq!(asked(&browser, "font.html", font), ["GET http://fonts.googleapis.com/css HTTP/1.1"]);
    let smuggled = page.replace("<main>", "<main><img src=\"http://canary.test/smuggled\">");
    assert!(asked(&browser, "smuggled.html", &smuggled).is_empty(), "its policy lets a picture be loaded");
}

/// What the browser asked its proxy for while it had the page open, but for what it asks its maker.
fn asked(browser: &Browser, name: &str, page: &str) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut line = String::new();
            // The connection ends here, unanswered: the browser gives up at once.
            let _ = BufReader::new(stream.unwrap()).read_line(&mut line);
            if send.send(line.trim().to_owned()).is_err() {
                return;
            }
        }
    });
    browser.open(&browser.write(name, page), &address.to_string(), &[]);
    // A last connection of our own comes after all of the browser's.
    drop(std::net::TcpStream::connect(address).unwrap());
    let mut asked = Vec::new();
    wait("the last connection", Duration::from_secs(20), || match receive.try_recv() {
        Ok(line) if line.is_empty() => Ok(()),
        Ok(line) => {
            asked.push(line);
            Err(asked.join(", "))
        }
        Err(error) => Err(error.to_string()),
    });
    asked.retain(|line| !is_of_its_maker(line));
    asked
}

/// Chromium looks for its updates, its clock and its models whatever it is told. What a page could ask of
/// the same maker, its fonts, is no part of that.
fn is_of_its_maker(request: &str) -> bool {
    let target = request.split_whitespace().nth(1).unwrap_or_default();
    let host = target.trim_start_matches("http://").split(['/', ':']).next().unwrap_or_default();
    let is_maker = [".google.com", ".googleapis.com", ".gvt1.com"].iter().any(|domain| host.ends_with(domain));
    is_maker && !host.starts_with("fonts.")
}
