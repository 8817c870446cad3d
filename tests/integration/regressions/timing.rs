//! What `./bench timing` concludes by: a shift that is there is found, one that isn't is not, however the times are spread.

#[path = "../../../benches/difference.rs"]
mod difference;

use difference::{Difference, Random, median};

const PAIRS: usize = 2_000;

/// Times of some 500 µs as servers have them: a floor, a long tail, and a machine that is slow for a while.
fn times(random: &mut Random, shift: f64) -> [Vec<f64>; 2] {
    let mut series = [Vec::new(), Vec::new()];
    for pair in 0..PAIRS {
        let slow = if pair % 700 < 150 { 200.0 } else { 0.0 };
        for (values, shift) in series.iter_mut().zip([0.0, shift]) {
            let above_zero = u32::try_from(random.below(1 << 20) + 1).expect("a small number");
            let share = f64::from(above_zero) / f64::from(1 << 20);
            values.push(500.0 + slow + shift - 60.0 * share.ln());
        }
    }
    series
}

#[test]
fn the_median_is_the_value_in_the_middle() {
    for (mut values, middle) in [
        (vec![], 0.0),
        (vec![3.0], 3.0),
        (vec![4.0, 1.0], 2.5),
        (vec![9.0, 1.0, 5.0], 5.0),
        (vec![8.0, 2.0, 1.0, 4.0], 3.0),
        (vec![7.0, 7.0, 7.0, 0.0], 7.0),
    ] {
        assert!((median(&mut values) - middle).abs() < 1e-9, "{values:?}");
    }
}

#[test]
fn chance_is_even_and_comes_again() {
    let mut random = Random::new(7);
    let mut counts = [0; 6];
    for _ in 0..6_000 {
        let mut order = [0, 1, 2];
        random.shuffle(&mut order);
        let place = order[0] * 2 + usize::from(order[1] > order[2]);
        counts[place] += 1;
    }
    assert!(
        counts.iter().all(|count| (850..1_150).contains(count)),
        "{counts:?}"
    );
    assert_eq!(Random::new(9).next(), Random::new(9).next());
}

#[test]
fn no_shift_is_found_where_there_is_none() {
    // Of a hundred intervals of 99 %, one or two may leave it out.
    let missed = (0..100).map(|seed| {
        let mut random = Random::new(seed);
        let [one, other] = times(&mut random, 0.0);
        let found = Difference::of(&one, &other, &mut random);
        [found.of_medians, found.in_pairs].map(|estimate| {
            assert!(estimate.is_within(20.0), "{found:?}");
            assert!(!estimate.is_above(100.0), "{found:?}");
            estimate.low > 0.0 || estimate.high < 0.0
        })
    });
    let missed: Vec<_> = missed.collect();
    for estimate in 0..2 {
        assert!(missed.iter().filter(|missed| missed[estimate]).count() <= 4);
    }
}

#[test]
fn a_planted_shift_is_found() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        for shift in [200.0, -200.0] {
            let [one, other] = times(&mut random, shift);
            let found = Difference::of(&one, &other, &mut random);
            let told = found.other - found.reference;
            assert!((told - found.of_medians.middle).abs() < 1e-9, "{found:?}");
            for estimate in [found.of_medians, found.in_pairs] {
                assert!((estimate.middle - shift).abs() < 20.0, "{found:?}");
                assert!(!estimate.is_within(100.0), "{found:?}");
                assert_eq!(estimate.is_above(100.0), shift > 0.0, "{found:?}");
            }
        }
        // One that is as large as what is allowed isn't called allowed.
        let [one, other] = times(&mut random, 100.0);
        let found = Difference::of(&one, &other, &mut random);
        for estimate in [found.of_medians, found.in_pairs] {
            assert!(!estimate.is_within(95.0), "{found:?}");
        }
    }
}

#[test]
fn a_drift_of_both_hides_a_shift_from_the_medians_and_not_from_the_pairs() {
    let mut random = Random::new(3);
    let [mut one, mut other] = times(&mut random, 100.0);
    // Milliseconds that come and go in minutes, as a hash's time does with the memory's pace.
    for (pair, (one, other)) in one.iter_mut().zip(&mut other).enumerate() {
        let drift = 4_000.0 * f64::from(u32::try_from(pair % 500).expect("small")) / 500.0;
        *one += drift;
        *other += drift;
    }
    let found = Difference::of(&one, &other, &mut random);
    let width = |estimate: difference::Estimate| estimate.high - estimate.low;
    assert!((found.in_pairs.middle - 100.0).abs() < 20.0, "{found:?}");
    assert!(
        width(found.in_pairs) * 3.0 < width(found.of_medians),
        "{found:?}"
    );
}
