//! The text forms of structured values: `type=local,dest=out`, `id=token,env=TOKEN`, `default=key1,key2`.

use crate::csv;
use rbc_ast::plan::{Attest, Cache, Map, Output, Policy, Secret, Ssh, Text};
use rbc_source::go_bool;

fn pair(field: &str) -> Result<(&str, &str), String> {
    field.split_once('=').ok_or_else(|| format!("`{field}` is not of the form `key=value`"))
}

fn truth(key: &str, value: &str) -> Result<bool, String> {
    go_bool(value).ok_or_else(|| format!("`{key}={value}`: true or false is expected"))
}

/// Reads an attestation.
pub(crate) fn attest(text: &str) -> Result<Attest, String> {
    let mut out = Attest::default();
    for field in csv::fields(text, ',')? {
        let (key, value) = pair(&field)?;
        match key.to_lowercase().trim() {
            "type" => out.kind = value.into(),
            "disabled" => out.disabled = truth(key, value)?,
            _ => {
                out.attrs.insert(key.into(), value.into());
            }
        }
    }
    if out.kind.is_empty() {
        return Err("an attestation needs a type: `type=provenance` or `type=sbom`".into());
    }
    Ok(out)
}

/// The text form that the flags `--sbom` and `--provenance` stand for.
pub(crate) fn attest_flag(kind: &str, value: &str) -> String {
    match go_bool(value) {
        Some(on) => format!("type={kind},disabled={}", !on),
        None => format!("type={kind},{value}"),
    }
}

/// Reads caches: a list of image references, or one entry.
///
/// # Errors
/// Why it is none, as a phrase.
pub fn caches(text: &str) -> Result<Vec<Cache>, String> {
    if text.contains('=') {
        return Ok(vec![cache(text)?]);
    }
    csv::fields(text, ',')?.iter().map(|reference| cache(reference)).collect()
}

fn cache(text: &str) -> Result<Cache, String> {
    let fields = csv::fields(text, ',')?;
    if let [reference] = fields.as_slice()
        && !reference.contains('=')
    {
        let attrs = [("ref".into(), reference.as_str().into())].into();
        return Ok(Cache { kind: "registry".into(), attrs });
    }
    let mut out = Cache::default();
    for field in fields {
        let (key, value) = pair(&field)?;
        match key.to_lowercase().as_str() {
            "type" => out.kind = value.into(),
            key => {
                out.attrs.insert(key.into(), value.into());
            }
        }
    }
    if out.kind.is_empty() {
        return Err(format!("`{text}` needs a type: `type=registry,...`"));
    }
    Ok(out)
}

/// Reads an output. A path alone is a directory, `-` alone a tar archive on standard output.
///
/// # Errors
/// Why it is none, as a phrase.
pub fn output(text: &str) -> Result<Output, String> {
    let fields = csv::fields(text, ',')?;
    if fields.len() == 1 && fields[0] == text && !text.starts_with("type=") {
        let kind = if text == "-" { "tar" } else { "local" };
        return Ok(Output { kind: kind.into(), dest: text.into(), attrs: Map::new() });
    }
    let mut out = Output::default();
    for field in fields {
        let (key, value) = pair(&field)?;
        match key.to_lowercase().trim() {
            "type" => out.kind = value.into(),
            "dest" => out.dest = value.into(),
            key => {
                out.attrs.insert(key.into(), value.into());
            }
        }
    }
    if out.kind.is_empty() {
        return Err("an output needs a type: `type=image`, `type=local,dest=out`".into());
    }
    Ok(out)
}

/// Reads a secret.
///
/// # Errors
/// Why it is none, as a phrase.
pub fn secret(text: &str) -> Result<Secret, String> {
    let mut out = Secret::default();
    let mut from_env = false;
    for field in csv::fields(text, ',')? {
        let (key, value) = pair(&field)?;
        match key.to_lowercase().as_str() {
            "type" => match value {
                "file" => from_env = false,
                "env" => from_env = true,
                other => return Err(format!("`{other}` is no type of secret: `file` and `env` are")),
            },
            "id" => out.id = value.into(),
            "source" | "src" => out.src = value.into(),
            "env" => out.env = value.into(),
            other => return Err(format!("`{other}` is not known: a secret has `id`, `src`, `env` and `type`")),
        }
    }
    if from_env && out.env.is_empty() {
        out.env = std::mem::take(&mut out.src);
    }
    Ok(out)
}

/// Reads an SSH agent or keys.
pub fn ssh(text: &str) -> Ssh {
    match text.split_once('=') {
        None => Ssh { id: text.into(), paths: Vec::new() },
        Some((id, paths)) => Ssh { id: id.into(), paths: paths.split(',').map(Into::into).collect() },
    }
}

/// Reads a policy.
pub(crate) fn policy(text: &str) -> Result<Policy, String> {
    let fields = csv::fields(text, ',')?;
    let mut pairs = Vec::with_capacity(fields.len());
    for field in &fields {
        pairs.push(pair(field)?);
    }
    policy_of(pairs)
}

/// A policy of keys and values.
pub(crate) fn policy_of<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Policy, String> {
    let mut out = Policy::default();
    for (key, value) in pairs {
        match key.to_lowercase().trim() {
            "filename" if value.is_empty() => return Err("`filename` is empty".into()),
            "filename" => out.files.push(value.into()),
            "reset" => out.reset = truth(key, value)?,
            "disabled" => out.disabled = truth(key, value)?,
            "strict" => out.strict = Some(truth(key, value)?),
            "log-level" => out.log_level = Some(log_level(value)?),
            other => {
                return Err(format!(
                    "`{other}` is not known: a policy has `filename`, `reset`, `disabled`, `strict` and `log-level`"
                ));
            }
        }
    }
    Ok(out)
}

fn log_level(text: &str) -> Result<Text, String> {
    let level = match text.to_lowercase().as_str() {
        "warn" | "warning" => "warning",
        level @ ("panic" | "fatal" | "error" | "info" | "debug" | "trace") => {
            return Ok(level.into());
        }
        other => return Err(format!("`{other}` is no log level")),
    };
    Ok(level.into())
}

/// A size in bytes, with a binary unit: `64m`, `1.5 GiB`.
///
/// # Errors
/// It is none; a phrase that says why.
pub fn size(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no size like `64m` or `1g`");
    let at = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(wrong)?;
    let (number, unit) =
        if text.as_bytes()[at] == b' ' { (&text[..at], &text[at + 1..]) } else { text.split_at(at + 1) };
    let value = float(number).filter(|v| *v >= 0.0).ok_or_else(wrong)?;
    let unit = unit.to_lowercase();
    let scale: f64 = match unit.as_str() {
        "" | "b" => 1.0,
        _ => {
            let power = "kmgtp".find(unit.chars().next().unwrap_or(' ')).ok_or_else(wrong)? as i32 + 1;
            if !matches!(&unit[1..], "" | "b" | "ib") {
                return Err(wrong());
            }
            1024f64.powi(power)
        }
    };
    Ok((value * scale) as i64)
}

/// A size with the largest binary unit that fits, of four digits.
pub(crate) fn shown_size(bytes: i64) -> String {
    const UNITS: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match value {
        v if v < 9.9995 => 3,
        v if v < 99.995 => 2,
        v if v < 999.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", UNITS[unit])
}

/// A machine float as Go reads one, less its hexadecimal form.
pub(crate) fn float(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plain || text.is_empty() {
        return None;
    }
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

/// Checks an annotation: `[type[platform],...:]key=value`.
pub(crate) fn check_annotation(text: &str) -> Result<(), String> {
    let (key, _) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form `key=value`"))?;
    let Some((kinds, _)) = key.split_once(':') else { return Ok(()) };
    for kind in kinds.split(',') {
        let (name, platform) = match kind.strip_suffix(']').and_then(|k| k.split_once('[')) {
            Some((name, platform)) => (name, Some(platform)),
            None => (kind, None),
        };
        if !matches!(name, "index" | "index-descriptor" | "manifest" | "manifest-descriptor") {
            return Err(format!(
                "`{kind}` is no kind of annotation: `index`, `index-descriptor`, `manifest` and `manifest-descriptor` are"
            ));
        }
        if let Some(platform) = platform {
            let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-');
            if platform.is_empty() || !platform.chars().all(letters) {
                return Err(format!("`{kind}` has no platform in its brackets"));
            }
            rbc_oci::Platform::parse(platform, &rbc_oci::Platform::new("linux", "amd64"))
                .map_err(|_| format!("`{platform}` is no platform"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs() {
        let path = output("foo=bar").expect("a path");
        assert_eq!((&*path.kind, &*path.dest), ("local", "foo=bar"));
        let tar = output("-").expect("a tar");
        assert_eq!((&*tar.kind, &*tar.dest), ("tar", "-"));
        assert!(output("dest=x,y=z").is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(size("64m"), Ok(64 << 20));
        assert_eq!(size("1.5 GiB"), Ok(3 << 29));
        assert!(size("x").is_err() && size("1x").is_err());
        let shown = [1, 64 << 20, 3 << 29, 1000, 123_456_789].map(shown_size);
        assert_eq!(shown, ["1B", "64MiB", "1.5GiB", "1000B", "117.7MiB"]);
    }

    #[test]
    fn secrets() {
        assert_eq!(secret("type=env,id=a,src=B").map(|s| s.env), Ok("B".into()));
        assert!(secret("id=a,foo=b").is_err());
    }
}
