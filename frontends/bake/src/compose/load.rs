//! Compose files to one model: variables replaced, other files included, services extended, all of it merged.

use super::merge::{self, Fault, fault};
use super::{dotenv, template};
use crate::Host;
use crate::world::MOST_HINTS;
use rbc_ast::plan::Text;
use rbc_context::path;
use rbc_source::{Diagnostic, SourceFile, Span, bake as codes};
use rbc_yaml::Place;
use rbc_yaml::{Data, Entries, Mark, Node, entry};
use std::collections::{BTreeMap, HashMap};

/// Services that extend one another, or files that include one another, at most.
const LONGEST_CHAIN: usize = 100;
/// Files that are included or extended at most.
const MOST_FILES: usize = 1000;
const PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";

pub(super) type Variables = BTreeMap<String, String>;

/// All services and secrets, each in its canonical form.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub services: Option<Entries>,
    pub secrets: Option<Node>,
}

/// Loads files on top of one another. Sets the name of the project among the variables.
pub(super) fn load(
    files: &[&SourceFile],
    variables: &mut Variables,
    host: &dyn Host,
    faults: &mut Vec<Diagnostic>,
) -> Option<Model> {
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        match rbc_yaml::read(file.text(), Place::File(file), codes::COMPOSE) {
            Ok(documents) => all.push((file, documents)),
            Err(problem) => faults.push(*problem),
        }
    }
    let before = faults.len();
    if all.len() < files.len() {
        return None;
    }
    name_project(all.iter().flat_map(|(_, documents)| documents), variables);
    let mut loader = Loader { host, faults, bases: HashMap::new(), files: 0 };
    let scope = Scope { base: String::new(), within: String::new(), including: Vec::new(), variables };
    let mut model = Model::default();
    for (file, documents) in all {
        let mut scope = scope.clone();
        scope.including.push(file.name().to_owned());
        loader.documents(documents, file.name(), &scope, &mut model);
    }
    loader.complete(&mut model, &scope);
    (faults.len() == before).then_some(model)
}

/// What `name:` says, or the environment, is the project's name.
fn name_project<'d>(documents: impl Iterator<Item = &'d Node>, variables: &mut Variables) {
    let written = documents.filter_map(|d| d.as_map()?.get("name")?.value.scalar()).filter(|n| !n.is_empty()).last();
    let lookup = |name: &str| variables.get(name).cloned();
    let name = written.and_then(|n| template::substitute(&n, &lookup).ok()).filter(|n| !n.is_empty());
    let name = name.or_else(|| lookup(PROJECT_NAME).filter(|n| !n.is_empty()));
    variables.insert(PROJECT_NAME.into(), name.unwrap_or_else(|| "bake".into()));
}

/// Where a file is read.
#[derive(Clone)]
struct Scope<'v> {
    /// The directory that paths of files start from.
    base: String,
    /// The same, seen from that of the file that includes this one.
    within: String,
    /// The files that include one another here.
    including: Vec<String>,
    variables: &'v Variables,
}

/// Services of a file that others extend.
struct Base {
    services: Entries,
    resets: Vec<Vec<Text>>,
}

struct Loader<'l> {
    host: &'l dyn Host,
    faults: &'l mut Vec<Diagnostic>,
    bases: HashMap<String, Base>,
    files: usize,
}

impl Loader<'_> {
    /// Remembers what went wrong, if it did.
    fn settle<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|problem| self.faults.push(*problem)).ok()
    }

    /// Puts the documents of a file on top of a model.
    fn documents(&mut self, documents: Vec<Node>, file: &str, scope: &Scope, model: &mut Model) {
        for document in documents {
            let done = self.document(document, file, scope, model);
            self.settle(done);
        }
    }

    fn document(&mut self, document: Node, file: &str, scope: &Scope, model: &mut Model) -> Result<(), Fault> {
        let (mut own, resets, include) = self.read(document, scope)?;
        if let Some(include) = include {
            self.include(include, scope, &resets, &mut own)?;
        }
        reset(model, &resets);
        if let Some(services) = &mut own.services {
            let names: Vec<Text> = services.keys().cloned().collect();
            for name in names {
                let done = self.extend(&name, services, &resets, file, &scope.base, scope, &mut Vec::new());
                // If that failed, it is as if it extended nothing.
                if self.settle(done).is_none()
                    && let Some(service) = services.get_mut(&name).and_then(|e| e.value.as_map_mut())
                {
                    service.remove("extends");
                }
            }
        }
        self.put(own, model)
    }

    /// The parts of a document that count, its variables replaced; the paths that it takes away from earlier files; what it
    /// includes.
    fn read(&mut self, mut document: Node, scope: &Scope) -> Result<(Model, Vec<Vec<Text>>, Option<Node>), Fault> {
        let mut resets = Vec::new();
        take_resets(&mut document, &mut Vec::new(), &mut resets);
        let lookup = |name: &str| scope.variables.get(name).cloned();
        interpolate(&mut document, &lookup, self.faults);
        let Data::Map(mut entries) = document.data else {
            return Err(fault(format!("a compose file is a mapping, not {}", document.describe()), &document));
        };
        let mut own = Model::default();
        if let Some(services) = entries.remove("services") {
            let Data::Map(mut all) = services.value.data else {
                let message = format!("`services` is a mapping of services by name, not {}", services.value.describe());
                return Err(fault(message, &Node::new(services.key, Data::Null)));
            };
            for service in all.values_mut() {
                if let Some(fields) = service.value.as_map_mut() {
                    // All else is about running a service, not about building it.
                    fields.retain(|k, _| matches!(&**k, "image" | "build" | "environment" | "env_file" | "extends"));
                }
            }
            own.services = Some(all);
        }
        if let Some(secrets) = entries.remove("secrets") {
            own.secrets = Some(secrets.value);
        }
        let include = entries.remove("include").map(|e| e.value).filter(|n| !n.is_null());
        Ok((own, resets, include))
    }

    /// Puts a document on top of a model.
    fn put(&mut self, own: Model, model: &mut Model) -> Result<(), Fault> {
        if let Some(services) = own.services {
            let all = model.services.get_or_insert_default();
            for (name, over) in services {
                let key = over.key;
                let merged = match all.remove(&name) {
                    None => Ok(over.value),
                    Some(base) => merge::merge_service(base.value, over.value),
                };
                let merged = merged.and_then(|mut service| merge::canonical_service(&mut service).map(|()| service));
                if let Some(value) = self.settle(merged) {
                    all.insert(name, rbc_yaml::Entry { key, value });
                }
            }
        }
        if let Some(secrets) = own.secrets {
            let mut secrets = match model.secrets.take() {
                None => secrets,
                Some(base) => merge::merge_secret(base, secrets)?,
            };
            secrets.as_map_mut().into_iter().flatten().for_each(|(_, e)| merge::canonical_secret(&mut e.value));
            model.secrets = Some(secrets);
        }
        Ok(())
    }

    /// Sets what is not set, and lets paths start from where they are read.
    fn complete(&mut self, model: &mut Model, scope: &Scope) {
        for service in model.services.iter_mut().flat_map(|s| s.values_mut()) {
            let span = service.key;
            let Some(service) = service.value.as_map_mut() else { continue };
            if let Some(build) = service.get_mut("build").and_then(|e| e.value.as_map_mut()) {
                build.entry("context".into()).or_insert_with(|| entry(Node::text(span, ".")));
            }
            let moved = self.move_paths(service, &scope.within);
            self.settle(moved);
            if let Some(environment) = service.get_mut("environment")
                && let Data::List(list) = &mut environment.value.data
            {
                for element in list {
                    if let Some(value) = element.as_text().and_then(|name| scope.variables.get(&**name)) {
                        let text = format!("{}={value}", element.as_text().map_or("", |n| n));
                        *element = Node::text(element.span, text);
                    }
                }
            }
        }
        let secrets = model.secrets.iter_mut().filter_map(|s| s.as_map_mut()).flatten();
        for (_, secret) in secrets {
            if let Some(file) = secret.value.as_map_mut().and_then(|s| s.get_mut("file")) {
                self.move_path(&mut file.value, &scope.within);
            }
        }
    }

    /// Lets the paths of a service start from a directory.
    fn move_paths(&self, service: &mut Entries, dir: &str) -> Result<(), Fault> {
        let expects_text = |node: &Node| match node.as_text() {
            Some(_) => Ok(()),
            None => Err(fault(format!("a path or URL is expected here, not {}", node.describe()), node)),
        };
        if let Some(extends) = service.get_mut("extends").and_then(|e| e.value.as_map_mut())
            && let Some(file) = extends.get_mut("file")
        {
            self.move_path(&mut file.value, dir);
        }
        if let Some(files) = service.get_mut("env_file")
            && let Data::List(files) = &mut files.value.data
        {
            for path in files.iter_mut().filter_map(|f| f.as_map_mut()?.get_mut("path")) {
                expects_text(&path.value)?;
                self.move_path(&mut path.value, dir);
            }
        }
        let Some(build) = service.get_mut("build").and_then(|e| e.value.as_map_mut()) else { return Ok(()) };
        if let Some(context) = build.get_mut("context") {
            expects_text(&context.value)?;
            self.move_context(&mut context.value, dir);
        }
        for (_, context) in
            build.get_mut("additional_contexts").and_then(|e| e.value.as_map_mut()).into_iter().flatten()
        {
            expects_text(&context.value)?;
            self.move_context(&mut context.value, dir);
        }
        for (_, key) in build.get_mut("ssh").and_then(|e| e.value.as_map_mut()).into_iter().flatten() {
            self.move_path(&mut key.value, dir);
        }
        Ok(())
    }

    fn move_context(&self, node: &mut Node, dir: &str) {
        const ELSEWHERE: [&str; 4] = ["service:", "target:", "github.com/", "git@"];
        let local = node.as_text().is_some_and(|t| !t.contains("://") && !ELSEWHERE.iter().any(|p| t.starts_with(p)));
        if local {
            self.move_path(node, dir);
        }
    }

    fn move_path(&self, node: &mut Node, dir: &str) {
        let Some(written) = node.as_text() else { return };
        let home = self.host.home();
        let moved = match written.strip_prefix('~') {
            Some(rest) if !home.is_empty() => path::join(&[&home, rest]),
            _ if written.is_empty() || written.starts_with('/') || is_windows(written) => return,
            _ => path::join(&[dir, written]),
        };
        *node = Node::text(node.span, moved);
    }

    // ---- other files

    /// The text of another file.
    fn open(&mut self, path: &str, at: &Node) -> Result<String, Fault> {
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(fault(format!("more than {MOST_FILES} files are included or extended"), at));
        }
        self.host.read(path).ok_or_else(|| fault(format!("the file `{path}` cannot be read"), at))
    }

    /// Reads other files into a model.
    fn include(&mut self, include: Node, scope: &Scope, resets: &[Vec<Text>], own: &mut Model) -> Result<(), Fault> {
        let Data::List(list) = &include.data else {
            return Err(fault(format!("`include` is a list of files, not {}", include.describe()), &include));
        };
        for element in list {
            let other = self.included(element, scope);
            if let Some(mut other) = self.settle(other) {
                reset(&mut other, resets);
                self.settle(import(other, own));
            }
        }
        Ok(())
    }

    fn included(&mut self, element: &Node, scope: &Scope) -> Result<Model, Fault> {
        let field = |name: &str| element.as_map().and_then(|m| m.get(name)).map(|e| &e.value);
        let files = match &element.data {
            Data::Text(_) => vec![element],
            _ => match field("path") {
                Some(paths) => texts(paths)?,
                None => return Err(fault("a `path` is expected here", element)),
            },
        };
        let Some(main) = files.first().and_then(|n| n.as_text()) else {
            return Err(fault("no file is named", element));
        };
        let dir = match field("project_directory") {
            None => path::dir(main),
            Some(dir) => match dir.as_text() {
                Some(dir) => dir.to_string(),
                None => return Err(fault(format!("a directory is expected here, not {}", dir.describe()), dir)),
            },
        };
        let base = beside(&scope.base, &dir);
        let main = beside(&scope.base, main);
        if scope.including.contains(&main) {
            return Err(fault(format!("`{main}` includes itself"), element));
        }
        if scope.including.len() > LONGEST_CHAIN {
            return Err(fault(format!("more than {LONGEST_CHAIN} files include one another"), element));
        }
        let mut variables = scope.variables.clone();
        self.include_variables(field("env_file"), &base, scope, &mut variables)?;
        let mut including = scope.including.clone();
        including.push(main);
        let inner = Scope { base, within: dir, including, variables: &variables };
        let mut model = Model::default();
        for node in files {
            let Some(written) = node.as_text() else { continue };
            let file = beside(&scope.base, written);
            let text = self.open(&file, node)?;
            let documents = rbc_yaml::read(&text, Place::Named(node.span, &file), codes::COMPOSE)?;
            self.documents(documents, &file, &inner, &mut model);
        }
        self.complete(&mut model, &inner);
        Ok(model)
    }

    /// Adds the variables of the files that an inclusion names, or of `.env` in its directory.
    fn include_variables(
        &mut self,
        files: Option<&Node>,
        base: &str,
        scope: &Scope,
        variables: &mut Variables,
    ) -> Result<(), Fault> {
        let mut own = Variables::new();
        let mut take = |text: &str, at: Option<&Node>, path: &str| {
            let lookup = |name: &str| scope.variables.get(name).cloned();
            dotenv::read(text, &lookup, &mut own).map_err(|why| {
                let problem = Diagnostic::new(codes::COMPOSE, format!("`{path}`: {why}"));
                Box::new(if let Some(node) = at { problem.at(node.span) } else { problem })
            })
        };
        match files {
            None => {
                let file = beside(base, ".env");
                if let Some(text) = self.host.read(&file) {
                    take(&text, None, &file)?;
                }
            }
            Some(files) => {
                for node in texts(files)? {
                    let file = beside(&scope.base, node.as_text().map_or("", |t| t));
                    if file != "/dev/null" {
                        let text = self.open(&file, node)?;
                        take(&text, Some(node), &file)?;
                    }
                }
            }
        }
        for (name, value) in own {
            variables.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Puts a service on top of the one that it extends.
    #[allow(clippy::too_many_arguments)]
    fn extend(
        &mut self,
        name: &Text,
        services: &mut Entries,
        resets: &[Vec<Text>],
        file: &str,
        dir: &str,
        scope: &Scope,
        chain: &mut Vec<(String, Text)>,
    ) -> Result<(), Fault> {
        let Some(service) = services.get(name) else { return Ok(()) };
        let Some(extends) = (match &service.value.data {
            Data::Map(fields) => fields.get("extends"),
            Data::Null => None,
            _ => {
                return Err(fault(format!("a service is a mapping, not {}", service.value.describe()), &service.value));
            }
        }) else {
            return Ok(());
        };
        let at = extends.value.clone();
        let (other, other_file) = match &at.data {
            Data::Text(other) => (other.clone(), None),
            Data::Map(fields) => {
                let Some(other) = fields.get("service").and_then(|e| e.value.as_text()) else {
                    return Err(fault("a `service` to extend is expected here", &at));
                };
                let file = fields.get("file").map(|e| &e.value).filter(|n| !n.is_null());
                (other.clone(), file.cloned())
            }
            _ => return Err(fault(format!("a service is named by a text, not {}", at.describe()), &at)),
        };
        let step = (file.to_owned(), name.clone());
        if chain.contains(&step) {
            return Err(fault(format!("the service `{name}` extends itself"), &at));
        }
        if chain.len() >= LONGEST_CHAIN {
            return Err(fault(format!("more than {LONGEST_CHAIN} services extend one another"), &at));
        }
        chain.push(step);
        let base = match other_file {
            None => {
                if !services.contains_key(&other) {
                    let problem = *fault(format!("there is no service `{other}` to extend"), &at);
                    return Err(Box::new(problem.suggest(&other, services.keys().take(MOST_HINTS))));
                }
                self.extend(&other, services, resets, file, dir, scope, chain)?;
                services.get(&other).map(|e| e.value.clone())
            }
            Some(other_file) => Some(self.extend_from(&other, &other_file, dir, scope, chain)?),
        };
        chain.pop();
        let Some(service) = services.get_mut(name) else { return Ok(()) };
        let mut own = std::mem::replace(&mut service.value, Node::new(at.span, Data::Null));
        if let Some(fields) = own.as_map_mut() {
            fields.remove("extends");
        }
        service.value = match base.filter(|b| !b.is_null()) {
            None => own,
            Some(mut base) => {
                for path in resets {
                    if let [root, own, rest @ ..] = path.as_slice()
                        && &**root == "services"
                        && own == name
                    {
                        remove(&mut base, rest);
                    }
                }
                merge::merge_service(base, own)?
            }
        };
        Ok(())
    }

    /// A service of another file, with all that it extends itself.
    fn extend_from(
        &mut self,
        name: &Text,
        file: &Node,
        dir: &str,
        scope: &Scope,
        chain: &mut Vec<(String, Text)>,
    ) -> Result<Node, Fault> {
        let Some(written) = file.as_text() else {
            return Err(fault(format!("a file is named by a text, not {}", file.describe()), file));
        };
        let path = beside(dir, written);
        let mut base = match self.bases.remove(&path) {
            Some(base) => base,
            None => {
                let text = self.open(&path, file)?;
                let documents = rbc_yaml::read(&text, Place::Named(file.span, &path), codes::COMPOSE)?;
                self.read_base(documents, &path::dir(written), scope, file)?
            }
        };
        if !base.services.contains_key(name) {
            let problem = *fault(format!("there is no service `{name}` in `{path}`"), file);
            return Err(Box::new(problem.suggest(name, base.services.keys().take(MOST_HINTS))));
        }
        // Paths of that file start from this one's directory by now.
        self.extend(name, &mut base.services, &base.resets, &path, dir, scope, chain)?;
        let found = base.services.get(name).map(|e| e.value.clone());
        self.bases.insert(path, base);
        Ok(found.unwrap_or_else(|| Node::new(file.span, Data::Null)))
    }

    fn read_base(&mut self, documents: Vec<Node>, dir: &str, scope: &Scope, at: &Node) -> Result<Base, Fault> {
        let mut model = Model::default();
        let mut resets = Vec::new();
        for document in documents {
            let (own, own_resets, _) = self.read(document, scope)?;
            reset(&mut model, &own_resets);
            resets = own_resets;
            self.put(own, &mut model)?;
        }
        let Some(mut services) = model.services else { return Err(fault("there are no services in this file", at)) };
        for service in services.values_mut().filter_map(|e| e.value.as_map_mut()) {
            self.move_paths(service, dir)?;
        }
        Ok(Base { services, resets })
    }
}

/// A path that is written in a file of a directory.
fn beside(dir: &str, written: &str) -> String {
    if written.starts_with('/') { written.to_owned() } else { path::join(&[dir, written]) }
}

fn is_windows(path: &str) -> bool {
    path.starts_with("\\\\") || matches!(path.as_bytes(), [b'a'..=b'z' | b'A'..=b'Z', b':', b'/' | b'\\', ..])
}

/// One text, or a list of texts.
fn texts(node: &Node) -> Result<Vec<&Node>, Fault> {
    let all = match &node.data {
        Data::List(all) => all.iter().collect(),
        _ => vec![node],
    };
    match all.iter().find(|n| n.as_text().is_none()) {
        Some(wrong) => Err(fault(format!("a path is expected here, not {}", wrong.describe()), wrong)),
        None => Ok(all),
    }
}

/// Puts what a file declares on top of what it includes.
fn import(other: Model, own: &mut Model) -> Result<(), Fault> {
    if let Some(more) = other.services {
        let services = own.services.get_or_insert_default();
        for (name, base) in more {
            let merged = match services.remove(&name) {
                None => base,
                Some(over) => {
                    let value = merge::merge_service(base.value, over.value)?;
                    rbc_yaml::Entry { key: over.key, value }
                }
            };
            services.insert(name, merged);
        }
    }
    if let Some(base) = other.secrets {
        own.secrets = Some(match own.secrets.take() {
            None => base,
            Some(over) => merge::merge_secret(base, over)?,
        });
    }
    Ok(())
}

/// Replaces variables in all texts.
fn interpolate(node: &mut Node, lookup: template::Variables, faults: &mut Vec<Diagnostic>) {
    match &mut node.data {
        Data::Text(text) if text.contains('$') => match template::substitute(text, lookup) {
            Ok(new) => *text = new.into(),
            Err(why) => faults.push(Diagnostic::new(codes::COMPOSE, why).at(node.span)),
        },
        Data::List(list) => list.iter_mut().for_each(|n| interpolate(n, lookup, faults)),
        Data::Map(map) => map.values_mut().for_each(|e| interpolate(&mut e.value, lookup, faults)),
        _ => {}
    }
}

/// Takes out what is marked `!reset`, and collects the paths of what is marked at all.
fn take_resets(node: &mut Node, path: &mut Vec<Text>, resets: &mut Vec<Vec<Text>>) {
    match &mut node.data {
        Data::Map(map) => map.retain(|name, entry| {
            path.push(name.clone());
            let mark = entry.value.mark;
            if mark == Mark::None {
                take_resets(&mut entry.value, path, resets);
            } else {
                resets.push(path.clone());
            }
            path.pop();
            mark != Mark::Reset
        }),
        Data::List(list) => {
            list.retain(|n| n.mark != Mark::Reset);
            list.iter_mut().for_each(|n| take_resets(n, path, resets));
        }
        _ => {}
    }
}

/// Takes values at paths out of a model.
fn reset(model: &mut Model, paths: &[Vec<Text>]) {
    for path in paths {
        match path.as_slice() {
            [root] if &**root == "services" => model.services = None,
            [root] if &**root == "secrets" => model.secrets = None,
            [root, name] if &**root == "services" => {
                model.services.iter_mut().for_each(|s| {
                    s.remove(name);
                });
            }
            [root, name, rest @ ..] if &**root == "services" => {
                if let Some(service) = model.services.as_mut().and_then(|s| s.get_mut(name)) {
                    remove(&mut service.value, rest);
                }
            }
            [root, rest @ ..] if &**root == "secrets" => {
                if let Some(secrets) = &mut model.secrets {
                    remove(secrets, rest);
                }
            }
            _ => {}
        }
    }
}

fn remove(node: &mut Node, path: &[Text]) {
    let Some(map) = node.as_map_mut() else { return };
    match path {
        [last] => {
            map.remove(last);
        }
        [first, rest @ ..] => {
            if let Some(entry) = map.get_mut(first) {
                remove(&mut entry.value, rest);
            }
        }
        [] => {}
    }
}

/// Reads the files of variables of a service; those that it sets itself count before them.
pub(super) fn service_environment(
    service: &Entries,
    variables: &Variables,
    host: &dyn Host,
    own: BTreeMap<Text, Option<Text>>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut set: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &own {
        let value = value.as_deref().map(str::to_owned).or_else(|| variables.get(&**name).cloned());
        if let Some(value) = value {
            set.insert(name.to_string(), value);
        }
    }
    let mut out = set.clone();
    if let Some(files) = service.get("env_file")
        && let Data::List(files) = &files.value.data
    {
        for node in files {
            let Some(fields) = node.as_map() else { continue };
            let Some(path) = fields.get("path").and_then(|e| e.value.as_text()) else { continue };
            let required = fields.get("required").is_none_or(|e| !matches!(e.value.data, Data::Bool(false)));
            let Some(text) = host.read(path) else {
                if required {
                    return Err(fault(format!("the file `{path}` cannot be read"), node));
                }
                continue;
            };
            let lookup = |name: &str| variables.get(name).or_else(|| set.get(name)).cloned();
            dotenv::read(&text, &lookup, &mut out).map_err(|why| fault(format!("`{path}`: {why}"), node))?;
        }
    }
    out.extend(set);
    Ok(out)
}

/// Nothing is declared.
pub(super) fn is_empty(model: &Model) -> bool {
    model.services.is_none() && model.secrets.is_none()
}

/// The fault of files in which nothing is declared.
pub(super) fn empty(file: &SourceFile) -> Diagnostic {
    let span = Span::point(file.id(), 0);
    let message = format!("`{}` declares no services", file.name());
    Diagnostic::new(codes::COMPOSE, message).at(span).note("a compose file begins with `services:`")
}
