//! Where the benches leave their figures, and how the last of them finds them.
//!
//! Criterion writes an `estimates.json` per bench. Those benches that have a `main` of their own write beside them one TOML
//! file each, in the directory `uo-figures`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A figure that is older belongs to an earlier run and is not read.
const AGE_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// Returns criterion's directory, which it chooses in the same way.
///
/// # Panics
///
/// Panics when the program does not know its own path.
#[must_use]
pub fn directory() -> PathBuf {
    if let Some(home) = std::env::var_os("CRITERION_HOME") {
        return home.into();
    }
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        return Path::new(&target).join("criterion");
    }
    let program = std::env::current_exe().expect("a bench knows its own path");
    // <target directory>/[<triple>/]<profile>/deps/<program>
    let above = program.ancestors().map(|above| above.join("criterion"));
    above
        .into_iter()
        .find(|candidate| candidate.is_dir())
        .unwrap_or_else(|| Path::new("target").join("criterion"))
}

/// Keeps what a bench without criterion has measured.
///
/// # Panics
///
/// Panics when the directory cannot be written.
pub fn save(bench: &str, figures: &BTreeMap<String, f64>) {
    let directory = directory().join("uo-figures");
    fs::create_dir_all(&directory).expect("the target directory can be written");
    let text = toml::to_string(figures).expect("numbers can be written");
    fs::write(directory.join(bench).with_extension("toml"), text)
        .expect("the target directory can be written");
}

/// All figures of one run.
#[derive(Debug, Clone)]
pub struct Figures {
    directory: PathBuf,
}

impl Figures {
    /// Those in criterion's directory.
    #[must_use]
    pub fn of_the_last_run() -> Self {
        Self {
            directory: directory(),
        }
    }

    /// Those in another directory.
    #[must_use]
    pub const fn of(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Returns criterion's median of a bench in nanoseconds; none when it was not run.
    #[must_use]
    pub fn median(&self, id: &str) -> Option<f64> {
        let text = read_fresh(&self.directory.join(id).join("new/estimates.json"))?;
        let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
        estimates.get("median")?.get("point_estimate")?.as_f64()
    }

    /// Returns a figure that [`save`] kept.
    #[must_use]
    pub fn saved(&self, bench: &str, name: &str) -> Option<f64> {
        let file = self.directory.join("uo-figures").join(bench);
        let text = read_fresh(&file.with_extension("toml"))?;
        let figures: BTreeMap<String, f64> = toml::from_str(&text).ok()?;
        figures.get(name).copied()
    }
}

/// A file that is missing, or too old, was not written by this run.
fn read_fresh(file: &Path) -> Option<String> {
    let age = fs::metadata(file).ok()?.modified().ok()?.elapsed().ok()?;
    (age <= AGE_MAX).then(|| fs::read_to_string(file).ok())?
}
