//! Content digests.

use std::fmt;

/// The name of some content by its hash: `sha256:` (or sha384, sha512) and lower-case hex of the right length.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

/// Why a text is not a [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// It has not the form `algorithm:hex`.
    Form,
    /// The algorithm is none of those supported.
    Algorithm(String),
    /// The hash has the wrong length or letters other than `0-9a-f`.
    Hash {
        /// The algorithm.
        algorithm: &'static str,
        /// How many hex digits it has.
        digits: usize,
    },
}

/// Supported algorithms and their lengths in hex digits.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

impl Digest {
    /// Reads `algorithm:hex`.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hash) = text.split_once(':').ok_or(DigestError::Form)?;
        if algorithm.is_empty() || hash.is_empty() {
            return Err(DigestError::Form);
        }
        let &(algorithm, digits) = ALGORITHMS
            .iter()
            .find(|(name, _)| *name == algorithm)
            .ok_or_else(|| DigestError::Algorithm(algorithm.to_owned()))?;
        if hash.len() != digits || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(DigestError::Hash { algorithm, digits });
        }
        Ok(Digest(text.into()))
    }

    /// The digest of a SHA-256 hash.
    pub fn sha256(hash: [u8; 32]) -> Self {
        use fmt::Write;
        let mut text = String::with_capacity(7 + 64);
        text.push_str("sha256:");
        for byte in hash {
            let _ = write!(text, "{byte:02x}");
        }
        Digest(text.into())
    }

    /// The whole text, `sha256:...`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the colon.
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    /// The hex digits behind the colon.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hash)| hash)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DigestError::Form => f.write_str("a digest is written `sha256:` and 64 hex digits"),
            DigestError::Algorithm(name) => {
                write!(f, "the digest algorithm `{name}` is not supported, only sha256, sha384 and sha512")
            }
            DigestError::Hash { algorithm, digits } => {
                write!(f, "a {algorithm} digest has {digits} lower-case hex digits")
            }
        }
    }
}

impl std::error::Error for DigestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let hex = "0f".repeat(32);
        let digest = Digest::parse(&format!("sha256:{hex}")).unwrap();
        assert_eq!((digest.algorithm(), digest.hex()), ("sha256", hex.as_str()));
        assert_eq!(Digest::sha256([0x0f; 32]), digest);
        assert_eq!(Digest::parse("sha256"), Err(DigestError::Form));
        assert_eq!(Digest::parse(":"), Err(DigestError::Form));
        assert_eq!(Digest::parse("md5:00"), Err(DigestError::Algorithm("md5".to_owned())));
        assert!(Digest::parse(&format!("sha256:{}", hex.to_uppercase())).is_err());
        assert!(Digest::parse(&format!("sha512:{hex}")).is_err());
    }
}
