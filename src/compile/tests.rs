//! What a build comes to where several things are wrong, or where little is said.

use rbc_ir::CapSet;
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::{Digest, Platform};
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, SourceFile, image};

use super::*;

/// Every image is there but `missing`; those named `arm` are for another platform than was asked for, those named `on` have
/// the trigger `COPY --from=0 / /`, and `circle` one that takes files from itself.
#[derive(Default)]
struct World {
    /// The images that were asked for at once, call by call.
    asked: Vec<Vec<String>>,
}

impl Host for World {
    fn images(&mut self, images: &[ImageQuestion]) -> Vec<Result<Found, Diagnostic>> {
        self.asked.push(images.iter().map(|image| image.reference.clone()).collect());
        images.iter().map(|image| self.image(image)).collect()
    }

    fn image(&mut self, wanted: &ImageQuestion) -> Result<Found, Diagnostic> {
        let name = &wanted.reference;
        if name.contains("missing") {
            return Err(Diagnostic::new(image::NOT_FOUND, format!("`{name}` is not there")));
        }
        let architecture = if name.contains("/arm") { "arm64" } else { "amd64" };
        let triggers = match name {
            _ if name.contains("/on") => r#""OnBuild":["COPY --from=0 / /"]"#,
            _ if name.contains("/circle") => r#""OnBuild":["COPY --from=circle / /"]"#,
            _ => "",
        };
        let config = format!(
            r#"{{"os":"linux","architecture":"{architecture}","config":{{{triggers}}},"rootfs":{{"diff_ids":["sha256:1"]}}}}"#
        );
        Ok(Found {
            reference: name.clone(),
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
        Ok(None)
    }
}

/// What a build came to: warnings as name and line, the first error as line (0 for none) and text.
struct Outcome {
    warnings: Vec<(&'static str, usize)>,
    error: Option<(usize, String)>,
    asked: Vec<Vec<String>>,
    compiled: Compiled,
}

fn build(text: &str, attrs: &[(&str, &str)], ignore: Option<&str>, purpose: Purpose) -> Outcome {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let linux = Platform::new("linux", "amd64");
    let input = Input {
        file: &file,
        attrs: attrs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        surroundings: Surroundings {
            build_platform: linux.clone(),
            host_platform: linux,
            session: Some("s".to_owned()),
            unique: String::new(),
        },
        caps: CapSet::all(),
        ignore: ignore.map(|text| (".dockerignore".to_owned(), text.to_owned())),
        inputs: BTreeMap::new(),
        labs: false,
        purpose,
        frontend: None,
    };
    let mut world = World::default();
    let compiled = compile(input, &mut world);
    let line = |d: &Diagnostic| d.primary.as_ref().map_or(0, |label| file.lines_of(label.span).0 + 1);
    Outcome {
        warnings: compiled.warnings.iter().map(|d| (d.code.name, line(d))).collect(),
        error: compiled.errors.first().map(|e| (line(e), e.message.clone())),
        asked: world.asked,
        compiled,
    }
}

fn error_line(text: &str, ignore: Option<&str>) -> Option<usize> {
    build(text, &[], ignore, Purpose::Build).error.map(|(line, _)| line)
}

#[test]
fn checks_end_at_the_first_error() {
    let text = "FROM a AS x\nWORKDIR rel\nUSER ${A:?none}\nFROM b\nWORKDIR rel\nCOPY --from=x / /\n";
    for purpose in [Purpose::Build, Purpose::Check] {
        let outcome = build(text, &[], None, purpose);
        assert_eq!(outcome.warnings, [("WorkdirRelativePath", 2), ("UndefinedVar", 3)]);
        assert_eq!(outcome.error.unwrap().0, 3);
    }
    let outcome = build("FROM ${X%} AS b\nFROM $Y\n", &[], None, Purpose::Build);
    assert_eq!(outcome.warnings.iter().filter(|w| w.0 == "UndefinedArgInFrom").count(), 1);
}

#[test]
fn the_base_looked_up_last_fails_first() {
    assert_eq!(error_line("FROM A:\nFROM B:\nFROM C:\n", None), Some(3));
    assert_eq!(error_line("FROM A:\nFROM B:\nFROM c\n", None), Some(1));
    assert_eq!(error_line("FROM A:\nFROM B:\nFROM scratch\n", None), Some(2));
}

#[test]
fn other_bases_are_looked_up_though_one_is_wrong() {
    let outcome = build("FROM A:\nFROM arm\n", &[], None, Purpose::Build);
    assert_eq!(outcome.warnings, [("InvalidDefaultArgInFrom", 1), ("InvalidBaseImagePlatform", 2)]);
    assert_eq!(outcome.error.unwrap().0, 1);
}

#[test]
fn the_ignore_file_is_read_behind_the_bases() {
    assert_eq!(error_line("FROM a\nFROM B:\n", Some("!")), Some(2));
    assert_eq!(error_line("FROM a\n", Some("!")), Some(0));
}

#[test]
fn the_context_comes_before_the_recipe() {
    let attrs = [("context", "https://github.com/a/b.git?bogus=1")];
    let outcome = build("from a\nBOGUS\n", &attrs, None, Purpose::Build);
    assert_eq!(outcome.warnings, []);
    assert_eq!(outcome.error.unwrap().0, 0);
}

#[test]
fn times_beyond_the_calendar() {
    let build = |epoch, text| build(text, &[("build-arg:SOURCE_DATE_EPOCH", epoch)], None, Purpose::Build);
    let outcome = build("253402300800", "FROM a\nENV A=1\n");
    assert!(outcome.error.unwrap().1.contains("253402300800"));
    assert_eq!(build("253402300799", "FROM a\nENV A=1\n").error, None);
    assert_eq!(build("253402300800", "FROM a\n").error, None);
    let outcome = build("", "FROM a\nARG SOURCE_DATE_EPOCH=7\nENV A=$SOURCE_DATE_EPOCH\n");
    assert!(outcome.compiled.outputs[0].image().contains("A=7"));
}

#[test]
fn what_multiplies_is_refused_where_it_grows_too_large() {
    let numbered = |line: &str, n: usize| (0..n).map(|i| line.replace('%', &i.to_string())).collect::<String>();
    let builds = [
        "FROM scratch\n".to_owned() + &numbered("ENV a%=b\nRUN x\n", 6_000),
        "FROM scratch\n".to_owned() + &numbered("ARG a%\nRUN x\n", 8_000),
        "FROM scratch\nENV A=".to_owned()
            + &"a".repeat(60_000)
            + "\n"
            + &numbered("ENV B%=$A$A$A$A$A$A$A$A$A$A\n", 1_000),
        "FROM scratch AS b\n".to_owned()
            + &"ONBUILD RUN x\n".repeat(2_000)
            + &numbered("FROM b AS s%\n", 2_000)
            + "FROM b\n"
            + &numbered("COPY --from=s% a b\n", 2_000),
        "FROM scratch\nADD ".to_owned() + &numbered("http://a/% \\\n", 8_000) + " /x/\n",
        "FROM scratch\n".to_owned() + &"EXPOSE 1-65535\n".repeat(100),
    ];
    for text in builds {
        let outcome = build(&text, &[], None, Purpose::Build);
        let codes: Vec<&str> = outcome.compiled.errors.iter().take(2).map(|e| e.code.name).collect();
        assert_eq!(codes, ["too-large"], "{}", &text[..40]);
    }
}

#[test]
fn bases_are_asked_for_at_once_and_once() {
    let text = "FROM a AS x\nFROM a\nFROM unused\nFROM missing\nFROM b\nCOPY --from=x / /\nCOPY --from=c / /\n";
    let asked = build(text, &[], None, Purpose::Build).asked;
    let name = |n| format!("docker.io/library/{n}:latest");
    assert_eq!(asked, [[name("a"), name("b"), name("c")]]);
    let asked = build("FROM a\nFROM on\nCOPY --from=b / /", &[], None, Purpose::Build).asked;
    assert_eq!(asked, [vec![name("on"), name("b")], vec![name("a")]]);
}

#[test]
fn triggers_that_bring_in_one_another_end() {
    let outcome = build("FROM circle\n", &[], None, Purpose::Build);
    assert_eq!(outcome.compiled.errors[0].code.name, "stage-cycle");
}

#[test]
fn caches_to_import_are_a_list() {
    let refused = |text: &str| {
        let outcome = build("FROM scratch\n", &[("cache-imports", text)], None, Purpose::Build);
        outcome.compiled.errors.first().map(|e| (e.code.name, e.message.clone()))
    };
    let good = ["", "null", "[]", r#"[{"type":"inline","x":1},{"Type":"registry","Attrs":{"ref":"a"}}]"#];
    assert_eq!(good.map(refused), [const { None }; 4]);
    for bad in ["[", "{}", "[1]", "[null]", r#"[{"Type":1}]"#, r#"[{"Attrs":{"ref":1}}]"#, r#"[{"Attrs":[]}]"#] {
        let (code, message) = refused(bad).unwrap_or_else(|| panic!("{bad} passes"));
        assert!(code == "build-option" && message.contains("cache-imports"), "{bad}: {message}");
    }
}
