//! The calls of a frontend.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rbc_ir::CapSet;
use rbc_oci::Platform;
use rbc_proto::gateway::{
    self as api, FileRange, InputsResponse, PongResponse, ReadFileRequest, ReadFileResponse, Ref, Refs,
    ResolveGitRequest, ResolveImageConfigRequest, ResolveImageConfigResponse, ResolveSourceMetaRequest,
    ResolveSourceMetaResponse, ReturnRequest, SolveRequest, SolveResponse, WarnRequest,
};
use rbc_proto::{ApiCap, Bytes, Empty, Status, pb};
use rbc_rpc::{code, status};
use rbc_wire::Emitted;

use crate::connection::Connection;

/// What a daemon can do that does not tell, which are those from before it could be told (BuildKit 0.3).
const OLD: [&str; 4] = ["solve.base", "solve.inlinereturn", "resolveimage", "readfile"];

/// The same of LLB.
const OLD_LLB: [&str; 29] = [
    "source.image",
    "source.local",
    "source.local.unique",
    "source.local.sessionid",
    "source.local.includepatterns",
    "source.local.followpaths",
    "source.local.excludepatterns",
    "source.local.sharedkeyhint",
    "source.git",
    "source.git.keepgitdir",
    "source.git.fullurl",
    "source.http",
    "source.http.checksum",
    "source.http.perm",
    "soruce.http.uidgid",
    "source.buildop.llbfilename",
    "exec.meta.base",
    "exec.meta.proxyenv",
    "exec.mount.bind",
    "exec.mount.cache",
    "exec.mount.cache.sharing",
    "exec.mount.selector",
    "exec.mount.tmpfs",
    "exec.mount.secret",
    "constraints",
    "platform",
    "meta.ignorecache",
    "meta.description",
    "meta.exportcache",
];

/// The daemon that has started this process as a frontend.
#[derive(Debug)]
pub struct Gateway {
    connection: Connection,
    caps: BTreeSet<String>,
    llb_caps: CapSet,
}

/// An image that a frontend asks for.
#[derive(Clone, Debug)]
pub struct ImageRequest {
    /// Its normalised reference.
    pub reference: String,
    /// For which platform; none for the daemon's own.
    pub platform: Option<Platform>,
    /// `default`, `pull` or `local`.
    pub mode: &'static str,
    /// What progress displays call it.
    pub log_name: String,
    /// The session and the store that hold it, if it is in an OCI layout of the client.
    pub layout: Option<(String, String)>,
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAnswer {
    /// It is there.
    Image {
        /// The reference that it was found under, which a policy may have changed.
        reference: String,
        /// Of its manifest or index; empty if the daemon does not tell.
        digest: String,
        /// The JSON of its config.
        config: Vec<u8>,
    },
    /// A policy has put this source, which is no image, in its place.
    Other(String),
}

/// Something to be told to the user.
#[derive(Clone, Debug, Default)]
pub struct Warning {
    /// The vertex that it belongs to.
    pub vertex: String,
    /// One line.
    pub short: String,
    /// What explains it.
    pub detail: String,
    /// A page about it.
    pub url: String,
    /// The text that it is about.
    pub source: Option<pb::SourceInfo>,
    /// Where.
    pub ranges: Vec<pb::Range>,
}

fn enabled(caps: &[ApiCap]) -> impl Iterator<Item = &str> {
    caps.iter().filter(|cap| cap.enabled).map(|cap| cap.id.as_str())
}

impl Gateway {
    /// Connects over standard input and output, and asks what the daemon can do.
    ///
    /// # Errors
    /// Standard input and output are not BuildKit's.
    pub fn over_stdio() -> io::Result<Gateway> {
        Gateway::over(Connection::over_stdio()?)
    }

    /// Asks what the daemon at the other end can do.
    ///
    /// # Errors
    /// It does not answer.
    pub fn over(connection: Connection) -> io::Result<Gateway> {
        let pong: PongResponse = connection.call(api::PING, &Empty {}).map_err(|e| io::Error::other(e.message))?;
        let caps = match &pong.frontend_caps[..] {
            [] => OLD.iter().map(|id| (*id).to_owned()).collect(),
            caps => enabled(caps).map(str::to_owned).collect(),
        };
        let llb_caps = match &pong.llb_caps[..] {
            [] => CapSet::of(OLD_LLB),
            caps => CapSet::of(enabled(caps)),
        };
        Ok(Gateway { connection, caps, llb_caps })
    }

    /// What the daemon can do of LLB.
    pub fn llb_caps(&self) -> &CapSet {
        &self.llb_caps
    }

    /// Whether the daemon has a capability of this API, such as `frontend.inputs`.
    pub fn has(&self, cap: &str) -> bool {
        self.caps.contains(cap)
    }

    /// The results of other builds that the client gives this one, as definitions by name.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn inputs(&self) -> Result<BTreeMap<String, Vec<u8>>, Status> {
        if !self.has("frontend.inputs") {
            return Ok(BTreeMap::new());
        }
        Ok(self.connection.call::<_, InputsResponse>(api::INPUTS, &Empty {})?.definitions)
    }

    /// Solves a definition. It is built when its result is used, or at once if that is asked for.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn solve(
        &self,
        definition: &Emitted,
        caches: Vec<rbc_proto::CacheEntry>,
        evaluate: bool,
    ) -> Result<Option<Ref>, Status> {
        let built = self.request(SolveRequest {
            definition: Some(definition.to_bytes().into()),
            cache_imports: caches,
            evaluate: evaluate && self.has("gateway.solve.evaluate"),
            ..SolveRequest::default()
        })?;
        match built.refs {
            None => Ok(None),
            Some(Refs::One(found)) => Ok(Some(found).filter(|found| !found.id.is_empty())),
            Some(Refs::Id(id)) => Ok(Some(id).filter(|id| !id.is_empty()).map(|id| Ref { id, definition: None })),
            Some(Refs::Many(_)) => Err(status(code::INTERNAL, "BuildKit gives several results for one definition")),
        }
    }

    /// Hands the build to another frontend.
    ///
    /// # Errors
    /// What the daemon or that frontend says.
    pub fn forward(
        &self,
        frontend: &str,
        options: BTreeMap<String, String>,
        inputs: BTreeMap<String, Vec<u8>>,
    ) -> Result<api::Result, Status> {
        self.request(SolveRequest {
            frontend: frontend.to_owned(),
            frontend_opt: options,
            frontend_inputs: inputs,
            ..SolveRequest::default()
        })
    }

    fn request(&self, mut request: SolveRequest) -> Result<api::Result, Status> {
        request.allow_result_return = true;
        request.allow_result_array_ref = true;
        let answer: SolveResponse = self.connection.call(api::SOLVE, &request)?;
        Ok(answer
            .result
            .unwrap_or_else(|| api::Result { refs: Some(Refs::Id(answer.reference)), ..api::Result::default() }))
    }

    /// Reads a file of a result, or its first bytes. An empty file system has no files.
    ///
    /// # Errors
    /// What the daemon says; that there is no such file is not told from other failures.
    pub fn read_file(&self, of: Option<&Ref>, path: &str, most: Option<i64>) -> Result<Bytes, Status> {
        let of = of.ok_or_else(|| status(code::NOT_FOUND, format!("`{path}` is not there")))?;
        let range = most.map(|length| FileRange { offset: 0, length });
        let request = ReadFileRequest { reference: of.id.clone(), path: path.to_owned(), range };
        Ok(self.connection.call::<_, ReadFileResponse>(api::READ_FILE, &request)?.data)
    }

    /// Looks images up; the answers stand in the order of the requests.
    pub fn images(&self, requests: &[ImageRequest]) -> Vec<Result<ImageAnswer, Status>> {
        if self.has("source.metaresolver") {
            let requests: Vec<_> = requests.iter().map(image_source).collect();
            let answers = self.connection.call_all(api::RESOLVE_SOURCE_META, &requests);
            return answers.into_iter().map(|answer| answer.map(image_answer)).collect();
        }
        let asked: Vec<_> = requests.iter().map(old_image_request).collect();
        let answers: Vec<Result<ResolveImageConfigResponse, _>> =
            self.connection.call_all(api::RESOLVE_IMAGE_CONFIG, &asked);
        let read = |(answer, request): (Result<ResolveImageConfigResponse, Status>, &ImageRequest)| {
            let answer = answer?;
            let reference =
                if answer.reference.is_empty() { request.reference.clone() } else { answer.reference.clone() };
            Ok(ImageAnswer::Image { reference, digest: answer.digest, config: answer.config.into() })
        };
        answers.into_iter().zip(requests).map(read).collect()
    }

    /// The time of a git commit or a download in seconds since 1970, if it has one.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn time(
        &self,
        identifier: &str,
        attrs: &BTreeMap<String, String>,
        log_name: &str,
    ) -> Result<Option<i64>, Status> {
        if !self.has("source.metaresolver") {
            return Ok(None);
        }
        let request = ResolveSourceMetaRequest {
            source: Some(source(identifier, attrs)),
            log_name: log_name.to_owned(),
            git: identifier.starts_with("git://").then_some(ResolveGitRequest { return_object: true }),
            ..ResolveSourceMetaRequest::default()
        };
        let answer: ResolveSourceMetaResponse = self.connection.call(api::RESOLVE_SOURCE_META, &request)?;
        let commit = answer.git.and_then(|git| committed(&git.commit_object));
        Ok(commit.or_else(|| Some(answer.http?.last_modified?.seconds)))
    }

    /// Tells the user something. A daemon that cannot pass it on leaves it out.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn warn(&self, warning: Warning) -> Result<(), Status> {
        if !self.has("gateway.warnings") {
            return Ok(());
        }
        let request = WarnRequest {
            digest: warning.vertex,
            level: 1,
            short: warning.short.into(),
            detail: vec![warning.detail.into()],
            url: warning.url,
            info: warning.source,
            ranges: warning.ranges,
        };
        self.connection.call::<_, Empty>(api::WARN, &request).map(|_| ())
    }

    /// Gives back what the build came to. Nothing is asked afterwards.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn finish(&self, outcome: Result<api::Result, Status>) -> Result<(), Status> {
        let request = match outcome {
            Ok(result) => ReturnRequest { result: Some(result), error: None },
            Err(failed) => ReturnRequest { result: None, error: Some(failed) },
        };
        self.connection.call::<_, Empty>(api::RETURN, &request).map(|_| ())
    }
}

fn source(identifier: &str, attrs: &BTreeMap<String, String>) -> pb::SourceOp {
    let attrs = attrs.iter().map(|(key, value)| pb::StringEntry { key: key.clone(), value: value.clone() });
    pb::SourceOp { identifier: identifier.to_owned(), attrs: attrs.collect() }
}

fn platform(platform: &Platform) -> pb::Platform {
    pb::Platform {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone(),
        os_version: platform.os_version.clone(),
        os_features: platform.os_features.clone(),
    }
}

const IMAGE: &str = "docker-image://";
const LAYOUT: &str = "oci-layout://";

fn image_source(request: &ImageRequest) -> ResolveSourceMetaRequest {
    let source = match &request.layout {
        None => source(&format!("{IMAGE}{}", request.reference), &BTreeMap::new()),
        Some((session, store)) => {
            let attrs = [("oci.session", session), ("oci.store", store)];
            let attrs = attrs.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
            source(&format!("{LAYOUT}{}", request.reference), &attrs)
        }
    };
    ResolveSourceMetaRequest {
        source: Some(source),
        platform: request.platform.as_ref().map(platform),
        log_name: request.log_name.clone(),
        resolve_mode: request.mode.to_owned(),
        ..ResolveSourceMetaRequest::default()
    }
}

fn image_answer(answer: ResolveSourceMetaResponse) -> ImageAnswer {
    let identifier = answer.source.map(|source| source.identifier).unwrap_or_default();
    let Some(image) = answer.image else { return ImageAnswer::Other(identifier) };
    let reference = identifier.strip_prefix(IMAGE).or_else(|| identifier.strip_prefix(LAYOUT)).unwrap_or(&identifier);
    ImageAnswer::Image { reference: reference.to_owned(), digest: image.digest, config: image.config.into() }
}

fn old_image_request(request: &ImageRequest) -> ResolveImageConfigRequest {
    let (session, store) = request.layout.clone().unwrap_or_default();
    ResolveImageConfigRequest {
        reference: request.reference.clone(),
        platform: request.platform.as_ref().map(platform),
        resolve_mode: request.mode.to_owned(),
        log_name: request.log_name.clone(),
        resolver_type: i32::from(request.layout.is_some()),
        session_id: session,
        store_id: store,
    }
}

/// The time of a commit, as git writes it into the object: `committer NAME <MAIL> SECONDS ZONE`.
fn committed(object: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(object);
    let line = text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("committer "))?;
    line.rsplit_once('>')?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_have_a_time() {
        let object = "tree 1\nauthor A <a@b> 1 +0000\ncommitter B <x> y <b@c> 1700000000 +0200\n\ncommitter C <c> 3\n";
        assert_eq!(committed(object.as_bytes()), Some(1_700_000_000));
        assert_eq!(committed(b"tree 1\n\ncommitter C <c> 3 +0000\n"), None);
        assert_eq!(committed(b""), None);
    }

    #[test]
    fn a_policy_may_put_something_else_in_the_place_of_an_image() {
        let answer = |identifier: &str, image| ResolveSourceMetaResponse {
            source: Some(source(identifier, &BTreeMap::new())),
            image,
            ..ResolveSourceMetaResponse::default()
        };
        let image = api::ResolveImageResponse { digest: "sha256:0".to_owned(), config: Bytes::from_static(b"{}") };
        assert_eq!(
            image_answer(answer("docker-image://a:1", Some(image))),
            ImageAnswer::Image { reference: "a:1".to_owned(), digest: "sha256:0".to_owned(), config: b"{}".to_vec() }
        );
        assert_eq!(image_answer(answer("local://x", None)), ImageAnswer::Other("local://x".to_owned()));
    }
}
