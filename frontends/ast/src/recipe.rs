//! How to build: stages of steps.

use rbc_source::{Diagnostic, Span};

/// A text in which variables may stand, not yet expanded, as the language's own rules left it (continuations joined, quotes
/// and escapes still in).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: Box<str>,
    /// Where it is written. With continuation lines inside, the span is longer than the text.
    pub span: Span,
}

impl Word {
    /// A word at a place.
    pub fn new(text: impl Into<Box<str>>, span: Span) -> Self {
        Word { text: text.into(), span }
    }
}

/// A whole recipe.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Directives in the head of the file, as written: `syntax`, `escape`, `check`.
    pub directives: Vec<Directive>,
    /// The character that escapes in words: a backslash unless a directive says backtick.
    pub escape: char,
    /// Arguments declared before the first stage: each step is a [`StepKind::Arg`].
    pub global_args: Vec<Step>,
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// Parsing failed somewhere, so this cannot be built. A step that failed stays in its list (also of the global arguments)
    /// as [`StepKind::Error`]; a stage whose head failed is open all the same, with what could be read of it.
    pub broken: bool,
}

/// `# name=value` in the head of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Lower-case name.
    pub name: Box<str>,
    /// Value without surrounding space.
    pub value: Box<str>,
    /// The whole line.
    pub span: Span,
    /// The value.
    pub value_span: Span,
}

/// One stage: a base and steps on top of it.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Lower-case name, if it has one.
    pub name: Option<Box<str>>,
    /// Where the name is written.
    pub name_span: Option<Span>,
    /// What it starts from: an image reference, another stage or `scratch`.
    pub base: Word,
    /// `--platform`.
    pub platform: Option<Word>,
    /// The instruction that opens it.
    pub head: Head,
    /// Description from the comment above, when that begins with the stage's name.
    pub doc: Option<Box<str>>,
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// What every instruction has, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The whole instruction: from its first line to its last, heredoc bodies included.
    pub span: Span,
    /// The keyword as written (`RUN`, `run`).
    pub keyword: Box<str>,
    /// Where the keyword is written.
    pub keyword_span: Span,
    /// The instruction as one line: continuations joined, trimmed, without heredoc bodies. It is what people see in progress
    /// displays and history.
    pub code: Box<str>,
    /// Comment lines directly above, without `#` and space, oldest first.
    pub comments: Vec<Box<str>>,
    /// Who wrote it.
    pub origin: Origin,
}

/// Who wrote a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user, at the span.
    Written,
    /// A rule of a frontend, from what the user wrote at the span.
    Derived {
        /// Name of the rule: `package.install`.
        rule: &'static str,
    },
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Place and text.
    pub head: Head,
    /// What it does.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Declares build arguments.
    Arg(Vec<ArgDecl>),
    /// Sets environment variables.
    Env(Vec<Pair>),
    /// Sets labels.
    Label(Vec<Pair>),
    /// Sets the image's author.
    Maintainer(Word),
    /// Runs a command.
    Run(Box<Run>),
    /// Copies files from the context, a stage or an image.
    Copy(Box<Copy>),
    /// Copies files from the context, an URL or a git repository; unpacks archives.
    Add(Box<Add>),
    /// Changes the working directory, and makes it.
    Workdir(Word),
    /// Changes the user.
    User(Word),
    /// Declares volumes.
    Volume(Vec<Word>),
    /// Declares ports, sorted by their text.
    Expose(Vec<Word>),
    /// Sets the stop signal.
    StopSignal(Word),
    /// Sets the default command.
    Cmd(CommandLine),
    /// Sets the entry point; an empty one in shell form resets it.
    Entrypoint(CommandLine),
    /// Sets the shell for commands in shell form.
    Shell(Vec<Box<str>>),
    /// Sets or disables the health check.
    Healthcheck(Healthcheck),
    /// Declares a step for builds on top of the result.
    Onbuild(Onbuild),
    /// Could not be understood; the reason is among the diagnostics.
    Error,
}

/// `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The key, unexpanded.
    pub key: Word,
    /// The value, unexpanded.
    pub value: Word,
    /// Written in the legacy form `KEY key value`.
    pub legacy: bool,
}

/// One declared argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDecl {
    /// Its name.
    pub name: Word,
    /// Its default.
    pub default: Option<Word>,
    /// Description from the comment above, when that begins with the name.
    pub doc: Option<Box<str>>,
}

/// A command, in shell or exec form, with the heredocs that stand on its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Exec form: the arguments. Shell form: none or one text.
    pub args: Vec<Word>,
    /// Shell form: the stage's shell runs it.
    pub shell: bool,
    /// Bodies of the heredocs, in order.
    pub heredocs: Vec<Heredoc>,
}

/// A heredoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter without quotes: for COPY and ADD the file's name.
    pub name: Box<str>,
    /// The body as written, leading tabs included.
    pub body: Box<str>,
    /// Where the body is.
    pub body_span: Span,
    /// The delimiter was not quoted, so variables are expanded.
    pub expand: bool,
    /// `<<-`: leading tabs of the lines do not count.
    pub chomp: bool,
}

impl Heredoc {
    /// The body as it counts: without leading tabs if `<<-` said so.
    pub fn content(&self) -> std::borrow::Cow<'_, str> {
        if !self.chomp {
            return (&*self.body).into();
        }
        let mut out = String::with_capacity(self.body.len());
        for line in self.body.split_inclusive('\n') {
            out.push_str(line.trim_start_matches('\t'));
        }
        out.into()
    }
}

/// RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What to run.
    pub command: CommandLine,
    /// `--mount`, in order.
    pub mounts: Vec<Mount>,
    /// `--network`.
    pub network: Network,
    /// `--security`.
    pub security: Security,
    /// `--device`, in order.
    pub devices: Vec<Device>,
    /// Names of all flags used, in order.
    pub flags: Vec<Box<str>>,
}

/// A mount as written: options are expanded and checked when their variables are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its options in order.
    pub options: Vec<MountOption>,
    /// The flag's value.
    pub span: Span,
}

impl Mount {
    /// The value of the last option of that (lower-case) key.
    pub fn option(&self, key: &str) -> Option<&Word> {
        self.options.iter().rev().find(|o| &*o.key == key).and_then(|o| o.value.as_ref())
    }

    /// Where files come from: stage or image. It cannot hold variables.
    pub fn from(&self) -> Option<&Word> {
        self.option("from").filter(|w| !w.text.is_empty())
    }
}

/// `key=value` or `key` in a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOption {
    /// Lower-case key.
    pub key: Box<str>,
    /// The value, unless there was no `=`.
    pub value: Option<Word>,
    /// The whole field.
    pub span: Span,
}

/// RUN --network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Network {
    /// As the build says.
    #[default]
    Default,
    /// No network.
    None,
    /// The host's network.
    Host,
}

/// RUN --security.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Security {
    /// Confined.
    #[default]
    Sandbox,
    /// With all privileges.
    Insecure,
}

/// RUN --device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Name of the CDI device.
    pub name: Box<str>,
    /// Fail when it is not there.
    pub required: bool,
}

/// What a COPY or ADD has in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Paths (for ADD also URLs), in order.
    pub sources: Vec<Word>,
    /// Heredocs given as sources, in order.
    pub files: Vec<Heredoc>,
    /// Destination.
    pub dest: Word,
    /// `--chown`; absent and empty are the same.
    pub chown: Option<Word>,
    /// `--chmod`; absent and empty are the same.
    pub chmod: Option<Word>,
    /// `--link`.
    pub link: bool,
    /// `--exclude`, in order.
    pub excludes: Vec<Word>,
}

/// COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Sources, destination and attributes.
    pub transfer: Transfer,
    /// `--from`: stage name or index, or image; absent and empty are the same.
    pub from: Option<Word>,
    /// `--parents`.
    pub parents: bool,
}

/// ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// Sources, destination and attributes.
    pub transfer: Transfer,
    /// `--checksum`; absent and empty are the same.
    pub checksum: Option<Word>,
    /// `--keep-git-dir`.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`.
    pub unpack: Option<bool>,
}

/// HEALTHCHECK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// Disables what the base has.
    None,
    /// Runs a command from time to time. Durations are in nanoseconds, 0 meaning the default.
    Check {
        /// The command.
        command: CommandLine,
        /// `--interval`.
        interval: i64,
        /// `--timeout`.
        timeout: i64,
        /// `--start-period`.
        start_period: i64,
        /// `--start-interval`.
        start_interval: i64,
        /// `--retries`; 0 meaning the default.
        retries: i64,
    },
}

/// ONBUILD.
#[derive(Clone, Debug)]
pub struct Onbuild {
    /// The trigger as it goes into the image's config.
    pub expression: Box<str>,
    /// The same, parsed as a recipe of one step. It fails only when it is used.
    pub trigger: Trigger,
}

/// A trigger, parsed on its own as the next build's frontend would: with a backslash as escape, whatever the file says.
#[derive(Clone, Debug)]
pub struct Trigger(pub Result<Box<Step>, Box<Diagnostic>>);
