//! Images and registries (E03xx).

codes! {
    REFERENCE = "E0301" "image-reference" Error Input: "an image reference is not well formed";
    PLATFORM = "E0302" "platform" Error Input: "a platform is not well formed";
    NOT_FOUND = "E0303" "image-not-found" Error Input: "an image does not exist";
    NO_PLATFORM = "E0304" "image-platform" Error Input: "an image does not exist for a platform";
    DENIED = "E0305" "registry-denied" Error Environment: "a registry denies access";
    UNREACHABLE = "E0306" "registry-unreachable" Error Environment: "a registry cannot be reached or fails";
    CORRUPT = "E0307" "image-corrupt" Error Environment: "what was received is not what its digest or type says";
    CREDENTIALS = "E0308" "registry-credentials" Error Environment: "credentials for a registry cannot be read";
    LAYOUT = "E0309" "oci-layout" Error Environment: "an OCI image layout cannot be read or written";
    NOT_LOCKED = "E0310" "image-not-locked" Error Input: "the lock file has no entry for an image";
    LOCK = "E0311" "lock-file" Error Input: "the lock file is not well formed";
    OFFLINE = "E0312" "image-offline" Error Environment: "an image would have to be fetched, and that is not allowed";
    SETTINGS = "E0313" "registry-settings" Error Input: "the settings of registries are not well formed";
}
