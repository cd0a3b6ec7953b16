//! Large and contorted input: it must end, without a panic, in time and memory in proportion to its length. What is not linear
//! does not end within the patience of any suite: these are up to 10 MB, and unoptimised. What is a little off shows in the memory
//! that is asked for, which is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;

use rbc_grammar::{Document, tokens};
use rbc_source::{FileId, SourceFile};
use rbc_word::{Mode, NoEnv, Template, Unset};

/// The system's allocator, counting what each thread asks it for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) {
    // A thread that ends has no counter any more.
    _ = ASKED.try_with(|asked| asked.set(asked.get().wrapping_add(bytes)));
}

// SAFETY: everything is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// How many bytes are asked for, in all, to compile a text to bytes.
fn memory(text: &str) -> usize {
    let before = ASKED.get();
    assert!(!super::fuzz::targets::compiled(text).is_empty(), "{}", &text[..40]);
    ASKED.get().wrapping_sub(before)
}

/// What a large file has.
const LARGE: usize = 10_000_000;

/// `head`, then `line` with numbers for its `%` until the text has that size.
fn grown(head: &str, line: &str, size: usize) -> String {
    let mut text = String::with_capacity(size + line.len());
    text += head;
    let (mut parts, mut number) = (Vec::new(), 0);
    parts.extend(line.split('%'));
    while text.len() < size {
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                _ = write!(text, "{number}");
            }
            text += part;
        }
        number += 1;
    }
    text
}

/// Reads a Dockerfile and gives the code of the first error.
fn parse(text: String) -> Option<&'static str> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let parsed = rbc_dockerfile::parse(&file);
    parsed.diagnostics.iter().find(|d| d.is_error()).map(|d| d.code.id)
}

/// Compiles a Dockerfile and gives the code of the first error.
fn compile(text: &str) -> Option<&'static str> {
    super::fuzz::targets::compile_text(text).errors.first().map(|e| e.code.id)
}

#[test]
fn tokens_of_large_texts() {
    let texts = [
        "x".repeat(LARGE),
        "\n".repeat(LARGE),
        "#\n".repeat(LARGE / 2),
        grown("FROM a\nRUN ", "\\\n", LARGE),
        grown("FROM a\nRUN a \\\n", "# c\n", LARGE),
        grown("FROM a\n", "RUN <<A\n", LARGE),
    ];
    for text in texts {
        let document = Document::parse(&text);
        let last = tokens(&document).last().map(|t| t.range.end);
        assert_eq!(last, Some(text.len()), "{}", &text[..20]);
    }
}

#[test]
fn large_dockerfiles_are_read() {
    // No line may be longer than the reference takes, 64 KiB.
    assert_eq!(parse("FROM a\nRUN ".to_owned() + &"x".repeat(LARGE)), Some("E0103"));
    assert_eq!(parse(grown("FROM a\nRUN ", "a b \"c\" \\\n", LARGE) + "d\n"), None);
    assert_eq!(parse(grown("FROM a\nRUN <<A\n", "some line of a script\n", LARGE) + "A\n"), None);
    assert_eq!(parse(grown("FROM a\nCMD [\"\"", ",\\\n\"b\\n\"", LARGE) + "]\n"), None);
    assert_eq!(parse(grown("FROM a\nRUN", "  --mount=type=cache,target=/a%,id=b \\\n", LARGE / 4) + "x\n"), None);
    assert_eq!(parse(grown("FROM a\n", "ONBUILD RUN <<A\nx\nA\n", LARGE / 10)), None);
    assert_eq!(parse(grown("FROM a\n", "RUN --nope% x\n", LARGE / 20)), Some("E0109"));
    assert_eq!(parse(grown("FROM a\n", "NOPE x\n", LARGE / 20)), Some("E0107"));
    assert_eq!(parse(grown("FROM a\n", "RUN <<A% \\\n", LARGE / 10)), Some("E0104"));
    assert_eq!(parse("[".repeat(60_000)), Some("E0107"));
}

#[test]
fn deep_and_long_words() {
    let n = LARGE / 40;
    let words = [
        "${a:-".repeat(n) + &"}".repeat(n),
        "${a:-\"".repeat(n) + &"\"}".repeat(n),
        "${a/b/".repeat(n) + &"}".repeat(n),
        "${a:-".repeat(2 * n),
        "\"a\"'b'\\c".repeat(n),
        "$a${b}${c:+d}".repeat(n / 2),
        "$".repeat(n),
        "\\".repeat(n),
        "<".repeat(n),
    ];
    for word in words {
        if let Ok(template) = Template::parse(&word, '\\', Mode::default()) {
            assert!(template.expand(&NoEnv, Unset::Empty).is_ok_and(|e| e.text.len() <= word.len()), "{}", &word[..10]);
            assert!(template.expand(&NoEnv, Unset::Keep).is_ok());
            assert!(template.expand_words(&NoEnv, Unset::Empty).is_ok());
        }
        assert!(rbc_word::heredoc::in_line(&word).is_ok());
    }
}

#[test]
fn patterns_do_not_explode() {
    // A pattern takes as long as it is times the value, and a line is at most 64 KiB.
    let text = format!("FROM scratch\nARG v={}\nENV x=${{v//{}b/}}\n", "a".repeat(60_000), "*a".repeat(100));
    assert_eq!(compile(&text), None);
    // What doubles itself is stopped.
    let text = "FROM scratch\nENV A=aaaaaaaaaa\n".to_owned() + &"ENV A=$A$A$A$A$A$A$A$A\n".repeat(60);
    assert_eq!(compile(&text), Some("E0202"));
    let text = "ARG A=aaaaaaaaaa\n".to_owned() + &"ARG A=$A$A$A$A$A$A$A$A\n".repeat(60) + "FROM scratch\n";
    assert_eq!(compile(&text), Some("E0202"));
}

#[test]
fn many_of_everything() {
    let n = 100_000;
    let stages = grown("", "FROM scratch AS s%\n", n / 2);
    let count = stages.lines().count();
    let copies: String = (0..count).map(|i| format!("COPY --from=s{i} a b\n")).collect();
    let mounts: String = (0..count).map(|i| format!(" --mount=from=s{i},target=/{i} \\\n")).collect();
    let texts = [
        grown("FROM scratch\n", "RUN x\n", n),
        grown("FROM scratch\n", "ENV a%=b\n", n),
        grown("FROM scratch\n", "ARG a%=b\n", n),
        grown("FROM scratch\n", "LABEL a%=b\n", n),
        grown("FROM scratch\n", "COPY <<A /a%\n$b\nA\n", n),
        grown("FROM scratch\n", "COPY --from=image% a b\n", n),
        grown("FROM scratch\n", "ONBUILD RUN x\n", n),
        grown("FROM scratch\nENV", " a%=b \\\n", n) + "c=d\n",
        grown("FROM scratch\nCOPY", " a% \\\n", n) + "/b/\n",
        grown("FROM scratch AS s0\nFROM s0 AS s1\n", "FROM s1 AS s%\nENV a%=b\n", n / 2),
        grown("", "ARG a%=$a\n", n) + "FROM scratch\nARG a1\n",
        grown("ARG a=\n", "ARG a=$a$b%\n", n) + "FROM scratch\nARG a\n",
        stages.clone() + "FROM scratch\n" + &copies,
        stages + "FROM scratch\nRUN" + &mounts + " x\n",
        // Each stage starts from the one before.
        (1..n / 30)
            .fold("FROM scratch AS s0\n".to_owned(), |text, i| text + &format!("FROM s{} AS s{i}\nRUN x\n", i - 1)),
        // Names that nobody knows, each with suggestions looked for.
        grown("FROM scratch\n", "ENV name%=$other%\n", n / 4),
    ];
    for text in texts {
        assert_eq!(compile(&text), None, "{}", &text[..40]);
    }
    assert_eq!(compile(&(grown("", "FROM $nope%\n", n / 4))), Some("E0203"));
}

#[test]
fn twice_the_text_takes_twice_the_memory() {
    let n = 20_000;
    let shapes: [(&str, &str); 12] = [
        ("FROM scratch\n", "RUN x%\n"),
        ("FROM scratch\n", "ENV a%=b\n"),
        ("FROM scratch\n", "ARG a%=b\n"),
        ("FROM scratch\n", "LABEL a%=b\n"),
        ("FROM scratch\n", "WORKDIR /a%\n"),
        ("FROM scratch\n", "COPY a% /b\n"),
        ("FROM scratch\n", "COPY <<A /a%\n$b\nA\n"),
        ("FROM scratch\n", "COPY --link a% /b\n"),
        ("FROM scratch\n", "COPY --from=image% a b\n"),
        ("FROM scratch\n", "RUN --mount=type=cache,target=/a% x\n"),
        ("FROM scratch AS s\n", "FROM s AS s%\nRUN x\n"),
        ("FROM scratch\n", "ONBUILD RUN x%\n"),
    ];
    for (head, line) in shapes {
        let [once, twice] = [n, 2 * n].map(|size| memory(&grown(head, line, size)));
        // Lists grow by doubling, and numbers by digits.
        assert!(twice < once * 5 / 2, "{line}: {once} and {twice} bytes");
    }
}

#[test]
fn definitions_of_any_shape() {
    /// A field with bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(content);
        out
    }
    // Definitions within the source texts of definitions: Definition.source = 3, Source.infos = 2, SourceInfo.definition = 3.
    let deep = (0..2_000).fold(Vec::new(), |inner, _| field(3, &field(2, &field(3, &inner))));
    assert!(rbc_wire::load(&deep).is_err() || rbc_wire::load(&deep).is_ok_and(|l| l.graph.is_empty()));
    let shapes = [
        b"\n\0".repeat(LARGE / 100),
        field(1, &vec![0xff; LARGE]),
        field(1, b"\x52\0").repeat(LARGE / 100),
        vec![0xff; LARGE],
        field(2, &[]).repeat(LARGE / 100),
        field(9, &[7; 90]).repeat(LARGE / 100),
    ];
    for bytes in shapes {
        super::fuzz::targets::definition(&bytes);
    }
    let large = super::fuzz::targets::compiled(&grown("FROM scratch\n", "RUN x%\n", 20_000));
    large.iter().for_each(|bytes| super::fuzz::targets::definition(bytes));
}
