//! What the `aws` block of a span, its URL and its name say about the resource that it calls.

use serde_json::Value;

use super::span::{Namespace, TraceSpan};
use crate::resource::{Arn, Attributes, Endpoint, Resource, ResourceKind, Url, route};

/// A resource, and whether its own name is known or only that of its service.
pub(super) struct Named {
    pub(super) resource: Resource,
    pub(super) known: bool,
}

/// The resource that a span is or calls; `None` for work within its parent.
pub(super) fn resource_of(span: &TraceSpan) -> Option<Named> {
    if let Some(sql) = &span.sql {
        let type_name = sql.database_type.as_deref().unwrap_or("database");
        let type_name = if route(type_name).known {
            type_name
        } else {
            "database"
        };
        return Some(known(Resource::named(type_name, &*span.name)));
    }
    if span.is_segment {
        return Some(of_segment(span));
    }
    match span.namespace? {
        Namespace::Aws => Some(of_aws_call(span, &span.name)),
        Namespace::Remote => Some(of_remote_call(span)),
    }
}

fn known(resource: Resource) -> Named {
    Named {
        resource,
        known: true,
    }
}

fn of_segment(span: &TraceSpan) -> Named {
    let arn = span
        .resource_arn
        .as_deref()
        .and_then(|text| text.parse::<Arn>().ok());
    let origin = match (&span.origin, &arn) {
        (Some(origin), _) => &**origin,
        (None, Some(arn)) => arn.service(),
        // An inferred segment stands for the other side of a call.
        (None, None) if span.inferred => return of_remote_call(span),
        (None, None) => "application",
    };
    if span.inferred && route(origin).kind != ResourceKind::Application {
        return of_aws_call(span, origin);
    }
    let mut resource = Resource::named(origin, span.service.as_deref().unwrap_or(&span.name));
    if let Some(arn) = &arn {
        let of_arn = Resource::of_arn(arn);
        // A machine's ARN names where an application runs, not the application.
        if of_arn.kind() == resource.kind() && resource.kind() != ResourceKind::Vpc {
            resource.id = of_arn.id;
            resource.stage = of_arn.stage;
            if resource.kind() != ResourceKind::ApiGateway {
                resource.name = of_arn.name;
            }
        }
        resource.region = of_arn.region;
        resource.account = of_arn.account;
        resource.arn = Some(arn.clone());
    }
    if let Some(gateway) = nested(&span.aws, "api_gateway") {
        resource.account = resource.account.or_else(|| text(&gateway, "account_id"));
        resource.id = resource
            .id
            .or_else(|| text(&gateway, "rest_api_id"))
            .or_else(|| text(&gateway, "api_id"));
        resource.stage = resource.stage.or_else(|| text(&gateway, "stage"));
    }
    if let Some(stage) = &resource.stage
        && let Some(name) = resource
            .name
            .strip_suffix(&**stage)
            .and_then(|name| name.strip_suffix('/'))
        && !name.is_empty()
    {
        resource.name = name.to_owned();
    }
    resource.account = resource.account.or_else(|| text(&span.aws, "account_id"));
    resource.region = resource.region.or_else(|| text(&span.aws, "region"));
    known(resource)
}

/// A call of an AWS service: the `aws` block names the resource best, then the URL; else only the service is known.
fn of_aws_call(span: &TraceSpan, type_name: &str) -> Named {
    let endpoint = endpoint(span);
    let arn = arn_in(&span.aws);
    let kind = match route(type_name) {
        route if route.known => route.kind,
        _ => endpoint
            .as_ref()
            .map_or(ResourceKind::Other, |endpoint| endpoint.kind),
    };
    let type_name = match (&endpoint, route(type_name).known) {
        (Some(endpoint), false) if endpoint.kind != ResourceKind::Other => endpoint.service,
        _ => type_name,
    };
    let mut resource = match arn.filter(|arn| arn.kind() == kind) {
        Some(arn) => Resource::of_arn(&arn),
        None => Resource::named(type_name, ""),
    };
    if resource.name.is_empty() {
        let name = name_in(&span.aws, kind).or_else(|| endpoint.as_ref()?.name.map(str::to_owned));
        resource.name = name.unwrap_or_default();
    }
    resource.region = resource
        .region
        .or_else(|| text(&span.aws, "region"))
        .or_else(|| endpoint.as_ref()?.region.map(str::to_owned));
    // `account_id` of a call may be the caller's, so only the URL counts.
    resource.account = resource
        .account
        .or_else(|| endpoint.as_ref()?.account.map(str::to_owned));
    if kind == ResourceKind::ApiGateway {
        resource.stage = resource
            .stage
            .or_else(|| endpoint.as_ref()?.stage.map(str::to_owned));
        resource.id = resource
            .id
            .or_else(|| endpoint.as_ref()?.name.map(str::to_owned));
    }
    let known = !resource.name.is_empty();
    if !known {
        resource.name = span.name.clone();
    }
    Named { resource, known }
}

/// A call of something else; the host names it, unless the host is one of AWS.
fn of_remote_call(span: &TraceSpan) -> Named {
    if endpoint(span).is_some() {
        return of_aws_call(span, "");
    }
    let url = span.http.as_ref().and_then(|http| http.url.as_deref());
    let host = url.and_then(Url::of).map(|url| url.host);
    Named {
        resource: Resource::named("external service", host.unwrap_or(&span.name)),
        known: false,
    }
}

fn endpoint(span: &TraceSpan) -> Option<Endpoint<'_>> {
    let url = span.http.as_ref()?.url.as_deref()?;
    Endpoint::of(Url::of(url)?)
}

/// An ARN under any key of the block that ends in `arn`.
fn arn_in(aws: &Attributes) -> Option<Arn> {
    aws.iter()
        .filter(|(key, _)| key.ends_with("arn") || key.ends_with("Arn"))
        .find_map(|(_, value)| value.as_str()?.parse().ok())
}

/// The name under the keys that the SDKs of X-Ray write for each service.
fn name_in(aws: &Attributes, kind: ResourceKind) -> Option<String> {
    let keys: &[&str] = match kind {
        ResourceKind::DynamoDb => &["table_name", "table_names"],
        ResourceKind::S3 => &["bucket_name", "bucket"],
        ResourceKind::Sqs => &["queue_name", "queue_url"],
        ResourceKind::Sns => &["topic_name", "topic_arn"],
        ResourceKind::Lambda => &["function_name"],
        ResourceKind::StepFunctions => &["state_machine_name"],
        ResourceKind::EventBridge => &["event_bus_name"],
        _ => &[
            "stream_name",
            "secret_id",
            "key_id",
            "name",
            "resource_name",
        ],
    };
    let value = aws.get(keys).or_else(|| aws.get(&["resource_names"]))?;
    let name = match value {
        Value::String(name) => &**name,
        Value::Array(names) => names.first()?.as_str()?,
        _ => return None,
    };
    // A queue's URL ends with its name; a function may be named by its ARN.
    let name = match name.parse::<Arn>() {
        Ok(arn) => arn.name().to_owned(),
        Err(_) if name.contains("://") => name.rsplit('/').next().unwrap_or(name).to_owned(),
        Err(_) => name.to_owned(),
    };
    Some(name).filter(|name| !name.is_empty())
}

fn nested(aws: &Attributes, key: &str) -> Option<Attributes> {
    let value = aws.get(&[key]).filter(|value| value.is_object())?;
    serde_json::from_value(value.clone()).ok()
}

fn text(attributes: &Attributes, key: &str) -> Option<String> {
    attributes.text(&[key]).map(str::to_owned)
}
