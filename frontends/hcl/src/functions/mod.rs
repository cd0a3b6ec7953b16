//! The function library: HCL's standard functions and those that bake adds.

mod cidr;
mod codec;
mod collections;
mod crypto;
mod dates;
mod format;
mod numbers;
mod patterns;
mod sets;
mod strings;
mod versions;

pub use codec::{json_decode_as, json_encode, json_encode_as};

use crate::{Type, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What functions need from the machine.
pub trait Host {
    /// Seconds since 1970 in UTC.
    fn now(&self) -> i64;
    /// The home directory of the user.
    fn home(&self) -> String;
    /// Sixteen random bytes.
    fn random(&self) -> [u8; 16];
}

/// Why a call failed, as a phrase.
pub(crate) enum Fault {
    /// The argument of an index cannot be used.
    Argument(usize, String),
    /// The call as a whole.
    Call(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Fault::Call(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        Fault::Call(why.into())
    }
}

pub(crate) type Returned = Result<Value, Fault>;

/// A function of the library.
pub(crate) struct Builtin {
    pub name: &'static str,
    pub params: &'static [Param],
    /// The parameter that takes all further arguments.
    pub rest: Option<Param>,
    pub take: Take,
    /// What it does, in a sentence.
    pub about: &'static str,
}

/// How a function takes its arguments.
#[derive(Clone, Copy)]
pub(crate) enum Take {
    /// Evaluated and converted.
    Values(fn(&[Value], &dyn Host) -> Returned),
    /// `try`: unevaluated.
    Try,
    /// `can`: unevaluated.
    Can,
    /// `convert`: the second one is a type.
    Convert,
}

/// A parameter.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    pub name: &'static str,
    pub want: Want,
    /// Whether null is let in.
    pub nulls: bool,
}

/// What arguments are converted to.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    Any,
    Text,
    Number,
    Bool,
    Texts,
    List,
    Set,
}

impl Want {
    pub fn ty(self) -> Type {
        match self {
            Want::Any => Type::Any,
            Want::Text => Type::String,
            Want::Number => Type::Number,
            Want::Bool => Type::Bool,
            Want::Texts => Type::list(Type::String),
            Want::List => Type::list(Type::Any),
            Want::Set => Type::set(Type::Any),
        }
    }
}

const fn any(name: &'static str) -> Param {
    Param { name, want: Want::Any, nulls: false }
}
const fn nullable(name: &'static str) -> Param {
    Param { name, want: Want::Any, nulls: true }
}
const fn text(name: &'static str) -> Param {
    Param { name, want: Want::Text, nulls: false }
}
const fn number(name: &'static str) -> Param {
    Param { name, want: Want::Number, nulls: false }
}
const fn boolean(name: &'static str) -> Param {
    Param { name, want: Want::Bool, nulls: false }
}
const fn texts(name: &'static str) -> Param {
    Param { name, want: Want::Texts, nulls: false }
}
const fn list(name: &'static str) -> Param {
    Param { name, want: Want::List, nulls: false }
}
const fn set(name: &'static str) -> Param {
    Param { name, want: Want::Set, nulls: false }
}

/// Finds a function of the library.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Builtin>> =
        LazyLock::new(|| TABLE.iter().map(|b| (b.name, b)).collect());
    BY_NAME.get(name).copied()
}

/// Names of the functions of the library, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|b| b.name)
}

/// Whether the library has a function of this name; it hides one of the user's.
pub fn exists(name: &str) -> bool {
    find(name).is_some()
}

/// What a function does, in a sentence, and how it is called.
pub fn describe(name: &str) -> Option<(String, &'static str)> {
    let builtin = find(name)?;
    let params = builtin.params.iter().map(|p| p.name.to_owned());
    let rest = builtin.rest.iter().map(|p| format!("{}...", p.name));
    let params: Vec<String> = params.chain(rest).collect();
    Some((format!("{name}({})", params.join(", ")), builtin.about))
}

/// An argument that was converted to a text.
fn str_of(args: &[Value], i: usize) -> &str {
    args.get(i).and_then(Value::as_str).unwrap_or("")
}

/// An argument that is to be a machine integer.
fn int_of(args: &[Value], i: usize) -> Result<i64, Fault> {
    args.get(i)
        .and_then(Value::as_number)
        .and_then(crate::Number::to_i64)
        .ok_or_else(|| Fault::Argument(i, "a whole number between -2^63 and 2^63-1 is required".into()))
}

/// An argument that is a list, set or tuple.
fn elements_of(args: &[Value], i: usize) -> &[Value] {
    args.get(i).and_then(Value::elements).unwrap_or_default()
}

macro_rules! table {
    ($($name:ident($($param:expr),*) $([$rest:expr])? = $take:expr, $about:literal;)*) => {
        static TABLE: &[Builtin] = &[$(Builtin {
            name: stringify!($name),
            params: const { &[$($param),*] },
            rest: table!(@rest $($rest)?),
            take: $take,
            about: $about,
        }),*];
    };
    (@rest) => { None };
    (@rest $rest:expr) => { Some($rest) };
}

use Take::Values as V;

table! {
    absolute(number("num")) = V(numbers::absolute), "The number without its sign.";
    add(number("a"), number("b")) = V(numbers::add), "The sum of two numbers.";
    and(boolean("a"), boolean("b")) = V(numbers::and), "Whether both are true.";
    base64decode(text("str")) = V(codec::base64_decode), "The text that a base64 text stands for.";
    base64encode(text("str")) = V(codec::base64_encode), "A text in base64.";
    basename(text("path")) = V(strings::basename), "The last element of a path.";
    bcrypt(text("str")) [number("cost")] = V(crypto::bcrypt), "A bcrypt hash of a text.";
    byteslen(any("buf")) = V(strings::bytes), "The length of a byte buffer; no expression makes one.";
    bytesslice(any("buf"), number("offset"), number("length")) = V(strings::bytes), "A part of a byte buffer; no expression makes one.";
    can(any("expression")) = Take::Can, "Whether an expression can be evaluated.";
    ceil(number("num")) = V(numbers::ceil), "The smallest whole number that is not below.";
    chomp(text("str")) = V(strings::chomp), "The text without line breaks at its end.";
    chunklist(list("list"), number("size")) = V(collections::chunklist), "The list in lists of at most a size.";
    cidrhost(text("prefix"), number("hostnum")) = V(cidr::host), "The address of a host within a network.";
    cidrnetmask(text("prefix")) = V(cidr::netmask), "The network mask of a network.";
    cidrsubnet(text("prefix"), number("newbits"), number("netnum")) = V(cidr::subnet), "A network within a network.";
    cidrsubnets(text("prefix")) [number("newbits")] = V(cidr::subnets), "Consecutive networks within a network.";
    coalesce() [nullable("vals")] = V(collections::coalesce), "The first argument that is not null.";
    coalescelist() [nullable("vals")] = V(collections::coalescelist), "The first list that is not empty.";
    compact(texts("list")) = V(collections::compact), "The list without empty texts and nulls.";
    concat() [any("seqs")] = V(collections::concat), "All elements of several lists.";
    contains(any("list"), any("value")) = V(collections::contains), "Whether a list has an element.";
    convert(nullable("value"), any("type")) = Take::Convert, "A value as another type.";
    csvdecode(text("str")) = V(codec::csv_decode), "A list of objects from CSV with a header line.";
    dirname(text("path")) = V(strings::dirname), "All but the last element of a path.";
    distinct(list("list")) = V(collections::distinct), "The list without repeated elements.";
    divide(number("a"), number("b")) = V(numbers::divide), "The quotient of two numbers.";
    element(any("list"), number("index")) = V(collections::element), "The element of an index, which wraps around.";
    equal(nullable("a"), nullable("b")) = V(collections::equal), "Whether two values are equal.";
    flatten(any("list")) = V(collections::flatten), "A list with the elements of the lists in it.";
    floor(number("num")) = V(numbers::floor), "The greatest whole number that is not above.";
    format(text("format")) [nullable("args")] = V(format::format), "A text from a format and values.";
    formatdate(text("format"), text("time")) = V(dates::formatdate), "A timestamp in another form.";
    formatlist(text("format")) [nullable("args")] = V(format::formatlist), "Texts from a format and lists of values.";
    formattimestamp(text("format"), any("time")) = V(dates::formattimestamp), "A timestamp or a number of seconds since 1970 in another form; the format `X` gives the seconds.";
    greaterthan(number("a"), number("b")) = V(numbers::greaterthan), "Whether the first is greater.";
    greaterthanorequalto(number("a"), number("b")) = V(numbers::greaterthanorequalto), "Whether the first is not less.";
    hasindex(any("collection"), any("key")) = V(collections::hasindex), "Whether a collection has a key.";
    homedir() = V(dates::homedir), "The home directory of the user.";
    indent(number("spaces"), text("str")) = V(strings::indent), "The text with all lines but the first indented.";
    index(any("collection"), any("key")) = V(collections::index), "The element of a key.";
    indexof(any("list"), any("value")) = V(collections::indexof), "The index of an element.";
    int(number("num")) = V(numbers::int), "The whole part of a number.";
    join(text("separator")) [texts("lists")] = V(strings::join), "One text of the elements of lists.";
    jsondecode(text("str")) = V(codec::json_decode), "The value that a JSON text stands for.";
    jsonencode(nullable("val")) = V(codec::json_encode_call), "A value as JSON text.";
    keys(any("inputMap")) = V(collections::keys), "The keys of a map or object.";
    length(any("collection")) = V(collections::length), "How many elements a collection has.";
    lessthan(number("a"), number("b")) = V(numbers::lessthan), "Whether the first is less.";
    lessthanorequalto(number("a"), number("b")) = V(numbers::lessthanorequalto), "Whether the first is not greater.";
    log(number("num"), number("base")) = V(numbers::log), "The logarithm of a number to a base.";
    lookup(any("inputMap"), text("key"), any("default")) = V(collections::lookup), "The element of a key, or a default.";
    lower(text("str")) = V(strings::lower), "The text in lower case.";
    max() [number("numbers")] = V(numbers::max), "The greatest number.";
    md5(text("str")) = V(crypto::md5), "The MD5 hash of a text.";
    merge() [nullable("maps")] = V(collections::merge), "All entries of several maps; later ones win.";
    min() [number("numbers")] = V(numbers::min), "The smallest number.";
    modulo(number("a"), number("b")) = V(numbers::modulo), "The rest of a division.";
    multiply(number("a"), number("b")) = V(numbers::multiply), "The product of two numbers.";
    negate(number("num")) = V(numbers::negate), "The number with the other sign.";
    not(boolean("val")) = V(numbers::not), "The other truth value.";
    notequal(nullable("a"), nullable("b")) = V(collections::notequal), "Whether two values differ.";
    or(boolean("a"), boolean("b")) = V(numbers::or), "Whether one is true.";
    parseint(any("number"), number("base")) = V(numbers::parseint), "The whole number that a text writes in a base.";
    pow(number("num"), number("power")) = V(numbers::pow), "A number to a power.";
    range() [number("params")] = V(collections::range), "Numbers from a start to before an end.";
    regex(text("pattern"), text("string")) = V(patterns::regex), "The first match of a pattern, or its groups.";
    regex_replace(text("str"), text("pattern"), text("replace")) = V(patterns::regex_replace), "The text with all matches of a pattern replaced.";
    regexall(text("pattern"), text("string")) = V(patterns::regexall), "All matches of a pattern, or their groups.";
    replace(text("str"), text("substr"), text("replace")) = V(strings::replace), "The text with every occurrence of another replaced.";
    reverse(text("str")) = V(strings::reverse), "The text backwards.";
    reverselist(any("list")) = V(collections::reverselist), "The list backwards.";
    rsadecrypt(text("ciphertext"), text("privatekey")) = V(crypto::rsadecrypt), "The text that was encrypted to an RSA key.";
    sanitize(text("name")) = V(strings::sanitize), "The text with `_` for all that cannot be in a target name.";
    semvercmp(text("version"), text("contraint")) = V(versions::semvercmp), "Whether a version satisfies a constraint.";
    sethaselement(set("set"), any("elem")) = V(sets::sethaselement), "Whether a set has an element.";
    setintersection(set("first_set")) [set("other_sets")] = V(sets::setintersection), "The elements that all sets have.";
    setproduct() [any("sets")] = V(sets::setproduct), "All combinations of elements of several sets.";
    setsubtract(set("a"), set("b")) = V(sets::setsubtract), "The elements of the first set that the second lacks.";
    setsymmetricdifference(set("first_set")) [set("other_sets")] = V(sets::setsymmetricdifference), "The elements that just one of the sets has.";
    setunion(set("first_set")) [set("other_sets")] = V(sets::setunion), "The elements of all sets.";
    sha1(text("str")) = V(crypto::sha1), "The SHA-1 hash of a text.";
    sha256(text("str")) = V(crypto::sha256), "The SHA-256 hash of a text.";
    sha512(text("str")) = V(crypto::sha512), "The SHA-512 hash of a text.";
    signum(number("num")) = V(numbers::signum), "-1, 0 or 1 for the sign of a number.";
    slice(any("list"), number("start_index"), number("end_index")) = V(collections::slice), "A part of a list.";
    sort(texts("list")) = V(collections::sort), "The texts in order.";
    split(text("separator"), text("str")) = V(strings::split), "The parts of a text between separators.";
    strlen(text("str")) = V(strings::strlen), "How many characters a text has, as people see them.";
    substr(text("str"), number("offset"), number("length")) = V(strings::substr), "A part of a text, in characters as people see them.";
    subtract(number("a"), number("b")) = V(numbers::subtract), "The difference of two numbers.";
    timeadd(text("timestamp"), text("duration")) = V(dates::timeadd), "A timestamp moved by a duration.";
    timestamp() = V(dates::timestamp), "The current time in UTC.";
    title(text("str")) = V(strings::title), "The text with every word capitalized.";
    trim(text("str"), text("cutset")) = V(strings::trim), "The text without certain characters at its ends.";
    trimprefix(text("str"), text("prefix")) = V(strings::trimprefix), "The text without a prefix.";
    trimspace(text("str")) = V(strings::trimspace), "The text without white space at its ends.";
    trimsuffix(text("str"), text("suffix")) = V(strings::trimsuffix), "The text without a suffix.";
    try() [any("expressions")] = Take::Try, "The first expression that can be evaluated.";
    unixtimestampparse(number("unix_timestamp")) = V(dates::unixtimestampparse), "The parts of the time that a number of seconds since 1970 stands for.";
    upper(text("str")) = V(strings::upper), "The text in upper case.";
    urlencode(text("str")) = V(codec::url_encode), "The text as part of a URL's query.";
    uuidv4() = V(crypto::uuidv4), "A random UUID.";
    uuidv5(text("namespace"), text("name")) = V(crypto::uuidv5), "The UUID of a name in a namespace.";
    values(any("mapping")) = V(collections::values), "The values of a map or object, in the order of their keys.";
    zipmap(texts("keys"), any("values")) = V(collections::zipmap), "A map or object from keys and values.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(TABLE.is_sorted_by_key(|b| b.name));
        assert_eq!(TABLE.len(), 106);
    }
}
