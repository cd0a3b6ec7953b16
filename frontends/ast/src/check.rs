//! Which checks count: `# check=skip=...;experimental=...;error=true`.

use std::borrow::Cow;
use std::fmt;

use rbc_source::{Code, lint};

/// A configuration of the checks. The default lets all count that are not experimental.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckConfig {
    /// Rules that do not count, by name.
    pub skip: Vec<Box<str>>,
    /// No rule counts but experimental ones.
    pub skip_all: bool,
    /// Experimental rules that count, by name.
    pub experimental: Vec<Box<str>>,
    /// All experimental rules count.
    pub experimental_all: bool,
    /// A build fails when a rule found something.
    pub error: bool,
}

/// Why options of the checks cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckError {
    /// There is no option of that name, or no `=` behind it.
    Option(Box<str>),
    /// `error` takes a boolean.
    Error(Box<str>),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckError::Option(option) => {
                write!(f, "`{option}` is no option of the checks: those are `skip=`, `experimental=` and `error=`")
            }
            CheckError::Error(value) => write!(f, "`error` is `true` or `false`, not `{value}`"),
        }
    }
}

impl std::error::Error for CheckError {}

impl CheckConfig {
    /// Reads options: `skip` and `experimental` take `all` or rules separated by commas, `error` a boolean.
    ///
    /// # Errors
    /// If an option is not known or `error` has no boolean.
    pub fn parse(options: &str) -> Result<Self, CheckError> {
        let mut config = CheckConfig::default();
        let options = options.trim();
        if options.is_empty() {
            return Ok(config);
        }
        for option in options.splitn(3, ';') {
            let Some((key, value)) = option.split_once('=') else {
                return Err(CheckError::Option(option.into()));
            };
            let value = value.trim();
            let names = || value.split(',').map(|name| name.trim().into()).collect();
            match key.trim() {
                "skip" if value == "all" => config.skip_all = true,
                "skip" => config.skip = names(),
                "experimental" if value == "all" => config.experimental_all = true,
                "experimental" => config.experimental = names(),
                "error" => {
                    config.error = rbc_source::go_bool(value).ok_or_else(|| CheckError::Error(value.into()))?;
                }
                key => return Err(CheckError::Option(key.into())),
            }
        }
        Ok(config)
    }

    /// The configuration for a step with these comments above it: with what the first comment of the form `check=options`
    /// adds. Options that cannot be read add nothing; `error` counts in the head of a file only.
    pub fn merged_with_comments<S: AsRef<str>>(&self, comments: &[S]) -> Cow<'_, Self> {
        let Some(options) = comments.iter().find_map(|c| check_comment(c.as_ref())) else { return Cow::Borrowed(self) };
        // As in the head of a file, the options end at the first space.
        let options = options.split(' ').next().unwrap_or_default();
        let Ok(added) = Self::parse(options) else { return Cow::Borrowed(self) };
        let mut merged = self.clone();
        merged.skip.extend(added.skip);
        merged.skip_all |= added.skip_all;
        merged.experimental.extend(added.experimental);
        merged.experimental_all |= added.experimental_all;
        Cow::Owned(merged)
    }

    /// Whether findings of a rule count.
    pub fn allows(&self, rule: &Code) -> bool {
        let named = |names: &[Box<str>]| names.iter().any(|name| **name == *rule.name);
        if lint::EXPERIMENTAL.iter().any(|e| e.id == rule.id) {
            self.experimental_all || named(&self.experimental)
        } else {
            !self.skip_all && !named(&self.skip)
        }
    }
}

/// The value of a comment `check = value`.
fn check_comment(comment: &str) -> Option<&str> {
    const SPACE: [char; 5] = ['\t', '\n', '\u{C}', '\r', ' '];
    let comment = comment.trim_start();
    let (name, value) = (comment.get(..5)?, comment.get(5..)?);
    let value = value.trim_start_matches(SPACE).strip_prefix('=')?;
    (name.eq_ignore_ascii_case("check") && !value.is_empty()).then(|| value.trim_matches(SPACE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let config = CheckConfig::parse(" skip=StageNameCasing, FromAsCasing;error=T;experimental=all ").unwrap();
        assert!(config.error && config.experimental_all && !config.skip_all);
        assert!(!config.allows(lint::FROM_AS_CASING) && config.allows(lint::UNDEFINED_VAR));
        assert!(config.allows(lint::INVALID_DEFINITION_DESCRIPTION));
        assert!(!CheckConfig::default().allows(lint::INVALID_DEFINITION_DESCRIPTION));
        assert!(!CheckConfig::parse("skip=all").unwrap().allows(lint::UNDEFINED_VAR));
        assert_eq!(CheckConfig::parse(""), Ok(CheckConfig::default()));
        assert_eq!(CheckConfig::parse("bogus"), Err(CheckError::Option("bogus".into())));
        assert_eq!(CheckConfig::parse("skip=a;error=yes"), Err(CheckError::Error("yes".into())));
        assert!(CheckConfig::parse("skip=a;").is_err());
    }

    #[test]
    fn comments() {
        let config = CheckConfig::parse("skip=StageNameCasing;error=true").unwrap();
        let merge = |comments: &[&str]| {
            let comments: Vec<Box<str>> = comments.iter().map(|c| (*c).into()).collect();
            config.merged_with_comments(&comments).into_owned()
        };
        assert_eq!(merge(&["a comment", "checked = x"]), config);
        let merged = merge(&["first", "Check = skip=FromAsCasing, UndefinedVar"]);
        assert!(!merged.allows(lint::FROM_AS_CASING) && !merged.allows(lint::STAGE_NAME_CASING));
        assert!(merged.allows(lint::UNDEFINED_VAR));
        assert_eq!(merge(&["check=bogus", "check=skip=all"]), config);
    }
}
