//! From the shared tree to the graph: options, names, values known once variables are (E02xx).

codes! {
    OPTION = "E0201" "build-option" Error Input: "an option of the build has a value that cannot be";
    WORD = "E0202" "word-expansion" Error Input: "a word cannot be expanded";
    BASE_NAME = "E0203" "blank-base" Error Input: "the base of a stage is blank once expanded";
    STAGE_PLATFORM = "E0204" "stage-platform" Error Input: "the platform of a stage is blank once expanded";
    TARGET = "E0205" "unknown-target" Error Input: "there is no stage of the name to build";
    FROM_VARIABLE = "E0206" "variable-in-from" Error Input: "`--from` holds a variable";
    STAGE_INDEX = "E0207" "stage-number" Error Input: "there is no stage of this number";
    CYCLE = "E0208" "stage-cycle" Error Input: "stages take files from one another in a circle";
    STAGE_ORDER = "E0209" "stage-order" Error Input: "a step uses a stage that comes later";
    EPOCH = "E0210" "source-date-epoch" Error Input: "SOURCE_DATE_EPOCH says no time";
    CONTEXT = "E0211" "build-context" Error Input: "a build context is not well formed";
    IGNORE = "E0212" "ignore-file" Error Input: "an ignore file is not well formed";
    MOUNT = "E0213" "mount-option" Error Input: "a mount has an option that cannot be";
    PATH = "E0214" "path" Error Input: "a path cannot be on the platform";
    CHMOD = "E0215" "permissions" Error Input: "`--chmod` says no permissions";
    CHECKSUM = "E0216" "checksum" Error Input: "a checksum is not well formed, or out of place";
    GIT = "E0217" "git-reference" Error Input: "a git reference is not well formed";
    REMOTE_COPY = "E0218" "remote-copy" Error Input: "COPY is asked to fetch from elsewhere";
    VOLUME = "E0219" "blank-volume" Error Input: "a volume is blank once expanded";
    PORT = "E0220" "port" Error Input: "EXPOSE declares no port";
    SIGNAL = "E0221" "signal" Error Input: "there is no such signal";
    EMPTY_RUN = "E0222" "empty-run" Error Input: "a step runs nothing";
    NO_STAGE = "E0223" "nothing-to-build" Error Input: "there is no stage to build";
    LABS = "E0225" "labs-feature" Error Input: "an experimental feature is used without asking for it";
    TOO_LARGE = "E0226" "too-large" Error Input: "the graph of the build grows too large";
    VIOLATION = "E0224" "check-violation" Error Input: "checks that are set to be errors found something";
}
