//! Traces from JSON: the answer of `BatchGetTraces`, lists of segments, and segments line by line.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::discovery;
use super::error::{TraceError, TraceErrorKind};
use super::otlp;
use super::segment::{self, Loose};
use super::span::{Trace, TraceSpan};
use crate::resource::{Inventory, Resource};

/// What is read of traces at most; more is refused.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TraceLimits {
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Traces.
    pub traces_max: usize,
    /// Spans of all traces.
    pub spans_max: usize,
    /// Notes; further ones are counted only.
    pub notes_max: usize,
}

/// The limits that [`Traces`] keeps.
pub const TRACE_LIMITS: TraceLimits = TraceLimits {
    file_bytes_max: 64 << 20,
    traces_max: 1_000,
    spans_max: 100_000,
    notes_max: 32,
};

/// Traces with the resources that took part in them.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use universal_orchestrator_investigation::Traces;
///
/// let json = r#"[{"trace_id": "1-68f622d0-2cfc080243ee63df62fc57a8", "id": "7d3bfe9640ace210",
///     "name": "pay", "origin": "AWS::Lambda::Function", "start_time": 1.0, "end_time": 1.5}]"#;
/// let traces = Traces::from_json(json, Path::new("trace.json"))?;
/// assert_eq!(traces.traces[0].spans[0].duration(), Some(0.5));
/// assert_eq!(traces.inventory.resources()[0].name, "pay");
/// # Ok::<(), universal_orchestrator_investigation::TraceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Traces {
    /// The traces, by id.
    pub traces: Vec<Trace>,
    /// The resources that took part.
    pub inventory: Inventory,
    /// Ids of traces that the service did not deliver.
    pub missing: Vec<String>,
    /// What was left out or worked around.
    pub notes: Vec<String>,
}

impl Traces {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, is larger than [`TRACE_LIMITS`], is no JSON, or has no span in it.
    pub fn from_file(file: &Path) -> Result<Self, TraceError> {
        let io = |error| TraceError::new(file, TraceErrorKind::Io(error));
        let mut text = Vec::new();
        let opened = File::open(file).map_err(io)?;
        opened
            .take(TRACE_LIMITS.file_bytes_max + 1)
            .read_to_end(&mut text)
            .map_err(io)?;
        Self::from_json(&String::from_utf8_lossy(&text), file)
    }

    /// Reads JSON; `source` names it in errors.
    ///
    /// A document that cannot be read is left out with a note, as long as any span can be read.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file).
    pub fn from_json(json: &str, source: &Path) -> Result<Self, TraceError> {
        let fail = |kind| Err(TraceError::new(source, kind));
        if json.len() as u64 > TRACE_LIMITS.file_bytes_max {
            let limit = TRACE_LIMITS.file_bytes_max as usize;
            return fail(TraceErrorKind::TooMany {
                what: "bytes",
                limit,
            });
        }
        let mut gathering = Gathering::default();
        let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
        loop {
            match values.next() {
                Some(Ok(value)) => gathering.value(value, None),
                // What was whole before the damage counts.
                Some(Err(error)) if gathering.loose.is_empty() => {
                    return fail(TraceErrorKind::Json(error));
                }
                Some(Err(error)) => {
                    gathering
                        .notes
                        .push(format!("{error}: the rest is not read"));
                    break;
                }
                None => break,
            }
            if gathering.loose.len() > TRACE_LIMITS.spans_max {
                let limit = TRACE_LIMITS.spans_max;
                return fail(TraceErrorKind::TooMany {
                    what: "spans",
                    limit,
                });
            }
        }
        if gathering.loose.is_empty() && gathering.missing.is_empty() {
            let reason = gathering.notes.into_iter().next();
            return fail(TraceErrorKind::Empty { reason });
        }
        match gathering.finish() {
            traces if traces.traces.len() > TRACE_LIMITS.traces_max => {
                let limit = TRACE_LIMITS.traces_max;
                fail(TraceErrorKind::TooMany {
                    what: "traces",
                    limit,
                })
            }
            traces => Ok(traces),
        }
    }

    /// Adds a resource that is not in the traces, or finds it.
    pub(super) fn add(&mut self, resource: Resource) -> Option<usize> {
        self.inventory.add(resource).ok()
    }
}

/// What was met so far.
#[derive(Default)]
struct Gathering {
    loose: Vec<Loose>,
    limited: Vec<String>,
    missing: Vec<String>,
    notes: Vec<String>,
}

impl Gathering {
    /// An answer, a trace, a segment, a list of any of these, or one of them as text.
    fn value(&mut self, value: Value, trace_id: Option<&str>) {
        match value {
            Value::Array(values) => {
                for value in values {
                    self.value(value, trace_id);
                }
            }
            Value::String(document) => match serde_json::from_str::<Value>(&document) {
                Ok(value @ Value::Object(_)) => self.value(value, trace_id),
                Ok(_) => self
                    .notes
                    .push("a document that is no segment is left out".to_owned()),
                Err(error) => self.notes.push(format!(
                    "a segment document is damaged and left out: {error}"
                )),
            },
            Value::Object(object) => self.object(object, trace_id),
            Value::Null => {}
            other => self
                .notes
                .push(format!("{} is no segment and left out", shown(&other))),
        }
    }

    fn object(&mut self, mut object: Map<String, Value>, trace_id: Option<&str>) {
        if let Some(traces) = object.remove("Traces") {
            for id in object
                .get("UnprocessedTraceIds")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.missing.extend(id.as_str().map(str::to_owned));
            }
            if object
                .get("NextToken")
                .is_some_and(|token| !token.is_null())
            {
                self.notes.push(
                    "the answer has a NextToken: there is more that was not fetched".to_owned(),
                );
            }
            self.value(traces, None);
        } else if let Some(segments) = object.remove("Segments") {
            let id = segment::text(&object, "Id");
            if object.get("LimitExceeded").and_then(Value::as_bool) == Some(true) {
                self.limited.extend(id.clone());
            }
            self.value(segments, id.as_deref());
        } else if let Some(Value::Array(resources)) =
            otlp::DOCUMENTS.iter().find_map(|key| object.remove(*key))
        {
            for resource in &resources {
                otlp::spans(resource, &mut self.loose, &mut self.notes);
            }
        } else if let Some(trace @ Value::Object(_)) = object.remove("trace") {
            self.value(trace, None);
        } else if let Some(document) = object.remove("Document") {
            self.value(document, trace_id);
        } else if object.contains_key("id") || object.contains_key("start_time") {
            if !object.contains_key("trace_id")
                && let Some(id) = trace_id
            {
                object.insert("trace_id".to_owned(), id.into());
            }
            segment::spans(&object, &mut self.loose, &mut self.notes);
        } else if !object.contains_key("format") {
            // `{"format": "json", "version": 1}` heads what the daemon receives.
            let keys: Vec<&str> = object.keys().map(|key| &**key).take(5).collect();
            self.notes.push(format!(
                "an object with the keys {keys:?} is no segment and left out"
            ));
        }
    }

    fn finish(self) -> Traces {
        let mut by_trace: BTreeMap<String, Vec<Loose>> = BTreeMap::new();
        for loose in self.loose {
            let id = loose
                .trace_id
                .clone()
                .unwrap_or_else(|| "unknown".to_owned());
            by_trace.entry(id).or_default().push(loose);
        }
        let mut traces = Traces {
            missing: self.missing,
            notes: self.notes,
            ..Traces::default()
        };
        for (id, loose) in by_trace {
            let limit_exceeded = self.limited.contains(&id);
            if limit_exceeded {
                traces.notes.push(format!(
                    "trace {id} was too large for X-Ray: segments are missing"
                ));
            }
            let spans = linked(loose, &id, &mut traces.notes);
            traces.traces.push(Trace {
                id,
                spans,
                limit_exceeded,
            });
        }
        discovery::resources(&mut traces);
        let left_out = traces.notes.len().saturating_sub(TRACE_LIMITS.notes_max);
        if left_out > 0 {
            traces.notes.truncate(TRACE_LIMITS.notes_max);
            traces.notes.push(format!("{left_out} more notes left out"));
        }
        traces
    }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// Gives every span its parent and its place: parents first, siblings by their beginning.
fn linked(loose: Vec<Loose>, trace_id: &str, notes: &mut Vec<String>) -> Vec<TraceSpan> {
    // Of a span that was sent twice, in progress and complete, the complete one counts.
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut known: Vec<Loose> = Vec::with_capacity(loose.len());
    for next in loose {
        match places.get(&next.span.id) {
            Some(place) => {
                if known[*place].span.end.is_none() && next.span.end.is_some() {
                    known[*place] = next;
                }
            }
            None => {
                places.insert(next.span.id.clone(), known.len());
                known.push(next);
            }
        }
    }
    let parents: Vec<Option<usize>> = known
        .iter()
        .map(|loose| places.get(loose.parent_id.as_ref()?).copied())
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); known.len()];
    let mut roots = Vec::new();
    for (place, parent) in parents.iter().enumerate() {
        match parent {
            Some(parent) if *parent != place => children[*parent].push(place),
            _ => roots.push(place),
        }
    }
    let by_start = |places: &mut Vec<usize>| {
        places.sort_by(|a, b| {
            let (a, b) = (&known[*a].span, &known[*b].span);
            a.start.total_cmp(&b.start).then_with(|| a.id.cmp(&b.id))
        });
    };
    by_start(&mut roots);
    children.iter_mut().for_each(by_start);
    let mut order: Vec<(usize, Option<usize>)> = Vec::with_capacity(known.len());
    let mut placed = vec![false; known.len()];
    let walk =
        |roots: &[usize], order: &mut Vec<(usize, Option<usize>)>, placed: &mut Vec<bool>| {
            let mut stack: Vec<(usize, Option<usize>)> =
                roots.iter().rev().map(|root| (*root, None)).collect();
            while let Some((place, parent)) = stack.pop() {
                if std::mem::replace(&mut placed[place], true) {
                    continue;
                }
                let at = order.len();
                order.push((place, parent));
                stack.extend(children[place].iter().rev().map(|child| (*child, Some(at))));
            }
        };
    walk(&roots, &mut order, &mut placed);
    // What is left stands in a circle of parents: each begins a tree of its own.
    let circle: Vec<usize> = (0..known.len()).filter(|place| !placed[*place]).collect();
    if !circle.is_empty() {
        notes.push(format!(
            "trace {trace_id}: {} spans are each other's parents; the first counts as root",
            circle.len()
        ));
        walk(&circle, &mut order, &mut placed);
    }
    let mut spans: Vec<Option<TraceSpan>> =
        known.into_iter().map(|loose| Some(loose.span)).collect();
    order
        .into_iter()
        .filter_map(|(place, parent)| {
            let mut span = spans[place].take()?;
            span.parent = parent;
            Some(span)
        })
        .collect()
}
