//! Amounts as the ledger adds them up: the same values, in a form that adds and compares in a few instructions.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::budget::{Amount, Limits, Unit};

/// The largest mantissa of a [`Decimal`]: 96 bits.
const MANTISSA_MAX: u128 = (1 << 96) - 1;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// The longest [`Duration`] in nanoseconds.
const NANOS_MAX: u128 = (u64::MAX as u128) * NANOS_PER_SECOND + (NANOS_PER_SECOND - 1);

/// Money that is not negative: a mantissa, and how many of its digits stand after the point. At most 96 bits and 28 digits, as a [`Decimal`] has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Money {
    mantissa: u128,
    scale: u32,
}

impl Money {
    /// `None` for a negative value.
    fn new(decimal: Decimal) -> Option<Self> {
        let mantissa = u128::try_from(decimal.mantissa()).ok()?;
        Some(Self::of(mantissa, decimal.scale()))
    }

    /// Nothing has no digits after the point.
    const fn of(mantissa: u128, scale: u32) -> Self {
        let scale = if mantissa == 0 { 0 } else { scale };
        Self { mantissa, scale }
    }

    fn decimal(self) -> Decimal {
        // The bounds of this type are those of the other.
        let mantissa = i128::try_from(self.mantissa).unwrap_or(i128::MAX);
        Decimal::try_from_i128_with_scale(mantissa, self.scale).unwrap_or(Decimal::MAX)
    }

    const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Both mantissas with the digits of the finer one; `None` when one grows too large.
    fn aligned(self, other: Self) -> Option<(u128, u128, u32)> {
        let scale = self.scale.max(other.scale);
        let finer = |money: Self| {
            let factor = 10_u128.checked_pow(scale - money.scale)?;
            let mantissa = money.mantissa.checked_mul(factor)?;
            (mantissa <= MANTISSA_MAX).then_some(mantissa)
        };
        Some((finer(self)?, finer(other)?, scale))
    }

    fn plus(self, other: Self) -> Self {
        if other.is_zero() {
            return self;
        }
        let sum = if self.scale == other.scale {
            Some((self.mantissa + other.mantissa, self.scale))
        } else {
            let aligned = self.aligned(other);
            aligned.map(|(a, b, scale)| (a + b, scale))
        };
        match sum {
            Some((mantissa, scale)) if mantissa <= MANTISSA_MAX => Self { mantissa, scale },
            _ => Self::rounded(self.decimal().saturating_add(other.decimal())),
        }
    }

    /// Stops at zero.
    fn minus(self, other: Self) -> Self {
        if other.is_zero() {
            return self;
        }
        let difference = if self.scale == other.scale {
            Some((self.mantissa, other.mantissa, self.scale))
        } else {
            self.aligned(other)
        };
        match difference {
            Some((a, b, scale)) => Self::of(a.saturating_sub(b), scale),
            None => Self::rounded(self.decimal().saturating_sub(other.decimal())),
        }
    }

    /// What exact arithmetic with more digits than there is room for came to.
    #[cold]
    fn rounded(decimal: Decimal) -> Self {
        Self::new(decimal).unwrap_or_default()
    }

    fn is_over(self, limit: Self) -> bool {
        if self.scale == limit.scale {
            return self.mantissa > limit.mantissa;
        }
        match self.aligned(limit) {
            Some((a, b, _)) => a > b,
            None => self.decimal() > limit.decimal(),
        }
    }
}

/// An amount, to be added up. Sums saturate; nothing is ever negative.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    money: Money,
    tokens: u64,
    calls: u64,
    busy_nanos: u128,
}

impl Sum {
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            money: self.money.plus(other.money),
            tokens: self.tokens.saturating_add(other.tokens),
            calls: self.calls.saturating_add(other.calls),
            busy_nanos: (self.busy_nanos + other.busy_nanos).min(NANOS_MAX),
        }
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        Self {
            money: self.money.minus(other.money),
            tokens: self.tokens.saturating_sub(other.tokens),
            calls: self.calls.saturating_sub(other.calls),
            busy_nanos: self.busy_nanos.saturating_sub(other.busy_nanos),
        }
    }

    pub(super) const fn is_zero(&self) -> bool {
        self.money.is_zero() && self.tokens == 0 && self.calls == 0 && self.busy_nanos == 0
    }

    pub(super) fn amount(&self) -> Amount {
        let seconds = u64::try_from(self.busy_nanos / NANOS_PER_SECOND).unwrap_or(u64::MAX);
        let nanos = u32::try_from(self.busy_nanos % NANOS_PER_SECOND).unwrap_or(0);
        Amount {
            money: self.money.decimal(),
            tokens: self.tokens,
            calls: self.calls,
            busy: Duration::new(seconds, nanos),
        }
    }
}

impl From<&Amount> for Sum {
    /// Negative money is read as zero.
    fn from(amount: &Amount) -> Self {
        Self {
            money: Money::new(amount.money).unwrap_or_default(),
            tokens: amount.tokens,
            calls: amount.calls,
            busy_nanos: amount.busy.as_nanos(),
        }
    }
}

/// Limits, to be compared with sums. What is unlimited has the largest limit: sums saturate there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// `None`: unlimited.
    money: Option<Money>,
    /// Less than nothing: nothing fits.
    below_zero: bool,
    tokens: u64,
    calls: u64,
    busy_nanos: u128,
}

impl Caps {
    /// The first unit of a sum that is over its limit.
    pub(super) fn first_exceeded(&self, sum: &Sum) -> Option<Unit> {
        if self.below_zero || self.money.is_some_and(|max| sum.money.is_over(max)) {
            return Some(Unit::Money);
        }
        if sum.tokens > self.tokens {
            return Some(Unit::Tokens);
        }
        if sum.calls > self.calls {
            return Some(Unit::Calls);
        }
        (sum.busy_nanos > self.busy_nanos).then_some(Unit::Busy)
    }
}

impl From<&Limits> for Caps {
    fn from(limits: &Limits) -> Self {
        let money = limits.money.and_then(Money::new);
        Self {
            money,
            below_zero: limits.money.is_some() && money.is_none(),
            tokens: limits.tokens.unwrap_or(u64::MAX),
            calls: limits.calls.unwrap_or(u64::MAX),
            busy_nanos: limits.busy.map_or(u128::MAX, |busy| busy.as_nanos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money() -> impl Strategy<Value = Decimal> {
        let small = (0_i128..100_000, 0_u32..6);
        let any = (0..=i128::try_from(MANTISSA_MAX).unwrap_or(0), 0_u32..=28);
        prop_oneof![3 => small, 1 => any].prop_map(|(mantissa, scale)| match mantissa {
            0 => Decimal::ZERO,
            _ => Decimal::from_i128_with_scale(mantissa, scale),
        })
    }

    fn amount() -> impl Strategy<Value = Amount> {
        let count = || prop_oneof![3 => 0_u64..50, 1 => any::<u64>()];
        let busy = (count(), 0_u32..1_000_000_000);
        (money(), count(), count(), busy).prop_map(|(money, tokens, calls, busy)| Amount {
            money,
            tokens,
            calls,
            busy: Duration::new(busy.0, busy.1),
        })
    }

    /// The same question, asked of the amounts themselves.
    fn first_exceeded(limits: &Limits, used: &Amount) -> Option<Unit> {
        let over = [
            (
                Unit::Money,
                limits.money.is_some_and(|max| used.money > max),
            ),
            (
                Unit::Tokens,
                limits.tokens.is_some_and(|max| used.tokens > max),
            ),
            (
                Unit::Calls,
                limits.calls.is_some_and(|max| used.calls > max),
            ),
            (Unit::Busy, limits.busy.is_some_and(|max| used.busy > max)),
        ];
        over.into_iter()
            .find_map(|(unit, over)| over.then_some(unit))
    }

    /// Text as well as value: what is shown does not change either.
    fn check(sum: &Sum, amount: &Amount) {
        let shown = sum.amount();
        assert_eq!(shown, *amount);
        assert_eq!(shown.money.to_string(), amount.money.to_string());
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_amounts(a in amount(), b in amount(), c in amount()) {
            let [x, y, z] = [&a, &b, &c].map(Sum::from);
            check(&x, &a);
            check(&x.plus(&y), &a.plus(&b));
            check(&x.minus(&y), &a.minus(&b));
            prop_assert_eq!(x.plus(&y).plus(&z).minus(&y).amount(), a.plus(&b).plus(&c).minus(&b));
        }

        #[test]
        fn limits_are_exceeded_when_those_of_the_amounts_are(
            used in amount(),
            limit in amount(),
            limited in any::<[bool; 4]>(),
        ) {
            let limits = Limits {
                money: limited[0].then_some(limit.money),
                tokens: limited[1].then_some(limit.tokens),
                calls: limited[2].then_some(limit.calls),
                busy: limited[3].then_some(limit.busy),
            };
            let (sum, caps) = (Sum::from(&used), Caps::from(&limits));
            prop_assert_eq!(caps.first_exceeded(&sum), first_exceeded(&limits, &used));
        }
    }

    #[test]
    fn a_limit_below_zero_refuses_everything() {
        let limits = Limits::unlimited().with_money(Decimal::NEGATIVE_ONE);
        let caps = Caps::from(&limits);
        assert_eq!(caps.first_exceeded(&Sum::default()), Some(Unit::Money));
        assert_eq!(
            first_exceeded(&limits, &Amount::default()),
            Some(Unit::Money)
        );
    }
}
