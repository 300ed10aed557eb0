//! From which values on a setting or state of a resource is worth a fact.

use serde::{Deserialize, Serialize};

/// Bounds of the resource specialists. The defaults are documented with their sources in `docs/investigation.md`.
///
/// `resources.json` of an incident may set any of them under `thresholds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Thresholds {
    /// A call that took at least this share of its configured limit was about to be cut off. Default 0.9.
    pub near_timeout_share: f64,
    /// Lambda: errors over invocations, by sums; more is a fact. Default 0.1.
    pub lambda_error_share_max: f64,
    /// Lambda: memory used over memory configured; more is a fact. Default 0.9.
    pub lambda_memory_share_max: f64,
    /// API Gateway: its integration must answer within so many seconds. Default 29, the service's own limit.
    pub apigateway_integration_seconds: f64,
    /// SQS: a shorter visibility timeout, in seconds, is a fact. Default 30.
    pub sqs_visibility_seconds_min: f64,
    /// SQS: more waiting messages are a fact. Default 100.
    pub sqs_backlog_max: f64,
    /// SQS: more messages in flight are a fact. Default 50.
    pub sqs_in_flight_max: f64,
    /// SQS: a shorter retention, in seconds, is a fact. Default 86,400 (a day).
    pub sqs_retention_seconds_min: f64,
    /// SQS: an older oldest message, in seconds, is a fact. Default 3,600 (an hour).
    pub sqs_oldest_seconds_max: f64,
    /// SQS: deleted over received messages; less is a fact. Default 0.8.
    pub sqs_deleted_share_min: f64,
    /// SQS: more empty receives are a fact. Default 1,000.
    pub sqs_empty_receives_max: f64,
    /// SQS: fewer receives before the dead-letter queue are a fact. Default 3.
    pub sqs_receives_min: f64,
    /// SNS: delivered over published notifications; less is a fact. Default 0.95.
    pub sns_delivered_share_min: f64,
    /// SNS: larger messages, in bytes, are a fact. Default 200,000.
    pub sns_message_bytes_max: f64,
    /// S3: more requests in an hour are a fact. Default 1,000.
    pub s3_requests_hour_max: f64,
    /// S3: more bytes in the bucket are a fact. Default 10^11 (100 GB).
    pub s3_bytes_max: f64,
    /// Databases: connections in use over their maximum; more is a fact. Default 0.9.
    pub database_connections_share_max: f64,
    /// Hosts, databases and containers: processor utilisation in percent; more is a fact. Default 90.
    pub cpu_percent_max: f64,
    /// Hosts and containers: memory utilisation in percent; more is a fact. Default 90.
    pub memory_percent_max: f64,
    /// Hosts and databases: disk utilisation in percent; more is a fact. Default 90.
    pub disk_percent_max: f64,
    /// A request that takes so many seconds is slow, whatever is usual. Default 1.
    pub slow_seconds: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            near_timeout_share: 0.9,
            lambda_error_share_max: 0.1,
            lambda_memory_share_max: 0.9,
            apigateway_integration_seconds: 29.0,
            sqs_visibility_seconds_min: 30.0,
            sqs_backlog_max: 100.0,
            sqs_in_flight_max: 50.0,
            sqs_retention_seconds_min: 86_400.0,
            sqs_oldest_seconds_max: 3_600.0,
            sqs_deleted_share_min: 0.8,
            sqs_empty_receives_max: 1_000.0,
            sqs_receives_min: 3.0,
            sns_delivered_share_min: 0.95,
            sns_message_bytes_max: 200_000.0,
            s3_requests_hour_max: 1_000.0,
            s3_bytes_max: 1e11,
            database_connections_share_max: 0.9,
            cpu_percent_max: 90.0,
            memory_percent_max: 90.0,
            disk_percent_max: 90.0,
            slow_seconds: 1.0,
        }
    }
}
