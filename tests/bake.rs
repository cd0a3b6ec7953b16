//! `rbc bake`, as users meet it.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Scratch, rbc, root, stderr, stdout};

/// Runs `rbc bake` in a directory, with nothing of the environment that bake looks at.
fn bake(dir: &Scratch, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

fn command(dir: &Scratch, args: &[&str]) -> Command {
    let mut command = rbc();
    command.current_dir(dir.path()).arg("bake").args(args);
    for name in ["BUILDX_BAKE_FILE", "SOURCE_DATE_EPOCH", "BUILDKIT_PROGRESS"] {
        command.env_remove(name);
    }
    command
}

/// The plan that is printed.
fn plan(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn the_usual_files_are_found_and_merged() {
    let dir = Scratch::new();
    dir.file("docker-bake.hcl", "target \"app\" {\n  tags = [\"a\"]\n  target = \"x\"\n}\n");
    dir.file("docker-bake.override.hcl", "target \"app\" {\n  tags = [\"b\"]\n}\n");
    dir.file("docker-bake.json", "");
    let found = plan(&bake(&dir, &["app", "--print"]));
    assert_eq!(found["target"]["app"]["tags"], json!(["b"]));
    assert_eq!(found["target"]["app"]["target"], "x");
    let found = plan(&bake(&dir, &["-f", "docker-bake.hcl", "app", "--print"]));
    assert_eq!(found["target"]["app"]["tags"], json!(["a"]));
    let mut by_variable = command(&dir, &["app", "--print"]);
    let found = plan(&by_variable.env("BUILDX_BAKE_FILE", "docker-bake.hcl").output().unwrap());
    assert_eq!(found["target"]["app"]["tags"], json!(["a"]));
    let empty = Scratch::new();
    let missing = bake(&empty, &["--print"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(stderr(&missing).contains("docker-bake.hcl"), "{}", stderr(&missing));
    assert_eq!(bake(&empty, &["-f", "nowhere.hcl", "--print"]).status.code(), Some(3));
}

#[test]
fn standard_input_is_a_file() {
    use std::io::Write as _;
    let dir = Scratch::new();
    let mut run = command(&dir, &["-f", "-", "--print"]);
    let mut run = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"{\"target\": {\"default\": {\"target\": \"y\"}}}").unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(plan(&output)["target"]["default"]["target"], "y");
}

#[test]
fn variables_come_from_flags_then_the_environment_then_files() {
    let dir = Scratch::new();
    let variable = |name: &str| format!("variable \"{name}\" {{ default = \"default\" }}\n");
    let names = ["A", "B", "C", "D"];
    let text: String = names.iter().map(|n| variable(n)).collect();
    dir.file("docker-bake.hcl", text + "target \"default\" {\n  args = { A = A, B = B, C = C, D = D }\n}\n");
    dir.file("one.env", "A=one\nB=one\nC=one\n");
    dir.file("two.env", "# a comment\nC='two'\n");
    let mut run = command(&dir, &["--print", "--var", "A=flag", "--env-file", "one.env", "--env-file", "two.env"]);
    let found = plan(&run.env("A", "process").env("B", "process").output().unwrap());
    assert_eq!(found["target"]["default"]["args"], json!({"A": "flag", "B": "process", "C": "two", "D": "default"}));
    let wrong = bake(&dir, &["--print", "--var", "A"]);
    assert!(stderr(&wrong).contains("--var NAME=value"), "{}", stderr(&wrong));
}

#[test]
fn flags_override() {
    let dir = Scratch::new();
    dir.file("docker-bake.hcl", "target \"default\" {\n  tags = [\"a\"]\n}\n");
    let args = ["--print", "--set", "*.args.V=1", "--set", "default.tags+=b", "--no-cache", "--pull=false", "--push"];
    let found = &plan(&bake(&dir, &args))["target"]["default"];
    assert_eq!(found["args"], json!({"V": "1"}));
    assert_eq!(found["tags"], json!(["a", "b"]));
    assert_eq!((&found["no-cache"], &found["pull"]), (&json!(true), &json!(false)));
    assert_eq!(found["output"], json!([{"type": "image", "push": "true"}]));
    let wrong = bake(&dir, &["--print", "--set", "defalt.tags=a", "--set", "default.tag=a"]);
    for part in ["did you mean `default`?", "did you mean `tags`?"] {
        assert!(stderr(&wrong).contains(part), "{part} in {}", stderr(&wrong));
    }
}

#[test]
fn what_is_printed_is_the_plan_again() {
    let dir = Scratch::new();
    std::fs::copy(root().join("examples/bake/docker-bake.hcl"), dir.path().join("docker-bake.hcl")).unwrap();
    let first = bake(&dir, &["test", "validate", "lint", "binaries-cross", "release", "image", "--print"]);
    dir.file("again.json", stdout(&first));
    let second = bake(&dir, &["-f", "again.json", "--print"]);
    assert_eq!(plan(&first), plan(&second));
}

#[test]
fn lists_in_both_forms() {
    let dir = Scratch::new();
    dir.file("docker-bake.hcl", "variable \"V\" {\n  default = 1\n  description = \"the version\"\n}\ntarget \"app\" {\n  description = \"it\"\n}\n");
    assert_eq!(stdout(&bake(&dir, &["--list", "targets"])), "TARGET\tDESCRIPTION\napp\tit\n");
    let variables = stdout(&bake(&dir, &["--list=type=variables,format=json"]));
    let variables: Value = serde_json::from_str(&variables).unwrap();
    assert_eq!(variables[0]["name"], "V");
    assert_eq!(bake(&dir, &["--list", "targets", "--print"]).status.code(), Some(2));
    assert_eq!(bake(&dir, &["--list", "groups"]).status.code(), Some(2));
}

#[test]
fn all_faults_are_shown_with_their_places() {
    let dir = Scratch::new();
    dir.file(
        "docker-bake.hcl",
        "target \"app\" {\n  dockefile = \"x\"\n  tags = [\"a:${VERSON}\"]\n}\nvariable \"VERSION\" {}\ntarget \"b\" {\n  args { A = 1 }\n}\n",
    );
    let output = bake(&dir, &["app", "--print"]);
    assert_eq!(output.status.code(), Some(1));
    for part in
        ["docker-bake.hcl:2:3", "did you mean `dockerfile`?", "docker-bake.hcl:3:16", "did you mean `VERSION`?", "7:3"]
    {
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
    }
    let json = bake(&dir, &["app", "--print", "--message-format", "json"]);
    assert!(serde_json::from_str::<Value>(&stdout(&json)).is_ok(), "{}", stdout(&json));
}

#[test]
fn the_file_of_the_talk() {
    let dir = Scratch::new();
    let text = std::fs::read_to_string(root().join("examples/bake/slide.hcl")).unwrap();
    dir.file("docker-bake.hcl", &text);
    let output = bake(&dir, &["webapp-release", "--print"]);
    assert_eq!(output.status.code(), Some(1));
    let found = stderr(&output);
    assert!(found.contains("1 error"), "one finding for all of them: {found}");
    assert!(found.contains("+   platforms = [\"linux/amd64\", \"linux/arm64\"]"), "{found}");
    dir.file("docker-bake.hcl", text.replace(['“', '”'], "\""));
    let release = plan(&bake(&dir, &["webapp-release", "--print"]));
    assert_eq!(release["target"]["webapp-release"]["platforms"], json!(["linux/amd64", "linux/arm64"]));
    assert_eq!(release["target"]["webapp-release"]["dockerfile"], "Dockerfile.webapp");
    let default = bake(&dir, &["--print"]);
    assert!(stderr(&default).contains("there is no target `db`"), "{}", stderr(&default));
}

/// A server that answers every request with one text.
fn serve(text: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
            _ = stream.write_all((head + text).as_bytes());
        }
    });
    format!("http://{address}/docker-bake.hcl")
}

#[test]
fn a_definition_behind_a_url() {
    let dir = Scratch::new();
    let url = serve("target \"default\" {\n  args = { FROM = BAKE_CMD_CONTEXT }\n}\n");
    let args = &plan(&bake(&dir, &[&url, "--print"]))["target"]["default"]["args"];
    assert_eq!(*args, json!({"FROM": "cwd://"}));
    dir.file("more.hcl", "target \"default\" {\n  target = \"here\"\n}\n");
    let found = plan(&bake(&dir, &[&url, "-f", "cwd://more.hcl", "--print"]));
    assert_eq!(found["target"]["default"]["target"], "here");
    let wrong = bake(&dir, &[&url, "-f", "more.hcl", "--print"]);
    assert!(stderr(&wrong).contains("cwd://"), "{}", stderr(&wrong));
    assert_eq!(bake(&dir, &["http://127.0.0.1:1/x.hcl", "--print"]).status.code(), Some(3));
}

/// Runs git where nobody's settings count.
fn git(dir: &std::path::Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(args);
    let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
}

#[test]
fn a_definition_in_a_repository() {
    let repository = Scratch::new();
    repository.file("work/docker-bake.hcl", "target \"default\" {}\n");
    repository.file("work/sub/docker-bake.json", "{\"target\": {\"default\": {\"context\": \"src\"}}}");
    let work = repository.path().join("work");
    for args in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "one"], &["tag", "v1"]] {
        git(&work, args);
    }
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Not by way of git, which would leave it behind.
    let place = stdout(&Command::new("git").arg("--exec-path").output().unwrap());
    let mut daemon = Command::new(std::path::Path::new(place.trim()).join("git-daemon"));
    daemon.args(["--export-all", "--listen=127.0.0.1", &format!("--port={port}"), "--reuseaddr"]);
    daemon.arg(format!("--base-path={}", repository.path().display())).arg(repository.path());
    let Ok(mut daemon) = daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        println!("git has no daemon here");
        return;
    };
    let mut up = false;
    for _ in 0..100 {
        up = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        if up || daemon.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let dir = Scratch::new();
    let url = format!("git://127.0.0.1:{port}/work");
    let runs = up.then(|| {
        let whole = bake(&dir, &[&url, "--print"]);
        let below = bake(&dir, &[&format!("{url}#v1:sub"), "--print"]);
        let missing = bake(&dir, &[&url, "-f", "other.hcl", "--print"]);
        (whole, below, missing)
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let Some((whole, below, missing)) = runs else {
        println!("git has no daemon here");
        return;
    };
    assert_eq!(plan(&whole)["target"]["default"]["context"], url.as_str());
    assert_eq!(plan(&below)["target"]["default"]["context"], format!("{url}#v1:sub/src"));
    assert!(stderr(&missing).contains("there is no `other.hcl`"), "{}", stderr(&missing));
}

/// A project of two directories, where one target is the context of another. No image is needed.
fn linked() -> Scratch {
    let dir = Scratch::new();
    dir.file("lib/f", "lib\n");
    dir.file("app/a", "app\n");
    dir.file("app/Dockerfile", "FROM base AS stage\nCOPY a /a\nCOPY --from=more /lib/f /g\n");
    dir.file(
        "docker-bake.hcl",
        r#"
group "default" { targets = ["app", "other"] }
target "_base" {
  args = { V = "1" }
}
target "lib" {
  inherits          = ["_base"]
  context           = "lib"
  dockerfile-inline = "FROM scratch\nCOPY f /lib/f\n"
}
target "app" {
  context  = "app"
  contexts = { base = "target:lib", more = "target:lib" }
  tags     = ["example.test/app:1"]
  output   = ["out", "type=oci,dest=app.tar"]
}
target "other" {
  context           = "app"
  dockerfile-inline = "FROM scratch\nCOPY a /x\n"
  output            = ["type=local,dest=out2"]
}
target "broken" {
  context           = "app"
  dockerfile-inline = "FROM scratch\nCOPY nothere /x\n"
  output            = ["type=local,dest=out3"]
}
target "checked" {
  dockerfile-inline = "FROM scratch as Base\nCOPY x /x\n"
  call              = "check"
}
"#,
    );
    dir
}

fn build(dir: &Scratch, args: &[&str]) -> Output {
    command(dir, args).env("RBC_STORE", dir.path().join("store")).output().unwrap()
}

fn read(dir: &Scratch, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn targets_are_one_build() {
    let dir = linked();
    let output = build(&dir, &["--progress", "plain", "--metadata-file", "meta.json"]);
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    for (name, content) in [("out/a", "app\n"), ("out/g", "lib\n"), ("out/lib/f", "lib\n"), ("out2/x", "app\n")] {
        assert_eq!(read(&dir, name), content, "{name}");
    }
    assert_eq!(text.matches("[lib 1/1] COPY f /lib/f").count(), 1, "what is used twice is built once: {text}");
    assert!(text.contains("[app stage 1/3] COPY a /a"), "{text}");
    let meta: Value = serde_json::from_str(&read(&dir, "meta.json")).unwrap();
    assert_eq!(meta["app"]["image.name"], "example.test/app:1");
    assert!(meta["other"].is_object() && meta["lib"].is_null(), "{meta}");
}

#[test]
fn platforms_of_a_linked_target() {
    let dir = linked();
    dir.file("lib/amd64", "x\n");
    dir.file("lib/arm64", "y\n");
    dir.file("more.hcl", "target \"lib\" {\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n  dockerfile-inline = \"FROM scratch\\nARG TARGETARCH\\nCOPY $TARGETARCH /lib/f\\n\"\n}\ntarget \"app\" {\n  platforms = [\"linux/arm64\", \"linux/amd64\"]\n}\n");
    let output = build(&dir, &["-f", "docker-bake.hcl", "-f", "more.hcl", "app"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((read(&dir, "out/linux_amd64/g"), read(&dir, "out/linux_arm64/g")), ("x\n".into(), "y\n".into()));
}

#[test]
fn a_failure_names_the_target_and_others_go_on_if_told_so() {
    let dir = linked();
    let output = build(&dir, &["broken", "other"]);
    assert_eq!(output.status.code(), Some(1));
    for part in ["dockerfile-inline of broken:2:1", "while building target `broken`", "docker-bake.hcl:"] {
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
    }
    assert!(!dir.path().join("out2").exists());
    let output = build(&dir, &["broken", "other", "--keep-going"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(read(&dir, "out2/x"), "app\n");
    // A target that does not compile keeps those that use it from being built, and no others.
    let args = ["app", "other", "--keep-going", "--set", "other.output=out4", "--set", "lib.context=nowhere"];
    let output = build(&dir, &args);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("nowhere"), "{}", stderr(&output));
    assert!(dir.path().join("out4/x").exists() && !dir.path().join("out").exists());
}

#[test]
fn questions_about_targets() {
    let dir = linked();
    let output = build(&dir, &["checked", "other"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("checked\n\n"), "{}", stdout(&output));
    assert!(stdout(&output).contains("WARNING: StageNameCasing"), "{}", stdout(&output));
    assert!(!dir.path().join("out2").exists(), "a check that finds something comes before the builds");
    let output = bake(&dir, &["app", "--call", "targets,format=json"]);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["target"]["app"]["targets"]["targets"][0]["name"], "stage");
    assert_eq!(json["target"]["app"]["build"]["context"], "app");
    assert!(bake(&dir, &["other", "--check"]).status.success());
}

#[test]
fn rights_are_asked_for_by_flags() {
    let dir = linked();
    let args = ["other", "--set", "other.network=host"];
    let output = build(&dir, &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--allow=network.host"), "{}", stderr(&output));
    assert!(build(&dir, &[&args[..], &["--allow", "network.host"]].concat()).status.success());
    let outside = Scratch::new();
    outside.file("x", "");
    dir.file(
        "docker-bake.override.hcl",
        format!("target \"other\" {{\n  contexts = {{ out = \"{}\" }}\n}}\n", outside.path().display()),
    );
    let output = build(&dir, &["other"]);
    assert!(stderr(&output).contains("--allow=fs.read="), "{}", stderr(&output));
    let allow = format!("fs.read={}", outside.path().display());
    assert!(build(&dir, &["other", "--allow", &allow]).status.success());
}

#[test]
fn values_are_explained() {
    let dir = linked();
    let text = stdout(&bake(&dir, &["lib", "--explain", "--set", "lib.target=x"]));
    for part in [
        "target lib, docker-bake.hcl:6:1",
        "args.V             1",
        "docker-bake.hcl:4:16, inherited from _base",
        "--set lib.target=x",
        "FROM scratch ... (1 more lines)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn targets_are_drawn() {
    let dir = linked();
    for (name, part) in [("g.svg", "<svg"), ("g.html", "<!doctype html>"), ("g.dot", "digraph"), ("g.mmd", "flowchart")]
    {
        let output = bake(&dir, &["*", "--graph", name]);
        assert!(output.status.success(), "{}", stderr(&output));
        let text = read(&dir, name);
        assert!(text.to_lowercase().contains(part) && text.contains("app, stage") || text.contains("broken"), "{name}");
    }
    assert_eq!(bake(&dir, &["--graph", "g.png"]).status.code(), Some(1));
}

#[test]
fn a_change_selects_what_it_touches() {
    let dir = linked();
    dir.file("app/.dockerignore", "*.md\n");
    let affected = |paths: &[&str]| {
        let output = bake(&dir, &[&["app", "other", "broken", "lib", "--print", "--affected-by"], paths].concat());
        let names: Vec<String> = plan(&output)["target"].as_object().unwrap().keys().cloned().collect();
        names.join(" ")
    };
    assert_eq!(affected(&["lib/f"]), "app lib");
    assert_eq!(affected(&["app/a", "elsewhere"]), "app broken lib other", "with what they use");
    assert_eq!(affected(&["app/README.md"]), "", "it is left out of the context");
    assert_eq!(affected(&["../else"]), "");
    assert_eq!(affected(&["docker-bake.hcl"]), "app broken lib other");
    for args in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "one"]] {
        git(dir.path(), args);
    }
    dir.file("lib/f", "new\n");
    git(dir.path(), &["commit", "-q", "-a", "-m", "two"]);
    assert_eq!(affected(&["HEAD~1..HEAD"]), "app lib");
}
