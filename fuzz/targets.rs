//! What is tried on arbitrary bytes. libFuzzer calls these (`fuzz/fuzz_targets`), and the ordinary tests do with the
//! corpus (`tests/fuzz.rs`). Each fails by a panic.

use std::collections::BTreeMap;

use rbc::{Compiled, Found, Host, Input, Purpose, compile};
use rbc_ast::recipe::Recipe;
use rbc_grammar::{Command, Document, dump_cst, tokens};
use rbc_ir::CapSet;
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::{Digest, Platform};
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, Parsed, SourceFile, Span};
use rbc_word::{Env, Mode, Template, Unset};

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the name of their corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("lexer", lexer),
    ("dockerfile", dockerfile),
    ("words", words),
    ("definition", definition),
    ("compile", whole),
    ("mockerfile", mockerfile),
];

/// Lines, tokens, instructions: the tokens are the text, and what they are made of lies within it.
pub fn lexer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let document = Document::parse(&text);
    let mut end = 0;
    for token in tokens(&document) {
        assert_eq!(token.range.start, end, "the tokens have a gap or overlap");
        end = token.range.end;
    }
    assert_eq!(end, text.len(), "the tokens end before the text");
    for instruction in document.instructions() {
        let line = instruction.line.text();
        let command = Command::parse(line, document.escape);
        let keyword = &command.head().keyword;
        assert_eq!(line.get(keyword.range.clone()), Some(&*keyword.text), "the keyword stands elsewhere");
    }
    let file = SourceFile::new(FileId(0), "Dockerfile", text.as_ref());
    dump_cst(&file);
}

/// Text to recipe: whoever finds a fault says so, and at a place that is there.
pub fn dockerfile(data: &[u8]) {
    let file = SourceFile::new(FileId(0), "Dockerfile", String::from_utf8_lossy(data));
    check_recipe(&file, &rbc_dockerfile::parse(&file));
    _ = rbc_dockerfile::parse_trigger(file.text(), file.span(0, 0));
}

fn check_recipe(file: &SourceFile, parsed: &Parsed<Recipe>) {
    assert_eq!(parsed.value.broken, parsed.diagnostics.iter().any(Diagnostic::is_error));
    let check = |span: Span| assert!(file.text().get(span.range()).is_some(), "{span:?} is no place of the text");
    for found in &parsed.diagnostics {
        found.primary.iter().chain(&found.secondary).for_each(|label| check(label.span));
    }
    let steps = parsed.value.stages.iter().flat_map(|stage| &stage.steps).chain(&parsed.value.global_args);
    steps.for_each(|step| check(step.head.span));
}

/// YAML to recipe, to a Dockerfile with the same stages, and to bytes.
pub fn mockerfile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let file = SourceFile::new(FileId(0), "Mockerfile.yaml", text.as_ref());
    let parsed = rbc_mockerfile::parse(&file);
    check_recipe(&file, &parsed);
    let written = rbc_mockerfile::dockerfile(&parsed.value);
    if parsed.value.broken {
        return;
    }
    let written = rbc_dockerfile::parse(&SourceFile::new(FileId(0), "Dockerfile", written));
    assert!(written.value.stages.len() >= parsed.value.stages.len(), "a stage is lost in a Dockerfile");
    definitions(compile_file(&file)).iter().for_each(|bytes| definition(bytes));
}

/// Some variables, one of which is not set.
struct Few;

const FEW: [(&str, &str); 4] = [("a", "value/of.a"), ("empty", ""), ("star", "*?\\*"), ("é", "ünïcode é")];

impl Env for Few {
    fn get(&self, name: &str) -> Option<&str> {
        FEW.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(FEW.iter().map(|(name, _)| *name))
    }
}

/// Words in every mode. The first byte says which; the rest is the word.
pub fn words(data: &[u8]) {
    let Some((mode, word)) = data.split_first() else { return };
    let bit = |n: u8| mode >> n & 1 == 1;
    let word = String::from_utf8_lossy(word);
    let escape = if bit(0) { '`' } else { '\\' };
    let unset = if bit(1) { Unset::Keep } else { Unset::Empty };
    let mode = Mode { raw_quotes: bit(2), raw_escapes: bit(3), skip_quotes: bit(4) };
    if let Ok(template) = Template::parse(&word, escape, mode) {
        for variable in template.variables() {
            assert_eq!(&word[variable.name_range.clone()], variable.name);
            assert!(word[variable.range.clone()].starts_with('$'));
        }
        if let Ok(expansion) = template.expand(&Few, unset) {
            assert!(expansion.matched.iter().all(|name| Few.get(name).is_some()));
            assert!(expansion.unmatched.iter().all(|name| Few.get(name).is_none()));
            if rbc_word::is_literal(&word, escape) {
                assert_eq!(expansion.text, word, "a literal changes");
            }
        }
        _ = template.expand_words(&Few, unset);
    }
    rbc_word::unset_before_fault(&word, escape, mode, &Few);
    _ = rbc_word::heredoc::in_line(&word);
    if let Ok(fields) = rbc_word::csv::fields_with_ranges(&word) {
        fields.iter().for_each(|(_, range)| assert!(word.get(range.clone()).is_some()));
    }
    _ = rbc_grammar::json::string_array(&word);
}

/// Bytes to graph: one that can be read is sound, and after one way through rbc its bytes stay as they are.
pub fn definition(data: &[u8]) {
    let Ok(loaded) = rbc_wire::load(data) else { return };
    rbc_ir::verify(&loaded.graph).expect("what is read is sound");
    loaded.renamed();
    rbc_wire::to_text(&loaded);
    rbc_wire::to_json(&loaded);
    let bytes = again(&loaded);
    let loaded = rbc_wire::load(&bytes).expect("what was written can be read");
    assert_eq!(bytes, again(&loaded), "bytes are not stable");
}

fn again(loaded: &rbc_wire::Loaded) -> Vec<u8> {
    let result = loaded.graph.roots[0].result;
    rbc_wire::Emitter::new(&loaded.graph, rbc_wire::Order::Listed).emit(result).to_bytes()
}

/// A world in which every image is there; those whose names begin with `on` have triggers.
struct Anything;

impl Host for Anything {
    fn image(&mut self, wanted: &ImageQuestion) -> Result<Found, Diagnostic> {
        let triggers =
            if wanted.reference.contains("/on") { r#""OnBuild":["ARG x","COPY --from=b / /"],"# } else { "" };
        let config = format!(
            r#"{{"os":"linux","architecture":"amd64","config":{{{triggers}"Env":["PATH=/bin","a=b"]}},"rootfs":{{"diff_ids":["sha256:1"]}}}}"#
        );
        Ok(Found {
            reference: wanted.reference.clone(),
            digest: Digest::parse(&format!("sha256:{}", "a".repeat(64))).ok(),
            config: config.into_bytes(),
        })
    }

    fn ignore(&mut self, _: &str) -> Result<Option<String>, Diagnostic> {
        Ok(None)
    }

    fn is_archive(&mut self, _: &str) -> Result<bool, Diagnostic> {
        Ok(false)
    }

    fn time(&mut self, _: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        Ok(Some(1))
    }
}

/// Text to bytes: what compiles can be read back, and what does not says why.
pub fn whole(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for output in compiled(&text) {
        definition(&output);
    }
}

/// Compiles a Dockerfile on its own.
pub fn compile_text(text: &str) -> Compiled {
    compile_file(&SourceFile::new(FileId(0), "Dockerfile", text))
}

fn compile_file(file: &SourceFile) -> Compiled {
    let linux = Platform::new("linux", "amd64");
    let input = Input {
        file,
        attrs: BTreeMap::new(),
        surroundings: Surroundings {
            build_platform: linux.clone(),
            host_platform: linux,
            session: None,
            unique: String::new(),
        },
        caps: CapSet::all(),
        ignore: Some((".dockerignore".to_owned(), "*.md\n!a\n".to_owned())),
        inputs: BTreeMap::new(),
        labs: true,
        purpose: Purpose::Build,
        frontend: None,
    };
    compile(input, &mut Anything)
}

/// The definitions of a Dockerfile.
pub fn compiled(text: &str) -> Vec<Vec<u8>> {
    definitions(compile_text(text))
}

fn definitions(compiled: Compiled) -> Vec<Vec<u8>> {
    assert_eq!(compiled.outputs.is_empty(), !compiled.errors.is_empty());
    for output in &compiled.outputs {
        rbc_ir::verify(&output.product.graph).expect("what is made is sound");
        output.image();
    }
    compiled.outputs.iter().map(|output| output.emit().to_bytes()).collect()
}
