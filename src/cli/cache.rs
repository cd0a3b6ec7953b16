//! `rbc cache`: what the store holds, and removing from it.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, SystemTime};

use rbc_buildkit::Daemon;
use rbc_local::{Config, Entry, EntryKind, Executor, Prune};
use rbc_proto::Timestamp;
use rbc_proto::control::{DiskUsageRequest, PruneRequest, UsageRecord};
use rbc_source::{Diagnostic, Sources, lower};

use super::args::{CacheCommand, CacheFormat, DuArgs, MoveArgs, PruneArgs};
use super::build::{caches, open_store};
use super::host::registry_client;
use super::messages::Messages;
use super::progress::text::{bytes, cut, printable};
use super::{Failure, builder, write_output};
use crate::build;

/// Runs the command.
pub fn run(command: &CacheCommand, messages: &Messages) -> Result<(), Failure> {
    match command {
        CacheCommand::Du(args) => du(args),
        CacheCommand::Prune(args) => prune(args, messages),
        CacheCommand::Export(args) => export(args, messages),
        CacheCommand::Import(args) => import(args, messages),
    }
}

/// The executor of a store, with a client for registries.
fn executor(args: &MoveArgs) -> Result<Executor, Failure> {
    let mut sources = Sources::new();
    let client = registry_client(args.registry.registry_config.as_deref(), false, &mut sources);
    let client = client.map_err(|found| Failure::new(&sources, found))?;
    Ok(open_store(args.store.as_deref(), Config { registry: client, ..Config::default() })?)
}

fn export(args: &MoveArgs, messages: &Messages) -> Result<(), Failure> {
    let executor = executor(args)?;
    for cache in caches(std::slice::from_ref(&args.place), "rbc cache export")? {
        let to = build::cache_to(&cache)?;
        let records = executor.store().cache_records().map_err(|e| *e)?;
        build::write_cache(&to, &records, &executor)?;
        messages.say(&format!("{} results are in {}", records.len(), to.place));
    }
    Ok(())
}

fn import(args: &MoveArgs, messages: &Messages) -> Result<(), Failure> {
    let executor = executor(args)?;
    for cache in caches(std::slice::from_ref(&args.place), "rbc cache import")? {
        let from = build::cache_from(&cache)?;
        let Some(source) = build::open_cache(&from, &executor)? else {
            let found =
                Diagnostic::new(rbc_source::image::NOT_FOUND, format!("{from} is an image that holds no cache"));
            return Err(found.into());
        };
        source.take_all(&executor).map_err(|e| *e.diagnostic)?;
        messages.say(&format!("{} keys of results were taken from {from}", source.len()));
    }
    Ok(())
}

fn du(args: &DuArgs) -> Result<(), Failure> {
    let filters = Filters::read(&args.filters)?;
    let mut rows: Vec<Row> = match daemons(args.builder.as_deref())? {
        None => {
            let store = open_store(args.store.as_deref(), Config::default())?;
            store.store().entries().map_err(|e| *e)?.iter().map(Row::from).collect()
        }
        Some(daemons) => {
            let mut rows = Vec::new();
            for daemon in daemons {
                rows.extend(daemon.usage(&DiskUsageRequest::default())?.iter().map(Row::from));
            }
            rows.sort_by_key(|row| row.used);
            rows
        }
    };
    rows.retain(|row| filters.accept(row));
    Ok(write_output(None, show(&rows, args.format, args.verbose).as_bytes())?)
}

fn prune(args: &PruneArgs, messages: &Messages) -> Result<(), Failure> {
    let mut filters = Filters::read(&args.filters)?;
    if let Some(age) = &args.until {
        filters.until = Some(duration(age)?);
    }
    let keep = match &args.keep_storage {
        None => None,
        Some(size) => Some(rbc_lower::bytes(size).and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
            Diagnostic::new(
                lower::OPTION,
                format!("`{size}` is no size; write a number of bytes, or one such as `10gb`"),
            )
        })?),
    };
    if !args.force && std::io::stdin().is_terminal() && !agreed() {
        return Ok(());
    }
    let removed: Vec<Row> = match daemons(args.builder.as_deref())? {
        None => {
            let executor = open_store(args.store.as_deref(), Config::default())?;
            let limits = Prune { until: filters.until, keep };
            let chosen =
                |entry: &Entry| (args.all || entry.kind != EntryKind::Internal) && filters.accept(&Row::from(entry));
            executor.store().prune(&limits, &chosen).map_err(|e| *e)?.iter().map(Row::from).collect()
        }
        Some(daemons) => {
            let mut request = PruneRequest {
                all: args.all,
                keep_duration: filters.until.map_or(0, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)),
                reserved_space: keep.map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
                ..PruneRequest::default()
            };
            let mut rows = Vec::new();
            for daemon in daemons {
                if !filters.fields.is_empty() {
                    // A daemon knows descriptions when it lists, and not when it prunes.
                    let kept = daemon.usage(&DiskUsageRequest::default())?;
                    let chosen = kept.iter().filter(|record| filters.accept(&Row::from(*record)));
                    request.filter = chosen.map(|record| format!("id=={}", record.id)).collect();
                    if request.filter.is_empty() {
                        continue;
                    }
                }
                rows.extend(daemon.prune(&request)?.iter().map(Row::from));
            }
            rows
        }
    };
    if args.verbose {
        write_output(None, show(&removed, CacheFormat::Table, true).as_bytes())?;
    }
    messages.say(&format!("removed {} entries, {}", removed.len(), bytes(removed.iter().map(|e| e.size).sum())));
    Ok(())
}

/// Asks the user, who is there.
fn agreed() -> bool {
    let mut out = std::io::stderr().lock();
    _ = write!(out, "This removes what builds could use again. Go on? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("y")
}

/// What `--filter` asks for.
#[derive(Default)]
struct Filters {
    until: Option<Duration>,
    /// Key, value, and whether a part of it is enough.
    fields: Vec<(Field, String, bool)>,
}

#[derive(Clone, Copy)]
enum Field {
    Id,
    Kind,
    Description,
}

impl Filters {
    fn read(texts: &[String]) -> Result<Filters, Diagnostic> {
        let mut filters = Filters::default();
        for text in texts {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                Diagnostic::new(lower::OPTION, format!("the filter `{text}` has no value; write KEY=VALUE"))
            })?;
            let (key, part) = key.strip_suffix('~').map_or((key, false), |key| (key, true));
            let field = match key {
                "until" => {
                    filters.until = Some(duration(value)?);
                    continue;
                }
                "id" => Field::Id,
                "type" => Field::Kind,
                "description" => Field::Description,
                _ => {
                    let keys = ["until", "id", "type", "description"];
                    let found = Diagnostic::new(lower::OPTION, format!("there is no filter by `{key}`"));
                    return Err(found.note(format!("there are {}", keys.join(", "))).suggest(key, keys));
                }
            };
            filters.fields.push((field, value.to_owned(), part));
        }
        Ok(filters)
    }

    fn accept(&self, entry: &Row) -> bool {
        let old = |age: Duration| entry.used.elapsed().is_ok_and(|past| past >= age);
        self.until.is_none_or(old)
            && self.fields.iter().all(|(field, wanted, part)| {
                let value = match field {
                    Field::Id => &entry.id,
                    Field::Kind => &entry.kind,
                    Field::Description => &entry.description,
                };
                if *part { value.contains(wanted.as_str()) } else { value == wanted }
            })
    }
}

fn duration(text: &str) -> Result<Duration, Diagnostic> {
    let nanoseconds = rbc_grammar::values::duration(text).ok().and_then(|n| u64::try_from(n).ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| {
        Diagnostic::new(lower::OPTION, format!("`{text}` is no length of time; write one such as `48h` or `90m`"))
    })
}

/// The daemons of a builder; none if it is here.
fn daemons(name: Option<&str>) -> Result<Option<Vec<Daemon>>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let Some(builder) = builder::find(Some(name))? else { return Ok(None) };
    Ok(Some(builder::connect(&builder)?))
}

/// Something that is kept, here or by a builder.
struct Row {
    id: String,
    kind: String,
    size: u64,
    created: SystemTime,
    used: SystemTime,
    description: String,
    /// Whether something else is on top of it, or a build uses it.
    needed: bool,
    /// Whether people are not interested in it.
    internal: bool,
}

impl From<&Entry> for Row {
    fn from(entry: &Entry) -> Self {
        Row {
            id: entry.id.clone(),
            kind: entry.kind.name().to_owned(),
            size: entry.size,
            created: entry.created,
            used: entry.used,
            description: entry.description.clone(),
            needed: entry.needed,
            internal: entry.kind == EntryKind::Internal,
        }
    }
}

impl From<&UsageRecord> for Row {
    fn from(record: &UsageRecord) -> Self {
        let time = |at: &Timestamp| {
            let nanoseconds = u64::try_from(at.nanoseconds()).unwrap_or(0);
            SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
        };
        let created = record.created_at.as_ref().map_or(SystemTime::UNIX_EPOCH, time);
        Row {
            id: record.id.clone(),
            kind: record.record_type.clone(),
            size: u64::try_from(record.size).unwrap_or(0),
            created,
            // What was not used since, was when it was made.
            used: record.last_used_at.as_ref().map_or(created, time),
            description: record.description.clone(),
            needed: record.in_use,
            internal: record.record_type == "internal",
        }
    }
}

fn show(entries: &[Row], format: CacheFormat, verbose: bool) -> String {
    let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    if format == CacheFormat::Json {
        let line = |e: &Row| {
            let json = serde_json::json!({
                "id": e.id, "type": e.kind, "size": e.size, "created": seconds(e.created),
                "lastUsed": seconds(e.used), "description": e.description, "needed": e.needed,
            });
            format!("{json}\n")
        };
        return entries.iter().map(line).collect();
    }
    let mut out = format!("{:<34}{:<22}{:>10}  {:<12}{}\n", "ID", "TYPE", "SIZE", "LAST USED", "DESCRIPTION");
    for entry in entries.iter().filter(|e| verbose || !e.internal) {
        let ago = entry.used.elapsed().unwrap_or_default();
        let text = cut(&printable(entry.description.as_bytes()), if verbose { usize::MAX } else { 60 });
        let id = cut(&printable(entry.id.as_bytes()), if verbose { usize::MAX } else { 32 });
        out += &format!("{id:<34}{:<22}{:>10}  {:<12}{text}\n", entry.kind, bytes(entry.size), ago_of(ago));
    }
    out + &format!("total {}\n", bytes(entries.iter().map(|e| e.size).sum()))
}

/// How long ago something was, in words.
pub(super) fn ago_of(past: Duration) -> String {
    match past.as_secs() {
        0..60 => "now".to_owned(),
        s @ 60..3_600 => format!("{} min ago", s / 60),
        s @ 3_600..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} days ago", s / 86_400),
    }
}
