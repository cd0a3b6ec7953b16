//! Draws a definition: `draw FILE.pb OUT.{svg,html,dot,mmd} [right|down] [stages]`.
#![allow(clippy::disallowed_methods, reason = "an example reads and writes files")]

use rbc_picture::{Detail, Direction, Options, Theme, dot, html, mermaid, picture, svg};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let loaded = rbc_wire::load(&std::fs::read(&args[0]).unwrap()).unwrap();
    let has = |word: &str| args.iter().any(|a| a == word);
    let options = Options {
        title: "Dockerfile".to_owned(),
        direction: if has("right") {
            Direction::Right
        } else if has("down") {
            Direction::Down
        } else {
            Direction::Auto
        },
        detail: if has("stages") { Detail::Stages } else { Detail::Steps },
        theme: if has("dark") {
            Theme::Dark
        } else if has("light") {
            Theme::Light
        } else {
            Theme::Auto
        },
    };
    let start = std::time::Instant::now();
    let digest = |id: rbc_ir::NodeId| loaded.digests.get(id.index()).map(ToString::to_string);
    let picture = picture(&loaded.graph, &loaded.graph.roots, &digest, options);
    let text = match args[1].rsplit('.').next() {
        Some("dot") => dot(&picture),
        Some("mmd") => mermaid(&picture),
        Some("html") => html(&picture),
        _ => svg(&picture),
    };
    eprintln!("{:?}, {} bytes", start.elapsed(), text.len());
    std::fs::write(&args[1], text).unwrap();
}
