//! RUN, with mounts and devices.

use rbc_ast::recipe::{Device, Mount, MountOption, Network, Run, Security, StepKind, Word};
use rbc_grammar::Text;
use rbc_source::{Code, Diagnostic, dockerfile as codes};
use rbc_word::csv::{CsvError, fields_with_ranges};
use rbc_word::unicode::to_lower;

use crate::flags::{Flags, Takes};
use crate::instructions::command_line;
use crate::source::Source;

pub(crate) fn run(source: &Source<'_>) -> Result<StepKind, Box<Diagnostic>> {
    let known =
        [("device", Takes::Values), ("mount", Takes::Values), ("network", Takes::Value), ("security", Takes::Value)];
    let flags = Flags::read(source, &known)?;
    let devices = flags.all("device").map(|(_, text)| device(source, text)).collect::<Result<_, _>>()?;
    let mounts = flags.all("mount").map(|(_, text)| mount(source, text)).collect::<Result<_, _>>()?;
    let network = match flags.raw("network") {
        None => Network::Default,
        Some((value, text)) => match &*value.text {
            "default" => Network::Default,
            "none" => Network::None,
            "host" => Network::Host,
            other => {
                let message = format!("`--network` is `default`, `none` or `host`, not `{other}`");
                return Err(flags.bad_value(text, message));
            }
        },
    };
    let security = match flags.raw("security") {
        None => Security::Sandbox,
        Some((value, text)) => match &*value.text {
            "sandbox" => Security::Sandbox,
            "insecure" => Security::Insecure,
            other => {
                return Err(flags.bad_value(text, format!("`--security` is `sandbox` or `insecure`, not `{other}`")));
            }
        },
    };
    let command = command_line(source, source.words());
    Ok(StepKind::Run(Box::new(Run { command, mounts, network, security, devices, flags: flags.names() })))
}

/// The value of a flag, and where it begins in the flag's text.
fn value<'a>(flag: &'a Text<'_>) -> (&'a str, usize) {
    let start = flag.text.find('=').map_or(flag.text.len(), |equals| equals + 1);
    (&flag.text[start..], start)
}

/// A field's key, and its value if it has one.
fn key_value(field: &str) -> (&str, Option<&str>) {
    field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)))
}

/// The options of a mount. All but `from` may hold variables, so they are checked when those are known.
fn mount(source: &Source<'_>, flag: &Text<'_>) -> Result<Mount, Box<Diagnostic>> {
    let (text, start) = value(flag);
    let mut options = Vec::new();
    let fields = fields_with_ranges(text).map_err(|error| no_fields(source, flag, error, codes::MOUNT, "mount"))?;
    for (field, range) in fields {
        let at = start + range.start..start + range.end;
        let (key, value) = key_value(&field);
        let key = to_lower(key);
        if key == "from" && value.is_some_and(|v| v.find('$').is_some_and(|i| i + 1 < v.len())) {
            let error = source.error(codes::MOUNT, "`from` cannot hold variables", flag.part(at.clone()));
            let note = "give the image a stage of its own with `FROM $IMAGE AS name`, and write `from=name`";
            return Err(Box::new(error.note(note)));
        }
        let value = value.map(|value| {
            // In a quoted field places are off where quotes are doubled, so the whole field is taken.
            let range = match range.len() == field.len() {
                true => at.end - value.len()..at.end,
                false => at.clone(),
            };
            Word::new(value, source.span(flag.part(range)))
        });
        options.push(MountOption { key: key.into(), value, span: source.span(flag.part(at.clone())) });
    }
    Ok(Mount { options, span: source.span(flag.part(start..flag.text.len())) })
}

/// A device: its name as the first field or as `name=`, and whether it must be there.
fn device(source: &Source<'_>, flag: &Text<'_>) -> Result<Device, Box<Diagnostic>> {
    let (text, start) = value(flag);
    let mut device = Device { name: "".into(), required: false };
    let fields =
        fields_with_ranges(text).map_err(|error| no_fields(source, flag, error, codes::FLAG_VALUE, "device"))?;
    for (field, range) in fields {
        let fail = |message: String| {
            source.error(codes::FLAG_VALUE, message, flag.part(start + range.start..start + range.end))
        };
        let (key, value) = key_value(&field);
        match (&*to_lower(key), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => {
                device.required = rbc_source::go_bool(value)
                    .ok_or_else(|| fail(format!("`required` is `true` or `false`, not `{value}`")))?;
            }
            ("name", Some(value)) if device.name.is_empty() => device.name = value.into(),
            ("name", Some(_)) => return Err(fail(format!("the device has a name already: `{}`", device.name))),
            _ if device.name.is_empty() => device.name = (*field).into(),
            (_, None) => {
                return Err(fail(format!("`{}` is not a `key=value` pair, and the device has a name", field)));
            }
            (key, Some(_)) => {
                let error = fail(format!("a device has no option `{key}`"));
                return Err(Box::new(error.suggest(key, ["name", "required"])));
            }
        }
    }
    Ok(device)
}

fn no_fields(
    source: &Source<'_>,
    flag: &Text<'_>,
    error: CsvError,
    code: &'static Code,
    what: &str,
) -> Box<Diagnostic> {
    let (text, start) = value(flag);
    let range = match error {
        CsvError::BareQuote(at) | CsvError::Quote(at) => start + at..start + text.len(),
        CsvError::Empty => 0..flag.text.len(),
    };
    source.error(code, format!("the {what} is not a list of options separated by commas: {error}"), flag.part(range))
}
