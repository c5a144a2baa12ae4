use std::time::{Duration, Instant};

/// How two ways of doing the same compare, taken in turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// One run of the first, in nanoseconds.
    pub base: Times,
    /// One run of the second, in nanoseconds.
    pub other: Times,
    /// The second over the first, turn by turn.
    pub ratio: Times,
    /// The second less the first, turn by turn, in nanoseconds.
    pub difference: Times,
}

/// The median of a number of measurements with its quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

/// The median and the quartiles of `all`.
#[must_use]
pub fn times(mut all: Vec<f64>) -> Times {
    all.sort_by(f64::total_cmp);
    let at = |share: usize| all.get(all.len() * share / 4).copied().unwrap_or(f64::NAN);
    Times {
        low: at(1),
        median: at(2),
        high: at(3),
    }
}

/// Runs the two in turns for about `limit`, `batch` at a time, and compares them turn by turn.
///
/// Two benches that run one after the other differ by more than the few parts in a hundred that
/// are asked about here: clocks change, and so does what else the machine does. In turns both see
/// the same. Who begins changes with each turn.
pub fn paired(
    limit: Duration,
    batch: u32,
    mut base: impl FnMut(),
    mut other: impl FnMut(),
) -> Ratio {
    let timed = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..batch {
            run();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(batch)
    };
    in_turns(limit, || timed(&mut base), || timed(&mut other))
}

/// Lets the two take their own times, in nanoseconds, in turns for about `limit`.
pub fn in_turns(
    limit: Duration,
    mut base: impl FnMut() -> f64,
    mut other: impl FnMut() -> f64,
) -> Ratio {
    // What the first calls set up, caches and the processor's clock among it, is left out.
    let begin = Instant::now();
    while begin.elapsed() < limit / 10 {
        base();
        other();
    }
    let mut pairs = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < limit || pairs.len() < 11 {
        let pair = if pairs.len() % 2 == 0 {
            let base = base();
            (base, other())
        } else {
            let other = other();
            (base(), other)
        };
        pairs.push(pair);
    }
    let of = |value: fn(&(f64, f64)) -> f64| times(pairs.iter().map(value).collect());
    Ratio {
        base: of(|pair| pair.0),
        other: of(|pair| pair.1),
        ratio: of(|pair| pair.1 / pair.0),
        difference: of(|pair| pair.1 - pair.0),
    }
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn quartiles_are_those_of_the_sorted_numbers() {
        let all = times(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((all.low, all.median, all.high), (2.0, 3.0, 4.0));
    }

    #[test]
    fn no_numbers_have_no_median() {
        assert!(times(Vec::new()).median.is_nan());
    }
}
