//! Sources other than directories and images.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use common::*;
use rbc_ir::{Graph, Meta, Op, Ref, Source};
use rbc_local::FilesOptions;
use sha2::{Digest as _, Sha256};

fn source(graph: &mut Graph, identifier: &str, attrs: &[(&str, &str)]) -> Ref {
    let attrs = attrs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    graph.add(Op::Source(Source { identifier: identifier.into(), attrs }), None, Meta::default()).out()
}

fn solve(world: &World, identifier: &str, attrs: &[(&str, &str)]) -> Result<Folder, String> {
    let mut graph = Graph::new();
    let root = source(&mut graph, identifier, attrs);
    let snapshot = world.solve(&graph, root).0.map_err(|e| e.to_string())?;
    let out = Folder::new();
    world.executor.store().export_directory(&snapshot, out.path(), &FilesOptions::default()).unwrap();
    Ok(out)
}

/// A server of one text with an ETag; tells what it was asked. It ends with the test.
fn serve(text: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = Vec::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_lowercase());
            }
            let known = lines.iter().any(|l| l == "if-none-match: \"tag\"");
            let missing = lines.first().is_some_and(|l| l.contains("/missing"));
            seen.lock().unwrap().push(if known {
                "again".to_owned()
            } else {
                lines.first().cloned().unwrap_or_default()
            });
            let response = match (known, missing) {
                (_, true) => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
                (true, _) => "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".to_owned(),
                _ => format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: \"tag\"\r\nlast-modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n\
                     content-disposition: attachment; filename=\"../../named.txt\"\r\nconnection: close\r\n\r\n{text}",
                    text.len()
                ),
            };
            let _ = stream.write_all(response.as_bytes());
        }
    });
    (address, asked)
}

#[test]
fn downloads() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    let (address, asked) = serve("hello");
    let url = format!("{address}/x/y.txt");
    let out = solve(&world, &url, &[]).unwrap();
    let file = std::fs::metadata(out.join("named.txt")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.mtime()), (0o600, 1_000_000_000));
    assert_eq!(std::fs::read_to_string(out.join("named.txt")).unwrap(), "hello");
    let out = solve(&world, &url, &[("http.filename", "own"), ("http.perm", "0755")]).unwrap();
    assert_eq!(std::fs::metadata(out.join("own")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(*asked.lock().unwrap(), ["get /x/y.txt http/1.1", "again"]);
    let sum = format!("sha256:{}", Sha256::digest("hello").iter().map(|b| format!("{b:02x}")).collect::<String>());
    solve(&world, &url, &[("http.checksum", &sum)]).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 2, "what has the checksum need not be asked for");
    let wrong = format!("sha256:{}", "0".repeat(64));
    let failure = solve(&world, &url, &[("http.checksum", &wrong)]).unwrap_err();
    assert!(failure.contains("does not have the checksum") && failure.contains(&sum), "{failure}");
    let failure = solve(&world, &format!("{address}/missing"), &[]).unwrap_err();
    assert!(failure.contains("status 404"), "{failure}");
}

#[test]
fn repositories() {
    let world = World::new();
    let repository = Folder::new();
    let git = |script: &str| {
        let status = Command::new("sh")
            .args(["-ec", script])
            .current_dir(repository.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("HOME", "/nonexistent")
            .status();
        assert!(status.unwrap().success(), "{script}");
    };
    git("git init -q -b main .; git config user.email a@b; git config user.name x; mkdir sub; echo one > sub/file; \
         ln -s sub link; git add .; GIT_COMMITTER_DATE=1000000000+0000 git commit -qm one; git tag -a v1 -m v1; \
         echo two > sub/file; git commit -qam two; git checkout -q -b other; echo three > sub/file; git commit -qam three; git checkout -q main");
    let url = format!("file://{}", repository.path().display());
    let attrs = |extra: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        let mut all = vec![("git.fullurl", url.clone())];
        all.extend(extra.iter().cloned());
        all
    };
    let read = |fragment: &str, extra: &[(&'static str, String)], file: &str| {
        let attrs = attrs(extra);
        let attrs: Vec<(&str, &str)> = attrs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let out = solve(&world, &format!("git://example/x.git{fragment}"), &attrs)?;
        assert_eq!(out.join(".git").exists(), extra.iter().any(|(k, _)| *k == "git.keepgitdir"));
        std::fs::read_to_string(out.join(file)).map_err(|e| e.to_string())
    };
    assert_eq!(read("", &[], "sub/file").unwrap(), "two\n");
    assert_eq!(read("#v1", &[], "link/file").unwrap(), "one\n");
    assert_eq!(read("#other", &[], "sub/file").unwrap(), "three\n");
    assert_eq!(read("#other:link", &[], "file").unwrap(), "three\n");
    assert_eq!(read("#v1", &[("git.keepgitdir", "true".into())], ".git/HEAD").map(|h| h.len() > 10), Ok(true));
    let commit =
        Command::new("git").args(["rev-parse", "v1^{commit}"]).current_dir(repository.path()).output().unwrap();
    let commit = String::from_utf8(commit.stdout).unwrap().trim().to_owned();
    assert_eq!(read(&format!("#{commit}"), &[], "sub/file").unwrap(), "one\n");
    assert_eq!(read("#v1", &[("git.checksum", commit.clone())], "sub/file").unwrap(), "one\n");
    assert!(read("#other", &[("git.checksum", commit)], "sub/file").unwrap_err().contains("not at the commit"));
    assert!(read("#nothing", &[], "sub/file").unwrap_err().contains("no branch or tag `nothing`"));
    assert!(read("#--upload-pack=touch /tmp/x", &[], "sub/file").unwrap_err().contains("not well formed"));
    assert!(read("#other:gone", &[], "file").unwrap_err().contains("has no `gone`"));
}
