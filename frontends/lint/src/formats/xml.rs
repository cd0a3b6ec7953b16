//! Formats in XML. Attributes are in alphabetical order, as hadolint has them.

use super::{FileReport, Finding, Options};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

pub(super) fn checkstyle(files: &[FileReport], options: &Options<'_>) -> String {
    let mut out = format!(r#"{HEAD}<checkstyle version="4.3">"#);
    for file in files {
        let errors = file.findings.iter().map(|finding| {
            let column = finding.start.column.to_string();
            let line = finding.start.line.to_string();
            let attributes = [
                ("column", &*column),
                ("line", &line),
                ("message", &finding.message),
                ("severity", finding.level.name()),
                ("source", &finding.code),
            ];
            element("error", &attributes, "")
        });
        out += &element("file", &[("name", options.path(file))], &errors.collect::<String>());
    }
    out + "</checkstyle>"
}

pub(super) fn junit(files: &[FileReport], options: &Options<'_>) -> String {
    let tool = &options.tool;
    let suites = files.iter().map(|file| {
        let cases: String = file.findings.iter().map(|finding| case(options, file, finding)).collect();
        let attributes = [
            ("errors", "0"),
            ("failures", &*file.findings.len().to_string()),
            ("id", tool.id),
            ("name", &format!("{} {}", tool.name, tool.version)),
            ("time", "0.001"),
        ];
        element("testsuite", &attributes, &cases)
    });
    let suites: String = suites.collect();
    let id = options.time.replace(['-', ':'], "").replace(' ', "_");
    let name = format!("{} run at {}", tool.name, options.time);
    HEAD.to_owned() + &element("testsuites", &[("id", &*id), ("name", &name), ("time", "0.001")], &suites)
}

fn case(options: &Options<'_>, file: &FileReport, finding: &Finding) -> String {
    let Finding { code, level, message, start, .. } = finding;
    let text = format!(
        "File: {}\nLine: {}\nCategory: {} - Dockerfile Static Analysis\n{}: {message}\n",
        options.path(file),
        start.line,
        options.tool.name,
        level.name(),
    );
    let attributes = [("id", &**code), ("message", message), ("type", level.name())];
    let failure = element("failure", &attributes, &escaped(&text, false));
    let id = format!("{}.rule.{code}", options.tool.id);
    element("testcase", &[("id", &*id), ("time", "0.001")], &failure)
}

fn element(name: &str, attributes: &[(&str, &str)], content: &str) -> String {
    let mut out = format!("<{name}");
    for (key, value) in attributes {
        out += &format!(" {key}=\"{}\"", escaped(value, true));
    }
    match content.is_empty() {
        true => out + "/>",
        false => format!("{out}>{content}</{name}>"),
    }
}

/// The text with the characters replaced that XML has other uses for, and those that it does not allow.
fn escaped(text: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' if attribute => out.push_str("&quot;"),
            '>' if !attribute => out.push_str("&gt;"),
            '\n' | '\r' | '\t' if attribute => out.push_str(&format!("&#{};", u32::from(c))),
            '\n' | '\r' | '\t' => out.push(c),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(c),
        }
    }
    out
}
