//! Chance that a seed repeats.

/// A small generator, so that a seed tells the whole course. Knuth's MMIX constants.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, for a task or a thread of its own.
    pub(crate) fn fork(&mut self) -> Self {
        let high = self.below(1 << 31);
        Self(high << 31 | self.below(1 << 31))
    }

    /// A number from 0 to below `bound`, which is at most 2³¹.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let state = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = state.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
