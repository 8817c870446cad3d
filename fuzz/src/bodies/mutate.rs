//! Mutations that are the same on every machine: what the tests try in place of libFuzzer.

/// An endless row of inputs made from seeds: the n-th is always the same for the same seeds and words.
pub struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    words: &'a [Vec<u8>],
    most: usize,
    state: u64,
}

impl<'a> Mutations<'a> {
    /// Mutations of these seeds, none longer than `most`; `words` are put in here and there.
    pub fn new(seeds: &'a [Vec<u8>], words: &'a [Vec<u8>], most: usize) -> Self {
        Self {
            seeds,
            words,
            most,
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// The generator xorshift64* (Marsaglia, Vigna).
    fn number(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.number() % bound).unwrap_or(0)
    }

    fn pick(&mut self, from: &'a [Vec<u8>]) -> &'a [u8] {
        let at = self.below(from.len());
        from.get(at).map_or(&[], Vec::as_slice)
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let (seeds, words) = (self.seeds, self.words);
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => {
                let byte = self.below(256).to_le_bytes()[0];
                input.insert(at, byte);
            }
            1 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            2 => {
                let end = (at + 1 + self.below(8)).min(input.len());
                input.drain(at.min(end)..end);
            }
            3 => {
                let end = (at + 1 + self.below(64)).min(input.len());
                let part = input[at.min(end)..end].to_vec();
                input.splice(at..at, part);
            }
            4 => {
                let other = self.pick(seeds);
                let from = self.below(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            5 => input.truncate(at),
            _ => {
                let word = self.pick(words).to_vec();
                input.splice(at..at, word);
            }
        }
        input.truncate(self.most);
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.pick(self.seeds).to_vec();
        for _ in 0..=self.below(6) {
            self.mutate(&mut input);
        }
        Some(input)
    }
}
