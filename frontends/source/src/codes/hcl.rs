//! HCL and its JSON syntax (E05xx).

codes! {
    SYNTAX = "E0501" "hcl-syntax" Error Input: "the text is not well-formed HCL";
    JSON_SYNTAX = "E0502" "hcl-json-syntax" Error Input: "the text is not well-formed JSON, or not of the form that HCL's JSON syntax asks for";
    UNKNOWN_VARIABLE = "E0503" "hcl-unknown-variable" Error Input: "an expression names a variable that does not exist";
    UNKNOWN_FUNCTION = "E0504" "hcl-unknown-function" Error Input: "an expression calls a function that does not exist";
    ARGUMENTS = "E0505" "hcl-arguments" Error Input: "a function is called with too few or too many arguments, or with one that it cannot take";
    CALL_FAILED = "E0506" "hcl-call-failed" Error Input: "a function cannot compute a result for its arguments";
    WRONG_TYPE = "E0507" "hcl-wrong-type" Error Input: "a value has a type that cannot be used here";
    NULL = "E0508" "hcl-null" Error Input: "a value is null where one is needed";
    NO_ELEMENT = "E0509" "hcl-no-element" Error Input: "a value has no such attribute or element";
    TYPE_EXPRESSION = "E0510" "hcl-type-expression" Error Input: "a type is not written as one";
    DUPLICATE_KEY = "E0511" "hcl-duplicate-key" Error Input: "a key comes twice in one object";
    LIMIT = "E0512" "hcl-limit" Error Input: "an expression is nested too deep or calls too deep";
}
