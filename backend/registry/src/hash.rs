//! Hashing what passes by, to compare it with a digest.

use rbc_oci::Digest;
use sha2::Digest as _;

/// Hashes by the algorithm of the digest that is expected.
pub(crate) struct Hasher {
    expected: Digest,
    state: State,
    len: u64,
}

enum State {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub(crate) fn new(expected: &Digest) -> Self {
        let state = match expected.algorithm() {
            "sha384" => State::Sha384(sha2::Sha384::new()),
            "sha512" => State::Sha512(sha2::Sha512::new()),
            _ => State::Sha256(sha2::Sha256::new()),
        };
        Hasher { expected: expected.clone(), state, len: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// How many bytes have passed.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether what has passed is what was expected.
    pub(crate) fn matches(self) -> bool {
        let hash = match self.state {
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha384(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
        };
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        hex == self.expected.hex()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_algorithms() {
        for digest in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            let mut hasher = Hasher::new(&Digest::parse(digest).unwrap());
            hasher.update(b"a");
            hasher.update(b"bc");
            assert_eq!(hasher.len(), 3);
            assert!(hasher.matches(), "{digest}");
        }
    }
}
