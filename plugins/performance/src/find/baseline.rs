//! Figures that were saved, and what became worse since.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::PerformanceConfig;
use crate::snapshot::{Figures, Latency, OTHER, PerformanceSnapshot};

/// The form of the file.
const VERSION: u32 = 1;
/// A difference below this is noise of the clock, whatever its share.
const NOISE_MS: f64 = 0.01;

/// Why a baseline was not saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The file could not be read or written. What was there before is unchanged.
    #[error("baseline {path:?}: {source}; check path, permissions and free space")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no baseline.
    #[error("baseline {path:?} is not one ({source}): save it again, or remove it")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The file has another form.
    #[error("baseline {path:?} has version {version}, known is {VERSION}: save it again")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// There is nothing to save.
    #[error(
        "only {ended} tasks ended in the window, a baseline needs judged_from ({needed}): save it under load"
    )]
    TooLittle {
        /// Tasks that ended.
        ended: u64,
        /// How many it needs.
        needed: u64,
    },
}

/// Figures of a good time, to compare with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Baseline {
    version: u32,
    /// When it was saved, in milliseconds since 1970-01-01 UTC.
    pub saved_ms: u64,
    /// Time of registrations.
    pub registration: Latency,
    /// Time of `delegate_task` calls.
    pub delegation: Latency,
    /// All tasks together.
    pub overall: Figures,
    /// By task type.
    pub task_types: BTreeMap<String, Figures>,
}

/// Something that became worse.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Regression {
    /// Of what: `all` or a task type.
    pub of: String,
    /// The figure.
    pub figure: &'static str,
    /// What it was.
    pub baseline: f64,
    /// What it is.
    pub now: f64,
    /// The difference in percent of the baseline; for error rates in percentage points.
    pub worse_by: f64,
}

impl Baseline {
    /// The figures of a snapshot.
    ///
    /// # Errors
    /// [`BaselineError::TooLittle`] when fewer tasks ended than figures are judged from.
    pub fn of(snapshot: &PerformanceSnapshot) -> Result<Self, BaselineError> {
        let (ended, needed) = (snapshot.overall.ended(), snapshot.judged_from);
        if ended < needed {
            return Err(BaselineError::TooLittle { ended, needed });
        }
        let rows = snapshot.task_types.iter().filter(|row| row.name != OTHER);
        Ok(Self {
            version: VERSION,
            saved_ms: snapshot.timestamp_ms,
            registration: snapshot.registration,
            delegation: snapshot.delegation,
            overall: snapshot.overall,
            task_types: rows.map(|row| (row.name.clone(), row.figures)).collect(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`BaselineError`].
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let text = std::fs::read(path).map_err(|source| BaselineError::File {
            path: path.to_owned(),
            source,
        })?;
        let loaded: Self =
            serde_json::from_slice(&text).map_err(|source| BaselineError::Format {
                path: path.to_owned(),
                source,
            })?;
        match loaded.version {
            VERSION => Ok(loaded),
            version => Err(BaselineError::Version {
                path: path.to_owned(),
                version,
            }),
        }
    }

    /// Writes a file beside the old one, then puts it in its place: a full disk leaves the old one as it is.
    ///
    /// # Errors
    /// [`BaselineError::File`].
    pub fn save(&self, path: &Path) -> Result<(), BaselineError> {
        self.write(path).map_err(|source| BaselineError::File {
            path: path.to_owned(),
            source,
        })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// What is worse in a snapshot, by the thresholds of the section. Both sides need `judged_from` measurements.
    #[must_use]
    pub fn compare(
        &self,
        snapshot: &PerformanceSnapshot,
        config: &PerformanceConfig,
    ) -> Vec<Regression> {
        let mut found = Vec::new();
        let mut latency = |of: &str, figure, before: &Latency, now: &Latency, p| {
            let enough = before.count.min(now.count) >= config.judged_from;
            found.extend(slower(of, figure, before, now, p, config).filter(|_| enough));
        };
        let (p50, p95): (Percentile, Percentile) = (|l| l.p50_ms, |l| l.p95_ms);
        let (now, all) = (snapshot, "all");
        latency(
            all,
            "registration_p95_ms",
            &self.registration,
            &now.registration,
            p95,
        );
        latency(
            all,
            "delegation_p95_ms",
            &self.delegation,
            &now.delegation,
            p95,
        );
        let mut pairs = vec![(all, &self.overall, &now.overall)];
        pairs.extend(now.task_types.iter().filter_map(|row| {
            let before = self.task_types.get(&row.name)?;
            Some((row.name.as_str(), before, &row.figures))
        }));
        for (of, before, now) in &pairs {
            let execution = (&before.execution, &now.execution);
            latency(of, "execution_p50_ms", execution.0, execution.1, p50);
            latency(of, "execution_p95_ms", execution.0, execution.1, p95);
            latency(
                of,
                "queue_wait_p95_ms",
                &before.queue_wait,
                &now.queue_wait,
                p95,
            );
        }
        for (of, before, now) in pairs {
            let enough = before.ended().min(now.ended()) >= config.judged_from;
            if let (Some(was), Some(is), true) =
                (before.error_rate_percent, now.error_rate_percent, enough)
                && is - was > config.regression_error_points
            {
                found.push(Regression {
                    of: of.to_owned(),
                    figure: "error_rate_percent",
                    baseline: was,
                    now: is,
                    worse_by: is - was,
                });
            }
        }
        found
    }
}

type Percentile = fn(&Latency) -> f64;

fn slower(
    of: &str,
    figure: &'static str,
    before: &Latency,
    now: &Latency,
    percentile: Percentile,
    config: &PerformanceConfig,
) -> impl Iterator<Item = Regression> {
    let (was, is) = (percentile(before), percentile(now));
    let worse_by = (is - was) * 100.0 / was.max(NOISE_MS);
    let worse = is - was > NOISE_MS && worse_by > config.regression_percent;
    worse
        .then(|| Regression {
            of: of.to_owned(),
            figure,
            baseline: was,
            now: is,
            worse_by,
        })
        .into_iter()
}
