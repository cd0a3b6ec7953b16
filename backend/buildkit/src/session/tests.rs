//! The daemon here is one that wants what it was not given.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rbc_proto::content::{
    InfoRequest, InfoResponse, ReadRequest, ReadResponse, WriteAction, WriteRequest, WriteResponse,
};
use rbc_proto::session::{
    CredentialsRequest, CredentialsResponse, GetSecretRequest, GetSecretResponse, Packet, PacketKind, Stat, mode,
};
use rbc_proto::{Empty, content, session};

use super::*;

/// A directory of a test's own, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("rbc-buildkit-{}", crate::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs what a daemon does with a session.
fn daemon<T>(session: Session, targets: BTreeMap<usize, Target>, work: impl AsyncFnOnce(Channel) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let services = Services::new(Arc::new(session), targets);
        tokio::spawn(async move { _ = serve(ours, Arc::new(services)).await });
        work(Channel::over(theirs, "client").await.unwrap()).await
    })
}

fn local(folder: &Folder) -> Session {
    Session { local: [("context".to_owned(), folder.0.clone())].into(), ..Session::default() }
}

/// Takes what is sent of a directory: its entries, and the contents of the files that are chosen by their names.
async fn fetch(
    channel: &Channel,
    metadata: &[(&str, &str)],
    between: impl FnOnce(),
    wanted: &[&str],
) -> Result<(Vec<String>, Vec<String>), Status> {
    let (mut answer, mut out) = channel.call(session::FILE_SYNC, metadata).await?.split();
    let mut names = Vec::new();
    while let Some(packet) = answer.message::<Packet>().await? {
        assert_eq!(packet.kind(), PacketKind::Stat, "{packet:?}");
        let Some(stat) = packet.stat else { break };
        names.push(stat.path);
    }
    between();
    let mut contents = Vec::new();
    for name in wanted {
        let id = names.iter().position(|known| known == name).unwrap_or(9_999) as u32;
        out.message(&Packet { kind: PacketKind::Req.into(), id, ..Packet::default() }).await?;
        let mut text = Vec::new();
        loop {
            let Some(packet) = answer.message::<Packet>().await? else { return Ok((names, contents)) };
            match packet.kind() {
                PacketKind::Data if packet.data.is_empty() => break,
                PacketKind::Data => text.extend_from_slice(&packet.data),
                _ => return Err(status(code::UNKNOWN, String::from_utf8_lossy(&packet.data))),
            }
        }
        contents.push(String::from_utf8(text).unwrap());
    }
    out.message(&Packet { kind: PacketKind::Fin.into(), ..Packet::default() }).await?;
    let last = answer.message::<Packet>().await?;
    assert_eq!(last.map(|packet| packet.kind()), Some(PacketKind::Fin));
    Ok((names, contents))
}

#[test]
fn a_directory_is_sent() {
    let folder = Folder::new();
    for name in ["a/b", "a.b", "a-", "z/.git/config", "z/deep/x.log"] {
        folder.file(name, name);
    }
    fs::hard_link(folder.path("a.b"), folder.path("same")).unwrap();
    daemon(local(&folder), BTreeMap::new(), async |channel| {
        let names = ["a", "a/b", "a-", "a.b", "same", "z", "z/.git", "z/.git/config", "z/deep", "z/deep/x.log"];
        let got = fetch(&channel, &[("dir-name", "context")], || {}, &["a/b", "a.b"]).await.unwrap();
        assert_eq!(got.0, names);
        assert_eq!(got.1, ["a/b", "a.b"]);
        let filter = [("dir-name", "context"), ("exclude-patterns", "**/.git"), ("exclude-patterns", "a*")];
        assert_eq!(fetch(&channel, &filter, || {}, &[]).await.unwrap().0, ["same", "z", "z/deep", "z/deep/x.log"]);
        let filter = [("dir-name", "context"), ("include-patterns", "z/*/x.log")];
        assert_eq!(fetch(&channel, &filter, || {}, &[]).await.unwrap().0, ["z", "z/deep", "z/deep/x.log"]);
    });
}

#[test]
fn only_what_was_given_is_sent() {
    let (folder, outside) = (Folder::new(), Folder::new());
    outside.file("secret", "hush");
    folder.file("file", "text");
    symlink(outside.path("secret"), folder.path("link")).unwrap();
    symlink(&outside.0, folder.path("dir")).unwrap();
    let secret = outside.path("secret");
    let secret = secret.to_str().unwrap();
    daemon(local(&folder), BTreeMap::new(), async |channel| {
        for name in ["", "..", "/", "/etc", "context/..", "Context"] {
            let refused = fetch(&channel, &[("dir-name", name)], || {}, &[]).await.unwrap_err();
            assert_eq!(refused.code, code::NOT_FOUND, "{name}");
        }
        // Links are sent as links, and nothing is read through them.
        let whole = [("dir-name", "context")];
        assert_eq!(fetch(&channel, &whole, || {}, &[]).await.unwrap().0, ["dir", "file", "link"]);
        for name in ["link", "dir", "nothing"] {
            assert!(fetch(&channel, &whole, || {}, &[name]).await.is_err(), "{name}");
        }
        for path in [secret, "../../../../../../etc/passwd", "link", "dir/secret", "dir/../../etc"] {
            let follow = [("dir-name", "context"), ("followpaths", path)];
            let (names, _) = fetch(&channel, &follow, || {}, &[]).await.unwrap();
            assert!(names.iter().all(|name| ["dir", "file", "link"].contains(&name.as_str())), "{path}: {names:?}");
        }
        // What becomes a link after it was described is not followed either.
        let swap = || {
            fs::remove_file(folder.path("file")).unwrap();
            symlink(secret, folder.path("file")).unwrap();
        };
        let refused = fetch(&channel, &whole, swap, &["file"]).await;
        assert!(refused.is_err(), "{refused:?}");
    });
}

fn stat(path: &str, mode: u32, linkname: &str) -> Stat {
    Stat { path: path.to_owned(), mode, linkname: linkname.to_owned(), ..Stat::default() }
}

/// Sends a directory, as the daemon does with a result.
async fn deliver(channel: &Channel, entries: &[(Stat, &str)], metadata: &[(&str, &str)]) -> Result<(), Status> {
    let packet = |kind: PacketKind| Packet { kind: kind.into(), ..Packet::default() };
    let (mut answer, mut out) = channel.call(session::FILE_SEND, metadata).await?.split();
    for (stat, _) in entries {
        out.message(&Packet { stat: Some(stat.clone()), ..packet(PacketKind::Stat) }).await?;
    }
    out.message(&packet(PacketKind::Stat)).await?;
    while let Some(got) = answer.message::<Packet>().await? {
        match got.kind() {
            PacketKind::Req => {
                let text = entries[got.id as usize].1;
                if !text.is_empty() {
                    let data = text.as_bytes().to_vec().into();
                    out.message(&Packet { id: got.id, data, ..packet(PacketKind::Data) }).await?;
                }
                out.message(&Packet { id: got.id, ..packet(PacketKind::Data) }).await?;
            }
            PacketKind::Fin => out.message(&packet(PacketKind::Fin)).await?,
            _ => {}
        }
    }
    Ok(())
}

fn target(folder: &Folder, delete: bool) -> BTreeMap<usize, Target> {
    [(0, Target::Directory { path: folder.path("out"), delete })].into()
}

#[test]
fn a_result_is_taken() {
    let folder = Folder::new();
    folder.file("out/old", "old");
    folder.file("out/dir/old", "old");
    folder.file("out/was", "a file");
    let entries = [
        (stat("dir", mode::DIR | 0o555, ""), ""),
        (stat("dir/file", 0o640, ""), "text"),
        (stat("empty", 0o600, ""), ""),
        (stat("hard", 0o640, "dir/file"), ""),
        (stat("link", mode::SYMLINK | 0o777, "/etc/passwd"), ""),
        (stat("was", mode::DIR | 0o755, ""), ""),
    ];
    daemon(Session::default(), target(&folder, false), async |channel| {
        deliver(&channel, &entries, &[]).await.unwrap();
    });
    let read = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
    assert_eq!([read("out/dir/file"), read("out/hard"), read("out/empty")], ["text", "text", ""]);
    assert_eq!(fs::read_link(folder.path("out/link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!([read("out/old"), read("out/dir/old")], ["old", "old"]);
    assert!(folder.path("out/was").is_dir());
    daemon(Session::default(), target(&folder, true), async |channel| {
        // A daemon that sends one platform after the other would remove what it sent before.
        assert_eq!(deliver(&channel, &entries, &[]).await.unwrap_err().code, code::UNIMPLEMENTED);
        deliver(&channel, &entries, &[("buildkit-exporter-multi-platform", "1")]).await.unwrap();
    });
    assert!(!folder.path("out/old").exists() && !folder.path("out/dir/old").exists());
    assert_eq!(read("out/dir/file"), "text");
}

#[test]
fn nothing_is_written_elsewhere() {
    let (folder, outside) = (Folder::new(), Folder::new());
    outside.file("file", "mine");
    folder.file("out/there", "");
    symlink(&outside.0, folder.path("out/way")).unwrap();
    let out = outside.0.to_str().unwrap();
    let secret = outside.path("file");
    let file = |path: &str| (stat(path, 0o644, ""), "theirs");
    let link = |path: &str, to: &str| (stat(path, mode::SYMLINK | 0o777, to), "");
    let directory = |path: &str| (stat(path, mode::DIR | 0o755, ""), "");
    let all = [
        vec![file("../x")],
        vec![file("/x")],
        vec![file(secret.to_str().unwrap())],
        vec![file("a/../../x")],
        vec![directory("a"), file("a/../x")],
        vec![directory("..")],
        vec![directory(".")],
        vec![file("")],
        vec![file("a//x")],
        vec![file("not-sent/x")],
        vec![file("way/x")],
        vec![link("l", out), file("l/x")],
        vec![link("l", out), file("l/file")],
        vec![directory("d"), link("d", out), file("d/x")],
        vec![(stat("h", 0o644, secret.to_str().unwrap()), "")],
        vec![(stat("h", 0o644, "way/file"), "")],
        vec![(stat("h", 0o644, "there"), "")],
    ];
    for entries in all {
        daemon(Session::default(), target(&folder, false), async |channel| {
            assert!(deliver(&channel, &entries, &[]).await.is_err(), "{entries:?}");
        });
        let names: Vec<_> = fs::read_dir(&outside.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["file"], "{entries:?}");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "mine");
        assert!(!folder.path("x").exists(), "{entries:?}");
    }
    // A link that is in the way is replaced.
    daemon(Session::default(), target(&folder, false), async |channel| {
        deliver(&channel, &[directory("way"), file("way/x")], &[]).await.unwrap();
        let unwanted = deliver(&channel, &[], &[("buildkit-attachable-exporter-id", "1")]).await;
        assert_eq!(unwanted.unwrap_err().code, code::NOT_FOUND);
    });
    assert!(!outside.path("x").exists() && folder.path("out/way/x").exists());
}

#[test]
fn an_archive_is_taken_once() {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let targets = [(3, Target::Archive(Box::new(kept.clone())))].into();
    daemon(Session::default(), targets, async |channel| {
        let send = async || {
            let call = channel.call(session::FILE_SEND, &[("buildkit-attachable-exporter-id", "3")]).await?;
            let (mut answer, mut out) = call.split();
            for piece in ["one ", "two"] {
                let data = piece.as_bytes().to_vec().into();
                out.message(&BytesMessage { data }).await?;
            }
            out.end();
            answer.message::<Empty>().await
        };
        send().await.unwrap();
        assert_eq!(send().await.unwrap_err().code, code::NOT_FOUND);
    });
    assert_eq!(*kept.0.lock().unwrap(), b"one two");
}

#[test]
fn secrets_blobs_and_credentials() {
    let folder = Folder::new();
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    folder.file(&format!("blobs/{}", digest.replace(':', "/")), "abcdef");
    folder.file("index.json", "{}");
    let session = Session {
        secrets: [("token".to_owned(), b"hush".to_vec())].into(),
        layouts: [("base".to_owned(), folder.0.clone())].into(),
        ..Session::default()
    };
    daemon(session, BTreeMap::new(), async |channel| {
        let secret = async |id: &str| {
            let request = GetSecretRequest { id: id.to_owned() };
            channel.unary::<GetSecretResponse>(session::GET_SECRET, &[], &request).await
        };
        assert_eq!(secret("token").await.unwrap().data, b"hush"[..]);
        assert_eq!(secret("other").await.unwrap_err().code, code::NOT_FOUND);
        let size = async |store: &str, digest: &str| {
            let request = InfoRequest { digest: digest.to_owned() };
            let metadata = [("buildkit-attachable-store-id", store)];
            let answer = channel.unary::<InfoResponse>(content::INFO, &metadata, &request).await;
            answer.ok().and_then(|answer| answer.info).map(|info| info.size)
        };
        assert_eq!(size("oci:base", digest).await, Some(6));
        for (store, digest) in [
            ("oci:other", digest),
            ("local:/", digest),
            ("", digest),
            ("oci:base", "sha256:../../index.json"),
            ("oci:base", "../../index.json"),
            ("oci:base", &digest.replace('b', "c")),
        ] {
            assert_eq!(size(store, digest).await, None, "{store} {digest}");
        }
        let request = ReadRequest { digest: digest.to_owned(), offset: 1, size: 3 };
        let mut call =
            channel.ask(content::READ, &[("buildkit-attachable-store-id", "oci:base")], &request).await.unwrap();
        let piece = call.message::<ReadResponse>().await.unwrap().unwrap();
        assert_eq!((piece.offset, &piece.data[..]), (1, &b"bcd"[..]));
        assert!(call.message::<ReadResponse>().await.unwrap().is_none());
        // Nobody has credentials here, nor an agent.
        let request = CredentialsRequest { host: "registry.example".to_owned() };
        let none = channel.unary::<CredentialsResponse>(session::CREDENTIALS, &[], &request).await.unwrap();
        assert_eq!(none, CredentialsResponse::default());
        let unknown = channel.unary::<Empty>("/moby.unknown/Method", &[], &Empty {}).await.unwrap_err();
        assert_eq!(unknown.code, code::UNIMPLEMENTED);
    });
}

#[test]
fn blobs_are_taken_where_they_are_wanted() {
    let folder = Folder::new();
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let session = Session {
        caches: [(folder.path("cache"), true), (folder.path("old"), false)].into(),
        layouts: [("base".to_owned(), folder.path("base"))].into(),
        ..Session::default()
    };
    let cache = format!("local:{}", folder.path("cache").display());
    let old = format!("local:{}", folder.path("old").display());
    daemon(session, BTreeMap::new(), async |channel| {
        let write = async |store: &str, digest: &str, pieces: &[(i64, &str)]| {
            let call = channel.call(content::WRITE, &[("buildkit-attachable-store-id", store)]).await?;
            let (mut answer, mut out) = call.split();
            let mut request =
                WriteRequest { reference: "x".to_owned(), total: 3, expected: digest.to_owned(), ..Default::default() };
            out.message(&request).await?;
            answer.message::<WriteResponse>().await?;
            for (offset, text) in pieces {
                request.action = WriteAction::Write.into();
                (request.offset, request.data) = (*offset, text.as_bytes().to_vec().into());
                out.message(&request).await?;
                answer.message::<WriteResponse>().await?;
            }
            request.action = WriteAction::Commit.into();
            request.data = Vec::new().into();
            out.message(&request).await?;
            let last = answer.message::<WriteResponse>().await?;
            Ok::<_, Status>(last.map(|last| (last.offset, last.digest)))
        };
        let abc = [(0, "ab"), (2, "c")];
        for (store, digest, pieces) in [
            (old.as_str(), digest, &abc[..]),
            ("oci:base", digest, &abc[..]),
            ("export", digest, &abc[..]),
            ("local:/tmp", digest, &abc[..]),
            (&cache, "sha256:../../../x", &abc[..]),
            (&cache, "", &abc[..]),
            (&cache, digest, &[(0, "abd")]),
            (&cache, digest, &[(0, "ab"), (1, "c")]),
            (&cache, digest, &[(0, "abcd")]),
        ] {
            assert!(write(store, digest, pieces).await.is_err(), "{store} {digest} {pieces:?}");
        }
        assert_eq!(write(&cache, digest, &abc).await.unwrap(), Some((3, digest.to_owned())));
        assert_eq!(write(&cache, digest, &abc).await.unwrap_err().code, code::EXISTS);
    });
    assert_eq!(fs::read_to_string(folder.path("cache/blobs").join(digest.replace(':', "/"))).unwrap(), "abc");
    assert!(!folder.path("old").exists() && !folder.path("base").exists());
}
