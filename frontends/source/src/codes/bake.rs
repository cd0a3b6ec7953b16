//! Bake files (E06xx).

codes! {
    SYNTAX = "E0601" "bake-syntax" Error Input: "a bake file is neither HCL nor JSON nor compose";
    NO_TARGET = "E0602" "bake-no-target" Error Input: "a name or pattern fits no target or group";
    CYCLE = "E0603" "bake-cycle" Error Input: "values, functions or targets need one another in a circle";
    NAME = "E0604" "bake-name" Error Input: "the name of a target or group cannot be used, or is used twice";
    MATRIX = "E0605" "bake-matrix" Error Input: "a matrix is not a map of lists, or does not fit its target";
    VALUE = "E0606" "bake-value" Error Input: "an argument has a value that it cannot take";
    MISSING = "E0607" "bake-missing" Error Input: "a required argument is missing";
    VARIABLE = "E0608" "bake-variable" Error Input: "the value given to a variable does not fit its type";
    VALIDATION = "E0609" "bake-validation" Error Input: "a variable does not satisfy its own condition";
    FUNCTION = "E0610" "bake-function" Error Input: "a function is not declared as one";
    OVERRIDE = "E0611" "bake-override" Error Input: "a flag does not say what to override, or with what";
    LINK = "E0612" "bake-link" Error Input: "a target cannot be the context of another";
    COMPOSE = "E0613" "bake-compose" Error Input: "a compose file does not follow the compose specification";
    ABSENT = "E0614" "bake-absent" Error Environment: "a file or agent that a target names is not there";
    UNKNOWN_ARGUMENT = "W0601" "bake-unknown-argument" Warning Input: "an argument is not known and has no effect";
    UNKNOWN_BLOCK = "W0602" "bake-unknown-block" Warning Input: "a block is not known and has no effect";
}
