//! The difference of two medians, and how sure it is.
//!
//! Two series are measured in pairs, so whatever disturbs the machine for longer than a pair disturbs both. The interval is made by
//! resampling: runs of pairs that follow each other are drawn with replacement (a moving-block bootstrap, as neighbours resemble each
//! other) until there are as many as were measured, always the same of both series, and the difference of their medians is taken anew. The
//! inner 99 % of a thousand such differences are the interval: it supposes nothing of how times are distributed.
//!
//! Where what both do takes milliseconds and the machine's pace drifts by as many, medians of whole series are too blunt for microseconds.
//! So the median of the differences within pairs is taken too, with an interval made in the same way: the drift is in both of a pair.

/// How many differences are made by resampling.
const RESAMPLES: usize = 1_000;
/// The share of them that is left out at either end: what is between is an interval of 99 %.
const LEFT_OUT: usize = RESAMPLES / 200;
/// Pairs that are drawn together, where there are many.
const BLOCK: usize = 50;

/// Numbers that look like chance and come again with their seed (`SplitMix64`).
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which isn't 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * bound as u128;
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    /// Puts what is there into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A number, and how sure it is.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The number.
    pub middle: f64,
    /// The least that it may be.
    pub low: f64,
    /// The most that it may be.
    pub high: f64,
}

impl Estimate {
    /// With the inner 99 % of what resampling made of it.
    fn new(middle: f64, resampled: &mut [f64]) -> Self {
        resampled.sort_by(f64::total_cmp);
        Self {
            middle,
            low: resampled[LEFT_OUT],
            high: resampled[RESAMPLES - 1 - LEFT_OUT],
        }
    }

    /// Whether it lies, with all that it may be, within so much of nothing.
    pub fn is_within(&self, bound: f64) -> bool {
        -bound < self.low && self.high < bound
    }

    /// Whether it is more than that, for all that it may be.
    pub fn is_above(&self, bound: f64) -> bool {
        bound < self.low
    }
}

/// By how much the median of one series lies above that of another, in the unit that both were measured in.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The median that is compared with.
    pub reference: f64,
    /// The median that is compared.
    pub other: f64,
    /// The difference of the two.
    pub of_medians: Estimate,
    /// The median of the differences within pairs.
    pub in_pairs: Estimate,
}

impl Difference {
    /// Of series whose values of the same place were measured together.
    pub fn of(reference: &[f64], other: &[f64], random: &mut Random) -> Self {
        let count = reference.len().min(other.len());
        let block = BLOCK.min(count / 10).max(1);
        let (mut left, mut right) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut within: Vec<f64> = reference
            .iter()
            .zip(other)
            .map(|(own, other)| other - own)
            .collect();
        let mut drawn = Vec::with_capacity(count);
        let mut differences = Vec::with_capacity(RESAMPLES);
        let mut differences_in_pairs = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            left.clear();
            right.clear();
            drawn.clear();
            while left.len() < count {
                let from = random.below(count - block + 1);
                let to = from + block.min(count - left.len());
                left.extend_from_slice(&reference[from..to]);
                right.extend_from_slice(&other[from..to]);
                drawn.extend_from_slice(&within[from..to]);
            }
            differences.push(median(&mut right) - median(&mut left));
            differences_in_pairs.push(median(&mut drawn));
        }
        let reference = median(&mut reference[..count].to_vec());
        let other = median(&mut other[..count].to_vec());
        Self {
            reference,
            other,
            of_medians: Estimate::new(other - reference, &mut differences),
            in_pairs: Estimate::new(median(&mut within), &mut differences_in_pairs),
        }
    }
}

/// The value in the middle; of an even number the mean of the two. Puts them into another order.
pub fn median(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let even = values.len().is_multiple_of(2);
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if even {
        let lower = below.iter().copied().fold(f64::MIN, f64::max);
        f64::midpoint(lower, *middle)
    } else {
        *middle
    }
}
