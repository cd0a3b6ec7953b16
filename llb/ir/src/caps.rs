//! Capabilities: what a backend must be able to do for a vertex, by the ids of moby/buildkit `solver/pb/caps.go`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::{ContentCache, Meta, MountKind, NetMode, Op, SecurityMode, Source};

/// The id of a capability.
pub type Cap = Cow<'static, str>;

macro_rules! caps {
    ($($name:ident = $id:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`")]
            pub const $name: &str = $id;
        )*
        /// Every capability of the protocol.
        pub const ALL: &[&str] = &[$($id),*];
    };
}

caps! {
    SOURCE_IMAGE = "source.image";
    SOURCE_IMAGE_RESOLVE_MODE = "source.image.resolvemode";
    SOURCE_IMAGE_LAYER_LIMIT = "source.image.layerlimit";
    SOURCE_IMAGE_CHECKSUM = "source.image.checksum";
    SOURCE_LOCAL = "source.local";
    SOURCE_LOCAL_UNIQUE = "source.local.unique";
    SOURCE_LOCAL_SESSION_ID = "source.local.sessionid";
    SOURCE_LOCAL_INCLUDE_PATTERNS = "source.local.includepatterns";
    SOURCE_LOCAL_FOLLOW_PATHS = "source.local.followpaths";
    SOURCE_LOCAL_EXCLUDE_PATTERNS = "source.local.excludepatterns";
    SOURCE_LOCAL_SHARED_KEY_HINT = "source.local.sharedkeyhint";
    SOURCE_LOCAL_DIFFER = "source.local.differ";
    SOURCE_METADATA_TRANSFER = "source.local.metadatatransfer";
    SOURCE_GIT = "source.git";
    SOURCE_GIT_KEEP_DIR = "source.git.keepgitdir";
    SOURCE_GIT_FULL_URL = "source.git.fullurl";
    SOURCE_GIT_HTTP_AUTH = "source.git.httpauth";
    SOURCE_GIT_KNOWN_SSH_HOSTS = "source.git.knownsshhosts";
    SOURCE_GIT_MOUNT_SSH_SOCK = "source.git.mountsshsock";
    SOURCE_GIT_SUBDIR = "source.git.subdir";
    SOURCE_GIT_CHECKSUM = "source.git.checksum";
    SOURCE_GIT_SKIP_SUBMODULES = "source.git.skipsubmodules";
    SOURCE_GIT_SIGNATURE_VERIFY = "source.git.signatureverify";
    SOURCE_GIT_MTIME = "source.git.mtime";
    SOURCE_GIT_FETCH_BY_COMMIT = "source.git.fetchbycommit";
    SOURCE_GIT_BUNDLE = "source.git.bundle";
    SOURCE_GIT_CHECKOUT_BUNDLE = "source.git.checkoutbundle";
    SOURCE_HTTP = "source.http";
    SOURCE_HTTP_AUTH = "source.http.auth";
    SOURCE_HTTP_CHECKSUM = "source.http.checksum";
    SOURCE_HTTP_PERM = "source.http.perm";
    SOURCE_HTTP_UID_GID = "soruce.http.uidgid";
    SOURCE_HTTP_HEADER = "source.http.header";
    SOURCE_HTTP_SIGNATURE_VERIFY = "source.http.signatureverify";
    SOURCE_IMAGE_BLOB = "source.imageblob";
    SOURCE_OCI_LAYOUT = "source.ocilayout";
    BUILD_OP_LLB_FILE_NAME = "source.buildop.llbfilename";
    EXEC_META_BASE = "exec.meta.base";
    EXEC_META_CGROUP_PARENT = "exec.meta.cgroup.parent";
    EXEC_META_NETWORK = "exec.meta.network";
    EXEC_META_NETWORK_PROXY = "exec.meta.network.proxy";
    EXEC_META_PROXY = "exec.meta.proxyenv";
    EXEC_META_SECURITY = "exec.meta.security";
    EXEC_META_SECURITY_DEVICE_WHITELIST_V1 = "exec.meta.security.devices.v1";
    EXEC_META_SETS_DEFAULT_PATH = "exec.meta.setsdefaultpath";
    EXEC_META_ULIMIT = "exec.meta.ulimit";
    EXEC_META_CDI = "exec.meta.cdi";
    EXEC_META_REMOVE_MOUNT_STUBS_RECURSIVE = "exec.meta.removemountstubs.recursive";
    EXEC_META_LINUX_RESOURCES = "exec.meta.linux.resources";
    EXEC_MOUNT_BIND = "exec.mount.bind";
    EXEC_MOUNT_BIND_READ_WRITE_NO_OUTPUT = "exec.mount.bind.readwrite-nooutput";
    EXEC_MOUNT_CACHE = "exec.mount.cache";
    EXEC_MOUNT_CACHE_SHARING = "exec.mount.cache.sharing";
    EXEC_MOUNT_SELECTOR = "exec.mount.selector";
    EXEC_MOUNT_TMPFS = "exec.mount.tmpfs";
    EXEC_MOUNT_TMPFS_SIZE = "exec.mount.tmpfs.size";
    EXEC_MOUNT_SECRET = "exec.mount.secret";
    EXEC_MOUNT_SSH = "exec.mount.ssh";
    EXEC_MOUNT_CONTENT_CACHE = "exec.mount.cache.content";
    EXEC_CGROUPS_MOUNTED = "exec.cgroup";
    EXEC_SECRET_ENV = "exec.secretenv";
    EXEC_VALID_EXIT_CODE = "exec.validexitcode";
    FILE_BASE = "file.base";
    FILE_RM_WILDCARD = "file.rm.wildcard";
    FILE_COPY_INCLUDE_EXCLUDE_PATTERNS = "file.copy.includeexcludepatterns";
    FILE_COPY_REQUIRED_PATHS = "file.copy.requiredpaths";
    FILE_RM_NO_FOLLOW_SYMLINK = "file.rm.nofollowsymlink";
    FILE_COPY_ALWAYS_REPLACE_EXISTING_DEST_PATHS = "file.copy.alwaysreplaceexistingdestpaths";
    FILE_COPY_MODE_STRING_FORMAT = "file.copy.modestring";
    FILE_SYMLINK_CREATE = "file.symlink.create";
    CONSTRAINTS = "constraints";
    PLATFORM = "platform";
    META_IGNORE_CACHE = "meta.ignorecache";
    META_DESCRIPTION = "meta.description";
    META_EXPORT_CACHE = "meta.exportcache";
    REMOTE_CACHE_GHA = "cache.gha";
    REMOTE_CACHE_S3 = "cache.s3";
    REMOTE_CACHE_AZ_BLOB = "cache.azblob";
    MERGE_OP = "mergeop";
    DIFF_OP = "diffop";
    PASSTHROUGH_OP = "passthroughop";
    ANNOTATIONS = "exporter.image.annotations";
    ATTESTATIONS = "exporter.image.attestations";
    SOURCE_DATE_EPOCH = "exporter.sourcedateepoch";
    MULTIPLE_EXPORTERS = "exporter.multiple";
    SESSION_EXPORTER = "exporter.session";
    SOURCE_POLICY = "source.policy";
    SOURCE_POLICY_SESSION = "source.policy.session";
    GC_FREE_SPACE_FILTER = "gc.freespacefilter";
    HISTORY_FILTERS = "history.filter";
}

/// The search path that a command gets where the backend does not set one itself (Linux).
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The capabilities of one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapSet(BTreeSet<Cap>);

impl Default for CapSet {
    /// All that the protocol knows.
    fn default() -> Self {
        CapSet::all()
    }
}

impl CapSet {
    /// All that the protocol knows.
    pub fn all() -> Self {
        CapSet(ALL.iter().map(|c| Cow::Borrowed(*c)).collect())
    }

    /// Those that a backend names. Ids that the protocol (as rbc knows it) does not have count for nothing.
    pub fn of<S: AsRef<str>>(ids: impl IntoIterator<Item = S>) -> Self {
        let named: Vec<S> = ids.into_iter().collect();
        let named: BTreeSet<&str> = named.iter().map(AsRef::as_ref).collect();
        CapSet(ALL.iter().filter(|c| named.contains(*c)).map(|c| Cow::Borrowed(*c)).collect())
    }

    /// The same without some.
    #[must_use]
    pub fn without<S: AsRef<str>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        for id in ids {
            self.0.remove(id.as_ref());
        }
        self
    }

    /// Whether the backend has it.
    pub fn supports(&self, id: &str) -> bool {
        self.0.contains(id)
    }
}

/// Adds to `meta` what `op` asks of a backend, as the reference client adds it when it marshals the op (client/llb
/// `source.go`, `exec.go`, `fileop.go`, `merge.go`, `diff.go`, `passthrough.go`, `llbbuild`).
///
/// Two of its rules are not what one expects: of file ops nothing but `file.base` is asked, whatever their actions
/// use; and `exec.meta.setsdefaultpath` is asked of every `target` that has it. What the attributes of a source do not
/// show (a differ that is *required*), the caller adds.
pub fn require(op: &Op, meta: &mut Meta, target: &CapSet) {
    let resources = meta.linux_resources.is_some();
    let mut add = |id: &'static str| {
        meta.caps.insert(Cow::Borrowed(id));
    };
    match op {
        Op::Source(source) => require_source(source, &mut add),
        Op::Exec(exec) => {
            add(EXEC_META_BASE);
            let has = [
                (target.supports(EXEC_META_SETS_DEFAULT_PATH), EXEC_META_SETS_DEFAULT_PATH),
                (!exec.meta.valid_exit_codes.is_empty(), EXEC_VALID_EXIT_CODE),
                (!exec.meta.ulimits.is_empty(), EXEC_META_ULIMIT),
                (resources, EXEC_META_LINUX_RESOURCES),
                (exec.network != NetMode::Unset, EXEC_META_NETWORK),
                (exec.security == SecurityMode::Insecure, EXEC_META_SECURITY),
                (exec.meta.proxy_env.is_some(), EXEC_META_PROXY),
                (!exec.secret_env.is_empty(), EXEC_MOUNT_SECRET),
                (!exec.secret_env.is_empty(), EXEC_SECRET_ENV),
                (!exec.cdi_devices.is_empty(), EXEC_META_CDI),
            ];
            has.into_iter().filter(|(yes, _)| *yes).for_each(|(_, id)| add(id));
            for mount in &exec.mounts {
                if !mount.selector.is_empty() {
                    add(EXEC_MOUNT_SELECTOR);
                }
                if mount.content_cache != ContentCache::Default {
                    add(EXEC_MOUNT_CONTENT_CACHE);
                }
                match &mount.kind {
                    MountKind::Bind if mount.input.is_some() => add(EXEC_MOUNT_BIND),
                    MountKind::Bind => {}
                    MountKind::Cache(_) => {
                        add(EXEC_MOUNT_CACHE);
                        add(EXEC_MOUNT_CACHE_SHARING);
                    }
                    MountKind::Tmpfs(tmpfs) => {
                        add(EXEC_MOUNT_TMPFS);
                        if tmpfs.size > 0 {
                            add(EXEC_MOUNT_TMPFS_SIZE);
                        }
                    }
                    MountKind::Secret(_) => add(EXEC_MOUNT_SECRET),
                    MountKind::Ssh(_) => add(EXEC_MOUNT_SSH),
                }
            }
        }
        Op::File(_) => add(FILE_BASE),
        Op::Merge(_) => add(MERGE_OP),
        Op::Diff(_) => add(DIFF_OP),
        Op::Build(_) => add(BUILD_OP_LLB_FILE_NAME),
        Op::Passthrough(_) => add(PASSTHROUGH_OP),
    }
}

/// Which attribute of a source asks for what. An attribute whose row has a value asks only with that value.
const SOURCE_ATTRS: &[(&str, &str, Option<&str>, &str)] = &[
    ("docker-image", "image.resolvemode", Some("pull"), SOURCE_IMAGE_RESOLVE_MODE),
    ("docker-image", "image.layerlimit", None, SOURCE_IMAGE_LAYER_LIMIT),
    ("docker-image", "image.checksum", None, SOURCE_IMAGE_CHECKSUM),
    ("local", "local.unique", None, SOURCE_LOCAL_UNIQUE),
    ("local", "local.session", None, SOURCE_LOCAL_SESSION_ID),
    ("local", "local.includepattern", None, SOURCE_LOCAL_INCLUDE_PATTERNS),
    ("local", "local.followpaths", None, SOURCE_LOCAL_FOLLOW_PATHS),
    ("local", "local.excludepatterns", None, SOURCE_LOCAL_EXCLUDE_PATTERNS),
    ("local", "local.sharedkeyhint", None, SOURCE_LOCAL_SHARED_KEY_HINT),
    ("local", "local.metadatatransfer", None, SOURCE_METADATA_TRANSFER),
    ("git", "git.keepgitdir", None, SOURCE_GIT_KEEP_DIR),
    ("git", "git.fullurl", None, SOURCE_GIT_FULL_URL),
    ("git", "git.knownsshhosts", None, SOURCE_GIT_KNOWN_SSH_HOSTS),
    // The reference asks for both where the remote is reached by ssh, and then this attribute is always there.
    ("git", "git.mountsshsock", None, SOURCE_GIT_KNOWN_SSH_HOSTS),
    ("git", "git.mountsshsock", None, SOURCE_GIT_MOUNT_SSH_SOCK),
    ("git", "git.checksum", None, SOURCE_GIT_CHECKSUM),
    ("git", "git.skipsubmodules", None, SOURCE_GIT_SKIP_SUBMODULES),
    ("git", "git.mtime", None, SOURCE_GIT_MTIME),
    ("git", "git.fetchbycommit", None, SOURCE_GIT_FETCH_BY_COMMIT),
    ("git", "git.bundle", None, SOURCE_GIT_BUNDLE),
    ("git", "git.checkoutbundle", None, SOURCE_GIT_CHECKOUT_BUNDLE),
    ("http", "http.checksum", None, SOURCE_HTTP_CHECKSUM),
    ("http", "http.perm", None, SOURCE_HTTP_PERM),
    ("http", "http.uid", None, SOURCE_HTTP_UID_GID),
    ("http", "http.gid", None, SOURCE_HTTP_UID_GID),
    ("http", "http.authheadersecret", None, SOURCE_HTTP_AUTH),
    ("http", "http.header.accept", None, SOURCE_HTTP_HEADER),
    ("http", "http.header.user-agent", None, SOURCE_HTTP_HEADER),
    ("http", "http.sig.pubkey", None, SOURCE_HTTP_SIGNATURE_VERIFY),
    ("http", "http.sig.signature", None, SOURCE_HTTP_SIGNATURE_VERIFY),
];

fn require_source(source: &Source, add: &mut dyn FnMut(&'static str)) {
    let (scheme, base) = match source.identifier.split_once("://").map_or("", |(scheme, _)| scheme) {
        "docker-image" => ("docker-image", SOURCE_IMAGE),
        "docker-image+blob" | "oci-layout+blob" => ("", SOURCE_IMAGE_BLOB),
        "oci-layout" => ("", SOURCE_OCI_LAYOUT),
        "local" => ("local", SOURCE_LOCAL),
        "git" => ("git", SOURCE_GIT),
        "http" | "https" => ("http", SOURCE_HTTP),
        _ => return,
    };
    add(base);
    for (of, attr, value, id) in SOURCE_ATTRS {
        if *of == scheme && source.attrs.get(*attr).is_some_and(|v| value.is_none_or(|want| v == want)) {
            add(id);
        }
    }
    // The two secrets are always named; only another name than the usual one was asked for.
    for (attr, usual) in [("git.authtokensecret", "GIT_AUTH_TOKEN"), ("git.authheadersecret", "GIT_AUTH_HEADER")] {
        if scheme == "git" && source.attrs.get(attr).is_some_and(|v| v != usual) {
            add(SOURCE_GIT_HTTP_AUTH);
        }
    }
}

/// Gives an environment (`NAME=value`) the usual search path if it has none and the backend would not set one itself,
/// as the reference does for every exec (client/llb/exec.go). Windows has none.
pub fn default_path(env: &mut Vec<String>, os: &str, target: &CapSet) {
    if os != "windows" && !target.supports(EXEC_META_SETS_DEFAULT_PATH) && !env.iter().any(|e| e.starts_with("PATH=")) {
        env.push(format!("PATH={DEFAULT_PATH}"));
    }
}
