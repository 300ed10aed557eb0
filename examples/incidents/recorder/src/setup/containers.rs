//! A limit of processor time for each node, through the cpu and cpuacct controllers of cgroup version 1.
//!
//! The limits make a node slow by itself instead of the whole machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::role::{POSTGRES, Role};

const CPU: &str = "/sys/fs/cgroup/cpu";
const ACCOUNTING: &str = "/sys/fs/cgroup/cpuacct";
/// Length of the period that a limit is for, in microseconds.
const PERIOD_US: u64 = 100_000;
/// Weight against everything else on the machine; the usual is 1,024. Other work should not show in the recordings.
const SHARES: u64 = 65_536;

/// Cores that each process may use.
pub(crate) const CPU_CORES: f64 = 0.3;
/// Cores that the database may use.
const DATABASE_CORES: f64 = 0.5;
/// Bytes of data that each process may have; what asks for more aborts.
const DATA_BYTES: u64 = 128 << 20;

/// The groups of one set-up. The recorder itself, and so the customers, is in the group around them.
#[derive(Debug)]
pub(super) struct Containers {
    name: String,
    /// The group that the recorder came from.
    home: PathBuf,
}

impl Containers {
    /// Makes a group for each node.
    pub(super) fn new(base_port: u16) -> Result<Self> {
        let made = Self {
            name: format!("incident-recorder-{base_port}"),
            home: own_group()?,
        };
        for controller in [CPU, ACCOUNTING] {
            let parent = Path::new(controller).join(&made.name);
            for folder in std::iter::once(parent.clone())
                .chain(Self::nodes().map(|(node, _)| parent.join(node)))
            {
                fs::create_dir_all(&folder).with_context(|| {
                    format!(
                        "failed to make the group {}; it takes root and cgroup version 1",
                        folder.display()
                    )
                })?;
            }
        }
        let write = |file: PathBuf, value: u64| {
            fs::write(&file, value.to_string())
                .with_context(|| format!("failed to write {}", file.display()))
        };
        let parent = Path::new(CPU).join(&made.name);
        write(parent.join("cpu.shares"), SHARES)?;
        for (node, cores) in Self::nodes() {
            write(parent.join(node).join("cpu.cfs_period_us"), PERIOD_US)?;
            let quota = (cores * PERIOD_US as f64) as u64;
            write(parent.join(node).join("cpu.cfs_quota_us"), quota)?;
        }
        write(parent.join("cgroup.procs"), std::process::id().into())?;
        Ok(made)
    }

    /// The nodes, and how many cores each may use.
    pub(super) fn nodes() -> impl Iterator<Item = (&'static str, f64)> {
        Role::ALL
            .into_iter()
            .map(|role| (role.name(), CPU_CORES))
            .chain([(POSTGRES, DATABASE_CORES)])
    }

    /// Bytes that a node may have, where there is a limit.
    pub(super) fn memory_limit(node: &str) -> Option<u64> {
        (node != POSTGRES).then_some(DATA_BYTES)
    }

    /// A command that joins the node's groups and then becomes `program`.
    pub(super) fn command(&self, node: &str, program: &Path) -> Command {
        let mut command = Command::new("sh");
        let join: String = [CPU, ACCOUNTING]
            .map(|controller| {
                format!(
                    "echo $$ > {controller}/{}/{node}/cgroup.procs && ",
                    self.name
                )
            })
            .concat();
        let limit = match Self::memory_limit(node) {
            Some(bytes) => format!("prlimit --data={bytes} -- "),
            None => String::new(),
        };
        command
            .arg("-c")
            .arg(format!("{join}exec {limit}\"$0\" \"$@\""))
            .arg(program)
            .kill_on_drop(true);
        command
    }

    /// Nanoseconds of processor time that the node used.
    pub(super) fn cpu_nanoseconds(&self, node: &str) -> Result<u64> {
        let file = self.group(ACCOUNTING, node).join("cpuacct.usage");
        let text = fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        text.trim()
            .parse()
            .with_context(|| format!("{} holds {text:?}", file.display()))
    }

    /// Bytes of memory of the node's processes, with shared pages in equal parts. Processes that ended meanwhile have none.
    pub(super) fn memory_bytes(&self, node: &str) -> Result<u64> {
        let file = self.group(CPU, node).join("cgroup.procs");
        let text = fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        let pids = text.lines().filter_map(|line| line.parse().ok());
        let sizes = pids.filter_map(|pid| {
            let rollup = procfs::process::Process::new(pid)
                .ok()?
                .smaps_rollup()
                .ok()?;
            let maps = rollup.memory_map_rollup.into_iter();
            Some(
                maps.filter_map(|map| map.extension.map.get("Pss").copied())
                    .sum::<u64>(),
            )
        });
        Ok(sizes.sum())
    }

    fn group(&self, controller: &str, node: &str) -> PathBuf {
        Path::new(controller).join(&self.name).join(node)
    }
}

/// The group of the cpu controller in which this process is.
fn own_group() -> Result<PathBuf> {
    let groups = procfs::process::Process::myself()
        .and_then(|own| own.cgroups())
        .context("failed to read /proc/self/cgroup")?;
    let group = groups
        .into_iter()
        .find(|group| group.controllers.iter().any(|name| name == "cpu"))
        .context("this process is in no group of the cpu controller; it takes cgroup version 1")?;
    Ok(Path::new(CPU).join(group.pathname.trim_start_matches('/')))
}

impl Drop for Containers {
    /// Removes the groups. One that still has a process stays, which harms nobody.
    fn drop(&mut self) {
        let own = std::process::id().to_string();
        let _ = fs::write(self.home.join("cgroup.procs"), own);
        for controller in [CPU, ACCOUNTING] {
            for (node, _) in Self::nodes() {
                let _ = fs::remove_dir(self.group(controller, node));
            }
            let _ = fs::remove_dir(Path::new(controller).join(&self.name));
        }
    }
}
