//! Beyond which bounds a machine is in trouble.

/// The processor is saturated above this use, in percent, if work waits for it as well.
pub const CPU_PERCENT_MAX: f64 = 95.0;
/// Share of the time in which some work waits for the processor, in percent, above which a busy processor is too small.
pub const CPU_STALLED_PERCENT_MAX: f64 = 20.0;
/// Memory is used up above this, in percent.
pub const MEMORY_PERCENT_MAX: f64 = 95.0;
/// Share of the time in which all work waits for memory, in percent: above it the machine does nothing else (thrashing).
pub const MEMORY_STALLED_PERCENT_MAX: f64 = 10.0;
/// Swap is used up above this, in percent.
pub const SWAP_PERCENT_MAX: f64 = 90.0;
/// A disk is full above this, in percent, if little is free as well.
pub const DISK_PERCENT_MAX: f64 = 95.0;
/// Little: one gibibyte.
pub const DISK_FREE_BYTES_MIN: f64 = (1_u64 << 30) as f64;
/// A disk is full above this, in percent, however large it is.
pub const FULL_PERCENT: f64 = 99.0;
/// Share of the time in which all work waits for the disk, in percent.
pub const DISK_STALLED_PERCENT_MAX: f64 = 25.0;
/// Open files of a process in percent of its limit.
pub const OPEN_FILES_PERCENT_MAX: f64 = 95.0;
/// A process that uses as much of the machine's resource, in percent, is the one to look at.
pub const USER_PERCENT_MIN: f64 = 50.0;
/// Errors of a log are looked at when they are at most so old, in seconds: a quarter of an hour.
pub const LOG_SECONDS: f64 = 900.0;
