//! What a picture shows, before it has a shape: steps, the groups they stand in, and edges between them.

use crate::Direction;

/// What a step is. It decides the step's colour and icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An image, from a registry or an OCI layout.
    Image,
    /// Files of the client: the build context.
    Local,
    /// A download, or a git repository.
    Fetch,
    /// A command.
    Run,
    /// Files copied, made or removed.
    File,
    /// File systems laid over one another, or the difference of two.
    Merge,
    /// Anything else, such as a build within the build.
    Other,
    /// A whole stage, where stages are shown and not their steps.
    Stage,
    /// Several steps of one stage in a row, where a picture of all would be too large.
    Folded,
    /// A target of a bake file.
    Target,
    /// A result of the build.
    Result,
}

impl Kind {
    /// Every kind, in the order of the legend.
    pub(crate) const ALL: [Kind; 11] = [
        Kind::Image,
        Kind::Local,
        Kind::Fetch,
        Kind::Run,
        Kind::File,
        Kind::Merge,
        Kind::Other,
        Kind::Stage,
        Kind::Folded,
        Kind::Target,
        Kind::Result,
    ];

    /// Whether its boxes are round: what comes from outside, and results.
    pub(crate) fn is_round(self) -> bool {
        matches!(self, Kind::Image | Kind::Local | Kind::Fetch | Kind::Result)
    }

    /// One word, for classes and identifiers.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Local => "local",
            Kind::Fetch => "fetch",
            Kind::Run => "run",
            Kind::File => "file",
            Kind::Merge => "merge",
            Kind::Other => "other",
            Kind::Stage => "stage",
            Kind::Folded => "folded",
            Kind::Target => "target",
            Kind::Result => "result",
        }
    }

    /// What the legend says.
    pub fn about(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Local => "local files",
            Kind::Fetch => "download or git",
            Kind::Run => "command",
            Kind::File => "files",
            Kind::Merge => "merge or diff",
            Kind::Other => "other",
            Kind::Stage => "stage",
            Kind::Folded => "folded steps",
            Kind::Target => "target",
            Kind::Result => "result",
        }
    }
}

/// What a step takes from another. It decides the colour and the dashes of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The file system that it changes.
    Base,
    /// Files of another stage or image.
    Copy,
    /// Files from outside the build: the build context, a download.
    Context,
    /// Something to mount while it runs.
    Mount,
    /// A layer to merge or compare.
    Merge,
    /// The result of another target.
    Use,
}

impl Role {
    /// Every role, in the order of the legend.
    pub(crate) const ALL: [Role; 6] = [Role::Base, Role::Copy, Role::Context, Role::Mount, Role::Merge, Role::Use];

    /// One word, for classes and identifiers.
    pub fn word(self) -> &'static str {
        match self {
            Role::Base => "base",
            Role::Copy => "copy",
            Role::Context => "context",
            Role::Mount => "mount",
            Role::Merge => "merge",
            Role::Use => "use",
        }
    }

    /// What the legend says.
    pub fn about(self) -> &'static str {
        match self {
            Role::Base => "builds on",
            Role::Copy => "copies from",
            Role::Context => "copies from outside",
            Role::Mount => "mounts",
            Role::Merge => "merges",
            Role::Use => "uses",
        }
    }
}

/// A box of the picture: a vertex, or several that belong to one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is.
    pub kind: Kind,
    /// The word of the instruction (`RUN`); may be empty.
    pub keyword: String,
    /// The rest of it, on one line.
    pub title: String,
    /// What else is good to know at a glance: mounts, where files come from.
    pub notes: Vec<String>,
    /// The group that it stands in, an index into [`Model::groups`].
    pub group: Option<usize>,
    /// Everything known about it, as names with texts of one or many lines.
    pub facts: Vec<(&'static str, String)>,
}

/// Steps that belong together: a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The name of the stage; empty if it has none.
    pub name: String,
    /// The bake target or image that the stage is of, where the graph has several.
    pub target: String,
    /// The platform; empty if it is not known.
    pub platform: String,
    /// Its steps, as indices into [`Model::steps`], a step behind what it needs.
    pub steps: Vec<usize>,
}

impl Group {
    /// What people call it.
    pub fn title(&self) -> String {
        match (self.target.as_str(), self.name.as_str()) {
            ("", name) => name.to_owned(),
            (target, "") => target.to_owned(),
            (target, name) => format!("{target} \u{203a} {name}"),
        }
    }
}

/// That a step needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The step that is needed, an index into [`Model::steps`].
    pub from: usize,
    /// The step that needs it.
    pub to: usize,
    /// For what.
    pub role: Role,
}

/// What a picture shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The steps, each behind what it needs.
    pub steps: Vec<Step>,
    /// The groups. No group needs, by way of others, itself.
    pub groups: Vec<Group>,
    /// The edges, sorted; no two are equal.
    pub edges: Vec<Edge>,
}

impl Model {
    /// One line for each step, with what it needs: the picture for who cannot see it.
    pub(crate) fn summary(&self) -> String {
        let of = |kind: Kind| self.steps.iter().filter(|s| s.kind == kind).count();
        let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let results = match (of(Kind::Target), of(Kind::Result)) {
            (0, results) => results,
            (targets, _) => return count(targets, "target"),
        };
        let steps = count(self.steps.len() - results, "step");
        match self.groups.len() {
            0 => format!("{steps}, {}", count(results, "result")),
            n => format!("{steps} in {}, {}", count(n, "stage"), count(results, "result")),
        }
    }
}

/// How a picture is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What it is a picture of, for its heading; may be empty.
    pub title: String,
    /// The colours.
    pub theme: Theme,
    /// The way from what is needed to what needs it.
    pub direction: Direction,
    /// What the boxes are.
    pub detail: Detail,
}

/// The colours of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the reader's system is set.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// What the boxes of a picture are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Steps, in frames that are stages. Where there are very many, those in a row are one box.
    #[default]
    Steps,
    /// Stages.
    Stages,
}
