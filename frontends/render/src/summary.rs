//! How many findings there are, and what follows for the exit status.

use rbc_source::{Blame, Diagnostic, Severity};

/// How many findings there are of each gravity. Shown as `2 errors, 1 warning`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The build cannot go on.
    pub errors: usize,
    /// Likely faults.
    pub warnings: usize,
    /// All that is less grave.
    pub remarks: usize,
}

impl Summary {
    /// Counts findings.
    pub fn of(found: &[Diagnostic]) -> Summary {
        let mut summary = Summary::default();
        for finding in found {
            *match finding.severity {
                Severity::Error => &mut summary.errors,
                Severity::Warning => &mut summary.warnings,
                Severity::Info | Severity::Hint => &mut summary.remarks,
            } += 1;
        }
        summary
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.remarks, "remark")];
        let parts: Vec<String> = counts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{n} {what}{}", if n == 1 { "" } else { "s" }))
            .collect();
        f.write_str(if parts.is_empty() { "no findings" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// The exit status that findings call for: 0 without an error, 1 if the input is at fault, 3 if only the environment is,
/// 70 (`EX_SOFTWARE` of sysexits) if rbc is. 2 is for a command line that cannot be read.
///
/// The input goes before the environment, since trying again later does not mend it.
pub fn exit_code(found: &[Diagnostic]) -> u8 {
    let blamed = |blame| found.iter().any(|d| d.is_error() && d.code.blame == blame);
    if blamed(Blame::Internal) {
        70
    } else if blamed(Blame::Input) {
        1
    } else if blamed(Blame::Environment) {
        3
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::{dockerfile, environment, lint};

    #[test]
    fn counts_and_blame() {
        let input = Diagnostic::new(dockerfile::DIRECTIVE, "");
        let warning = Diagnostic::new(lint::UNDEFINED_VAR, "");
        let read = Diagnostic::new(environment::READ, "");
        let internal = Diagnostic::new(environment::INTERNAL, "");
        let shown = |found: &[&Diagnostic]| {
            let found: Vec<Diagnostic> = found.iter().map(|d| (*d).clone()).collect();
            (Summary::of(&found).to_string(), exit_code(&found))
        };
        assert_eq!(shown(&[]), ("no findings".into(), 0));
        assert_eq!(shown(&[&warning]), ("1 warning".into(), 0));
        assert_eq!(shown(&[&warning, &read]), ("1 error, 1 warning".into(), 3));
        assert_eq!(shown(&[&read, &input]), ("2 errors".into(), 1));
        assert_eq!(shown(&[&input, &internal]), ("2 errors".into(), 70));
        let hint = Diagnostic { severity: Severity::Hint, ..warning };
        assert_eq!(shown(&[&hint, &hint]), ("2 remarks".into(), 0));
    }
}
