//! Images and registries (E03xx).

codes! {
    REFERENCE = "E0301" "image-reference" Error Input: "an image reference is not well formed";
    PLATFORM = "E0302" "platform" Error Input: "a platform is not well formed";
}
