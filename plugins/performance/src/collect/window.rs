//! The last slots of each series, and the figures over them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::collect::{Batch, Dimension, Harvest, Observations, Tally};
use crate::snapshot::{Figures, Latency, OTHER, Row};
use universal_orchestrator::{AgentId, Capability, TaskType};

/// Values of a histogram that occurred, with how often.
type Recorded = Vec<(u64, u32)>;

fn recorded(histogram: &Histogram<u32>) -> Recorded {
    histogram
        .iter_recorded()
        .map(|one| (one.value_iterated_to(), one.count_at_value()))
        .collect()
}

/// What happened to one series in one interval.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    pub(crate) tally: Tally,
    pub(crate) execution: Recorded,
    pub(crate) queue_wait: Recorded,
}

impl Slot {
    fn of(batch: &Batch) -> Self {
        let mut queue_wait = recorded(&batch.queue_wait);
        if batch.tally.direct > 0 {
            let direct = u32::try_from(batch.tally.direct).unwrap_or(u32::MAX);
            queue_wait.insert(0, (0, direct));
        }
        Self {
            tally: batch.tally,
            execution: recorded(&batch.execution),
            queue_wait,
        }
    }
}

/// The key of a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SeriesKey {
    Agent(AgentId),
    TaskType(TaskType),
    Capability(Capability),
    Other(Dimension),
}

impl SeriesKey {
    const fn dimension(&self) -> Dimension {
        match self {
            Self::Agent(_) => Dimension::Agent,
            Self::TaskType(_) => Dimension::TaskType,
            Self::Capability(_) => Dimension::Capability,
            Self::Other(dimension) => *dimension,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Agent(id) => id.as_str(),
            Self::TaskType(name) => name.as_str(),
            Self::Capability(name) => name.as_str(),
            Self::Other(_) => OTHER,
        }
    }

    fn forget_in(&self, observations: &Observations) {
        match self {
            Self::Agent(id) => observations.forget_agent(id),
            Self::TaskType(name) => observations.forget_task_type(name),
            Self::Capability(name) => observations.forget_capability(name),
            Self::Other(_) => {}
        }
    }
}

/// The flow of tasks that require a capability.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct CapabilityFlow {
    pub(crate) bound: u64,
    pub(crate) ended: u64,
    pub(crate) mean_wait: f64,
    pub(crate) wait_p95_ms: f64,
    pub(crate) mean_run: f64,
    /// Seconds by which the mean wait grew per second, between the halves of the window.
    pub(crate) wait_growth: f64,
}

/// A slot of all series.
#[derive(Debug, Default)]
struct Interval {
    series: BTreeMap<SeriesKey, Slot>,
    registration: Recorded,
    delegation: Recorded,
    covers: Duration,
}

/// The slots of the window.
#[derive(Debug)]
pub(crate) struct Windows {
    intervals: VecDeque<Interval>,
    slots: usize,
    spares: Vec<Batch>,
    scratch: Histogram<u64>,
}

impl Windows {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            intervals: VecDeque::with_capacity(slots),
            slots,
            spares: Vec::new(),
            scratch: Histogram::new_from(&crate::collect::empty_histogram()),
        }
    }

    /// Takes what hooks have written as the slot of an interval; returns the number of untracked observations so far.
    pub(crate) fn advance(
        &mut self,
        observations: &Observations,
        covers: Duration,
        mut each: impl FnMut(&SeriesKey, &Slot),
    ) -> u64 {
        let harvest = observations.take(|| self.spares.pop().unwrap_or_else(Batch::empty));
        let Harvest {
            registration,
            delegation,
            agents,
            task_types,
            capabilities,
            untracked,
        } = harvest;
        let mut interval = Interval {
            registration: recorded(&registration),
            delegation: recorded(&delegation),
            covers,
            ..Interval::default()
        };
        let other = |dimension| move || SeriesKey::Other(dimension);
        let agents = agents
            .into_iter()
            .map(|(k, b)| (k.map_or_else(other(Dimension::Agent), SeriesKey::Agent), b));
        let task_types = task_types.into_iter().map(|(k, b)| {
            (
                k.map_or_else(other(Dimension::TaskType), SeriesKey::TaskType),
                b,
            )
        });
        let capabilities = capabilities.into_iter().map(|(k, b)| {
            let key = k.map_or_else(other(Dimension::Capability), SeriesKey::Capability);
            (key, b)
        });
        let all = agents.into_iter().chain(task_types).chain(capabilities);
        for (key, mut batch) in all {
            if batch.is_dirty() {
                let slot = Slot::of(&batch);
                each(&key, &slot);
                interval.series.insert(key, slot);
                batch.clear();
            }
            self.spares.push(batch);
        }
        self.intervals.push_back(interval);
        let mut gone = None;
        if self.intervals.len() > self.slots {
            gone = self.intervals.pop_front();
        }
        for key in gone.iter().flat_map(|interval| interval.series.keys()) {
            if !self.intervals.iter().any(|i| i.series.contains_key(key)) {
                key.forget_in(observations);
            }
        }
        untracked
    }

    /// The time that the slots cover.
    pub(crate) fn covers(&self) -> Duration {
        covers(&self.intervals)
    }

    pub(crate) fn registration(&mut self) -> Latency {
        let slots = self.intervals.iter().map(|i| &i.registration);
        latency(&mut self.scratch, slots, None)
    }

    pub(crate) fn delegation(&mut self) -> Latency {
        let slots = self.intervals.iter().map(|i| &i.delegation);
        latency(&mut self.scratch, slots, None)
    }

    /// All tasks together: the sum of all types.
    pub(crate) fn overall(&mut self) -> Figures {
        let intervals = &self.intervals;
        let slots: Vec<&Slot> = of_dimension(intervals, Dimension::TaskType)
            .map(|(_, slot)| slot)
            .collect();
        figures(&slots, covers(intervals), &mut self.scratch)
    }

    fn slots_of<'a>(&'a self, key: &'a SeriesKey) -> impl Iterator<Item = &'a Slot> {
        self.intervals.iter().filter_map(|i| i.series.get(key))
    }

    /// The rows of a dimension, most ends first, then by name.
    pub(crate) fn rows(&mut self, dimension: Dimension) -> Vec<Row> {
        let intervals = &self.intervals;
        let mut series: BTreeMap<&SeriesKey, Vec<&Slot>> = BTreeMap::new();
        for (key, slot) in of_dimension(intervals, dimension) {
            series.entry(key).or_default().push(slot);
        }
        let time = covers(intervals);
        let mut rows: Vec<Row> = series
            .into_iter()
            .map(|(key, slots)| Row {
                name: key.name().to_owned(),
                figures: figures(&slots, time, &mut self.scratch),
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.figures.ended()));
        rows
    }

    /// The flow of a capability over the window.
    pub(crate) fn flow(&self, capability: &Capability, wait_p95_ms: f64) -> CapabilityFlow {
        let key = SeriesKey::Capability(capability.clone());
        let mut tally = Tally::default();
        self.slots_of(&key).for_each(|slot| tally.add(&slot.tally));
        let mean = |sum_ns: u64, count: u64| match count {
            0 => 0.0,
            count => sum_ns as f64 / count as f64 / 1e9,
        };
        CapabilityFlow {
            bound: tally.bound(),
            ended: tally.ended(),
            mean_wait: mean(tally.wait_ns, tally.bound()),
            wait_p95_ms,
            mean_run: mean(tally.execution_ns, tally.ended()),
            wait_growth: self.wait_growth(&key),
        }
    }

    /// Mean wait of the later half less that of the earlier, by the time between their middles.
    fn wait_growth(&self, key: &SeriesKey) -> f64 {
        let half = self.intervals.len() / 2;
        let mean_and_time = |from: usize, to: usize| {
            let (mut waits, mut bound, mut time) = (0u64, 0u64, Duration::ZERO);
            for interval in self.intervals.range(from..to) {
                time += interval.covers;
                if let Some(slot) = interval.series.get(key) {
                    waits = waits.saturating_add(slot.tally.wait_ns);
                    bound += slot.tally.bound();
                }
            }
            (bound > 0).then(|| (waits as f64 / bound as f64 / 1e9, time.as_secs_f64()))
        };
        let later = mean_and_time(self.intervals.len() - half, self.intervals.len());
        let (Some((before, first)), Some((after, second))) = (mean_and_time(0, half), later) else {
            return 0.0;
        };
        let between = self.covers().as_secs_f64() - first.midpoint(second);
        match between > 0.0 {
            true => (after - before) / between,
            false => 0.0,
        }
    }
}

fn covers(intervals: &VecDeque<Interval>) -> Duration {
    intervals.iter().map(|interval| interval.covers).sum()
}

fn of_dimension(
    intervals: &VecDeque<Interval>,
    dimension: Dimension,
) -> impl Iterator<Item = (&SeriesKey, &Slot)> {
    let series = intervals.iter().flat_map(|interval| &interval.series);
    series.filter(move |(key, _)| key.dimension() == dimension)
}

/// The figures of slots together.
fn figures(slots: &[&Slot], time: Duration, scratch: &mut Histogram<u64>) -> Figures {
    let mut tally = Tally::default();
    slots.iter().for_each(|slot| tally.add(&slot.tally));
    let seconds = time.as_secs_f64();
    let ended = tally.ended();
    let errors = tally.failed + tally.timed_out;
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 * 100.0 / whole as f64);
    let execution = slots.iter().map(|slot| &slot.execution);
    let queue_wait = slots.iter().map(|slot| &slot.queue_wait);
    Figures {
        succeeded: tally.succeeded,
        failed: tally.failed,
        timed_out: tally.timed_out,
        rejected: tally.rejected,
        cancelled: tally.cancelled,
        retried: tally.retried,
        throughput_per_second: match seconds > 0.0 {
            true => ended as f64 / seconds,
            false => 0.0,
        },
        error_rate_percent: share(errors, ended),
        attempt_error_rate_percent: share(errors + tally.retried, ended + tally.retried),
        execution: latency(scratch, execution, Some(tally.execution_ns)),
        queue_wait: latency(scratch, queue_wait, Some(tally.wait_ns)),
    }
}

/// Percentiles of slots together.
fn latency<'a>(
    scratch: &mut Histogram<u64>,
    slots: impl Iterator<Item = &'a Recorded>,
    sum_ns: Option<u64>,
) -> Latency {
    scratch.reset();
    for (value, count) in slots.flatten() {
        scratch.saturating_record_n(*value, u64::from(*count));
    }
    let count = scratch.len();
    if count == 0 {
        return Latency::default();
    }
    let ms = |quantile: f64| scratch.value_at_quantile(quantile) as f64 / 1e6;
    Latency {
        count,
        mean_ms: match sum_ns {
            Some(sum) => sum as f64 / count as f64 / 1e6,
            None => scratch.mean() / 1e6,
        },
        p50_ms: ms(0.5),
        p95_ms: ms(0.95),
        p99_ms: ms(0.99),
        p999_ms: ms(0.999),
        max_ms: scratch.max() as f64 / 1e6,
    }
}
