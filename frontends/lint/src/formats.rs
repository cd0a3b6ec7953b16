//! Findings in the output formats of hadolint.
