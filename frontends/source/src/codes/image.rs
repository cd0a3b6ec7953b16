//! Images and registries (E03xx).

codes! {
    REFERENCE = "E0301" "image-reference" Error Input: "an image reference is not well formed";
}
