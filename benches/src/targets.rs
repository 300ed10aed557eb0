//! What we aim at, measured beside it. Nothing fails here: wall time on a shared machine swings by a factor of two.

use std::fmt;

use crate::figures::Figures;

/// Where a measured value comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// Criterion's median, divided by the elements of one iteration, in nanoseconds.
    Median(&'static str, f64),
    /// Elements per second.
    Rate(&'static str, f64),
    /// The first median over the second.
    Ratio(&'static str, &'static str),
    /// What each of so many adds: the first median less the second, in nanoseconds.
    Share(&'static str, &'static str, f64),
    /// A figure that a bench without criterion has saved.
    Saved(&'static str, &'static str),
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Max(f64),
    Min(f64),
    /// Shown for comparison.
    None,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    name: &'static str,
    bench: &'static str,
    source: Source,
    bound: Bound,
    unit: &'static str,
}

const fn row(
    bench: &'static str,
    name: &'static str,
    source: Source,
    bound: Bound,
    unit: &'static str,
) -> Target {
    Target {
        name,
        bench,
        source,
        bound,
        unit,
    }
}

use Bound::{Max, Min, None as Shown};
use Source::{Median, Rate, Ratio, Saved, Share};

const DELEGATE_50: &str = "delegate_complete/ours/50";
const DELEGATE_1K: &str = "delegate_complete/ours/1000";
const DELEGATE_10K: &str = "delegate_complete/ours/10000";
const DELEGATE_100K: &str = "delegate_complete/ours/100000";
const UNIQUE: &str = "delegate_complete/unique_caps/10000";
const ROUND_ROBIN: &str = "delegate_complete/round_robin/1000";
const EXECUTE_1: &str = "execute/ours/1";
const EXECUTE_256: &str = "execute/ours/256";
const FACTORY_1: &str = "execute/ractor_factory/1";
const FACTORY_256: &str = "execute/ractor_factory/256";
const NO_HOOKS: &str = "hooks/none";
const UNINTERESTED: &str = "hooks/uninterested_8";
const INTERESTED: &str = "hooks/interested_8_sync_noop";
const FAN_OUT: &str = "fan_out_5/ours_parallel";

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    row("dispatch", DELEGATE_50, Median(DELEGATE_50, 1.0), Max(400.0), "ns"),
    row("dispatch", DELEGATE_1K, Median(DELEGATE_1K, 1.0), Shown, "ns"),
    row("dispatch", DELEGATE_10K, Median(DELEGATE_10K, 1.0), Shown, "ns"),
    row("dispatch", DELEGATE_100K, Median(DELEGATE_100K, 1.0), Shown, "ns"),
    row("dispatch", "delegate_complete, 100,000 over 1,000 agents", Ratio(DELEGATE_100K, DELEGATE_1K), Max(1.6), "x"),
    row("dispatch", UNIQUE, Median(UNIQUE, 1.0), Shown, "ns"),
    row("dispatch", ROUND_ROBIN, Median(ROUND_ROBIN, 1.0), Shown, "ns"),
    row("dispatch", "delegate_complete/floor_map/50", Median("delegate_complete/floor_map/50", 1.0), Shown, "ns"),
    row("dispatch", EXECUTE_1, Median(EXECUTE_1, 1.0), Max(1_000.0), "ns"),
    row("dispatch", EXECUTE_256, Median(EXECUTE_256, 1.0), Max(700.0), "ns"),
    row("dispatch", "execute/1, ractor_factory over ours", Ratio(FACTORY_1, EXECUTE_1), Min(2.0), "x"),
    row("dispatch", "execute/256, ractor_factory over ours", Ratio(FACTORY_256, EXECUTE_256), Min(2.0), "x"),
    row("dispatch", "execute/tokio_spawn/1", Median("execute/tokio_spawn/1", 1.0), Shown, "ns"),
    row("dispatch", "execute/tokio_spawn/256", Median("execute/tokio_spawn/256", 1.0), Shown, "ns"),
    row("dispatch", "execute/mpsc_floor/1", Median("execute/mpsc_floor/1", 1.0), Shown, "ns"),
    row("dispatch", "execute/mpsc_floor/256", Median("execute/mpsc_floor/256", 1.0), Shown, "ns"),
    row("dispatch", FACTORY_1, Median(FACTORY_1, 1.0), Shown, "ns"),
    row("dispatch", FACTORY_256, Median(FACTORY_256, 1.0), Shown, "ns"),
    row("dispatch", "execute/kameo_pool/1", Median("execute/kameo_pool/1", 1.0), Shown, "ns"),
    row("dispatch", "execute/kameo_pool/256", Median("execute/kameo_pool/256", 1.0), Shown, "ns"),
    row("dispatch", "execute/tower_balance/1", Median("execute/tower_balance/1", 1.0), Shown, "ns"),
    row("dispatch", "execute/tower_balance/256", Median("execute/tower_balance/256", 1.0), Shown, "ns"),
    row("dispatch", "execute/apalis_memory/1", Median("execute/apalis_memory/1", 1.0), Shown, "ns"),
    row("dispatch", "execute/apalis_memory/256", Median("execute/apalis_memory/256", 1.0), Shown, "ns"),
    row("latency", "latency/ours, p99 at half of peak", Saved("latency", "ours_p99_us"), Max(50.0), "µs"),
    row("latency", "latency/ours, max at half of peak", Saved("latency", "ours_max_us"), Shown, "µs"),
    row("registry", "register/ours/10, each", Median("register/ours/10", 10.0), Max(1_500.0), "ns"),
    row("registry", "register/ours/100000, each", Median("register/ours/100000", 1e5), Max(1_500.0), "ns"),
    row("registry", "register/ours_deregister/10, each", Median("register/ours_deregister/10", 10.0), Max(1_500.0), "ns"),
    row("registry", "register/ours_deregister/100000, each", Median("register/ours_deregister/100000", 1e5), Max(1_500.0), "ns"),
    row("registry", "register/plain_struct/10, each", Median("register/plain_struct/10", 10.0), Shown, "ns"),
    row("registry", "register/plain_struct/100000, each", Median("register/plain_struct/100000", 1e5), Shown, "ns"),
    row("queue", "submit_drain/ours", Rate("submit_drain/ours", 1e5), Min(1e6), "tasks/s"),
    row("queue", "submit_drain/ractor_factory_priority", Rate("submit_drain/ractor_factory_priority", 1e5), Shown, "tasks/s"),
    row("hooks", NO_HOOKS, Median(NO_HOOKS, 1.0), Shown, "ns"),
    row("hooks", "hooks, one uninterested plugin", Share(UNINTERESTED, NO_HOOKS, 8.0), Max(5.0), "ns"),
    row("hooks", "hooks, one interested plugin", Share(INTERESTED, NO_HOOKS, 8.0), Shown, "ns"),
    row("status", "status/ours/50", Median("status/ours/50", 1.0), Max(20_000.0), "ns"),
    row("status", "status/ours/100000", Median("status/ours/100000", 1.0), Max(20_000.0), "ns"),
    row("status", "startup/ours", Median("startup/ours", 1.0), Max(2e6), "ns"),
    row("memory", "memory/ours_idle", Saved("memory", "ours_idle"), Max(8e6), "B"),
    row("memory", "memory/ours, each agent of 100,000", Saved("memory", "ours"), Max(600.0), "B"),
    row("memory", "memory/ours_queued, each task of 1,000,000", Saved("memory", "ours_queued"), Max(400.0), "B"),
    row("memory", "memory/plain_struct, each agent", Saved("memory", "plain_struct"), Shown, "B"),
    row("memory", "memory/ractor_factory, each agent", Saved("memory", "ractor_factory"), Shown, "B"),
    row("patterns", FAN_OUT, Median(FAN_OUT, 1.0), Max(8_000.0), "ns"),
    row("patterns", "fan_out_5/ours_sequential", Median("fan_out_5/ours_sequential", 1.0), Shown, "ns"),
    row("patterns", "fan_out_5/joinset_floor", Median("fan_out_5/joinset_floor", 1.0), Shown, "ns"),
    row("patterns", "fan_out_5, graph_flow over ours_parallel", Ratio("fan_out_5/graph_flow", FAN_OUT), Min(2.0), "x"),
    row("patterns", "fan_out_5, adk_graph over ours_parallel", Ratio("fan_out_5/adk_graph", FAN_OUT), Min(2.0), "x"),
    row("patterns", "facade_call/ours", Median("facade_call/ours", 1.0), Max(1_000.0), "ns"),
    row("patterns", "workflow_1000/ours", Median("workflow_1000/ours", 1.0), Max(3e6), "ns"),
    row("budget", "budget/ours/1", Rate("budget/ours/1", 1.0), Shown, "pairs/s"),
    row("budget", "budget/ours/2", Rate("budget/ours/2", 1.0), Min(5e6), "pairs/s"),
    row("budget", "budget/ours/8", Rate("budget/ours/8", 1.0), Min(5e6), "pairs/s"),
    row("investigation", "investigation/petshop/files", Median("investigation/petshop_files", 1.0), Max(30e6), "ns"),
    row("investigation", "investigation/petshop/parsed", Median("investigation/petshop_parsed", 1.0), Max(2e6), "ns"),
    row("investigation", "investigation/large", Median("investigation/large", 1.0), Max(1e9), "ns"),
    row("instructions", "instructions/execute", Saved("instructions", "execute"), Max(6_000.0), ""),
    row("instructions", "instructions/delegate_complete", Saved("instructions", "delegate_complete"), Max(2_500.0), ""),
    row("instructions", "instructions/delegate_complete_1000", Saved("instructions", "delegate_complete_1000"), Shown, ""),
];

impl Target {
    fn measured(&self, figures: &Figures) -> Option<f64> {
        Some(match self.source {
            Median(id, elements) => figures.median(id)? / elements,
            Rate(id, elements) => elements * 1e9 / figures.median(id)?,
            Ratio(over, under) => figures.median(over)? / figures.median(under)?,
            Share(with, without, count) => {
                (figures.median(with)? - figures.median(without)?) / count
            }
            Saved(bench, name) => figures.saved(bench, name)?,
        })
    }

    fn target(&self) -> String {
        match self.bound {
            Max(limit) => format!("≤ {}", shown(limit, self.unit)),
            Min(limit) => format!("≥ {}", shown(limit, self.unit)),
            Shown => String::new(),
        }
    }

    fn verdict(&self, measured: f64) -> &'static str {
        let met = match self.bound {
            Max(limit) => measured <= limit,
            Min(limit) => measured >= limit,
            Shown => return "",
        };
        if met { "PASS" } else { "MISS" }
    }
}

/// A number that can be read: two decimals when it is small, thousands apart when it is large.
fn shown(value: f64, unit: &str) -> String {
    let number = if value.abs() < 100.0 && value.fract() != 0.0 {
        format!("{value:.2}")
    } else {
        let digits = format!("{:.0}", value.abs());
        let mut grouped = String::from(if value < 0.0 { "-" } else { "" });
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    };
    format!("{number} {unit}").trim_end().to_owned()
}

/// The targets of which the last run has measured something.
#[derive(Debug)]
pub struct Table {
    rows: Vec<(Target, f64)>,
}

impl Table {
    /// Looks all targets up; those that were not measured are left out.
    #[must_use]
    pub fn new(figures: &Figures) -> Self {
        let found = |target: &Target| Some((*target, target.measured(figures)?));
        Self {
            rows: TARGETS.iter().filter_map(found).collect(),
        }
    }

    /// The table as markdown, with the command of each figure.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text =
            String::from("| what | measured | target | | command |\n|---|---:|---:|---|---|\n");
        for (target, measured) in &self.rows {
            text += &format!(
                "| {} | {} | {} | {} | `cargo bench --bench {}` |\n",
                target.name,
                shown(*measured, target.unit),
                target.target(),
                target.verdict(*measured),
                target.bench
            );
        }
        text
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<46} {:>18} {:>20}", "what", "measured", "target")?;
        for (target, measured) in &self.rows {
            writeln!(
                f,
                "{:<46} {:>18} {:>20}  {}",
                target.name,
                shown(*measured, target.unit),
                target.target(),
                target.verdict(*measured)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_measured_is_shown_beside_its_target() {
        let directory = std::env::temp_dir().join(format!("uo-targets-{}", std::process::id()));
        let estimates = |id: &str, ns: f64| {
            let new = directory.join(id).join("new");
            fs::create_dir_all(&new).expect("a directory for temporary files");
            let text = format!("{{\"median\":{{\"point_estimate\":{ns}}}}}");
            fs::write(new.join("estimates.json"), text).expect("it can be written");
        };
        estimates(DELEGATE_1K, 300.0);
        estimates(DELEGATE_100K, 510.0);
        estimates(DELEGATE_50, 399.5);
        estimates("submit_drain/ours", 5e7);
        let saved = directory.join("uo-figures");
        fs::create_dir_all(&saved).expect("a directory for temporary files");
        fs::write(saved.join("memory.toml"), "ours = 512.0\n").expect("it can be written");
        let table = Table::new(&Figures::of(directory.clone())).markdown();
        fs::remove_dir_all(directory).expect("it was written");
        for line in [
            "| delegate_complete/ours/50 | 400 ns | ≤ 400 ns | PASS | `cargo bench --bench dispatch` |",
            "| delegate_complete, 100,000 over 1,000 agents | 1.70 x | ≤ 1.60 x | MISS |",
            "| submit_drain/ours | 2,000,000 tasks/s | ≥ 1,000,000 tasks/s | PASS |",
            "| memory/ours, each agent of 100,000 | 512 B | ≤ 600 B | PASS |",
        ] {
            assert!(table.contains(line), "{line} in\n{table}");
        }
        assert_eq!(table.lines().count(), 2 + 6, "nothing else was measured");
    }
}
