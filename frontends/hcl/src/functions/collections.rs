//! Lists, tuples, maps and objects.

use super::{Fault, Host, Returned, elements_of, int_of, str_of};
use crate::convert::{convert, unify};
use crate::value::Entries;
use crate::{Number, Type, Value};

/// `range` gives no more numbers than this, as in the reference.
const LONGEST_RANGE: usize = 1024;

fn list_of(ty: Type, elements: Vec<Value>) -> Returned {
    Ok(Value::list(ty, elements))
}

/// The element type of a list; [`Type::Any`] for anything else.
fn element_type(value: &Value) -> Type {
    match value {
        Value::List(ty, _) | Value::Set(ty, _) | Value::Map(ty, _) => ty.clone(),
        _ => Type::Any,
    }
}

pub(super) fn chunklist(args: &[Value], _: &dyn Host) -> Returned {
    let size =
        usize::try_from(int_of(args, 1)?).map_err(|_| Fault::Argument(1, "the size must not be negative".into()))?;
    let (elements, ty) = (elements_of(args, 0), element_type(&args[0]));
    let of = Type::list(ty.clone());
    if elements.is_empty() {
        return list_of(of, Vec::new());
    }
    let size = if size == 0 { elements.len() } else { size };
    list_of(of, elements.chunks(size).map(|c| Value::list(ty.clone(), c.to_vec())).collect())
}

pub(super) fn coalesce(args: &[Value], _: &dyn Host) -> Returned {
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    let ty = unify(&types, true).ok_or("the arguments have no common type")?;
    match args.iter().find(|v| !v.is_null()) {
        Some(value) => Ok(convert(value, &ty)?),
        None => Err("all arguments are null".into()),
    }
}

pub(super) fn coalescelist(args: &[Value], _: &dyn Host) -> Returned {
    if args.is_empty() {
        return Err("at least one argument is required".into());
    }
    for (i, arg) in args.iter().enumerate() {
        if !matches!(arg.ty(), Type::List(_) | Type::Tuple(_)) {
            return Err(Fault::Argument(i, "a list or tuple is required".into()));
        }
    }
    let found = args.iter().find(|v| v.elements().is_some_and(|e| !e.is_empty()));
    found.cloned().ok_or_else(|| "all lists are empty or null".into())
}

pub(super) fn compact(args: &[Value], _: &dyn Host) -> Returned {
    let kept = elements_of(args, 0).iter().filter(|v| v.as_str().is_some_and(|s| !s.is_empty()));
    list_of(Type::String, kept.cloned().collect())
}

pub(super) fn concat(args: &[Value], _: &dyn Host) -> Returned {
    if args.is_empty() {
        return Err("at least one argument is required".into());
    }
    for (i, arg) in args.iter().enumerate() {
        if !matches!(arg, Value::List(..) | Value::Tuple(_)) {
            return Err(Fault::Argument(i, format!("a list or tuple is required, not {}", arg.describe())));
        }
    }
    if args.iter().all(|v| matches!(v, Value::List(..))) {
        let types: Vec<Type> = args.iter().map(Value::ty).collect();
        if let Some(Type::List(ty)) = unify(&types, true) {
            let mut all = Vec::new();
            for (i, arg) in args.iter().enumerate() {
                let list = convert(arg, &Type::List(ty.clone())).map_err(|why| Fault::Argument(i, why))?;
                all.extend_from_slice(list.elements().unwrap_or_default());
            }
            return list_of((*ty).clone(), all);
        }
    }
    let all: Vec<Value> = (0..args.len()).flat_map(|i| elements_of(args, i).iter().cloned()).collect();
    Ok(Value::tuple(all))
}

fn sequence<'v>(args: &'v [Value], what: &str, sets: bool) -> Result<&'v [Value], Fault> {
    match args.first() {
        Some(Value::List(_, e) | Value::Tuple(e)) => Ok(e),
        Some(Value::Set(_, e)) if sets => Ok(e),
        Some(other) => Err(Fault::Argument(0, format!("{what} is required, not {}", other.describe()))),
        None => Err("an argument is required".into()),
    }
}

pub(super) fn contains(args: &[Value], _: &dyn Host) -> Returned {
    let elements = sequence(args, "a list, tuple or set", true)?;
    Ok(elements.iter().any(|v| v.equals(&args[1])).into())
}

pub(super) fn distinct(args: &[Value], _: &dyn Host) -> Returned {
    let mut kept: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for element in elements_of(args, 0) {
        // Texts are looked up; anything else is compared with all that were kept.
        let fresh = match element {
            Value::String(text) => seen.insert(text.clone()),
            other => !kept.iter().any(|k| k.equals(other)),
        };
        if fresh {
            kept.push(element.clone());
        }
    }
    list_of(element_type(&args[0]), kept)
}

pub(super) fn element(args: &[Value], _: &dyn Host) -> Returned {
    let elements = sequence(args, "a list or tuple", false)?;
    let index = int_of(args, 1)?;
    if elements.is_empty() {
        return Err("the list is empty".into());
    }
    Ok(elements[index.rem_euclid(elements.len() as i64) as usize].clone())
}

pub(super) fn equal(args: &[Value], _: &dyn Host) -> Returned {
    Ok(args[0].equals(&args[1]).into())
}

pub(super) fn notequal(args: &[Value], _: &dyn Host) -> Returned {
    Ok((!args[0].equals(&args[1])).into())
}

pub(super) fn flatten(args: &[Value], _: &dyn Host) -> Returned {
    fn add(elements: &[Value], out: &mut Vec<Value>) {
        for element in elements {
            match element.elements() {
                Some(inner) => add(inner, out),
                None => out.push(element.clone()),
            }
        }
    }
    let mut out = Vec::new();
    add(sequence(args, "a list, set or tuple", true)?, &mut out);
    Ok(Value::tuple(out))
}

/// The element of a key, which must be of the kind that the collection has.
fn find<'v>(collection: &'v Value, key: &Value) -> Option<&'v Value> {
    match (collection, key) {
        (Value::List(_, e) | Value::Tuple(e), Value::Number(n)) => e.get(usize::try_from(n.to_i64()?).ok()?),
        (Value::Map(_, entries), Value::String(name)) => entries.get(name),
        _ => None,
    }
}

fn indexable(value: &Value) -> Result<(), Fault> {
    match value {
        Value::List(..) | Value::Tuple(_) | Value::Map(..) => Ok(()),
        other => Err(Fault::Argument(0, format!("a list, a map or a tuple is required, not {}", other.describe()))),
    }
}

pub(super) fn hasindex(args: &[Value], _: &dyn Host) -> Returned {
    indexable(&args[0])?;
    Ok(find(&args[0], &args[1]).is_some().into())
}

pub(super) fn index(args: &[Value], _: &dyn Host) -> Returned {
    indexable(&args[0])?;
    find(&args[0], &args[1]).cloned().ok_or_else(|| Fault::Argument(1, "the collection has no such element".into()))
}

pub(super) fn indexof(args: &[Value], _: &dyn Host) -> Returned {
    let elements = sequence(args, "a list or tuple", false)?;
    if elements.is_empty() {
        return Err("the list is empty".into());
    }
    let found = elements.iter().position(|v| v.equals(&args[1]));
    found.map(Value::number).ok_or_else(|| "the list has no such element".into())
}

pub(super) fn keys(args: &[Value], _: &dyn Host) -> Returned {
    match &args[0] {
        Value::Map(_, entries) => Ok(Value::strings(entries.keys())),
        Value::Object(entries) => Ok(Value::tuple(entries.keys().cloned().map(Value::String).collect::<Vec<_>>())),
        other => Err(Fault::Argument(0, format!("a map or an object is required, not {}", other.describe()))),
    }
}

pub(super) fn values(args: &[Value], _: &dyn Host) -> Returned {
    match &args[0] {
        Value::Map(ty, entries) => list_of(ty.clone(), entries.values().cloned().collect()),
        Value::Object(entries) => Ok(Value::tuple(entries.values().cloned().collect::<Vec<_>>())),
        other => Err(Fault::Argument(0, format!("a map or an object is required, not {}", other.describe()))),
    }
}

pub(super) fn length(args: &[Value], _: &dyn Host) -> Returned {
    match &args[0] {
        Value::Object(_) => {
            Err(Fault::Argument(0, "a list, a map or a tuple is required, not an object: use `length(keys(x))`".into()))
        }
        other => other.length().map(Value::number).ok_or_else(|| {
            let hint = if other.as_str().is_some() { "; `strlen` measures texts" } else { "" };
            Fault::Argument(0, format!("a list, a map or a tuple is required, not {}{hint}", other.describe()))
        }),
    }
}

pub(super) fn lookup(args: &[Value], _: &dyn Host) -> Returned {
    let key = str_of(args, 1);
    match &args[0] {
        Value::Object(entries) => Ok(entries.get(key).unwrap_or(&args[2]).clone()),
        Value::Map(ty, entries) => {
            let default = convert(&args[2], ty)
                .map_err(|_| Fault::Argument(2, "the default must be of the type of the map's elements".into()))?;
            Ok(entries.get(key).cloned().unwrap_or(default))
        }
        other => Err(Fault::Argument(0, format!("a map is required, not {}", other.describe()))),
    }
}

pub(super) fn merge(args: &[Value], _: &dyn Host) -> Returned {
    let Some(first) = args.first() else { return Ok(Value::object(Entries::new())) };
    for (i, arg) in args.iter().enumerate() {
        match arg.ty() {
            Type::Any => return merge_rest(args),
            Type::Map(_) | Type::Object(_) => {}
            other => return Err(Fault::Argument(i, format!("a map or an object is required, not {}", other.name()))),
        }
    }
    let ty = first.ty();
    match ty {
        Type::Map(element) if args.iter().all(|v| v.ty() == Type::Map(element.clone())) => {
            Ok(Value::map((*element).clone(), merged(args)))
        }
        _ => Ok(Value::object(merged(args))),
    }
}

/// With a bare null among the arguments the result is an object, whatever the others are.
fn merge_rest(args: &[Value]) -> Returned {
    match args.iter().position(|v| !v.is_null() && v.entries().is_none()) {
        Some(i) => Err(Fault::Argument(i, "a map or an object is required".into())),
        None => Ok(Value::object(merged(args))),
    }
}

fn merged(args: &[Value]) -> Entries {
    args.iter().filter_map(Value::entries).flat_map(|e| e.iter().map(|(k, v)| (k.clone(), v.clone()))).collect()
}

pub(super) fn range(args: &[Value], _: &dyn Host) -> Returned {
    let numbers: Vec<&Number> = args.iter().filter_map(Value::as_number).collect();
    let (zero, one) = (Number::zero(), Number::from(1i64));
    let toward = |from: &Number, to: &Number| if to < from { one.negated() } else { one.clone() };
    let (start, end, step) = match numbers.as_slice() {
        [end] => (zero.clone(), (*end).clone(), toward(&zero, end)),
        [start, end] => ((*start).clone(), (*end).clone(), toward(start, end)),
        [start, end, step] => ((*start).clone(), (*end).clone(), (*step).clone()),
        _ => return Err("one, two or three arguments are required".into()),
    };
    if step.is_zero() {
        return Err(Fault::Argument(2, "the step must not be zero".into()));
    }
    let down = step.is_negative();
    if if down { end > start } else { end < start } {
        return Err(Fault::Argument(1, "the step leads away from the end".into()));
    }
    let mut out = Vec::new();
    let mut current = start;
    while if down { current > end } else { current < end } {
        if out.len() >= LONGEST_RANGE {
            return Err(format!("more than {LONGEST_RANGE} numbers; take a larger step").into());
        }
        out.push(Value::number(current.clone()));
        current = current.plus(&step).map_err(|_| "the numbers are infinite")?;
    }
    list_of(Type::Number, out)
}

pub(super) fn reverselist(args: &[Value], _: &dyn Host) -> Returned {
    let reversed: Vec<Value> = sequence(args, "a list or tuple", true)?.iter().rev().cloned().collect();
    match &args[0] {
        Value::Tuple(_) => Ok(Value::tuple(reversed)),
        other => list_of(element_type(other), reversed),
    }
}

pub(super) fn slice(args: &[Value], _: &dyn Host) -> Returned {
    let elements = sequence(args, "a list or tuple", false)?;
    let bound = |i: usize| -> Result<usize, Fault> {
        let index = int_of(args, i)?;
        let index = usize::try_from(index).map_err(|_| Fault::Argument(i, "an index must not be below 0".into()))?;
        if index > elements.len() {
            return Err(Fault::Argument(i, format!("the list has only {} elements", elements.len())));
        }
        Ok(index)
    };
    let (start, end) = (bound(1)?, bound(2)?);
    if start > end {
        return Err(Fault::Argument(1, "the start must not be behind the end".into()));
    }
    let part = elements[start..end].to_vec();
    match &args[0] {
        Value::Tuple(_) => Ok(Value::tuple(part)),
        other => list_of(element_type(other), part),
    }
}

pub(super) fn sort(args: &[Value], _: &dyn Host) -> Returned {
    let mut elements = elements_of(args, 0).to_vec();
    if let Some(i) = elements.iter().position(Value::is_null) {
        return Err(Fault::Argument(0, format!("element {i} is null")));
    }
    elements.sort_by(Value::order);
    list_of(Type::String, elements)
}

pub(super) fn zipmap(args: &[Value], _: &dyn Host) -> Returned {
    let keys = elements_of(args, 0);
    let values = match &args[1] {
        Value::List(_, e) | Value::Tuple(e) => e,
        other => return Err(Fault::Argument(1, format!("a list or tuple is required, not {}", other.describe()))),
    };
    if keys.len() != values.len() {
        return Err(format!("there are {} keys for {} values", keys.len(), values.len()).into());
    }
    let mut out = Entries::new();
    for (i, (key, value)) in keys.iter().zip(values.iter()).enumerate() {
        match key {
            Value::String(name) => {
                out.insert(name.clone(), value.clone());
            }
            _ => return Err(Fault::Argument(0, format!("element {i} is null"))),
        }
    }
    match &args[1] {
        Value::List(ty, _) => Ok(Value::map(ty.clone(), out)),
        _ => Ok(Value::object(out)),
    }
}
