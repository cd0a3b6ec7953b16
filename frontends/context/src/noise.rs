//! Texts by chance, the same in every run: what the tests mutate their corpora with.

/// A xorshift generator.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    pub fn bool(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Up to `length` characters of an alphabet.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..self.below(length + 1)).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    /// The text with a few characters inserted, replaced or removed.
    pub fn mutate(&mut self, text: &str, alphabet: &str) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(chars.len() + 1);
            let removed = self.below(3).min(chars.len() - at);
            let added = (0..self.below(3)).map(|_| alphabet[self.below(alphabet.len())]).collect::<Vec<_>>();
            chars.splice(at..at + removed, added);
        }
        chars.into_iter().collect()
    }
}
