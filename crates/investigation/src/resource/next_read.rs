//! What to read next about a resource, as a command that can be run.

use super::inventory::Resource;
use super::kind::ResourceKind;

/// One read that nobody made yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextRead {
    /// What it would show.
    pub(crate) action: String,
    /// The command, if one read does it.
    pub(crate) command: Option<String>,
}

/// The read that says most about a resource of its kind. `window` is from and to, in seconds since 1970.
pub(crate) fn next_read(resource: &Resource, window: Option<(f64, f64)>) -> NextRead {
    let name = quoted(&resource.name);
    let arn = resource.arn.as_ref().map(|arn| quoted(arn.as_str()));
    let region = match &resource.region {
        Some(region) => format!(" --region {}", quoted(region)),
        None => String::new(),
    };
    let (action, command) = match resource.kind() {
        ResourceKind::Lambda => (
            "read what the function logged when it failed".to_owned(),
            Some(format!(
                "aws logs filter-log-events --log-group-name {} --filter-pattern '?ERROR ?Exception ?\"timed out\"'{}{region}",
                quoted(&format!("/aws/lambda/{}", resource.name)),
                milliseconds(window),
            )),
        ),
        ResourceKind::ApiGateway => {
            let id = quoted(resource.id.as_deref().unwrap_or(&resource.name));
            match &resource.stage {
                Some(stage) => (
                    "read the execution log of the stage: it shows the integration's answer".to_owned(),
                    Some(format!(
                        "aws logs filter-log-events --log-group-name {}{}{region}",
                        quoted(&format!("API-Gateway-Execution-Logs_{}/{stage}", resource.id.as_deref().unwrap_or(&resource.name))),
                        milliseconds(window),
                    )),
                ),
                None => (
                    "list the stages of the API with their settings".to_owned(),
                    Some(format!("aws apigateway get-stages --rest-api-id {id}{region}")),
                ),
            }
        }
        ResourceKind::StepFunctions => match &arn {
            Some(arn) if !arn.contains(":execution:") && !arn.contains(":express:") => (
                "list the executions that failed; those of an express state machine stand in its logs".to_owned(),
                Some(format!("aws stepfunctions list-executions --state-machine-arn {arn} --status-filter FAILED{region}")),
            ),
            Some(arn) => (
                "read the error and cause of the execution".to_owned(),
                Some(format!("aws stepfunctions describe-execution --execution-arn {arn}{region}")),
            ),
            None => (
                "find the state machine that was started, and read its executions: a synchronous start answers 200 also when the execution fails".to_owned(),
                Some(format!("aws stepfunctions list-state-machines{region}")),
            ),
        },
        ResourceKind::Iam => (
            "read which policies the role has".to_owned(),
            Some(format!("aws iam list-attached-role-policies --role-name {name}")),
        ),
        ResourceKind::DynamoDb => (
            "read the table's state and capacity".to_owned(),
            Some(format!("aws dynamodb describe-table --table-name {name}{region}")),
        ),
        ResourceKind::S3 => (
            "read the bucket's policy".to_owned(),
            Some(format!("aws s3api get-bucket-policy --bucket {name}")),
        ),
        ResourceKind::Sqs => (
            "read the queue's backlog, age and settings".to_owned(),
            Some(format!(
                "aws sqs get-queue-attributes --attribute-names All --queue-url \"$(aws sqs get-queue-url --queue-name {name} --query QueueUrl --output text{region})\"{region}"
            )),
        ),
        ResourceKind::Sns => match &arn {
            Some(arn) => (
                "read the topic's policy and subscriptions".to_owned(),
                Some(format!("aws sns get-topic-attributes --topic-arn {arn}{region}")),
            ),
            None => ("find the topic's ARN".to_owned(), Some(format!("aws sns list-topics{region}"))),
        },
        ResourceKind::EventBridge => (
            "read the rule's state and targets".to_owned(),
            Some(format!("aws events list-rules --name-prefix {name}{region}")),
        ),
        ResourceKind::Vpc => (
            "read the checks of the machine and the network interface".to_owned(),
            Some(match resource.name.starts_with("i-") {
                true => format!("aws ec2 describe-instance-status --include-all-instances --instance-ids {name}{region}"),
                false => format!("aws ec2 describe-network-interfaces --filters Name=description,Values={}{region}", quoted(&format!("*{}*", resource.name))),
            }),
        ),
        ResourceKind::Ecs => {
            let cluster = resource.arn.as_ref().and_then(|arn| arn.parent());
            let cluster = cluster.map(|cluster| format!(" --cluster {}", quoted(cluster)));
            (
                "read how many tasks run and why others stopped".to_owned(),
                Some(format!("aws ecs describe-services --services {name}{}{region}", cluster.unwrap_or_default())),
            )
        }
        ResourceKind::Database if resource.arn.is_some() => (
            "read the state of the database".to_owned(),
            Some(format!("aws rds describe-db-instances --db-instance-identifier {name}{region}")),
        ),
        ResourceKind::Database => (
            "read what its sessions wait for".to_owned(),
            Some("psql -c 'select pid, state, wait_event_type, wait_event, now() - query_start as since, query from pg_stat_activity order by query_start'".to_owned()),
        ),
        ResourceKind::LoadBalancer => (
            "read which targets are healthy".to_owned(),
            Some(format!("aws elbv2 describe-load-balancers --names {name}{region}")),
        ),
        ResourceKind::ExternalService => (
            "ask it from where its caller runs".to_owned(),
            Some(format!(
                "curl -sS -o /dev/null -w '%{{http_code}} %{{time_total}}\\n' {}",
                quoted(&format!("https://{}/", resource.name))
            )),
        ),
        ResourceKind::Network => ("look the name up".to_owned(), Some(format!("dig {name}"))),
        ResourceKind::Host => (
            "read processor, memory and disk on it".to_owned(),
            Some("uptime && free -m && df -h".to_owned()),
        ),
        ResourceKind::Application => (
            "read its logs, traces and changes around the onset".to_owned(),
            None,
        ),
        ResourceKind::Other => (
            format!("read the state and logs of this {}", resource.type_name),
            None,
        ),
    };
    NextRead { action, command }
}

fn milliseconds(window: Option<(f64, f64)>) -> String {
    match window {
        Some((from, to)) => format!(
            " --start-time {:.0} --end-time {:.0}",
            (from * 1_000.0).floor(),
            (to * 1_000.0).ceil()
        ),
        None => String::new(),
    }
}

/// A word for a shell: what is not plain stands in single quotes, so that no name can run anything.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:@%+=-".contains(c);
    // A leading hyphen would be an option.
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return word.to_owned();
    }
    let visible: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", visible.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_next_read() {
        for kind in ResourceKind::ALL {
            let read = next_read(&Resource::named(kind.name(), "x"), None);
            assert!(!read.action.is_empty(), "{kind}");
            let without = matches!(kind, ResourceKind::Application | ResourceKind::Other);
            assert_eq!(read.command.is_none(), without, "{kind}");
        }
    }

    #[test]
    fn commands_name_region_and_window() {
        let mut lambda = Resource::named("lambda", "pay");
        lambda.region = Some("eu-west-1".to_owned());
        let command = next_read(&lambda, Some((1.0, 2.5))).command.unwrap();
        assert!(
            command.contains("/aws/lambda/pay") && command.contains("--region eu-west-1"),
            "{command}"
        );
        assert!(
            command.contains("--start-time 1000 --end-time 2500"),
            "{command}"
        );
    }

    #[test]
    fn hostile_names_stay_names() {
        for (name, shown) in [
            ("pay", "pay"),
            ("a b", "'a b'"),
            ("x; rm -rf /", "'x; rm -rf /'"),
            ("it's", "'it'\\''s'"),
            ("$(id)", "'$(id)'"),
            ("-rf", "'-rf'"),
            ("a\u{1b}[2J\nb", "'a[2Jb'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(name), shown);
        }
    }
}
