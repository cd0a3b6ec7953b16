//! Dockerfiles of a given size.

use std::fmt::Write;

/// A family of Dockerfiles.
pub struct Series {
    /// What it is.
    pub name: &'static str,
    /// The sizes to measure, in instructions or stages, ascending.
    pub sizes: &'static [usize],
    /// The Dockerfile of a size.
    pub text: fn(usize) -> String,
}

/// All families. Each grows in one thing, in which the cost is to be linear.
pub const SERIES: [Series; 14] = [
    Series { name: "stages", sizes: &[100, 1_000, 4_000], text: stages },
    Series { name: "chained stages", sizes: &[100, 200, 400, 1_000, 4_000], text: chained },
    Series {
        name: "chain of RUN",
        sizes: &[1_000, 10_000, 40_000],
        text: |n| repeat("FROM base\n", n, "RUN step {}\n"),
    },
    Series { name: "ENV", sizes: &[1_000, 10_000, 40_000], text: |n| repeat("FROM base\n", n, "ENV NAME{}=value\n") },
    Series {
        name: "ENV seen by RUN",
        sizes: &[100, 1_000],
        text: |n| repeat("FROM base\n", n, "ENV NAME{}=value\nRUN step\n"),
    },
    Series { name: "ARG", sizes: &[1_000, 10_000], text: |n| repeat("FROM base\n", n, "ARG NAME{}=value\n") },
    Series { name: "global ARG", sizes: &[1_000, 10_000], text: global_args },
    Series { name: "LABEL", sizes: &[1_000, 10_000], text: |n| repeat("FROM base\n", n, "LABEL name{}=$PATH\n") },
    Series { name: "COPY", sizes: &[1_000, 10_000], text: |n| repeat("FROM base\n", n, "COPY file{} /dir/\n") },
    Series {
        name: "sources of a COPY",
        sizes: &[1_000, 4_000],
        text: |n| repeat("FROM base\nCOPY", n, " file{}") + " /dir/\n",
    },
    Series { name: "mounts of a RUN", sizes: &[100, 1_000], text: mounts },
    Series { name: "stages copied into one", sizes: &[100, 1_000, 4_000], text: fan_in },
    Series {
        name: "images copied from",
        sizes: &[100, 1_000],
        text: |n| repeat("FROM base\n", n, "COPY --from=image{} /a /b\n"),
    },
    Series {
        name: "heredocs",
        sizes: &[100, 1_000],
        text: |n| repeat("FROM base\n", n, "COPY <<EOF /file{}\nline $PATH\nEOF\n"),
    },
];

/// `head`, and `n` times `line` with numbers for its `{}`.
fn repeat(head: &str, n: usize, line: &str) -> String {
    let mut text = head.to_owned();
    for i in 0..n {
        text += &line.replace("{}", &i.to_string());
    }
    text
}

/// Stages of a few steps each, which a last one needs.
fn stages(n: usize) -> String {
    let mut text = String::new();
    for i in 0..n {
        _ = write!(
            text,
            "FROM base AS s{i}\nARG VERSION=1\nENV NAME=value\nWORKDIR /src\nCOPY . .\nRUN make -C /src part{i}\n"
        );
    }
    text += "FROM base\n";
    for i in 0..n {
        _ = writeln!(text, "COPY --from=s{i} /out /out");
    }
    text
}

fn chained(n: usize) -> String {
    let mut text = String::from("FROM base AS s0\n");
    for i in 1..=n {
        _ = writeln!(text, "FROM s{} AS s{i}\nENV NAME{i}=value", i - 1);
    }
    text
}

fn global_args(n: usize) -> String {
    let mut text = String::from("ARG NAME0=value\n");
    for i in 1..n {
        _ = writeln!(text, "ARG NAME{i}=$NAME{}", i - 1);
    }
    text + "FROM base\n"
}

fn mounts(n: usize) -> String {
    let mut text = String::from("FROM base\nRUN ");
    for i in 0..n {
        _ = writeln!(text, "--mount=type=cache,target=/cache/{i} \\");
    }
    text + " make\n"
}

fn fan_in(n: usize) -> String {
    let mut text = repeat("", n, "FROM base AS s{}\nRUN step {}\n");
    text += "FROM base\nRUN ";
    for i in 0..n {
        _ = writeln!(text, "--mount=from=s{i},target=/in/{i} \\");
    }
    text + " make\n"
}
