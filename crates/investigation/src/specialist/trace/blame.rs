//! Who is behind what went wrong: the deepest span that did, on the side that its kind of trouble points to.

use super::classify::{Trouble, classify};
use super::{Gathered, View, fact};
use crate::evidence::{Case, Category, FactKind, weights};
use crate::resource::{Denial, DeniedBy, ResourceKind};
use crate::trace::{Exception, TraceSpan};

/// A callee that takes this share of a span which was cut off is what it waited for.
const WAITED_SHARE_MIN: f64 = 0.5;

/// Adds a fact for every span that went wrong while nothing beneath it did, and for calls that were tried again.
pub(super) fn of(view: &View<'_>, gathered: &mut Gathered) {
    let spans = &view.trace.spans;
    let mut bad_below = vec![false; spans.len()];
    // Children stand behind their parents.
    for place in (0..spans.len()).rev() {
        if let Some(parent) = spans[place].parent
            && (spans[place].is_bad() || bad_below[place])
        {
            bad_below[parent] = true;
        }
    }
    for (place, span) in spans.iter().enumerate() {
        retried(view, span, gathered);
        if span.is_bad() && !bad_below[place] {
            let handled = handled(view, span);
            blamed(view, place, handled, gathered);
        }
    }
}

/// Whether all above it went on well: the request did not fail by it.
fn handled(view: &View<'_>, span: &TraceSpan) -> bool {
    let mut parent = span.parent;
    while let Some(place) = parent {
        let above = &view.trace.spans[place];
        if above.is_bad() {
            return false;
        }
        parent = above.parent;
    }
    span.parent.is_some()
}

fn blamed(view: &View<'_>, place: usize, handled: bool, gathered: &mut Gathered) {
    let span = &view.trace.spans[place];
    let own = view.node(span);
    let is_call = span.namespace.is_some() || span.sql.is_some() || span.inferred;
    let (trouble, exception) = classify(span);
    let caller = || view.caller(span).filter(|_| is_call).or(own);
    let status = span.http.as_ref().and_then(|http| http.status);
    let fault = || FactKind::TraceFault {
        exception: exception.and_then(|exception| exception.class.clone()),
        status,
        spans: 1,
    };
    let known = exception.is_some();
    let weight_of_fault = if known {
        weights::TRACE_EXCEPTION
    } else {
        weights::TRACE_FAULT
    };
    let (node, kind, category, weight) = match &trouble {
        Trouble::Denied(denial) => {
            let node = match denial.by {
                Some(DeniedBy::Resource) => own,
                _ => caller(),
            };
            (
                node,
                denied(view, span, denial),
                Category::Permission,
                weights::PERMISSION_DENIED,
            )
        }
        Trouble::Throttled => {
            let kind = FactKind::Throttled {
                operation: operation(span),
                spans: 1,
            };
            (own, kind, Category::Throttling, weights::THROTTLED)
        }
        Trouble::TimedOut(limit) => {
            let kind = FactKind::TimedOut {
                seconds: span.duration().unwrap_or(0.0),
                limit_seconds: *limit,
            };
            let weight = match waited_for(view, place) {
                Some(waited) => {
                    cut_off(view, span, waited, handled, gathered);
                    weights::TIMED_OUT_WAITING
                }
                None => weights::TIMED_OUT,
            };
            (own, kind, Category::Latency, weight)
        }
        Trouble::Exhausted => (own, fault(), Category::Saturation, weight_of_fault),
        Trouble::Unreachable => (own, fault(), Category::Network, weight_of_fault),
        Trouble::Misconfigured => (caller(), fault(), Category::Configuration, weight_of_fault),
        Trouble::Fault => {
            let category = match own.map(|own| is_external(view.case, own)) {
                Some(true) => Category::Dependency,
                _ if is_call => Category::Errors,
                _ if known => Category::Code,
                _ => Category::Errors,
            };
            (own, fault(), category, weight_of_fault)
        }
        Trouble::ClientError => (
            caller(),
            fault(),
            Category::Errors,
            weights::TRACE_CLIENT_ERROR,
        ),
    };
    let Some(node) = node else { return };
    // A denial seldom is what was meant, whoever went on after it.
    let weight = match (&trouble, handled) {
        (_, false) => weight,
        (Trouble::Denied(denial), true) if denial.action.is_some() => weights::PERMISSION_HANDLED,
        (_, true) => weights::TRACE_HANDLED,
    };
    let text = sentence(view, node, span, &kind, exception, handled);
    let class = exception
        .and_then(|exception| exception.class.as_deref())
        .unwrap_or("");
    let same = match &kind {
        FactKind::PermissionDenied {
            principal,
            action,
            resource,
        } => format!("denied {principal:?} {action:?} {resource:?}"),
        other => format!(
            "{:?} {class} {} {status:?} {handled}",
            std::mem::discriminant(other),
            view.name(span)
        ),
    };
    let at = Some(View::during(span));
    gathered.add(
        node,
        same,
        fact(kind, category, weight, at, text, view.trace.location(span)),
    );
}

/// What a denial says, completed by what the span itself says about the call.
fn denied(view: &View<'_>, span: &TraceSpan, denial: &Denial) -> FactKind {
    let named = span
        .resource
        .map(|own| &view.case.incident.resources.resources()[own]);
    let service = named.map(|resource| match resource.kind() {
        ResourceKind::StepFunctions => "states",
        ResourceKind::EventBridge => "events",
        ResourceKind::ApiGateway => "execute-api",
        kind => kind.name(),
    });
    let action = denial
        .action
        .clone()
        .or_else(|| operation(span))
        .map(|action| match service {
            Some(service) if !action.contains(':') && span.namespace.is_some() => {
                format!("{service}:{action}")
            }
            _ => action,
        });
    let of_span = || {
        let resource = named.filter(|_| span.namespace.is_some())?;
        let arn = resource.arn.as_ref().map(ToString::to_string);
        Some(arn.unwrap_or_else(|| resource.name.clone()))
    };
    FactKind::PermissionDenied {
        principal: denial.principal.clone(),
        action,
        resource: denial.resource.clone().or_else(of_span),
    }
}

/// The call that a span which was cut off spent its time in.
fn waited_for(view: &View<'_>, place: usize) -> Option<usize> {
    let spans = &view.trace.spans;
    let cut = spans[place].duration()?;
    let own = view.node(&spans[place]);
    let inside = |mut child: usize| loop {
        match spans[child].parent {
            Some(parent) if parent == place => break true,
            Some(parent) => child = parent,
            None => break false,
        }
    };
    let length = |span: &TraceSpan| span.duration().unwrap_or(cut);
    (place + 1..spans.len())
        .filter(|child| {
            inside(*child)
                && view
                    .node(&spans[*child])
                    .is_some_and(|node| Some(node) != own)
        })
        .filter(|child| length(&spans[*child]) >= cut * WAITED_SHARE_MIN)
        .max_by(|a, b| {
            length(&spans[*a])
                .total_cmp(&length(&spans[*b]))
                .then(a.cmp(b))
        })
}

fn cut_off(
    view: &View<'_>,
    span: &TraceSpan,
    waited: usize,
    handled: bool,
    gathered: &mut Gathered,
) {
    let callee = &view.trace.spans[waited];
    let Some(node) = view.node(callee) else {
        return;
    };
    let seconds = callee.duration().or(span.duration()).unwrap_or(0.0);
    let kind = FactKind::TimedOut {
        seconds,
        limit_seconds: None,
    };
    let weight = if handled {
        weights::TRACE_HANDLED
    } else {
        weights::TIMED_OUT
    };
    let text = format!(
        "{} was cut off after waiting {seconds:.3} s for {}",
        view.name(span),
        view.name(callee)
    );
    let location = view.trace.location(callee);
    let at = Some(View::during(callee));
    gathered.add(
        node,
        "waited for".to_owned(),
        fact(kind, Category::Latency, weight, at, text, location),
    );
}

fn retried(view: &View<'_>, span: &TraceSpan, gathered: &mut Gathered) {
    let retries = span
        .aws
        .number(&["retries"])
        .filter(|retries| *retries >= 1.0);
    let (Some(retries), Some(node)) = (retries, view.node(span)) else {
        return;
    };
    let kind = FactKind::Retried {
        operation: operation(span),
        retries: retries as u64,
    };
    let text = format!(
        "a call of {} was tried again {retries:.0} times",
        view.name(span)
    );
    let location = view.trace.location(span);
    let at = Some(View::during(span));
    gathered.add(
        node,
        "retried".to_owned(),
        fact(kind, Category::Errors, weights::RETRIED, at, text, location),
    );
}

/// Nodes whose spans all ended well in traces whose root did not.
pub(super) fn answered(case: &Case, gathered: &mut Gathered) {
    let mut well = vec![0_usize; case.nodes.len()];
    let mut badly = vec![false; case.nodes.len()];
    let mut example: Vec<Option<String>> = vec![None; case.nodes.len()];
    for trace in &case.incident.traces {
        let failed = trace
            .spans
            .iter()
            .any(|span| span.parent.is_none() && span.is_bad());
        for span in &trace.spans {
            let Some(own) = span.resource else { continue };
            let node = case.resources[own];
            if span.is_bad() || span.end.is_none() {
                badly[node] = true;
            } else if failed {
                well[node] += 1;
                example[node].get_or_insert_with(|| trace.location(span));
            }
        }
    }
    for (node, spans) in well.into_iter().enumerate() {
        let Some(location) = example[node].take().filter(|_| !badly[node]) else {
            continue;
        };
        // Who is blamed for a call of its own did not answer well.
        if gathered
            .facts
            .keys()
            .any(|(blamed, same)| *blamed == node && !same.starts_with("retried"))
        {
            continue;
        }
        let text = format!("{} answered well in traces that failed", case.nodes[node]);
        let kind = FactKind::Answered { spans };
        gathered.add(
            node,
            "answered".to_owned(),
            fact(
                kind,
                Category::Unknown,
                weights::ANSWERED,
                None,
                text,
                location,
            ),
        );
    }
}

fn is_external(case: &Case, node: usize) -> bool {
    case.resources_at(node)
        .any(|resource| resource.kind() == ResourceKind::ExternalService)
}

/// The operation that a call is of.
pub(super) fn operation(span: &TraceSpan) -> Option<String> {
    let written = span.aws.text(&["operation"]).map(str::to_owned);
    written.or_else(|| {
        let url = span.http.as_ref()?.url.as_deref()?;
        let (_, query) = url.split_once('?')?;
        let action = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="))?;
        Some(action.to_owned())
    })
}

fn sentence(
    view: &View<'_>,
    node: usize,
    span: &TraceSpan,
    kind: &FactKind,
    exception: Option<&Exception>,
    handled: bool,
) -> String {
    let name = &view.case.nodes[node];
    let called = view.name(span);
    let unknown = || "an unnamed principal".to_owned();
    let what = match kind {
        FactKind::PermissionDenied {
            principal,
            action,
            resource,
        } => format!(
            "{} was denied {} on {}",
            principal.clone().unwrap_or_else(unknown),
            action.as_deref().unwrap_or("an unnamed action"),
            resource.as_deref().unwrap_or("an unnamed resource"),
        ),
        FactKind::Throttled { operation, .. } => {
            format!(
                "{name} refused {}: too many calls",
                operation.as_deref().unwrap_or("a call")
            )
        }
        FactKind::TimedOut {
            seconds,
            limit_seconds: Some(limit),
        } => {
            format!("{name} was cut off at its limit of {limit} s after {seconds:.3} s")
        }
        FactKind::TimedOut { seconds, .. } => {
            format!("{name} did not answer within {seconds:.3} s")
        }
        FactKind::TraceFault {
            status: Some(status),
            ..
        } => format!("{called} failed with HTTP {status}, and nothing beneath it did"),
        _ => format!("{called} failed, and nothing beneath it did"),
    };
    let mut text = what;
    match (kind, exception) {
        // The message says the same again; only its reason is new.
        (
            FactKind::PermissionDenied {
                principal: Some(_), ..
            },
            Some(exception),
        ) => {
            if let Some(reason) = reason(exception.message.as_deref().unwrap_or("")) {
                text = format!("{text}, {}", cut(reason));
            }
        }
        (_, Some(exception)) => {
            let class = exception.class.as_deref().unwrap_or("exception");
            let message = exception.message.as_deref().unwrap_or("without a message");
            text = format!("{text}: {class}: {}", cut(message));
            if let Some(at) = &exception.thrown_at {
                text = format!("{text}, thrown at {at}");
            }
        }
        (_, None) => {}
    }
    if handled {
        text.push_str("; its caller went on");
    }
    text
}

/// Why something was denied, in the words of the message.
fn reason(message: &str) -> Option<&str> {
    [" because ", " with an explicit deny"]
        .iter()
        .find_map(|mark| message.find(mark))
        .map(|at| message[at..].trim())
}

/// At most 300 characters of a message.
fn cut(message: &str) -> String {
    message.chars().take(300).collect()
}
