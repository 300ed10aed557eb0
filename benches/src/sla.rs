//! The service levels that users validate on their own machine: limits, measurements, verdict.
//!
//! This module measures nothing. The bench hands its measurements in and exits with [`Report::exit_code`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// The environment variable that names another file of limits.
pub const FILE_VARIABLE: &str = "UO_SLA_FILE";

/// The limits. The defaults are those of the design card.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// The longest registration of one agent (p99), in milliseconds.
    pub registration_ms_max: f64,
    /// The longest delegation of one task (p99), in milliseconds.
    pub delegation_ms_max: f64,
    /// The longest start of an orchestrator (p99), in milliseconds.
    pub initialization_ms_max: f64,
    /// The most resident memory that one idle orchestrator adds to the process, in MiB.
    pub base_memory_mib_max: f64,
    /// The fewest agents that work at the same time.
    pub concurrent_agents_min: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            registration_ms_max: 100.0,
            delegation_ms_max: 500.0,
            initialization_ms_max: 2000.0,
            base_memory_mib_max: 50.0,
            concurrent_agents_min: 50.0,
        }
    }
}

/// Why limits could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// The file cannot be read.
    #[error("failed to read the limits from {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key or a value of another type.
    #[error("failed to parse the limits in {}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A limit is no positive number.
    #[error("limit {key} = {value} in {}: must be a positive number", path.display())]
    NotPositive {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// The refused value.
        value: f64,
    },
}

impl Limits {
    /// Reads the file named by `UO_SLA_FILE`, else `sla.toml` beside this package's manifest.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be read, has an unknown key, or a limit that is no positive number.
    pub fn load() -> Result<Self, LimitsError> {
        let beside_the_package = || Path::new(env!("CARGO_MANIFEST_DIR")).join("sla.toml");
        Self::read(&std::env::var_os(FILE_VARIABLE).map_or_else(beside_the_package, PathBuf::from))
    }

    /// Reads one file; keys that it leaves out have the design card's limit.
    ///
    /// # Errors
    ///
    /// As [`Limits::load`].
    pub fn read(path: &Path) -> Result<Self, LimitsError> {
        let text = std::fs::read_to_string(path).map_err(|source| LimitsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, LimitsError> {
        let limits: Self = toml::from_str(text).map_err(|source| LimitsError::Parse {
            path: path.to_owned(),
            source,
        })?;
        for (key, value) in [
            ("registration_ms_max", limits.registration_ms_max),
            ("delegation_ms_max", limits.delegation_ms_max),
            ("initialization_ms_max", limits.initialization_ms_max),
            ("base_memory_mib_max", limits.base_memory_mib_max),
            ("concurrent_agents_min", limits.concurrent_agents_min),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(LimitsError::NotPositive {
                    path: path.to_owned(),
                    key,
                    value,
                });
            }
        }
        Ok(limits)
    }
}

/// What the bench measured.
#[derive(Debug, Clone, Copy)]
pub struct Measurements {
    /// The registration of one agent (p99).
    pub registration: Duration,
    /// The delegation of one task (p99).
    pub delegation: Duration,
    /// The start of an orchestrator (p99).
    pub initialization: Duration,
    /// The resident memory gained by one idle orchestrator, in bytes.
    pub base_memory_bytes: u64,
    /// The agents that were seen at work at the same time.
    pub concurrent_agents: usize,
}

/// Measurements held against limits.
#[derive(Debug)]
#[must_use]
pub struct Report {
    rows: [Row; 5],
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    measured: f64,
    target: f64,
    unit: &'static str,
    /// Whether less is better, or more.
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Max,
    Min,
}

impl Row {
    /// How many times better than the target: one is just met.
    fn factor(&self) -> f64 {
        match self.bound {
            Bound::Max => self.target / self.measured,
            Bound::Min => self.measured / self.target,
        }
    }

    fn passed(&self) -> bool {
        match self.bound {
            Bound::Max => self.measured <= self.target,
            Bound::Min => self.measured >= self.target,
        }
    }
}

impl Report {
    /// Holds the measurements against the limits. A limit that is just met passes.
    pub fn new(limits: &Limits, measured: &Measurements) -> Self {
        let at_most = |name, measured, target, unit| Row {
            name,
            measured,
            target,
            unit,
            bound: Bound::Max,
        };
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let mib = measured.base_memory_bytes as f64 / (1 << 20) as f64;
        Self {
            rows: [
                at_most(
                    "registration (p99)",
                    ms(measured.registration),
                    limits.registration_ms_max,
                    "ms",
                ),
                at_most(
                    "delegation (p99)",
                    ms(measured.delegation),
                    limits.delegation_ms_max,
                    "ms",
                ),
                at_most(
                    "initialization (p99)",
                    ms(measured.initialization),
                    limits.initialization_ms_max,
                    "ms",
                ),
                at_most("base memory", mib, limits.base_memory_mib_max, "MiB"),
                Row {
                    name: "concurrent agents",
                    measured: measured.concurrent_agents as f64,
                    target: limits.concurrent_agents_min,
                    unit: "",
                    bound: Bound::Min,
                },
            ],
        }
    }

    /// Tells whether every limit is met.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.rows.iter().all(Row::passed)
    }

    /// Returns success when every limit is met, else failure.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.passed() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:>14} {:>13} {:>11}  verdict",
            "name", "measured", "target", "factor"
        )?;
        for row in &self.rows {
            let (sign, verdict) = (
                if row.bound == Bound::Max {
                    "≤"
                } else {
                    "≥"
                },
                if row.passed() { "PASS" } else { "MISS" },
            );
            let digits = if row.unit == "ms" { 4 } else { 1 };
            let measured = format!("{:.digits$} {}", row.measured, row.unit);
            let target = format!("{sign} {} {}", row.target, row.unit);
            let factor = format!("{:.1}x", row.factor());
            writeln!(
                f,
                "{:<22} {measured:>14} {target:>13} {factor:>11}  {verdict}",
                row.name
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
