//! Numbers that look random and come out the same for the same seed on every machine.

/// A small generator (splitmix64): its quality is ample for drawing test cases.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The generator of one case, or of one epoch: every pair of numbers has its own.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut mixed = Self(seed ^ 0x6375_7768_7921);
        let first = mixed.next();
        Self(first ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when there is none.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let number = self.next() >> 1;
        number.checked_rem(limit).unwrap_or(0)
    }

    /// A number from `low` to `high`, both possible.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `percent` of a hundred.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let last = of.len().saturating_sub(1) as u64;
        of[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }

    /// One of several things to change.
    pub(super) fn pick_mut<'a, T>(&mut self, of: &'a mut [&mut T]) -> &'a mut T {
        let last = of.len().saturating_sub(1) as u64;
        &mut *of[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_case_draws_the_same_and_its_neighbour_does_not() {
        let draw = |seed, number| {
            let mut random = Random::new(seed, number);
            [random.next(), random.next(), random.next()]
        };
        assert_eq!(draw(1, 7), draw(1, 7));
        assert_ne!(draw(1, 7), draw(1, 8));
        assert_ne!(draw(1, 7), draw(2, 7));
    }

    #[test]
    fn limits_are_kept() {
        let mut random = Random::new(3, 3);
        for _ in 0..1000 {
            assert!(random.below(10) < 10);
            assert!((5..=7).contains(&random.between(5, 7)));
        }
        assert_eq!(random.below(0), 0);
    }
}
