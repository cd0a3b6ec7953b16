//! A picture as a page that can be searched and looked around in.

use std::fmt::Write as _;

use crate::escape::{json, xml};
use crate::layout::{BETWEEN_NOTES, Drawing, draw};
use crate::model::{Detail, Kind, Model};
use crate::style;
use crate::svg::Sheet;
use crate::{Picture, fold};

/// What the page does. It is the same in every page, and the only script that the page lets run.
const SCRIPT: &str = include_str!("page.js");
/// What the page looks like.
const STYLE: &str = include_str!("page.css");
/// The SHA-256 of [`SCRIPT`], in base64. A test compares.
const SCRIPT_SHA256: &str = "dJB5nF4JdmYHA9p9IRUYPvOH5A7SrwOUJx2QfBClIXs=";

/// The picture as one HTML file that needs nothing else and loads nothing. Without scripts, it shows the picture; with
/// them, one can move about, search, see what depends on what and all that is known of a step, and fold stages.
///
/// A content security policy lets the page's own script run, by its hash, and nothing else: no text of the graph can.
pub fn html(picture: &Picture) -> String {
    let Picture { options, whole, model, drawing } = picture;
    let title = if options.title.is_empty() { "Build graph" } else { &options.title };
    // The picture that was asked for, and the same one at the other level of detail if that differs.
    let (stages, box_of) = fold::stages(whole);
    let other = match options.detail {
        Detail::Steps if model.groups.is_empty() => None,
        Detail::Steps => Some(stages),
        Detail::Stages if whole.groups.is_empty() => None,
        Detail::Stages => Some(fold::runs(whole.clone())),
    };
    let other = other.map(|model| (draw(&model, options.direction), model));
    let other_detail = if options.detail == Detail::Steps { Detail::Stages } else { Detail::Steps };
    let mut views: Vec<(Detail, &Model, &Drawing)> = vec![(options.detail, model, drawing)];
    views.extend(other.as_ref().map(|(drawing, model)| (other_detail, model, drawing)));

    let mut out = String::new();
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{SCRIPT_SHA256}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{}{}\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{}</h1>\n<p class=\"about\">{}</p>\n",
        xml(title),
        style::sheet(options.theme),
        style::page(options.theme),
        xml(title),
        xml(&whole.summary())
    );
    out.push_str(TOOLS);
    if views.len() > 1 {
        let pressed = options.detail == Detail::Stages;
        let _ = write!(
            out,
            "<button type=\"button\" id=\"fold\" aria-pressed=\"{pressed}\" title=\"Fold steps into stages (f)\">Stages\
             </button>"
        );
    }
    out.push_str("</div>\n</header>\n<main>\n");
    for (detail, model, drawing) in &views {
        let name = name(*detail);
        let hidden = if *detail == options.detail { "" } else { " hidden" };
        let _ = write!(out, "<div class=\"view\" id=\"{name}\"{hidden}>");
        let prefix = format!("{name}-");
        let sheet = Sheet::new(drawing, model, title, whole.summary(), &prefix, false);
        sheet.open(&mut out);
        sheet.content(true, &mut out);
        out.push_str("</svg></div>\n");
    }
    out.push_str("<aside id=\"details\" aria-label=\"Details\" hidden></aside>\n</main>\n");
    outline(whole, &mut out);
    out.push_str("<script type=\"application/json\" id=\"data\">{");
    for (at, (detail, model, _)) in views.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\"{}\":", name(*detail));
        let opens = |step: usize| match detail {
            Detail::Steps => None,
            Detail::Stages => whole.groups.iter().position(|g| g.steps.first().is_some_and(|s| box_of[*s] == step)),
        };
        data(model, &opens, &mut out);
    }
    let _ = write!(out, "}}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

const TOOLS: &str = "<div class=\"tools\" id=\"tools\" hidden>\
<label><span class=\"unseen\">Search</span><input type=\"search\" id=\"search\" placeholder=\"Search (/)\" \
autocomplete=\"off\" spellcheck=\"false\"></label><output id=\"found\"></output>\
<span class=\"buttons\"><button type=\"button\" id=\"out\" title=\"Smaller (-)\" aria-label=\"Smaller\">\u{2212}</button>\
<button type=\"button\" id=\"fit\" title=\"Show all (0)\">Fit</button>\
<button type=\"button\" id=\"in\" title=\"Larger (+)\" aria-label=\"Larger\">+</button></span>";

fn name(detail: Detail) -> &'static str {
    match detail {
        Detail::Steps => "steps",
        Detail::Stages => "stages",
    }
}

/// The picture in words, for who does not see it.
fn outline(model: &Model, out: &mut String) {
    out.push_str("<details class=\"outline\"><summary>As text</summary>\n");
    let list = |steps: &mut dyn Iterator<Item = usize>, out: &mut String| {
        out.push_str("<ol>\n");
        for step in steps.map(|at| &model.steps[at]) {
            let notes = step.notes.join(BETWEEN_NOTES);
            let notes = if notes.is_empty() { notes } else { format!(" ({notes})") };
            let text = format!("{} {}{notes}", step.keyword, step.title);
            let _ = writeln!(out, "<li>{}</li>", xml(text.trim()));
        }
        out.push_str("</ol>\n");
    };
    for group in &model.groups {
        let title = group.title();
        let title = if title.is_empty() { "stage" } else { &title };
        let _ = writeln!(out, "<h2>{}</h2>", xml(title));
        list(&mut group.steps.iter().copied(), out);
    }
    let mut alone = (0..model.steps.len())
        .filter(|at| model.steps[*at].group.is_none() && model.steps[*at].kind != Kind::Result)
        .peekable();
    if alone.peek().is_some() {
        let _ = writeln!(out, "<h2>{}</h2>", if model.groups.is_empty() { "Steps" } else { "Sources" });
        list(&mut alone, out);
    }
    out.push_str("</details>\n");
}

/// What the script knows of a picture.
fn data(model: &Model, opens: &dyn Fn(usize) -> Option<usize>, out: &mut String) {
    out.push_str("{\"steps\":[");
    for (at, step) in model.steps.iter().enumerate() {
        let comma = if at == 0 { "" } else { ",\n" };
        let title = [step.keyword.as_str(), &step.title].join(" ");
        let stage = step.group.map_or(String::new(), |group| model.groups[group].title());
        let notes = step.notes.join(BETWEEN_NOTES);
        let _ = write!(
            out,
            "{comma}{{\"kind\":{},\"title\":{},\"stage\":{},\"notes\":{}",
            json(step.kind.about()),
            json(title.trim()),
            json(&stage),
            json(&notes)
        );
        if let Some(group) = opens(at) {
            let _ = write!(out, ",\"opens\":{group}");
        }
        let facts = step.facts.iter().map(|(name, text)| format!("[{},{}]", json(name), json(text)));
        let _ = write!(out, ",\"facts\":[{}]}}", facts.collect::<Vec<_>>().join(","));
    }
    let edges = model.edges.iter().map(|e| format!("[{},{},{}]", e.from, e.to, json(e.role.about())));
    let _ = write!(out, "],\"edges\":[{}]}}", edges.collect::<Vec<_>>().join(","));
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().chain([0; 2].iter()).take(3).fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            for digit in 0..4 {
                out.push(if digit > group.len() { '=' } else { char::from(DIGITS[bits >> (18 - 6 * digit) & 63]) });
            }
        }
        out
    }

    #[test]
    fn the_policy_names_the_script() {
        assert_eq!(base64(&Sha256::digest(SCRIPT)), SCRIPT_SHA256, "SCRIPT_SHA256 must be what is left");
    }
}
