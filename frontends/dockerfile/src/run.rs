//! RUN, with mounts and devices.

use rbc_ast::recipe::{Device, Mount, MountOption, Network, Run, Security, StepKind};
use rbc_grammar::Text;
use rbc_grammar::values::{Field, FieldError, boolean, fields};
use rbc_source::{Diagnostic, dockerfile as codes};

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

/// The options of a mount. All but `from` may hold variables, so they are checked when those are known.
fn mount(source: &Source<'_>, flag: &Text<'_>) -> Result<Mount, Box<Diagnostic>> {
    let (text, start) = value(flag);
    let at = |field: &Field<'_>| start + field.range.start..start + field.range.end;
    let mut options = Vec::new();
    for field in fields(text).map_err(|error| no_fields(source, flag, error, codes::MOUNT, "mount"))? {
        let (key, value) = match field.text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (&*field.text, None),
        };
        let key = rbc_word::unicode::to_lower(key);
        if key == "from" && value.is_some_and(|v| v.find('$').is_some_and(|i| i + 1 < v.len())) {
            let error = source.error(codes::MOUNT, "`from` cannot hold variables", flag.part(at(&field)));
            let note = "give the image a stage of its own with `FROM $IMAGE AS name`, and write `from=name`";
            return Err(Box::new(error.note(note)));
        }
        let value = value.map(|value| {
            // In a quoted field places are off where quotes are doubled, so the whole field is taken.
            let range = match field.range.len() == field.text.len() {
                true => start + field.range.end - value.len()..start + field.range.end,
                false => at(&field),
            };
            rbc_ast::recipe::Word::new(value, source.span(flag.part(range)))
        });
        options.push(MountOption { key: key.into(), value, span: source.span(flag.part(at(&field))) });
    }
    Ok(Mount { options, span: source.span(flag.part(start..flag.text.len())) })
}

/// A device: its name as the first field or as `name=`, and whether it must be there.
fn device(source: &Source<'_>, flag: &Text<'_>) -> Result<Device, Box<Diagnostic>> {
    let (text, start) = value(flag);
    let mut device = Device { name: "".into(), required: false };
    for field in fields(text).map_err(|error| no_fields(source, flag, error, codes::FLAG_VALUE, "device"))? {
        let fail = |message: String| {
            let at = start + field.range.start..start + field.range.end;
            source.error(codes::FLAG_VALUE, message, flag.part(at))
        };
        let (key, value) = match field.text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (&*field.text, None),
        };
        match (&*rbc_word::unicode::to_lower(key), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => {
                device.required =
                    boolean(value).ok_or_else(|| fail(format!("`required` is `true` or `false`, not `{value}`")))?;
            }
            ("name", Some(value)) if device.name.is_empty() => device.name = value.into(),
            ("name", Some(_)) => return Err(fail(format!("the device has a name already: `{}`", device.name))),
            _ if device.name.is_empty() => device.name = (*field.text).into(),
            (_, None) => {
                return Err(fail(format!("`{}` is not a `key=value` pair, and the device has a name", field.text)));
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
    error: FieldError,
    code: &'static rbc_source::Code,
    what: &str,
) -> Box<Diagnostic> {
    let (text, start) = value(flag);
    let range = match error {
        FieldError::Quote(at) => start + at..start + text.len(),
        FieldError::Empty => 0..flag.text.len(),
    };
    source.error(code, format!("the {what} is not a list of options separated by commas: {error}"), flag.part(range))
}
