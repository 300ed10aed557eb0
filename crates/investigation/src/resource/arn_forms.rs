//! How each service writes the last part of its ARNs.
//!
//! Source: "Resource types defined by …" of the AWS Service Authorization Reference.
//! A service that is not named here follows the general form `type/parent/name` or `type:name:qualifier`.

/// The last part of an ARN, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form<'a> {
    pub(super) resource_type: &'a str,
    pub(super) name: &'a str,
    pub(super) parent: Option<&'a str>,
    pub(super) qualifier: Option<&'a str>,
}

impl<'a> Form<'a> {
    fn new(resource_type: &'a str, name: &'a str) -> Self {
        Self {
            resource_type,
            name,
            parent: None,
            qualifier: None,
        }
    }

    fn within(self, parent: &'a str) -> Self {
        Self {
            parent: Some(parent).filter(|parent| !parent.is_empty()),
            ..self
        }
    }

    fn qualified(self, qualifier: &'a str) -> Self {
        Self {
            qualifier: Some(qualifier).filter(|qualifier| !qualifier.is_empty()),
            ..self
        }
    }
}

/// Takes the resource of a service apart; `None` when nothing is left for a name.
pub(super) fn form<'a>(service: &str, resource: &'a str) -> Option<Form<'a>> {
    let form = match service {
        // These two write the type, the plain service does not.
        "s3express" | "s3-outposts" => s3_typed(resource),
        "s3" | "s3-object-lambda" => s3(resource),
        "sqs" => Form::new("queue", resource),
        "sns" => sns(resource),
        "lambda" => lambda(resource),
        "states" => states(resource),
        "dynamodb" => dynamodb(resource),
        "apigateway" => apigateway(resource),
        "execute-api" => execute_api(resource),
        "iam" => iam(resource),
        "sts" => sts(resource),
        "events" | "scheduler" | "schemas" => events(resource),
        "ecs" => ecs(resource),
        "elasticloadbalancing" => load_balancer(resource),
        "logs" => logs(resource),
        "autoscaling" => autoscaling(resource),
        "kinesis" => kinesis(resource),
        "rds" | "elasticache" | "redshift" | "secretsmanager" | "backup" | "cloudwatch" => {
            typed_by_colon(resource)
        }
        "ssm" | "ecr" | "codecommit" | "appconfig" => typed_with_path(resource),
        "bedrock" => bedrock(resource),
        "kafka" | "cloudformation" | "eks" | "xray" => name_then_id(resource),
        "wafv2" => wafv2(resource),
        _ => general(resource),
    };
    (!form.name.is_empty()).then_some(form)
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

/// Type and rest at the first colon or slash, whichever comes first.
fn type_and_rest(resource: &str) -> (&str, &str) {
    match resource.find([':', '/']) {
        Some(at) => (&resource[..at], &resource[at + 1..]),
        None => ("", resource),
    }
}

/// `type/name`, `type/parent/name`, `type:name`, `type:name:qualifier`, `type/name:qualifier`, or a name alone.
fn general(resource: &str) -> Form<'_> {
    let (resource_type, rest) = type_and_rest(resource.trim_start_matches('/'));
    let (path, qualifier) = match rest.rsplit_once(':') {
        Some((path, qualifier)) if !qualifier.contains('/') && !path.is_empty() => {
            (path, qualifier)
        }
        _ => (rest, ""),
    };
    let path = path.trim_end_matches('/');
    let form = match path.rsplit_once('/') {
        Some((parent, name)) => Form::new(resource_type, name).within(parent),
        None => Form::new(resource_type, path),
    };
    form.qualified(qualifier)
}

/// `type:name`, where the name may hold colons and slashes: snapshots `rds:…`, option groups, secrets, alarms.
fn typed_by_colon(resource: &str) -> Form<'_> {
    match resource.split_once(':') {
        Some((resource_type, name)) => Form::new(resource_type, name),
        None => general(resource),
    }
}

/// `type/name`, where the name may hold slashes: parameters, repositories.
fn typed_with_path(resource: &str) -> Form<'_> {
    let (resource_type, rest) = type_and_rest(resource);
    Form::new(resource_type, rest)
}

/// `type/name/id`: the name comes first, what follows tells generations of it apart.
fn name_then_id(resource: &str) -> Form<'_> {
    let (resource_type, rest) = type_and_rest(resource);
    let (head, tail) = cut(rest, '/');
    match (resource_type, tail) {
        // Clusters own these: `nodegroup/cluster/name/uuid`, `topic/cluster/uuid/name`.
        ("nodegroup" | "fargateprofile" | "addon" | "podidentityassociation", Some(tail)) => {
            let (name, id) = cut(tail, '/');
            Form::new(resource_type, name)
                .within(head)
                .qualified(id.unwrap_or(""))
        }
        ("topic" | "group", Some(tail)) if tail.contains('/') => {
            let (id, name) = cut(tail, '/');
            Form::new(resource_type, name.unwrap_or(id)).within(head)
        }
        _ => Form::new(resource_type, head).qualified(tail.unwrap_or("")),
    }
}

fn s3(resource: &str) -> Form<'_> {
    let (head, tail) = cut(resource, '/');
    match (head, tail) {
        ("accesspoint", Some(tail)) => {
            let (name, key) = cut(tail, '/');
            let key = key.map_or("", |key| key.strip_prefix("object/").unwrap_or(key));
            Form::new("accesspoint", name).qualified(key)
        }
        ("accesspoint", None) => Form::new("accesspoint", ""),
        ("job" | "storage-lens", Some(name)) => Form::new(head, name),
        (bucket, key) => Form::new("bucket", bucket).qualified(key.unwrap_or("")),
    }
}

/// `bucket/name`, `outpost/id/bucket/name`.
fn s3_typed(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let rest = rest.unwrap_or("");
    match rest.split_once('/') {
        Some((outpost, rest)) if resource_type == "outpost" => {
            let (part, name) = cut(rest, '/');
            Form::new(part, name.unwrap_or("")).within(outpost)
        }
        _ => Form::new(resource_type, rest),
    }
}

fn sns(resource: &str) -> Form<'_> {
    if resource.starts_with("app/") || resource.starts_with("endpoint/") {
        return general(resource);
    }
    // `topic:id` is a subscription.
    match resource.split_once(':') {
        Some((topic, id)) => Form::new("subscription", topic).qualified(id),
        None => Form::new("topic", resource),
    }
}

fn lambda(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, ':');
    let Some(rest) = rest else {
        return Form::new("function", resource);
    };
    let (name, qualifier) = cut(rest, ':');
    Form::new(resource_type, name).qualified(qualifier.unwrap_or(""))
}

fn states(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, ':');
    let rest = rest.unwrap_or("");
    let (name, tail) = cut(rest, ':');
    match resource_type {
        // `execution:machine:run`, `express:machine:run:id`.
        "execution" | "express" => {
            let (machine, label) = cut(name, '/');
            let run = tail.unwrap_or("");
            match label {
                Some(_) => Form::new(resource_type, run).within(machine),
                None => Form::new(resource_type, run).within(name),
            }
        }
        "mapRun" => {
            let (machine, _) = cut(name, '/');
            Form::new(resource_type, tail.unwrap_or("")).within(machine)
        }
        "stateMachine" => {
            let (machine, label) = cut(name, '/');
            Form::new(resource_type, machine).qualified(tail.or(label).unwrap_or(""))
        }
        _ => Form::new(resource_type, rest),
    }
}

fn dynamodb(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let (table, tail) = cut(rest.unwrap_or(""), '/');
    let part = tail.and_then(|tail| tail.split_once('/'));
    match (resource_type, part) {
        ("table", Some((part, name))) => Form::new(part, name).within(table),
        _ => Form::new(resource_type, table).qualified(tail.unwrap_or("")),
    }
}

/// `/restapis/id/stages/stage/…` and `/apis/id/…`: the API is the name, the stage its qualifier.
fn apigateway(resource: &str) -> Form<'_> {
    let mut parts = resource.trim_matches('/').split('/');
    let (resource_type, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let stage = match parts.next() {
        Some("stages") => parts.next().unwrap_or(""),
        _ => "",
    };
    let name = if name.is_empty() { resource_type } else { name };
    Form::new(resource_type, name).qualified(stage)
}

/// `api/stage/METHOD/path`.
fn execute_api(resource: &str) -> Form<'_> {
    let (api, tail) = cut(resource, '/');
    let (stage, _) = cut(tail.unwrap_or(""), '/');
    Form::new("api", api).qualified(stage)
}

/// Paths belong to roles, users and policies; identity providers have slashes in their names.
fn iam(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    match (resource_type, rest) {
        (root, None) => Form::new(root, root),
        ("oidc-provider", Some(name)) => Form::new(resource_type, name),
        (_, Some(path)) => match path.rsplit_once('/') {
            Some((parent, name)) => Form::new(resource_type, name).within(parent),
            None => Form::new(resource_type, path),
        },
    }
}

/// `assumed-role/role/session`: the role is the name, the session its qualifier.
fn sts(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let (name, session) = cut(rest.unwrap_or(resource), '/');
    Form::new(resource_type, name).qualified(session.unwrap_or(""))
}

fn events(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let rest = rest.unwrap_or("");
    match resource_type {
        // `rule/bus/name`, `schedule/group/name`; the default bus is not written. Partner buses have slashes.
        "rule" | "schedule" | "schema" => match rest.rsplit_once('/') {
            Some((parent, name)) => Form::new(resource_type, name).within(parent),
            None => Form::new(resource_type, rest),
        },
        "connection" | "api-destination" => {
            let (name, id) = cut(rest, '/');
            Form::new(resource_type, name).qualified(id.unwrap_or(""))
        }
        _ => Form::new(resource_type, rest),
    }
}

fn ecs(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let rest = rest.unwrap_or("");
    match resource_type {
        "task-definition" => {
            let (family, revision) = cut(rest, ':');
            Form::new(resource_type, family).qualified(revision.unwrap_or(""))
        }
        // `task/cluster/id`; before 2018 without the cluster.
        _ => match rest.rsplit_once('/') {
            Some((cluster, name)) => Form::new(resource_type, name).within(cluster),
            None => Form::new(resource_type, rest),
        },
    }
}

/// `loadbalancer/app/name/id`, `loadbalancer/name` (classic), `targetgroup/name/id`, `listener/app/name/id/id`.
fn load_balancer(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let rest = rest.unwrap_or("");
    let (head, tail) = cut(rest, '/');
    match (head, tail) {
        ("app" | "net" | "gwy", Some(tail)) => {
            let (name, id) = cut(tail, '/');
            Form::new(resource_type, name).qualified(id.unwrap_or(""))
        }
        (name, id) => Form::new(resource_type, name).qualified(id.unwrap_or("")),
    }
}

/// `log-group:name`, `log-group:name:*`, `log-group:name:log-stream:stream`; names have slashes, streams brackets.
fn logs(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, ':');
    let rest = rest.unwrap_or("");
    match rest.split_once(":log-stream:") {
        Some((group, stream)) => Form::new("log-stream", stream).within(group),
        None => Form::new(resource_type, rest.strip_suffix(":*").unwrap_or(rest)),
    }
}

/// `autoScalingGroup:id:autoScalingGroupName/name`, `scalingPolicy:id:autoScalingGroupName/name:policyName/policy`.
fn autoscaling(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, ':');
    let group = rest
        .and_then(|rest| rest.split_once("autoScalingGroupName/"))
        .map_or(rest.unwrap_or(""), |(_, group)| group);
    match group.split_once(":policyName/") {
        Some((group, policy)) => Form::new(resource_type, policy).within(group),
        None => Form::new(resource_type, group),
    }
}

fn kinesis(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    let (stream, tail) = cut(rest.unwrap_or(""), '/');
    match tail.and_then(|tail| tail.split_once('/')) {
        Some((part, name)) => {
            let (name, created) = cut(name, ':');
            Form::new(part, name)
                .within(stream)
                .qualified(created.unwrap_or(""))
        }
        None => Form::new(resource_type, stream),
    }
}

/// Model ids have dots and colons: `foundation-model/anthropic.claude-v2:1`.
fn bedrock(resource: &str) -> Form<'_> {
    let (resource_type, rest) = cut(resource, '/');
    Form::new(resource_type, rest.unwrap_or(resource))
}

/// `regional/webacl/name/id`.
fn wafv2(resource: &str) -> Form<'_> {
    let mut parts = resource.splitn(4, '/');
    let (scope, resource_type) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    Form::new(resource_type, parts.next().unwrap_or(""))
        .within(scope)
        .qualified(parts.next().unwrap_or(""))
}
