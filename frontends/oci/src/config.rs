//! Image configs: reading what registries hold, writing what the reference writes, byte for byte.
//!
//! The fields are those of the OCI image spec (v1.1, `config.md`) with Docker's extensions (`Healthcheck`, `OnBuild`,
//! `Shell`). Writing keeps the order, the omissions and the escaping of Go's `encoding/json`, since the digest of an image
//! hangs on them. Reading is as lenient as Go: keys match without regard to case, `null` leaves a field alone, unknown keys
//! are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::Platform;
use serde_json::Value;

/// What an image is and how its containers start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// When it was made.
    pub created: Option<Time>,
    /// Who made it.
    pub author: String,
    /// What it runs on.
    pub platform: Platform,
    /// How its containers start.
    pub config: RunConfig,
    /// `rootfs.type`, usually `layers`.
    pub rootfs_type: String,
    /// Digests of the uncompressed layers; none is written as `null`.
    pub diff_ids: Option<Vec<String>>,
    /// What made each layer, oldest first.
    pub history: Vec<History>,
}

/// How containers of an image start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunConfig {
    /// User and group.
    pub user: String,
    /// Ports, as `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// Environment, as `NAME=value`.
    pub env: Vec<String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Paths of volumes.
    pub volumes: BTreeSet<String>,
    /// Directory to start in.
    pub working_dir: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Signal that stops a container.
    pub stop_signal: String,
    /// Windows: the command line is escaped already. Kept for Docker.
    pub args_escaped: bool,
    /// Docker: how to see whether a container is well.
    pub healthcheck: Option<Healthcheck>,
    /// Docker: steps for builds on top.
    pub on_build: Vec<String>,
    /// Docker: shell of commands in shell form.
    pub shell: Vec<String>,
}

/// How to see whether a container is well. Durations are in nanoseconds; 0 means inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `NONE`, or `CMD` or `CMD-SHELL` and arguments.
    pub test: Vec<String>,
    /// Time between checks.
    pub interval: i64,
    /// Time a check may take.
    pub timeout: i64,
    /// Time a container needs to start.
    pub start_period: i64,
    /// Time between checks while it starts.
    pub start_interval: i64,
    /// Failures in a row that mean it is not well.
    pub retries: i64,
}

/// What made a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// When.
    pub created: Option<Time>,
    /// The command.
    pub created_by: String,
    /// Who.
    pub author: String,
    /// Anything else.
    pub comment: String,
    /// There is no layer for this entry.
    pub empty_layer: bool,
}

/// A time as RFC 3339 text in the form that Go prints: no trailing zeros of the fraction, `Z` for UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time(String);

impl Time {
    /// Reads RFC 3339; none if it is not.
    pub fn parse(text: &str) -> Option<Time> {
        let b = text.as_bytes();
        let number = |r: std::ops::Range<usize>| -> Option<u32> {
            let digits = text.get(r)?;
            digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(i, c)| b.get(*i) != Some(c)) {
            return None;
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            _ => return None,
        };
        if day == 0 || day > days || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let rest = &text[19..];
        let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
            Some(f) => {
                let end = f.find(|c: char| !c.is_ascii_digit()).unwrap_or(f.len());
                if end == 0 {
                    return None;
                }
                (f[..end.min(9)].trim_end_matches('0'), &f[end..])
            }
            None => ("", rest),
        };
        let zone = match zone.as_bytes() {
            [b'Z'] => "Z",
            [b'+' | b'-', a, b, b':', c, d] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()) => {
                if (a - b'0') * 10 + (b - b'0') > 23 || *c > b'5' {
                    return None;
                }
                if zone[1..] == *"00:00" { "Z" } else { zone }
            }
            _ => return None,
        };
        let dot = if fraction.is_empty() { "" } else { "." };
        Some(Time(format!("{}{dot}{fraction}{zone}", &text[..19])))
    }

    /// The time that many seconds after the beginning of 1970, in UTC; none if its year has not four digits.
    pub fn from_unix(seconds: i64) -> Option<Time> {
        let days = seconds.div_euclid(86_400);
        let rest = seconds.rem_euclid(86_400);
        // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let (h, m, s) = (rest / 3_600, rest / 60 % 60, rest % 60);
        let time = || Time(format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z"));
        (0..=9999).contains(&year).then(time)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no image config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// One object being read.
struct Object<'a> {
    fields: Option<&'a serde_json::Map<String, Value>>,
    path: &'static str,
}

impl<'a> Object<'a> {
    fn new(value: Option<&'a Value>, path: &'static str) -> Result<Self, ConfigError> {
        match value {
            None | Some(Value::Null) => Ok(Object { fields: None, path }),
            Some(Value::Object(fields)) => Ok(Object { fields: Some(fields), path }),
            Some(_) => Err(ConfigError(format!("`{path}` is not an object"))),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        let fields = self.fields?;
        let value =
            fields.get(key).or_else(|| fields.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v));
        value.filter(|v| !v.is_null())
    }

    fn error<T>(&self, key: &str, expected: &str) -> Result<T, ConfigError> {
        let dot = if self.path.is_empty() { "" } else { "." };
        Err(ConfigError(format!("`{}{dot}{key}` is not {expected}", self.path)))
    }

    fn text(&self, key: &str) -> Result<String, ConfigError> {
        match self.get(key) {
            None => Ok(String::new()),
            Some(Value::String(s)) => Ok(s.clone()),
            Some(_) => self.error(key, "a string"),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(_) => self.error(key, "true or false"),
        }
    }

    fn number(&self, key: &str) -> Result<i64, ConfigError> {
        match self.get(key) {
            None => Ok(0),
            Some(Value::Number(n)) => n.as_i64().map_or_else(|| self.error(key, "a whole number"), Ok),
            Some(_) => self.error(key, "a whole number"),
        }
    }

    fn list(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .map(|v| match v {
                    Value::String(s) => Ok(s.clone()),
                    Value::Null => Ok(String::new()),
                    _ => self.error(key, "a list of strings"),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => self.error(key, "a list"),
        }
    }

    fn keys(&self, key: &str) -> Result<BTreeSet<String>, ConfigError> {
        match self.get(key) {
            None => Ok(BTreeSet::new()),
            Some(Value::Object(fields)) => {
                if fields.values().any(|v| !(v.is_object() || v.is_null())) {
                    return self.error(key, "an object of empty objects");
                }
                Ok(fields.keys().cloned().collect())
            }
            Some(_) => self.error(key, "an object"),
        }
    }

    fn time(&self, key: &str) -> Result<Option<Time>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(s)) => {
                Time::parse(s).map_or_else(|| self.error(key, "a time as in RFC 3339"), |t| Ok(Some(t)))
            }
            Some(_) => self.error(key, "a time"),
        }
    }
}

impl ImageConfig {
    /// Reads the JSON of a config.
    ///
    /// # Errors
    /// When it is no JSON, or a field has another type than the spec says.
    pub fn parse(json: &[u8]) -> Result<ImageConfig, ConfigError> {
        let value: Value = serde_json::from_slice(json).map_err(|e| ConfigError(format!("it is not JSON: {e}")))?;
        let top = Object::new(Some(&value), "")?;
        let rootfs = Object::new(top.get("rootfs"), "rootfs")?;
        let config = Object::new(top.get("config"), "config")?;
        let labels = Object::new(config.get("Labels"), "config.Labels")?;
        let mut history = Vec::new();
        match top.get("history") {
            None => {}
            Some(Value::Array(entries)) => {
                for entry in entries {
                    let entry = Object::new(Some(entry), "history")?;
                    history.push(History {
                        created: entry.time("created")?,
                        created_by: entry.text("created_by")?,
                        author: entry.text("author")?,
                        comment: entry.text("comment")?,
                        empty_layer: entry.flag("empty_layer")?,
                    });
                }
            }
            Some(_) => return top.error("history", "a list"),
        }
        let healthcheck = match config.get("Healthcheck") {
            None => None,
            some => {
                let check = Object::new(some, "config.Healthcheck")?;
                Some(Healthcheck {
                    test: check.list("Test")?.unwrap_or_default(),
                    interval: check.number("Interval")?,
                    timeout: check.number("Timeout")?,
                    start_period: check.number("StartPeriod")?,
                    start_interval: check.number("StartInterval")?,
                    retries: check.number("Retries")?,
                })
            }
        };
        Ok(ImageConfig {
            created: top.time("created")?,
            author: top.text("author")?,
            platform: Platform {
                architecture: top.text("architecture")?,
                os: top.text("os")?,
                os_version: top.text("os.version")?,
                os_features: top.list("os.features")?.unwrap_or_default(),
                variant: top.text("variant")?,
            },
            config: RunConfig {
                user: config.text("User")?,
                exposed_ports: config.keys("ExposedPorts")?,
                env: config.list("Env")?.unwrap_or_default(),
                entrypoint: config.list("Entrypoint")?.unwrap_or_default(),
                cmd: config.list("Cmd")?.unwrap_or_default(),
                volumes: config.keys("Volumes")?,
                working_dir: config.text("WorkingDir")?,
                labels: labels
                    .fields
                    .into_iter()
                    .flatten()
                    .map(|(k, v)| match v {
                        Value::String(s) => Ok((k.clone(), s.clone())),
                        Value::Null => Ok((k.clone(), String::new())),
                        _ => labels.error(k, "a string"),
                    })
                    .collect::<Result<_, _>>()?,
                stop_signal: config.text("StopSignal")?,
                args_escaped: config.flag("ArgsEscaped")?,
                healthcheck,
                on_build: config.list("OnBuild")?.unwrap_or_default(),
                shell: config.list("Shell")?.unwrap_or_default(),
            },
            rootfs_type: rootfs.text("type")?,
            diff_ids: rootfs.list("diff_ids")?,
            history,
        })
    }

    /// Writes the JSON as the reference does.
    pub fn to_json(&self) -> String {
        let mut w = Writer::default();
        w.open();
        w.time("created", self.created.as_ref());
        w.text("author", &self.author);
        w.key("architecture");
        w.string(&self.platform.architecture);
        w.key("os");
        w.string(&self.platform.os);
        w.text("os.version", &self.platform.os_version);
        w.list("os.features", &self.platform.os_features);
        w.text("variant", &self.platform.variant);
        w.key("rootfs");
        w.open();
        w.key("type");
        w.string(&self.rootfs_type);
        w.key("diff_ids");
        match &self.diff_ids {
            Some(ids) => w.array(ids),
            None => w.out.push_str("null"),
        }
        w.close();
        if !self.history.is_empty() {
            w.key("history");
            w.out.push('[');
            for (i, entry) in self.history.iter().enumerate() {
                if i > 0 {
                    w.out.push(',');
                }
                w.open();
                w.time("created", entry.created.as_ref());
                w.text("created_by", &entry.created_by);
                w.text("author", &entry.author);
                w.text("comment", &entry.comment);
                w.flag("empty_layer", entry.empty_layer);
                w.close();
            }
            w.out.push(']');
        }
        w.key("config");
        self.config.write(&mut w);
        w.close();
        w.out
    }
}

impl RunConfig {
    fn write(&self, w: &mut Writer) {
        w.open();
        w.text("User", &self.user);
        w.set("ExposedPorts", &self.exposed_ports);
        w.list("Env", &self.env);
        w.list("Entrypoint", &self.entrypoint);
        w.list("Cmd", &self.cmd);
        w.set("Volumes", &self.volumes);
        w.text("WorkingDir", &self.working_dir);
        if !self.labels.is_empty() {
            w.key("Labels");
            w.open();
            for (k, v) in &self.labels {
                w.key(k);
                w.string(v);
            }
            w.close();
        }
        w.text("StopSignal", &self.stop_signal);
        w.flag("ArgsEscaped", self.args_escaped);
        if let Some(check) = &self.healthcheck {
            w.key("Healthcheck");
            w.open();
            w.list("Test", &check.test);
            w.number("Interval", check.interval);
            w.number("Timeout", check.timeout);
            w.number("StartPeriod", check.start_period);
            w.number("StartInterval", check.start_interval);
            w.number("Retries", check.retries);
            w.close();
        }
        w.list("OnBuild", &self.on_build);
        w.list("Shell", &self.shell);
        w.close();
    }
}

/// Writes JSON with fields that are left out when they are empty.
#[derive(Default)]
struct Writer {
    out: String,
    /// The next key is the first of its object.
    first: bool,
}

impl Writer {
    fn open(&mut self) {
        self.out.push('{');
        self.first = true;
    }

    fn close(&mut self) {
        self.out.push('}');
        self.first = false;
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.string(key);
        self.out.push(':');
    }

    fn string(&mut self, s: &str) {
        write_json_string(&mut self.out, s);
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.key(key);
            self.string(value);
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.key(key);
            self.out.push_str("true");
        }
    }

    fn number(&mut self, key: &str, value: i64) {
        if value != 0 {
            self.key(key);
            let _ = write!(self.out, "{value}");
        }
    }

    fn time(&mut self, key: &str, value: Option<&Time>) {
        if let Some(time) = value {
            self.text(key, time.as_str());
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.key(key);
            self.array(values);
        }
    }

    fn array(&mut self, values: &[String]) {
        self.out.push('[');
        for (i, v) in values.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            self.string(v);
        }
        self.out.push(']');
    }

    fn set(&mut self, key: &str, values: &BTreeSet<String>) {
        if !values.is_empty() {
            self.key(key);
            self.open();
            for v in values {
                self.key(v);
                self.out.push_str("{}");
            }
            self.close();
        }
    }
}

/// Appends `s` as a JSON string as Go's `encoding/json` writes it: `<`, `>`, `&` and the line separators U+2028 and U+2029
/// are escaped, so that it can stand in HTML.
pub fn write_json_string(out: &mut String, s: &str) {
    out.push('"');
    let mut plain = 0;
    for (i, c) in s.char_indices() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => "",
            _ => continue,
        };
        out.push_str(&s[plain..i]);
        plain = i + c.len_utf8();
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", c as u32);
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&s[plain..]);
    out.push('"');
}

/// A JSON array of strings as Go writes it.
pub fn json_strings<S: AsRef<str>>(values: &[S]) -> String {
    let mut out = String::from("[");
    for (i, v) in values.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_json_string(&mut out, v.as_ref());
    }
    out.push(']');
    out
}

/// The strings of a JSON array; `None` if the text is anything else.
pub fn read_json_strings(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str(text).ok()? {
        serde_json::Value::Array(values) => {
            values.into_iter().map(|v| if let serde_json::Value::String(s) = v { Some(s) } else { None }).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_strings() {
        let list = vec!["a\"<".to_owned(), String::new()];
        assert_eq!(read_json_strings(&json_strings(&list)), Some(list));
        assert_eq!(read_json_strings("[1]"), None);
        assert_eq!(read_json_strings("\"a\""), None);
    }

    #[test]
    fn fields_keep_their_order_and_omissions() {
        let json = r#"{"config":{"Shell":["a"],"env":["X=<&>"],"Labels":{"b":"2","a":"1"},"ExposedPorts":{"80/tcp":{}},
            "Healthcheck":{"Test":["CMD","x"],"Interval":5}},"os":"linux","architecture":"arm","variant":"v7","unknown":1,
            "created":"2024-01-02T03:04:05.120Z","rootfs":{"diff_ids":["sha256:x"],"type":"layers"},
            "history":[{"created":"2024-01-02T03:04:05+00:00","created_by":"a","empty_layer":true}]}"#;
        assert_eq!(
            ImageConfig::parse(json.as_bytes()).unwrap().to_json(),
            concat!(
                r#"{"created":"2024-01-02T03:04:05.12Z","architecture":"arm","os":"linux","variant":"v7","#,
                r#""rootfs":{"type":"layers","diff_ids":["sha256:x"]},"#,
                r#""history":[{"created":"2024-01-02T03:04:05Z","created_by":"a","empty_layer":true}],"#,
                r#""config":{"ExposedPorts":{"80/tcp":{}},"Env":["X=\u003c\u0026\u003e"],"Labels":{"a":"1","b":"2"},"#,
                r#""Healthcheck":{"Test":["CMD","x"],"Interval":5},"Shell":["a"]}}"#
            )
        );
    }

    #[test]
    fn faults_are_named() {
        let error = |json: &str| ImageConfig::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error("{").starts_with("it is not JSON"));
        assert_eq!(error("[]"), "`` is not an object");
        assert_eq!(error(r#"{"config":{"Env":"x"}}"#), "`config.Env` is not a list");
        assert_eq!(error(r#"{"created":"yesterday"}"#), "`created` is not a time as in RFC 3339");
        assert_eq!(ImageConfig::parse(b"null").unwrap(), ImageConfig::default());
    }

    #[test]
    fn times() {
        let unix = |seconds| Time::from_unix(seconds).map(|t| t.as_str().to_owned());
        assert_eq!(unix(1_700_000_000).as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(unix(-1).as_deref(), Some("1969-12-31T23:59:59Z"));
        assert_eq!(unix(-62_167_219_200).as_deref(), Some("0000-01-01T00:00:00Z"));
        assert_eq!(unix(253_402_300_799).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!([unix(-62_167_219_201), unix(253_402_300_800), unix(i64::MAX), unix(i64::MIN)], [const { None }; 4]);
        assert_eq!(Time::parse("2024-02-30T00:00:00Z"), None);
        assert_eq!(Time::parse("2024-02-29T00:00:00.5+02:00").unwrap().as_str(), "2024-02-29T00:00:00.5+02:00");
    }
}
