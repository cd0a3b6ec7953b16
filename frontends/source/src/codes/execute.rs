//! Executing a build here (E081x).

codes! {
    STEP = "E0811" "step-failed" Error Input: "a command of the build ended with a status that does not count as success";
    SANDBOX = "E0812" "sandbox" Error Environment: "the sandbox for a command cannot be set up";
    FILES = "E0813" "file-operation" Error Input: "files cannot be copied, made or removed as the build says";
    STORE = "E0814" "store" Error Environment: "the store of build results cannot be read or written";
    SOURCE = "E0815" "build-source" Error Input: "something that the build starts from cannot be had";
    ARCHIVE = "E0816" "archive" Error Input: "an archive or a layer is malformed, or would write where it must not";
    EXPORT = "E0817" "export" Error Environment: "the result of a build cannot be written";
    CANCELLED = "E0818" "cancelled" Error Environment: "the build was cancelled";
    UNSUPPORTED = "E0819" "not-executable" Error Input: "the build asks for something that cannot be executed here";
    ELSEWHERE = "E0821" "builder-failed" Error Input: "a builder elsewhere could not do what the build asks for";
    NOT_ALLOWED = "E0820" "not-allowed" Error Input: "a command asks for more than the user allowed";
}
