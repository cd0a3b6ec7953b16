//! Images to stages, keys to steps. Every step has the text that a Dockerfile would have for it.

use std::collections::{HashMap, HashSet};

use rbc_ast::recipe::{
    Add, ArgDecl, CommandLine, Copy, Head, Heredoc, Mount, MountOption, Network, Origin, Pair, Recipe, Run, Security,
    Stage, Step as Done, StepKind, Transfer, Word,
};
use rbc_source::{Diagnostic, Span, mockerfile as codes};

use crate::file::{Command, External, File, Image, Package, Pairs, Step};
use crate::read::{Text, fault};

/// Writes all images of a file into a recipe, parents first.
pub fn fill(file: &File, recipe: &mut Recipe, faults: &mut Vec<Diagnostic>) {
    recipe.global_args = args(&file.args);
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (i, image) in file.images.iter().enumerate() {
        let Some(name) = &image.name else {
            if file.images.len() > 1 {
                image_fault(faults, image.span, "an image needs a `name` where there are several".to_owned());
            }
            continue;
        };
        if !is_name(&name.text) {
            let problem = Diagnostic::new(codes::IMAGE, format!("`{}` cannot be the name of an image", name.text));
            faults.push(
                problem.at(name.span).note("names are lower-case letters, digits, `-`, `_` and `.`, a letter first"),
            );
        }
        if by_name.insert(&name.text, i).is_some() {
            image_fault(faults, name.span, format!("there are two images `{}`", name.text));
        }
    }
    let names: HashSet<&str> = by_name.keys().copied().collect();
    let mut state = vec![Seen::No; file.images.len()];
    for start in 0..file.images.len() {
        let mut stack = vec![start];
        while let Some(&i) = stack.last() {
            let image = &file.images[i];
            if state[i] == Seen::Done {
                stack.pop();
                continue;
            }
            let parent = image.parent.as_ref().map(|p| (p, by_name.get(p.text.as_str()).copied()));
            match parent {
                Some((parent, None)) if state[i] == Seen::No => {
                    let problem =
                        Diagnostic::new(codes::IMAGE, format!("there is no image `{}` in the file", parent.text));
                    // Looking for the name that was meant takes time in the number of names.
                    let known = names.iter().copied().filter(|_| faults.len() < 100);
                    let problem = problem.at(parent.span).suggest(&parent.text, known);
                    faults.push(problem);
                }
                Some((parent, Some(p))) if state[p] != Seen::Done && state[i] == Seen::No => {
                    state[i] = Seen::Open;
                    if state[p] == Seen::Open || p == i {
                        image_fault(faults, parent.span, "images cannot be parents of one another".to_owned());
                    } else {
                        stack.push(p);
                        continue;
                    }
                }
                _ => {}
            }
            state[i] = Seen::Done;
            stack.pop();
            stages(file, image, recipe, &names, faults);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    No,
    Open,
    Done,
}

fn image_fault(faults: &mut Vec<Diagnostic>, span: Span, message: String) {
    faults.push(Diagnostic::new(codes::IMAGE, message).at(span));
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

/// The suffix of the stage that an image with `output` takes its files from.
const WORK: &str = ".work";

fn stages(file: &File, image: &Image, recipe: &mut Recipe, names: &HashSet<&str>, faults: &mut Vec<Diagnostic>) {
    let name = image.name.as_ref().map(|n| n.text.as_str()).unwrap_or("image");
    let base = match (&image.from, &image.parent) {
        (Some(base), _) | (None, Some(base)) => base,
        (None, None) => return image_fault(faults, image.span, "an image needs `from` or `parent`".to_owned()),
    };
    if base.text.is_empty() || base.text.contains(char::is_whitespace) {
        return image_fault(faults, base.span, format!("`{}` is no image to start from", base.text));
    }
    let work = format!("{name}{WORK}");
    if !image.output.is_empty() && names.contains(work.as_str()) {
        image_fault(faults, image.span, format!("`{name}` has `output`, so no other image can be called `{work}`"));
    }
    let own = if image.output.is_empty() { name } else { &work };
    // The name is left out where the user gave none.
    let own = (image.name.is_some() || !image.output.is_empty()).then_some(own);
    let mut stage = stage(own, base, image.platform.as_ref(), image.span);
    let steps = &mut stage.steps;
    for (arg, _) in &file.args {
        steps.push(declare(arg, None));
    }
    steps.extend(args(&image.args));
    if !image.shell.is_empty() {
        let span = image.shell.first().map_or(image.span, |t| t.span);
        let list: Vec<Box<str>> = image.shell.iter().map(|t| t.text.as_str().into()).collect();
        steps.push(step("SHELL", &json(image.shell.iter().map(|t| t.text.as_str())), span, StepKind::Shell(list)));
    }
    steps.extend(env(&image.env));
    if let (Some(_), Some(parent)) = (&image.from, &image.parent) {
        let all = Text { text: "/".to_owned(), span: parent.span };
        let from = Some(parent.clone());
        steps.push(derived("parent", copy(std::slice::from_ref(&all), &all, from.as_ref(), None, None, parent.span)));
    }
    if let Some(package) = &image.package {
        packages(name, package, steps, faults);
    }
    for external in &image.external {
        download(external, steps);
    }
    if let Some(dir) = &image.workdir {
        steps.push(word("WORKDIR", dir, StepKind::Workdir));
    }
    for step in &image.steps {
        steps.extend(written(step, faults));
    }
    if image.output.is_empty() {
        config(image, steps);
        recipe.stages.push(stage);
        return;
    }
    recipe.stages.push(stage);
    let scratch = Text { text: "scratch".to_owned(), span: image.span };
    let mut result =
        self::stage(image.name.as_ref().map(|n| n.text.as_str()), &scratch, image.platform.as_ref(), image.span);
    let from = Text { text: work, span: image.span };
    for path in &image.output {
        if !path.text.starts_with('/') {
            fault(faults, path.span, "`output` has absolute paths".to_owned());
        }
        let made = copy(std::slice::from_ref(path), path, Some(&from), None, None, path.span);
        result.steps.push(derived("output", made));
    }
    result.steps.extend(env(&image.env));
    if let Some(dir) = &image.workdir {
        result.steps.push(word("WORKDIR", dir, StepKind::Workdir));
    }
    config(image, &mut result.steps);
    recipe.stages.push(result);
}

/// What an image's config says, behind everything that runs.
fn config(image: &Image, steps: &mut Vec<Done>) {
    if let Some((first, _)) = image.labels.first() {
        let pairs: Vec<Pair> = image.labels.iter().map(pair).collect();
        steps.push(step("LABEL", &shown(&pairs), first.span, StepKind::Label(pairs)));
    }
    if let Some(first) = image.expose.first() {
        let mut ports: Vec<Word> = image.expose.iter().map(to_word).collect();
        ports.sort_by(|a, b| a.text.cmp(&b.text));
        let code: Vec<&str> = ports.iter().map(|w| &*w.text).collect();
        steps.push(step("EXPOSE", &code.join(" "), first.span, StepKind::Expose(ports)));
    }
    if let Some(first) = image.volumes.first() {
        let code = json(image.volumes.iter().map(|t| t.text.as_str()));
        let list = image.volumes.iter().map(to_word).collect();
        steps.push(step("VOLUME", &code, first.span, StepKind::Volume(list)));
    }
    if let Some(user) = &image.user {
        steps.push(word("USER", user, StepKind::User));
    }
    if let Some(signal) = &image.stopsignal {
        steps.push(word("STOPSIGNAL", signal, StepKind::StopSignal));
    }
    for (keyword, command) in [("ENTRYPOINT", &image.entrypoint), ("CMD", &image.cmd)] {
        let Some(command) = command else { continue };
        let (span, code, line) = match command {
            Command::Shell(text) => (text.span, text.text.clone(), shell(text)),
            Command::Exec(span, list) => {
                let args = list.iter().map(to_word).collect();
                let line = CommandLine { args, shell: false, heredocs: Vec::new() };
                (*span, json(list.iter().map(|t| t.text.as_str())), line)
            }
        };
        let kind = if keyword == "CMD" { StepKind::Cmd(line) } else { StepKind::Entrypoint(line) };
        steps.push(step(keyword, &code, span, kind));
    }
}

fn to_word(text: &Text) -> Word {
    Word::new(text.text.as_str(), text.span)
}

fn stage(name: Option<&str>, base: &Text, platform: Option<&Text>, span: Span) -> Stage {
    let flag = platform.map(|p| format!("--platform={} ", p.text)).unwrap_or_default();
    let called = name.map(|name| format!(" AS {name}")).unwrap_or_default();
    Stage {
        name: name.map(Into::into),
        name_span: name.map(|_| span),
        base: to_word(base),
        platform: platform.map(to_word),
        head: head("FROM", &format!("{flag}{}{called}", base.text), base.span),
        doc: None,
        steps: Vec::new(),
    }
}

fn head(keyword: &str, rest: &str, span: Span) -> Head {
    Head {
        span,
        keyword: keyword.into(),
        keyword_span: span,
        code: format!("{keyword} {rest}").into(),
        comments: Vec::new(),
        origin: Origin::Written,
    }
}

fn step(keyword: &str, rest: &str, span: Span, kind: StepKind) -> Done {
    Done { head: head(keyword, rest, span), kind }
}

fn derived(rule: &'static str, mut step: Done) -> Done {
    step.head.origin = Origin::Derived { rule };
    step
}

fn word(keyword: &str, text: &Text, kind: impl Fn(Word) -> StepKind) -> Done {
    step(keyword, &text.text, text.span, kind(to_word(text)))
}

/// A list as JSON.
fn json<'t>(list: impl Iterator<Item = &'t str>) -> String {
    let quoted = |text: &str| {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        out + "\""
    };
    format!("[{}]", list.map(quoted).collect::<Vec<_>>().join(", "))
}

/// A value as it stands in a Dockerfile: `$NAME` is replaced in it, and `\$` is a dollar.
fn quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:@+-".contains(&b)) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' if rest.peek() == Some(&'$') => out.push('\\'),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out + "\""
}

fn pair((name, value): &(Text, Option<Text>)) -> Pair {
    let (text, span) = value.as_ref().map_or(("", name.span), |v| (v.text.as_str(), v.span));
    Pair { key: Word::new(quoted(&name.text), name.span), value: Word::new(quoted(text), span), legacy: false }
}

fn shown(pairs: &[Pair]) -> String {
    pairs.iter().map(|p| format!("{}={}", p.key.text, p.value.text)).collect::<Vec<_>>().join(" ")
}

/// Variables, each by a step of its own, so that one may use those before it.
fn env(pairs: &Pairs) -> Vec<Done> {
    pairs
        .iter()
        .map(|entry| {
            let pair = vec![pair(entry)];
            step("ENV", &shown(&pair), entry.0.span, StepKind::Env(pair))
        })
        .collect()
}

fn args(pairs: &Pairs) -> Vec<Done> {
    pairs.iter().map(|(name, value)| declare(name, value.as_ref())).collect()
}

fn declare(name: &Text, value: Option<&Text>) -> Done {
    let default = value.map(|v| Word::new(quoted(&v.text), v.span));
    let code = default.as_ref().map_or_else(|| name.text.clone(), |d| format!("{}={}", name.text, d.text));
    let decl = ArgDecl { name: to_word(name), default, doc: None };
    step("ARG", &code, name.span, StepKind::Arg(vec![decl]))
}

/// A command for the shell, on the line of its instruction if it can stand there.
fn shell(text: &Text) -> CommandLine {
    CommandLine { args: vec![to_word(text)], shell: true, heredocs: Vec::new() }
}

/// A name for a heredoc that ends none of these lines.
fn delimiter(body: &str) -> String {
    let taken = |name: &str| body.lines().any(|line| line == name);
    let numbered = (2..).map(|n| format!("EOF{n}"));
    std::iter::once("EOF".to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

fn run(command: &Text, mounts: Vec<Mount>, network: Network, flags: Vec<&'static str>, written: &str) -> Done {
    let text = command.text.trim();
    let on_line = !text.contains(['\n', '\r'])
        && !text.contains("<<")
        && !["[", "--", "#"].iter().any(|start| text.starts_with(start))
        && !text.ends_with('\\');
    let (line, code) = if on_line {
        let line = shell(&Text { text: text.to_owned(), span: command.span });
        (line, text.to_owned())
    } else {
        let body = format!("{}\n", command.text.trim_matches('\n').replace("\r\n", "\n"));
        let name = delimiter(&body);
        let code = format!("<<{name}");
        let heredoc =
            Heredoc { name: name.into(), body: body.into(), body_span: command.span, expand: true, chomp: false };
        let args = vec![Word::new(code.as_str(), command.span)];
        (CommandLine { args, shell: true, heredocs: vec![heredoc] }, code)
    };
    let run = Run {
        command: line,
        mounts,
        network,
        security: Security::Sandbox,
        devices: Vec::new(),
        flags: flags.into_iter().map(Into::into).collect(),
    };
    step("RUN", &format!("{written}{code}"), command.span, StepKind::Run(Box::new(run)))
}

fn plain_run(text: String, span: Span) -> Done {
    run(&Text { text, span }, Vec::new(), Network::Default, Vec::new(), "")
}

/// `key=value,...` of a mount.
fn mount(text: &Text, faults: &mut Vec<Diagnostic>) -> Option<Mount> {
    if text.text.contains(['"', ' ']) {
        fault(
            faults,
            text.span,
            "a mount is written as `type=cache,target=/path`, without spaces and quotes".to_owned(),
        );
        return None;
    }
    let option = |field: &str| {
        let (key, value) = field.split_once('=').map_or((field, None), |(k, v)| (k, Some(v)));
        let value = value.map(|v| Word::new(v, text.span));
        MountOption { key: key.to_lowercase().into(), value, span: text.span }
    };
    Some(Mount { options: text.text.split(',').map(option).collect(), span: text.span })
}

fn copy(
    sources: &[Text],
    dest: &Text,
    from: Option<&Text>,
    chown: Option<&Text>,
    chmod: Option<&Text>,
    span: Span,
) -> Done {
    let mut code = String::new();
    for (flag, value) in [("from", from), ("chown", chown), ("chmod", chmod)] {
        if let Some(value) = value {
            code += &format!("--{flag}={} ", value.text);
        }
    }
    code += &paths(sources.iter().chain([dest]).map(|t| t.text.as_str()));
    let transfer = transfer(sources, dest, chown, chmod);
    step("COPY", &code, span, StepKind::Copy(Box::new(Copy { transfer, from: from.map(to_word), parents: false })))
}

fn transfer(sources: &[Text], dest: &Text, chown: Option<&Text>, chmod: Option<&Text>) -> Transfer {
    Transfer {
        sources: sources.iter().map(to_word).collect(),
        files: Vec::new(),
        dest: to_word(dest),
        chown: chown.map(to_word),
        chmod: chmod.map(to_word),
        link: false,
        excludes: Vec::new(),
    }
}

/// Paths in a row, as JSON if one of them could not stand there otherwise.
fn paths<'t>(list: impl Iterator<Item = &'t str>) -> String {
    let list: Vec<&str> = list.collect();
    let plain = |p: &&str| !p.is_empty() && !p.contains(char::is_whitespace) && !p.starts_with(['[', '<', '-']);
    if list.iter().all(plain) { list.join(" ") } else { json(list.into_iter()) }
}

fn add(src: &Text, dest: &Text, sum: Option<&Text>, mode: Option<&Text>, unpack: bool, span: Span) -> Done {
    let checksum = sum.map(|sum| Word::new(format!("sha256:{}", sum.text.to_lowercase()), sum.span));
    let mut code = String::new();
    if let Some(sum) = &checksum {
        code += &format!("--checksum={} ", sum.text);
    }
    if let Some(mode) = mode {
        code += &format!("--chmod={} ", mode.text);
    }
    if unpack {
        code += "--unpack=true ";
    }
    code += &paths([src.text.as_str(), &dest.text].into_iter());
    let transfer = transfer(std::slice::from_ref(src), dest, None, mode);
    let add = Add { transfer, checksum, keep_git_dir: None, unpack: unpack.then_some(true) };
    step("ADD", &code, span, StepKind::Add(Box::new(add)))
}

fn download(external: &External, steps: &mut Vec<Done>) {
    let span = external.src.span;
    let dest = match external.unpack && !external.dst.text.ends_with('/') {
        true => Text { text: format!("{}/", external.dst.text), span: external.dst.span },
        false => external.dst.clone(),
    };
    // What is downloaded and no archive is a program, unless the file says otherwise.
    let program = Text { text: "755".to_owned(), span };
    let mode = external.mode.as_ref().or((!external.unpack).then_some(&program));
    let made = add(&external.src, &dest, external.sha256.as_ref(), mode, external.unpack, span);
    steps.push(derived("external", made));
    for command in &external.install {
        steps.push(derived("external.install", plain_run(command.text.clone(), command.span)));
    }
}

const KEYRINGS: &str = "/etc/apt/keyrings";
const INSTALL: &str = "apt-get update && apt-get install --no-install-recommends --no-install-suggests -y";
const CLEAN: &str = "rm -rf /var/lib/apt/lists/*";
fn packages(name: &str, package: &Package, steps: &mut Vec<Done>, faults: &mut Vec<Diagnostic>) {
    let add_step = |steps: &mut Vec<Done>, rule, made| steps.push(derived(rule, made));
    if !package.repo.is_empty() || !package.gpg.is_empty() {
        let text = format!("{INSTALL} apt-transport-https ca-certificates && {CLEAN}");
        add_step(steps, "package.repo", plain_run(text, package.span));
    }
    let keys = |key: &str| format!("{KEYRINGS}/{name}-{key}.key");
    for (i, (src, sum)) in package.gpg.iter().enumerate() {
        let dest = Text { text: keys(&(i + 1).to_string()), span: src.span };
        let mode = Text { text: "644".to_owned(), span: src.span };
        add_step(steps, "package.gpg", add(src, &dest, sum.as_ref(), Some(&mode), false, src.span));
    }
    let keyring = format!("{KEYRINGS}/{name}.gpg");
    if let Some((first, _)) = package.gpg.first() {
        let all = keys("*");
        // Keys may be armored, which old versions of apt do not read. Every image has the tools that undo it.
        let text = format!(
            "for key in {all}; do if grep -q '^-----BEGIN PGP' \"$key\"; then sed -e '/^-/d' -e '/^=/d' -e '/:/d' \
             -e '/^[[:space:]]*$/d' \"$key\" | base64 -d; else cat \"$key\"; fi; done > {keyring} && rm {all}"
        );
        add_step(steps, "package.gpg", plain_run(text, first.span));
    }
    let keyring = if package.gpg.is_empty() { "" } else { &keyring };
    let mut body = String::new();
    for repo in &package.repo {
        match signed(&repo.text, keyring) {
            Some(line) => body += &format!("{line}\n"),
            None => {
                fault(faults, repo.span, "a repository is written as `deb [OPTIONS] URL SUITE COMPONENT`".to_owned())
            }
        }
    }
    if let Some(first) = package.repo.first() {
        let dest = Text { text: format!("/etc/apt/sources.list.d/{name}.list"), span: first.span };
        let end = delimiter(&body);
        let code = format!("<<\"{end}\" {}", dest.text);
        let heredoc =
            Heredoc { name: end.into(), body: body.into(), body_span: first.span, expand: false, chomp: false };
        let mut transfer = transfer(&[], &dest, None, None);
        transfer.files.push(heredoc);
        let kind = StepKind::Copy(Box::new(Copy { transfer, from: None, parents: false }));
        add_step(steps, "package.repo", step("COPY", &code, first.span, kind));
    }
    if let Some(first) = package.install.first() {
        let names: Vec<&str> = package.install.iter().map(|t| t.text.as_str()).collect();
        let text = format!("{INSTALL} {} && {CLEAN}", names.join(" "));
        add_step(steps, "package.install", plain_run(text, first.span));
    }
}

/// A line of a list of repositories, with the keyring that signs it unless it names its own.
fn signed(line: &str, keyring: &str) -> Option<String> {
    let (kind, rest) = line.trim().split_once(char::is_whitespace)?;
    if kind != "deb" && kind != "deb-src" {
        return None;
    }
    let rest = rest.trim_start();
    let (options, place) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut options = options.trim().to_owned();
    if !keyring.is_empty() && !options.contains("signed-by=") {
        let space = if options.is_empty() { "" } else { " " };
        options += &format!("{space}signed-by={keyring}");
    }
    let options = if options.is_empty() { String::new() } else { format!("[{options}] ") };
    Some(format!("{kind} {options}{}", place.trim()))
}

fn written(step: &Step, faults: &mut Vec<Diagnostic>) -> Vec<Done> {
    match step {
        Step::Run { command, mounts, network } => {
            let mut flags = Vec::new();
            let mut code = String::new();
            let mut list = Vec::new();
            for text in mounts {
                flags.push("mount");
                code += &format!("--mount={} ", text.text);
                list.extend(mount(text, faults));
            }
            let network = match network.as_ref().map(|n| (n, n.text.as_str())) {
                None => Network::Default,
                Some((text, mode)) => {
                    flags.push("network");
                    code += &format!("--network={mode} ");
                    match mode {
                        "default" => Network::Default,
                        "none" => Network::None,
                        "host" => Network::Host,
                        _ => {
                            fault(faults, text.span, "`network` is `default`, `none` or `host`".to_owned());
                            Network::Default
                        }
                    }
                }
            };
            if command.text.trim().is_empty() {
                fault(faults, command.span, "a command is empty".to_owned());
                return Vec::new();
            }
            vec![run(command, list, network, flags, &code)]
        }
        Step::Copy { sources, dest, from, chown, chmod, span } => {
            vec![copy(sources, dest, from.as_ref(), chown.as_ref(), chmod.as_ref(), *span)]
        }
        Step::Env(pairs) => env(pairs),
        Step::Args(pairs) => args(pairs),
        Step::Workdir(dir) => vec![word("WORKDIR", dir, StepKind::Workdir)],
        Step::User(user) => vec![word("USER", user, StepKind::User)],
    }
}
