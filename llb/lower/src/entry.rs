//! What who compiles has to read first: the recipe, and the file that says what is ignored of the context.
//!
//! A client has both at hand. A frontend that runs inside a backend has neither: it asks for them with the definitions that
//! are made here, which are those of the reference (BuildKit's `frontend/dockerui`), so that what was sent once is found
//! again in the cache.

use rbc_ir::{CapSet, Graph, Ref};
use rbc_sema::Options;
use rbc_source::{Diagnostic, FileId, SourceFile};

use crate::builder::{Builder, Local, named};
use crate::context::Stop;
use crate::questions::{Answers, Question};

/// Name of the file that says what is ignored.
pub const IGNORE_FILE: &str = ".dockerignore";

/// Where the recipe lies.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The file's name.
    pub filename: String,
    /// The graph of its file system.
    pub graph: Graph,
    /// The file system; none is empty.
    pub recipe: Option<Ref>,
    /// The context is a directory of the client, which may have a file that says what is ignored of it.
    pub local_context: bool,
}

/// Why it is not known where the recipe lies.
#[derive(Clone, Debug)]
pub enum Lost {
    /// Something must be known first.
    Need(Question),
    /// The options are at fault.
    Failed(Box<Diagnostic>),
}

impl From<Stop> for Lost {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Ask(question) => Lost::Need(*question),
            Stop::Error(error) => Lost::Failed(error),
        }
    }
}

/// Finds out where the recipe lies.
///
/// # Errors
/// A fact is missing, or the context is not well formed.
pub fn entry(options: &Options, caps: &CapSet, answers: &Answers) -> Result<Entry, Lost> {
    let nothing = SourceFile::new(FileId(0), "", "");
    let mut builder = Builder::new(&nothing, caps, options, &options.surroundings.build_platform);
    let main = builder.main_context(answers)?;
    let recipe = main.recipe.and_then(|state| state.out);
    Ok(Entry { filename: main.filename, graph: builder.graph, recipe, local_context: main.state.is_none() })
}

/// The directory that the file which says what is ignored lies in: of the build's context, or of the context `named`, given by
/// name and by what it is called in the options.
pub fn ignore_directory(options: &Options, caps: &CapSet, named_context: Option<(&str, &str)>) -> (Graph, Ref) {
    let nothing = SourceFile::new(FileId(0), "", "");
    let mut builder = Builder::new(&nothing, caps, options, &options.surroundings.build_platform);
    let (local, shared_key, title) = match named_context {
        None => ("context", format!("context-{IGNORE_FILE}"), "internal".to_owned()),
        Some((local, key)) => (local, format!("context:{key}-{IGNORE_FILE}"), format!("context {key}")),
    };
    let directory = Local {
        name: local.to_owned(),
        shared_key,
        follow_paths: vec![IGNORE_FILE.to_owned()],
        no_differ: true,
        ..Local::default()
    };
    let out = builder.local(&directory, named(format!("[{title}] load {IGNORE_FILE}")));
    (builder.graph, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_oci::Platform;
    use rbc_sema::options::Surroundings;

    fn options(attrs: &[(&str, &str)]) -> Options {
        let linux = Platform::new("linux", "amd64");
        let surroundings = Surroundings {
            build_platform: linux.clone(),
            host_platform: linux,
            session: Some("s".to_owned()),
            unique: String::new(),
        };
        Options::from_attrs(attrs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(), surroundings).unwrap()
    }

    fn source(graph: &Graph, at: Ref) -> rbc_ir::Source {
        match &graph.node(at.node).op {
            rbc_ir::Op::Source(source) => source.clone(),
            op => panic!("{op:?}"),
        }
    }

    #[test]
    fn a_directory_of_the_client() {
        let found =
            entry(&options(&[("filename", "app/Dockerfile")]), &CapSet::all(), &Answers::default()).expect("an entry");
        assert!(found.local_context);
        assert_eq!(found.filename, "app/Dockerfile");
        let source = source(&found.graph, found.recipe.expect("a directory"));
        assert_eq!(source.identifier, "local://dockerfile");
        assert_eq!(
            source.attrs["local.followpaths"],
            r#"["app/Dockerfile","app/Dockerfile.dockerignore","app/dockerfile"]"#
        );
    }

    #[test]
    fn a_repository_and_a_download() {
        let git = entry(&options(&[("context", "https://host/a.git#main")]), &CapSet::all(), &Answers::default());
        let git = git.expect("an entry");
        assert!(!git.local_context);
        assert!(source(&git.graph, git.recipe.unwrap()).identifier.starts_with("git://host/a.git"));
        let url = "https://host/file";
        let lost = entry(&options(&[("context", url)]), &CapSet::all(), &Answers::default()).unwrap_err();
        assert!(matches!(lost, Lost::Need(Question::Archive(asked)) if asked == url));
    }

    #[test]
    fn where_the_ignore_file_lies() {
        let options = options(&[("local-sessionid:lib", "other")]);
        let (graph, out) = ignore_directory(&options, &CapSet::all(), None);
        let main = source(&graph, out);
        assert_eq!(main.identifier, "local://context");
        assert_eq!(main.attrs["local.sharedkeyhint"], "context-.dockerignore");
        assert_eq!(main.attrs["local.session"], "s");
        let (graph, out) = ignore_directory(&options, &CapSet::all(), Some(("lib", "base")));
        let named = source(&graph, out);
        assert_eq!(named.identifier, "local://lib");
        assert_eq!(named.attrs["local.sharedkeyhint"], "context:base-.dockerignore");
        assert_eq!(named.attrs["local.session"], "other");
    }
}
