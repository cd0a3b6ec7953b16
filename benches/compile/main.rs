//! How fast the compiler is: each phase, the whole way in the process, and the program.
//!
//! `cargo bench --bench compile [-- [NAME] [FILE]...]` measures what has NAME in its name, and the Dockerfiles named;
//! without arguments everything. docs/performance.md explains the figures.

mod clock;
mod generated;
mod input;
mod process;

use std::hint::black_box;
use std::path::Path;

use rbc::{Host as _, compile};
use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::Trigger;
use rbc_ir::CapSet;
use rbc_lower::questions::{Answers, Image, Question};
use rbc_lower::{Outcome, Product, Request};
use rbc_oci::ImageConfig;
use rbc_sema::Options;

use clock::{Cost, measure};
use input::Build;

/// The cost of each phase, and of all of them.
struct Phases {
    /// Lines, instructions, heredocs.
    lines: Cost,
    /// The text to a recipe; the lines are a part of it.
    parse: Cost,
    /// The recipe to a graph, all facts known.
    lower: Cost,
    /// The graph to the bytes of its definition.
    emit: Cost,
    /// The text to bytes and image config, and what was found thrown away.
    all: Cost,
}

/// Compiles all the way to bytes.
fn whole(build: &Build) -> usize {
    let compiled = compile(build.input(), &mut build.host.clone());
    assert!(compiled.errors.is_empty(), "{}: {}", build.name, compiled.errors[0].message);
    let size = |o: &rbc::Output| o.emit().to_bytes().len() + o.image().len();
    compiled.outputs.iter().map(size).sum()
}

fn phases(build: &Build) -> Phases {
    let file = &build.file;
    let checks = rbc_dockerfile::check_config(file).unwrap_or_else(|_| CheckConfig::default());
    let recipe = rbc_dockerfile::parse_with(file, &checks);
    let input = build.input();
    let options = Options::from_attrs(input.attrs, input.surroundings).expect("options are well formed");
    let caps = CapSet::all();
    let request = Request {
        file,
        recipe: &recipe,
        checks: &checks,
        options: &options,
        platform: options.platforms.first(),
        caps: &caps,
        ignore: input.ignore.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
        labs: input.labs,
        all_stages: false,
        quiet: false,
    };
    let (answers, product) = answer(build, &request);
    Phases {
        lines: measure(|| rbc_grammar::Document::parse(file.text())),
        parse: measure(|| rbc_dockerfile::parse_with(file, &checks)),
        lower: measure(|| rbc_lower::lower(&request, &answers)),
        emit: measure(|| {
            let mut emitted = rbc_wire::emit(&product.graph, product.result);
            emitted.number_progress_groups();
            emitted.to_bytes()
        }),
        all: measure(|| whole(build)),
    }
}

/// Everything that lowering asks for.
fn answer(build: &Build, request: &Request<'_>) -> (Answers, Box<Product>) {
    let mut host = build.host.clone();
    let mut answers = Answers::default();
    loop {
        let questions = match rbc_lower::lower(request, &answers).outcome {
            Outcome::Done(product) => return (answers, product),
            Outcome::Need(questions) => questions,
            Outcome::Failed(errors) => panic!("{}: {}", build.name, errors[0].message),
        };
        for question in questions {
            match question {
                Question::Image(question) => {
                    let found = host.image(&question).map(|found| {
                        let config = ImageConfig::parse(&found.config).expect("the config is well formed");
                        let nowhere = build.file.span(0, 0);
                        let triggers = config.config.on_build.iter();
                        let triggers = triggers.map(|t| Trigger(rbc_dockerfile::parse_trigger(t, nowhere))).collect();
                        Image { reference: found.reference, digest: found.digest, config, triggers }
                    });
                    answers.images.insert(question, found);
                }
                Question::Ignore(local) => _ = answers.ignores.insert(local, None),
                Question::Archive(url) => _ = answers.archives.insert(url, Ok(false)),
                Question::Time(source) => {
                    let time = host.time(&source);
                    answers.times.insert(source, time);
                }
            }
        }
    }
}

/// A time, with three digits.
fn time(cost: std::time::Duration) -> String {
    let ns = cost.as_nanos() as f64;
    match ns {
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 1e6 => format!("{:.*} µs", digits(ns / 1e3), ns / 1e3),
        _ if ns < 1e9 => format!("{:.*} ms", digits(ns / 1e6), ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

fn digits(n: f64) -> usize {
    if n < 10.0 { 2 } else { usize::from(n < 100.0) }
}

const HEAD: &str = "                             size      lines      parse      lower       emit |        all   (median)        CPU   allocs      memory";

fn row(name: &str, bytes: usize, p: &Phases) {
    let min = |c: &Cost| time(c.min);
    print!("{name:<23} {:>7.1} K", bytes as f64 / 1e3);
    print!(" {:>10} {:>10} {:>10} {:>10} |", min(&p.lines), min(&p.parse), min(&p.lower), min(&p.emit));
    print!(" {:>10} {:>10} {:>10}", min(&p.all), time(p.all.median), time(p.all.cpu));
    print!(" {:>8} {:>9.2} M", p.all.allocations, p.all.bytes as f64 / 1e6);
}

fn named(builds: &[Build]) {
    println!("\nSingle files. Least time of each phase (parse includes lines), then of the whole way to bytes\n{HEAD}");
    for build in builds {
        let phases = phases(build);
        row(&build.name, build.file.bytes().len(), &phases);
        let count = |c: &Cost| c.allocations;
        let Phases { lines, parse, lower, emit, all } = &phases;
        print!("\n            allocations {:>8}", "");
        println!(
            " {:>10} {:>10} {:>10} {:>10} | {:>10}",
            count(lines),
            count(parse),
            count(lower),
            count(emit),
            count(all)
        );
    }
}

/// Each series with the power by which the cost grows from one size to the next: 1 is linear.
fn series(wanted: impl Fn(&str) -> bool) {
    println!(
        "\nGenerated files. growth: the power of the size by which the whole way takes more CPU; 1 is linear\n{HEAD}   growth"
    );
    for series in generated::SERIES.iter().filter(|s| wanted(s.name)) {
        let mut before: Option<(f64, f64)> = None;
        for size in series.sizes {
            let text = (series.text)(*size);
            let name = format!("{size} {}", series.name);
            let build = Build::new(&name, text);
            let phases = phases(&build);
            let bytes = build.file.bytes().len();
            row(&name, bytes, &phases);
            let now = (*size as f64, phases.all.cpu.as_secs_f64());
            match before.replace(now) {
                Some((size, cost)) => println!("     {:.2}", (now.1 / cost).ln() / (now.0 / size).ln()),
                None => println!(),
            }
        }
    }
}

fn corpus(builds: &[Build]) {
    println!("\nAll {} recorded builds in one process", builds.len());
    let bytes: usize = builds.iter().map(|b| b.file.bytes().len()).sum();
    let each = |name: &str, work: &dyn Fn(&Build)| {
        let cost = measure(|| builds.iter().for_each(work));
        let one = |total: std::time::Duration| time(total / builds.len() as u32);
        println!(
            "{name:<8} {:>9}, CPU {:>9}; a build {:>9}, CPU {:>9}, {:>6} allocations; {:.1} MB/s",
            time(cost.min),
            time(cost.cpu),
            one(cost.min),
            one(cost.cpu),
            cost.allocations / builds.len() as u64,
            bytes as f64 / 1e6 / cost.min.as_secs_f64()
        );
    };
    each("lines", &|b| _ = black_box(rbc_grammar::Document::parse(b.file.text())));
    each("parse", &|b| _ = black_box(rbc_dockerfile::parse(&b.file)));
    each("all", &|b| _ = black_box(whole(b)));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (files, names): (Vec<&String>, Vec<&String>) = args.iter().partition(|a| Path::new(a).is_file());
    let wanted = |name: &str| match (&names[..], &files[..]) {
        ([], []) => true,
        ([], _) => false,
        (names, _) => names.iter().any(|n| name.contains(n.as_str())),
    };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/data");
    let own = ["small.Dockerfile", "service.Dockerfile"].map(|name| data.join(name));
    // First, since a child's memory counts from that of its parent.
    if wanted("process")
        && let Err(e) = process::measure(&own, &files)
    {
        eprintln!("the program cannot be measured: {e}");
    }
    let paths = own.iter().filter(|p| wanted(&p.to_string_lossy())).cloned();
    let builds: Result<Vec<Build>, _> = paths.chain(files.iter().map(|f| f.into())).map(|p| Build::read(&p)).collect();
    match builds {
        Ok(builds) if builds.is_empty() => {}
        Ok(builds) => named(&builds),
        Err(e) => eprintln!("a Dockerfile cannot be read: {e}"),
    }
    series(wanted);
    if wanted("corpus") {
        let recorded = input::recorded();
        if recorded.is_empty() {
            println!("\nThe recorded builds are not there.");
        } else {
            let mut largest: Vec<Build> = input::recorded();
            largest.sort_by_key(|b| std::cmp::Reverse(b.file.bytes().len()));
            largest.truncate(3);
            named(&largest);
            corpus(&recorded);
        }
    }
}
