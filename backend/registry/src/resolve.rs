//! What the compiler asks for a base image, and who answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rbc_oci::{Digest, Platform, Reference};
use rbc_source::image;

use crate::client::{Client, Fetched};
use crate::error::{Result, failure, is_absent};

/// How many images are asked for at a time.
const AT_ONCE: usize = 8;

/// How fresh an image must be (`image-resolve-mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As the resolver sees fit.
    #[default]
    Default,
    /// As its registry has it now (`pull`): layouts at hand do not count.
    Pull,
    /// As it is at hand, if it is (`local`).
    Local,
}

/// A question for a base image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRequest {
    /// The image, with a tag or a digest.
    pub reference: Reference,
    /// What it shall run on.
    pub platform: Platform,
    /// How fresh it must be.
    pub mode: Mode,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The reference of the request with the digest, as it stands in the graph.
    pub reference: Reference,
    /// The digest of what the reference stands for: of the index, if it is one.
    pub digest: Digest,
    /// The image config, exactly as stored.
    pub config: Vec<u8>,
}

impl ResolvedImage {
    /// The answer to a request.
    pub fn new(request: &ImageRequest, digest: Digest, config: Vec<u8>) -> Self {
        ResolvedImage { reference: request.reference.clone().with_digest(digest.clone()), digest, config }
    }
}

/// Finds base images.
pub trait ImageResolver: Send + Sync {
    /// Finds one. A failure for which [`is_absent`] holds says that it is not here, so that another may be asked.
    fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage>;

    /// Finds several; the answers are in the order of the requests.
    fn resolve_all(&self, requests: &[ImageRequest]) -> Vec<Result<ResolvedImage>> {
        requests.iter().map(|request| self.resolve(request)).collect()
    }
}

/// Asks registries. What a tag stands for is asked once: all platforms of a build get the same image.
#[derive(Debug)]
pub struct RegistryResolver {
    client: Arc<Client>,
    tops: Mutex<HashMap<Reference, Fetched>>,
}

impl RegistryResolver {
    /// Asks through `client`.
    pub fn new(client: impl Into<Arc<Client>>) -> Self {
        RegistryResolver { client: client.into(), tops: Mutex::default() }
    }

    fn top(&self, reference: &Reference) -> Result<Fetched> {
        let lock = || self.tops.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = lock().get(reference).cloned();
        match known {
            Some(top) => Ok(top),
            None => {
                let top = self.client.manifest(reference)?;
                // Another thread may have been faster, and its answer stands.
                Ok(lock().entry(reference.clone()).or_insert(top).clone())
            }
        }
    }
}

impl ImageResolver for RegistryResolver {
    fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage> {
        let top = self.top(&request.reference)?;
        let found = self.client.image_of(&request.reference, &top, &request.platform)?;
        Ok(ResolvedImage::new(request, found.top.digest, found.config))
    }

    fn resolve_all(&self, requests: &[ImageRequest]) -> Vec<Result<ResolvedImage>> {
        if requests.len() < 2 {
            return requests.iter().map(|request| self.resolve(request)).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some((at, request)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, requests.get(at)?)))
            {
                done.push((at, self.resolve(request)));
            }
            done
        };
        let mut answers = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..requests.len().min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect::<Vec<_>>()
        });
        answers.sort_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// Has no image: the last of a [`Chain`] that must not use the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

impl ImageResolver for Offline {
    fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage> {
        let message = format!("`{}` for {} is not at hand", request.reference.familiar(), request.platform);
        let found = failure(image::OFFLINE, message).note("`--offline` forbids to fetch it");
        Err(found.note("`rbc lock` writes down what compiling needs of it").into())
    }
}

/// Asks several, in order, until one has the image. A failure that is not a mere absence ends the search.
#[derive(Default)]
pub struct Chain(pub Vec<Box<dyn ImageResolver>>);

impl ImageResolver for Chain {
    fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage> {
        let answers = self.resolve_all(std::slice::from_ref(request));
        answers.into_iter().next().unwrap_or_else(|| Offline.resolve(request))
    }

    fn resolve_all(&self, requests: &[ImageRequest]) -> Vec<Result<ResolvedImage>> {
        let mut answers: Vec<Result<ResolvedImage>> = requests.iter().map(|request| Offline.resolve(request)).collect();
        let mut open: Vec<usize> = (0..requests.len()).collect();
        for resolver in &self.0 {
            if open.is_empty() {
                break;
            }
            let asked: Vec<ImageRequest> = open.iter().map(|at| requests[*at].clone()).collect();
            let given = resolver.resolve_all(&asked);
            let mut still_open = Vec::new();
            for (at, answer) in open.into_iter().zip(given) {
                if answer.as_ref().is_err_and(|found| is_absent(found)) {
                    still_open.push(at);
                }
                answers[at] = answer;
            }
            open = still_open;
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Only(&'static str, &'static rbc_source::Code);

    impl ImageResolver for Only {
        fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage> {
            match request.reference.familiar() == self.0 {
                true => Ok(ResolvedImage::new(request, Digest::sha256([7; 32]), self.0.into())),
                false => Err(failure(self.1, "no").into()),
            }
        }
    }

    fn request(name: &str) -> ImageRequest {
        let reference = Reference::parse_normalized(name).unwrap();
        ImageRequest { reference, platform: Platform::new("linux", "amd64"), mode: Mode::Default }
    }

    #[test]
    fn a_chain_goes_on_after_an_absence_only() {
        let chain = Chain(vec![
            Box::new(Only("a:1", image::NOT_LOCKED)),
            Box::new(Only("b:1", image::NOT_FOUND)),
            Box::new(Only("c:1", image::DENIED)),
            Box::new(Only("d:1", image::NOT_FOUND)),
        ]);
        let answers = chain.resolve_all(&["c:1", "d:1", "a:1", "b:1"].map(request));
        let configs: Vec<_> = answers
            .iter()
            .map(|a| a.as_ref().map_or_else(|e| e.code.id, |a| std::str::from_utf8(&a.config).unwrap()))
            .collect();
        assert_eq!(configs, ["c:1", "E0305", "a:1", "b:1"]);
        let reference = answers[0].as_ref().unwrap().reference.to_string();
        assert_eq!(reference, format!("docker.io/library/c:1@sha256:{}", "07".repeat(32)));
        assert_eq!(Chain(vec![]).resolve(&request("a")).unwrap_err().code, image::OFFLINE);
        let locked = Chain(vec![Box::new(Only("a:1", image::NOT_LOCKED))]);
        assert_eq!(locked.resolve(&request("z")).unwrap_err().code, image::NOT_LOCKED);
    }
}
