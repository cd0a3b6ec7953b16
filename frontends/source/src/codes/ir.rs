//! The graph and its wire form (E04xx), and what the optimizer says (R04xx).

codes! {
    DEFINITION = "E0401" "definition" Error Input: "a file is not a well-formed LLB definition";
    DEFINITION_GRAPH = "E0402" "definition-graph" Error Input: "the vertices of an LLB definition do not make a graph";
    BROKEN_GRAPH = "E0403" "broken-graph" Error Internal: "a build graph breaks an invariant";
    GRAPH_TEXT = "E0404" "graph-text" Error Input: "the text form of a build graph cannot be read";
    OPTIMIZED = "R0401" "optimized" Info Input: "the optimizer changed something";
    NOT_OPTIMIZED = "R0402" "not-optimized" Info Input: "the optimizer could not change something";
}
