//! From the shared tree to the graph (E02xx).

codes! {
    UNSUPPORTED = "E0201" "unsupported" Error Input: "what was asked for is not supported";
}
