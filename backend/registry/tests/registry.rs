//! The client against a real registry (Debian's `docker-registry`), directly and through a proxy that misbehaves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rbc_oci::{Platform, Reference};
use rbc_registry::{
    Chain, Client, Content, Credential, Credentials, Descriptor, HostConfig, ImageRequest, ImageResolver, Index,
    Layout, Lock, LockResolver, Manifest, Mode, Offline, Pushed, RegistryConfig, RegistryResolver, ResolvedImage,
    media,
};
use rbc_source::{Diagnostic, FileId, SourceFile, image};

// ---- what the tests stand on ---------------------------------------------------------------------------------------

const REGISTRY: &str = "/usr/bin/docker-registry";
/// `me` with the password `pass:word`.
const HTPASSWD: &str = "me:$2y$05$PlyW0Y8wCs1K2wX6MI0PS.w7xRimWzBnNyom.me2YkxbZbgXB5uGC\n";

/// A folder that is gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("rbc-registry-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A registry on a free port of this machine.
struct Registry {
    host: String,
    process: Child,
    _folder: Folder,
}

impl Registry {
    fn start() -> Self {
        Registry::with("", "")
    }

    fn with_password() -> Self {
        Registry::with("auth: {htpasswd: {realm: test, path: FOLDER/htpasswd}}", "")
    }

    fn with_tls() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls");
        Registry::with("", &format!("tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}"))
    }

    fn with(auth: &str, tls: &str) -> Self {
        let installed = Path::new(REGISTRY).is_file();
        assert!(installed, "these tests need {REGISTRY}: apt-get install docker-registry");
        let folder = Folder::new();
        folder.write("htpasswd", HTPASSWD);
        let here = folder.0.display().to_string();
        let config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: FOLDER/data}}}}\n\
             http: {{addr: \"127.0.0.1:0\", secret: test, {tls}}}\n{auth}\n"
        );
        let config = folder.write("config.yml", config.replace("FOLDER", &here));
        let mut process = Command::new(REGISTRY)
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut seen = String::new();
        let port = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the registry did not start: {seen}");
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                break rest.chars().take_while(char::is_ascii_digit).collect::<String>();
            }
            seen.push_str(&line);
        };
        // A full pipe would stop the registry.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Registry { host: format!("127.0.0.1:{port}"), process, _folder: folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A request that a [`Front`] received.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }
}

/// What a [`Front`] does with a request.
enum Act {
    /// Passes it on, and the answer back.
    Pass,
    /// Passes it on without a header.
    Without(&'static str),
    /// Answers itself: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Passes it on, and closes the connection after so many bytes of the answer's body.
    CutAnswer(usize),
    /// Passes on so many bytes of the body, and closes the connections.
    CutRequest(usize),
    /// Passes it on, and alters the last letter of the answer's body.
    Garble,
    /// Answers with a body that does not end.
    Flood,
    /// Does not answer.
    Silence,
}

/// A proxy before a registry that misbehaves as the test wishes.
struct Front {
    host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Front {
    fn start(behind: &str, act: impl Fn(&Asked, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (record, behind, act) = (asked.clone(), behind.to_owned(), Arc::new(act));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (record, behind, act) = (record.clone(), behind.clone(), act.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &behind, &record, &*act));
            }
        });
        Front { host, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often something was asked for.
    fn count(&self, method: &str, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(method, part)).count()
    }
}

/// Serves one request. `act` also gets how many like it (method and path) came before.
fn serve(
    mut stream: TcpStream,
    behind: &str,
    record: &Mutex<Vec<Asked>>,
    act: &dyn Fn(&Asked, usize) -> Act,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (first, headers) = read_head(&mut reader)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut body = Vec::new();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.by_ref().take(length).read_to_end(&mut body).ok()?;
    let asked = Asked { method, path, headers, body };
    let before = {
        let mut record = record.lock().unwrap();
        record.push(asked.clone());
        record.iter().filter(|a| a.method == asked.method && a.path == asked.path).count() - 1
    };
    let act = act(&asked, before);
    match act {
        Act::Answer(status, headers, body) => {
            let head = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).ok()?;
            return stream.write_all(&body).ok();
        }
        Act::Flood => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").ok()?;
            while stream.write_all(&[b'{'; 65536]).is_ok() {}
            return None;
        }
        Act::Silence => {
            std::thread::sleep(Duration::from_secs(20));
            return None;
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(behind).ok()?;
    let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", asked.method, asked.path);
    for (name, value) in asked.headers.iter().filter(|(name, _)| *name != "connection") {
        if !matches!(act, Act::Without(left_out) if left_out == name) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    upstream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if let Act::CutRequest(kept) = act {
        upstream.write_all(asked.body.get(..kept)?).ok()?;
        // Let the registry take in what it has got before the line goes dead.
        std::thread::sleep(Duration::from_millis(100));
        upstream.shutdown(Shutdown::Both).ok()?;
        return stream.shutdown(Shutdown::Both).ok();
    }
    upstream.write_all(&asked.body).ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    let body_at = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    match act {
        Act::CutAnswer(kept) => answer.truncate(body_at + kept),
        Act::Garble => *answer.last_mut()? ^= 1,
        _ => {}
    }
    // The registry names itself in addresses; its clients must come back through here.
    let text = String::from_utf8_lossy(&answer[..body_at]).replace(behind, asked.header("host"));
    stream.write_all(text.as_bytes()).ok()?;
    stream.write_all(&answer[body_at..]).ok()
}

fn read_head(reader: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>)> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { return Some((first, headers)) };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn config() -> RegistryConfig {
    RegistryConfig {
        first_wait: Duration::from_millis(5),
        idle_timeout: Duration::from_secs(10),
        ..RegistryConfig::default()
    }
}

fn client() -> Client {
    Client::new(config(), Credentials::none())
}

fn with_host(host: &str, settings: HostConfig) -> Client {
    let mut config = config();
    config.hosts.insert(host.to_owned(), settings);
    Client::new(config, Credentials::none())
}

fn reference(host: &str, rest: &str) -> Reference {
    Reference::parse_normalized(&format!("{host}/{rest}")).unwrap()
}

fn platform(text: &str) -> Platform {
    Platform::parse(text, &Platform::new("linux", "amd64")).unwrap()
}

fn config_of(architecture: &str) -> Vec<u8> {
    format!(r#"{{"architecture":"{architecture}","os":"linux","config":{{"Env":["A=<&>"]}}}}"#).into_bytes()
}

/// Pushes an image for one architecture under its digest, and gives its descriptor.
fn push_image(client: &Client, repository: &Reference, architecture: &str) -> Descriptor {
    let (config, layer) = (config_of(architecture), format!("layer of {architecture}").into_bytes());
    let config_descriptor = Descriptor::of(media::OCI_CONFIG, &config);
    let layer_descriptor = Descriptor::of(media::OCI_LAYER, &layer);
    for (descriptor, bytes) in [(&config_descriptor, &config), (&layer_descriptor, &layer)] {
        client.push_blob(repository, descriptor, Content::Bytes(bytes), None).unwrap();
    }
    let manifest = serde_json::to_vec(&Manifest::new(config_descriptor, vec![layer_descriptor])).unwrap();
    let untagged = repository.clone().without_tag_and_digest();
    client.push_manifest(&untagged, media::OCI_MANIFEST, &manifest).unwrap();
    Descriptor {
        platform: Some(platform(&format!("linux/{architecture}"))),
        ..Descriptor::of(media::OCI_MANIFEST, &manifest)
    }
}

/// Pushes an index of images for the architectures under the reference's tag.
fn push_index(client: &Client, tag: &Reference, architectures: &[&str]) -> Descriptor {
    let manifests = architectures.iter().map(|architecture| push_image(client, tag, architecture)).collect();
    let index = serde_json::to_vec(&Index::new(manifests)).unwrap();
    client.push_manifest(tag, media::OCI_INDEX, &index).unwrap();
    Descriptor::of(media::OCI_INDEX, &index)
}

/// Bytes that do not repeat.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn fails<T: std::fmt::Debug>(outcome: rbc_registry::Result<T>, code: &rbc_source::Code) -> Diagnostic {
    let found = *outcome.unwrap_err();
    assert_eq!(found.code, code, "{found:?}");
    found
}

// ---- images --------------------------------------------------------------------------------------------------------

#[test]
fn images_by_tag_digest_and_platform() {
    let registry = Registry::start();
    let client = client();
    let tag = reference(&registry.host, "some/app:1");
    let index = push_index(&client, &tag, &["amd64", "arm64"]);

    assert_eq!(client.resolve(&tag).unwrap(), index);
    let by_digest = tag.clone().with_digest(index.digest.clone());
    assert_eq!(client.resolve(&by_digest).unwrap(), index);
    for (wished, given) in [("linux/arm64", "arm64"), ("linux/arm64/v8", "arm64"), ("linux/amd64/v3", "amd64")] {
        let image = client.image(&tag, &platform(wished)).unwrap();
        assert_eq!(image.top, index);
        assert_eq!(image.config, config_of(given));
        assert_eq!(image.manifest.layers.len(), 1);
        assert_eq!(client.image(&by_digest, &platform(wished)).unwrap(), image);
        // The manifest itself, without its index.
        let alone = tag.clone().without_tag_and_digest().with_digest(image.descriptor.digest.clone());
        assert_eq!(client.image(&alone, &platform("linux/s390x")).unwrap().config, config_of(given));
    }
    let found = fails(client.image(&tag, &platform("linux/s390x")), image::NO_PLATFORM);
    assert_eq!(found.notes, ["it exists for linux/amd64, linux/arm64"]);
    let found = fails(client.image(&reference(&registry.host, "some/app:2"), &platform("linux")), image::NOT_FOUND);
    assert!(found.message.contains("some/app:2") && found.message.contains("manifest unknown"), "{found:?}");
    fails(client.manifest(&reference(&registry.host, "other")), image::NOT_FOUND);
}

#[test]
fn docker_lists_and_nested_indexes() {
    let registry = Registry::start();
    let client = client();
    let tag = reference(&registry.host, "app:nested");
    let mut manifest = push_image(&client, &tag, "amd64");
    let inner = serde_json::to_vec(&Index::new(vec![manifest.clone()])).unwrap();
    client.push_manifest(&tag.clone().without_tag_and_digest(), media::OCI_INDEX, &inner).unwrap();
    // A Docker list, whose entry is an index that does not say for what it is.
    let list = Index {
        media_type: Some(media::DOCKER_LIST.into()),
        ..Index::new(vec![Descriptor::of(media::OCI_INDEX, &inner)])
    };
    let list = serde_json::to_vec(&list).unwrap();
    client.push_manifest(&tag, media::DOCKER_LIST, &list).unwrap();
    let image = client.image(&tag, &platform("linux/amd64")).unwrap();
    assert_eq!(image.top.media_type, media::DOCKER_LIST);
    assert_eq!(image.descriptor.digest, manifest.digest);

    // An entry that does not say for what it is must fit by its config.
    manifest.platform = None;
    let index = serde_json::to_vec(&Index::new(vec![manifest])).unwrap();
    client.push_manifest(&tag, media::OCI_INDEX, &index).unwrap();
    assert!(client.image(&tag, &platform("linux/amd64")).is_ok());
    fails(client.image(&tag, &platform("linux/arm64")), image::NO_PLATFORM);

    // Too deep.
    let mut bytes = index;
    for _ in 0..9 {
        bytes = serde_json::to_vec(&Index::new(vec![Descriptor::of(media::OCI_INDEX, &bytes)])).unwrap();
        client.push_manifest(&tag, media::OCI_INDEX, &bytes).unwrap();
        client.push_manifest(&tag.clone().without_tag_and_digest(), media::OCI_INDEX, &bytes).unwrap();
    }
    let found = fails(client.image(&tag, &platform("linux/amd64")), image::CORRUPT);
    assert!(found.message.contains("more than 8 deep"), "{found:?}");
}

#[test]
fn blobs_are_mounted_or_sent_once() {
    let registry = Registry::start();
    let client = client();
    let (a, b) = (reference(&registry.host, "a"), reference(&registry.host, "b"));
    let bytes = noise(1000);
    let blob = Descriptor::of(media::OCI_LAYER, &bytes);
    assert_eq!(client.push_blob(&a, &blob, Content::Bytes(&bytes), None).unwrap(), Pushed::Sent);
    assert_eq!(client.push_blob(&a, &blob, Content::Bytes(&bytes), None).unwrap(), Pushed::Present);
    assert_eq!(client.push_blob(&b, &blob, Content::Bytes(&bytes), Some(&a)).unwrap(), Pushed::Mounted);
    let missing = reference(&registry.host, "missing");
    let c = reference(&registry.host, "c");
    let folder = Folder::new();
    let file = folder.write("blob", &bytes);
    assert_eq!(client.push_blob(&c, &blob, Content::File(&file), Some(&missing)).unwrap(), Pushed::Sent);
    let mut back = fs::File::create(folder.0.join("back")).unwrap();
    client.blob(&c, &blob, &mut back).unwrap();
    assert_eq!(fs::read(folder.0.join("back")).unwrap(), bytes);
    fails(client.push_blob(&c, &Descriptor::of("x", b"other"), Content::Bytes(b"wrong"), None), image::UNREACHABLE);
}

#[test]
fn tags() {
    let registry = Registry::start();
    let client = client();
    for tag in ["app:1", "app:2"] {
        push_index(&client, &reference(&registry.host, tag), &["amd64"]);
    }
    let mut tags = client.tags(&reference(&registry.host, "app")).unwrap();
    tags.sort();
    assert_eq!(tags, ["1", "2"]);
    fails(client.tags(&reference(&registry.host, "none")), image::NOT_FOUND);

    let front = Front::start(&registry.host, |asked, _| match asked.path.contains("last=1") {
        true => Act::Answer(200, vec![], br#"{"tags":["2"]}"#.to_vec()),
        false => {
            let next = "</v2/app/tags/list?last=1>; rel=\"next\"".to_owned();
            Act::Answer(200, vec![("Link", next)], br#"{"tags":["1"]}"#.to_vec())
        }
    });
    assert_eq!(client.tags(&reference(&front.host, "app")).unwrap(), ["1", "2"]);
}

// ---- base images ---------------------------------------------------------------------------------------------------

#[test]
fn resolvers_in_a_chain() {
    let registry = Registry::start();
    let front = Front::start(&registry.host, |_, _| Act::Pass);
    let (direct, tag) = (reference(&registry.host, "app:1"), reference(&front.host, "app:1"));
    let index = push_index(&client(), &direct, &["amd64", "arm64"]);
    let request = |reference: &Reference, on: &str| ImageRequest {
        reference: reference.clone(),
        platform: platform(on),
        mode: Mode::Default,
    };
    let wanted = [request(&tag, "linux/arm64"), request(&tag, "linux/amd64"), request(&tag, "linux/s390x")];
    let configs = |answers: &[rbc_registry::Result<ResolvedImage>]| -> Vec<Vec<u8>> {
        answers.iter().map(|a| a.as_ref().map_or_else(|e| e.code.id.into(), |a| a.config.clone())).collect()
    };
    let expected = [config_of("arm64"), config_of("amd64"), b"E0304".to_vec()];

    // The tag is moved in between: the answers stay those of one image.
    let resolver = RegistryResolver::new(client());
    let first = resolver.resolve_all(&wanted[..1]);
    push_index(&client(), &direct, &["arm64"]);
    let answers = resolver.resolve_all(&wanted);
    assert_eq!(configs(&answers), expected);
    assert_eq!(first[0], answers[0]);
    let answer = answers[0].as_ref().unwrap();
    assert_eq!(answer.reference.to_string(), format!("{tag}@{}", index.digest));
    assert_eq!(front.count("GET", "/manifests/1"), 1);

    // Locked, they are found without the registry.
    let mut lock = Lock::new();
    for (request, answer) in wanted.iter().zip(&answers).take(2) {
        let answer = answer.as_ref().unwrap();
        lock.insert(&request.reference, &request.platform, answer.digest.clone(), answer.config.clone()).unwrap();
    }
    let folder = Folder::new();
    let path = folder.0.join("rbc.lock");
    lock.save(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let read = Lock::parse(&SourceFile::new(FileId(0), "rbc.lock", text));
    assert!(read.diagnostics.is_empty() && read.value == lock);
    let before = front.asked().len();
    let chain = Chain(vec![Box::new(LockResolver::new(read.value, "rbc.lock")), Box::new(Offline)]);
    assert_eq!(configs(&chain.resolve_all(&wanted))[..2], expected[..2]);
    fails(chain.resolve(&wanted[2]), image::OFFLINE);
    assert_eq!(front.asked().len(), before);
}

#[test]
fn from_a_registry_into_a_layout() {
    let registry = Registry::start();
    let tag = reference(&registry.host, "app:1");
    push_index(&client(), &tag, &["amd64"]);
    let folder = Folder::new();
    let layout = Layout::create(&folder.0).unwrap();
    let image = client().image(&tag, &platform("linux/amd64")).unwrap();
    for blob in image.manifest.layers.iter().chain([&image.manifest.config]) {
        let mut writer = layout.writer(blob).unwrap();
        client().blob(&tag, blob, &mut writer).unwrap();
        writer.finish().unwrap();
    }
    let manifest = client().manifest(&tag.clone().with_digest(image.descriptor.digest.clone())).unwrap();
    let manifest = layout.put(media::OCI_MANIFEST, &manifest.bytes).unwrap();
    layout.list(manifest.clone(), Some(&tag.to_string())).unwrap();
    let chain = Chain(vec![Box::new(Layout::open(&folder.0).unwrap()), Box::new(Offline)]);
    let request = ImageRequest { reference: tag, platform: platform("linux/amd64"), mode: Mode::Local };
    let answer = chain.resolve(&request).unwrap();
    assert_eq!((answer.digest, answer.config), (manifest.digest, config_of("amd64")));
}

// ---- who one is ----------------------------------------------------------------------------------------------------

fn docker_config(folder: &Folder, json: serde_json::Value) -> Credentials {
    let path = folder.write("config.json", json.to_string());
    Credentials::from_docker_config(&path).unwrap()
}

#[test]
fn passwords() {
    let registry = Registry::with_password();
    let folder = Folder::new();
    let tag = reference(&registry.host, "app:1");

    let found = fails(client().manifest(&tag), image::DENIED);
    assert!(found.notes[0].contains(&format!("docker login {}", registry.host)), "{found:?}");

    // "me:pass:word" in base64.
    let auths = serde_json::json!({"auths": {&registry.host: {"auth": "bWU6cGFzczp3b3Jk"}}});
    let client = Client::new(config(), docker_config(&folder, auths));
    push_index(&client, &tag, &["amd64"]);
    assert!(client.image(&tag, &platform("linux/amd64")).is_ok());

    let wrong = Credential::Password { user: "me".into(), secret: "wrong".into() };
    let client = Client::new(config(), Credentials::none().with(&registry.host, wrong));
    fails(client.manifest(&tag), image::DENIED);
}

#[test]
fn credential_helpers() {
    let registry = Registry::with_password();
    let folder = Folder::new();
    let tag = reference(&registry.host, "app:1");
    let helper = |name: &str, script: &str| {
        let path = folder.write(&format!("docker-credential-{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let asked = folder.0.join("asked").display().to_string();
    helper(
        "good",
        &format!("read host; echo \"$1 $host\" >> {asked}; echo '{{\"Username\":\"me\",\"Secret\":\"pass:word\"}}'"),
    );
    helper("empty", "echo 'credentials not found in native keychain'; exit 1");
    helper("broken", "echo 'the key ring is locked'; exit 1");
    let client =
        |json: serde_json::Value| Client::new(config(), docker_config(&folder, json).with_helper_path(&folder.0));

    let own = client(serde_json::json!({"credHelpers": {&registry.host: "good"}, "credsStore": "broken"}));
    push_index(&own, &tag, &["amd64"]);
    assert!(own.image(&tag, &platform("linux/amd64")).is_ok());
    assert_eq!(fs::read_to_string(&asked).unwrap(), format!("get {}\n", registry.host), "asked once");
    assert!(client(serde_json::json!({"credsStore": "good"})).manifest(&tag).is_ok());
    fails(client(serde_json::json!({"credsStore": "empty"})).manifest(&tag), image::DENIED);
    let found = fails(client(serde_json::json!({"credsStore": "broken"})).manifest(&tag), image::CREDENTIALS);
    assert!(found.message.contains("the key ring is locked"), "{found:?}");
    fails(client(serde_json::json!({"credsStore": "missing"})).manifest(&tag), image::CREDENTIALS);

    let broken = Credentials::from_docker_config(&folder.write("config.json", "{"));
    fails(broken, image::CREDENTIALS);
    assert!(Credentials::from_docker_config(&folder.0.join("none")).is_ok());
}

/// A front that demands tokens, and gives them: by GET to nobody (pulling) and to `me`, by POST for the identity token.
fn token_front(registry: &Registry, life: u64, get: bool) -> Front {
    Front::start(&registry.host, move |asked, _| {
        let give = |token: &str| {
            let body = format!(r#"{{"access_token":"{token}","expires_in":{life}}}"#);
            Act::Answer(200, vec![], body.into_bytes())
        };
        if asked.path.starts_with("/token") {
            let body = String::from_utf8_lossy(&asked.body).into_owned();
            return match (asked.method.as_str(), asked.header("authorization")) {
                ("GET", _) if !get => Act::Answer(405, vec![], vec![]),
                ("GET", "") => give("pull"),
                ("GET", "Basic bWU6cGFzczp3b3Jk") => give("push"),
                ("POST", _) if body.contains("refresh_token=identity&") => give("push"),
                ("POST", _) if body.contains("password=pass%3Aword&") => give("push"),
                _ => Act::Answer(401, vec![], br#"{"details":"who are you?"}"#.to_vec()),
            };
        }
        match (asked.method.as_str(), asked.header("authorization")) {
            (_, "Bearer push") | ("GET" | "HEAD", "Bearer pull") => Act::Without("authorization"),
            _ => {
                let path = asked.path.trim_start_matches("/v2/").split('/').next().unwrap();
                let demand = format!(
                    r#"Bearer realm="http://{}/token",service="test",scope="repository:{path}:pull""#,
                    asked.header("host")
                );
                Act::Answer(401, vec![("WWW-Authenticate", demand)], vec![])
            }
        }
    })
}

#[test]
fn tokens() {
    let registry = Registry::start();
    let front = token_front(&registry, 300, true);
    let tag = reference(&front.host, "app:1");
    push_index(&client(), &reference(&registry.host, "app:1"), &["amd64"]);

    // As nobody: one demand and one token for all requests.
    let nobody = client();
    assert!(nobody.image(&tag, &platform("linux/amd64")).is_ok());
    assert_eq!(front.count("GET", "/token"), 1);
    let query = front.asked().iter().find(|asked| asked.is("GET", "/token")).unwrap().path.clone();
    assert_eq!(query, "/token?service=test&scope=repository%3Aapp%3Apull");
    let found = fails(nobody.push_blob(&tag, &Descriptor::of("x", b"x"), Content::Bytes(b"x"), None), image::DENIED);
    assert!(found.notes.iter().any(|note| note.contains("docker login")), "{found:?}");

    let password = Credential::Password { user: "me".into(), secret: "pass:word".into() };
    let me = Client::new(config(), Credentials::none().with(&front.host, password));
    push_index(&me, &reference(&front.host, "mine:1"), &["amd64"]);
    let last = front.asked().iter().rfind(|asked| asked.is("GET", "/token")).unwrap().path.clone();
    assert_eq!(last, "/token?service=test&scope=repository%3Amine%3Apull%2Cpush&account=me");

    let identity = Credential::Refresh("identity".into());
    let me = Client::new(config(), Credentials::none().with(&front.host, identity));
    push_index(&me, &reference(&front.host, "mine:2"), &["amd64"]);
    let last = front.asked().iter().rfind(|asked| asked.is("POST", "/token")).unwrap().body.clone();
    assert_eq!(
        String::from_utf8(last).unwrap(),
        "grant_type=refresh_token&refresh_token=identity&service=test&client_id=rbc&scope=repository%3Amine%3Apull%2Cpush"
    );

    let access = Credential::Access("push".into());
    let me = Client::new(config(), Credentials::none().with(&front.host, access));
    push_index(&me, &reference(&front.host, "mine:3"), &["amd64"]);

    let stranger = Credential::Refresh("forged".into());
    let stranger = Client::new(config(), Credentials::none().with(&front.host, stranger));
    let found = fails(stranger.manifest(&tag), image::DENIED);
    assert!(found.message.contains("who are you?"), "{found:?}");
}

#[test]
fn tokens_by_post_and_tokens_that_expire() {
    let registry = Registry::start();
    let front = token_front(&registry, 1, false);
    let password = Credential::Password { user: "me".into(), secret: "pass:word".into() };
    let me = Client::new(config(), Credentials::none().with(&front.host, password));
    let tag = reference(&front.host, "app:1");
    push_index(&me, &tag, &["amd64"]);
    let before = front.count("POST", "/token");
    std::thread::sleep(Duration::from_millis(1000));
    assert!(me.manifest(&tag).is_ok());
    assert!(front.count("POST", "/token") > before);
}

#[test]
fn credentials_stay_with_their_host() {
    let registry = Registry::start();
    let elsewhere = Front::start(&registry.host, |_, _| Act::Pass);
    let elsewhere_host = elsewhere.host.replace("127.0.0.1", "localhost");
    push_index(&client(), &reference(&registry.host, "app:1"), &["amd64"]);
    let front = Front::start(&registry.host, move |asked, _| match asked.header("authorization") {
        "" => Act::Answer(401, vec![("WWW-Authenticate", "Basic realm=\"x\"".into())], vec![]),
        _ => Act::Answer(307, vec![("Location", format!("http://{elsewhere_host}{}", asked.path))], vec![]),
    });
    let password = Credential::Password { user: "me".into(), secret: "x".into() };
    let me = Client::new(config(), Credentials::none().with(&front.host, password));
    assert!(me.image(&reference(&front.host, "app:1"), &platform("linux/amd64")).is_ok());
    let seen = elsewhere.asked();
    assert!(!seen.is_empty() && seen.iter().all(|asked| asked.header("authorization").is_empty()));
}

// ---- mirrors -------------------------------------------------------------------------------------------------------

/// A port where nothing listens.
fn nowhere() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn mirrors_come_first_and_the_registry_last() {
    let registry = Registry::start();
    let tag = reference(&registry.host, "app:1");
    push_index(&client(), &tag, &["amd64"]);
    let mirror = Front::start(&registry.host, |_, _| Act::Pass);
    let empty = Registry::start();
    let amd64 = platform("linux/amd64");

    // The registry itself is away.
    let gone = nowhere();
    let through = with_host(&gone, HostConfig { mirrors: vec![mirror.host.clone()], ..HostConfig::default() });
    assert!(through.image(&reference(&gone, "app:1"), &amd64).is_ok());
    let ns = format!("?ns={}", gone.replace(':', "%3A"));
    assert!(mirror.asked().iter().all(|asked| asked.path.ends_with(&ns)), "{:?}", mirror.asked());

    // The mirrors are away, or do not have it.
    let mirrors = vec![nowhere(), empty.host.clone()];
    let past = with_host(&registry.host, HostConfig { mirrors, ..HostConfig::default() });
    assert!(past.image(&tag, &amd64).is_ok());

    // Nothing helps.
    let settings = HostConfig { mirrors: vec![empty.host.clone()], ..HostConfig::default() };
    let found = fails(with_host(&gone, settings).manifest(&reference(&gone, "app:1")), image::UNREACHABLE);
    assert!(found.message.contains("nothing listens there"), "{found:?}");
    assert!(found.notes[0].contains(&empty.host) && found.notes[0].contains("does not have it"), "{found:?}");

    // Nothing is pushed to a mirror.
    let before = mirror.asked().len();
    let settings = HostConfig { mirrors: vec![mirror.host.clone()], ..HostConfig::default() };
    push_index(&with_host(&registry.host, settings), &reference(&registry.host, "app:2"), &["arm64"]);
    assert_eq!(mirror.asked().len(), before);
}

#[test]
fn a_mirror_with_a_path_and_one_that_lies() {
    let registry = Registry::start();
    let tag = reference(&registry.host, "app:1");
    let index = push_index(&client(), &tag, &["amd64"]);
    push_index(&client(), &reference(&registry.host, "cache/app:1"), &["amd64"]);
    let gone = nowhere();
    let mirrors = vec![format!("http://{}/cache/", registry.host)];
    let through = with_host(&gone, HostConfig { mirrors, ..HostConfig::default() });
    assert!(through.image(&reference(&gone, "app:1"), &platform("linux/amd64")).is_ok());

    let liar = Front::start(&registry.host, |asked, _| if asked.method == "GET" { Act::Garble } else { Act::Pass });
    let settings = HostConfig { mirrors: vec![liar.host.clone()], ..HostConfig::default() };
    let client = with_host(&registry.host, settings);
    assert_eq!(client.manifest(&tag).unwrap().descriptor, index);
    assert_eq!(client.image(&tag, &platform("linux/amd64")).unwrap().config, config_of("amd64"));
    assert!(liar.count("GET", "/blobs/") > 0);
}

// ---- faults --------------------------------------------------------------------------------------------------------

#[test]
fn what_may_pass_is_tried_again() {
    let registry = Registry::start();
    push_index(&client(), &reference(&registry.host, "app:1"), &["amd64"]);
    let front = Front::start(&registry.host, |_, before| match before {
        0 => Act::Answer(503, vec![], vec![]),
        1 => Act::Answer(429, vec![("Retry-After", "0".into())], vec![]),
        2 => Act::CutAnswer(3),
        _ => Act::Pass,
    });
    assert!(client().image(&reference(&front.host, "app:1"), &platform("linux/amd64")).is_ok());
    assert_eq!(front.count("GET", "/manifests/1"), 4);

    for (status, times) in [(500, 5), (404, 1), (400, 1)] {
        let front = Front::start(&registry.host, move |_, _| Act::Answer(status, vec![], vec![]));
        assert!(client().manifest(&reference(&front.host, "app:1")).is_err());
        assert_eq!(front.asked().len(), times, "{status}");
    }
    let patient = vec![("Retry-After", "3600".to_owned())];
    let front = Front::start(&registry.host, move |_, _| Act::Answer(429, patient.clone(), vec![]));
    let found = fails(client().manifest(&reference(&front.host, "app:1")), image::UNREACHABLE);
    assert!(found.message.contains("asks to come back later"), "{found:?}");
    assert_eq!(front.asked().len(), 1);
}

#[test]
fn silence_ends() {
    let front = Front::start("", |_, _| Act::Silence);
    let config = RegistryConfig { idle_timeout: Duration::from_millis(200), tries: 2, ..config() };
    let client = Client::new(config, Credentials::none());
    let start = Instant::now();
    fails(client.manifest(&reference(&front.host, "app:1")), image::UNREACHABLE);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(front.asked().len(), 2);
}

#[test]
fn downloads_are_taken_up_where_they_broke() {
    let registry = Registry::start();
    let bytes = noise(500_000);
    let blob = Descriptor::of(media::OCI_LAYER, &bytes);
    client().push_blob(&reference(&registry.host, "app"), &blob, Content::Bytes(&bytes), None).unwrap();

    let front = Front::start(&registry.host, |_, before| match before {
        // More often than there are tries: as long as it gets on, it goes on.
        0..8 => Act::CutAnswer(50_000),
        _ => Act::Pass,
    });
    let mut got = Vec::new();
    client().blob(&reference(&front.host, "app"), &blob, &mut got).unwrap();
    assert!(got == bytes);
    let ranges: Vec<String> = front.asked().iter().map(|asked| asked.header("range").to_owned()).collect();
    assert_eq!(ranges[..3], ["", "bytes=50000-", "bytes=100000-"]);
    assert_eq!(ranges.len(), 9);

    // A server that knows no ranges.
    let front = Front::start(&registry.host, |_, before| match before {
        0 => Act::CutAnswer(400_000),
        _ => Act::Without("range"),
    });
    let mut got = Vec::new();
    client().blob(&reference(&front.host, "app"), &blob, &mut got).unwrap();
    assert!(got == bytes);

    // One that breaks for good.
    let front = Front::start(&registry.host, |_, _| Act::CutAnswer(0));
    fails(client().blob(&reference(&front.host, "app"), &blob, &mut Vec::new()), image::UNREACHABLE);
    assert_eq!(front.asked().len(), 5);
}

#[test]
fn lies_are_noticed() {
    let registry = Registry::start();
    let direct = reference(&registry.host, "app:1");
    push_index(&client(), &direct, &["amd64"]);
    let image = client().image(&direct, &platform("linux/amd64")).unwrap();

    let front = Front::start(&registry.host, |_, _| Act::Garble);
    let tag = reference(&front.host, "app:1");
    fails(client().manifest(&tag), image::CORRUPT);
    fails(client().manifest(&tag.clone().with_digest(image.top.digest)), image::CORRUPT);
    fails(client().blob(&tag, &image.manifest.config, &mut Vec::new()), image::CORRUPT);
    let larger = Descriptor { size: image.manifest.config.size - 1, ..image.manifest.config };
    fails(client().blob(&direct, &larger, &mut Vec::new()), image::CORRUPT);

    for (body, reason) in [
        ("{\"manifests\":[],\"config\":{}}", "the contents of"),
        ("{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1"),
        ("<html>log in to the hotel</html>", "not the JSON of a manifest"),
        ("{\"manifests\":[{}]}", "not a manifest as it should be"),
    ] {
        let front = Front::start("", move |_, _| Act::Answer(200, vec![], body.into()));
        let found = fails(client().image(&reference(&front.host, "app:1"), &platform("linux")), image::CORRUPT);
        assert!(found.message.contains(reason), "{found:?}");
    }
}

#[test]
fn bombs_are_refused() {
    let front = Front::start("", |_, _| Act::Flood);
    fails(client().manifest(&reference(&front.host, "app:1")), image::CORRUPT);
    let front = Front::start("", |_, _| Act::Answer(200, vec![], vec![b' '; 5 << 20]));
    let found = fails(client().manifest(&reference(&front.host, "app:1")), image::CORRUPT);
    assert!(found.message.contains("5242880 bytes"), "{found:?}");

    // A manifest whose config claims to be 1 TB.
    let config = Descriptor { size: 1 << 40, ..Descriptor::of(media::OCI_CONFIG, b"{}") };
    let manifest = serde_json::to_vec(&Manifest::new(config, vec![])).unwrap();
    let front = Front::start("", move |_, _| Act::Answer(200, vec![], manifest.clone()));
    fails(client().image(&reference(&front.host, "app:1"), &platform("linux")), image::CORRUPT);
    assert_eq!(front.asked().len(), 1);

    // A config that is larger than it claims.
    let manifest = serde_json::to_vec(&Manifest::new(Descriptor::of(media::OCI_CONFIG, b"{}"), vec![])).unwrap();
    let front = Front::start("", move |asked, _| match asked.path.contains("/manifests/") {
        true => Act::Answer(200, vec![], manifest.clone()),
        false => Act::Flood,
    });
    fails(client().image(&reference(&front.host, "app:1"), &platform("linux")), image::CORRUPT);
}

/// Acts once, on the first request that is meant.
fn once(meant: impl Fn(&Asked) -> bool, act: impl Fn() -> Act) -> impl Fn(&Asked, usize) -> Act {
    let count = AtomicUsize::new(0);
    move |asked, _| if meant(asked) && count.fetch_add(1, Ordering::Relaxed) == 0 { act() } else { Act::Pass }
}

#[test]
fn uploads_are_taken_up_where_they_broke() {
    let registry = Registry::start();
    let bytes = noise(500_000);
    let blob = Descriptor::of(media::OCI_LAYER, &bytes);
    let parts = RegistryConfig { chunk: Some(100_000), ..config() };
    let patches = |front: &Front| -> Vec<String> {
        let asked = front.asked().into_iter().filter(|asked| asked.method == "PATCH");
        asked.map(|asked| asked.header("content-range").to_owned()).collect()
    };
    let check = |name: &str| {
        let mut back = Vec::new();
        client().blob(&reference(&registry.host, name), &blob, &mut back).unwrap();
        assert!(back == bytes, "{name}");
    };

    let front = Front::start(&registry.host, |_, _| Act::Pass);
    let client_in_parts = Client::new(parts, Credentials::none());
    client_in_parts.push_blob(&reference(&front.host, "whole"), &blob, Content::Bytes(&bytes), None).unwrap();
    assert_eq!(patches(&front).len(), 5);
    check("whole");

    // The third part is refused for a moment.
    let front = Front::start(
        &registry.host,
        once(|asked| asked.header("content-range").starts_with("200000-"), || Act::Answer(503, vec![], vec![])),
    );
    client_in_parts.push_blob(&reference(&front.host, "refused"), &blob, Content::Bytes(&bytes), None).unwrap();
    assert_eq!(patches(&front)[2..4], ["200000-299999", "200000-299999"]);
    assert_eq!(front.count("POST", "/uploads/"), 1);
    check("refused");

    // The third part breaks off; this registry then gives the upload up.
    let front = Front::start(
        &registry.host,
        once(|asked| asked.header("content-range").starts_with("200000-"), || Act::CutRequest(60_000)),
    );
    client_in_parts.push_blob(&reference(&front.host, "broken"), &blob, Content::Bytes(&bytes), None).unwrap();
    check("broken");

    // The same with a registry that keeps what it got.
    let store = Arc::new(Mutex::new(Vec::new()));
    let front = Front::start("", {
        let (store, cut) = (store.clone(), AtomicUsize::new(0));
        move |asked, _| {
            let mut store = store.lock().unwrap();
            let location = ("Location", "/v2/kept/blobs/uploads/1?state=2".to_owned());
            match asked.method.as_str() {
                "HEAD" => Act::Answer(404, vec![], vec![]),
                "POST" => Act::Answer(202, vec![location], vec![]),
                "PATCH" if !asked.header("content-range").starts_with(&format!("{}-", store.len())) => {
                    Act::Answer(416, vec![], vec![])
                }
                "PATCH" if store.len() == 200_000 && cut.fetch_add(1, Ordering::Relaxed) == 0 => {
                    store.extend_from_slice(&asked.body[..60_000]);
                    Act::Answer(500, vec![], vec![])
                }
                "GET" => Act::Answer(204, vec![location, ("Range", format!("0-{}", store.len() - 1))], vec![]),
                _ => {
                    store.extend_from_slice(&asked.body);
                    Act::Answer(202, vec![location], vec![])
                }
            }
        }
    });
    client_in_parts.push_blob(&reference(&front.host, "kept"), &blob, Content::Bytes(&bytes), None).unwrap();
    assert_eq!(patches(&front)[2..4], ["200000-299999", "260000-359999"]);
    assert_eq!(front.count("PUT", "?state=2&digest=sha256%3A"), 1);
    assert!(*store.lock().unwrap() == bytes);

    // A registry that takes blobs only whole.
    let front = Front::start(&registry.host, |asked, _| match asked.method.as_str() {
        "PATCH" => Act::Answer(405, vec![], vec![]),
        _ => Act::Pass,
    });
    client_in_parts.push_blob(&reference(&front.host, "once"), &blob, Content::Bytes(&bytes), None).unwrap();
    check("once");

    // A proxy on the way that does not let large requests pass.
    let large = noise((16 << 20) + 5);
    let large_blob = Descriptor::of(media::OCI_LAYER, &large);
    let front = Front::start(&registry.host, |asked, _| match asked.body.len() > 16 << 20 {
        true => Act::Answer(413, vec![], vec![]),
        false => Act::Pass,
    });
    client().push_blob(&reference(&front.host, "large"), &large_blob, Content::Bytes(&large), None).unwrap();
    assert_eq!(patches(&front), ["0-16777215", "16777216-16777220"]);
    assert!(client().has_blob(&reference(&registry.host, "large"), &large_blob.digest).unwrap());

    // A whole blob that breaks off is sent again.
    let front = Front::start(&registry.host, once(|asked| asked.method == "PUT", || Act::CutRequest(60_000)));
    client().push_blob(&reference(&front.host, "again"), &blob, Content::Bytes(&bytes), None).unwrap();
    check("again");
}

// ---- TLS -----------------------------------------------------------------------------------------------------------

#[test]
fn certificates() {
    let registry = Registry::with_tls();
    let tag = reference(&registry.host, "app:1");
    let tls = HostConfig { plain_http: Some(false), ..HostConfig::default() };
    let found = fails(with_host(&registry.host, tls.clone()).manifest(&tag), image::UNREACHABLE);
    assert!(found.message.contains("certificate") && found.notes[0].contains("authority"), "{found:?}");

    let authority = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/ca.pem"));
    let trusting = HostConfig { authorities: vec![authority], ..tls.clone() };
    push_index(&with_host(&registry.host, trusting.clone()), &tag, &["amd64"]);
    let careless = HostConfig { insecure: true, ..tls.clone() };
    assert!(with_host(&registry.host, careless.clone()).manifest(&tag).is_ok());

    let missing = HostConfig { authorities: vec!["/does/not/exist.pem".into()], ..tls.clone() };
    fails(with_host(&registry.host, missing).manifest(&tag), image::CREDENTIALS);

    // A registry without TLS.
    let plain = Registry::start();
    let tag = reference(&plain.host, "app:1");
    let found = fails(with_host(&plain.host, tls).manifest(&tag), image::UNREACHABLE);
    assert!(found.message.contains("does not speak TLS") && found.notes[0].contains("without TLS"), "{found:?}");
    push_index(&with_host(&plain.host, HostConfig { insecure: true, ..HostConfig::default() }), &tag, &["amd64"]);
}

#[test]
fn threads_share_a_client() {
    let registry = Registry::start();
    let front = token_front(&registry, 300, true);
    push_index(&client(), &reference(&registry.host, "app:1"), &["amd64", "arm64"]);
    let client = client();
    let tag = reference(&front.host, "app:1");
    std::thread::scope(|scope| {
        for architecture in ["amd64", "arm64", "amd64", "arm64"] {
            let (client, tag) = (&client, &tag);
            scope.spawn(move || {
                let image = client.image(tag, &platform(&format!("linux/{architecture}"))).unwrap();
                assert_eq!(image.config, config_of(architecture));
            });
        }
    });
}
