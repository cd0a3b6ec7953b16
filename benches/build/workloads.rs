//! What is built.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A project, and what is measured of it, one after the other.
pub struct Project {
    pub name: String,
    pub setup: Box<dyn Fn(&Path)>,
    pub measures: Vec<Measure>,
}

/// A build that is measured, after a change.
pub struct Measure {
    pub name: &'static str,
    /// It is done once, since it would not be the same a second time.
    pub once: bool,
    pub before: fn(&Path, usize),
}

fn nothing(_: &Path, _: usize) {}

/// The build argument `N` differs from build to build; without this line it makes no difference.
const NEW: &str = "ARG N\n";

/// All workloads, on a base image.
pub fn all(base: &str, scale: f64) -> Vec<Project> {
    let of = |part: f64| ((part * scale) as usize).max(1);
    let project = |name: &str, text: String, measures: Vec<Measure>| Project {
        name: name.to_owned(),
        setup: Box::new(move |dir| write(&dir.join("Dockerfile"), text.as_bytes())),
        measures,
    };
    let again = |name| Measure { name, once: false, before: nothing };
    let first = |name| Measure { name, once: true, before: nothing };
    let chain = |new: &str| {
        let mut text = format!("FROM {base}\n{new}");
        for number in 0..100 {
            _ = writeln!(text, "RUN : {number}");
        }
        text
    };
    let stages = |command: &str| {
        let mut text = String::new();
        for number in 0..16 {
            _ = writeln!(text, "FROM {base} AS s{number}\n{NEW}RUN {command}; echo {number} > /out{number}");
        }
        text += "FROM scratch\n";
        for number in 0..16 {
            _ = writeln!(text, "COPY --from=s{number} /out{number} /");
        }
        text
    };
    vec![
        project("g", format!("FROM {base}\nRUN true\n"), vec![first("g.first"), again("g.cached")]),
        project("g1", format!("FROM {base}\n{NEW}RUN true\n"), vec![first("g1.first"), again("g.run1")]),
        project("b", chain(NEW), vec![first("b.first"), again("b.100")]),
        project("bc", chain(""), vec![first("bc.first"), again("b.100cached")]),
        project("c", stages(":"), vec![first("c.first"), again("c.noop")]),
        project("cs", stages("sleep 1"), vec![first("cs.first"), again("c.sleep")]),
        mounted(base, of(20_000.0)),
        app(base, of(20_000.0)),
        copy(base, of(50_000.0), of(1024.0)),
    ]
}

/// 24 instructions over a context of many files, which is most of what is there.
fn app(base: &str, files: usize) -> Project {
    let mut text = format!("FROM {base} AS deps\nWORKDIR /app\nCOPY dir0 dir0\n");
    for number in 0..6 {
        _ = writeln!(text, "RUN echo dep {number} > /dep{number}");
    }
    text += "FROM deps AS build\nCOPY . .\n";
    for number in 0..8 {
        _ = writeln!(text, "RUN find dir{number} -type f | wc -l > /count{number}");
    }
    text += "FROM deps\nCOPY --from=build /app /app\n";
    for number in 0..3 {
        _ = writeln!(text, "COPY --from=build /count{number} /");
    }
    text += "ENV A=1\n";
    Project {
        name: "a".to_owned(),
        setup: Box::new(move |dir| {
            write(&dir.join("Dockerfile"), text.as_bytes());
            tree(dir, files, 15_000);
        }),
        measures: vec![
            Measure { name: "a.cold", once: true, before: nothing },
            Measure { name: "a.noop", once: false, before: nothing },
            Measure {
                name: "a.touch1",
                once: false,
                before: |dir, n| write(&dir.join("dir9/f9"), n.to_string().as_bytes()),
            },
            Measure { name: "a.mtimeall", once: false, before: touch },
        ],
    }
}

/// A command that reads the context through a mount, as compilers with a cache do.
fn mounted(base: &str, files: usize) -> Project {
    let text = format!(
        "FROM {base}\nRUN --mount=type=bind,target=/src --mount=type=cache,target=/cache cat /src/dir9/f9 >> /cache/log\n"
    );
    Project {
        name: "e".to_owned(),
        setup: Box::new(move |dir| {
            write(&dir.join("Dockerfile"), text.as_bytes());
            tree(dir, files, 15_000);
        }),
        measures: vec![
            Measure { name: "e.cold", once: true, before: nothing },
            Measure { name: "e.noop", once: false, before: nothing },
            Measure {
                name: "e.touch1",
                once: false,
                before: |dir, n| write(&dir.join("dir9/f9"), n.to_string().as_bytes()),
            },
        ],
    }
}

/// Many small files and a large one.
fn copy(base: &str, files: usize, megabytes: usize) -> Project {
    let text = format!("FROM {base}\nCOPY . /data\n");
    Project {
        name: "d".to_owned(),
        setup: Box::new(move |dir| {
            write(&dir.join("Dockerfile"), text.as_bytes());
            tree(dir, files, 4_000);
            let part = noise(1 << 20, 7);
            let mut large = Vec::with_capacity(megabytes << 20);
            (0..megabytes).for_each(|_| large.extend_from_slice(&part));
            write(&dir.join("large"), &large);
        }),
        measures: vec![
            Measure { name: "d.cold", once: true, before: nothing },
            Measure { name: "d.noop", once: false, before: nothing },
            Measure {
                name: "d.change1",
                once: false,
                before: |dir, n| write(&dir.join("dir9/f9"), n.to_string().as_bytes()),
            },
        ],
    }
}

/// Files of a size, a hundredth of them in each directory.
fn tree(dir: &Path, files: usize, size: usize) {
    for number in 0..files {
        let path = dir.join(format!("dir{}/f{number}", number % 100));
        write(&path, &noise(size, number as u64 + 1));
    }
}

/// Bytes that are neither all alike nor worth compressing.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&(state & 0x3f3f_3f3f_3f3f_3f3f).to_le_bytes());
    }
    out.truncate(len);
    out
}

fn touch(dir: &Path, number: usize) {
    let time = SystemTime::now() - Duration::from_secs(number as u64 % 1000 + 1);
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => touch(&path, number),
            false => File::open(&path).and_then(|file| file.set_modified(time)).expect("a time"),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).expect("a directory");
    }
    fs::write(path, bytes).expect("a file");
}
