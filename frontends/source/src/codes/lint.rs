//! Rules: findings that do not stop a build (W....). Those that BuildKit has too bear its names.

codes! {
    STAGE_NAME_CASING = "W0101" "StageNameCasing" Warning Input: "stage names should be lowercase";
}
