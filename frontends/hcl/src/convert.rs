//! Conversion between types, and the one type that several can be converted to.
//!
//! The rules are those of HCL's type system: primitives convert to string and, where the text allows, back; tuples to
//! lists and sets; objects to maps and back; a constraint may leave a type open with `any`. A conversion is *safe* when it
//! cannot fail whatever the value; unifying prefers what all can reach.

use crate::value::Entries;
use crate::{Attr, Number, Type, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Converts a value to a type or constraint.
///
/// # Errors
/// A phrase that says what is needed, as "a number is required"; it names the element it is about.
pub fn convert(value: &Value, want: &Type) -> Result<Value, String> {
    if value.is_of(want) {
        return Ok(value.clone());
    }
    if let Some(done) = convert_primitive(value, want) {
        return done;
    }
    let have = value.ty();
    if have == want.exact() {
        return Ok(value.clone());
    }
    if !possible(&have, want, true) {
        return Err(mismatch(&have, want));
    }
    apply(value, want, true)
}

/// The common case, without looking at types.
fn convert_primitive(value: &Value, want: &Type) -> Option<Result<Value, String>> {
    Some(match (value, want) {
        (_, Type::Any) => Ok(value.clone()),
        (Value::Number(number), Type::String) => Ok(Value::String(number.to_plain().into())),
        (Value::Bool(value), Type::String) => Ok(Value::String(if *value { "true" } else { "false" }.into())),
        (Value::String(text), Type::Number) => {
            Number::parse(text).map(Value::number).ok_or_else(|| "a number is required".into())
        }
        (Value::String(text), Type::Bool) => match &**text {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            other if other.eq_ignore_ascii_case("true") || other.eq_ignore_ascii_case("false") => {
                Err(format!("a bool is required: write \"{}\" in lower case", other.to_ascii_lowercase()))
            }
            _ => Err("a bool is required".into()),
        },
        _ => return None,
    })
}

/// Whether there is a conversion between two types; a safe one unless `risky`.
pub fn possible(have: &Type, want: &Type, risky: bool) -> bool {
    match (have, want) {
        (_, Type::Any) => true,
        (Type::Any, _) => risky,
        (a, b) if a.is_primitive() && b.is_primitive() => match (a, b) {
            (Type::Number | Type::Bool, Type::String) => true,
            (Type::String, Type::Number | Type::Bool) => risky,
            _ => false,
        },
        (Type::Object(have), Type::Object(want)) => want.iter().all(|(name, attr)| match have.get(name) {
            None => attr.optional,
            Some(own) => own.ty == attr.ty || possible(&own.ty, &attr.ty, risky),
        }),
        (Type::Tuple(have), Type::Tuple(want)) => {
            have.len() == want.len() && have.iter().zip(want.iter()).all(|(h, w)| h == w || possible(h, w, risky))
        }
        (Type::List(have) | Type::Set(have), Type::List(want)) => have == want || possible(have, want, risky),
        (Type::List(_), Type::Set(_)) if !risky => false,
        (Type::List(have) | Type::Set(have), Type::Set(want)) => have == want || possible(have, want, risky),
        (Type::Map(have), Type::Map(want)) => possible(have, want, risky) || have == want,
        (Type::Tuple(have), Type::List(want) | Type::Set(want)) => elements_possible(have.iter(), want, risky, true),
        (Type::Object(have), Type::Map(want)) => elements_possible(have.values().map(|a| &a.ty), want, risky, false),
        (Type::Map(have), Type::Object(want)) => {
            risky && want.values().all(|attr| attr.ty == **have || possible(have, &attr.ty, risky) || attr.optional)
        }
        _ => false,
    }
}

/// Whether all these types convert to one element type; an open one is found by unifying them.
fn elements_possible<'t>(
    types: impl Iterator<Item = &'t Type> + Clone,
    want: &Type,
    risky: bool,
    strict: bool,
) -> bool {
    let all: Vec<&Type> = types.collect();
    if all.is_empty() {
        return true;
    }
    let unified;
    let want = if *want == Type::Any {
        match unify(all.iter().copied(), risky) {
            None => return false,
            Some(Type::Any) if strict && all.iter().any(|t| **t != Type::Any) => return false,
            Some(ty) => {
                unified = ty;
                &unified
            }
        }
    } else {
        want
    };
    all.iter().all(|t| *t == want || possible(t, want, risky))
}

/// Converts where [`possible`] said that one can.
fn apply(value: &Value, want: &Type, risky: bool) -> Result<Value, String> {
    if value.is_of(want) {
        return Ok(value.clone());
    }
    if let Value::Null(have) = value {
        return Ok(Value::Null(fill_open(have, &want.exact())));
    }
    if let Some(done) = convert_primitive(value, want) {
        return done;
    }
    match (value, want) {
        (Value::Object(entries), Type::Object(attrs)) => {
            let mut out = Entries::new();
            for (name, attr) in attrs.iter() {
                let converted = match entries.get(name) {
                    Some(v) => at(format_args!("attribute {name:?}"), step(v, &attr.ty, risky))?,
                    None => Value::Null(attr.ty.exact()),
                };
                out.insert(name.clone(), converted);
            }
            Ok(Value::object(out))
        }
        (Value::Map(_, entries), Type::Object(attrs)) => {
            let mut out = Entries::new();
            for (name, attr) in attrs.iter() {
                let converted = match entries.get(name) {
                    Some(v) => at(format_args!("attribute {name:?}"), checked_step(v, &attr.ty, risky))?,
                    None if attr.optional => Value::Null(attr.ty.exact()),
                    None => return Err(format!("the map has no element for the required attribute {name:?}")),
                };
                out.insert(name.clone(), converted);
            }
            Ok(Value::object(out))
        }
        (Value::Tuple(elements), Type::Tuple(types)) => {
            let mut out = Vec::with_capacity(elements.len());
            for (i, (v, ty)) in elements.iter().zip(types.iter()).enumerate() {
                out.push(at(format_args!("element {i}"), step(v, ty, risky))?);
            }
            Ok(Value::tuple(out))
        }
        (Value::List(have, elements) | Value::Set(have, elements), Type::List(want)) => {
            let out = convert_all(elements, want, risky)?;
            let ty = same_type(&out, have, want, "list")?;
            Ok(Value::list(ty.clone(), retyped(out, &ty)))
        }
        (Value::List(have, elements) | Value::Set(have, elements), Type::Set(want)) => {
            let out = convert_all(elements, want, risky)?;
            let ty = same_type(&out, have, want, "set")?;
            Ok(Value::set(ty.clone(), retyped(out, &ty)))
        }
        (Value::Tuple(elements), Type::List(want)) => {
            let want = open_element(elements.iter(), want, risky)?;
            let out = agree(convert_all(elements, &want, risky)?, risky)?;
            let ty = same_type(&out, &want, &want, "list")?;
            Ok(Value::list(ty.clone(), retyped(out, &ty)))
        }
        (Value::Tuple(elements), Type::Set(want)) => {
            let want = open_element(elements.iter(), want, risky)?;
            let out = convert_all(elements, &want, risky)?;
            let ty = same_type(&out, &want, &want, "set")?;
            Ok(Value::set(ty.clone(), retyped(out, &ty)))
        }
        (Value::Map(have, entries), Type::Map(want)) => to_map(entries, have, want, risky),
        (Value::Object(entries), Type::Map(want)) => {
            let open = open_element(entries.values(), want, risky)?;
            to_map(entries, &open, &open, risky)
        }
        _ => Err(mismatch(&value.ty(), want)),
    }
}

fn to_map(entries: &Entries, have: &Type, want: &Type, risky: bool) -> Result<Value, String> {
    let mut out = Vec::with_capacity(entries.len());
    for (name, v) in entries {
        out.push(at(format_args!("element {name:?}"), step(v, want, risky))?);
    }
    if want.is_collection() || matches!(want, Type::Object(_)) {
        out = agree(out, risky)?;
    }
    let ty = same_type(&out, have, want, "map")?;
    let named = entries.keys().cloned().zip(retyped(out, &ty)).collect();
    Ok(Value::map(ty, named))
}

/// One element: converted unless it already is of the type.
fn step(value: &Value, want: &Type, risky: bool) -> Result<Value, String> {
    apply(value, want, risky)
}

fn checked_step(value: &Value, want: &Type, risky: bool) -> Result<Value, String> {
    let have = value.ty();
    if have == *want || possible(&have, want, risky) { apply(value, want, risky) } else { Err(mismatch(&have, want)) }
}

fn convert_all(elements: &[Value], want: &Type, risky: bool) -> Result<Vec<Value>, String> {
    elements.iter().enumerate().map(|(i, v)| at(format_args!("element {i}"), step(v, want, risky))).collect()
}

/// The element type to convert to, when the constraint leaves it open.
fn open_element<'v>(values: impl Iterator<Item = &'v Value>, want: &Type, risky: bool) -> Result<Type, String> {
    if *want != Type::Any {
        return Ok(want.clone());
    }
    let types: Vec<Type> = values.map(Value::ty).collect();
    if types.is_empty() {
        return Ok(Type::Any);
    }
    unify(types.iter(), risky).ok_or_else(|| "all elements must have the same type".into())
}

/// Brings elements whose types still differ (an open constraint inside) to one type.
fn agree(values: Vec<Value>, risky: bool) -> Result<Vec<Value>, String> {
    let Some(first) = values.first() else { return Ok(values) };
    let first = first.ty();
    if values[1..].iter().all(|v| v.is_of(&first)) {
        return Ok(values);
    }
    let types: Vec<Type> = values.iter().map(Value::ty).collect();
    let Some(ty) = unify(types.iter(), risky) else {
        return Err("the elements have no common type".into());
    };
    values.iter().map(|v| checked_step(v, &ty, risky)).collect()
}

/// The one type that all values have; with none to tell, the wanted one or, when that is open, the one they had.
fn same_type(values: &[Value], have: &Type, want: &Type, kind: &str) -> Result<Type, String> {
    if values.is_empty() {
        return Ok(if *want == Type::Any { have.clone() } else { want.exact() });
    }
    let mut found = Type::Any;
    for value in values {
        let ty = value.ty();
        if found == Type::Any {
            found = ty;
        } else if ty != Type::Any && ty != found {
            return Err(format!("all elements must have the same type for a {kind}"));
        }
    }
    Ok(found)
}

/// Gives bare nulls the type of their neighbours.
fn retyped(values: Vec<Value>, ty: &Type) -> Vec<Value> {
    let null = |v: Value| if v.is_null() { Value::Null(ty.clone()) } else { v };
    values.into_iter().map(null).collect()
}

fn at(place: std::fmt::Arguments<'_>, result: Result<Value, String>) -> Result<Value, String> {
    result.map_err(|e| format!("{place}: {e}"))
}

/// `want`, with every open part replaced by the matching part of `have`.
fn fill_open(have: &Type, want: &Type) -> Type {
    match (have, want) {
        (Type::Any, _) => want.clone(),
        (_, Type::Any) => have.clone(),
        (Type::Map(h), Type::Map(w)) => Type::map(fill_open(h, w)),
        (Type::Object(h), Type::Map(w)) => match unify(h.values().map(|a| &a.ty), true) {
            Some(ty) => Type::map(fill_open(&ty, w)),
            None => want.clone(),
        },
        (Type::List(h) | Type::Set(h), Type::List(w)) => Type::list(fill_open(h, w)),
        (Type::List(h) | Type::Set(h), Type::Set(w)) => Type::set(fill_open(h, w)),
        (Type::Tuple(h), Type::Tuple(w)) if h.len() == w.len() => {
            Type::tuple(h.iter().zip(w.iter()).map(|(h, w)| fill_open(h, w)))
        }
        _ => want.clone(),
    }
}

/// The one type that all the given can be converted to; safely unless `risky`. None if there is none, or no type given.
pub fn unify<'t>(types: impl IntoIterator<Item = &'t Type>, risky: bool) -> Option<Type> {
    let types: Vec<&Type> = types.into_iter().collect();
    let first = *types.first()?;
    if types.iter().all(|t| *t == first) && !matches!(first, Type::Any) {
        return Some(first.clone());
    }
    let count = |f: fn(&Type) -> bool| types.iter().filter(|t| f(t)).count();
    let maps = count(|t| matches!(t, Type::Map(_)));
    let lists = count(|t| matches!(t, Type::List(_)));
    let sets = count(|t| matches!(t, Type::Set(_)));
    let objects = count(|t| matches!(t, Type::Object(_)));
    let tuples = count(|t| matches!(t, Type::Tuple(_)));
    let open = count(|t| matches!(t, Type::Any));
    let all = types.len();
    if maps > 0 && maps + open == all {
        return unify_collections(&types, open, risky, Type::map);
    }
    if maps > 0 && maps + objects + open == all {
        if let Some(found) = unify_as(&types, risky, |t| matches!(t, Type::Object(_)), objects_to_map) {
            return Some(found);
        }
    } else if lists > 0 && lists + open == all {
        return unify_collections(&types, open, risky, Type::list);
    } else if lists > 0 && lists + tuples + open == all {
        if let Some(found) = unify_as(&types, risky, |t| matches!(t, Type::Tuple(_)), tuples_to_list) {
            return Some(found);
        }
    } else if sets > 0 && sets + open == all {
        return unify_collections(&types, open, risky, Type::set);
    } else if objects > 0 && objects + open == all {
        return if open > 0 { Some(Type::Any) } else { unify_objects(&types, risky) };
    } else if tuples > 0 && tuples + open == all {
        return if open > 0 { Some(Type::Any) } else { unify_tuples(&types, risky) };
    } else if objects > 0 && tuples > 0 {
        return None;
    }
    by_preference(&types)
        .into_iter()
        .map(|i| types[i])
        .find(|want| types.iter().all(|t| t == want || possible(t, want, risky)))
        .cloned()
}

fn unify_collections(types: &[&Type], open: usize, risky: bool, make: fn(Type) -> Type) -> Option<Type> {
    if open > 0 {
        return Some(Type::Any);
    }
    let want = make(unify(types.iter().filter_map(|t| t.element()), risky)?);
    types.iter().all(|t| **t == want || possible(t, &want, risky)).then_some(want)
}

/// Treats objects as maps, or tuples as lists, among real ones.
fn unify_as(
    types: &[&Type],
    risky: bool,
    which: fn(&Type) -> bool,
    merge: fn(&[&Type], bool) -> Option<Type>,
) -> Option<Type> {
    let some: Vec<&Type> = types.iter().copied().filter(|t| which(t)).collect();
    let merged = merge(&some, risky)?;
    let replaced: Vec<&Type> = types.iter().map(|t| if which(t) { &merged } else { *t }).collect();
    let found = unify(replaced, risky)?;
    found.is_collection().then_some(found)
}

fn objects_to_map(types: &[&Type], risky: bool) -> Option<Type> {
    let attrs = types.iter().flat_map(|t| match t {
        Type::Object(attrs) => attrs.values().map(|a| &a.ty).collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let want = Type::map(unify(attrs, risky)?);
    types.iter().all(|t| possible(t, &want, risky)).then_some(want)
}

fn tuples_to_list(types: &[&Type], risky: bool) -> Option<Type> {
    let elements = types.iter().flat_map(|t| match t {
        Type::Tuple(types) => types.iter().collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let want = Type::list(unify(elements, risky)?);
    types.iter().all(|t| possible(t, &want, risky)).then_some(want)
}

fn unify_objects(types: &[&Type], risky: bool) -> Option<Type> {
    let all: Vec<&Arc<BTreeMap<Arc<str>, Attr>>> =
        types.iter().filter_map(|t| if let Type::Object(a) = t { Some(a) } else { None }).collect();
    let first = *all.first()?;
    if all.iter().any(|a| a.len() != first.len() || !a.keys().eq(first.keys())) {
        return objects_to_map(types, risky);
    }
    let mut out = BTreeMap::new();
    for name in first.keys() {
        let ty = unify(all.iter().filter_map(|a| a.get(name)).map(|a| &a.ty), risky)?;
        out.insert(name.clone(), Attr { ty, optional: false });
    }
    let want = Type::Object(Arc::new(out));
    if types.iter().all(|t| **t == want || possible(t, &want, risky)) {
        Some(want)
    } else {
        objects_to_map(types, risky)
    }
}

fn unify_tuples(types: &[&Type], risky: bool) -> Option<Type> {
    let all: Vec<&Arc<[Type]>> =
        types.iter().filter_map(|t| if let Type::Tuple(e) = t { Some(e) } else { None }).collect();
    let first = *all.first()?;
    if all.iter().any(|e| e.len() != first.len()) {
        return tuples_to_list(types, risky);
    }
    let mut out = Vec::with_capacity(first.len());
    for i in 0..first.len() {
        out.push(unify(all.iter().filter_map(|e| e.get(i)), risky)?);
    }
    let want = Type::from(out);
    if types.iter().all(|t| **t == want || possible(t, &want, risky)) {
        Some(want)
    } else {
        tuples_to_list(types, risky)
    }
}

/// Indices of the types, the most general first; those that do not compare stay in their order.
fn by_preference(types: &[&Type]) -> Vec<usize> {
    let count = types.len();
    let mut waits = vec![0usize; count];
    let mut frees: Vec<Vec<usize>> = vec![Vec::new(); count];
    for i in 0..count {
        for j in i + 1..count {
            match generality(types[i], types[j]) {
                Ordering::Less => {
                    frees[i].push(j);
                    waits[j] += 1;
                }
                Ordering::Greater => {
                    frees[j].push(i);
                    waits[i] += 1;
                }
                Ordering::Equal => {}
            }
        }
    }
    let mut order: Vec<usize> = (0..count).filter(|i| waits[*i] == 0).collect();
    let mut next = 0;
    while next < order.len() {
        for j in std::mem::take(&mut frees[order[next]]) {
            waits[j] -= 1;
            if waits[j] == 0 {
                order.push(j);
            }
        }
        next += 1;
    }
    order
}

/// `Less` if the first type is more general than the second.
fn generality(a: &Type, b: &Type) -> Ordering {
    match (a, b) {
        (Type::Any, Type::Any) => Ordering::Equal,
        (_, Type::Any) => Ordering::Less,
        (Type::Any, _) => Ordering::Greater,
        (Type::String, Type::String) => Ordering::Equal,
        (Type::String, b) if b.is_primitive() => Ordering::Less,
        (a, Type::String) if a.is_primitive() => Ordering::Greater,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            generality(a, b)
        }
        (Type::Tuple(_) | Type::List(_), Type::Set(_)) | (Type::List(_), Type::Tuple(_)) => Ordering::Less,
        (Type::Set(_), Type::Tuple(_) | Type::List(_)) | (Type::Tuple(_), Type::List(_)) => Ordering::Greater,
        (Type::Map(_), Type::Object(_)) => Ordering::Less,
        (Type::Object(_), Type::Map(_)) => Ordering::Greater,
        (Type::Object(a), Type::Object(b)) if a.keys().eq(b.keys()) => {
            one_sided(a.values().zip(b.values()).map(|(a, b)| generality(&a.ty, &b.ty)))
        }
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
            one_sided(a.iter().zip(b.iter()).map(|(a, b)| generality(a, b)))
        }
        _ => Ordering::Equal,
    }
}

/// `Less` or `Greater` if all that differ say so.
fn one_sided(all: impl Iterator<Item = Ordering>) -> Ordering {
    let mut seen = Ordering::Equal;
    for order in all {
        if order != Ordering::Equal {
            if seen != Ordering::Equal && seen != order {
                return Ordering::Equal;
            }
            seen = order;
        }
    }
    seen
}

/// Why no conversion is possible, as a phrase.
pub fn mismatch(have: &Type, want: &Type) -> String {
    match (have, want) {
        (Type::Object(h), Type::Object(w)) => {
            let missing: Vec<String> =
                w.iter().filter(|(n, a)| !a.optional && !h.contains_key(*n)).map(|(n, _)| format!("{n:?}")).collect();
            match missing.as_slice() {
                [] => {}
                [one] => return format!("attribute {one} is required"),
                [most @ .., last] => return format!("attributes {} and {last} are required", most.join(", ")),
            }
            for (name, attr) in w.iter() {
                if let Some(own) = h.get(name)
                    && own.ty != attr.ty
                    && !possible(&own.ty, &attr.ty, true)
                {
                    return format!("attribute {name:?}: {}", mismatch(&own.ty, &attr.ty));
                }
            }
            "the attributes do not fit".into()
        }
        (Type::Tuple(_), Type::List(e)) | (Type::Tuple(_), Type::Set(e)) if **e == Type::Any => {
            "all elements must have the same type".into()
        }
        (Type::Object(_), Type::Map(e)) if **e == Type::Any => "all elements must have the same type".into(),
        (Type::Tuple(types), Type::List(e) | Type::Set(e)) => {
            types.iter().enumerate().find(|(_, t)| *t != &**e && !possible(t, e, true)).map_or_else(
                || format!("every element must be {}", e.constraint_name()),
                |(i, t)| format!("element {i}: {}", mismatch(t, e)),
            )
        }
        (Type::Object(attrs), Type::Map(e)) => {
            attrs.iter().find(|(_, a)| a.ty != **e && !possible(&a.ty, e, true)).map_or_else(
                || format!("every element must be {}", e.constraint_name()),
                |(n, a)| format!("element {n:?}: {}", mismatch(&a.ty, e)),
            )
        }
        (Type::List(h) | Type::Set(h), Type::List(w) | Type::Set(w)) | (Type::Map(h), Type::Map(w)) => {
            format!("element type: {}", mismatch(h, w))
        }
        _ => format!("{} required, but have {}", want.constraint_name(), have.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: impl IntoIterator<Item = Value>) -> Value {
        Value::tuple(values.into_iter().collect::<Vec<_>>())
    }

    #[test]
    fn primitives() {
        assert_eq!(
            convert(&Value::number(5i64), &Type::String).ok().and_then(|v| v.as_str().map(str::to_owned)).as_deref(),
            Some("5")
        );
        assert!(convert(&Value::from("x"), &Type::Number).is_err());
        assert!(convert(&Value::from(true), &Type::Number).is_err());
        assert_eq!(
            convert(&Value::from("True"), &Type::Bool).unwrap_err(),
            "a bool is required: write \"true\" in lower case"
        );
    }

    #[test]
    fn tuples_become_lists_of_a_common_type() {
        let mixed = list([Value::number(1i64), Value::from("a")]);
        let converted = convert(&mixed, &Type::list(Type::Any)).expect("unifies");
        assert_eq!(converted.ty(), Type::list(Type::String));
        let odd = list([Value::number(1i64), list([])]);
        assert!(convert(&odd, &Type::list(Type::Any)).is_err());
    }

    #[test]
    fn objects_and_maps() {
        let object = Value::object([("a".into(), Value::number(1i64))].into());
        let map = convert(&object, &Type::map(Type::String)).expect("converts");
        assert_eq!(map.ty(), Type::map(Type::String));
        let want = Type::object([("a", Type::Number)]);
        assert_eq!(convert(&map, &want).map(|v| v.ty()), Ok(want));
        assert_eq!(convert(&object, &Type::object([("b", Type::Number)])).unwrap_err(), "attribute \"b\" is required");
    }

    #[test]
    fn unification() {
        assert_eq!(unify([&Type::Number, &Type::String], true), Some(Type::String));
        assert_eq!(unify([&Type::Number, &Type::Bool], true), None);
        let (a, b) = (Type::tuple([Type::Number]), Type::tuple([Type::Number, Type::String]));
        assert_eq!(unify([&a, &b], true), Some(Type::list(Type::String)));
        assert_eq!(unify([], true), None);
    }
}
