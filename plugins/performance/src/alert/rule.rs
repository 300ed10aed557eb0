//! What raises an alert, as data.

use serde::{Deserialize, Serialize};

use crate::signal::{Scope, Signal};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; health stays.
    Info,
    /// Health is degraded.
    Warning,
    /// Health is critical, and the alert counts in `critical_alerts` until somebody acknowledges it.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How a value is compared with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// Above.
    #[serde(rename = ">")]
    Above,
    /// At or above.
    #[serde(rename = ">=")]
    AtLeast,
    /// Below.
    #[serde(rename = "<")]
    Below,
    /// At or below.
    #[serde(rename = "<=")]
    AtMost,
}

impl Operator {
    /// Whether a value is on the bad side.
    #[must_use]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
        }
    }

    const fn is_upper(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }

    /// The sign.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

/// When to raise an alert: an entry `[[plugins.performance.rules]]`.
///
/// ```
/// use universal_orchestrator_performance::{Operator, Rule, Severity, Signal};
/// let rule = Rule::new("checkout_slow", Signal::ExecutionP95Ms, Operator::Above, 800.0, Severity::Critical);
/// assert_eq!(rule.for_ms, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, 1 to 64 characters of `a-z0-9_`; alerts are told apart by it.
    pub name: String,
    /// What is looked at.
    pub signal: Signal,
    /// How.
    pub operator: Operator,
    /// From where on it is bad, in the unit of the signal.
    pub threshold: f64,
    /// How bad it is. Default `warning`.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// How long it must be bad before the alert fires. Default 0: at once.
    #[serde(default)]
    pub for_ms: u64,
    /// Where a firing alert resolves, on the good side of the threshold. Default unset: at the threshold.
    #[serde(default)]
    pub resolve_at: Option<f64>,
    /// Between two notices of this rule, whatever happens. Default 300000.
    #[serde(default = "five_minutes")]
    pub cooldown_ms: u64,
    /// Only one agent, task type or capability; for signals that are measured of them. Default unset: all together.
    #[serde(default)]
    pub only: Option<Scope>,
    /// False switches it off, for example a default rule. Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn warning() -> Severity {
    Severity::Warning
}

const fn five_minutes() -> u64 {
    300_000
}

const fn yes() -> bool {
    true
}

impl Rule {
    /// The keys of a rule, for documents and their tests.
    pub const KEYS: &'static [&'static str] = &[
        "name",
        "signal",
        "operator",
        "threshold",
        "severity",
        "for_ms",
        "resolve_at",
        "cooldown_ms",
        "only",
        "enabled",
    ];

    /// A rule that fires at once, resolves at its threshold and is told at most every five minutes.
    pub fn new(
        name: impl Into<String>,
        signal: Signal,
        operator: Operator,
        threshold: f64,
        severity: Severity,
    ) -> Self {
        Self {
            name: name.into(),
            signal,
            operator,
            threshold,
            severity,
            for_ms: 0,
            resolve_at: None,
            cooldown_ms: five_minutes(),
            only: None,
            enabled: true,
        }
    }

    /// Fires only after so long.
    #[must_use]
    pub const fn lasting_ms(mut self, time: u64) -> Self {
        self.for_ms = time;
        self
    }

    /// Resolves only there.
    #[must_use]
    pub const fn resolving_at(mut self, value: f64) -> Self {
        self.resolve_at = Some(value);
        self
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(part) {
            return Err("the name must be 1 to 64 characters of a-z, 0-9 and _: rename it".into());
        }
        if !self.threshold.is_finite() {
            return Err(format!(
                "threshold is {}: write a number in the unit of {}",
                self.threshold,
                self.signal.as_str()
            ));
        }
        if let Some(value) = self.resolve_at {
            let good = match self.operator.is_upper() {
                true => value <= self.threshold,
                false => value >= self.threshold,
            };
            if !good {
                return Err(format!(
                    "resolve_at is {value}, on the bad side of the threshold {} of operator {:?}: move it to the other side",
                    self.threshold,
                    self.operator.as_str()
                ));
            }
        }
        match &self.only {
            Some(scope) if !self.signal.is_measured_of(scope) => Err(format!(
                "signal {} is not measured of one {}: remove `only`, or take another signal",
                self.signal.as_str(),
                scope.kind()
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_bad(&self, value: f64) -> bool {
        self.operator.holds(value, self.threshold)
    }

    /// Whether a firing alert goes on at this value.
    pub(crate) fn stays_bad(&self, value: f64) -> bool {
        match self.resolve_at {
            None => self.is_bad(value),
            Some(at) if self.operator.is_upper() => value > at,
            Some(at) => value < at,
        }
    }

    /// The condition in words.
    pub(crate) fn condition(&self) -> String {
        let scope = match &self.only {
            Some(scope) => format!(" of {} {:?}", scope.kind(), scope.name()),
            None => String::new(),
        };
        format!(
            "{}{scope} {} {}",
            self.signal.as_str(),
            self.operator.as_str(),
            self.threshold
        )
    }
}

/// The rules that hold unless the section says otherwise.
///
/// There is none on low throughput: what is low depends on the work, and a system without work is not slow.
pub(crate) fn default_rules() -> Vec<Rule> {
    use Operator::{Above, AtLeast};
    use Severity::{Critical, Info, Warning};
    use Signal as S;
    let machine = |name, signal, threshold, resolve_at, severity| {
        Rule::new(name, signal, Above, threshold, severity)
            .lasting_ms(30_000)
            .resolving_at(resolve_at)
    };
    let work =
        |name, signal, threshold, severity| Rule::new(name, signal, Above, threshold, severity);
    vec![
        machine("cpu_high", S::CpuPercent, 80.0, 75.0, Warning),
        machine("cpu_critical", S::CpuPercent, 95.0, 90.0, Critical),
        machine("memory_elevated", S::MemoryPercent, 80.0, 78.0, Info),
        machine("memory_high", S::MemoryPercent, 85.0, 83.0, Warning),
        machine("memory_critical", S::MemoryPercent, 95.0, 92.0, Critical),
        machine("disk_high", S::DiskPercent, 90.0, 88.0, Warning),
        machine("disk_critical", S::DiskPercent, 95.0, 93.0, Critical),
        work("registration_slow", S::RegistrationP95Ms, 100.0, Warning),
        work("delegation_slow", S::DelegationP95Ms, 500.0, Warning),
        work("queue_wait_high", S::QueueWaitP95Ms, 1_000.0, Warning).resolving_at(800.0),
        // How long work may take depends on the work, so this one only informs.
        work("execution_slow", S::ExecutionP95Ms, 2_000.0, Info),
        work("error_rate_high", S::ErrorRatePercent, 5.0, Warning).resolving_at(4.0),
        work("error_rate_critical", S::ErrorRatePercent, 10.0, Critical).resolving_at(8.0),
        Rule::new(
            "no_agent_for_waiting_tasks",
            S::WaitingWithoutAgent,
            AtLeast,
            1.0,
            Critical,
        ),
        Rule::new("regression", S::Regressions, AtLeast, 1.0, Warning),
    ]
}
