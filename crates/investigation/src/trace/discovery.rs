//! Which resources took part in a trace: from segments, subsegments, `aws` blocks and URLs.

use super::names::{Named, resource_of};
use super::read::Traces;
use crate::resource::{Denial, Resource};

/// Gives every span the resource that it is or calls, and fills the inventory.
pub(super) fn resources(traces: &mut Traces) {
    let mut spans = std::mem::take(&mut traces.traces);
    let mut left_out = 0_usize;
    for trace in &mut spans {
        let mut named: Vec<Option<Named>> = trace.spans.iter().map(resource_of).collect();
        adopt(&mut named, trace);
        for (place, named) in named.into_iter().enumerate() {
            let source = format!("trace {}/{}", trace.id, trace.spans[place].id);
            let own = named.map(|Named { mut resource, .. }| {
                if resource.name.is_empty() {
                    resource.name = format!("unnamed {}", resource.type_name);
                }
                traces.add(resource.from_source(source))
            });
            left_out += usize::from(own == Some(None));
            let inherited = || {
                trace.spans[place]
                    .parent
                    .and_then(|parent| trace.spans[parent].resource)
            };
            trace.spans[place].resource = own.flatten().or_else(inherited);
            // Who was denied, and what: a message names resources that have no span.
            let messages = trace.spans[place].exceptions.iter();
            let denials =
                messages.filter_map(|exception| Denial::in_message(exception.message.as_deref()?));
            for arn in denials.flat_map(|denial| denial.arns()) {
                let source = format!("exception in trace {}/{}", trace.id, trace.spans[place].id);
                traces.add(Resource::of_arn(&arn).from_source(source));
            }
        }
    }
    traces.traces = spans;
    if left_out > 0 {
        traces.notes.push(format!(
            "{left_out} spans name more resources than are kept"
        ));
    }
}

/// A call that names no more than a service or host is a call of what answered it, if that sent a span of its own.
fn adopt(named: &mut [Option<Named>], trace: &super::span::Trace) {
    // Children stand behind their parents, so that what they know travels up in one pass.
    for child in (0..named.len()).rev() {
        let Some(parent) = trace.spans[child].parent else {
            continue;
        };
        let (head, tail) = named.split_at_mut(child);
        if let (Some(caller), Some(answered)) = (&mut head[parent], &tail[0])
            && !caller.known
            && trace.spans[child].is_segment
            && answered.known
            && (trace.spans[parent].inferred || !trace.spans[parent].is_segment)
        {
            caller.resource = answered.resource.clone();
            caller.known = true;
        }
    }
}
