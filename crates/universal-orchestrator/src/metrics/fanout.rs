//! One recorder that writes to several.

use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// A recorder that somebody else holds too.
pub(crate) type SharedRecorder = Arc<dyn Recorder + Send + Sync>;

/// Writes what it is given to the recorder of the process, whichever that is when a metric is registered.
pub(crate) struct ProcessRecorder;

impl Recorder for ProcessRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        metrics::with_recorder(|r| r.describe_counter(name, unit, help));
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        metrics::with_recorder(|r| r.describe_gauge(name, unit, help));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        metrics::with_recorder(|r| r.describe_histogram(name, unit, help));
    }

    fn register_counter(&self, key: &Key, about: &Metadata<'_>) -> Counter {
        metrics::with_recorder(|r| r.register_counter(key, about))
    }

    fn register_gauge(&self, key: &Key, about: &Metadata<'_>) -> Gauge {
        metrics::with_recorder(|r| r.register_gauge(key, about))
    }

    fn register_histogram(&self, key: &Key, about: &Metadata<'_>) -> Histogram {
        metrics::with_recorder(|r| r.register_histogram(key, about))
    }
}

/// The first recorder and all that plugins offer; alone, the first itself.
pub(crate) fn fan_out(first: SharedRecorder, others: Vec<SharedRecorder>) -> SharedRecorder {
    if others.is_empty() {
        return first;
    }
    let mut all = vec![first];
    all.extend(others);
    Arc::new(Fanout(all))
}

struct Fanout(Vec<SharedRecorder>);

struct Counters(Vec<Counter>);

impl CounterFn for Counters {
    fn increment(&self, value: u64) {
        self.0.iter().for_each(|c| c.increment(value));
    }

    fn absolute(&self, value: u64) {
        self.0.iter().for_each(|c| c.absolute(value));
    }
}

struct Gauges(Vec<Gauge>);

impl GaugeFn for Gauges {
    fn increment(&self, value: f64) {
        self.0.iter().for_each(|g| g.increment(value));
    }

    fn decrement(&self, value: f64) {
        self.0.iter().for_each(|g| g.decrement(value));
    }

    fn set(&self, value: f64) {
        self.0.iter().for_each(|g| g.set(value));
    }
}

struct Histograms(Vec<Histogram>);

impl HistogramFn for Histograms {
    fn record(&self, value: f64) {
        self.0.iter().for_each(|h| h.record(value));
    }
}

impl Recorder for Fanout {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        for recorder in &self.0 {
            recorder.describe_counter(name.clone(), unit, help.clone());
        }
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        for recorder in &self.0 {
            recorder.describe_gauge(name.clone(), unit, help.clone());
        }
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        for recorder in &self.0 {
            recorder.describe_histogram(name.clone(), unit, help.clone());
        }
    }

    fn register_counter(&self, key: &Key, about: &Metadata<'_>) -> Counter {
        let all = self.0.iter().map(|r| r.register_counter(key, about));
        Counter::from_arc(Arc::new(Counters(all.collect())))
    }

    fn register_gauge(&self, key: &Key, about: &Metadata<'_>) -> Gauge {
        let all = self.0.iter().map(|r| r.register_gauge(key, about));
        Gauge::from_arc(Arc::new(Gauges(all.collect())))
    }

    fn register_histogram(&self, key: &Key, about: &Metadata<'_>) -> Histogram {
        let all = self.0.iter().map(|r| r.register_histogram(key, about));
        Histogram::from_arc(Arc::new(Histograms(all.collect())))
    }
}
