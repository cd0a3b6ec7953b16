//! Rules: findings that do not stop a build (W....). Those that BuildKit has too bear its names, and their messages are
//! BuildKit's: tools match them.

codes! {
    STAGE_NAME_CASING = "W0101" "StageNameCasing" Warning Input: "a stage's name is not in lower case";
    FROM_AS_CASING = "W0102" "FromAsCasing" Warning Input: "`FROM` and `AS` differ in case";
    NO_EMPTY_CONTINUATION = "W0103" "NoEmptyContinuation" Warning Input: "an empty line stands inside a continued instruction";
    CONSISTENT_INSTRUCTION_CASING = "W0104" "ConsistentInstructionCasing" Warning Input: "an instruction's case differs from that of most others";
    DUPLICATE_STAGE_NAME = "W0105" "DuplicateStageName" Warning Input: "two stages have the same name";
    RESERVED_STAGE_NAME = "W0106" "ReservedStageName" Warning Input: "a stage has a name that already means something else";
    JSON_ARGS_RECOMMENDED = "W0107" "JSONArgsRecommended" Warning Input: "a command in shell form does not get signals";
    MAINTAINER_DEPRECATED = "W0108" "MaintainerDeprecated" Warning Input: "MAINTAINER is deprecated";
    UNDEFINED_ARG_IN_FROM = "W0109" "UndefinedArgInFrom" Warning Input: "FROM uses a variable that is not declared";
    WORKDIR_RELATIVE_PATH = "W0110" "WorkdirRelativePath" Warning Input: "a relative working directory depends on the base image";
    UNDEFINED_VAR = "W0111" "UndefinedVar" Warning Input: "a variable is used that is not declared";
    MULTIPLE_INSTRUCTIONS_DISALLOWED = "W0112" "MultipleInstructionsDisallowed" Warning Input: "of several such instructions in a stage only the last counts";
    LEGACY_KEY_VALUE_FORMAT = "W0113" "LegacyKeyValueFormat" Warning Input: "a key and its value are not joined by `=`";
    INVALID_BASE_IMAGE_PLATFORM = "W0114" "InvalidBaseImagePlatform" Warning Input: "a base image is not of the platform that is built for";
    REDUNDANT_TARGET_PLATFORM = "W0115" "RedundantTargetPlatform" Warning Input: "a platform is given that is the default anyway";
    SECRETS_USED_IN_ARG_OR_ENV = "W0116" "SecretsUsedInArgOrEnv" Warning Input: "a secret would be stored in the image";
    INVALID_DEFAULT_ARG_IN_FROM = "W0117" "InvalidDefaultArgInFrom" Warning Input: "without build arguments a base image's name is empty or invalid";
    FROM_PLATFORM_FLAG_CONST_DISALLOWED = "W0118" "FromPlatformFlagConstDisallowed" Warning Input: "a stage is bound to one platform";
    COPY_IGNORED_FILE = "W0119" "CopyIgnoredFile" Warning Input: "a file is copied that .dockerignore leaves out";
    INVALID_DEFINITION_DESCRIPTION = "W0120" "InvalidDefinitionDescription" Warning Input: "a comment above a stage or argument does not describe it";
    EXPOSE_PROTO_CASING = "W0121" "ExposeProtoCasing" Warning Input: "a protocol in EXPOSE is not in lower case";
    EXPOSE_INVALID_FORMAT = "W0122" "ExposeInvalidFormat" Warning Input: "EXPOSE cannot map ports";
}

/// Rules that are off unless asked for: `# check=experimental=...`.
pub const EXPERIMENTAL: &[&crate::Code] = &[INVALID_DEFINITION_DESCRIPTION];
