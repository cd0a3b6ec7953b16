//! What the levels of optimization promise, on real builds: at -O1 the same image, at -O2 the same files.

use std::process::Command;

use rbc_ir::{Graph, Level, NodeId, Op, Options, Pass, Root, Work};

use crate::build::Kitchen;
use crate::harness::{root, stderr, stdout};

/// Builds with much that passes change: steps that can be one, copies that wait for different commands, links and mounts.
const BUILDS: [(&str, &str); 4] = [
    (
        "assembled",
        "FROM base AS one\nWORKDIR /a\nWORKDIR /a/b\nRUN echo one > x && ln -s x y\nFROM base AS two\n\
         RUN mkdir -p /out/deep && echo two > /out/deep/z && chmod 700 /out && chown 5:6 /out/deep/z\n\
         FROM scratch\nWORKDIR /app\nCOPY --from=one /a/b /app/one\nCOPY --from=two --chown=7:8 /out /app/two\n\
         COPY --from=one /a/b/y /app/two/deep/\nCOPY words /app/words\n",
    ),
    (
        "linked",
        "FROM base AS make\nRUN mkdir /made && echo 1 > /made/1 && echo 2 > /made/2\nFROM base\n\
         RUN ln -s /real /link && mkdir /real\nCOPY --link --from=make /made/1 /real/\nCOPY --from=make /made /link/\n\
         COPY --link words/a /real/a\nRUN rm /real/1 && ls /real > /list\n",
    ),
    (
        "mounted",
        "FROM base AS tools\nWORKDIR /tools\nRUN echo 'cat /src/words/*' > run && chmod 755 run\nENV A=1\nWORKDIR /elsewhere\n\
         FROM base\nRUN --mount=type=bind,target=/src --mount=type=bind,from=tools,source=/tools,target=/t sh /t/run > /sum\n\
         WORKDIR /x\nCOPY --from=tools /tools/run ./bin/\nCOPY --chmod=711 words ./words\n",
    ),
    (
        "parents",
        "# syntax=docker/dockerfile:1-labs\nFROM scratch AS files\nCOPY --parents words/a words/b /all/\n\
         FROM base\nCOPY --exclude=*.md words /w\nCOPY --from=files /all /w2\nCOPY <<A <<B /docs/\na\nA\nb\nB\nUSER 3:4\nWORKDIR /mine\n",
    ),
];

fn kitchen() -> Kitchen {
    let kitchen = Kitchen::new();
    for (name, text) in BUILDS {
        kitchen.file(&format!("{name}/Dockerfile"), text);
        for file in ["words/a", "words/b", "words/c.md", "other/d"] {
            kitchen.file(&format!("{name}/{file}"), format!("{name} {file}\n"));
        }
    }
    kitchen
}

/// Names, modes, owners, targets of links and contents of all that is in an archive. Times of files are not fixed by a build.
fn files(kitchen: &Kitchen, archive: &str) -> Vec<String> {
    let list =
        Command::new("tar").args(["tvf", archive, "--numeric-owner"]).current_dir(kitchen.path("")).output().unwrap();
    let mut files = Vec::new();
    for line in stdout(&list).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let size = if fields[0].starts_with('-') { fields[2] } else { "" };
        files.push(format!("{} {} {size} {}", fields[0], fields[1], fields[5..].join(" ")));
    }
    files.sort();
    let contents = Command::new("tar").args(["xOf", archive, "--sort=name"]).current_dir(kitchen.path("")).output();
    let mut contents: Vec<String> = stdout(&contents.unwrap()).lines().map(str::to_owned).collect();
    contents.sort();
    files.extend(contents);
    files
}

#[test]
fn levels_keep_what_they_promise() {
    let kitchen = kitchen();
    for (name, _) in BUILDS {
        let at = |level: &str| {
            let (tar, oci, store) =
                (format!("{name}{level}.tar"), format!("{name}{level}.oci"), format!("store{level}"));
            // Each level has a store of its own, so that none finds what another made.
            let output = kitchen.build(&[
                name,
                &format!("-O{level}"),
                "--store",
                &store,
                "-o",
                &format!("type=tar,dest={tar}"),
                "-o",
                &format!("type=oci,tar=false,dest={oci},rewrite-timestamp=true"),
                "--build-arg",
                "SOURCE_DATE_EPOCH=1700000000",
            ]);
            assert!(output.status.success(), "{name} at -O{level}: {}", stderr(&output));
            let index = kitchen.json(&format!("{oci}/index.json"));
            (index["manifests"][0]["digest"].to_string(), files(&kitchen, &tar))
        };
        let (exact, layers, optimized) = (at("0"), at("1"), at("2"));
        assert!(exact.1.len() > 5, "{:?}", exact.1);
        assert_eq!(exact, layers, "{name}: -O1 keeps the image");
        assert_eq!(exact.1, optimized.1, "{name}: -O2 keeps the files");
    }
}

#[test]
fn levels_change_something() {
    let kitchen = kitchen();
    let compile = |name: &str, level: &str| {
        let mut command = crate::harness::rbc();
        command.current_dir(kitchen.path("")).args(["compile", name, "--no-resolve", "--emit", "ir", level]);
        stdout(&command.output().unwrap())
    };
    let changed = |name: &&str| compile(name, "-O1") != compile(name, "-O2");
    let names: Vec<&str> = BUILDS.iter().map(|(name, _)| *name).filter(changed).collect();
    // Where a link in the way cannot be ruled out, nothing is changed.
    assert_eq!(names, ["assembled", "mounted", "parents"]);
}

#[test]
fn what_the_store_knows_of_base_images_lets_copies_run_side_by_side() {
    let kitchen = Kitchen::new();
    kitchen.file("under/Dockerfile", "FROM base\nRUN mkdir /srv && ln -s /srv /link\n");
    kitchen.fine(&["under", "-o", "type=oci,tar=false,dest=under.oci"]);
    let stages = "FROM under AS a\nRUN echo one > /one\nFROM under AS b\nRUN echo two > /two\nFROM under\n";
    let build = |name: &str, level: &str| {
        let tar = format!("{name}{level}.tar");
        let output = kitchen.fine(&[
            name,
            level,
            "--remarks",
            "--build-context",
            "under=oci-layout://under.oci",
            "-o",
            &format!("type=tar,dest={tar}"),
        ]);
        (stderr(&output).contains("side by side"), files(&kitchen, &tar))
    };
    for (name, to, apart) in [("free", "/srv", true), ("absent", "/app", true), ("linked", "/link", false)] {
        let copies = format!("COPY --from=a /one {to}/one\nCOPY --from=b /two {to}/two\n");
        kitchen.file(&format!("{name}/Dockerfile"), format!("{stages}{copies}"));
        let exact = build(name, "-O0").1;
        // By now the image is in the store.
        assert_eq!(build(name, "-O2"), (apart, exact), "{name}");
    }
}

/// What was merged last comes first.
fn reverse(mut graph: Graph, _: &mut Work) -> Graph {
    for at in 0..graph.len() as u32 {
        if let Op::Merge(merge) = &mut graph.node_mut(NodeId(at)).op {
            merge.inputs.reverse();
        }
    }
    graph
}

/// The executor tells a wrong pass by what it builds; the laws and the model do so in their own tests.
#[test]
fn a_wrong_pass_is_caught_by_the_executor() {
    static WRONG: Pass = Pass { name: "reverse", about: "is wrong", preserves: Level::Files, run: reverse };
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM scratch AS low\nCOPY a /x\nFROM low\nCOPY --link b /x\n");
    kitchen.file("app/a", "below");
    kitchen.file("app/b", "above");
    let mut compile = crate::harness::rbc();
    assert!(
        compile.current_dir(kitchen.path("")).args(["compile", "app", "-o", "right.pb"]).status().unwrap().success()
    );
    let loaded = rbc_wire::load(&std::fs::read(kitchen.path("right.pb")).unwrap()).unwrap();
    let result = loaded.graph.roots[0].result;
    let mut graph = loaded.graph;
    graph.roots = vec![Root { name: String::new(), platform: None, result }];
    let options = Options { passes: Some(vec![&WRONG]), ..Options::default() };
    let graph = rbc_ir::optimize(graph, &options, &mut ()).unwrap();
    kitchen.file("wrong.pb", rbc_wire::emit(&graph, graph.roots[0].result).to_bytes());
    let built = |name: &str| {
        let mut solve = crate::harness::rbc();
        solve.current_dir(kitchen.path("")).env("RBC_STORE", kitchen.path("store"));
        let definition = format!("{name}.pb");
        let output = solve.args(["solve", &definition, "--local", "context=app", "-o", name]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        kitchen.read(&format!("{name}/x"))
    };
    assert_eq!((built("right"), built("wrong")), ("above".to_owned(), "below".to_owned()));
}

/// The example of the README, too.
#[test]
fn an_example_is_the_same_at_every_level() {
    let kitchen = Kitchen::new();
    let tools = if std::path::Path::new("/bin/busybox").exists() { "tools=/bin" } else { "tools=/usr/bin" };
    let site = root().join("examples/site");
    let at = |level: &str| {
        let tar = format!("type=tar,dest={level}.tar");
        let store = format!("store{level}");
        let args = [
            site.to_str().unwrap(),
            level,
            "--store",
            &store,
            "--build-context",
            tools,
            "--target",
            "site",
            "-o",
            &tar,
        ];
        kitchen.fine(&args);
        files(&kitchen, &format!("{level}.tar"))
    };
    let exact = at("-O0");
    assert!(exact.iter().any(|line| line.ends_with("www/words.txt")), "{exact:?}");
    assert_eq!(exact, at("-O1"));
    assert_eq!(exact, at("-O2"));
}
