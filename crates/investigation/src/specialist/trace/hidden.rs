//! Calls whose success says nothing about their outcome.

use super::blame::operation;
use super::{Gathered, View, fact};
use crate::evidence::{Category, FactKind, weights};
use crate::trace::Namespace;

/// Operations that answer 200 although, or before, what they start may fail, and where the outcome stands.
///
/// Source: the API references of the services.
const HIDDEN: &[(&str, &str)] = &[
    ("StartSyncExecution", "the `status` of its response"),
    ("StartExecution", "the execution's history"),
    ("Invoke", "the header X-Amz-Function-Error"),
    ("InvokeAsync", "the function's own trace"),
    ("PutEvents", "`FailedEntryCount` of its response"),
    ("PutRecords", "`FailedRecordCount` of its response"),
    ("PutRecordBatch", "`FailedPutCount` of its response"),
    ("BatchWriteItem", "`UnprocessedItems` of its response"),
    ("SendMessageBatch", "`Failed` of its response"),
    ("PublishBatch", "`Failed` of its response"),
    ("RunTask", "`failures` of its response"),
];

/// Adds a fact for every call whose callee sent no span of its own and whose answer does not tell its outcome.
pub(super) fn of(view: &View<'_>, gathered: &mut Gathered) {
    let spans = &view.trace.spans;
    let mut answered = vec![false; spans.len()];
    for place in (0..spans.len()).rev() {
        if let Some(parent) = spans[place].parent {
            answered[parent] |=
                answered[place] || spans[place].is_segment && !spans[place].inferred;
        }
    }
    for (place, span) in spans.iter().enumerate() {
        let status = span.http.as_ref().and_then(|http| http.status);
        let call = span.namespace == Some(Namespace::Aws) || span.inferred;
        let (Some(node), Some(status @ 200..300), true) = (view.node(span), status, call) else {
            continue;
        };
        let Some(operation) = operation(span).filter(|_| !span.is_bad() && !answered[place]) else {
            continue;
        };
        let Some((_, outcome)) = HIDDEN.iter().find(|(name, _)| *name == operation) else {
            continue;
        };
        let text = format!(
            "{} answered {operation} with HTTP {status}, which does not tell its outcome: {outcome} does",
            view.name(span)
        );
        let kind = FactKind::OutcomeHidden { operation, status };
        let location = view.trace.location(span);
        let at = Some(View::during(span));
        gathered.add(
            node,
            "hidden".to_owned(),
            fact(
                kind,
                Category::Unknown,
                weights::OUTCOME_HIDDEN,
                at,
                text,
                location,
            ),
        );
    }
}
