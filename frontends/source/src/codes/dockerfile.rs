//! Dockerfiles: directives, instructions, flags (E01xx).

codes! {
    DIRECTIVE = "E0101" "parser-directive" Error Input: "a parser directive is not valid";
    NO_INSTRUCTION = "E0102" "no-instruction" Error Input: "the file has no instruction";
    LONG_LINE = "E0103" "long-line" Error Input: "a line is too long";
    HEREDOC = "E0104" "heredoc" Error Input: "a heredoc is not well formed";
    KEY_VALUE = "E0105" "key-value" Error Input: "keys and values are not well formed";
    JSON_ARRAY = "E0106" "json-array" Error Input: "a JSON array holds something else than strings";
    UNKNOWN_INSTRUCTION = "E0107" "unknown-instruction" Error Input: "there is no such instruction";
    ARGUMENTS = "E0108" "arguments" Error Input: "an instruction's arguments are missing, too many or empty";
    UNKNOWN_FLAG = "E0109" "unknown-flag" Error Input: "an instruction has no such flag";
    FLAG_VALUE = "E0110" "flag-value" Error Input: "a flag's value is missing or not valid";
    STAGE_NAME = "E0111" "stage-name" Error Input: "a stage's name is not valid";
    NO_STAGE = "E0112" "no-stage" Error Input: "an instruction needs a FROM before it";
    TRIGGER = "E0113" "onbuild-trigger" Error Input: "an instruction cannot be an ONBUILD trigger";
    HEALTHCHECK = "E0114" "healthcheck" Error Input: "a health check is not well formed";
    MOUNT = "E0115" "mount" Error Input: "a mount is not well formed";
    SHELL_FORM = "E0116" "shell-form" Error Input: "an instruction takes only a JSON array";
    CHECK_OPTION = "E0117" "check-option" Error Input: "the options of the checks are not valid";
}
