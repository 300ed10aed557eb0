//! Kinds of resources; each has one specialist.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a resource is, as far as it decides who looks at it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// AWS Lambda.
    Lambda,
    /// Amazon API Gateway, REST, HTTP and WebSocket.
    #[serde(rename = "apigateway")]
    ApiGateway,
    /// AWS Step Functions.
    #[serde(rename = "stepfunctions")]
    StepFunctions,
    /// IAM and STS: roles, users, policies.
    Iam,
    /// Amazon DynamoDB.
    #[serde(rename = "dynamodb")]
    DynamoDb,
    /// Amazon S3.
    S3,
    /// Amazon SQS.
    Sqs,
    /// Amazon SNS.
    Sns,
    /// Amazon EventBridge: buses, rules, schedules, pipes.
    #[serde(rename = "eventbridge")]
    EventBridge,
    /// Amazon VPC and EC2.
    Vpc,
    /// Amazon ECS, with Fargate.
    Ecs,
    /// Databases: RDS, Aurora, caches, and any other that is reached by SQL.
    Database,
    /// Load balancers.
    LoadBalancer,
    /// Something of somebody else, reached over the network.
    ExternalService,
    /// A service of one's own.
    Application,
    /// The network between: DNS, CDN, gateways, links.
    Network,
    /// A machine.
    Host,
    /// None of these; the generic specialist looks at it.
    #[serde(rename = "generic")]
    Other,
}

impl ResourceKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Lambda,
        Self::ApiGateway,
        Self::StepFunctions,
        Self::Iam,
        Self::DynamoDb,
        Self::S3,
        Self::Sqs,
        Self::Sns,
        Self::EventBridge,
        Self::Vpc,
        Self::Ecs,
        Self::Database,
        Self::LoadBalancer,
        Self::ExternalService,
        Self::Application,
        Self::Network,
        Self::Host,
        Self::Other,
    ];

    /// Its name, which is also that of its specialist.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::ApiGateway => "apigateway",
            Self::StepFunctions => "stepfunctions",
            Self::Iam => "iam",
            Self::DynamoDb => "dynamodb",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::EventBridge => "eventbridge",
            Self::Vpc => "vpc",
            Self::Ecs => "ecs",
            Self::Database => "database",
            Self::LoadBalancer => "load_balancer",
            Self::ExternalService => "external_service",
            Self::Application => "application",
            Self::Network => "network",
            Self::Host => "host",
            Self::Other => "generic",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
