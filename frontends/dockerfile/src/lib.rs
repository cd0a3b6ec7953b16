//! Dockerfile to [`Recipe`].
//!
//! `rbc-grammar` finds the instructions and splits them; here each is checked and becomes a step. Behaviour is that of
//! BuildKit's frontend/dockerfile/instructions. A bad instruction becomes [`StepKind::Error`], and its neighbours are read all
//! the same.

mod checks;
mod faults;
mod flags;
mod instructions;
mod run;
mod source;

use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::{Directive, Recipe, Stage, Step, StepKind, Word};
use rbc_grammar::{Command, Document, Instruction, Keyword, find_directive};
use rbc_source::{Diagnostic, Parsed, SourceFile, Span, dockerfile as codes};

use checks::Checks;
use source::{Places, Source};

/// Reads a Dockerfile, with the checks configured as its `# check=` line says.
///
/// Diagnostics are in the order in which the reference comes upon them, so that the first error is the one that it reports:
/// first what is wrong with the configuration of the checks, then what keeps a file from being split into instructions and
/// arguments (codes E0101 to E0106), then everything else instruction by instruction, then checks of the whole.
pub fn parse(file: &SourceFile) -> Parsed<Recipe> {
    match check_config(file) {
        Ok(config) => parse_with(file, &config),
        Err(diagnostic) => {
            let mut parsed = parse_with(file, &CheckConfig::default());
            parsed.value.broken = true;
            parsed.diagnostics.insert(0, *diagnostic);
            parsed
        }
    }
}

/// Reads a Dockerfile with the checks configured from elsewhere.
pub fn parse_with(file: &SourceFile, config: &CheckConfig) -> Parsed<Recipe> {
    let document = Document::parse(file.text());
    let reader = Reader {
        document: &document,
        places: Places::File(file.id()),
        checks: Checks::new(config),
        faults: Vec::new(),
        findings: Vec::new(),
        recipe: Recipe {
            directives: Vec::new(),
            escape: document.escape,
            global_args: Vec::new(),
            stages: Vec::new(),
            broken: false,
        },
    };
    reader.run()
}

/// The configuration of the checks that a file's `# check=` line gives.
///
/// # Errors
/// If it cannot be read.
pub fn check_config(file: &SourceFile) -> Result<CheckConfig, Box<Diagnostic>> {
    let Some(value) = find_directive(file.text(), "check") else { return Ok(CheckConfig::default()) };
    CheckConfig::parse(value.first()).map_err(|error| {
        let span = file.span(value.range.start, value.range.end);
        Box::new(Diagnostic::new(codes::CHECK_OPTION, error.to_string()).at(span))
    })
}

/// Reads the trigger of an ONBUILD, as the builds read it that start from its result: as a Dockerfile of one instruction,
/// without checks. All places in it, and in the diagnostic, are `at`.
///
/// # Errors
/// If it is not one well-formed instruction, or that is FROM.
pub fn parse_trigger(text: &str, at: Span) -> Result<Box<Step>, Box<Diagnostic>> {
    let document = Document::parse(text);
    let places = Places::Fixed(at);
    let mut instructions = document.instructions();
    if let Some(fault) = faults::of_document(&document, places).into_iter().next() {
        return Err(Box::new(fault));
    }
    let single = (instructions.next(), instructions.next());
    let (Some(instruction), None) = single else {
        return Err(Box::new(Diagnostic::new(codes::TRIGGER, "a trigger must be one instruction").at(at)));
    };
    let command = Command::parse(instruction.line.text(), document.escape);
    let source = Source { document: &document, instruction, command: &command, places };
    if let Err(error) = &command.args {
        return Err(faults::of_args(&source, error));
    }
    match command.keyword() {
        Some(Keyword::From) => Err(source.error(codes::TRIGGER, "`FROM` cannot be a trigger", 0..0)),
        Some(keyword) => {
            let kind = instructions::read(keyword, &source)?;
            Ok(Box::new(Step { head: source.head(), kind }))
        }
        None => Err(instructions::unknown(&source)),
    }
}

struct Reader<'a> {
    document: &'a Document<'a>,
    places: Places,
    checks: Checks<'a>,
    /// What keeps the file from being split.
    faults: Vec<Diagnostic>,
    /// Everything else.
    findings: Vec<Diagnostic>,
    recipe: Recipe,
}

impl Reader<'_> {
    fn run(mut self) -> Parsed<Recipe> {
        self.directives();
        self.faults = faults::of_document(self.document, self.places);
        for instruction in self.document.instructions() {
            self.findings.extend(self.checks.empty_continuation(self.document, instruction, self.places));
        }
        for instruction in self.document.instructions() {
            self.instruction(instruction);
        }
        let errors = |list: &[Diagnostic]| list.iter().any(Diagnostic::is_error);
        if self.recipe.stages.is_empty() && !errors(&self.faults) && !errors(&self.findings) {
            let end = self.document.text.len();
            let none = Diagnostic::new(codes::NO_STAGE, "the file has no `FROM`, and so nothing to build");
            self.findings.push(none.at(self.places.span(end..end)));
        }
        self.checks.stages(&self.recipe, &mut self.findings);
        // Stable: an instruction's own fault and those of its lines are in the order of discovery.
        self.faults.sort_by_key(|fault| fault.primary.as_ref().map(|label| label.span.start));
        self.faults.append(&mut self.findings);
        self.recipe.broken = errors(&self.faults);
        Parsed { value: self.recipe, diagnostics: self.faults }
    }

    fn directives(&mut self) {
        for (range, directive) in self.document.directives() {
            self.recipe.directives.push(Directive {
                name: directive.name.into(),
                value: self.document.text[directive.value.clone()].into(),
                span: self.places.span(range.clone()),
                value_span: self.places.span(directive.value.clone()),
            });
        }
    }

    fn instruction(&mut self, instruction: &Instruction<'_>) {
        let command = Command::parse(instruction.line.text(), self.document.escape);
        let source = Source { document: self.document, instruction, command: &command, places: self.places };
        let kind = match (&command.args, command.keyword()) {
            (Err(error), _) => {
                self.faults.push(*faults::of_args(&source, error));
                StepKind::Error
            }
            (Ok(_), Some(Keyword::From)) => return self.stage(&source),
            (Ok(_), Some(keyword)) => {
                self.checks.before(keyword, &source, &mut self.findings);
                let kind = instructions::read(keyword, &source).unwrap_or_else(|error| self.fail(*error));
                self.checks.after(&kind, &source, &mut self.findings);
                kind
            }
            (Ok(_), None) => self.fail(*instructions::unknown(&source)),
        };
        self.step(&source, kind);
    }

    fn fail(&mut self, error: Diagnostic) -> StepKind {
        self.findings.push(error);
        StepKind::Error
    }

    fn step(&mut self, source: &Source<'_>, mut kind: StepKind) {
        let Some(stage) = self.recipe.stages.last_mut() else {
            if !matches!(kind, StepKind::Arg(_) | StepKind::Error) {
                let message = format!("`{}` stands before the first `FROM`", source.keyword());
                let error = source.error(codes::NO_STAGE, message, source.command.head().keyword.range.clone());
                let note = "only `ARG` can stand there; other instructions belong to a stage, which `FROM` opens";
                kind = self.fail(error.note(note));
            }
            self.recipe.global_args.push(Step { head: source.head(), kind });
            return;
        };
        stage.steps.push(Step { head: source.head(), kind });
    }

    /// Opens a stage; if its head is wrong, with what can be read of it, so that the steps that follow do not end up in the
    /// stage before.
    fn stage(&mut self, source: &Source<'_>) {
        self.checks.before(Keyword::From, source, &mut self.findings);
        let stage = match instructions::from(source) {
            Ok(stage) => {
                self.checks.stage(&stage, source, &mut self.findings);
                stage
            }
            Err(error) => {
                self.findings.push(*error);
                let base = source.words().first().map(|w| source.word(w));
                Stage {
                    name: None,
                    name_span: None,
                    base: base.unwrap_or_else(|| Word::new("", source.span(0..0))),
                    platform: None,
                    head: source.head(),
                    doc: None,
                    steps: vec![Step { head: source.head(), kind: StepKind::Error }],
                }
            }
        };
        self.recipe.stages.push(stage);
    }
}
