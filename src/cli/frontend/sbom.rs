//! Bills of materials: a scanner, which is an image, looks at a result and writes down what it finds. The scan is a step of the
//! build like any other, and its result goes along with that of the build (BuildKit's `frontend/attestations/sbom`).

use std::collections::BTreeMap;

use rbc_gateway::{ImageAnswer, ImageRequest, Status};
use rbc_ir::{CapSet, Exec, ExecMeta, Graph, Meta, Mount, MountKind, Op, Ref, Source, TmpfsMount, caps};
use rbc_lower::Product;
use rbc_oci::{ImageConfig, Platform};
use rbc_proto::gateway::{self as api, Attestation};
use rbc_source::{Diagnostic, image, lower};

use super::answer;
use super::host::BuildKit;

/// Where a scanner finds what it is to look at, and where it writes.
const SOURCES: &str = "/run/src";
const DESTINATION: &str = "/run/out/";

/// What the result itself is called.
const CORE: &str = "sbom";

/// What a bill of materials is, as an in-toto predicate.
const PREDICATE: &str = "https://spdx.dev/Document";

/// An attestation that is several in a directory.
const BUNDLE: i32 = 1;

/// A scanner.
pub struct Scanner {
    reference: String,
    config: ImageConfig,
    platform: Platform,
    parameters: BTreeMap<String, String>,
}

impl Scanner {
    /// Finds the scanner of a build, if it is to be scanned.
    ///
    /// # Errors
    /// There is no such image, or it has no command.
    pub fn find(host: &BuildKit<'_>) -> Result<Option<Scanner>, Status> {
        let Some(sbom) = &host.options.sbom else { return Ok(None) };
        let platform = host.options.surroundings.build_platform.clone();
        let request = ImageRequest {
            reference: sbom.generator.clone(),
            platform: Some(platform.clone()),
            mode: host.options.resolve_mode.as_str(),
            log_name: format!("[internal] load metadata for {}", sbom.generator),
            layout: None,
        };
        let wrong = |code, message| answer::status(&Diagnostic::new(code, message), None, None);
        let found = host.gateway.images(&[request]).into_iter().next().transpose()?;
        let Some(ImageAnswer::Image { reference, config, .. }) = found else {
            return Err(wrong(image::NOT_FOUND, format!("the scanner `{}` is no image", sbom.generator)));
        };
        let config = ImageConfig::parse(&config).map_err(|e| {
            wrong(image::CORRUPT, format!("the config of the scanner `{reference}` is not well formed: {e}"))
        })?;
        if config.config.entrypoint.is_empty() && config.config.cmd.is_empty() {
            return Err(wrong(lower::OPTION, format!("the scanner `{reference}` has no command")));
        }
        Ok(Some(Scanner { reference, config, platform, parameters: sbom.parameters.clone() }))
    }

    /// The step that scans a result, in the result's graph.
    pub fn scan(&self, product: &Product, title: &str, target: &CapSet) -> (Graph, Ref) {
        let mut graph = product.graph.clone();
        let platform = rbc_ir::Platform {
            os: self.platform.os.clone(),
            architecture: self.platform.architecture.clone(),
            variant: self.platform.variant.clone(),
            os_version: self.platform.os_version.clone(),
            os_features: self.platform.os_features.clone(),
        };
        let mut add = |op: Op, mut meta: Meta| {
            caps::require(&op, &mut meta, target);
            graph.add(op, Some(platform.clone().into()), meta)
        };
        let image = Source { identifier: format!("docker-image://{}", self.reference), attrs: BTreeMap::new() };
        let image = add(Op::Source(image), Meta::default()).out();
        let mut meta = Meta { ignore_cache: product.ignore_cache, ..Meta::default() };
        let name = format!("[{title}] generating sbom using {}", self.reference);
        meta.description.insert("llb.customname".into(), name);
        let step = add(Op::Exec(Box::new(self.exec(image, product))), meta);
        (graph, step.output(1))
    }

    fn exec(&self, image: Ref, product: &Product) -> Exec {
        let config = &self.config.config;
        let mut env = config.env.clone();
        env.push(format!("BUILDKIT_SCAN_DESTINATION={DESTINATION}"));
        env.push(format!("BUILDKIT_SCAN_SOURCE={SOURCES}/core/{CORE}"));
        if !product.scan.is_empty() {
            env.push(format!("BUILDKIT_SCAN_SOURCE_EXTRAS={SOURCES}/extras/"));
        }
        env.extend(self.parameters.iter().map(|(name, value)| format!("BUILDKIT_SCAN_{name}={value}")));
        let readonly = |dest: String, input| Mount { readonly: true, ..Mount::bind(dest, input) };
        let mut mounts = vec![
            Mount { output: Some(0), ..Mount::bind("/", Some(image)) },
            Mount { output: Some(1), ..Mount::bind(DESTINATION, None) },
            readonly(format!("{SOURCES}/core/{CORE}"), product.result),
            Mount::without_input("/tmp", MountKind::Tmpfs(TmpfsMount::default())),
        ];
        mounts.extend(
            product.scan.iter().map(|(name, files)| readonly(format!("{SOURCES}/extras/{CORE}-{name}"), *files)),
        );
        mounts.sort_by(|a, b| a.dest.cmp(&b.dest));
        let args = config.entrypoint.iter().chain(&config.cmd).cloned().collect();
        let cwd = if config.working_dir.is_empty() { "/".to_owned() } else { config.working_dir.clone() };
        Exec { meta: ExecMeta { args, env, cwd, ..ExecMeta::default() }, mounts, ..Exec::default() }
    }
}

/// What a scan came to, as it goes along with a result.
pub fn attestation(found: Option<api::Ref>) -> Attestation {
    let metadata = [("reason", CORE), ("sbom-core", CORE)];
    Attestation {
        kind: BUNDLE,
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect(),
        reference: found,
        predicate_type: PREDICATE.to_owned(),
        ..Attestation::default()
    }
}
