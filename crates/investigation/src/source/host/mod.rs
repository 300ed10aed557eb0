//! This machine, live: samples of some seconds, and what the kernel counted meanwhile.

mod bounds;
mod kernel;
mod sample;

pub use bounds::{
    CPU_PERCENT_MAX, CPU_STALLED_PERCENT_MAX, DISK_FREE_BYTES_MIN, DISK_PERCENT_MAX,
    DISK_STALLED_PERCENT_MAX, FULL_PERCENT, LOG_SECONDS, MEMORY_PERCENT_MAX,
    MEMORY_STALLED_PERCENT_MAX, OPEN_FILES_PERCENT_MAX, SWAP_PERCENT_MAX, USER_PERCENT_MIN,
};
pub use sample::{
    DiskReading, HostReading, HostSampling, PROCESSES_KEPT, ProcessReading, SAMPLING_SECONDS_MAX,
    sample_host,
};

use crate::evidence::Unknown;
use crate::graph::CallGraph;
use crate::incident::{Gathered, Incident};

impl HostReading {
    /// How a process is named among the nodes of an incident.
    #[must_use]
    pub fn process_node(name: &str) -> String {
        format!("process {name}")
    }

    /// How a disk is named among the nodes of an incident.
    #[must_use]
    pub fn disk_node(mount: &str) -> String {
        format!("disk {mount}")
    }

    /// An incident in which nobody complained: the machine with its processes and disks as nodes.
    #[must_use]
    pub fn into_incident(self) -> Incident {
        let mut calls = CallGraph::new();
        calls.add_node(&self.host);
        let processes = self.processes.iter();
        for node in processes
            .map(|process| Self::process_node(&process.name))
            .chain(self.disks.iter().map(|disk| Self::disk_node(&disk.mount)))
        {
            calls.add_call(&self.host, &node);
        }
        let unknown = self.unknown.iter().map(|(what, reason)| Unknown {
            node: self.host.clone(),
            what: what.clone(),
            reason: reason.clone(),
        });
        let gathered = Gathered {
            calls,
            unknown: unknown.collect(),
            hosts: vec![self],
            ..Gathered::default()
        };
        Incident {
            check_up: true,
            ..Incident::of(None, [gathered])
        }
    }
}

/// A machine that is well.
#[cfg(test)]
pub(crate) fn test_reading() -> HostReading {
    HostReading {
        host: "box".to_owned(),
        started_at: 1_795_293_000.0,
        ended_at: 1_795_293_010.0,
        cores: 2,
        cpu_percent: vec![20.0; 3],
        memory_percent: vec![40.0; 3],
        memory_bytes: 8 << 30,
        swap_percent: Some(0.0),
        load: 0.5,
        stalled_percent: [("cpu", 1.0), ("memory", 0.0), ("io", 0.0)].into(),
        stalled_fully_percent: [("memory", 0.0), ("io", 0.0)].into(),
        disks: vec![DiskReading {
            mount: "/".to_owned(),
            bytes: 10 << 40,
            used_percent: 40.0,
        }],
        processes: vec![ProcessReading {
            name: "hog".to_owned(),
            count: 3,
            cpu_percent: 10.0,
            resident_bytes: 1 << 30,
            open_files: Some(100),
            open_files_percent: Some(10.0),
        }],
        oom_kills: Some(0),
        ..HostReading::default()
    }
}
