//! Words of our own.

use rbc_word::{Env, Mode, NoEnv, Template, Unset, WordErrorKind, expand};

struct Vars(&'static [(&'static str, &'static str)]);

impl Env for Vars {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.0.iter().map(|(n, _)| *n))
    }
}

const VARS: Vars = Vars(&[("a", "one"), ("empty", ""), ("path", "/usr/lib/x.tar.gz"), ("cash", "$a")]);

fn word(text: &str) -> String {
    expand(text, '\\', &VARS).unwrap().text.into_owned()
}

fn keep(text: &str) -> String {
    Template::parse(text, '\\', Mode::default()).unwrap().expand(&VARS, Unset::Keep).unwrap().text.into_owned()
}

fn words(text: &str) -> Vec<String> {
    Template::parse(text, '\\', Mode::default()).unwrap().expand_words(&VARS, Unset::Empty).unwrap()
}

fn error(text: &str) -> WordErrorKind {
    expand(text, '\\', &VARS).unwrap_err().kind
}

#[test]
fn values_and_modifiers() {
    assert_eq!(word("x$a-${a}y$nope."), "xone-oney.");
    assert_eq!(word("${nope:-d}${empty:-e}${empty-f}${a:-g}"), "deone");
    assert_eq!(word("${nope:+d}${empty:+e}${empty+f}${a:+g}"), "fg");
    assert_eq!(
        word("${path#*/}|${path##*/}|${path%.*}|${path%%.*}"),
        "usr/lib/x.tar.gz|x.tar.gz|/usr/lib/x.tar|/usr/lib/x"
    );
    assert_eq!(
        word("${path/r/R}|${path//r/R}|${path//\\//_}"),
        "/usR/lib/x.tar.gz|/usR/lib/x.taR.gz|_usr_lib_x.tar.gz"
    );
    assert_eq!(word("${nope:-${empty:-${a}}}"), "one");
    assert_eq!(word("$cash"), "$a");
    assert_eq!(word("$ $- $$a $10a ${10}"), "$  a a ");
}

#[test]
fn quotes_and_escapes() {
    assert_eq!(word(r#"'$a' "$a" \$a "\$a" "\a" '\a'"#), r"$a one $a $a \a \a");
    assert_eq!(expand("`$a \\$a", '`', &VARS).unwrap().text, r"$a \one");
    assert_eq!(word("${nope:-'}'}"), "}");
    assert_eq!(word("tail\\"), "tail");
    assert_eq!(word("\u{FEFF}\u{FEFF}x"), "\u{FEFF}x");
}

#[test]
fn unset_variables_stay() {
    assert_eq!(keep("$no ${no} ${no:-$a} ${no##$a$b} ${no//$a/b}"), "$no ${no} ${no:-one} ${no##one$b} ${no/one/b}");
    assert_eq!(keep("${no:=x} ${no?x}"), "${no:=x} ${no?x}");
}

#[test]
fn splitting() {
    assert_eq!(words("a  b\tc"), ["a", "b", "c"]);
    assert_eq!(words(r#"a\ b "c d" 'e f'g"#), ["a b", "c d", "e fg"]);
    assert_eq!(words("x$a y"), ["xone", "y"]);
    assert_eq!(words("x${nope:-p q}y z"), ["p", "qy", "z"]);
    assert_eq!(words(r#"x"${nope:-p q}"y"#), ["p qy"]);
}

#[test]
fn errors() {
    use WordErrorKind::*;
    assert_eq!(error("'x"), UnclosedQuote('\''));
    assert_eq!(error("\"x"), UnclosedQuote('"'));
    assert_eq!(error("${a"), UnclosedBrace);
    assert_eq!(error("${a:-x"), UnclosedBrace);
    assert_eq!(error("${a/x"), MissingSlash);
    assert_eq!(error("${}"), NoName);
    assert_eq!(error("${a^}"), Modifier("^".into()));
    assert_eq!(error("${a:#x}"), Modifier(":#".into()));
    assert_eq!(error("${a:=x}"), Modifier(":=".into()));
    assert_eq!(error("${nope?}"), Required { name: "nope".into(), message: "".into(), empty: false });
    assert_eq!(error("${empty:?say $a}"), Required { name: "empty".into(), message: "say one".into(), empty: true });
    assert!(matches!(error(r"${a#\x}"), PatternEscape { escaped: Some('x'), .. }));
    assert_eq!(expand("x ${a:=x} y", '\\', &VARS).unwrap_err().at, 2..9);
}

#[test]
fn what_is_used() {
    let text = "a ${b:-$c}$d";
    let template = Template::parse(text, '\\', Mode::default()).unwrap();
    let uses: Vec<_> = template.variables().map(|v| (v.name, &text[v.range])).collect();
    assert_eq!(uses, [("b", "${b:-$c}"), ("c", "$c"), ("d", "$d")]);
    let expansion = expand("${x:-$a}$a$y", '\\', &VARS).unwrap();
    assert_eq!((expansion.matched, expansion.unmatched), (vec!["a"], vec!["x", "y"]));
}

#[test]
fn any_depth_in_linear_time() {
    let depth = 500_000;
    for open in ["${x:-y", "${x#", "${x+\"", "${x/"] {
        let unclosed = open.repeat(depth);
        assert!(Template::parse(&unclosed, '\\', Mode::default()).is_err());
    }
    let nested = format!("{}z{}", "${x:-y".repeat(depth), "}".repeat(depth));
    let template = Template::parse(&nested, '\\', Mode::default()).unwrap();
    assert_eq!(template.expand(&NoEnv, Unset::Empty).unwrap().text.len(), depth + 1);
    assert_eq!(template.expand(&NoEnv, Unset::Keep).unwrap().text, nested);
    assert_eq!(template.expand_words(&NoEnv, Unset::Empty).unwrap()[0].len(), depth + 1);
    let many: String = (0..300_000).map(|i| format!("$v{i}\\ ")).collect();
    assert_eq!(expand(&many, '\\', &NoEnv).unwrap().unmatched.len(), 300_000);
}

#[test]
fn growth_is_bounded() {
    struct Big(String);
    impl Env for Big {
        fn get(&self, _: &str) -> Option<&str> {
            Some(&self.0)
        }
        fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
            Box::new(std::iter::empty())
        }
    }
    let env = Big("a".repeat(1 << 20));
    for text in ["${v//a/$v}", &"$v".repeat(100)] {
        assert_eq!(expand(text, '\\', &env).unwrap_err().kind, WordErrorKind::TooLong);
    }
}

/// Pieces that mean something, thrown together.
#[test]
fn no_panic_on_mutations() {
    const PIECES: [&str; 28] = [
        "$", "{", "}", "${", "a", "nope", ":", "-", "+", "?", "#", "%", "/", "//", "\\", "`", "'", "\"", " ", "\n",
        "<", "<<", "é", "\u{FEFF}", "*", "0", "\0", "_",
    ];
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..60_000 {
        let text: String = (0..random(24)).map(|_| PIECES[random(PIECES.len())]).collect();
        let bits = random(16);
        let mode = Mode { raw_quotes: bits & 1 > 0, raw_escapes: bits & 2 > 0, skip_quotes: bits & 4 > 0 };
        let escape = if bits & 8 > 0 { '`' } else { '\\' };
        let _ = rbc_word::heredoc::parse(&text);
        let _ = rbc_word::heredoc::in_line(&text);
        let Ok(template) = Template::parse(&text, escape, mode) else { continue };
        for unset in [Unset::Empty, Unset::Keep] {
            let whole = template.expand(&VARS, unset);
            if rbc_word::is_literal(&text, escape) {
                assert_eq!(whole.as_ref().unwrap().text, text);
            }
            assert_eq!(whole.is_ok(), template.expand_words(&VARS, unset).is_ok());
        }
    }
}
