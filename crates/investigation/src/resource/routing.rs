//! The routing table: from a type in anybody's words to the specialist that looks at it.
//!
//! It is complete and deterministic: every text has a row or goes to the generic specialist, and is listed as such.

use super::kind::ResourceKind;

/// One kind with the words that lead to it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RoutingRow {
    /// The kind.
    pub kind: ResourceKind,
    /// Words in everyday form, in lower case and without separators: `Lambda Function` and `lambda_function` are `lambdafunction`.
    pub words: &'static [&'static str],
    /// Services as ARNs, CloudFormation types and endpoints name them, in lower case.
    pub services: &'static [&'static str],
    /// Types that count more than their service: `service::type`, in lower case.
    pub types: &'static [&'static str],
}

/// Where a type leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The kind; [`ResourceKind::Other`] when no row knows the type.
    pub kind: ResourceKind,
    /// Whether a row knows the type. What no row knows is looked at by the generic specialist.
    pub known: bool,
}

const fn row(
    kind: ResourceKind,
    words: &'static [&'static str],
    services: &'static [&'static str],
    types: &'static [&'static str],
) -> RoutingRow {
    RoutingRow {
        kind,
        words,
        services,
        types,
    }
}

/// The table. No word, service or type stands in two rows.
pub const ROUTING_TABLE: &[RoutingRow] = &[
    row(
        ResourceKind::Lambda,
        &[
            "lambda",
            "lambdafunction",
            "awslambda",
            "function",
            "serverlessfunction",
        ],
        &["lambda"],
        &["serverless::function"],
    ),
    row(
        ResourceKind::ApiGateway,
        &[
            "apigateway",
            "apigw",
            "amazonapigateway",
            "restapi",
            "httpapi",
            "websocketapi",
            "apigatewaystage",
            "apigatewayrestapi",
            "api",
        ],
        &["apigateway", "apigatewayv2", "execute-api"],
        &["serverless::api", "serverless::httpapi"],
    ),
    row(
        ResourceKind::StepFunctions,
        &[
            "stepfunctions",
            "stepfunction",
            "awsstepfunctions",
            "statemachine",
            "stepfunctionsstatemachine",
            "sfn",
            "workflow",
        ],
        &["states", "stepfunctions", "sync-states"],
        &["serverless::statemachine"],
    ),
    row(
        ResourceKind::Iam,
        &[
            "iam",
            "iamrole",
            "role",
            "iampolicy",
            "policy",
            "iamuser",
            "awsiam",
            "sts",
        ],
        &["iam", "sts"],
        &[],
    ),
    row(
        ResourceKind::DynamoDb,
        &[
            "dynamodb",
            "dynamodbtable",
            "amazondynamodb",
            "dynamo",
            "table",
        ],
        &["dynamodb", "dynamodbstreams"],
        &["serverless::simpletable"],
    ),
    row(
        ResourceKind::S3,
        &["s3", "s3bucket", "amazons3", "bucket"],
        &["s3", "s3express", "s3-outposts", "s3-object-lambda"],
        &[],
    ),
    row(
        ResourceKind::Sqs,
        &["sqs", "sqsqueue", "amazonsqs", "queue"],
        &["sqs"],
        &[],
    ),
    row(
        ResourceKind::Sns,
        &["sns", "snstopic", "amazonsns", "topic"],
        &["sns"],
        &[],
    ),
    row(
        ResourceKind::EventBridge,
        &[
            "eventbridge",
            "amazoneventbridge",
            "eventbus",
            "eventrule",
            "eventbridgerule",
            "schedule",
            "scheduler",
        ],
        &["events", "eventbridge", "scheduler", "pipes", "schemas"],
        &[],
    ),
    row(
        ResourceKind::Vpc,
        &[
            "vpc",
            "amazonvpc",
            "ec2",
            "amazonec2",
            "ec2instance",
            "subnet",
            "securitygroup",
            "natgateway",
            "vpcendpoint",
            "networkinterface",
        ],
        &["ec2", "autoscaling"],
        &[],
    ),
    row(
        ResourceKind::Ecs,
        &[
            "ecs",
            "amazonecs",
            "ecsservice",
            "ecstask",
            "ecscluster",
            "ecscontainer",
            "fargate",
            "ecsfargate",
        ],
        &["ecs"],
        &[],
    ),
    row(
        ResourceKind::Database,
        &[
            "database",
            "db",
            "rds",
            "amazonrds",
            "rdsinstance",
            "dbinstance",
            "aurora",
            "sql",
            "postgres",
            "postgresql",
            "mysql",
            "mariadb",
            "oracle",
            "sqlserver",
            "redis",
            "memcached",
            "mongodb",
            "cassandra",
            "elasticache",
            "redshift",
        ],
        &[
            "rds",
            "rds-data",
            "docdb",
            "neptune",
            "redshift",
            "redshift-serverless",
            "elasticache",
            "memorydb",
            "dax",
            "cassandra",
            "timestream",
            "es",
            "opensearchservice",
            "aoss",
            "dsql",
        ],
        &[],
    ),
    row(
        ResourceKind::LoadBalancer,
        &[
            "loadbalancer",
            "lb",
            "elb",
            "alb",
            "nlb",
            "applicationloadbalancer",
            "networkloadbalancer",
            "targetgroup",
            "haproxy",
        ],
        &["elasticloadbalancing", "elasticloadbalancingv2"],
        &[],
    ),
    row(
        ResourceKind::ExternalService,
        &[
            "externalservice",
            "external",
            "remote",
            "thirdparty",
            "thirdpartyservice",
        ],
        &[],
        &[],
    ),
    row(
        ResourceKind::Application,
        &[
            "application",
            "app",
            "service",
            "microservice",
            "container",
            "pod",
            "deployment",
        ],
        &["elasticbeanstalk", "apprunner", "eks"],
        &[],
    ),
    row(
        ResourceKind::Network,
        &[
            "network",
            "dns",
            "cdn",
            "proxy",
            "gateway",
            "transitgateway",
            "cloudfront",
            "route53",
            "firewall",
        ],
        &[
            "cloudfront",
            "route53",
            "route53resolver",
            "appmesh",
            "globalaccelerator",
            "directconnect",
            "network-firewall",
            "networkmanager",
            "vpc-lattice",
        ],
        &["ec2::transitgateway", "ec2::networkacl"],
    ),
    row(
        ResourceKind::Host,
        &["host", "machine", "server", "node", "vm"],
        &[],
        &[],
    ),
];

/// Who looks at a type: an everyday word, an AWS type name (`AWS::Lambda::Function`), or the service of an ARN.
///
/// # Examples
///
/// ```
/// use universal_orchestrator_investigation::{ResourceKind, route};
///
/// assert_eq!(route("AWS::ECS::Fargate").kind, ResourceKind::Ecs);
/// assert_eq!(route("lambda_function").kind, ResourceKind::Lambda);
/// assert!(!route("AWS::Kinesis::Stream").known);
/// ```
#[must_use]
pub fn route(type_name: &str) -> Route {
    let lower = type_name.trim().to_ascii_lowercase();
    let found = match lower.split_once("::") {
        Some((vendor, rest)) => by_type(vendor, rest),
        None => by_service(&lower).or_else(|| by_word(&lower)),
    };
    Route {
        kind: found.unwrap_or(ResourceKind::Other),
        known: found.is_some(),
    }
}

/// `aws::service::type`, or another vendor's name, of which the first word counts: `database::sql`.
fn by_type(vendor: &str, rest: &str) -> Option<ResourceKind> {
    if vendor != "aws" {
        return by_word(vendor);
    }
    let service = rest.split("::").next().unwrap_or(rest);
    find(|row| row.types.contains(&rest))
        .or_else(|| by_service(service))
        .or_else(|| by_word(service))
}

fn by_service(service: &str) -> Option<ResourceKind> {
    find(|row| row.services.contains(&service))
}

fn by_word(text: &str) -> Option<ResourceKind> {
    let mut word = text.to_owned();
    word.retain(|c| !matches!(c, '_' | '-' | ' ' | '.' | '/'));
    find(|row| row.words.contains(&&*word))
}

fn find(holds: impl Fn(&RoutingRow) -> bool) -> Option<ResourceKind> {
    ROUTING_TABLE
        .iter()
        .find(|row| holds(row))
        .map(|row| row.kind)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_but_the_generic_one_has_a_row_and_no_word_has_two() {
        let kinds: HashSet<_> = ROUTING_TABLE.iter().map(|row| row.kind).collect();
        for kind in ResourceKind::ALL {
            assert_eq!(kinds.contains(&kind), kind != ResourceKind::Other, "{kind}");
            assert_eq!(route(kind.name()).kind, kind, "by its own name");
        }
        for words in [
            (|row| row.words) as fn(&RoutingRow) -> &'static [&'static str],
            |row| row.services,
            |row| row.types,
        ] {
            let mut seen = HashSet::new();
            for word in ROUTING_TABLE.iter().flat_map(words) {
                assert!(seen.insert(*word), "{word} stands in two rows");
            }
        }
    }

    #[test]
    fn types_of_traces_templates_and_people_find_their_specialist() {
        for (type_name, kind) in [
            ("AWS::Lambda", ResourceKind::Lambda),
            ("AWS::Lambda::Function", ResourceKind::Lambda),
            ("aws::lambda::function", ResourceKind::Lambda),
            ("AWS::Serverless::Function", ResourceKind::Lambda),
            ("lambda_function", ResourceKind::Lambda),
            ("Lambda Function", ResourceKind::Lambda),
            ("AWS::ApiGateway::Stage", ResourceKind::ApiGateway),
            ("AWS::ApiGatewayV2::Api", ResourceKind::ApiGateway),
            ("API-Gateway", ResourceKind::ApiGateway),
            ("execute-api", ResourceKind::ApiGateway),
            ("AWS::STEPFUNCTIONS", ResourceKind::StepFunctions),
            (
                "AWS::StepFunctions::StateMachine",
                ResourceKind::StepFunctions,
            ),
            ("step_functions", ResourceKind::StepFunctions),
            ("state machine", ResourceKind::StepFunctions),
            ("AWS::IAM::Role", ResourceKind::Iam),
            ("AWS::DynamoDB::Table", ResourceKind::DynamoDb),
            ("AWS::S3::Bucket", ResourceKind::S3),
            ("AWS::SQS::Queue", ResourceKind::Sqs),
            ("AWS::SNS", ResourceKind::Sns),
            ("AWS::Events::Rule", ResourceKind::EventBridge),
            ("AWS::Scheduler::Schedule", ResourceKind::EventBridge),
            ("AWS::EC2::Instance", ResourceKind::Vpc),
            ("AWS::EC2::VPC", ResourceKind::Vpc),
            ("AWS::EC2::TransitGateway", ResourceKind::Network),
            ("AWS::ECS::Container", ResourceKind::Ecs),
            ("AWS::ECS::Fargate", ResourceKind::Ecs),
            ("AWS::RDS::DBInstance", ResourceKind::Database),
            ("Database::SQL", ResourceKind::Database),
            ("PostgreSQL", ResourceKind::Database),
            (
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                ResourceKind::LoadBalancer,
            ),
            ("load balancer", ResourceKind::LoadBalancer),
            ("remote", ResourceKind::ExternalService),
            (
                "AWS::ElasticBeanstalk::Environment",
                ResourceKind::Application,
            ),
            ("AWS::EKS::Container", ResourceKind::Application),
            ("AWS::CloudFront::Distribution", ResourceKind::Network),
            ("host", ResourceKind::Host),
        ] {
            assert_eq!(route(type_name), Route { kind, known: true }, "{type_name}");
        }
    }

    #[test]
    fn an_unknown_type_goes_to_the_generic_specialist_and_is_marked() {
        for type_name in [
            "AWS::Kinesis::Stream",
            "quantum",
            "",
            "::",
            "aws::",
            "AWS::::",
        ] {
            let route = route(type_name);
            assert_eq!(
                (route.kind, route.known),
                (ResourceKind::Other, false),
                "{type_name}"
            );
        }
    }
}
