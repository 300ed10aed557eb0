//! From a service and a time to what was measured around it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::answer::{Answer, Labels, QueryData, Targets};
use super::client::{AskError, PrometheusClient};
use super::discover::{Discovered, Ends, query};
use super::plan::Plan;
use super::resources::{self, Used, used};
use super::rows::{Rows, duration, duration_of, series_of, step};
use crate::evidence::Unknown;
use crate::graph::CallGraph;
use crate::incident::{Gathered, Target};
use crate::logs::clean;
use crate::telemetry::{Signal, Statistic, Telemetry};

/// Services that are asked for at most.
const SERVICES_MAX: usize = 2_000;
/// Questions at the same time.
const QUESTIONS_AT_ONCE: usize = 4;
/// Known services that an error names.
const NAMED_MAX: usize = 20;
/// Notes about targets that are down, and about warnings.
const NOTES_MAX: usize = 10;

/// What to look at.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrometheusQuestion {
    /// The service at which users see the trouble.
    pub service: String,
    /// Which of its series shows it: a latency or availability.
    pub signal: Signal,
    /// When it began or was noticed, in seconds since 1970.
    pub at: f64,
    /// Now, in seconds since 1970: nothing is measured after it.
    pub now: f64,
    /// Seconds to look at: half of them before `at`, half after it.
    pub window: f64,
    /// Seconds of normal operation before the window to compare with; 0 for none.
    pub baseline: f64,
    /// Seconds of an interval; `None` for four scrapes or a thirtieth of the window, whichever is longer.
    pub step: Option<f64>,
}

impl PrometheusQuestion {
    /// The mean latency of a service over half an hour around `at`, against the day before.
    #[must_use]
    pub fn new(service: impl Into<String>, at: f64, now: f64) -> Self {
        Self {
            service: service.into(),
            signal: Signal::LatencyAverage,
            at,
            now,
            window: 1_800.0,
            baseline: 86_400.0,
            step: None,
        }
    }
}

/// Why nothing can be investigated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrometheusError {
    /// The server does not answer what everything rests on.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// None of the metrics that are known is there.
    #[error(
        "the server has no request metrics of a known name in this window, for example http_request_duration_seconds or http_requests_total; `docs/investigation.md` lists them"
    )]
    NoServices,
    /// The service is not among those that the server knows.
    #[error("the server knows no service {service:?} in this window; it knows {known}")]
    UnknownService {
        /// What was asked for.
        service: String,
        /// Services that it knows.
        known: String,
    },
    /// The service has not the series that shall show the symptom.
    #[error("{service:?} has no {signal} in this window; ask for one of: {has}")]
    NoSymptom {
        /// The service.
        service: String,
        /// What was asked for.
        signal: String,
        /// What it has.
        has: String,
    },
    /// The window does not reach beyond the onset.
    #[error(
        "no whole interval of {step} s lies between the time {at} and now; name the time at which the trouble began"
    )]
    NothingAfter {
        /// The time.
        at: f64,
        /// Seconds of an interval.
        step: f64,
    },
    /// A time or length is not a positive finite number.
    #[error("the {what} is {value}; write a positive number of seconds")]
    BadTime {
        /// Which one.
        what: &'static str,
        /// What was given.
        value: f64,
    },
}

/// Asks the server for everything that an investigation of the service can use.
///
/// It blocks: call it where that is allowed, for example in `tokio::task::spawn_blocking`.
/// A question that fails is told in [`Gathered::unknown`] and costs its own answer only.
///
/// # Errors
///
/// The server does not tell which services it knows, does not know this one, or has nothing of it to judge by.
pub fn gather_prometheus(
    client: &PrometheusClient,
    question: &PrometheusQuestion,
) -> Result<(Target, Gathered), PrometheusError> {
    check(question)?;
    let mut gathered = Gathered::default();
    let scrape = scrape_interval(client, &mut gathered.notes);
    let step = question
        .step
        .unwrap_or_else(|| step(question.window, scrape));
    let rows = Rows::around(question.at, question.window, step, question.now).ok_or(
        PrometheusError::NothingAfter {
            at: question.at,
            step,
        },
    )?;
    let mut discovered = discover(client, question, rows, &mut gathered.notes)?;
    keep_services(&mut discovered, &question.service, &mut gathered.notes);
    let used = discover_resources(client, &discovered, rows, &mut gathered);
    let plan = Plan::of(&discovered, &used, question.signal, step);
    let baseline_rows = rows.baseline(question.baseline);
    let spans: Vec<Rows> = [Some(rows), baseline_rows].into_iter().flatten().collect();
    let jobs: Vec<(Rows, &str)> = spans
        .iter()
        .flat_map(|span| plan.queries.iter().map(|query| (*span, query.as_str())))
        .collect();
    let answers = ask_all(&jobs, |(span, query)| {
        client.range(query, span.first_end(), span.last_end(), span.step)
    });
    let mut answers = answers.into_iter();
    gathered.telemetry = plan.telemetry(rows, &mut answers, &mut gathered);
    if let Some(rows) = baseline_rows {
        let mut own = Gathered::default();
        let baseline = plan.telemetry(rows, &mut answers, &mut own);
        gathered
            .unknown
            .extend(own.unknown.into_iter().map(|unknown| Unknown {
                what: format!("{} in normal operation", unknown.what),
                ..unknown
            }));
        for note in own.notes {
            if !gathered.notes.contains(&note) {
                gathered.notes.push(note);
            }
        }
        gathered.baseline = (baseline.series_count() > 0).then_some(baseline);
        if gathered.baseline.is_none() {
            gathered.notes.push(
                "the server has no values of normal operation: compared with the time before the onset"
                    .to_owned(),
            );
        }
    }
    calls(client, &discovered, rows, &mut gathered);
    if gathered
        .telemetry
        .series(&question.service, question.signal)
        .is_none()
    {
        return Err(no_symptom(question, &gathered.telemetry));
    }
    let target = Target {
        node: Arc::from(question.service.as_str()),
        signal: question.signal,
        at: Some(question.at),
    };
    Ok((target, gathered))
}

fn check(question: &PrometheusQuestion) -> Result<(), PrometheusError> {
    let times = [
        ("time", question.at),
        ("present time", question.now),
        ("window", question.window),
        ("step", question.step.unwrap_or(1.0)),
        ("baseline window", question.baseline + f64::MIN_POSITIVE),
    ];
    for (what, value) in times {
        if !(value.is_finite() && value > 0.0) {
            return Err(PrometheusError::BadTime { what, value });
        }
    }
    Ok(())
}

/// How often things are scraped, in the middle; targets that are down are noted. Servers without targets tell nothing.
fn scrape_interval(client: &PrometheusClient, notes: &mut Vec<String>) -> Option<f64> {
    let targets: Targets = client
        .get("/api/v1/targets", &[("state", "active")])
        .ok()?
        .data;
    let down: Vec<String> = targets
        .active_targets
        .iter()
        .filter(|target| target.health == "down")
        .map(|target| {
            let text = format!(
                "{} is not scraped: {}",
                target.scrape_url, target.last_error
            );
            clean(&text, 240)
        })
        .collect();
    notes.extend(down.iter().take(NOTES_MAX).cloned());
    if down.len() > NOTES_MAX {
        notes.push(format!(
            "{} more targets are not scraped",
            down.len() - NOTES_MAX
        ));
    }
    let mut intervals: Vec<f64> = targets
        .active_targets
        .iter()
        .filter_map(|target| duration_of(&target.scrape_interval))
        .collect();
    crate::statistics::quantile(&mut intervals, 0.5)
}

fn discover(
    client: &PrometheusClient,
    question: &PrometheusQuestion,
    rows: Rows,
    notes: &mut Vec<String>,
) -> Result<Discovered, PrometheusError> {
    let end = rows.last_end();
    let window = duration(end - rows.first_end() + rows.step);
    let answer = client.instant(&query(&window), end)?;
    note_warnings(&answer, notes);
    let series = series_of(answer.data);
    let discovered = Discovered::of(series.iter().map(|series| &series.metric));
    let services = discovered.services();
    if services.is_empty() {
        return Err(PrometheusError::NoServices);
    }
    if !services.contains(question.service.as_str()) {
        let mut known: Vec<String> = services
            .iter()
            .take(NAMED_MAX)
            .map(|service| clean(service, 80))
            .collect();
        if services.len() > NAMED_MAX {
            known.push(format!("{} more", services.len() - NAMED_MAX));
        }
        return Err(PrometheusError::UnknownService {
            service: question.service.clone(),
            known: known.join(", "),
        });
    }
    Ok(discovered)
}

/// The resources of the services, of machines and of databases. Where that fails, they are unknown.
fn discover_resources(
    client: &PrometheusClient,
    discovered: &Discovered,
    rows: Rows,
    gathered: &mut Gathered,
) -> Vec<Used> {
    let end = rows.last_end();
    let query = resources::query(&duration(end - rows.first_end() + rows.step));
    match client.instant(&query, end) {
        Ok(answer) => {
            note_warnings(&answer, &mut gathered.notes);
            let series = series_of(answer.data);
            let labels: Vec<&Labels> = series.iter().map(|series| &series.metric).collect();
            let mut used = used(&labels, &discovered.services());
            used.iter_mut().for_each(keep_nodes);
            used
        }
        Err(error) => {
            gathered.unknown.push(Unknown {
                node: "all".to_owned(),
                what: "saturation".to_owned(),
                reason: clean(&format!("{query}: {error}"), 1_000),
            });
            Vec::new()
        }
    }
}

fn keep_nodes(used: &mut Used) {
    while used.nodes.len() > SERVICES_MAX {
        used.nodes.pop_last();
    }
}

/// Leaves out services beyond the limit, by name, but never the target.
fn keep_services(discovered: &mut Discovered, target: &str, notes: &mut Vec<String>) {
    let services = discovered.services();
    if services.len() <= SERVICES_MAX {
        return;
    }
    notes.push(format!(
        "{} services beyond the first {SERVICES_MAX} are left out",
        services.len() - SERVICES_MAX
    ));
    let kept: BTreeSet<String> = services
        .iter()
        .take(SERVICES_MAX - 1)
        .chain([&target])
        .map(|service| (*service).to_owned())
        .collect();
    for group in discovered
        .durations
        .iter_mut()
        .chain(&mut discovered.requests)
    {
        group.services.retain(|service| kept.contains(service));
    }
}

fn no_symptom(question: &PrometheusQuestion, telemetry: &Telemetry) -> PrometheusError {
    let name = |signal: Signal| match signal.statistic() {
        Statistic::Average | Statistic::Sum => signal.metric().to_string(),
        statistic => format!("{} {statistic:?}", signal.metric()),
    };
    let has: Vec<String> = Signal::ALL
        .into_iter()
        .filter(|signal| telemetry.series(&question.service, *signal).is_some())
        .map(name)
        .collect();
    PrometheusError::NoSymptom {
        service: question.service.clone(),
        signal: name(question.signal),
        has: if has.is_empty() {
            "nothing".to_owned()
        } else {
            has.join(", ")
        },
    }
}

pub(super) fn note_warnings(answer: &Answer<QueryData>, notes: &mut Vec<String>) {
    for warning in &answer.warnings {
        let note = clean(&format!("the server warns: {warning}"), 240);
        if notes.len() < NOTES_MAX * 2 && !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// Adds who calls whom, as far as the metrics tell, and every service as a node.
fn calls(client: &PrometheusClient, discovered: &Discovered, rows: Rows, gathered: &mut Gathered) {
    let services = discovered.services();
    let mut graph = CallGraph::new();
    for service in &services {
        graph.add_node(service);
    }
    let over = duration(rows.last_end() - rows.first_end() + rows.step);
    let query = |ends: &Ends| {
        let (caller, callee, metric) = (ends.caller, ends.callee, ends.metric);
        format!("sum by ({caller}, {callee}) (increase({metric}[{over}]))")
    };
    let answers = ask_all(&discovered.calls, |ends| {
        client.instant(&query(ends), rows.last_end())
    });
    for (ends, answer) in discovered.calls.iter().zip(answers) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let note = format!("calls are not known from {}: {error}", ends.metric);
                gathered.notes.push(clean(&note, 1_000));
                continue;
            }
        };
        note_warnings(&answer, &mut gathered.notes);
        for series in series_of(answer.data) {
            let end = |label: &str| series.metric.get(label).filter(|name| !name.is_empty());
            let (Some(caller), Some(callee)) = (end(ends.caller), end(ends.callee)) else {
                continue;
            };
            let calls = series.values.first().is_some_and(|point| point.value > 0.0);
            let known = !ends.callee_known || services.contains(callee.as_str());
            let room = graph.node_count() < SERVICES_MAX * 2;
            if calls && known && room && caller != callee && caller != "unknown" {
                graph.add_call(caller, callee);
            }
        }
    }
    if graph.call_count() == 0 {
        gathered.notes.push(
            "no metric tells who calls whom: give a call graph, or no other service can be the cause"
                .to_owned(),
        );
    }
    gathered.calls = graph;
}

/// Asks all questions, some at a time; the answers come in the order of the questions.
fn ask_all<Q: Sync, A: Send>(questions: &[Q], ask: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let answers: Vec<Mutex<Option<A>>> = questions.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..QUESTIONS_AT_ONCE.min(questions.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = questions.get(place) else {
                        return;
                    };
                    let answer = ask(question);
                    *answers[place]
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner) = Some(answer);
                }
            });
        }
    });
    answers
        .into_iter()
        .filter_map(|answer| answer.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}
