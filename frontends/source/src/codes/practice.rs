//! Rules of our own that need no more than the file (W03..).

codes! {
    SHELLCHECK = "W0300" "shellcheck" Warning Input: "ShellCheck finds fault with a script";
    UNREACHABLE_STAGE = "W0301" "unreachable-stage" Warning Input: "no stage that is built needs this one";
    SECRET_IN_LAYER = "W0302" "secret-in-layer" Warning Input: "a secret gets into a layer";
    EARLY_COPY = "W0303" "early-copy" Warning Input: "any change to the context installs the dependencies anew";
    LATE_REMOVAL = "W0304" "late-removal" Info Input: "files are removed in a later layer than they come from";
    NEEDLESS_CHOWN = "W0305" "needless-chown" Info Input: "files are stored twice to change their owner or mode";
    CACHE_MOUNT_MISSING = "W0306" "cache-mount-missing" Hint Input: "a package manager downloads anew what a cache mount would keep";
    FOREIGN_ARCHITECTURE = "W0307" "foreign-architecture" Warning Input: "a download is for one architecture and the build for several";
    STALE_PACKAGE_LISTS = "W0308" "stale-package-lists" Warning Input: "package lists are fetched in a layer of their own, which the cache keeps";
    COPY_FROM_NUMBER = "W0309" "copy-from-number" Info Input: "a stage is referred to by number";
    UNUSED_ARG = "W0310" "unused-argument" Info Input: "a build argument is declared and not used";
    UNVERIFIED_DOWNLOAD = "W0311" "unverified-download" Info Input: "ADD takes what a server sends, whatever it is";
    PIPED_INSTALLER = "W0312" "piped-installer" Info Input: "a script is run as it is downloaded";
}
