//! Base64, URLs, CSV and JSON.

use super::{Fault, Host, Returned, str_of};
use crate::value::Entries;
use crate::{Number, Type, Value, json};
use std::sync::Arc;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn base64_encode(args: &[Value], _: &dyn Host) -> Returned {
    let mut out = String::new();
    for chunk in str_of(args, 0).as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    Ok(Value::string(out))
}

/// The bytes of a base64 text with padding; line breaks are skipped.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3);
    let groups = digits.len() / 4;
    for (g, group) in digits.chunks(4).enumerate() {
        let padding = group.iter().rev().take_while(|b| **b == b'=').count();
        if padding > 2 || padding > 0 && g + 1 < groups {
            return None;
        }
        let mut bits = 0u32;
        for b in &group[..4 - padding] {
            bits = bits << 6 | BASE64.iter().position(|d| d == b)? as u32;
        }
        bits <<= 6 * padding;
        out.extend(&bits.to_be_bytes()[1..4 - padding]);
    }
    Some(out)
}

pub(super) fn base64_decode(args: &[Value], _: &dyn Host) -> Returned {
    let bytes = from_base64(str_of(args, 0)).ok_or_else(|| Fault::Argument(0, "this is not base64".into()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::string(text)),
        Err(_) => Err(Fault::Argument(0, "what it stands for is not UTF-8 text".into())),
    }
}

pub(super) fn url_encode(args: &[Value], _: &dyn Host) -> Returned {
    let mut out = String::new();
    for b in str_of(args, 0).bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    Ok(Value::string(out))
}

/// Reads records as RFC 4180 has them: blank lines are skipped, quotes only around whole fields.
fn csv_records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let text = text.replace("\r\n", "\n");
    let mut records = Vec::new();
    let mut rest = text.as_str();
    let mut line = 1usize;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('\n') {
            rest = after;
            line += 1;
            continue;
        }
        let mut fields = Vec::new();
        loop {
            let mut field = String::new();
            if let Some(mut quoted) = rest.strip_prefix('"') {
                let opened = line;
                loop {
                    let Some(at) = quoted.find('"') else {
                        return Err(format!("the quote opened on line {opened} is not closed"));
                    };
                    line += quoted[..at].matches('\n').count();
                    field.push_str(&quoted[..at]);
                    quoted = &quoted[at + 1..];
                    match quoted.strip_prefix('"') {
                        Some(after) => {
                            field.push('"');
                            quoted = after;
                        }
                        None => break,
                    }
                }
                rest = quoted;
                if !rest.is_empty() && !rest.starts_with([',', '\n']) {
                    return Err(format!("line {line}: something follows a quoted field"));
                }
            } else {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                if rest[..end].contains('"') {
                    return Err(format!("line {line}: a quote within an unquoted field"));
                }
                field.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            fields.push(field);
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => break,
            }
        }
        if let Some(after) = rest.strip_prefix('\n') {
            rest = after;
            line += 1;
        }
        records.push(fields);
    }
    Ok(records)
}

pub(super) fn csv_decode(args: &[Value], _: &dyn Host) -> Returned {
    let mut records = csv_records(str_of(args, 0)).map_err(|why| Fault::Argument(0, why))?.into_iter();
    let headers = records.next().ok_or_else(|| Fault::Argument(0, "the header line is missing".into()))?;
    let mut attrs: Vec<(Arc<str>, Type)> = Vec::new();
    for name in &headers {
        if attrs.iter().any(|(n, _)| **n == **name) {
            return Err(Fault::Argument(0, format!("the column {name:?} comes twice")));
        }
        attrs.push((name.as_str().into(), Type::String));
    }
    let mut rows = Vec::new();
    for (i, record) in records.enumerate() {
        if record.len() != headers.len() {
            let why = format!("record {} has {} fields for {} columns", i + 1, record.len(), headers.len());
            return Err(Fault::Argument(0, why));
        }
        let row: Entries = attrs.iter().zip(record).map(|((n, _), v)| (n.clone(), Value::string(v))).collect();
        rows.push(Value::object(row));
    }
    Ok(Value::list(Type::object(attrs), rows))
}

/// A value as JSON.
///
/// # Errors
/// For an infinite number.
pub fn json_encode(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write_json(value, &mut out)?;
    Ok(out)
}

/// A value as JSON for a reader that knows its type; where that is `any`, the value carries its type along:
/// `{"value":...,"type":...}`.
///
/// # Errors
/// For an infinite number.
pub fn json_encode_as(value: &Value, ty: &Type) -> Result<String, String> {
    let mut out = String::new();
    write_json_as(value, ty, &mut out)?;
    Ok(out)
}

fn write_json_as(value: &Value, ty: &Type, out: &mut String) -> Result<(), String> {
    if !ty.has_any() {
        return write_json(value, out);
    }
    match (ty, value) {
        (Type::Any, Value::Null(Type::Any)) => out.push_str("null"),
        (Type::Any, value) => {
            out.push_str("{\"value\":");
            write_json(value, out)?;
            out.push_str(",\"type\":");
            write_type(&value.ty(), out);
            out.push('}');
        }
        (Type::List(ty) | Type::Set(ty), Value::List(_, e) | Value::Set(_, e)) => {
            sequence(e.iter(), out, |v, out| write_json_as(v, ty, out))?;
        }
        (Type::Tuple(types), Value::Tuple(e)) => {
            let mut types = types.iter();
            sequence(e.iter(), out, |v, out| write_json_as(v, types.next().unwrap_or(&Type::Any), out))?;
        }
        (Type::Map(ty), Value::Map(_, e)) => mapping(e, out, |_, v, out| write_json_as(v, ty, out))?,
        (Type::Object(attrs), Value::Object(e)) => {
            mapping(e, out, |n, v, out| write_json_as(v, attrs.get(n).map_or(&Type::Any, |a| &a.ty), out))?;
        }
        (_, value) => write_json(value, out)?,
    }
    Ok(())
}

fn write_type(ty: &Type, out: &mut String) {
    let wrap = |kind: &str, inner: &Type, out: &mut String| {
        out.push_str(&format!("[\"{kind}\","));
        write_type(inner, out);
        out.push(']');
    };
    match ty {
        Type::Any => out.push_str("\"dynamic\""),
        Type::String | Type::Number | Type::Bool => out.push_str(&format!("\"{}\"", ty.name())),
        Type::List(inner) => wrap("list", inner, out),
        Type::Set(inner) => wrap("set", inner, out),
        Type::Map(inner) => wrap("map", inner, out),
        Type::Tuple(types) => {
            out.push_str("[\"tuple\",[");
            for (i, inner) in types.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_type(inner, out);
            }
            out.push_str("]]");
        }
        Type::Object(attrs) => {
            out.push_str("[\"object\",{");
            for (i, (name, attr)) in attrs.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write_type(&attr.ty, out);
            }
            out.push_str("}]");
        }
    }
}

fn sequence<'v>(
    values: impl Iterator<Item = &'v Value>,
    out: &mut String,
    mut write: impl FnMut(&Value, &mut String) -> Result<(), String>,
) -> Result<(), String> {
    out.push('[');
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(value, out)?;
    }
    out.push(']');
    Ok(())
}

fn mapping(
    entries: &Entries,
    out: &mut String,
    mut write: impl FnMut(&Arc<str>, &Value, &mut String) -> Result<(), String>,
) -> Result<(), String> {
    out.push('{');
    for (i, (name, value)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        write(name, value, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_json(value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::Null(_) => out.push_str("null"),
        Value::String(text) => write_text(text, out),
        Value::Number(number) if number.is_infinite() => return Err("infinity cannot be written as JSON".into()),
        Value::Number(number) => out.push_str(&number.to_plain()),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::List(_, e) | Value::Set(_, e) | Value::Tuple(e) => sequence(e.iter(), out, write_json)?,
        Value::Map(_, e) | Value::Object(e) => mapping(e, out, |_, v, out| write_json(v, out))?,
    }
    Ok(())
}

/// A JSON string as Go writes it: safe within HTML too.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

pub(super) fn json_encode_call(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::string(json_encode(&args[0])?))
}

pub(super) fn json_decode(args: &[Value], _: &dyn Host) -> Returned {
    let data = json::read_data(str_of(args, 0)).map_err(|why| Fault::Argument(0, why))?;
    value_of(&data).map_err(|why| Fault::Argument(0, why))
}

fn value_of(data: &json::Data) -> Result<Value, String> {
    Ok(match data {
        json::Data::Null => Value::null(),
        json::Data::Bool(value) => Value::Bool(*value),
        json::Data::Number(number) => Value::number(number.clone()),
        json::Data::Text(text) => Value::string(text),
        json::Data::List(elements) => Value::tuple(elements.iter().map(value_of).collect::<Result<Vec<_>, _>>()?),
        json::Data::Object(properties) => {
            let mut entries = Entries::new();
            for (name, data) in properties {
                let value = value_of(data)?;
                let ty = value.ty();
                if entries.insert(crate::value::normalized(name).as_ref().into(), value).is_some_and(|v| v.ty() != ty) {
                    return Err(format!("the property {name:?} comes twice"));
                }
            }
            Value::object(entries)
        }
    })
}

/// Reads JSON as a value of a type: texts may stand for numbers and bools, missing attributes are null.
///
/// # Errors
/// A phrase that says what does not fit.
pub fn json_decode_as(text: &str, ty: &Type) -> Result<Value, String> {
    typed(&json::read_data(text)?, ty)
}

fn typed(data: &json::Data, ty: &Type) -> Result<Value, String> {
    let all = |elements: &[json::Data], ty: &Type| elements.iter().map(|e| typed(e, ty)).collect::<Result<Vec<_>, _>>();
    match (ty, data) {
        (ty, json::Data::Null) => Ok(Value::Null(ty.exact())),
        (Type::String, json::Data::Text(text)) => Ok(Value::string(text)),
        (Type::String, json::Data::Number(number)) => Ok(Value::string(number.to_plain())),
        (Type::String, json::Data::Bool(value)) => Ok(Value::from(if *value { "true" } else { "false" })),
        (Type::Number, json::Data::Number(number)) => Ok(Value::number(number.clone())),
        (Type::Number, json::Data::Text(text)) => {
            Number::parse(text).map(Value::number).ok_or_else(|| format!("{text:?} is no number"))
        }
        (Type::Bool, json::Data::Bool(value)) => Ok(Value::Bool(*value)),
        (Type::Bool, json::Data::Text(_)) => match data {
            json::Data::Text(text) => crate::convert::convert(&Value::string(text), &Type::Bool),
            _ => Err("a bool is required".into()),
        },
        (Type::List(ty), json::Data::List(elements)) => Ok(Value::list((**ty).clone(), all(elements, ty)?)),
        (Type::Set(ty), json::Data::List(elements)) => Ok(Value::set((**ty).clone(), all(elements, ty)?)),
        (Type::Tuple(types), json::Data::List(elements)) if types.len() == elements.len() => {
            let values: Result<Vec<_>, _> = elements.iter().zip(types.iter()).map(|(e, t)| typed(e, t)).collect();
            Ok(Value::tuple(values?))
        }
        (Type::Tuple(types), json::Data::List(elements)) => {
            Err(format!("{} elements are required, not {}", types.len(), elements.len()))
        }
        (Type::Map(ty), json::Data::Object(properties)) => {
            let mut entries = Entries::new();
            for (name, data) in properties {
                entries.insert(name.as_str().into(), typed(data, ty).map_err(|why| format!("{name:?}: {why}"))?);
            }
            Ok(Value::map((**ty).clone(), entries))
        }
        (Type::Object(attrs), json::Data::Object(properties)) => {
            let mut entries = Entries::new();
            for (name, data) in properties {
                let attr = attrs.get(name.as_str()).ok_or_else(|| format!("there is no attribute {name:?}"))?;
                entries.insert(name.as_str().into(), typed(data, &attr.ty).map_err(|why| format!("{name:?}: {why}"))?);
            }
            for (name, attr) in attrs.iter() {
                entries.entry(name.clone()).or_insert_with(|| Value::Null(attr.ty.exact()));
            }
            Ok(Value::object(entries))
        }
        (Type::Any, json::Data::Object(properties)) => {
            let part = |wanted: &str| properties.iter().find(|(n, _)| n == wanted).map(|(_, d)| d);
            match (part("value"), part("type"), properties.len()) {
                (Some(value), Some(ty), 2) => typed(value, &read_type(ty)?),
                _ => Err("`{\"value\": ..., \"type\": ...}` is required for any type".into()),
            }
        }
        (ty, data) => Err(format!("{} required, not {}", ty.constraint_name(), data.name())),
    }
}

fn read_type(data: &json::Data) -> Result<Type, String> {
    let wrong = || "this is no type".to_owned();
    match data {
        json::Data::Text(name) => match name.as_str() {
            "string" => Ok(Type::String),
            "number" => Ok(Type::Number),
            "bool" => Ok(Type::Bool),
            "dynamic" => Ok(Type::Any),
            _ => Err(wrong()),
        },
        json::Data::List(parts) => match parts.as_slice() {
            [json::Data::Text(kind), inner] => match (kind.as_str(), inner) {
                ("list", inner) => Ok(Type::list(read_type(inner)?)),
                ("set", inner) => Ok(Type::set(read_type(inner)?)),
                ("map", inner) => Ok(Type::map(read_type(inner)?)),
                ("tuple", json::Data::List(types)) => {
                    Ok(types.iter().map(read_type).collect::<Result<Vec<_>, _>>()?.into())
                }
                ("object", json::Data::Object(attrs)) => {
                    let attrs: Result<Vec<_>, String> =
                        attrs.iter().map(|(n, t)| Ok((n.as_str(), read_type(t)?))).collect();
                    Ok(Type::object(attrs?))
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}
