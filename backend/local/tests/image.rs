//! Images: in and out.

mod common;

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::tar::{Entry, header, tar};
use common::*;
use rbc_ir::{FileAction, Graph, Input, Meta, Op, Ref, Source};
use rbc_local::{Compression, Config, Executor, FilesOptions, ImageOptions, ImageTarget, Part, Snapshot};
use rbc_oci::{ImageConfig, Reference};
use rbc_registry::{Descriptor, Layout, Manifest, media};
use sha2::{Digest as _, Sha256};

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// An OCI layout with one image, `img:latest`, of uncompressed layers.
fn layout(layers: &[Vec<u8>]) -> Folder {
    let folder = Folder::new();
    let layout = Layout::create(folder.path()).unwrap();
    let diff_ids: Vec<String> = layers.iter().map(|l| format!("{:?}", sha256(l))).collect();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let config = layout.put(media::OCI_CONFIG, config.as_bytes()).unwrap();
    let layers: Vec<Descriptor> = layers.iter().map(|l| layout.put(media::OCI_LAYER, l).unwrap()).collect();
    let manifest = serde_json::to_vec(&Manifest::new(config, layers)).unwrap();
    let manifest = layout.put(media::OCI_MANIFEST, &manifest).unwrap();
    layout.list(manifest, Some("latest")).unwrap();
    folder
}

fn image(graph: &mut Graph, identifier: &str) -> Ref {
    let source = Source { identifier: identifier.into(), attrs: Default::default() };
    let platform = rbc_ir::Platform { os: "linux".into(), architecture: "amd64".into(), ..Default::default() };
    graph.add(Op::Source(source), Some(platform.into()), Meta::default()).out()
}

/// Unpacks an image of these layers.
fn unpack(world: &mut World, layers: &[Vec<u8>]) -> Result<Snapshot, rbc_local::SolveError> {
    let folder = layout(layers);
    world.session.layouts.insert("img".into(), folder.path().into());
    let mut graph = Graph::new();
    let root = image(&mut graph, "oci-layout://img:latest");
    world.solve(&graph, root).0
}

/// The files of a result, as `find` lists them.
fn files(world: &World, snapshot: &Snapshot) -> (Folder, Vec<String>) {
    let out = Folder::new();
    world.executor.store().export_directory(snapshot, out.path(), &FilesOptions::default()).unwrap();
    let mut found = Vec::new();
    list(out.path(), out.path(), &mut found);
    found.sort();
    (out, found)
}

fn list(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.strip_prefix(root).unwrap().display().to_string());
        if path.symlink_metadata().unwrap().is_dir() {
            list(root, &path, found);
        }
    }
}

#[test]
fn layers_whiteouts_and_links() {
    let mut world = World::new();
    let lower = tar(&[
        Entry("a/", b'5', "", b""),
        Entry("a/one", b'0', "", b"1"),
        Entry("a/two", b'0', "", b"2"),
        Entry("b/deep/x", b'0', "", b"x"),
        Entry("b/deep/y", b'0', "", b"y"),
        Entry("lib", b'2', "usr/lib", b""),
        Entry("usr/lib/", b'5', "", b""),
        Entry("hard", b'1', "a/one", b""),
        Entry("gone/", b'5', "", b""),
        Entry("gone/x", b'0', "", b""),
    ]);
    let upper = tar(&[
        Entry("a/.wh.two", b'0', "", b""),
        Entry("b/deep/.wh..wh..opq", b'0', "", b""),
        Entry("b/deep/z", b'0', "", b"z"),
        Entry(".wh.gone", b'0', "", b""),
        Entry(".wh.never", b'0', "", b""),
        Entry("lib/new", b'0', "", b"n"),
        Entry(".wh..wh.plnk", b'0', "", b""),
    ]);
    let snapshot = unpack(&mut world, &[lower, upper]).unwrap();
    let (out, found) = files(&world, &snapshot);
    assert_eq!(found, ["a", "a/one", "b", "b/deep", "b/deep/z", "hard", "lib", "usr", "usr/lib", "usr/lib/new"]);
    let ino = |name: &str| std::fs::metadata(out.join(name)).unwrap().ino();
    assert_eq!(ino("hard"), ino("a/one"));
}

#[test]
fn hostile_layers() {
    let outside = Folder::new();
    outside.write("victim", "untouched");
    let target = outside.path().to_str().unwrap();
    let deep = format!("{}tmp/x", "../".repeat(20));
    let device = {
        let mut bytes = header("dev0", b'3', "", 0, (0, 0)).to_vec();
        bytes.extend([0; 1024]);
        bytes
    };
    let refused = [
        tar(&[Entry(&deep, b'0', "", b"x")]),
        tar(&[Entry("a/../../b", b'0', "", b"x")]),
        tar(&[Entry("l", b'1', "../../../etc/passwd", b"")]),
        tar(&[Entry("l", b'1', "missing", b"")]),
        tar(&[Entry("l", b'1', &format!("{target}/victim"), b"")]),
        tar(&[Entry("a/.wh...", b'0', "", b""), Entry("a/.wh.", b'0', "", b"")].map(|e| Entry(e.0, e.1, e.2, e.3)))
            .into_iter()
            .collect(),
        device,
        tar(&[Entry("x", b'S', "", b"")]),
        b"this is no archive, but long enough to be a block of one. ".repeat(20),
    ];
    for (number, layer) in refused.into_iter().enumerate() {
        let mut world = World::new();
        // An empty directory, so that whiteouts find one.
        let below = tar(&[Entry("a/", b'5', "", b"")]);
        let failure = unpack(&mut world, &[below, layer]).err().map(|e| e.to_string());
        assert!(failure.as_ref().is_some_and(|f| f.contains("cannot be unpacked")), "{number}: {failure:?}");
    }
    // What leads outside leads to the same place inside.
    let name = target.trim_start_matches('/');
    let contained = [
        tar(&[Entry("out", b'2', target, b""), Entry("out/victim", b'0', "", b"owned")]),
        tar(&[Entry("/out", b'2', &"../".repeat(30), b""), Entry(&format!("out/{name}/victim"), b'0', "", b"owned")]),
        tar(&[Entry(target, b'5', "", b""), Entry(&format!("{target}/victim"), b'0', "", b"owned")]),
        tar(&[
            Entry("d/", b'5', "", b""),
            Entry("d/file", b'0', "", b"x"),
            Entry("d", b'2', target, b""),
            Entry("d/victim", b'0', "", b"owned"),
        ]),
        tar(&[Entry("v", b'2', &format!("{target}/victim"), b""), Entry("v", b'0', "", b"owned")]),
        tar(&[Entry("out", b'2', target, b""), Entry("out/.wh.victim", b'0', "", b"")]),
        tar(&[Entry("out", b'2', target, b""), Entry("out/.wh..wh..opq", b'0', "", b"")]),
    ];
    for (number, layer) in contained.into_iter().enumerate() {
        let mut world = World::new();
        // Whether it is refused or not: nothing outside has changed.
        let _ = unpack(&mut world, &[layer]);
        assert_eq!(std::fs::read_to_string(outside.join("victim")).unwrap(), "untouched", "{number}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1, "{number}");
    }
}

#[test]
fn attributes_of_overlays_stay_out() {
    let mut world = World::new();
    let record = |key: &str, value: &str| {
        let body = format!(" SCHILY.xattr.{key}={value}\n");
        let mut length = body.len() + 2;
        if length.to_string().len() > 2 {
            length += 1;
        }
        format!("{length}{body}")
    };
    let text =
        record("trusted.overlay.redirect", "/etc") + &record("trusted.overlay.opaque", "y") + &record("user.kept", "1");
    let mut layer = header("pax", b'x', "", text.len(), (0, 0)).to_vec();
    layer.extend(text.as_bytes());
    layer.extend(vec![0; text.len().wrapping_neg() % 512]);
    layer.extend(tar(&[Entry("dir/", b'5', "", b""), Entry("suid", b'0', "", b"x")]));
    let snapshot = unpack(&mut world, &[layer]).unwrap();
    let dir = world.executor.store().root().join("layers").join(snapshot.layers()[0].id()).join("fs");
    let list = std::process::Command::new("python3")
        .args(["-c", "import os,sys; print(os.listxattr(sys.argv[1]))"])
        .arg(dir.join("dir"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout).trim(), "['user.kept']");
    assert_eq!(std::fs::metadata(dir.join("suid")).unwrap().mode() & 0o7777, 0o4755);
}

#[test]
fn a_layer_that_is_not_what_its_config_says() {
    let mut world = World::new();
    let folder = layout(&[tar(&[Entry("a", b'0', "", b"1")])]);
    let layout = Layout::open(folder.path()).unwrap();
    let other = layout.put(media::OCI_LAYER, &tar(&[Entry("a", b'0', "", b"2")])).unwrap();
    let top = layout.find(Some("latest"), None).unwrap();
    let mut manifest: Manifest = serde_json::from_slice(&layout.read(&top, 1 << 20).unwrap()).unwrap();
    manifest.layers = vec![other];
    let manifest = layout.put(media::OCI_MANIFEST, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    layout.list(manifest, Some("latest")).unwrap();
    world.session.layouts.insert("img".into(), folder.path().into());
    let mut graph = Graph::new();
    let root = image(&mut graph, "oci-layout://img:latest");
    let failure = world.solve(&graph, root).0.unwrap_err().to_string();
    assert!(failure.contains("and the config says"), "{failure}");
}

#[test]
fn a_bomb_is_cut_off() {
    let mut world = World::new();
    let config = Config { layer_max: Some(32 << 20), ..Config::default() };
    world.executor = Executor::open(world.store.path(), config).unwrap();
    let folder = Folder::new();
    let layout = Layout::create(folder.path()).unwrap();
    let size = 64_u64 << 20;
    let zstd = {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        let mut block = header("bomb", b'0', "", 0, (0, 0));
        block[124..136].copy_from_slice(&[&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat());
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        std::io::Write::write_all(&mut encoder, &block).unwrap();
        std::io::copy(&mut std::io::repeat(0).take(size), &mut encoder).unwrap();
        encoder.finish().unwrap()
    };
    assert!(zstd.len() < 64 << 10);
    let config = layout
        .put(
            media::OCI_CONFIG,
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:0"]}}"#,
        )
        .unwrap();
    let layer = layout.put(media::OCI_LAYER_ZSTD, &zstd).unwrap();
    let manifest =
        layout.put(media::OCI_MANIFEST, &serde_json::to_vec(&Manifest::new(config, vec![layer])).unwrap()).unwrap();
    layout.list(manifest, Some("latest")).unwrap();
    world.session.layouts.insert("img".into(), folder.path().into());
    let mut graph = Graph::new();
    let root = image(&mut graph, "oci-layout://img:latest");
    let failure = world.solve(&graph, root).0.unwrap_err().to_string();
    assert!(failure.contains("meant to fill the disk"), "{failure}");
    assert_eq!(std::fs::read_dir(world.store.join("layers")).unwrap().count(), 0);
}

/// A result with two layers: busybox, and changes of all kinds.
fn changed(world: &World) -> Snapshot {
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let script = "echo 1 > /new; rm /tmp/.keep; rm -r /etc; mkdir /etc; echo x > /etc/x; ln /new /new2; ln -s new /link; \
                  chmod 4755 /new; mkdir -p /srv/a; chown 33:34 /srv/a; touch -d @1000000000 /srv/a";
    let run = run(&mut graph, base, script);
    let (solved, seen) = world.solve(&graph, run);
    solved.unwrap_or_else(|e| panic!("{e} {:?}", seen.lines()))
}

fn round_trip(world: &mut World, snapshot: &Snapshot, options: &ImageOptions) -> Snapshot {
    let store = world.executor.store();
    let made = store.make_image(&[Part { snapshot: snapshot.clone(), ..Part::default() }], options).unwrap();
    let folder = Folder::new();
    let name = Reference::parse_normalized("example.com/img:v1").unwrap();
    store.export_image(&made, &[name], ImageTarget::Layout(folder.path())).unwrap();
    // Another store knows nothing of it.
    let other = World::new();
    world.session.layouts.insert("img".into(), folder.path().into());
    let executor = std::mem::replace(&mut world.executor, other.executor);
    let mut graph = Graph::new();
    let root = image(&mut graph, &format!("oci-layout://img@{}", made.top.digest));
    let again = world.solve(&graph, root).0.unwrap_or_else(|e| panic!("{e}"));
    let (_, before) = {
        let out = Folder::new();
        executor.store().export_directory(snapshot, out.path(), &FilesOptions::default()).unwrap();
        let mut found = Vec::new();
        list(out.path(), out.path(), &mut found);
        found.sort();
        (out, found)
    };
    let (out, after) = files(world, &again);
    assert_eq!(before, after);
    assert_eq!(std::fs::metadata(out.join("new")).unwrap().mode() & 0o7777, 0o4755);
    assert_eq!(std::fs::metadata(out.join("srv/a")).unwrap().mtime(), 1_000_000_000);
    assert_eq!(std::fs::metadata(out.join("new")).unwrap().nlink(), 2);
    world.executor = executor;
    again
}

#[test]
fn what_goes_out_comes_in_again() {
    let mut world = World::new();
    let snapshot = changed(&world);
    for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
        round_trip(&mut world, &snapshot, &ImageOptions { compression, ..ImageOptions::default() });
    }
}

#[test]
fn config_and_history() {
    let world = World::new();
    let snapshot = changed(&world);
    let config = br#"{"architecture":"amd64","os":"linux","config":{"Env":["A=<b>"],"Labels":{"z":"1","a":"2"}},
        "history":[{"created_by":"one"},{"created_by":"ENV A","empty_layer":true},{"created":"2020-01-01T00:00:00Z","created_by":"two"}],
        "rootfs":{"type":"layers","diff_ids":[]},"moby.extra":{"b":1,"a":2}}"#;
    let part = Part { snapshot, config: Some(config.to_vec()), ..Part::default() };
    let options = ImageOptions { epoch: Some(1_500_000_000), rewrite_timestamps: true, ..ImageOptions::default() };
    let made = world.executor.store().make_image(&[part], &options).unwrap();
    let (_, manifest) = &made.manifests[0];
    let layout = Folder::new();
    world.executor.store().export_image(&made, &[], ImageTarget::Layout(layout.path())).unwrap();
    let layout = Layout::open(layout.path()).unwrap();
    let json = String::from_utf8(layout.read(&manifest.config, 1 << 20).unwrap()).unwrap();
    assert!(json.contains(r#""config":{"Env":["A=<b>"],"Labels":{"z":"1","a":"2"}}"#), "as it was: {json}");
    assert!(json.contains(r#""moby.extra":{"b":1,"a":2}"#), "{json}");
    let parsed = ImageConfig::parse(json.as_bytes()).unwrap();
    assert_eq!(parsed.diff_ids.unwrap().len(), 2);
    let created: Vec<_> =
        parsed.history.iter().map(|h| (h.created.as_ref().unwrap().as_str(), h.empty_layer)).collect();
    let epoch = "2017-07-14T02:40:00Z";
    assert_eq!(created, [(epoch, false), (epoch, true), (epoch, false)]);
    assert_eq!(parsed.created.unwrap().as_str(), epoch);
    // No file is younger.
    let mut tar = Vec::new();
    let blob = layout.read(&manifest.layers[1], 1 << 30).unwrap();
    flate2::read::GzDecoder::new(&blob[..]).read_to_end(&mut tar).unwrap();
    let folder = Folder::new();
    std::fs::write(folder.join("l.tar"), tar).unwrap();
    let list = std::process::Command::new("tar").args(["--utc", "-tvf"]).arg(folder.join("l.tar")).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.lines().all(|l| l.contains("2017-07-14 02:40") || l.contains("2001-09-09")), "{list}");
    assert!(list.contains("etc/.wh.passwd") && list.contains("tmp/.wh..keep") && !list.contains(".wh..wh"), "{list}");
}

#[test]
fn the_same_bytes_from_two_stores() {
    let context = Folder::new();
    context.write("a/b", "text").write("c", "text");
    let make = || {
        let mut world = World::new();
        world.session.local.insert("ctx".into(), context.path().into());
        let mut graph = Graph::new();
        let base = base(&mut graph);
        let ctx = local(&mut graph, "ctx");
        let copied = file(&mut graph, FileAction::copy(Input::Ref(base), Input::Ref(ctx), copy("/", "/ctx")));
        let run = run(&mut graph, copied, "date > /now; rm /now; echo x > /x");
        let snapshot = world.solve(&graph, run).0.unwrap();
        let options = ImageOptions { epoch: Some(1_000_000), rewrite_timestamps: true, ..ImageOptions::default() };
        world.executor.store().make_image(&[Part { snapshot, ..Part::default() }], &options).unwrap().top.digest
    };
    let first = make();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(first, make());
}

#[test]
fn archives() {
    let mut world = World::new();
    let snapshot = changed(&world);
    let name = Reference::parse_normalized("app:v2").unwrap();
    let store = world.executor.store();
    let options = ImageOptions { oci_types: false, ..ImageOptions::default() };
    let made = store.make_image(&[Part { snapshot: snapshot.clone(), ..Part::default() }], &options).unwrap();
    let folder = Folder::new();
    let mut docker = Vec::new();
    store.export_image(&made, std::slice::from_ref(&name), ImageTarget::DockerArchive(&mut docker)).unwrap();
    std::fs::write(folder.join("docker.tar"), &docker).unwrap();
    let mut oci = Vec::new();
    store.export_image(&made, std::slice::from_ref(&name), ImageTarget::OciArchive(&mut oci)).unwrap();
    std::fs::write(folder.join("oci.tar"), &oci).unwrap();
    // What older versions of `docker save` write: no layout, and layers in folders of their own.
    let old = folder.join("old");
    let unpacked = folder.join("unpacked");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::create_dir_all(&unpacked).unwrap();
    let sh = |script: &str| {
        assert!(
            std::process::Command::new("sh")
                .args(["-ec", script])
                .current_dir(folder.path())
                .status()
                .unwrap()
                .success()
        )
    };
    sh("tar -xf docker.tar -C unpacked; cd unpacked; rm oci-layout index.json; mv blobs/sha256 layers; \
        sed -i 's,blobs/sha256/,layers/,g' manifest.json; tar -cf ../old.tar .");
    for archive in ["docker.tar", "oci.tar", "old.tar"] {
        let fresh = World::new();
        world.session.archives = vec![folder.join(archive)];
        let executor = std::mem::replace(&mut world.executor, fresh.executor);
        let mut graph = Graph::new();
        let root = image(&mut graph, "docker-image://docker.io/library/app:v2");
        let again = world.solve(&graph, root).0.unwrap_or_else(|e| panic!("{archive}: {e}"));
        let (_, found) = files(&world, &again);
        assert!(found.contains(&"etc/x".to_owned()) && !found.contains(&"etc/passwd".to_owned()), "{archive}");
        let gone = image(&mut graph, "docker-image://docker.io/library/other:v2");
        assert!(world.solve(&graph, gone).0.unwrap_err().to_string().contains("not at hand"));
        world.executor = executor;
    }
}
