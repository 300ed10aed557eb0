//! Hosts: what a machine has used up, and who uses it.

use super::{Depth, Examine};
use crate::evidence::weights::{HOST_SATURATED, HOST_USER, LOG_CHANGED, NEUTRAL, THRESHOLD};
use crate::evidence::{Case, Category, Fact, FactKind, Findings, Source, Span};
use crate::logs::category_of;
use crate::source::host::{
    CPU_PERCENT_MAX, CPU_STALLED_PERCENT_MAX, DISK_FREE_BYTES_MIN, DISK_PERCENT_MAX,
    DISK_STALLED_PERCENT_MAX, DiskReading, FULL_PERCENT, HostReading, LOG_SECONDS,
    MEMORY_PERCENT_MAX, MEMORY_STALLED_PERCENT_MAX, OPEN_FILES_PERCENT_MAX, ProcessReading,
    SWAP_PERCENT_MAX, USER_PERCENT_MIN,
};

/// Facts of one log at most.
const FACTS_OF_LOG_MAX: usize = 3;

/// What machines have used up.
pub(super) struct Host;

impl Examine for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn capability(&self) -> &'static str {
        "investigate.host"
    }

    fn depth(&self) -> Depth {
        Depth::Wide
    }

    fn scope(&self, case: &Case) -> Vec<usize> {
        let hosts = case.incident.hosts.iter();
        let mut nodes: Vec<usize> = hosts.filter_map(|host| case.place(&host.host)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings) {
        for host in &case.incident.hosts {
            if case
                .place(&host.host)
                .is_some_and(|node| nodes.contains(&node))
            {
                let mut look = Look {
                    host,
                    facts: &mut findings.facts,
                };
                look.processor();
                look.memory();
                look.disks();
                look.processes();
                look.logs();
            }
        }
    }
}

struct Look<'a> {
    host: &'a HostReading,
    facts: &'a mut Vec<Fact>,
}

/// A value with its bound, in a unit that people read.
struct Reading {
    metric: &'static str,
    value: f64,
    bound: f64,
}

impl Look<'_> {
    fn processor(&mut self) {
        let Some(busy) = mean(&self.host.cpu_percent) else {
            return;
        };
        let stalled = self.host.stalled_percent.get("cpu").copied();
        // Where the kernel does not tell who waits, the load does: more tasks than processors.
        let waits = stalled.map_or(self.host.load > self.host.cores as f64, |stalled| {
            stalled > CPU_STALLED_PERCENT_MAX
        });
        let waiting = stalled.map_or_else(
            || {
                format!(
                    "load {:.1} on {} processors",
                    self.host.load, self.host.cores
                )
            },
            |stalled| format!("work waited for it {stalled:.0} % of the time"),
        );
        let text = format!("processors are busy to {busy:.0} %, {waiting}");
        let reading = Reading {
            metric: "cpu_utilization",
            value: busy,
            bound: CPU_PERCENT_MAX,
        };
        let saturated = busy > CPU_PERCENT_MAX && waits;
        self.resource(saturated, reading, text, |process| {
            (process.cpu_percent, "of the processors")
        });
    }

    fn memory(&mut self) {
        if let Some(used) = mean(&self.host.memory_percent) {
            let bytes = self.host.memory_bytes as f64;
            let text = format!("memory is used to {used:.0} %");
            let reading = Reading {
                metric: "memory_utilization",
                value: used,
                bound: MEMORY_PERCENT_MAX,
            };
            self.resource(used > MEMORY_PERCENT_MAX, reading, text, |process| {
                (
                    100.0 * process.resident_bytes as f64 / bytes,
                    "of the memory",
                )
            });
        }
        let thrashing = self.host.stalled_fully_percent.get("memory").copied();
        self.threshold(
            "memory_stalled",
            thrashing,
            MEMORY_STALLED_PERCENT_MAX,
            HOST_SATURATED,
            |value| format!("all work waited for memory {value:.0} % of the time"),
        );
        self.threshold(
            "swap_utilization",
            self.host.swap_percent,
            SWAP_PERCENT_MAX,
            THRESHOLD,
            |value| format!("swap is used to {value:.0} %"),
        );
        let kills = self.host.oom_kills.map(|kills| kills as f64);
        self.threshold("oom_kills", kills, 0.0, HOST_SATURATED, |value| {
            format!("{value:.0} processes were killed for want of memory while sampling")
        });
    }

    fn disks(&mut self) {
        for disk in &self.host.disks {
            let full = disk.used_percent > FULL_PERCENT
                || (disk.used_percent > DISK_PERCENT_MAX && free(disk) < DISK_FREE_BYTES_MIN);
            let text = format!(
                "{} is used to {:.1} %, {:.1} GiB are free",
                disk.mount,
                disk.used_percent,
                free(disk) / DISK_FREE_BYTES_MIN
            );
            let reading = Reading {
                metric: "disk_utilization",
                value: disk.used_percent,
                bound: DISK_PERCENT_MAX,
            };
            let weight = if full { HOST_SATURATED } else { NEUTRAL };
            self.fact(HostReading::disk_node(&disk.mount), reading, weight, text);
        }
        let stalled = self.host.stalled_fully_percent.get("io").copied();
        self.threshold(
            "disk_stalled",
            stalled,
            DISK_STALLED_PERCENT_MAX,
            HOST_SATURATED,
            |value| format!("all work waited for disks {value:.0} % of the time"),
        );
    }

    fn processes(&mut self) {
        for process in &self.host.processes {
            let Some(used) = process.open_files_percent else {
                continue;
            };
            if used > OPEN_FILES_PERCENT_MAX {
                let text = format!(
                    "{} has {used:.0} % of the files open that it may",
                    process.name
                );
                let reading = Reading {
                    metric: "open_files_utilization",
                    value: used,
                    bound: OPEN_FILES_PERCENT_MAX,
                };
                let node = HostReading::process_node(&process.name);
                self.fact(node, reading, HOST_SATURATED, text);
            }
        }
    }

    /// New and surging errors of the last minutes.
    fn logs(&mut self) {
        for log in &self.host.logs {
            let Some(changes) = log.changes(self.host.ended_at - LOG_SECONDS, None) else {
                continue;
            };
            let errors = changes
                .changes
                .iter()
                .filter(|change| change.template.level.is_some_and(|level| level.is_error()));
            for change in errors.take(FACTS_OF_LOG_MAX) {
                let template = &change.template;
                self.facts.push(Fact {
                    node: self.host.host.clone(),
                    kind: FactKind::NewLogTemplate {
                        template: template.text.clone(),
                        level: template.level,
                        lines: change.after,
                        surprise: change.surprise,
                    },
                    category: category_of(&template.sample).unwrap_or(Category::Errors),
                    weight: LOG_CHANGED,
                    at: template.first_at.map(Span::moment),
                    text: format!(
                        "{} lines in the last quarter of an hour, {} before: {}",
                        change.after, change.before, template.sample
                    ),
                    source: Source::new("log", template.location.clone()),
                });
            }
        }
    }

    /// A resource of the machine: if it is used up, whoever has half of it or more is the one to look at.
    fn resource(
        &mut self,
        saturated: bool,
        reading: Reading,
        text: String,
        share: impl Fn(&ProcessReading) -> (f64, &'static str),
    ) {
        let host = self.host.host.clone();
        if !saturated {
            return self.fact(host, reading, NEUTRAL, text);
        }
        let users = self.host.processes.iter();
        let largest = users.max_by(|a, b| share(a).0.total_cmp(&share(b).0));
        let Some(user) = largest.filter(|user| share(user).0 >= USER_PERCENT_MIN) else {
            return self.fact(host, reading, HOST_SATURATED, text);
        };
        let metric = reading.metric;
        self.fact(host, reading, THRESHOLD, text);
        let (value, of) = share(user);
        let reading = Reading {
            metric,
            value,
            bound: USER_PERCENT_MIN,
        };
        let text = format!(
            "{} ({} of them) has {value:.0} % {of}",
            user.name, user.count
        );
        self.fact(
            HostReading::process_node(&user.name),
            reading,
            HOST_USER,
            text,
        );
    }

    fn threshold(
        &mut self,
        metric: &'static str,
        value: Option<f64>,
        bound: f64,
        weight: f64,
        text: impl Fn(f64) -> String,
    ) {
        let Some(value) = value else {
            return;
        };
        let weight = if value > bound { weight } else { NEUTRAL };
        let reading = Reading {
            metric,
            value,
            bound,
        };
        self.fact(self.host.host.clone(), reading, weight, text(value));
    }

    fn fact(&mut self, node: String, reading: Reading, weight: f64, text: String) {
        self.facts.push(Fact {
            node,
            kind: FactKind::Threshold {
                metric: reading.metric.to_owned(),
                bound: reading.bound,
                value: reading.value,
            },
            category: Category::Saturation,
            weight,
            at: Some(Span {
                from: self.host.started_at,
                to: self.host.ended_at,
            }),
            text,
            source: Source::new("host", reading.metric),
        });
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn free(disk: &DiskReading) -> f64 {
    disk.bytes as f64 * (100.0 - disk.used_percent) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::host::test_reading;

    fn facts(change: impl FnOnce(&mut HostReading)) -> Vec<(String, f64)> {
        let mut reading = test_reading();
        change(&mut reading);
        let case = Case::of(reading.into_incident());
        let mut facts: Vec<(String, f64)> = Host
            .examine_all(&case)
            .facts
            .into_iter()
            .filter(|fact| fact.weight != NEUTRAL)
            .map(|fact| (fact.node, fact.weight))
            .collect();
        facts.sort_by(|a, b| a.0.cmp(&b.0));
        facts
    }

    fn one(node: &str, weight: f64) -> Vec<(String, f64)> {
        vec![(node.to_owned(), weight)]
    }

    #[test]
    fn within_its_bounds_a_machine_has_only_neutral_facts() {
        assert_eq!(facts(|_| {}), []);
        // Busy, but nobody waits.
        assert_eq!(facts(|host| host.cpu_percent = vec![99.0; 3]), []);
        // Used to 97 %, but 300 GiB are free.
        assert_eq!(facts(|host| host.disks[0].used_percent = 97.0), []);
    }

    #[test]
    fn who_uses_up_the_machine_is_named() {
        let saturated = |share: f64| {
            facts(|host| {
                host.cpu_percent = vec![99.0; 3];
                host.stalled_percent.insert("cpu", 80.0);
                host.processes[0].cpu_percent = share;
            })
        };
        assert_eq!(
            saturated(70.0),
            [
                ("box".to_owned(), THRESHOLD),
                ("process hog".to_owned(), HOST_USER)
            ]
        );
        assert_eq!(saturated(30.0), one("box", HOST_SATURATED));
    }

    #[test]
    fn a_full_disk_thrashing_and_kills_are_told() {
        assert_eq!(
            facts(|host| host.disks[0].used_percent = 99.5),
            one("disk /", HOST_SATURATED)
        );
        assert_eq!(
            facts(|host| {
                host.stalled_fully_percent.insert("memory", 30.0);
            }),
            one("box", HOST_SATURATED)
        );
        assert_eq!(
            facts(|host| host.oom_kills = Some(1)),
            one("box", HOST_SATURATED)
        );
        assert_eq!(
            facts(|host| host.processes[0].open_files_percent = Some(99.0)),
            one("process hog", HOST_SATURATED)
        );
    }
}
