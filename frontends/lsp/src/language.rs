//! What there is to know about the language: the one table behind completion, hover and signature help.

use rbc_grammar::Keyword;

/// An instruction.
pub(crate) struct Entry {
    pub keyword: Keyword,
    pub summary: &'static str,
    /// Ways to write it, in snippet syntax.
    pub snippets: &'static [&'static str],
    pub flags: &'static [FlagEntry],
}

/// A flag.
pub(crate) struct FlagEntry {
    pub name: &'static str,
    pub summary: &'static str,
    /// A value to begin with; none for a switch.
    pub example: &'static str,
    /// Values to choose from.
    pub values: &'static [&'static str],
}

const fn flag(
    name: &'static str,
    example: &'static str,
    values: &'static [&'static str],
    summary: &'static str,
) -> FlagEntry {
    FlagEntry { name, summary, example, values }
}

/// Platforms that images are commonly built for, and the ones that a build names.
pub(crate) const PLATFORMS: &[&str] = &[
    "$BUILDPLATFORM",
    "$TARGETPLATFORM",
    "linux/386",
    "linux/amd64",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
];

/// Arguments that need no declaration anywhere.
pub(crate) const PROXIES: &[&str] = &[
    "ALL_PROXY",
    "all_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Arguments that FROM can use as they are, and a stage once it declares them.
pub(crate) const PLATFORM_ARGS: &[&str] = &[
    "BUILDARCH",
    "BUILDOS",
    "BUILDPLATFORM",
    "BUILDVARIANT",
    "TARGETARCH",
    "TARGETOS",
    "TARGETPLATFORM",
    "TARGETSTAGE",
    "TARGETVARIANT",
];

/// Options of `RUN --mount`, with the types that have them and what they are for.
pub(crate) const MOUNT_OPTIONS: &[(&str, &str, &str)] = &[
    ("type", "", "what is mounted: bind, cache, secret, ssh or tmpfs"),
    ("target", "", "where it is mounted"),
    ("source", "bind cache", "the path in what is mounted"),
    ("from", "bind cache", "the stage, image or context that is mounted"),
    ("readonly", "bind cache", "the command cannot write to it"),
    ("readwrite", "bind cache", "the command can write to it; with bind, what it writes is discarded"),
    ("id", "cache secret ssh", "the name that tells it from others"),
    ("sharing", "cache", "what builds do that use it at once: shared, private or locked"),
    ("mode", "cache secret ssh", "its permissions, in octal"),
    ("uid", "cache secret ssh", "the number of the user who owns it"),
    ("gid", "cache secret ssh", "the number of the group that owns it"),
    ("required", "secret ssh", "the build fails if it is not there"),
    ("env", "secret", "the variable that gets the secret"),
    ("size", "tmpfs", "the most that it can hold"),
];

/// Values of a mount's option.
pub(crate) fn mount_values(option: &str) -> &'static [&'static str] {
    match option {
        "type" => &["bind", "cache", "secret", "ssh", "tmpfs"],
        "sharing" => &["shared", "private", "locked"],
        "readonly" | "readwrite" | "required" => BOOLEANS,
        _ => &[],
    }
}

const BOOLEANS: &[&str] = &["true", "false"];

const CHOWN: FlagEntry =
    flag("chown", "user:group", &[], "Owner of the files: names or numbers of a user and a group.");
const CHMOD: FlagEntry = flag("chmod", "755", &[], "Permissions of the files, in octal or as `u=rwX,go=rX`.");
const LINK: FlagEntry =
    flag("link", "", BOOLEANS, "Makes a layer of its own, which stays cached when the layers below it change.");
const EXCLUDE: FlagEntry = flag("exclude", "pattern", &[], "Leaves out paths that match the pattern.");

/// All instructions, in order of their names.
pub(crate) const INSTRUCTIONS: &[Entry] = &[
    Entry {
        keyword: Keyword::Add,
        summary: "Adds files from the context, a URL or a Git repository, and unpacks local archives.",
        snippets: &["ADD ${1:source} ${2:dest}"],
        flags: &[
            flag("checksum", "sha256:", &[], "Digest that a downloaded file or a Git commit must have."),
            CHMOD,
            CHOWN,
            EXCLUDE,
            flag("keep-git-dir", "", BOOLEANS, "Keeps the directory `.git` of a Git repository."),
            LINK,
            flag("unpack", "", BOOLEANS, "Whether archives are unpacked."),
        ],
    },
    Entry {
        keyword: Keyword::Arg,
        summary: "Declares an argument that a build can be given. In front of the first `FROM` it is for `FROM` lines, and for stages that declare it again.",
        snippets: &["ARG ${1:name}", "ARG ${1:name}=${2:defaultValue}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Cmd,
        summary: "Sets the command that a container runs, or the arguments of its entry point.",
        snippets: &["CMD [ \"${1:executable}\" ]"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Copy,
        summary: "Copies files from the context, or with `--from` from a stage or image.",
        snippets: &["COPY ${1:source} ${2:dest}"],
        flags: &[
            CHMOD,
            CHOWN,
            EXCLUDE,
            flag("from", "stage", &[], "The stage, image or named context to copy from."),
            LINK,
            flag("parents", "", BOOLEANS, "Keeps the directories of the source paths."),
        ],
    },
    Entry {
        keyword: Keyword::Entrypoint,
        summary: "Sets the program that a container runs; `CMD` becomes its arguments.",
        snippets: &["ENTRYPOINT [ \"${1:executable}\" ]"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Env,
        summary: "Sets environment variables for the steps that follow and for containers.",
        snippets: &["ENV ${1:key}=${2:value}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Expose,
        summary: "Says which ports a container listens on. It publishes none.",
        snippets: &["EXPOSE ${1:port}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::From,
        summary: "Begins a stage on top of an image or another stage.",
        snippets: &["FROM ${1:baseImage}"],
        flags: &[flag("platform", "arm64", PLATFORMS, "The platform of the image, if it is there for several.")],
    },
    Entry {
        keyword: Keyword::Healthcheck,
        summary: "Sets a command that tells whether a container still works, or with `NONE` drops the one of the base.",
        snippets: &[
            "HEALTHCHECK --interval=${1:30s} --timeout=${2:30s} --start-period=${3:5s} --retries=${4:3} CMD [ \"${5:executable}\" ]",
            "HEALTHCHECK NONE",
        ],
        flags: &[
            flag("interval", "30s", &[], "Time between two checks."),
            flag("retries", "3", &[], "How many checks in a row must fail."),
            flag("start-interval", "5s", &[], "Time between two checks while the container starts."),
            flag("start-period", "5s", &[], "Time that a container has to start, in which failures do not count."),
            flag("timeout", "30s", &[], "Time after which a check counts as failed."),
        ],
    },
    Entry {
        keyword: Keyword::Label,
        summary: "Adds labels to the image.",
        snippets: &["LABEL ${1:key}=\"${2:value}\""],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Maintainer,
        summary: "Sets the image's author. Deprecated: use the label `org.opencontainers.image.authors`.",
        snippets: &["MAINTAINER ${1:name}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Onbuild,
        summary: "Declares a step that builds on top of this image begin with.",
        snippets: &["ONBUILD ${1:INSTRUCTION}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Run,
        summary: "Runs a command and keeps what it changed as a layer.",
        snippets: &["RUN ${1:command}"],
        flags: &[
            flag("device", "name", &[], "A device that the command can use."),
            flag("mount", "type=cache,target=", &[], "Something that is there only while the command runs."),
            flag("network", "none", &["default", "none", "host"], "The network that the command has."),
            flag("security", "sandbox", &["sandbox", "insecure"], "Whether the command is confined."),
        ],
    },
    Entry {
        keyword: Keyword::Shell,
        summary: "Sets the shell that runs commands in shell form.",
        snippets: &["SHELL [ \"${1:executable}\" ]"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::StopSignal,
        summary: "Sets the signal that ends a container.",
        snippets: &["STOPSIGNAL ${1:signal}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::User,
        summary: "Sets the user, and the group, for the steps that follow and for containers.",
        snippets: &["USER ${1:daemon}"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Volume,
        summary: "Declares directories whose content is kept outside of the container.",
        snippets: &["VOLUME [ \"${1:/data}\" ]"],
        flags: &[],
    },
    Entry {
        keyword: Keyword::Workdir,
        summary: "Sets the directory for the steps that follow and for containers, and makes it.",
        snippets: &["WORKDIR ${1:/the/workdir/path}"],
        flags: &[],
    },
];

/// Directives: name, a value to begin with, what it does.
pub(crate) const DIRECTIVES: &[(&str, &str, &str)] = &[
    ("check", "error=true", "Which checks are skipped, and whether a finding fails the build."),
    ("escape", "`", "The character that escapes others and continues lines: a backslash or a backtick."),
    ("syntax", "docker/dockerfile:1", "The image of the frontend that reads this file."),
];

/// What is known of an instruction.
pub(crate) fn entry(keyword: Keyword) -> Option<&'static Entry> {
    INSTRUCTIONS.iter().find(|entry| entry.keyword == keyword)
}

impl Entry {
    pub fn name(&self) -> String {
        self.keyword.name().to_ascii_uppercase()
    }

    pub fn flag(&self, name: &str) -> Option<&'static FlagEntry> {
        self.flags.iter().find(|flag| flag.name == name)
    }
}

/// A snippet as plain text: its placeholders by their defaults.
pub(crate) fn plain(snippet: &str) -> String {
    let mut out = String::new();
    let mut rest = snippet;
    while let Some((before, placeholder)) = rest.split_once("${") {
        out.push_str(before);
        let (body, behind) = placeholder.split_once('}').unwrap_or((placeholder, ""));
        out.push_str(body.split_once(':').map_or("", |(_, default)| default));
        rest = behind;
    }
    out + rest
}
