//! Sets.

use super::{Fault, Host, Returned, elements_of};
use crate::convert::{convert, unify};
use crate::{Type, Value};

/// Combinations that `setproduct` makes at most.
const MOST_COMBINATIONS: usize = 1 << 20;

pub(super) fn sethaselement(args: &[Value], _: &dyn Host) -> Returned {
    let Value::Set(ty, elements) = &args[0] else { return Ok(false.into()) };
    if !args[1].is_of(ty) {
        return Ok(false.into());
    }
    Ok(elements.iter().any(|e| e.equals(&args[1])).into())
}

/// Brings all sets to one element type, then folds them.
fn fold(args: &[Value], f: fn(&[Value], &[Value]) -> Vec<Value>) -> Returned {
    let types: Vec<Type> = args
        .iter()
        .filter_map(|v| match v {
            Value::Set(ty, elements) if !(elements.is_empty() && *ty == Type::Any) => Some(ty.clone()),
            _ => None,
        })
        .collect();
    let ty =
        if types.is_empty() { Type::Any } else { unify(&types, true).ok_or("the sets have no common element type")? };
    let want = Type::set(ty.clone());
    let mut sets = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        sets.push(convert(arg, &want).map_err(|why| Fault::Argument(i, why))?);
    }
    let mut rest = sets.into_iter();
    let Some(first) = rest.next() else { return Err("a set is required".into()) };
    let mut current = first;
    for next in rest {
        let elements = f(current.elements().unwrap_or_default(), next.elements().unwrap_or_default());
        current = Value::set(ty.clone(), elements);
    }
    Ok(current)
}

/// Whether a sorted run of elements has one.
fn has(elements: &[Value], element: &Value) -> bool {
    elements.binary_search_by(|e| e.order(element)).is_ok()
}

pub(super) fn setunion(args: &[Value], _: &dyn Host) -> Returned {
    fold(args, |a, b| a.iter().chain(b).cloned().collect())
}

pub(super) fn setintersection(args: &[Value], _: &dyn Host) -> Returned {
    fold(args, |a, b| a.iter().filter(|e| has(b, e)).cloned().collect())
}

pub(super) fn setsubtract(args: &[Value], _: &dyn Host) -> Returned {
    fold(args, |a, b| a.iter().filter(|e| !has(b, e)).cloned().collect())
}

pub(super) fn setsymmetricdifference(args: &[Value], _: &dyn Host) -> Returned {
    fold(args, |a, b| {
        let only = |x: &[Value], y: &[Value]| x.iter().filter(|e| !has(y, e)).cloned().collect::<Vec<_>>();
        [only(a, b), only(b, a)].concat()
    })
}

pub(super) fn setproduct(args: &[Value], _: &dyn Host) -> Returned {
    if args.len() < 2 {
        return Err("at least two sets are required".into());
    }
    let mut types = Vec::with_capacity(args.len());
    let mut total = 1usize;
    for (i, arg) in args.iter().enumerate() {
        types.push(match arg {
            Value::Set(ty, _) | Value::List(ty, _) => ty.clone(),
            Value::Tuple(elements) if elements.is_empty() => Type::Any,
            Value::Tuple(elements) => {
                let types: Vec<Type> = elements.iter().map(Value::ty).collect();
                unify(&types, true).ok_or_else(|| Fault::Argument(i, "all elements must have the same type".into()))?
            }
            other => return Err(Fault::Argument(i, format!("a set or a list is required, not {}", other.describe()))),
        });
        total = total.saturating_mul(elements_of(args, i).len());
    }
    if total > MOST_COMBINATIONS {
        return Err(format!("more than {MOST_COMBINATIONS} combinations").into());
    }
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for (i, ty) in types.iter().enumerate() {
        let mut wider = Vec::with_capacity(combinations.len() * elements_of(args, i).len());
        let mut elements = Vec::new();
        for element in elements_of(args, i) {
            elements.push(convert(element, ty)?);
        }
        for combination in &combinations {
            for element in &elements {
                let mut longer = combination.clone();
                longer.push(element.clone());
                wider.push(longer);
            }
        }
        combinations = wider;
    }
    let tuples: Vec<Value> = combinations.into_iter().map(Value::tuple).collect();
    let ty = Type::from(types);
    if args.iter().any(|v| matches!(v, Value::Set(..))) {
        Ok(Value::set(ty, tuples))
    } else {
        Ok(Value::list(ty, tuples))
    }
}
