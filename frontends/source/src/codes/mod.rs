//! The one table of diagnostic codes. Each area has a module with a constant a code, so that code which reports is
//! checked by the compiler; `docs/codes/<ID>.md` explains each.

use crate::Severity;

/// Whose fault a finding is; it decides the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// What the user wrote.
    Input,
    /// The machine, the network, a registry.
    Environment,
    /// rbc.
    Internal,
}

/// An entry of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `E0101`, `W0203`, ...: unique, never reused.
    pub id: &'static str,
    /// A name of a few words in kebab case or, for rules that BuildKit has too, BuildKit's name.
    pub name: &'static str,
    /// Names of the same rule in other tools (`DL3006`, `StageNameCasing`), for pragmas and configuration.
    pub aliases: &'static [&'static str],
    /// What it says, in one phrase.
    pub summary: &'static str,
    /// How grave it is unless configured otherwise.
    pub severity: Severity,
    /// Whose fault it is.
    pub blame: Blame,
}

/// Declares the codes of one area: constants, and their list `ALL`.
macro_rules! codes {
    ($($name:ident = $id:literal $kebab:literal $(($($alias:literal),+))? $severity:ident $blame:ident: $summary:literal;)*) => {
        $(
            #[doc = $summary]
            pub const $name: &crate::Code = &crate::Code {
                id: $id,
                name: $kebab,
                aliases: &[$($($alias),+)?],
                summary: $summary,
                severity: crate::Severity::$severity,
                blame: crate::Blame::$blame,
            };
        )*
        pub(super) const ALL: &[&crate::Code] = &[$($name),*];
    };
}

pub mod bake;
pub mod dockerfile;
pub mod environment;
pub mod execute;
pub mod hadolint;
pub mod hcl;
pub mod image;
pub mod ir;
pub mod lint;
pub mod lower;
pub mod mockerfile;
pub mod practice;

/// Every code, area by area.
pub const CODES: &[&[&Code]] = &[
    dockerfile::ALL,
    lower::ALL,
    image::ALL,
    ir::ALL,
    hcl::ALL,
    bake::ALL,
    mockerfile::ALL,
    environment::ALL,
    execute::ALL,
    lint::ALL,
    hadolint::ALL,
    practice::ALL,
];

/// Finds a code by its id, its name or an alias, without regard to ASCII case.
pub fn by_name(name: &str) -> Option<&'static Code> {
    CODES.iter().copied().flatten().copied().find(|c| {
        c.id.eq_ignore_ascii_case(name)
            || c.name.eq_ignore_ascii_case(name)
            || c.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for code in CODES.iter().copied().flatten() {
            assert!(seen.insert(code.id), "{} is there twice", code.id);
            assert!(seen.insert(code.name), "{} is there twice", code.name);
        }
    }
}
