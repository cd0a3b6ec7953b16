//! Machine, files, network, backends (E08xx), and faults of rbc itself (E09xx).

codes! {
    READ = "E0801" "cannot-read" Error Environment: "a file cannot be read";
    WRITE = "E0802" "cannot-write" Error Environment: "a file cannot be written";
    OLD_BACKEND = "E0803" "old-backend" Error Environment: "the backend lacks what every build needs";
    FETCH = "E0804" "cannot-fetch" Error Environment: "a file or repository cannot be fetched";
    BUILDER = "E0805" "builder" Error Environment: "a builder cannot be reached, or does not do what it is asked";
    BUILDERS = "E0806" "builders" Error Input: "what is known of builders cannot be used";
    INTERNAL = "E0901" "internal" Error Internal: "rbc has a fault";
}
