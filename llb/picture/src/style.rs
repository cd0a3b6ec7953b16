//! Colours, as style sheets.
//!
//! The hues of kinds and roles are those of Okabe and Ito, which people who see colours differently tell apart; the tones
//! are darker (or lighter, on dark) so that text in them has a contrast of at least 4.5 to 1. No meaning rests on colour
//! alone: kinds have icons and words, roles have dashes.

use std::fmt::Write as _;

use crate::model::{Kind, Role, Theme};
use crate::text::FONTS;

/// The colours of one theme.
pub(crate) struct Palette {
    pub page: &'static str,
    pub frame: &'static str,
    pub frame_line: &'static str,
    pub text: &'static str,
    pub quiet: &'static str,
    /// Behind the text of boxes.
    pub card: &'static str,
    /// What is searched or chosen.
    pub mark: &'static str,
    blue: [&'static str; 2],
    green: [&'static str; 2],
    orange: [&'static str; 2],
    purple: [&'static str; 2],
    olive: [&'static str; 2],
    grey: [&'static str; 2],
}

pub(crate) const LIGHT: Palette = Palette {
    page: "#ffffff",
    frame: "#f5f7f9",
    frame_line: "#cdd5dd",
    text: "#1b2128",
    quiet: "#566270",
    card: "#ffffff",
    mark: "#0b57d0",
    blue: ["#005a92", "#9cc3de"],
    green: ["#006b4f", "#95cdbb"],
    orange: ["#a34700", "#e8bd97"],
    purple: ["#96386c", "#dfb3cb"],
    olive: ["#6f5a00", "#d5c787"],
    grey: ["#4d5865", "#b9c2cb"],
};

pub(crate) const DARK: Palette = Palette {
    page: "#0e1116",
    frame: "#161b22",
    frame_line: "#353d48",
    text: "#e8edf2",
    quiet: "#9aa6b2",
    card: "#1e242d",
    mark: "#8ab4f8",
    blue: ["#7cc0f2", "#2b5675"],
    green: ["#5fd3ac", "#23604c"],
    orange: ["#f5a55e", "#754a24"],
    purple: ["#e8a0c8", "#6b3f59"],
    olive: ["#dcc35a", "#5e5323"],
    grey: ["#b3bdc7", "#4a545f"],
};

impl Palette {
    /// The strong and the faint tone of a kind.
    pub fn kind(&self, kind: Kind) -> [&'static str; 2] {
        match kind {
            Kind::Image => self.blue,
            Kind::Local | Kind::Fetch => self.green,
            Kind::Run | Kind::Target => self.orange,
            Kind::File => self.purple,
            Kind::Merge => self.olive,
            Kind::Other | Kind::Folded | Kind::Stage => self.grey,
            Kind::Result => [self.text, self.text],
        }
    }

    /// The colour of a role.
    pub fn role(&self, role: Role) -> &'static str {
        match role {
            Role::Base => self.quiet,
            Role::Copy => self.purple[0],
            Role::Context => self.green[0],
            Role::Mount => self.orange[0],
            Role::Merge => self.olive[0],
            Role::Use => self.orange[0],
        }
    }

    /// The colours as variables, for a page.
    fn variables(&self) -> String {
        let Palette { page, frame, frame_line, text, quiet, card, mark, .. } = self;
        format!(
            ":root{{--page:{page};--frame:{frame};--line:{frame_line};--text:{text};--quiet:{quiet};--card:{card};\
             --mark:{mark}}}"
        )
    }

    fn rules(&self) -> String {
        let mut css = format!(
            ".page{{fill:{}}}.frame rect{{fill:{};stroke:{}}}text{{fill:{}}}.quiet{{fill:{}}}.last rect{{stroke:{}}}.box rect{{fill:{}}}",
            self.page, self.frame, self.frame_line, self.text, self.quiet, self.quiet, self.card
        );
        for kind in Kind::ALL {
            let ([strong, faint], word) = (self.kind(kind), kind.word());
            let _ = write!(
                css,
                ".{word} rect{{stroke:{faint}}}.{word} .bar,.{word} .key{{fill:{strong}}}.{word} use{{stroke:{strong}}}"
            );
        }
        for role in Role::ALL {
            let (colour, word) = (self.role(role), role.word());
            let _ = write!(css, ".to-{word}{{stroke:{colour}}}.head-{word}{{fill:{colour}}}");
        }
        css
    }
}

/// The style sheet of a picture.
pub(crate) fn sheet(theme: Theme) -> String {
    let mut css = format!(
        "text{{font:12px {FONTS};white-space:pre}}.strong,.key{{font-weight:bold}}.note{{font-size:10.5px}}\
         .heading{{font-size:17px;font-weight:bold}}.frame rect,.box rect{{stroke-width:1}}\
         .edge{{fill:none;stroke-width:1.6;stroke-linejoin:round}}.to-base{{stroke-width:2}}\
         .to-mount{{stroke-dasharray:6 3}}.to-context{{stroke-dasharray:1.5 3;stroke-width:1.8;stroke-linecap:round}}\
         .to-merge{{stroke-dasharray:8 3 2 3}}\
         use{{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}}"
    );
    match theme {
        Theme::Light => css += &LIGHT.rules(),
        Theme::Dark => css += &DARK.rules(),
        Theme::Auto => {
            css += &LIGHT.rules();
            let _ = write!(css, "@media(prefers-color-scheme:dark){{{}}}", DARK.rules());
        }
    }
    css
}

/// The colours of a page with pictures, as variables.
pub(crate) fn page(theme: Theme) -> String {
    match theme {
        Theme::Light => format!(":root{{color-scheme:light}}{}", LIGHT.variables()),
        Theme::Dark => format!(":root{{color-scheme:dark}}{}", DARK.variables()),
        Theme::Auto => format!(
            ":root{{color-scheme:light dark}}{}@media(prefers-color-scheme:dark){{{}}}",
            LIGHT.variables(),
            DARK.variables()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a colour, as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5))
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_lines_stand_out() {
        for palette in [&LIGHT, &DARK] {
            for ground in [palette.page, palette.frame, palette.card] {
                let tones = Kind::ALL.map(|kind| palette.kind(kind)[0]).into_iter();
                let roles = Role::ALL.map(|role| palette.role(role));
                for tone in tones.chain(roles).chain([palette.text, palette.quiet, palette.mark]) {
                    assert!(contrast(tone, ground) >= 4.5, "{tone} on {ground}: {}", contrast(tone, ground));
                }
            }
        }
    }
}
