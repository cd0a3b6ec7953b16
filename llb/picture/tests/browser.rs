//! Pages in a real browser: nothing of a graph runs, and everything that a page offers works.
//!
//! Chromium is driven over the DevTools protocol, on a pipe: no network is used.
#![allow(clippy::disallowed_methods, reason = "the browser is a process and pages are files")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rbc_picture::{Detail, Direction, Options, html, picture, svg};
use rbc_source::{FileId, SourceFile};
use serde_json::{Value, json};

const CHROMIUM: &str = "/usr/bin/chromium";

/// A browser with one page.
struct Browser {
    process: Child,
    folder: PathBuf,
    to: File,
    from: BufReader<File>,
    session: Value,
    calls: u64,
    /// What the page complained about: exceptions, and what its security policy did not let run.
    complaints: Vec<String>,
}

impl Browser {
    fn start(name: &str) -> Browser {
        assert!(Path::new(CHROMIUM).exists(), "{CHROMIUM} is missing; install it: apt-get install -y chromium");
        let folder = std::env::temp_dir().join(format!("rbc-picture-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let pipes = ["to", "from"].map(|pipe| folder.join(pipe));
        assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
        // The browser reads commands from its third file and writes answers to its fourth.
        let script = format!(
            "exec timeout 120 {CHROMIUM} --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
             --disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe \
             --user-data-dir=\"$1/profile\" --window-size=1400,900 about:blank 3<\"$1/to\" 4>\"$1/from\""
        );
        let process = Command::new("sh")
            .args(["-c", &script, "sh"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(&pipes[0]).unwrap();
        let from = BufReader::new(File::open(&pipes[1]).unwrap());
        let mut browser = Browser { process, folder, to, from, session: Value::Null, calls: 0, complaints: Vec::new() };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", target)["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let size = json!({"width": 1400, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        browser.call("Emulation.setDeviceMetricsOverride", size);
        browser
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).unwrap();
        assert!(!message.is_empty(), "the browser ended");
        message.pop();
        let message: Value = serde_json::from_slice(&message).unwrap();
        let complaints = ["Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"];
        if complaints.iter().any(|method| message["method"] == *method) {
            self.complaints.push(message.to_string());
        }
        message
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut message = self.read();
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    /// Opens a page and waits until it is there.
    fn open(&mut self, name: &str, content: &str) {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        self.call("Page.navigate", json!({"url": format!("file://{}", path.display())}));
        while self.read()["method"] != "Page.loadEventFired" {}
    }

    /// The value of an expression in the page.
    fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    fn key(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut params = json!({"type": kind, "key": key});
            if kind == "keyDown" && key.chars().count() == 1 {
                params["text"] = key.into();
            }
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    fn mouse(&mut self, kind: &str, [x, y]: [f64; 2]) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let params = json!({"type": kind, "x": x, "y": y, "button": button, "buttons": 1, "clickCount": 1});
        self.call("Input.dispatchMouseEvent", params);
    }

    fn click(&mut self, selector: &str) {
        let at = self.middle(selector);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, at);
        }
    }

    fn middle(&mut self, selector: &str) -> [f64; 2] {
        let rect = self.eval(&format!(
            "(() => {{ const r = document.querySelector({}).getBoundingClientRect();
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        ));
        [0, 1].map(|at| rect[at].as_f64().unwrap())
    }

    fn assert_quiet(&self) {
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn graph(text: &str) -> rbc_ir::Graph {
    rbc_ir::text::parse(&SourceFile::new(FileId(0), "graph", text)).unwrap_or_else(|e| panic!("{}", e.message))
}

fn app() -> rbc_ir::Graph {
    graph(include_str!("golden/app.llb"))
}

fn page(graph: &rbc_ir::Graph, title: &str, detail: Detail) -> String {
    let options = Options { title: title.to_owned(), direction: Direction::Right, detail, ..Options::default() };
    let digest = |id: rbc_ir::NodeId| Some(format!("sha256:{:064x}", id.0));
    html(&picture(graph, &graph.roots, &digest, options))
}

#[test]
fn a_page_can_be_looked_around_in() {
    let mut b = Browser::start("look");
    b.open("app.html", &page(&app(), "app", Detail::Steps));
    assert_eq!(b.eval("document.documentElement.className"), "live");

    // A click shows what is known of a step, and lights what it has to do with.
    let step = b.eval("[...document.querySelectorAll('#steps .box')].findIndex(b => b.textContent.includes('go mod'))");
    let step = format!("#steps .box[data-step=\"{step}\"]");
    b.click(&step);
    let details = b.eval("document.getElementById('details').innerText");
    for part in
        ["RUN go mod download", "stage deps", "Dockerfile:5: RUN --mount", "cache /go/pkg/mod", "sha256:", "COPY . ."]
    {
        assert!(details.as_str().unwrap().contains(part), "{part} in {details}");
    }
    let lit = "[...document.querySelectorAll('#steps .box.lit')].map(b => b.querySelector('title').textContent.split('\\n')[0])";
    let lit = b.eval(lit).to_string();
    assert!(lit.contains("golang:1.26") && lit.contains("RUN go test") && lit.contains("result"), "{lit}");
    assert!(!lit.contains("npm"), "{lit}");
    // Every lit line is lit from its beginning to its end.
    let torn = b.eval(
        "(() => { const wires = [...document.querySelectorAll('#steps .world > g > path.edge')];
         return wires.filter(w => w.classList.contains('lit') && w.dataset.up
           && !wires[w.dataset.up].classList.contains('lit')).length; })()",
    );
    assert_eq!(torn, 0);
    b.key("Escape");
    assert_eq!(b.eval("document.getElementById('details').hidden"), true);
    assert_eq!(b.eval("document.querySelectorAll('.dim').length"), 0);

    // Hovering lights without a click.
    let at = b.middle(&step);
    b.mouse("mouseMoved", [5.0, 890.0]);
    b.mouse("mouseMoved", at);
    assert_eq!(b.eval("document.querySelector('#steps svg').classList.contains('dim')"), true);
    b.mouse("mouseMoved", [5.0, 890.0]);
    assert_eq!(b.eval("document.querySelector('#steps svg').classList.contains('dim')"), false);

    // Search finds what is in details too; Enter goes from one to the next.
    b.key("/");
    "npm".chars().for_each(|c| b.key(&c.to_string()));
    assert_eq!(b.eval("document.getElementById('found').textContent"), "2 found");
    b.key("Enter");
    assert_eq!(b.eval("document.getElementById('found').textContent"), "1 of 2");
    assert_eq!(b.eval("document.querySelectorAll('.chosen').length"), 1);
    b.key("Enter");
    assert_eq!(b.eval("document.querySelector('.chosen title').textContent"), "RUN npm run build");
    b.key("Escape");
    assert_eq!(b.eval("document.querySelectorAll('.hit').length"), 0);

    // Arrows follow lines; the box with the focus is in sight.
    b.eval("document.querySelector('#steps .chosen').focus()");
    b.key("ArrowLeft");
    assert_eq!(b.eval("document.activeElement.querySelector('title').textContent"), "COPY web .");
    b.key("ArrowRight");
    b.key("Enter");
    assert_eq!(b.eval("document.getElementById('details').hidden"), true);

    // Stages fold, and open again where one points.
    b.click("#fold");
    assert_eq!(b.eval("document.getElementById('steps').hidden"), true);
    assert_eq!(b.eval("document.querySelectorAll('#stages .box.stage').length"), 5);
    b.click("#stages .box.stage");
    b.eval("[...document.querySelectorAll('#details button')].find(b => b.textContent === 'Show its steps').click()");
    assert_eq!(b.eval("document.getElementById('stages').hidden"), true);

    // The picture moves and grows.
    let before = b.eval("document.querySelector('#steps .world').getAttribute('transform')");
    b.click("#in");
    assert_ne!(b.eval("document.querySelector('#steps .world').getAttribute('transform')"), before);
    let before = b.eval("document.querySelector('#steps .world').getAttribute('transform')");
    b.mouse("mousePressed", [700.0, 880.0]);
    b.mouse("mouseMoved", [640.0, 800.0]);
    b.mouse("mouseReleased", [640.0, 800.0]);
    assert_ne!(b.eval("document.querySelector('#steps .world').getAttribute('transform')"), before);
    b.assert_quiet();
}

/// The widths that boxes are made for are those of the fonts that are there.
#[test]
fn text_fits_its_boxes() {
    let mut b = Browser::start("fit");
    b.open("app.html", &page(&app(), "app", Detail::Steps));
    let over = b.eval(
        "[...document.querySelectorAll('#steps .box')].flatMap(box => {
           const rect = box.querySelector('rect').getBBox();
           return [...box.querySelectorAll('text')].filter(text => {
             const at = text.getBBox();
             return at.x + at.width > rect.x + rect.width - 4 || at.y + at.height > rect.y + rect.height + 1;
           }).map(text => text.textContent);
         })",
    );
    assert_eq!(over, json!([]));
}

#[test]
fn without_scripts_the_picture_is_there() {
    let mut b = Browser::start("static");
    b.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    b.open("app.html", &page(&app(), "app", Detail::Steps));
    b.call("DOM.enable", json!({}));
    let root = b.call("DOM.getDocument", json!({}))["root"]["nodeId"].clone();
    let mut visible = |selector: &str| {
        let node = b.call("DOM.querySelector", json!({"nodeId": root, "selector": selector}))["nodeId"].clone();
        let params = json!({"id": b.calls + 1, "method": "DOM.getBoxModel", "params": {"nodeId": node},
            "sessionId": b.session});
        b.calls += 1;
        b.to.write_all(format!("{params}\0").as_bytes()).unwrap();
        loop {
            let message = b.read();
            if message["id"] == b.calls {
                return message["error"].is_null();
            }
        }
    };
    assert!(visible("#steps svg"));
    assert!(visible("#steps .box"));
    assert!(!visible("#stages svg"));
    assert!(!visible("#tools"));
    assert!(visible("details.outline"));
}

#[test]
fn nothing_of_a_graph_runs() {
    let attacks = [
        "</script><script>window.hacked = 1</script>",
        "</title></style></svg><script>window.hacked = 1</script>",
        "<img src=x onerror='window.hacked = 1'>",
        "\"><image href=x onerror=\"window.hacked = 1\" x=\"",
        "' onload='window.hacked = 1' x='",
        "\u{2028}window.hacked = 1\u{2029}",
        "\\u003c/script\\u003e\\\", window.hacked = 1, \\\"",
        "javascript:window.hacked=1",
        "]]></script><!--<script>window.hacked = 1",
    ];
    let mut b = Browser::start("attacks");
    for (nth, attack) in attacks.into_iter().enumerate() {
        let quoted =
            json!(attack).to_string().replace('\u{2028}', "\\xe2\\x80\\xa8").replace('\u{2029}', "\\xe2\\x80\\xa9");
        let graph = graph(
            r#"
            %a = source "docker-image://X" {
              description: {"llb.customname": "[s 1/2] FROM X"} locations: [{ranges: [1]}]
              origins: [{target: {name: "X"}, stage: {name: "X"}}]
            }
            %b = exec ["X"] {
              cwd: "X" env: ["X"] mounts: [{dest: "/", input: %a, output: 0}]
              description: {"llb.customname": "[s 2/2] RUN X"} locations: [{ranges: [1]}]
              origins: [{target: {name: "X"}, stage: {name: "X"}, step: 1}, {target: {name: "Y"}}]
            }
            text "X" {data: "X"}
            root %b {name: "X"}
            "#
            .replace("\"X\"", &quoted)
            .replace('X', &quoted[1..quoted.len() - 1])
            .as_str(),
        );
        for detail in [Detail::Steps, Detail::Stages] {
            b.open(&format!("{nth}.html"), &page(&graph, attack, detail));
            for (step, view) in [(0, "steps"), (1, "steps"), (0, "stages")] {
                b.eval(&format!(
                    "{{ const v = document.getElementById('{view}'); if (v.hidden) document.getElementById('fold').click();
                     v.querySelectorAll('.box')[{step}].dispatchEvent(new MouseEvent('click', {{bubbles: true}})); }}"
                ));
                assert_eq!(b.eval("document.getElementById('details').hidden"), false);
            }
            assert_eq!(b.eval("window.hacked"), Value::Null, "{attack}");
            assert_eq!(b.eval("document.scripts.length"), 2, "{attack}");
            assert_eq!(b.eval("document.querySelectorAll('img, image, a, iframe').length"), 0, "{attack}");
            // What was written is what is read.
            let shown = b.eval("document.querySelector('h1').textContent");
            assert_eq!(shown, attack.replace(['\u{2028}', '\u{2029}'], "\u{fffd}"));

            let options = Options { title: attack.to_owned(), detail, ..Options::default() };
            let picture = picture(&graph, &graph.roots, &|_| Some(attack.to_owned()), options);
            b.open(&format!("{nth}.svg"), &svg(&picture));
            assert_eq!(b.eval("document.documentElement.tagName"), "svg", "{attack}");
            assert_eq!(b.eval("document.querySelectorAll('parsererror, script').length"), 0, "{attack}");
            assert_eq!(b.eval("window.hacked"), Value::Null, "{attack}");
        }
    }
    b.assert_quiet();
}
