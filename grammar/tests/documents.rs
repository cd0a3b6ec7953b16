//! Files of our own: what is found in them, that nothing is lost, and that size and nonsense do no harm.

use rbc_grammar::{
    Command, Document, FaultKind, Item, PieceKind, detect_syntax, dump_cst, dump_tokens, find_directive, tokens,
};
use rbc_source::{FileId, SourceFile};

fn lines(text: &str) -> Vec<(String, usize, usize)> {
    let document = Document::parse(text);
    assert_lossless(&document);
    document.instructions().map(|i| (i.line.text().to_owned(), i.first_line, i.last_line)).collect()
}

fn line(text: &str, first: usize, last: usize) -> (String, usize, usize) {
    (text.to_owned(), first, last)
}

fn faults(text: &str) -> Vec<FaultKind> {
    Document::parse(text).faults.into_iter().map(|f| f.kind).collect()
}

/// Every byte belongs to one item, one token, and within an instruction to one piece.
fn assert_lossless(document: &Document<'_>) {
    let text = document.text;
    let mut at = if text.starts_with('\u{FEFF}') { 3 } else { 0 };
    for item in &document.items {
        assert_eq!(item.range().start, at, "{text:?}");
        at = item.range().end;
        let Item::Instruction(instruction) = item else { continue };
        let mut piece_at = instruction.range.start;
        for piece in &instruction.pieces {
            assert_eq!(piece.range.start, piece_at, "{text:?}");
            piece_at = piece.range.end;
        }
        for heredoc in &instruction.heredocs {
            assert_eq!((heredoc.body.start, heredoc.end.start), (piece_at, heredoc.body.end), "{text:?}");
            piece_at = heredoc.end.end;
        }
        assert_eq!(piece_at, instruction.range.end, "{text:?}");
        let joined: String =
            instruction.pieces.iter().filter(|p| p.kind == PieceKind::Text).map(|p| &text[p.range.clone()]).collect();
        assert_eq!(joined, instruction.line.text());
        let file = SourceFile::new(FileId(0), "x", text);
        let (first, last) = file.lines_of(file.span(instruction.span.start, instruction.span.end));
        assert_eq!((first + 1, last + 1), (instruction.first_line, instruction.last_line), "{text:?}");
    }
    assert_eq!(at, text.len(), "{text:?}");
    assert_eq!(tokens(document).iter().map(|t| &text[t.range.clone()]).collect::<String>(), text);
}

#[test]
fn continuations() {
    assert_eq!(lines("\u{FEFF}  FROM a \\ \t\r\n  b\nRUN c"), [line("FROM a   b", 1, 2), line("RUN c", 3, 3)]);
    assert_eq!(lines("RUN a \\\n# no\n  # no\n\n \t\n b\n"), [line("RUN a  b", 1, 6)]);
    assert_eq!(lines("RUN a \\\n\n"), [line("RUN a ", 1, 2)]);
    assert_eq!(lines("RUN a \\"), [line("RUN a ", 1, 1)]);
    assert_eq!(lines("\\\nRUN a"), [line("RUN a", 1, 2)]);
    assert_eq!(
        lines("RUN a \\\\\nRUN b \\\u{B}\nc"),
        [line("RUN a \\\\", 1, 1), line("RUN b \\\u{B}", 2, 2), line("c", 3, 3)]
    );
    assert_eq!(lines("#escape=`\nRUN a \\\nRUN b `\n c"), [line("RUN a \\", 2, 2), line("RUN b  c", 3, 4)]);
    assert_eq!(lines("RUN a \\\n  b \\\n"), [line("RUN a   b ", 1, 2)]);
}

#[test]
fn comments() {
    let comments =
        |text| -> Vec<Vec<&str>> { Document::parse(text).instructions().map(|i| i.comments.clone()).collect() };
    assert_eq!(
        comments("# syntax=x\n#a\n#\n# b \n\n  # c\nFROM x\nRUN y \\\n# inside\n z\n#d\nRUN z"),
        [vec!["b", "# c"], vec![], vec!["d"]]
    );
}

#[test]
fn directives() {
    let names = |text| -> Vec<&str> { Document::parse(text).directives().map(|d| d.1.name).collect() };
    assert_eq!(names("# Syntax = x\n  #check=skip=all\n#escape=`\n"), ["syntax", "check", "escape"]);
    assert_eq!(names("# other=x\n# escape=`"), [""; 0]);
    assert_eq!(names("\n# escape=`"), [""; 0]);
    assert_eq!(names("#!x\n# escape=`"), [""; 0]);
    let text = "\u{FEFF}#  escape  = `  \nFROM x";
    let document = Document::parse(text);
    let (_, directive) = document.directives().next().unwrap();
    assert_eq!((&text[directive.name_range.clone()], &text[directive.value.clone()]), ("escape", "`"));
    assert!(matches!(&*faults("# escape=x\nFROM a"), [FaultKind::Escape(_)]));
    assert!(matches!(&*faults("# check=x\n# CHECK=y\nFROM a"), [FaultKind::DirectiveAgain(_)]));
}

#[test]
fn heredocs() {
    let text = "RUN <<A cat <<-'B' \\\n x\n$a\nA\n\tb\n\tB\nCOPY <<C /\n# C\nC\r\nCMD <<D\n";
    let document = Document::parse(text);
    assert_lossless(&document);
    let all: Vec<_> = document.instructions().map(|i| (i.first_line, i.last_line, i.heredocs.len())).collect();
    assert_eq!(all, [(1, 6, 2), (7, 9, 1), (10, 10, 0)]);
    let bodies: Vec<_> =
        document.instructions().flat_map(|i| &i.heredocs).map(|h| (&*h.opening.name, &text[h.body.clone()])).collect();
    assert_eq!(bodies, [("A", "$a\n"), ("B", "\tb\n"), ("C", "# C\n")]);
    assert_eq!(document.faults, []);

    let unclosed = Document::parse("FROM a\nRUN <<E\nx\n E\n");
    assert_lossless(&unclosed);
    let [fault] = &*unclosed.faults else { panic!() };
    assert_eq!(
        (fault.range.clone(), &fault.kind),
        (7..19, &FaultKind::HeredocUnclosed { name: "E".into(), near: Some(17..19) })
    );
    // Within `${}` the reference splits at spaces even between quotes, and so finds half a word.
    assert!(matches!(&*faults("RUN ${a:-x <<'q r'}"), [FaultKind::HeredocName(_)]));
    assert_eq!(faults("ONBUILD RUN <<E\nE\nCOPY [\"<<E\", \"/\"]"), []);
}

#[test]
fn emptiness() {
    for text in ["", "\n", "# a\n", "\u{FEFF}", "#"] {
        assert_eq!(faults(text), [FaultKind::NoInstruction], "{text:?}");
        assert_lossless(&Document::parse(text));
    }
    let long = "x".repeat(70_000);
    for (text, faults_there) in [
        (long.clone(), vec![FaultKind::LongLine]),
        (format!("FROM a\n{long}\nRUN b"), vec![FaultKind::LongLine]),
        (
            format!("RUN <<E\n{long}\nE"),
            vec![FaultKind::HeredocUnclosed { name: "E".into(), near: None }, FaultKind::LongLine],
        ),
    ] {
        assert_eq!(faults(&text), faults_there);
        assert_lossless(&Document::parse(&text));
    }
}

#[test]
fn dumps() {
    let text = "# escape=`\nRUN --a=b `\n  x \"y z\"\n\nCOPY <<E /\nb\nE\n";
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    assert_eq!(
        dump_tokens(&file),
        r##"0..11 directive "# escape=`\n"
11..14 keyword "RUN"
14..15 space " "
15..20 flag "--a=b"
20..21 space " "
21..23 continuation "`\n"
23..25 space "  "
25..26 word "x"
26..27 space " "
27..29 word "\"y"
29..30 space " "
30..32 word "z\""
32..33 space "\n"
33..34 space "\n"
34..38 keyword "COPY"
38..39 space " "
39..42 word "<<E"
42..43 space " "
43..44 word "/"
44..45 space "\n"
45..47 heredoc-body "b\n"
47..49 heredoc-end "E\n"
"##
    );
    assert_eq!(
        dump_cst(&file),
        r#"file 0..49 escape '`'
  directive 0..11 escape "`"
  instruction 11..33 lines 2-3
    keyword 11..14 "RUN"
    flag 15..20 "--a=b"
    word 25..32 "x \"y z\""
  blank 33..34
  instruction 34..49 lines 5-7
    keyword 34..38 "COPY"
    word 39..42 "<<E"
    word 43..44 "/"
    heredoc 45..47 "E"
"#
    );
}

/// Large texts, each of which a quadratic or recursive reader would not finish.
#[test]
fn large_files() {
    const SIZE: usize = 1 << 20;
    let filled = |unit: &str| unit.repeat(SIZE / unit.len());
    let texts = [
        "x".repeat(10 << 20),
        filled("RUN x\n"),
        filled("x\\\n"),
        filled("RUN <<E\n"),
        format!("RUN{}\n{}", filled(" <<E")[..60_000].trim_end_matches('<'), filled("E\n")),
        filled("RUN <<E\nE\n"),
        format!("RUN a\\\n{}", filled("# c\n")),
        format!("RUN a\\\n{}", filled("\n")),
        format!("ENV {}", filled("a=\"b\" \\\n")),
        format!("CMD {}", filled("[\\\n")),
        format!("CMD [{}\"\"]", filled("\"a\",\\\n")),
        format!("COPY {}", filled("--a=b \\\n")),
        format!("ONBUILD {}", filled("ONBUILD \\\n")),
        filled("# escape=`\n"),
        filled("# c\n"),
        filled(" \u{A0}\n"),
        filled("\\\\ \n"),
        filled("RUN \"${a:-<<E\\\n"),
    ];
    for text in texts {
        let document = Document::parse(&text);
        let mut bytes = 0;
        for instruction in document.instructions() {
            let command = Command::parse(instruction.line.text(), document.escape);
            bytes += instruction.line.text().len() + command.heads.len();
        }
        assert!(bytes <= 2 * text.len() + 10);
        assert!(tokens(&document).len() <= text.len());
    }
}

#[test]
fn no_panic_on_mutations() {
    const SEEDS: [&str; 5] = [
        "# syntax=a\n# escape=`\nFROM --platform=$A a AS b\nRUN --mount=type=cache,\"target=/x\" <<E cat <<-'F'\n$x\nE\n\ty\n\tF\n",
        "ARG a=b c\nENV a=\"b c\" d\\ e=f\nLABEL a b\nCMD [\"a\", \"\\ud83d\\ude00\"]\nHEALTHCHECK --interval=1s CMD x \\\n\n# c\n y\n",
        "ONBUILD COPY <<E /\nE\nONBUILD ONBUILD RUN x\nSHELL [\"a\"]\nVOLUME [\"/a\", 1]\nEXPOSE 80 81/TCP\n",
        "\u{FEFF}#!x\r\n// syntax=y\r\n{\"syntax\": \"z\"}\r\nRUN a \\ \r\n\u{A0}# b\r\n c\r\n",
        "COPY --a=à --b=全 x\u{85}y\nHEALTHCHECK CMDà x\nWOR\u{212A}DIR /\n\\\n\\\n",
    ];
    const PIECES: [&str; 20] = [
        "\n", "\r\n", "\\", "`", "<<E", "E\n", "#", " ", "\t", "\"", "'", "[", "]", "--", "=", "à", "\u{FEFF}",
        "ONBUILD ", "{", "\0",
    ];
    let mut seed = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    for round in 0..6_000 {
        let mut chars: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        for _ in 0..=random(6) {
            let at = random(chars.len() + 1);
            match random(3) {
                0 => drop(chars.splice(at..at, PIECES[random(PIECES.len())].chars())),
                1 => drop(chars.drain(at..(at + random(12)).min(chars.len()))),
                _ => {
                    let piece: Vec<char> = chars[at..(at + random(30)).min(chars.len())].to_vec();
                    let to = random(chars.len() + 1);
                    chars.splice(to..to, piece);
                }
            }
        }
        let text: String = chars.into_iter().collect();
        let document = Document::parse(&text);
        assert_lossless(&document);
        let file = SourceFile::new(FileId(0), "x", &*text);
        dump_cst(&file);
        detect_syntax(&text);
        find_directive(&text, "check");
        for value in text.split_whitespace() {
            let _ = rbc_grammar::values::duration(value);
        }
    }
}
