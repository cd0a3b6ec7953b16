//! The recipe as BuildKit gives it, and places in it as BuildKit takes them.

use std::collections::BTreeMap;

use rbc_gateway::{Status, Warning};
use rbc_lower::entry::{self, IGNORE_FILE, Lost, entry};
use rbc_lower::questions::{self, Answers, Question};
use rbc_proto::details::Detail;
use rbc_proto::pb;
use rbc_source::{Diagnostic, FileId, SourceFile, Span};
use rbc_wire::Emitted;

use super::answer;
use super::host::BuildKit;
use crate::{Host as _, call};

/// The name that a recipe has if nobody gives it one.
const DOCKERFILE: &str = "Dockerfile";

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A recipe.
pub struct Recipe {
    /// Its text.
    pub file: SourceFile,
    /// Name and text of the file that says what is ignored of the context.
    pub ignore: Option<(String, String)>,
    local_context: bool,
    /// What its file system is made by.
    definition: Emitted,
}

impl Recipe {
    /// Reads the recipe, and what is ignored of the context if that stands beside it.
    ///
    /// # Errors
    /// What the daemon says, or the context is not well formed.
    pub fn read(host: &mut BuildKit<'_>, inputs: &BTreeMap<String, questions::Input>) -> Result<Recipe, Status> {
        let mut answers = Answers { inputs: inputs.clone(), ..Answers::default() };
        let (options, caps) = (host.options, host.gateway.llb_caps());
        let found = loop {
            match entry(options, caps, &answers) {
                Ok(found) => break found,
                Err(Lost::Need(Question::Archive(url))) => {
                    let answer = host.is_archive(&url);
                    answers.archives.insert(url, answer);
                }
                Err(Lost::Need(question)) => {
                    return Err(answer::status(
                        &Diagnostic::new(
                            rbc_source::environment::INTERNAL,
                            format!("to find the recipe, this is asked: {question:?}"),
                        ),
                        None,
                        None,
                    ));
                }
                Err(Lost::Failed(error)) => return Err(answer::status(&error, None, host.refusal(&error))),
            }
        };
        let definition = rbc_wire::emit(&found.graph, found.recipe);
        let directory = host.gateway.solve(&definition, Vec::new(), false)?;
        let directory = directory.as_ref();
        let name = &found.filename;
        let mut text = host.gateway.read_file(directory, name, None);
        if let (Err(_), Some(dir)) = (&text, name.strip_suffix(DOCKERFILE).filter(|d| d.is_empty() || d.ends_with('/')))
        {
            let lower = host.gateway.read_file(directory, &format!("{dir}{}", DOCKERFILE.to_lowercase()), None);
            text = lower.or(text);
        }
        let text = text.map_err(|failed| Status {
            message: format!("the recipe `{name}` cannot be read: {}", failed.message),
            ..failed
        })?;
        // A file beside the recipe goes before that of the context.
        let own = format!("{name}.dockerignore");
        let ignore = host.gateway.read_file(directory, &own, None).ok();
        let ignore = ignore.filter(|_| found.local_context).map(|text| (own, string(&text)));
        let file = SourceFile::from_bytes(FileId(0), name.as_str(), text.to_vec());
        Ok(Recipe { file, ignore, local_context: found.local_context, definition })
    }

    /// Reads what is ignored of the context, unless that is known or there is nothing to ignore.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn read_ignored(&mut self, host: &BuildKit<'_>) -> Result<(), Status> {
        if self.ignore.is_none() && self.local_context {
            let (graph, at) = entry::ignore_directory(host.options, host.gateway.llb_caps(), None);
            let directory = host.gateway.solve(&rbc_wire::emit(&graph, Some(at)), Vec::new(), false)?;
            let text = host.gateway.read_file(directory.as_ref(), IGNORE_FILE, None).ok();
            self.ignore = text.map(|text| (IGNORE_FILE.to_owned(), string(&text)));
        }
        Ok(())
    }

    /// The text as BuildKit takes it.
    fn info(&self) -> pb::SourceInfo {
        pb::SourceInfo {
            filename: self.file.name().to_owned(),
            data: self.file.bytes().to_vec().into(),
            definition: Some(self.definition.definition.clone()),
            language: "Dockerfile".to_owned(),
        }
    }

    /// A place, as the detail of an error.
    pub fn place(&self, place: Span) -> Detail {
        Detail::Source(self.info(), self.ranges(place))
    }

    /// The lines of a place, a range each.
    fn ranges(&self, place: Span) -> Vec<pb::Range> {
        let (first, last) = self.file.lines_of(place);
        let position =
            |line: usize| Some(pb::Position { line: i32::try_from(line + 1).unwrap_or(i32::MAX), character: 0 });
        (first..=last).map(|line| pb::Range { start: position(line), end: position(line) }).collect()
    }

    /// A finding that does not stop the build.
    pub fn warning(&self, found: &Diagnostic) -> Warning {
        let ranges = call::place(found).map(|place| self.ranges(place)).unwrap_or_default();
        let line = ranges.first().and_then(|range| range.start).map(|at| format!(" (line {})", at.line));
        // The last vertex of a definition is no vertex but says which is the result.
        let vertex = self.definition.vertices.iter().rev().nth(1).map(ToString::to_string);
        Warning {
            vertex: vertex.unwrap_or_default(),
            short: format!("{}: {}{}", found.code.name, found.message, line.unwrap_or_default()),
            detail: call::description(found).to_owned(),
            url: call::rule_url(found.code.name).unwrap_or_default(),
            source: Some(self.info()),
            ranges,
        }
    }
}
