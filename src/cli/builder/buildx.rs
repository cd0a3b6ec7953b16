//! Builders that buildx knows, which can be used as they are.
//!
//! They lie in `instances` below `$BUILDX_CONFIG` or the folder `buildx` of Docker's configuration, a JSON file each.

use std::path::PathBuf;

use rbc_oci::Platform;
use rbc_source::{Diagnostic, environment};
use serde_json::Value;

use super::state::{Builder, Node, valid_name};
use super::{Driver, Failure};
use crate::cli::host::docker_config;

/// How buildx names the container of a node.
const CONTAINER: &str = "buildx_buildkit_";

fn folder() -> Option<PathBuf> {
    let own = std::env::var_os("BUILDX_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Some(own.or_else(|| Some(docker_config()?.parent()?.join("buildx")))?.join("instances"))
}

/// The names of all.
pub fn names() -> Vec<String> {
    let files = folder().and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    let mut names: Vec<String> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Reads one; none if there is none of the name.
///
/// # Errors
/// It is not well formed, or of a kind that cannot be used.
pub fn read(name: &str) -> Result<Option<Builder>, Failure> {
    if valid_name(name).is_err() {
        return Ok(None);
    }
    let Some(path) = folder().map(|folder| folder.join(name)) else { return Ok(None) };
    let Ok(text) = std::fs::read(&path) else { return Ok(None) };
    let wrong = |why: String| Diagnostic::new(environment::BUILDERS, format!("buildx's builder `{name}` {why}"));
    let value: Value = serde_json::from_slice(&text)
        .map_err(|e| wrong(format!("cannot be read: {e}")).note(format!("it is in {}", path.display())))?;
    Ok(Some(convert(name, &value).map_err(wrong)?))
}

/// An error is a phrase.
fn convert(name: &str, value: &Value) -> Result<Builder, String> {
    let kind = value["Driver"].as_str().unwrap_or_default();
    let driver = match kind {
        "remote" => Driver::Remote,
        "docker-container" => Driver::DockerContainer,
        "docker" | "" => Driver::Docker,
        other => return Err(format!("has the driver `{other}`, which rbc cannot use; name its nodes by themselves")),
    };
    let nodes = value["Nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if nodes.is_empty() {
        return Err("has no nodes".to_owned());
    }
    let nodes = nodes.iter().map(|node| convert_node(driver, node)).collect::<Result<_, _>>()?;
    Ok(Builder { name: name.to_owned(), driver, nodes })
}

fn convert_node(driver: Driver, node: &Value) -> Result<Node, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, place) = (text(&node["Name"]), text(&node["Endpoint"]));
    let options = &node["DriverOpts"];
    let mut parameters: Vec<(&str, String)> = Vec::new();
    let base = match driver {
        Driver::Remote => {
            for (option, key) in [("cacert", "cacert"), ("cert", "cert"), ("key", "key"), ("servername", "servername")]
            {
                parameters.extend(options[option].as_str().map(|value| (key, value.to_owned())));
            }
            place
        }
        Driver::Docker if place.contains("://") => format!("docker+{place}"),
        Driver::Docker => match place.as_str() {
            "" | "default" => "docker://".to_owned(),
            context => format!("docker://{context}"),
        },
        _ => {
            match place.as_str() {
                "" | "default" => {}
                // A daemon by its address, or a context by its name.
                host if host.contains("://") => parameters.push(("host", host.to_owned())),
                context => parameters.push(("context", context.to_owned())),
            }
            format!("docker-container://{CONTAINER}{name}")
        }
    };
    let endpoint = with_parameters(base, &parameters);
    rbc_buildkit::Endpoint::parse(&endpoint).map_err(|found| found.message)?;
    let platform = |value: &Value| Platform {
        os: text(&value["os"]),
        architecture: text(&value["architecture"]),
        variant: text(&value["variant"]),
        ..Platform::default()
    };
    let platforms = node["Platforms"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Node { name, endpoint, platforms: platforms.iter().map(platform).collect(), ..Node::default() })
}

/// An address with parameters behind it.
pub fn with_parameters(base: String, parameters: &[(&str, String)]) -> String {
    let escaped = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte);
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect::<String>()
    };
    let list: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect();
    match list.is_empty() {
        true => base,
        false => format!("{base}{}{}", if base.contains('?') { '&' } else { '?' }, list.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(driver: &str, node: Value) -> Result<String, String> {
        let builder = convert("b", &json!({ "Name": "b", "Driver": driver, "Nodes": [node] }))?;
        Ok(builder.nodes.into_iter().next().unwrap().endpoint)
    }

    #[test]
    fn nodes_are_found_where_buildx_has_them() {
        let node = |endpoint: &str| json!({ "Name": "b0", "Endpoint": endpoint });
        for (driver, node, expected) in [
            ("docker-container", node("default"), "docker-container://buildx_buildkit_b0"),
            ("docker-container", node("far"), "docker-container://buildx_buildkit_b0?context=far"),
            ("docker-container", node("unix:///d.sock"), "docker-container://buildx_buildkit_b0?host=unix:///d.sock"),
            ("docker", node("default"), "docker://"),
            ("docker", node("unix:///d.sock"), "docker+unix:///d.sock"),
            ("remote", node("tcp://h:1"), "tcp://h:1"),
            (
                "remote",
                json!({ "Name": "b0", "Endpoint": "tcp://h:1", "DriverOpts": { "cacert": "/a b", "key": "/k" } }),
                "tcp://h:1?cacert=/a%20b&key=/k",
            ),
        ] {
            assert_eq!(endpoint(driver, node).as_deref(), Ok(expected));
        }
        assert!(endpoint("kubernetes", node("x")).is_err());
        assert!(convert("b", &json!({ "Driver": "remote" })).is_err());
    }

    #[test]
    fn platforms_are_taken_over() {
        let node = json!({ "Name": "b0", "Endpoint": "tcp://h:1", "Platforms": [{ "architecture": "arm", "os": "linux", "variant": "v7" }] });
        let builder = convert("b", &json!({ "Driver": "remote", "Nodes": [node] })).unwrap();
        assert_eq!(builder.nodes[0].platforms[0].format(), "linux/arm/v7");
    }
}
