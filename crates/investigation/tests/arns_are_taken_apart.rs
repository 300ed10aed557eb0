//! ARNs of every partition and service, taken apart to exact type and name.

use proptest::prelude::*;
use universal_orchestrator_investigation::{ARN_BYTES_MAX, Arn, ArnError, ResourceKind};

/// One line an ARN: ARN | type | name | parent | qualifier.
const CORPUS: &str = include_str!("data/arns.txt");

#[test]
fn p2_arn_corpus_is_parsed_to_exact_type_and_name() {
    let lines: Vec<&str> = CORPUS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(lines.len() >= 80, "{}", lines.len());
    for line in lines {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [text, resource_type, name, parent, qualifier] = fields[..] else {
            panic!("{line}");
        };
        let arn: Arn = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        let read = (
            arn.resource_type(),
            arn.name(),
            arn.parent().unwrap_or(""),
            arn.qualifier().unwrap_or(""),
        );
        assert_eq!(read, (resource_type, name, parent, qualifier), "{text}");
        assert_eq!(arn.to_string(), text);
        assert!(
            text.ends_with(arn.resource()) && arn.partition().starts_with("aws"),
            "{text}"
        );
    }
}

#[test]
fn p2_partition_service_region_and_account_are_kept() {
    let arn: Arn = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:pay"
        .parse()
        .unwrap();
    assert_eq!(
        (arn.partition(), arn.service(), arn.region(), arn.account()),
        (
            "aws-us-gov",
            "lambda",
            Some("us-gov-west-1"),
            Some("123456789012")
        )
    );
    let bucket: Arn = "arn:aws:s3:::my.bucket.name/key".parse().unwrap();
    assert_eq!((bucket.region(), bucket.account()), (None, None));
    assert_eq!(bucket.kind(), ResourceKind::S3);
    let managed: Arn = "arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap();
    assert_eq!(
        (managed.account(), managed.kind()),
        (Some("aws"), ResourceKind::Iam)
    );
}

#[test]
fn p2_what_is_no_arn_is_refused_with_the_part_that_is_wrong() {
    for (text, part) in [
        ("", "beginning"),
        ("aws:lambda", "beginning"),
        ("arn:aws:lambda", "resource"),
        ("arn:aws:lambda:eu-west-1:123456789012", "resource"),
        (
            "arn:gcp:lambda:eu-west-1:123456789012:function:x",
            "partition",
        ),
        ("arn:aws::eu-west-1:123456789012:function:x", "service"),
        (
            "arn:aws:Lambda:eu-west-1:123456789012:function:x",
            "service",
        ),
        ("arn:aws:lambda:EU WEST:123456789012:function:x", "region"),
        ("arn:aws:lambda:eu-west-1:12345:function:x", "account"),
        ("arn:aws:lambda:eu-west-1:123456789012:", "resource"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "resource",
        ),
        (
            "arn:aws:states:eu-west-1:123456789012:execution:orders",
            "resource",
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:x\u{1b}[2J",
            "resource",
        ),
    ] {
        match text.parse::<Arn>() {
            Err(ArnError::Part { part: found, .. }) => assert_eq!(found, part, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let long = format!("arn:aws:s3:::{}", "x".repeat(ARN_BYTES_MAX));
    assert!(matches!(long.parse::<Arn>(), Err(ArnError::TooLong { .. })));
}

proptest! {
    #[test]
    fn any_text_is_an_arn_or_a_typed_error(text in "\\PC*") {
        let _ = text.parse::<Arn>();
    }

    #[test]
    fn any_resource_is_taken_apart_within_the_text(
        service in "(s3|sqs|sns|lambda|states|dynamodb|apigateway|execute-api|iam|sts|events|ecs|elasticloadbalancing|logs|autoscaling|kinesis|rds|ssm|bedrock|kafka|wafv2|other)",
        resource in "[a-zA-Z:/.*$é-]{1,40}",
    ) {
        let text = format!("arn:aws:{service}:eu-west-1:123456789012:{resource}");
        if let Ok(arn) = text.parse::<Arn>() {
            prop_assert!(!arn.name().is_empty());
            for part in [Some(arn.resource_type()), Some(arn.name()), arn.parent(), arn.qualifier()].into_iter().flatten() {
                prop_assert!(part == "queue" || part == "topic" || part == "bucket" || part == "function" || part == "api"
                    || part == "subscription" || resource.contains(part), "{part}");
            }
            prop_assert_eq!(arn.as_str(), text);
        }
    }
}
