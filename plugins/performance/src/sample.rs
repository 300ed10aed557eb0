//! Reads the machine, on a thread that may block.

use std::time::Duration;

use serde::Serialize;
use sysinfo::{DiskRefreshKind, Disks, Networks, ProcessRefreshKind, ProcessesToUpdate, System};

/// What was read of host and process. What a system does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct MachineReading {
    /// Use of all processors together since the sample before; the first sample has none.
    pub cpu_percent: Option<f64>,
    /// Processors.
    pub cores: usize,
    /// Memory in use.
    pub memory_used_bytes: u64,
    /// Memory in all.
    pub memory_total_bytes: u64,
    /// The share in use.
    pub memory_percent: Option<f64>,
    /// Use of the fullest disk that can be written to.
    pub disk_percent: Option<f64>,
    /// Where it is mounted.
    pub disk_mount: Option<String>,
    /// Received on all interfaces but loopback, since the machine started.
    pub network_received_bytes: u64,
    /// Sent, likewise.
    pub network_sent_bytes: u64,
    /// Received per second since the sample before.
    pub network_received_per_second: Option<f64>,
    /// Sent per second since the sample before.
    pub network_sent_per_second: Option<f64>,
    /// Load average of one minute.
    pub load_one: Option<f64>,
    /// Of five minutes.
    pub load_five: Option<f64>,
    /// Of fifteen minutes.
    pub load_fifteen: Option<f64>,
    /// This process's share of all processors since the sample before.
    pub process_cpu_percent: Option<f64>,
    /// Resident memory of this process.
    pub process_memory_bytes: Option<u64>,
    /// What this process has read from disks.
    pub process_read_bytes: Option<u64>,
    /// What it has written to disks.
    pub process_written_bytes: Option<u64>,
}

impl MachineReading {
    /// A reading in which nothing is known, for samplers that fill in what they know.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Load average of one minute, divided by the processors.
    #[must_use]
    pub fn load_per_core(&self) -> Option<f64> {
        self.load_one
            .filter(|_| self.cores > 0)
            .map(|load| load / self.cores as f64)
    }
}

/// Reads the machine. Called on a thread that may block, never twice at a time.
pub trait Sampler: Send + 'static {
    /// Reads; `elapsed` is the time since the reading before, and `None` for the first.
    fn sample(&mut self, elapsed: Option<Duration>) -> MachineReading;
}

const _: fn(&dyn Sampler) = |_| {};

/// Reads the machine that the program runs on. Kept between samples, because the use of processors is a difference.
#[derive(Debug, Default)]
pub struct SystemSampler {
    system: Option<System>,
    disks: Option<Disks>,
    networks: Option<Networks>,
    traffic: Option<(u64, u64)>,
}

impl Sampler for SystemSampler {
    fn sample(&mut self, elapsed: Option<Duration>) -> MachineReading {
        let mut reading = MachineReading::default();
        self.read_system(elapsed.is_some(), &mut reading);
        self.read_disks(&mut reading);
        self.read_networks(elapsed, &mut reading);
        if let Ok(load) = System::load_average() {
            reading.load_one = Some(load.one);
            reading.load_five = Some(load.five);
            reading.load_fifteen = Some(load.fifteen);
        }
        reading
    }
}

impl SystemSampler {
    fn read_system(&mut self, is_later: bool, reading: &mut MachineReading) {
        if self.system.is_none() {
            self.system = System::new().ok();
        }
        let Some(system) = &mut self.system else {
            return;
        };
        system.refresh_cpu_usage();
        system.refresh_memory();
        reading.cores = system.cpus().len();
        reading.cpu_percent = is_later.then(|| f64::from(system.global_cpu_usage()));
        reading.memory_used_bytes = system.used_memory();
        reading.memory_total_bytes = system.total_memory();
        reading.memory_percent = percent(system.used_memory(), system.total_memory());
        let Ok(pid) = sysinfo::get_current_pid() else {
            return;
        };
        let what = ProcessRefreshKind::nothing()
            .with_memory()
            .with_cpu()
            .with_disk_usage();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let Some(process) = system.process(pid) else {
            return;
        };
        let cores = reading.cores.max(1) as f64;
        reading.process_cpu_percent = is_later.then(|| f64::from(process.cpu_usage()) / cores);
        reading.process_memory_bytes = Some(process.memory());
        let disk = process.disk_usage();
        reading.process_read_bytes = Some(disk.total_read_bytes);
        reading.process_written_bytes = Some(disk.total_written_bytes);
    }

    fn read_disks(&mut self, reading: &mut MachineReading) {
        if self.disks.is_none() {
            self.disks = Disks::new().ok();
        }
        let Some(disks) = &mut self.disks else {
            return;
        };
        disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
        // A read-only file system is full by its nature.
        let usable = disks.iter().filter(|disk| !disk.is_read_only());
        let used = usable.filter_map(|disk| {
            let total = disk.total_space();
            let used = percent(total.saturating_sub(disk.available_space()), total)?;
            Some((used, disk.mount_point()))
        });
        if let Some((used, mount)) = used.max_by(|a, b| a.0.total_cmp(&b.0)) {
            reading.disk_percent = Some(used);
            reading.disk_mount = Some(mount.to_string_lossy().into_owned());
        }
    }

    fn read_networks(&mut self, elapsed: Option<Duration>, reading: &mut MachineReading) {
        if self.networks.is_none() {
            self.networks = Networks::new().ok();
        }
        let Some(networks) = &mut self.networks else {
            return;
        };
        networks.refresh(true);
        let outside = networks.iter().filter(|(name, _)| *name != "lo");
        let (received, sent) = outside.fold((0u64, 0u64), |(received, sent), (_, data)| {
            (
                received.saturating_add(data.total_received()),
                sent.saturating_add(data.total_transmitted()),
            )
        });
        reading.network_received_bytes = received;
        reading.network_sent_bytes = sent;
        let seconds = elapsed.map(|e| e.as_secs_f64()).filter(|s| *s > 0.0);
        if let (Some(before), Some(seconds)) = (self.traffic, seconds) {
            let rate = |now: u64, before: u64| Some(now.saturating_sub(before) as f64 / seconds);
            reading.network_received_per_second = rate(received, before.0);
            reading.network_sent_per_second = rate(sent, before.1);
        }
        self.traffic = Some((received, sent));
    }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_read() {
        let mut sampler = SystemSampler::default();
        let first = sampler.sample(None);
        assert_eq!(first.cpu_percent, None, "use is a difference");
        let second = sampler.sample(Some(Duration::from_secs(1)));
        assert!(second.cores > 0);
        assert!(second.memory_total_bytes > second.memory_used_bytes);
        assert!(second.process_memory_bytes.unwrap() > 100_000);
        let percents = [second.cpu_percent, second.memory_percent];
        for percent in percents {
            assert!((0.0..=100.0).contains(&percent.unwrap()), "{second:?}");
        }
        assert!(second.network_received_per_second.is_some());
    }
}
