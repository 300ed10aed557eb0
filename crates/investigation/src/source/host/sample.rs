//! Samples of the machine over some seconds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sysinfo::{Disks, ProcessRefreshKind, ProcessesToUpdate, System};

use super::kernel::{Stalled, oom_kills, pressure, text};
use crate::logs::{LogFolder, LogSummary, clean};

/// Longest time that is sampled, in seconds.
pub const SAMPLING_SECONDS_MAX: u64 = 600;
/// Processes that are kept, of each measure the first ones.
pub const PROCESSES_KEPT: usize = 5;
/// Disks that are kept, the fullest.
const DISKS_MAX: usize = 8;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 120;

/// What to sample, and where to look.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostSampling {
    /// How long, cut to [`SAMPLING_SECONDS_MAX`].
    pub length: Duration,
    /// Time between two samples; the processor's load is a mean over it.
    pub every: Duration,
    /// The kernel's files, `/proc`.
    pub proc: PathBuf,
    /// A folder of logs that is read, `/var/log`; only its own files, no folders in it.
    pub logs: Option<PathBuf>,
}

impl Default for HostSampling {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(10),
            every: Duration::from_secs(1),
            proc: PathBuf::from("/proc"),
            logs: Some(PathBuf::from("/var/log")),
        }
    }
}

/// What was read of a machine.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HostReading {
    /// Its name.
    pub host: String,
    /// The begin of the sampling, in seconds since 1970.
    pub started_at: f64,
    /// Its end.
    pub ended_at: f64,
    /// Processors.
    pub cores: usize,
    /// Use of all processors in percent, one value a sample.
    pub cpu_percent: Vec<f64>,
    /// Use of memory in percent, one value a sample. What can be given back at once counts as free.
    pub memory_percent: Vec<f64>,
    /// Memory in bytes, of the control group if that is less.
    pub memory_bytes: u64,
    /// Use of swap in percent at the end; `None` when there is no swap.
    pub swap_percent: Option<f64>,
    /// Mean number of tasks that run or wait, over the last minute.
    pub load: f64,
    /// Share of the time in which some work waited for the processor, memory or disk, in percent.
    pub stalled_percent: BTreeMap<&'static str, f64>,
    /// The same for all work at once.
    pub stalled_fully_percent: BTreeMap<&'static str, f64>,
    /// Disks that can be written, the fullest first, at most eight.
    pub disks: Vec<DiskReading>,
    /// Processes with the largest use of processor, memory or open files, by name.
    pub processes: Vec<ProcessReading>,
    /// Processes that were killed for want of memory while sampling.
    pub oom_kills: Option<u64>,
    /// Logs of the machine.
    pub logs: Vec<LogSummary>,
    /// What could not be read, and why.
    pub unknown: Vec<(String, String)>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DiskReading {
    /// Where it is mounted.
    pub mount: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How much of it is used, in percent.
    pub used_percent: f64,
}

/// All processes of one name.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ProcessReading {
    /// The name.
    pub name: String,
    /// How many processes.
    pub count: usize,
    /// Their use of all processors together, in percent, over the sampling.
    pub cpu_percent: f64,
    /// Their resident memory in bytes.
    pub resident_bytes: u64,
    /// Their open files; `None` where that may not be read.
    pub open_files: Option<u64>,
    /// The fullest of them: open files in percent of its limit.
    pub open_files_percent: Option<f64>,
}

/// Samples this machine. It blocks for [`HostSampling::length`].
///
/// What cannot be read, for example because it needs rights, is told in [`HostReading::unknown`].
#[must_use]
pub fn sample_host(sampling: &HostSampling) -> HostReading {
    let length = sampling
        .length
        .min(Duration::from_secs(SAMPLING_SECONDS_MAX))
        .max(Duration::from_millis(1));
    let every = sampling.every.clamp(Duration::from_millis(1), length);
    let mut reading = HostReading {
        host: clean(
            &System::host_name().unwrap_or_else(|_| "localhost".to_owned()),
            NAME_BYTES_MAX,
        ),
        started_at: now(),
        ..HostReading::default()
    };
    let mut system = match System::new() {
        Ok(system) => system,
        Err(error) => {
            reading.cannot("this machine", error);
            reading.ended_at = now();
            return reading;
        }
    };
    let processes = ProcessRefreshKind::nothing().with_cpu().with_memory();
    let refresh = |system: &mut System| {
        system.refresh_cpu_usage();
        system.refresh_memory();
    };
    refresh(&mut system);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, processes);
    let before = Kernel::read(sampling, &mut reading);
    let started = Instant::now();
    let worked: BTreeMap<sysinfo::Pid, u64> = system
        .processes()
        .iter()
        .map(|(pid, process)| (*pid, process.accumulated_cpu_time()))
        .collect();
    while started.elapsed() < length {
        std::thread::sleep(every.min(length.saturating_sub(started.elapsed())));
        refresh(&mut system);
        reading
            .cpu_percent
            .push(f64::from(system.global_cpu_usage()));
        reading.memory_percent.push(memory(&system).1);
    }
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, processes);
    let seconds = started.elapsed().as_secs_f64();
    reading.cores = system.cpus().len();
    reading.memory_bytes = memory(&system).0;
    let swap = system.total_swap();
    reading.swap_percent = (swap > 0).then(|| percent(system.used_swap(), swap));
    match System::load_average() {
        Ok(load) => reading.load = load.one,
        Err(error) => reading.cannot("load", error),
    }
    Kernel::read(sampling, &mut reading).since(&before, seconds, &mut reading);
    disks(&mut reading);
    read_processes(&system, &worked, seconds, &mut reading);
    reading.ended_at = now();
    read_logs(sampling, &mut reading);
    reading
}

impl HostReading {
    fn cannot(&mut self, what: &str, why: impl std::fmt::Display) {
        let unknown = (what.to_owned(), clean(&why.to_string(), 240));
        if !self.unknown.contains(&unknown) {
            self.unknown.push(unknown);
        }
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    100.0 * part as f64 / whole as f64
}

/// Memory of the machine or of the control group, whichever is less, and its use in percent.
fn memory(system: &System) -> (u64, f64) {
    let (total, free) = match system.cgroup_limits() {
        Some(limits) if limits.total_memory < system.total_memory() => {
            (limits.total_memory, limits.free_memory)
        }
        _ => (system.total_memory(), system.available_memory()),
    };
    (total, percent(total.saturating_sub(free), total))
}

/// What the kernel counts.
#[derive(Default)]
struct Kernel {
    stalled: BTreeMap<&'static str, Stalled>,
    oom_kills: Option<u64>,
}

impl Kernel {
    fn read(sampling: &HostSampling, reading: &mut HostReading) -> Self {
        let mut kernel = Self::default();
        for resource in ["cpu", "memory", "io"] {
            let what = format!("pressure of {resource}");
            match text(&sampling.proc.join("pressure").join(resource)) {
                Ok(text) => match pressure(&text) {
                    Some(stalled) => {
                        kernel.stalled.insert(resource, stalled);
                    }
                    None => reading.cannot(&what, "the kernel's file has another form"),
                },
                Err(error) => reading.cannot(&what, error),
            }
        }
        match text(&sampling.proc.join("vmstat")) {
            Ok(text) => kernel.oom_kills = oom_kills(&text),
            Err(error) => reading.cannot("kills for want of memory", error),
        }
        kernel
    }

    fn since(&self, before: &Self, seconds: f64, reading: &mut HostReading) {
        let share = |after: u64, before: u64| {
            (after.saturating_sub(before) as f64 / 1e6 / seconds * 100.0).min(100.0)
        };
        for (resource, after) in &self.stalled {
            let Some(before) = before.stalled.get(resource) else {
                continue;
            };
            reading
                .stalled_percent
                .insert(resource, share(after.some, before.some));
            if let (Some(after), Some(before)) = (after.full, before.full) {
                reading
                    .stalled_fully_percent
                    .insert(resource, share(after, before));
            }
        }
        if let (Some(after), Some(before)) = (self.oom_kills, before.oom_kills) {
            reading.oom_kills = Some(after.saturating_sub(before));
        }
    }
}

fn disks(reading: &mut HostReading) {
    let listed = match Disks::new_with_refreshed_list() {
        Ok(listed) => listed,
        Err(error) => return reading.cannot("disks", error),
    };
    let mut disks: Vec<DiskReading> = listed
        .iter()
        // What cannot be written is as full as it shall be.
        .filter(|disk| disk.total_space() > 0 && !disk.is_read_only())
        .map(|disk| DiskReading {
            mount: clean(&disk.mount_point().to_string_lossy(), NAME_BYTES_MAX),
            bytes: disk.total_space(),
            used_percent: percent(
                disk.total_space().saturating_sub(disk.available_space()),
                disk.total_space(),
            ),
        })
        .collect();
    disks.sort_by(|a, b| a.mount.cmp(&b.mount));
    disks.dedup_by(|a, b| a.mount == b.mount);
    disks.sort_by(|a, b| b.used_percent.total_cmp(&a.used_percent));
    disks.truncate(DISKS_MAX);
    if disks.is_empty() {
        reading.cannot("disks", "none is listed");
    }
    reading.disks = disks;
}

fn read_processes(
    system: &System,
    worked: &BTreeMap<sysinfo::Pid, u64>,
    seconds: f64,
    reading: &mut HostReading,
) {
    let mut by_name: BTreeMap<String, ProcessReading> = BTreeMap::new();
    let mut hidden = 0_usize;
    let capacity_ms = seconds * 1e3 * system.cpus().len().max(1) as f64;
    for (pid, process) in system.processes() {
        // Threads are in their process already.
        if process.thread_kind().is_some() {
            continue;
        }
        let name = clean(&process.name().to_string_lossy(), NAME_BYTES_MAX);
        let known = by_name
            .entry(name.clone())
            .or_insert_with(|| ProcessReading {
                name,
                ..ProcessReading::default()
            });
        known.count += 1;
        // A process that began meanwhile has worked all of its time within the sampling.
        let before = worked.get(pid).copied().unwrap_or(0);
        let milliseconds = process.accumulated_cpu_time().saturating_sub(before);
        known.cpu_percent += 100.0 * milliseconds as f64 / capacity_ms;
        known.resident_bytes = known.resident_bytes.saturating_add(process.memory());
        match process.open_files() {
            Some(open) => {
                known.open_files = Some(known.open_files.unwrap_or(0) + open as u64);
                if let Some(limit) = process.open_files_limit().filter(|limit| *limit > 0) {
                    let used = percent(open as u64, limit as u64);
                    let fullest = known.open_files_percent.map_or(used, |own| own.max(used));
                    known.open_files_percent = Some(fullest);
                }
            }
            None => hidden += 1,
        }
    }
    if hidden > 0 {
        let why = format!("of {hidden} processes they may not be read; run it as root");
        reading.cannot("open files", why);
    }
    reading.processes = top(by_name.into_values().collect());
}

/// Of each measure the first ones.
fn top(all: Vec<ProcessReading>) -> Vec<ProcessReading> {
    let measures: [fn(&ProcessReading) -> f64; 4] = [
        |process| process.cpu_percent,
        |process| process.resident_bytes as f64,
        |process| process.open_files.unwrap_or(0) as f64,
        |process| process.open_files_percent.unwrap_or(0.0),
    ];
    let mut kept = vec![false; all.len()];
    for measure in measures {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|a, b| measure(&all[*b]).total_cmp(&measure(&all[*a])));
        for place in order.into_iter().take(PROCESSES_KEPT) {
            kept[place] |= measure(&all[place]) > 0.0;
        }
    }
    let kept = all.into_iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(process, _)| process).collect()
}

fn read_logs(sampling: &HostSampling, reading: &mut HostReading) {
    let Some(folder) = &sampling.logs else {
        return;
    };
    match LogFolder::recent(folder, reading.ended_at) {
        Ok(found) => {
            reading.logs = found.logs;
            for (node, why) in found.failed {
                reading.cannot(&format!("log {node}"), why);
            }
        }
        Err(error) => reading.cannot("logs", format!("{}: {error}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_read_and_what_is_not_there_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let sampling = HostSampling {
            length: Duration::from_millis(300),
            every: Duration::from_millis(100),
            proc: folder.path().to_owned(),
            logs: Some(folder.path().join("none")),
        };
        let reading = sample_host(&sampling);
        assert!(!reading.host.is_empty() && reading.cores > 0 && reading.memory_bytes > 0);
        assert!(!reading.cpu_percent.is_empty());
        assert_eq!(reading.cpu_percent.len(), reading.memory_percent.len());
        assert!(reading.ended_at - reading.started_at >= 0.3);
        assert!(reading.processes.len() <= 4 * PROCESSES_KEPT && !reading.processes.is_empty());
        assert_eq!(reading.oom_kills, None);
        let what: Vec<&str> = reading.unknown.iter().map(|(what, _)| &**what).collect();
        for expected in ["pressure of cpu", "kills for want of memory"] {
            assert_eq!(
                what.iter().filter(|what| **what == expected).count(),
                1,
                "{what:?}"
            );
        }
    }

    #[test]
    fn what_the_kernel_counts_is_taken_over_the_sampling() {
        let folder = tempfile::tempdir().unwrap();
        let pressure_folder = folder.path().join("pressure");
        std::fs::create_dir(&pressure_folder).unwrap();
        let write = |total: u64, kills: u64| {
            for resource in ["cpu", "memory", "io"] {
                let text = format!(
                    "some avg10=0 total={total}\nfull avg10=0 total={}\n",
                    total / 2
                );
                std::fs::write(pressure_folder.join(resource), text).unwrap();
            }
            std::fs::write(folder.path().join("vmstat"), format!("oom_kill {kills}\n")).unwrap();
        };
        let sampling = HostSampling {
            proc: folder.path().to_owned(),
            ..HostSampling::default()
        };
        let mut reading = HostReading::default();
        write(1_000_000, 2);
        let before = Kernel::read(&sampling, &mut reading);
        write(3_000_000, 5);
        Kernel::read(&sampling, &mut reading).since(&before, 10.0, &mut reading);
        assert_eq!(reading.stalled_percent["cpu"], 20.0);
        assert_eq!(reading.stalled_fully_percent["io"], 10.0);
        assert_eq!(reading.oom_kills, Some(3));
        assert_eq!(reading.unknown, []);
    }
}
