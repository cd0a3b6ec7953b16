//! What BuildKit tells a frontend by the environment of its process.

use std::collections::BTreeMap;

use rbc_oci::Platform;
use serde_json::Value;

/// Prefix of the variables that hold options, each `KEY=VALUE`.
const OPTION: &str = "BUILDKIT_FRONTEND_OPT_";

/// What a frontend is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The options of the build: `build-arg:NAME`, `target`, `platform`, ...
    pub options: BTreeMap<String, String>,
    /// The session of the client, from which its files come.
    pub session: Option<String>,
    /// The platforms that the first worker runs, its own first.
    pub platforms: Vec<Platform>,
}

impl Environment {
    /// Reads variables. What is not of BuildKit is skipped, and so is what is not well formed.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut found = Environment::default();
        for (name, value) in variables {
            if name.starts_with(OPTION) {
                let (key, value) = value.split_once('=').unwrap_or((&value, ""));
                found.options.insert(key.to_owned(), value.to_owned());
            } else if name == "BUILDKIT_SESSION_ID" {
                found.session = Some(value).filter(|session| !session.is_empty());
            } else if name == "BUILDKIT_WORKERS" {
                found.platforms = platforms(&value);
            }
        }
        found
    }
}

/// The platforms of the first of the workers, which are written as Go writes them.
fn platforms(workers: &str) -> Vec<Platform> {
    let workers: Value = serde_json::from_str(workers).unwrap_or_default();
    let platforms = workers[0]["Platforms"].as_array().map(Vec::as_slice).unwrap_or_default();
    platforms.iter().filter_map(platform).collect()
}

fn platform(value: &Value) -> Option<Platform> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let features = value["os.features"].as_array().into_iter().flatten();
    Some(Platform {
        variant: text("variant"),
        os_version: text("os.version"),
        os_features: features.filter_map(|f| f.as_str().map(str::to_owned)).collect(),
        ..Platform::new(value["os"].as_str()?, value["architecture"].as_str()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read(variables.iter().map(|(k, v)| (k.to_string(), v.to_string())))
    }

    #[test]
    fn options_session_and_platforms() {
        let found = read(&[
            ("PATH", "/bin"),
            ("BUILDKIT_FRONTEND_OPT_0", "build-arg:A=b=c"),
            ("BUILDKIT_FRONTEND_OPT_1", "no-cache="),
            ("BUILDKIT_SESSION_ID", "s1"),
            (
                "BUILDKIT_WORKERS",
                r#"[{"ID":"w","Platforms":[{"architecture":"arm","os":"linux","variant":"v7"},{"os":"linux"}]},{"Platforms":[]}]"#,
            ),
        ]);
        assert_eq!(found.options["build-arg:A"], "b=c");
        assert_eq!(found.options["no-cache"], "");
        assert_eq!(found.session.as_deref(), Some("s1"));
        let names: Vec<String> = found.platforms.iter().map(Platform::format).collect();
        assert_eq!(names, ["linux/arm/v7"]);
    }

    #[test]
    fn what_is_not_well_formed_is_skipped() {
        let found = read(&[("BUILDKIT_WORKERS", "{"), ("BUILDKIT_FRONTEND_OPT_3", "x"), ("BUILDKIT_SESSION_ID", "")]);
        assert_eq!(found.options["x"], "");
        assert_eq!((found.session, found.platforms), (None, Vec::new()));
    }
}
