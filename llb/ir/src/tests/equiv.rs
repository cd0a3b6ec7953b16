//! What the laws say, and what they do not.

use super::read;
use crate::equiv::same;
use crate::shape::{Kind, Tree};
use crate::{Known, Level, verify};

#[test]
fn what_differs_is_told() {
    let known = Known::default();
    let differs = |a: &str, b: &str, level| same(&read(a), &read(b), level, &known).is_err();
    let run = |arg: &str, more: &str| {
        format!(
            r#"%a = source "local://a"
            %b = exec ["{arg}"] {{cwd: "/" mounts: [{{dest: "/" input: %a output: 0}}] {more}}}
            root %b"#
        )
    };
    for level in [Level::Exact, Level::Layers, Level::Files] {
        assert!(!differs(&run("x", ""), &run("x", ""), level));
        assert!(differs(&run("x", ""), &run("y", ""), level));
        assert!(differs(&run("x", ""), &run("x", "ignore_cache: true"), level));
        assert!(differs(&run("x", ""), r#"%a = source "local://a" root %a"#, level));
        assert!(differs(&run("x", ""), "", level));
    }
    let described = run("x", r#"description: {"llb.customname": "x"}"#);
    assert!(differs(&run("x", ""), &described, Level::Exact));
    assert!(!differs(&run("x", ""), &described, Level::Layers));
}

/// Whether two builds give the same files, over some sources.
fn equal_knowing(known: &Known, a: &str, b: &str) -> bool {
    let sources = r#"
        %base = source "docker-image://base" %tool = source "docker-image://tool" %c = source "local://context"
        %x = file [copy {input: %base, secondary: %tool, output: 0, src: "/x", dest: "/x"}]
        %y = file [copy {input: %base, secondary: %tool, output: 0, src: "/y", dest: "/y"}]
    "#;
    let [a, b] = [a, b].map(|text| read(&format!("{sources} {text}")));
    assert_eq!(verify(&a), Ok(()));
    assert_eq!(verify(&b), Ok(()));
    same(&a, &b, Level::Files, known).is_ok()
}

fn equal(a: &str, b: &str) -> bool {
    equal_knowing(&Known::default(), a, b)
}

#[test]
fn merge_and_diff() {
    let flat = "%r = merge [%base %x %y] root %r";
    assert!(equal(flat, "%m = merge [%base %x] %r = merge [%m %y] root %r"));
    assert!(equal(flat, "%m = merge [%x %y] %r = merge [%base %m] root %r"));
    assert!(!equal(flat, "%r = merge [%base %y %x] root %r"));
    assert!(equal("%d = diff {lower: %base upper: %x} %r = merge [%base %d] root %r", "root %x"));
    assert!(!equal("%d = diff {lower: %base upper: %x} %r = merge [%tool %d] root %r", "root %x"));
    assert!(equal("%d = diff {upper: %x} root %d", "root %x"));
    assert!(equal("%d = diff {lower: %x upper: %x} root %d", "root none"));
    assert!(!equal("%d = diff {lower: %y upper: %x} root %d", "root %x"));
}

#[test]
fn the_boundaries_of_ops() {
    let two = r#"%a = file [mkdir {input: %base output: 0 path: "/a"}]
        %r = file [mkfile {input: %a output: 0 path: "/a/b"}] root %r"#;
    let one = r#"%r = file [mkdir {input: %base path: "/a"} mkfile {input: 0 output: 0 path: "/a/b"}] root %r"#;
    assert!(equal(two, one));
    // Laid over something that has the path, the one op leaves it alone and the two remove it.
    let two = r#"%a = file [mkfile {input: %base output: 0 path: "/a"}]
        %r = file [rm {input: %a output: 0 path: "/a"}] root %r"#;
    let one = r#"%r = file [mkfile {input: %base path: "/a"} rm {input: 0 output: 0 path: "/a"}] root %r"#;
    assert!(!equal(two, one));
}

#[test]
fn independent_changes() {
    let copy = |name: &str, input: &str, from: &str, dest: &str| {
        format!(
            r#"%{name} = file [copy {{input: {input} secondary: {from} output: 0 src: "/s" dest: "{dest}" follow_symlink: true create_dest_path: true}}]
            "#
        )
    };
    let chain = |base: &str, a: &str, b: &str| copy("a", base, "%tool", a) + &copy("b", "%a", "%c", b) + "root %b";
    let beside = |base: &str, a: &str, b: &str| {
        let copies = copy("a", base, "%tool", a) + &copy("b", base, "%c", b);
        format!("{copies} %d = diff {{lower: {base} upper: %b}} %r = merge [%a %d] root %r")
    };
    for (a, b, independent) in [
        ("/a", "/b", true),
        ("/q/a", "/q/b/", true),
        ("/a", "/a/b", false),
        ("/a", "/a", false),
        ("/a/", "/", false),
        ("/a", "/ab", true),
    ] {
        assert_eq!(equal(&chain("none", a, b), &beside("none", a, b)), independent, "{a} {b}");
        // What needs a directory cannot be done where it is not made.
        let needs = |text: String| text.replace(" create_dest_path: true", "");
        let makes = a.starts_with("/q");
        let same = equal(&needs(chain("none", a, b)), &needs(beside("none", a, b)));
        assert_eq!(same, independent && !makes, "{a} {b}");
        // An image may have links.
        assert!(!equal(&chain("%base", a, b), &beside("%base", a, b)), "{a} {b}");
    }
    let mut known = Known::default();
    known.insert("docker-image://base", None, Tree::listed([("/lib", Kind::Link), ("/usr/lib", Kind::Dir)]));
    let independent = |a: &str, b: &str| equal_knowing(&known, &chain("%base", a, b), &beside("%base", a, b));
    assert!(independent("/a", "/b"));
    assert!(independent("/a", "/usr/lib/b"));
    assert!(!independent("/lib/a", "/usr/lib/b"));
}

#[test]
fn reading() {
    let through = |name: &str, more: &str| {
        format!(
            r#"%a = file [copy {{secondary: %tool output: 0 src: "/x" dest: "/{name}" follow_symlink: true {more}}}]
            %b = file [copy {{input: %a secondary: %c output: 0 src: "/y" dest: "/y"}}]
            %r = file [
              copy {{input: %base secondary: %b output: 0 src: "/{name}" dest: "/z/" dir_copy_contents: true}}
            ] root %r"#
        )
    };
    let direct = r#"%r = file [
        copy {input: %base secondary: %tool output: 0 src: "/x" dest: "/z/" follow_symlink: true dir_copy_contents: true}
    ] root %r"#;
    assert!(equal(&through("x", ""), direct));
    assert!(!equal(&through("w", ""), direct));
    assert!(!equal(&through("x", "mode: 0o700"), direct));
    assert!(!equal(&through("x", r#"exclude_patterns: ["q"]"#), direct));
    assert!(!equal(&through("y", ""), direct));
}

#[test]
fn names_contexts_and_pins() {
    let owned = |by: &str| {
        format!(
            r#"%m = file [mkdir {{input: %base output: 0 path: "/w"}}]
            %r = file [
              copy {{input: %m secondary: %c output: 0 src: "/y" dest: "/y" owner: {{user: {{name: "u" input: {by}}}}}}}
            ] root %r"#
        )
    };
    assert!(equal(&owned("%m"), &owned("%base")));
    assert!(!equal(&owned("%m"), &owned("%x")));

    let context = |attrs: &str, src: &str| {
        format!(
            r#"%l = source "local://context" {{attrs: {attrs}}}
            %r = file [
              copy {{input: %base secondary: %l output: 0 src: "{src}" dest: "/y" exclude_patterns: ["*.md"]}}
            ] root %r"#
        )
    };
    let all = r#"{"local.session": "s"}"#;
    let some = r#"{"local.session": "s" "local.followpaths": "[\"q\",\"w\"]"}"#;
    let less = r#"{"local.session": "s" "local.followpaths": "[\"w\"]" "local.excludepatterns": "[\"w/*.md\"]"}"#;
    assert!(equal(&context(all, "/w"), &context(some, "/w")));
    assert!(equal(&context(all, "/w"), &context(less, "/w")));
    assert!(!equal(&context(all, "/q"), &context(less, "/q")));
    assert!(!equal(&context(all, "/"), &context(some, "/")));

    let image = |name: &str| format!(r#"%r = source "docker-image://docker.io/library/{name}" root %r"#);
    assert!(equal(&image("a:1@sha256:0"), &image("a:2@sha256:0")));
    assert!(!equal(&image("a:1@sha256:0"), &image("a:1@sha256:1")));
    assert!(!equal(&image("a:1"), &image("a:2")));
}

#[test]
fn a_glimpse_tells_what_was_looked_at_and_nothing_else() {
    use crate::shape::{Kind, Shape, Tree};
    let dir = Some(Kind::Dir);
    let seen = [
        ("usr", dir),
        ("usr/lib", Some(Kind::Link)),
        ("usr/bin", dir),
        ("usr/bin/sh", Some(Kind::File)),
        ("app", None),
    ];
    let tree = Tree::glimpsed(seen);
    assert_eq!(tree.get("/usr/lib"), Shape::Link);
    assert_eq!((tree.get("/usr/bin/sh"), tree.get("/app")), (Shape::File, Shape::Absent));
    assert_eq!(tree.get("/app/below"), Shape::Absent);
    for unseen in ["/etc", "/usr/bin/other", "/usr/lib/below"] {
        assert_eq!(tree.get(unseen), Shape::Unknown, "{unseen}");
    }
    // Without what is above it, a path says nothing.
    assert_eq!(Tree::glimpsed([("usr/bin/sh", Some(Kind::File))]).get("/usr/bin/sh"), Shape::Unknown);
}
