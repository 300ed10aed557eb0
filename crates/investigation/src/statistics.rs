//! Robust statistics: medians and quantiles, which a few wild values do not move.

/// What turns the median absolute deviation of a normal distribution into its standard deviation (Hampel 1974).
const MAD_TO_SIGMA: f64 = 1.4826;
/// Distance between the 2.5 % and the 97.5 % quantile of a normal distribution, in standard deviations.
const CENTRAL_95_IN_SIGMA: f64 = 3.92;

/// Level and spread of a series in normal operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) level: f64,
    /// A standard deviation, in the unit of the series.
    pub(crate) sigma: f64,
}

/// Level and spread of the values that are present, or `None` when all are missing.
///
/// The spread is the larger of the scaled median absolute deviation and the scaled width of the central 95 %:
/// the first is blind to a series that jumps now and then, the second sees those jumps.
/// `values` is scratch space; its order changes.
pub(crate) fn spread(values: &mut Vec<f64>) -> Option<Spread> {
    values.retain(|value| !value.is_nan());
    let first = *values.first()?;
    if values.iter().all(|value| *value == first) {
        return Some(Spread {
            level: first,
            sigma: 0.0,
        });
    }
    let level = quantile(values, 0.5)?;
    // Finding the median has put smaller values before it and larger ones after it.
    let (low, high) = (
        place(values.len() - 1, 0.025),
        place(values.len() - 1, 0.975),
    );
    let middle = place(values.len() - 1, 0.5);
    let (below, above) = values.split_at_mut(middle);
    let least = if low < middle { nth(below, low) } else { level };
    let most = if high > middle {
        nth(above, high - middle)
    } else {
        level
    };
    for value in values.iter_mut() {
        *value = (*value - level).abs();
    }
    let mad = quantile(values, 0.5)?;
    Some(Spread {
        level,
        sigma: (mad * MAD_TO_SIGMA).max((most - least) / CENTRAL_95_IN_SIGMA),
    })
}

/// The index of a quantile among values up to index `last`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place between 0 and the last index"
)]
fn place(last: usize, share: f64) -> usize {
    ((last as f64) * share).round() as usize
}

fn nth(values: &mut [f64], place: usize) -> f64 {
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

/// The value below which a share of `share` of the values lies, or `None` for no values.
///
/// Of an even number, the median is the mean of the middle two; other quantiles take the nearest value.
/// `values` is scratch space without missing values; its order changes.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = place(last, share);
    let (below, value, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    let value = *value;
    if share == 0.5 && last % 2 == 1 {
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        return Some(f64::midpoint(lower, value));
    }
    Some(value)
}

/// Maps 0 to 0 and grows towards 1; at `half` it is one half. What is below zero is zero.
pub(crate) fn saturate(value: f64, half: f64) -> f64 {
    if value > 0.0 {
        if value.is_finite() {
            value / (value + half)
        } else {
            1.0
        }
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_or_the_middle_of_two() {
        let check = |values: &[f64], share: f64, expected: Option<f64>| {
            assert_eq!(
                quantile(&mut values.to_vec(), share),
                expected,
                "{values:?}"
            );
        };
        check(&[], 0.5, None);
        check(&[3.0], 0.9, Some(3.0));
        check(&[4.0, 1.0, 2.0, 3.0], 0.5, Some(2.5));
        check(&[5.0, 1.0, 3.0], 0.5, Some(3.0));
        check(&[5.0, 1.0, 3.0], 1.0, Some(5.0));
        check(&[5.0, 1.0, 3.0], 0.0, Some(1.0));
    }

    #[test]
    fn one_wild_value_moves_neither_level_nor_spread() {
        let calm: Vec<f64> = (0..101).map(|n| f64::from(n % 5)).collect();
        let mut wild = calm.clone();
        wild[0] = 1e9;
        assert_eq!(spread(&mut calm.clone()), spread(&mut wild));
    }

    #[test]
    fn rare_jumps_count_as_spread_although_the_median_deviation_is_zero() {
        let mut values = vec![100.0; 90];
        values.extend([60.0; 10]);
        let spread = spread(&mut values).unwrap();
        assert_eq!(spread.level, 100.0);
        assert!(spread.sigma > 10.0, "{spread:?}");
    }

    #[test]
    fn few_values_have_a_spread_as_well() {
        let check = |values: &[f64], level: f64, sigma: f64| {
            let found = spread(&mut values.to_vec()).unwrap();
            assert!((found.level - level).abs() < 1e-12, "{values:?} {found:?}");
            assert!((found.sigma - sigma).abs() < 1e-12, "{values:?} {found:?}");
        };
        check(&[3.0], 3.0, 0.0);
        check(&[1.0, 3.0], 2.0, MAD_TO_SIGMA);
        check(&[9.0, 1.0, 3.0], 3.0, 2.0 * MAD_TO_SIGMA);
        let mut hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        hundred.reverse();
        check(&hundred, 50.0, 25.0 * MAD_TO_SIGMA);
    }

    #[test]
    fn missing_values_are_not_zeros() {
        let spread = spread(&mut vec![f64::NAN, 2.0, f64::NAN, 2.0]).unwrap();
        assert_eq!(
            spread,
            Spread {
                level: 2.0,
                sigma: 0.0
            }
        );
        assert_eq!(super::spread(&mut vec![f64::NAN]), None);
    }

    #[test]
    fn saturation_stays_between_zero_and_one() {
        assert_eq!(saturate(-3.0, 1.0), 0.0);
        assert_eq!(saturate(f64::NAN, 1.0), 0.0);
        assert_eq!(saturate(2.0, 2.0), 0.5);
        assert_eq!(saturate(f64::INFINITY, 2.0), 1.0);
    }
}
