//! Amounts of the four units, and limits on them.

use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A unit that a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Exact decimal money, in whatever currency the deployment uses.
    Money,
    /// Tokens of a model.
    Tokens,
    /// Attempts made, or calls of a paid service.
    Calls,
    /// Time that agents were busy; wall time is the deadline's business.
    Busy,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Money => "money",
            Self::Tokens => "tokens",
            Self::Calls => "calls",
            Self::Busy => "busy time",
        })
    }
}

/// An amount of each unit. Sums saturate; nothing is ever negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amount {
    /// Money; a negative value is read as zero.
    pub money: Decimal,
    /// Tokens.
    pub tokens: u64,
    /// Calls.
    pub calls: u64,
    /// Agent-busy time.
    pub busy: Duration,
}

impl Amount {
    /// Only money.
    #[must_use]
    pub fn money(money: Decimal) -> Self {
        Self {
            money,
            ..Self::default()
        }
    }

    /// Only tokens.
    #[must_use]
    pub fn tokens(tokens: u64) -> Self {
        Self {
            tokens,
            ..Self::default()
        }
    }

    /// Only calls.
    #[must_use]
    pub fn calls(calls: u64) -> Self {
        Self {
            calls,
            ..Self::default()
        }
    }

    /// Only busy time.
    #[must_use]
    pub fn busy(busy: Duration) -> Self {
        Self {
            busy,
            ..Self::default()
        }
    }

    /// Whether every unit is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn sanitised(mut self) -> Self {
        self.money = self.money.max(Decimal::ZERO);
        self
    }

    /// Adds each unit, saturating.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            money: if other.money.is_zero() {
                // Most amounts hold no money, and exact arithmetic is slow.
                self.money
            } else {
                self.money.saturating_add(other.money)
            },
            tokens: self.tokens.saturating_add(other.tokens),
            calls: self.calls.saturating_add(other.calls),
            busy: self.busy.saturating_add(other.busy),
        }
    }

    /// Takes each unit away, stopping at zero.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            money: if other.money.is_zero() {
                self.money.max(Decimal::ZERO)
            } else {
                self.money.saturating_sub(other.money).max(Decimal::ZERO)
            },
            tokens: self.tokens.saturating_sub(other.tokens),
            calls: self.calls.saturating_sub(other.calls),
            busy: self.busy.saturating_sub(other.busy),
        }
    }

    /// The smaller of each unit.
    #[must_use]
    pub fn least(&self, other: &Self) -> Self {
        Self {
            money: self.money.min(other.money),
            tokens: self.tokens.min(other.tokens),
            calls: self.calls.min(other.calls),
            busy: self.busy.min(other.busy),
        }
    }
}

/// What may be spent of each unit. Absent is unlimited; zero is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most money.
    pub money: Option<Decimal>,
    /// Most tokens.
    pub tokens: Option<u64>,
    /// Most calls.
    pub calls: Option<u64>,
    /// Most busy time.
    pub busy: Option<Duration>,
}

impl Limits {
    /// No limit on anything.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            money: None,
            tokens: None,
            calls: None,
            busy: None,
        }
    }

    /// With a limit on money.
    #[must_use]
    pub const fn with_money(mut self, money: Decimal) -> Self {
        self.money = Some(money);
        self
    }

    /// With a limit on tokens.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// With a limit on calls.
    #[must_use]
    pub const fn with_calls(mut self, calls: u64) -> Self {
        self.calls = Some(calls);
        self
    }

    /// With a limit on busy time.
    #[must_use]
    pub const fn with_busy(mut self, busy: Duration) -> Self {
        self.busy = Some(busy);
        self
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::unlimited()
    }

    /// Limit and use of one unit as texts.
    pub(crate) fn describe(&self, unit: Unit, used: &Amount) -> (String, String) {
        let text = |limit: Option<String>| limit.unwrap_or_else(|| "unlimited".to_owned());
        match unit {
            Unit::Money => (
                text(self.money.map(|m| m.to_string())),
                used.money.to_string(),
            ),
            Unit::Tokens => (
                text(self.tokens.map(|n| n.to_string())),
                used.tokens.to_string(),
            ),
            Unit::Calls => (
                text(self.calls.map(|n| n.to_string())),
                used.calls.to_string(),
            ),
            Unit::Busy => (
                text(self.busy.map(|d| format!("{d:?}"))),
                format!("{:?}", used.busy),
            ),
        }
    }
}
