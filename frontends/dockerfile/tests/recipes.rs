//! Files of our own: what becomes of them.

use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::*;
use rbc_source::{Diagnostic, FileId, Parsed, SourceFile, Span};

fn file(text: &str) -> SourceFile {
    SourceFile::new(FileId(0), "Dockerfile", text)
}

fn parse(text: &str) -> Parsed<Recipe> {
    rbc_dockerfile::parse(&file(text))
}

/// The recipe of a file without faults.
fn recipe(text: &str) -> Recipe {
    let parsed = parse(text);
    assert!(!parsed.has_errors() && !parsed.value.broken, "{:?}", parsed.diagnostics);
    parsed.value
}

/// The steps of the first stage of a file.
fn steps(text: &str) -> Vec<StepKind> {
    recipe(&format!("FROM x\n{text}")).stages.remove(0).steps.into_iter().map(|s| s.kind).collect()
}

fn step(text: &str) -> StepKind {
    steps(text).remove(0)
}

fn texts<'a>(words: impl IntoIterator<Item = &'a Word>) -> Vec<&'a str> {
    words.into_iter().map(|w| &*w.text).collect()
}

/// Codes and places of what is found.
fn found(text: &str) -> Vec<(&'static str, String)> {
    let slice = |d: &Diagnostic| d.primary.as_ref().map_or("", |l| &text[l.span.range()]).to_owned();
    parse(text).diagnostics.iter().map(|d| (d.code.id, slice(d))).collect()
}

fn error(text: &str) -> Diagnostic {
    let parsed = parse(text);
    assert!(parsed.value.broken);
    parsed.diagnostics.into_iter().find(Diagnostic::is_error).unwrap()
}

#[test]
fn stages() {
    let text = "# syntax=a/b\n# escape=`\n\n# V is a version\nARG V=1 W\n# build makes it\nFROM --platform=$P img:$V as Build\n\
                # note\nRUN a `\n  b\nFROM scratch\n";
    let recipe = recipe(text);
    let slice = |span: Span| &text[span.range()];
    assert_eq!(recipe.escape, '`');
    let directives: Vec<_> = recipe.directives.iter().map(|d| (&*d.name, &*d.value, slice(d.value_span))).collect();
    assert_eq!(directives, [("syntax", "a/b", "a/b"), ("escape", "`", "`")]);
    let StepKind::Arg(args) = &recipe.global_args[0].kind else { panic!() };
    assert_eq!((&*args[0].name.text, args[0].doc.as_deref()), ("V", Some("is a version")));
    assert_eq!((slice(args[0].default.as_ref().unwrap().span), &args[1].default), ("1", &None));
    let [build, last] = &*recipe.stages else { panic!() };
    assert_eq!((build.name.as_deref(), slice(build.name_span.unwrap())), (Some("build"), "Build"));
    assert_eq!((&*build.base.text, &*build.platform.as_ref().unwrap().text), ("img:$V", "$P"));
    assert_eq!(slice(build.platform.as_ref().unwrap().span), "$P");
    assert_eq!(build.doc.as_deref(), Some("makes it"));
    assert_eq!((&last.name, &*last.base.text, last.steps.len()), (&None, "scratch", 0));
    let head = &build.steps[0].head;
    assert_eq!((slice(head.span), slice(head.keyword_span), &*head.keyword), ("RUN a `\n  b", "RUN", "RUN"));
    assert_eq!((&*head.code, &*head.comments), ("RUN a   b", &["note".into()][..]));
    assert_eq!(head.origin, Origin::Written);
}

#[test]
fn simple_instructions() {
    let StepKind::Env(env) = step("ENV a=1 b='x y'") else { panic!() };
    assert_eq!(texts(env.iter().flat_map(|p| [&p.key, &p.value])), ["a", "1", "b", "'x y'"]);
    let StepKind::Label(label) = step("LABEL a b c") else { panic!() };
    assert_eq!((texts([&label[0].key, &label[0].value]), label[0].legacy), (vec!["a", "b c"], true));
    let StepKind::Expose(ports) = step("EXPOSE 80 443/udp $P") else { panic!() };
    assert_eq!(texts(&ports), ["$P", "443/udp", "80"]);
    let StepKind::Volume(paths) = step("VOLUME [\" /a \", \"/b\"]") else { panic!() };
    assert_eq!(texts(&paths), ["/a", "/b"]);
    let StepKind::Shell(shell) = step("SHELL [\"a\", \"b\"]") else { panic!() };
    assert_eq!(shell, ["a".into(), "b".into()]);
    let StepKind::Workdir(path) = step("WORKDIR  /a b ") else { panic!() };
    assert_eq!(&*path.text, "/a b");
    let StepKind::StopSignal(signal) = step("STOPSIGNAL --bogus 9") else { panic!() };
    assert_eq!(&*signal.text, "9");
    for (text, shell, args) in [
        ("CMD a  b", true, vec!["a  b"]),
        ("CMD [\"a\", \"b\"]", false, vec!["a", "b"]),
        ("CMD []", false, vec![]),
        ("CMD", true, vec![]),
    ] {
        let StepKind::Cmd(command) = step(text) else { panic!() };
        assert_eq!((command.shell, texts(&command.args)), (shell, args), "{text}");
    }
}

#[test]
fn runs() {
    let text = "FROM x\nRUN --mount=type=cache,RO --network=none --mount='from=s,\"target=/a,b\"' --device=v/c=d,required <<E\n$x\nE\n";
    let recipe = recipe(text);
    let StepKind::Run(run) = &recipe.stages[0].steps[0].kind else { panic!() };
    let slice = |span: Span| &text[span.range()];
    assert_eq!((run.network, run.security), (Network::None, Security::Sandbox));
    assert_eq!(run.flags, ["mount".into(), "network".into(), "device".into()]);
    assert_eq!(run.devices, [Device { name: "v/c=d".into(), required: true }]);
    let [cache, from] = &*run.mounts else { panic!() };
    let options = |mount: &Mount| -> Vec<(String, Option<String>, String)> {
        let option = |o: &MountOption| {
            (o.key.to_string(), o.value.as_ref().map(|v| v.text.to_string()), slice(o.span).to_owned())
        };
        mount.options.iter().map(option).collect()
    };
    let option =
        |key: &str, value: Option<&str>, place: &str| (key.to_owned(), value.map(str::to_owned), place.to_owned());
    assert_eq!(options(cache), [option("type", Some("cache"), "type=cache"), option("ro", None, "RO")]);
    // What is in quotes is not written as it is meant, so the whole flag is the place.
    let flag = "--mount='from=s,\"target=/a,b\"'";
    assert_eq!(options(from), [option("from", Some("s"), flag), option("target", Some("/a,b"), flag)]);
    assert_eq!(from.from().map(|w| &*w.text), Some("s"));
    assert_eq!((&*run.command.heredocs[0].name, slice(run.command.heredocs[0].body_span)), ("E", "$x\n"));
    assert_eq!((run.command.shell, texts(&run.command.args)), (true, vec!["<<E"]));
}

#[test]
fn transfers() {
    let StepKind::Copy(copy) =
        step("COPY --from=b --chown= --link --parents=FALSE --exclude=a --exclude=b x <<-E <<'F' /d\n\ty\n\tE\nz\nF\n")
    else {
        panic!()
    };
    let transfer = &copy.transfer;
    assert_eq!(copy.from.as_ref().map(|w| &*w.text), Some("b"));
    assert_eq!((transfer.link, copy.parents, &transfer.chown), (true, false, &None));
    assert_eq!(
        (texts(&transfer.sources), texts(&transfer.excludes), &*transfer.dest.text),
        (vec!["x"], vec!["a", "b"], "/d")
    );
    let files: Vec<_> = transfer.files.iter().map(|f| (&*f.name, f.content(), f.expand)).collect();
    assert_eq!(files, [("E", "y\n".into(), true), ("F", "z\n".into(), false)]);
    let StepKind::Add(add) = step("ADD --keep-git-dir --unpack=false --checksum=s [\"a b\", \"c\"]") else { panic!() };
    assert_eq!((add.keep_git_dir, add.unpack, texts(&add.transfer.sources)), (Some(true), Some(false), vec!["a b"]));
    let StepKind::Copy(json) = step("COPY [\"<<E\", \"/\"]") else { panic!() };
    assert_eq!((&*json.transfer.files[0].name, &*json.transfer.files[0].body), ("E", ""));
}

#[test]
fn healthchecks() {
    let StepKind::Healthcheck(check) = step("HEALTHCHECK --interval=1m --timeout=0 --retries=3 cmd [\"a\"]") else {
        panic!()
    };
    let Healthcheck::Check { command, interval, timeout, retries, .. } = &check else { panic!() };
    assert_eq!((*interval, *timeout, *retries, command.shell), (60_000_000_000, 0, 3, false));
    assert!(matches!(step("HEALTHCHECK none"), StepKind::Healthcheck(Healthcheck::None)));
}

#[test]
fn triggers() {
    let StepKind::Onbuild(onbuild) = step("onbuild \t COPY <<E /x \na\nE") else { panic!() };
    assert_eq!(&*onbuild.expression, "COPY <<E /x \na\nE");
    let trigger = onbuild.trigger.0.unwrap();
    let StepKind::Copy(copy) = &trigger.kind else { panic!() };
    assert_eq!((&*trigger.head.code, &*copy.transfer.files[0].body), ("COPY <<E /x", "a\n"));
    // What is wrong with a trigger matters to those who use it.
    let StepKind::Onbuild(broken) = step("ONBUILD BOGUS x") else { panic!() };
    assert_eq!(broken.trigger.0.unwrap_err().code.id, "E0107");
    let at = file("FROM x").whole();
    let trigger = |text| rbc_dockerfile::parse_trigger(text, at);
    assert_eq!(trigger("run x").unwrap().head.span, at);
    for (text, code) in [
        ("RUN a\nRUN b", "E0113"),
        ("", "E0102"),
        ("FROM x", "E0113"),
        ("ENV a", "E0105"),
        ("RUN --x a", "E0109"),
        ("ONBUILD ONBUILD x", "E0113"),
    ] {
        let error = trigger(text).unwrap_err();
        assert_eq!((error.code.id, error.primary.unwrap().span), (code, at), "{text}");
    }
}

#[test]
fn errors_point_at_what_is_wrong() {
    for (text, code, place) in [
        ("# escape=x\nFROM a", "E0101", "x"),
        ("FROM a\nRUN <<E\nb", "E0104", "RUN <<E\nb"),
        ("FROM a\nENV b", "E0105", "b"),
        ("FROM a\nENV b=c d", "E0105", "d"),
        ("FROM a\nENV b=c \\\n d", "E0105", "ENV b=c \\\n d"),
        ("FROM a\nCMD [\"a\", 1]", "E0106", "1"),
        ("FROM a\nCOPPY x y", "E0107", "COPPY"),
        ("FROM a\n\\\n", "E0107", "\\"),
        ("FROM a\nCOPY x", "E0108", "COPY x"),
        ("FROM a\nCOPY x <<E\nE", "E0108", "COPY x <<E\nE"),
        ("FROM a\nENV =x", "E0108", "=x"),
        ("FROM a\nARG =x", "E0108", "=x"),
        ("FROM a\nVOLUME [\"/a\", \" \"]", "E0108", "\" \""),
        ("FROM a b", "E0108", "FROM a b"),
        ("FROM a AS", "E0108", "FROM a AS"),
        ("FROM a\nRUN --mont=x y", "E0109", "--mont"),
        ("FROM a\nUSER --x y", "E0109", "--x"),
        ("FROM a\nCOPY --link=maybe b c", "E0110", "maybe"),
        ("FROM a\nCOPY --link= b c", "E0110", "COPY --link= b c"),
        ("FROM a\nCOPY --from b c", "E0110", "--from"),
        ("FROM a\nCOPY --from=a --from=b b c", "E0110", "--from=b"),
        ("FROM a\nRUN --network=no b", "E0110", "no"),
        ("FROM a\nRUN --security=no b", "E0110", "no"),
        ("FROM a\nRUN --device=a,name=b c", "E0110", "name=b"),
        ("FROM a\nRUN --device=a,x=b c", "E0110", "x=b"),
        ("FROM a\nHEALTHCHECK --interval=1 CMD b", "E0110", "1"),
        ("FROM a\nHEALTHCHECK --interval=1us CMD b", "E0110", "1us"),
        ("FROM a\nHEALTHCHECK --retries=-1 CMD b", "E0110", "-1"),
        ("FROM a AS 1b", "E0111", "1b"),
        ("RUN x", "E0112", "RUN"),
        ("ARG x\n", "E0112", ""),
        ("FROM a\nONBUILD from b", "E0113", "from"),
        ("FROM a\nHEALTHCHECK curl", "E0114", "curl"),
        ("FROM a\nHEALTHCHECK NONE x", "E0114", "x"),
        ("FROM a\nRUN --mount=from=$b c", "E0115", "from=$b"),
        ("FROM a\nRUN --mount= c", "E0115", "--mount="),
        ("FROM a\nSHELL bash -c", "E0116", "bash -c"),
        ("# check=bogus\nFROM a", "E0117", "bogus"),
    ] {
        let error = error(text);
        assert_eq!((error.code.id, &text[error.primary.unwrap().span.range()]), (code, place), "{text:?}");
    }
}

#[test]
fn near_names_are_suggested() {
    for (text, name) in [
        ("FROM a\nCOPPY x y", "`COPY`"),
        ("FROM a\nentypoint x", "`entrypoint`"),
        ("FROM a\nRUN --mont=x y", "`--mount`"),
        ("FROM a\nRUN --device=a,nam=b c", "`name`"),
    ] {
        assert!(error(text).notes.iter().any(|n| n.contains(name)), "{text:?}");
    }
}

#[test]
fn neighbours_of_what_is_broken_are_read() {
    let parsed = parse("FROM a\nBOGUS\nRUN ok\nFROM\nRUN there\nENV x\nUSER u\n");
    let kinds: Vec<Vec<bool>> = parsed
        .value
        .stages
        .iter()
        .map(|s| s.steps.iter().map(|s| matches!(s.kind, StepKind::Error)).collect())
        .collect();
    assert_eq!(kinds, [vec![true, false], vec![true, false, true, false]]);
    // What keeps the file from being split comes first, as in the reference.
    let codes: Vec<_> = parsed.diagnostics.iter().map(|d| d.code.id).collect();
    assert_eq!(codes, ["E0105", "E0107", "E0108"]);
}

#[test]
fn checks() {
    assert_eq!(
        found(
            "from a As B\nMAINTAINER x\nFrom c AS b\nRUN d \\\n\n e\n# y\nFROM a AS scratch\nfrom x\nuser u\nenv a=b\n"
        ),
        [
            ("W0103", " e".into()),
            ("W0101", "B".into()),
            ("W0102", "As".into()),
            ("W0108", "MAINTAINER x".into()),
            ("W0105", "From c AS b".into()),
            ("W0106", "FROM a AS scratch".into()),
            ("W0104", "MAINTAINER x".into()),
            ("W0104", "From c AS b".into()),
            ("W0104", "RUN d \\\n\n e".into()),
            ("W0104", "FROM a AS scratch".into()),
        ]
    );
}

#[test]
fn checks_are_configured() {
    let found = |text: &str| found(text).into_iter().map(|f| f.0).collect::<Vec<_>>();
    assert_eq!(found("FROM a as B\n"), ["W0101", "W0102"]);
    assert_eq!(found("# check=skip=StageNameCasing\nFROM a as B\n"), ["W0102"]);
    assert_eq!(found("# check=skip=all;error=true\nFROM a as B\n"), [""; 0]);
    assert_eq!(found("#!x\n# check=skip=all\nFROM a as B\n"), [""; 0]);
    assert_eq!(found(" # check=skip=all\nFROM a as B\n"), ["W0101", "W0102"]);
    assert_eq!(found("# check=x\nFROM a\nENV b\n# escape=`\nBOGUS\n"), ["E0117", "E0105", "E0107"]);
    assert_eq!(found("# x\n# check=skip=FromAsCasing\nFROM a as B\n"), ["W0101"]);
    assert_eq!(found("# check=experimental=all\n# c\nARG a b\n# d\nFROM a AS b\n"), ["W0120", "W0120"]);
    assert_eq!(found("# check=experimental=all\n# c\n# a d\nARG a b\n\n# e\n#\nFROM a AS b\n"), [""; 0]);
    let config = CheckConfig::parse("skip=all").unwrap();
    assert!(rbc_dockerfile::parse_with(&file("# check=bogus\nFROM a as B\n"), &config).diagnostics.is_empty());
}

#[test]
fn fixes_remove_their_cause() {
    for text in [
        "FROM a AS B\n",
        "FROM a as b\n",
        "from a AS b\n",
        "FROM a\nRUN b \\\n\n\n c\n",
        "FROM a\nRun b\n",
        "FROM a\nMAINTAINER me <a@b>\n",
        "FROM a\nCOPPY b c\n",
    ] {
        let before = parse(text).diagnostics.remove(0);
        let mut edits = before.fixes[0].edits.clone();
        edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
        let mut fixed = text.to_owned();
        for edit in edits {
            fixed.replace_range(edit.span.range(), &edit.text);
        }
        assert_eq!(found(&fixed), [], "{fixed:?}");
    }
}

#[test]
fn pages_of_codes_hold_true() {
    #![allow(clippy::disallowed_methods)]
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes");
    for number in 101..=120 {
        for id in [format!("E0{number}"), format!("W0{number}")] {
            let Ok(page) = std::fs::read_to_string(format!("{pages}/{id}.md")) else { continue };
            let ours = id.starts_with('E') || matches!(number, 101..=106 | 108 | 120);
            // The fence says what becomes of the example: `dockerfile,ok`, `dockerfile,error` or `dockerfile,warning`.
            let blocks: Vec<_> = page
                .split("```dockerfile,")
                .skip(1)
                .map(|b| b.split("```").next().unwrap().split_once('\n').unwrap())
                .collect();
            let has = |block: &str| found(block).iter().any(|f| f.0 == id);
            if id == "E0103" || !ours {
                assert!(blocks.iter().all(|(_, block)| !parse(block).has_errors()), "{id}");
                continue;
            }
            assert!(blocks.iter().any(|(fence, _)| *fence != "ok"), "{id} shows no fault");
            for (fence, block) in &blocks {
                assert_eq!(has(block), *fence != "ok", "{id}: {block}");
                assert!(*fence != "ok" || !parse(block).has_errors(), "{id}: {block}");
            }
        }
    }
}

#[test]
fn large_files() {
    const SIZE: usize = 1 << 20;
    let filled = |unit: &str| unit.repeat(SIZE / unit.len());
    for text in [
        "x".repeat(10 << 20),
        format!("FROM x\n{}", filled("RUN y\n")),
        filled("FROM x AS y\n"),
        filled("# z\n") + "FROM x AS y",
        format!("FROM x\nENV {}", filled("a=b \\\n")),
        format!("FROM x\nLABEL {}", filled("=b \\\n")),
        format!("FROM x\nRUN {} y", filled("--mount=a,b,c \\\n")),
        format!("FROM x\nRUN --mount={} y", filled("a=b,\\\n")),
        format!("FROM x\nRUN --mount={} y", filled("\"\",\\\n")),
        format!("FROM x\nCOPY {} /", filled("<<E \\\n")),
        format!("FROM x\n{}", filled("ONBUILD RUN x\n")),
        format!("FROM x\nONBUILD {}", filled("ONBUILD \\\n")),
        format!("FROM x\nHEALTHCHECK --interval={} CMD x", filled("1h\\\n")),
        format!("FROM x\nCMD {}", filled("[\\\n")),
        format!("{}ARG {}", filled("# c\n"), filled("a \\\n")),
        format!("FROM x\nCOPY {} /\n{}", filled("<<E \\\n"), "E\n".repeat(SIZE / 6)),
        format!("FROM x\nCOPY {} /\n{}{}E\n", "<<E ".repeat(2_000), "E\n".repeat(1_999), filled("x\n")),
        filled("bogus\n")[..SIZE / 8].to_owned(),
        filled("RUN x\n"),
    ] {
        let parsed = parse(&text);
        assert!(parsed.diagnostics.len() <= text.len());
    }
}

#[test]
fn no_panic_on_mutations() {
    const SEEDS: [&str; 4] = [
        "# check=skip=all\n# escape=`\nARG V=1\nFROM --platform=$P a:$V AS b\nRUN --mount=type=cache,\"target=/x\" --network=none <<E y\n$x\nE\n",
        "FROM a\nENV a=\"b c\" d=e\nLABEL a b\nCMD [\"a\", \"\\u00e9\"]\nHEALTHCHECK --interval=1s --retries=3 CMD x \\\n\n# c\n y\nSHELL [\"s\"]\n",
        "FROM a\nONBUILD COPY --from=x <<E /\ny\nE\nEXPOSE 80 81/TCP\nVOLUME [\"/a\", \"/b\"]\nSTOPSIGNAL 9\nMAINTAINER z\n",
        "# x y\nFROM a as X\nADD --checksum=sha256:0 --unpack https://x/y /z\nRUN --device=a/b=c,required --security=insecure w\nUSER u\nWORKDIR /w\n",
    ];
    const PIECES: [&str; 22] = [
        "\n",
        "\\\n",
        "`\n",
        "<<E",
        "E\n",
        "# ",
        " ",
        "\"",
        "'",
        "[",
        "]",
        "--",
        "=",
        ",",
        "à",
        "\u{FEFF}",
        "ONBUILD ",
        "FROM ",
        "$",
        "\0",
        "HEALTHCHECK ",
        "1h",
    ];
    let mut seed = 0x9E37_79B9_97F4_A7C1u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    for round in 0..8_000 {
        let mut chars: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        for _ in 0..=random(5) {
            let at = random(chars.len() + 1);
            match random(3) {
                0 => drop(chars.splice(at..at, PIECES[random(PIECES.len())].chars())),
                1 => drop(chars.drain(at..(at + random(10)).min(chars.len()))),
                _ => {
                    let piece: Vec<char> = chars[at..(at + random(30)).min(chars.len())].to_vec();
                    let to = random(chars.len() + 1);
                    chars.splice(to..to, piece);
                }
            }
        }
        let text: String = chars.into_iter().collect();
        let source = file(&text);
        let parsed = rbc_dockerfile::parse(&source);
        assert_eq!(parsed.value.broken, parsed.has_errors());
        for diagnostic in &parsed.diagnostics {
            let span = diagnostic.primary.as_ref().unwrap().span;
            assert!(text.get(span.range()).is_some(), "{text:?} {diagnostic:?}");
        }
        for stage in &parsed.value.stages {
            for step in &stage.steps {
                assert!(text.get(step.head.span.range()).is_some());
            }
        }
    }
}
