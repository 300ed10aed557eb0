//! This machine, live: samples of some seconds, and what the kernel counted meanwhile.

mod kernel;
mod sample;

pub use sample::{
    DiskReading, HostReading, HostSampling, PROCESSES_KEPT, ProcessReading, SAMPLING_SECONDS_MAX,
    sample_host,
};
