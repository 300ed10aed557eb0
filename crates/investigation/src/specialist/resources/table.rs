//! The specialists, each with its checks. `docs/investigation.md` has the same list with the sources of the bounds.

use super::checks::Check;
use super::{ResourceExpert, policy, ratios, states};
use crate::evidence::Category::{
    Configuration, Dependency, Errors, Network, Saturation, Throttling, Traffic,
};
use crate::evidence::weights::{SETTING, THRESHOLD, WEAK};
use crate::resource::ResourceKind;

pub(in crate::specialist) const LAMBDA: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Lambda,
    capability: "investigate.lambda",
    checks: &[
        Check::none(
            &["Throttles"],
            Throttling,
            THRESHOLD,
            "invocations were refused",
        ),
        Check::none(
            &["DeadLetterErrors"],
            Errors,
            WEAK,
            "failed events were lost",
        ),
    ],
    more: &[
        ratios::lambda_errors,
        ratios::lambda_memory,
        ratios::lambda_timeout,
        ratios::lambda_concurrency,
        states::state,
        policy::policies,
    ],
};

pub(in crate::specialist) const API_GATEWAY: ResourceExpert = ResourceExpert {
    kind: ResourceKind::ApiGateway,
    capability: "investigate.apigateway",
    checks: &[],
    more: &[
        ratios::apigateway_timeout,
        ratios::healthy_targets,
        policy::policies,
    ],
};

pub(in crate::specialist) const STEP_FUNCTIONS: ResourceExpert = ResourceExpert {
    kind: ResourceKind::StepFunctions,
    capability: "investigate.stepfunctions",
    checks: &[
        Check::none(
            &["ExecutionsFailed"],
            Errors,
            THRESHOLD,
            "executions failed",
        ),
        Check::none(
            &["ExecutionsTimedOut"],
            Errors,
            THRESHOLD,
            "executions ran out of time",
        ),
        Check::none(
            &["ExecutionsAborted"],
            Errors,
            WEAK,
            "executions were aborted",
        ),
        Check::none(
            &["ExecutionThrottled"],
            Throttling,
            THRESHOLD,
            "state transitions were refused",
        ),
    ],
    more: &[states::execution, states::state],
};

pub(in crate::specialist) const IAM: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Iam,
    capability: "investigate.iam",
    checks: &[],
    more: &[policy::policies],
};

pub(in crate::specialist) const DYNAMO_DB: ResourceExpert = ResourceExpert {
    kind: ResourceKind::DynamoDb,
    capability: "investigate.dynamodb",
    checks: &[
        Check::none(
            &["ThrottledRequests"],
            Throttling,
            THRESHOLD,
            "requests were refused",
        ),
        Check::none(
            &["ReadThrottleEvents"],
            Throttling,
            THRESHOLD,
            "reads were refused",
        ),
        Check::none(
            &["WriteThrottleEvents"],
            Throttling,
            THRESHOLD,
            "writes were refused",
        ),
        Check::none(&["SystemErrors"], Errors, THRESHOLD, "the service failed"),
    ],
    more: &[ratios::dynamodb_capacity, states::state, policy::policies],
};

pub(in crate::specialist) const S3: ResourceExpert = ResourceExpert {
    kind: ResourceKind::S3,
    capability: "investigate.s3",
    checks: &[
        Check::above(
            &["AllRequests", "requests_per_hour"],
            |t| t.s3_requests_hour_max,
            Traffic,
            WEAK,
            "many requests in an hour",
        ),
        Check::above(
            &["BucketSizeBytes", "size_bytes"],
            |t| t.s3_bytes_max,
            Saturation,
            SETTING,
            "a large bucket",
        ),
        Check::none(&["5xxErrors"], Errors, THRESHOLD, "requests failed"),
    ],
    more: &[policy::policies],
};

pub(in crate::specialist) const SQS: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Sqs,
    capability: "investigate.sqs",
    checks: &[
        Check::below(
            &["VisibilityTimeout", "visibility_timeout_seconds"],
            |t| t.sqs_visibility_seconds_min,
            Configuration,
            SETTING,
            "a slow consumer's message is delivered twice",
        ),
        Check::above(
            &[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesVisible",
                "backlog",
            ],
            |t| t.sqs_backlog_max,
            Saturation,
            THRESHOLD,
            "messages wait",
        ),
        Check::above(
            &["ApproximateNumberOfMessagesNotVisible", "in_flight"],
            |t| t.sqs_in_flight_max,
            Saturation,
            WEAK,
            "many messages are being worked on",
        ),
        Check::below(
            &["MessageRetentionPeriod", "retention_seconds"],
            |t| t.sqs_retention_seconds_min,
            Configuration,
            SETTING,
            "messages are dropped soon",
        ),
        Check::above(
            &["ApproximateAgeOfOldestMessage", "oldest_seconds"],
            |t| t.sqs_oldest_seconds_max,
            Saturation,
            THRESHOLD,
            "nobody takes its oldest message",
        ),
        Check::above(
            &["NumberOfEmptyReceives"],
            |t| t.sqs_empty_receives_max,
            Configuration,
            SETTING,
            "consumers ask in vain; long polling helps",
        ),
        Check::none(
            &["dlq_messages", "DeadLetterMessages"],
            Errors,
            THRESHOLD,
            "messages could not be worked on",
        ),
    ],
    more: &[ratios::sqs_deleted, ratios::sqs_redrive, policy::policies],
};

pub(in crate::specialist) const SNS: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Sns,
    capability: "investigate.sns",
    checks: &[
        Check::above(
            &["PublishSize", "message_bytes"],
            |t| t.sns_message_bytes_max,
            Configuration,
            SETTING,
            "close to the limit of 256 KiB",
        ),
        Check::none(
            &["SubscriptionsPending"],
            Configuration,
            SETTING,
            "subscribers have not confirmed and get nothing",
        ),
    ],
    more: &[ratios::sns_delivered, policy::policies],
};

pub(in crate::specialist) const EVENT_BRIDGE: ResourceExpert = ResourceExpert {
    kind: ResourceKind::EventBridge,
    capability: "investigate.eventbridge",
    checks: &[
        Check::none(
            &["FailedInvocations"],
            Errors,
            THRESHOLD,
            "targets could not be reached",
        ),
        Check::none(
            &["ThrottledRules"],
            Throttling,
            THRESHOLD,
            "rules were refused",
        ),
        Check::none(
            &["InvocationsSentToDlq"],
            Errors,
            WEAK,
            "events were put aside",
        ),
    ],
    more: &[states::state, policy::policies],
};

pub(in crate::specialist) const VPC: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Vpc,
    capability: "investigate.vpc",
    checks: &[
        Check::none(
            &["StatusCheckFailed"],
            Saturation,
            THRESHOLD,
            "the machine fails its checks",
        ),
        Check::none(
            &["ErrorPortAllocation"],
            Network,
            THRESHOLD,
            "the NAT gateway has no port left",
        ),
        Check::none(&["PacketsDropCount"], Network, WEAK, "packets were dropped"),
        Check::above(
            &["CPUUtilization", "cpu_percent"],
            |t| t.cpu_percent_max,
            Saturation,
            THRESHOLD,
            "the processor is busy",
        ),
    ],
    more: &[states::state, policy::policies],
};

pub(in crate::specialist) const ECS: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Ecs,
    capability: "investigate.ecs",
    checks: &[
        Check::above(
            &["CPUUtilization", "cpu_percent"],
            |t| t.cpu_percent_max,
            Saturation,
            THRESHOLD,
            "the processor is busy",
        ),
        Check::above(
            &["MemoryUtilization", "memory_percent"],
            |t| t.memory_percent_max,
            Saturation,
            THRESHOLD,
            "memory runs out",
        ),
    ],
    more: &[ratios::running, states::stopped, states::state],
};

pub(in crate::specialist) const DATABASE: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Database,
    capability: "investigate.database",
    checks: &[
        Check::above(
            &["CPUUtilization", "cpu_percent"],
            |t| t.cpu_percent_max,
            Saturation,
            THRESHOLD,
            "the processor is busy",
        ),
        Check::above(
            &["disk_percent"],
            |t| t.disk_percent_max,
            Saturation,
            THRESHOLD,
            "the disk is nearly full",
        ),
        Check::none(
            &["Deadlocks", "deadlocks"],
            Saturation,
            THRESHOLD,
            "transactions were aborted",
        ),
    ],
    more: &[
        ratios::database_connections,
        ratios::database_storage,
        states::state,
    ],
};

pub(in crate::specialist) const LOAD_BALANCER: ResourceExpert = ResourceExpert {
    kind: ResourceKind::LoadBalancer,
    capability: "investigate.load_balancer",
    checks: &[
        Check::none(
            &["UnHealthyHostCount"],
            Dependency,
            WEAK,
            "targets are not healthy",
        ),
        Check::none(
            &["HTTPCode_ELB_5XX_Count"],
            Errors,
            THRESHOLD,
            "the load balancer itself failed requests",
        ),
        Check::none(
            &["RejectedConnectionCount"],
            Saturation,
            THRESHOLD,
            "connections were refused",
        ),
        Check::none(
            &["TargetConnectionErrorCount"],
            Network,
            WEAK,
            "targets could not be reached",
        ),
    ],
    more: &[ratios::healthy_targets, states::state],
};

pub(in crate::specialist) const EXTERNAL_SERVICE: ResourceExpert = ResourceExpert {
    kind: ResourceKind::ExternalService,
    capability: "investigate.external_service",
    checks: &[],
    more: &[states::state],
};

pub(in crate::specialist) const APPLICATION: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Application,
    capability: "investigate.application",
    checks: &[
        Check::none(
            &["restarts", "restart_count"],
            Errors,
            THRESHOLD,
            "it was restarted",
        ),
        Check::above(
            &["cpu_percent"],
            |t| t.cpu_percent_max,
            Saturation,
            THRESHOLD,
            "the processor is busy",
        ),
        Check::above(
            &["memory_percent"],
            |t| t.memory_percent_max,
            Saturation,
            THRESHOLD,
            "memory runs out",
        ),
    ],
    more: &[ratios::running, states::stopped, states::state],
};

pub(in crate::specialist) const NETWORK: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Network,
    capability: "investigate.network",
    checks: &[
        Check::above(
            &["dns_lookup_seconds"],
            |t| t.slow_seconds,
            Network,
            THRESHOLD,
            "names are looked up slowly",
        ),
        Check::none(
            &["dropped_packets", "PacketsDropCount"],
            Network,
            WEAK,
            "packets were dropped",
        ),
    ],
    more: &[states::state],
};

pub(in crate::specialist) const HOST: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Host,
    capability: "investigate.host_settings",
    checks: &[
        Check::above(
            &["cpu_percent"],
            |t| t.cpu_percent_max,
            Saturation,
            THRESHOLD,
            "the processor is busy",
        ),
        Check::above(
            &["memory_percent"],
            |t| t.memory_percent_max,
            Saturation,
            THRESHOLD,
            "memory runs out",
        ),
        Check::above(
            &["disk_percent"],
            |t| t.disk_percent_max,
            Saturation,
            THRESHOLD,
            "the disk is nearly full",
        ),
    ],
    more: &[states::state],
};

pub(in crate::specialist) const GENERIC: ResourceExpert = ResourceExpert {
    kind: ResourceKind::Other,
    capability: "investigate.generic",
    checks: &[],
    more: &[states::state, policy::policies],
};
