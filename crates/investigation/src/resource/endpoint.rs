//! What a URL says about the resource behind it.
//!
//! Host forms: "AWS service endpoints" of the AWS General Reference.

use super::kind::ResourceKind;
use super::routing::route;

/// The parts of a URL that matter here; what is missing is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl<'a> Url<'a> {
    /// Takes a URL apart, `None` without scheme or host. User names, ports and fragments are left out.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        if scheme.is_empty()
            || !scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+.-:".contains(&byte))
        {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_end);
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let host = match host.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or(address),
            None => host.split(':').next().unwrap_or(host),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        (!host.is_empty()).then_some(Self { host, path, query })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.query.split('&');
        pairs
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, value)| value)
    }
}

/// An AWS endpoint, and the resource that the request is for as far as the URL tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint<'a> {
    pub(crate) service: &'a str,
    pub(crate) kind: ResourceKind,
    pub(crate) region: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    /// Bucket, queue, function, API, machine, …
    pub(crate) name: Option<&'a str>,
    pub(crate) stage: Option<&'a str>,
    /// The operation of a query API, for example `StartSyncExecution`.
    pub(crate) action: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    /// The endpoint behind a URL, `None` when it is none of AWS.
    pub(crate) fn of(url: Url<'a>) -> Option<Self> {
        let host = url.host.trim_end_matches('.');
        let labels = [
            "amazonaws.com.cn",
            "amazonaws.com",
            "api.aws",
            "on.aws",
            "c2s.ic.gov",
            "sc2s.sgov.gov",
        ]
        .iter()
        .find_map(|suffix| strip_suffix(host, suffix))?;
        let mut labels: Vec<&str> = labels
            .split('.')
            .filter(|label| !label.is_empty())
            .collect();
        // The last labels are region and service, in either order; what stands before them names a resource.
        labels.retain(|label| !matches!(*label, "dualstack" | "vpce" | "fips"));
        let region_place = labels.iter().rposition(|label| is_region(label));
        let region = region_place.map(|place| labels.remove(place));
        let (service_at, service) = labels.iter().enumerate().rev().find_map(|(at, label)| {
            let label = label.strip_suffix("-fips").unwrap_or(label);
            service_of(label).map(|service| (at, service))
        })?;
        let before = labels[..service_at].first().copied();
        let mut endpoint = Self {
            service,
            kind: route(service).kind,
            region: region.or_else(|| {
                labels
                    .get(service_at)
                    .and_then(|label| dashed_region(label))
            }),
            account: None,
            name: None,
            stage: None,
            action: url.parameter("Action"),
        };
        endpoint.read_path(url, before);
        Some(endpoint)
    }

    fn read_path(&mut self, url: Url<'a>, before: Option<&'a str>) {
        let mut parts = url.path.split('/').filter(|part| !part.is_empty());
        match self.service {
            "s3" => {
                self.name = match strip_bucket(url.host) {
                    Some(bucket) => Some(bucket),
                    None => parts.next(),
                };
            }
            "sqs" => {
                let (account, queue) = (parts.next(), parts.next());
                self.account = account.filter(|account| is_account(account));
                self.name = queue.filter(|_| self.account.is_some());
            }
            "execute-api" => {
                self.name = before;
                self.stage = parts.next();
            }
            "lambda" => {
                // `/2015-03-31/functions/NAME/invocations`, or `ID.lambda-url.region.on.aws`.
                self.name = match parts.find(|part| *part == "functions") {
                    Some(_) => parts.next().map(last_of_arn),
                    None => before,
                };
            }
            "elasticloadbalancing" | "rds" | "elasticache" | "redshift" => self.name = before,
            _ => {}
        }
    }
}

fn strip_suffix<'a>(host: &'a str, suffix: &str) -> Option<&'a str> {
    let at = host.len().checked_sub(suffix.len())?;
    let tail = host.get(at..)?;
    let head = host.get(..at)?;
    (tail.eq_ignore_ascii_case(suffix) && head.ends_with('.')).then_some(head)
}

/// The service that a label of a host names, in the words of ARNs.
fn service_of(label: &str) -> Option<&'static str> {
    let known = [
        ("sync-states", "states"),
        ("states", "states"),
        ("execute-api", "execute-api"),
        ("lambda-url", "lambda"),
        ("lambda", "lambda"),
        ("dynamodb", "dynamodb"),
        ("streams", "dynamodb"),
        ("sqs", "sqs"),
        ("queue", "sqs"),
        ("sns", "sns"),
        ("events", "events"),
        ("scheduler", "scheduler"),
        ("pipes", "pipes"),
        ("iam", "iam"),
        ("sts", "sts"),
        ("apigateway", "apigateway"),
        ("ecs", "ecs"),
        ("ec2", "ec2"),
        ("rds", "rds"),
        ("rds-data", "rds-data"),
        ("elb", "elasticloadbalancing"),
        ("elasticloadbalancing", "elasticloadbalancing"),
        ("cache", "elasticache"),
        ("redshift", "redshift"),
        ("kms", "kms"),
        ("kinesis", "kinesis"),
        ("firehose", "firehose"),
        ("secretsmanager", "secretsmanager"),
        ("ssm", "ssm"),
        ("logs", "logs"),
        ("monitoring", "cloudwatch"),
        ("es", "es"),
        ("cognito-idp", "cognito-idp"),
        ("bedrock-runtime", "bedrock"),
    ];
    if label == "s3" || label.starts_with("s3-") {
        return Some("s3");
    }
    known
        .iter()
        .find(|(name, _)| label.eq_ignore_ascii_case(name))
        .map(|(_, service)| *service)
}

/// `eu-west-1`, `us-gov-east-1`, `us-iso-east-1`.
fn is_region(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let letters =
        |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [area, directions @ .., number] => {
            (1..=2).contains(&directions.len())
                && area.len() <= 4
                && letters(area)
                && directions
                    .iter()
                    .all(|part| part.len() >= 3 && letters(part))
                && number.len() <= 2
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// The region of the old form `s3-eu-west-1`.
fn dashed_region(label: &str) -> Option<&str> {
    label.strip_prefix("s3-").filter(|region| is_region(region))
}

/// The bucket of `bucket.with.dots.s3.region.amazonaws.com`.
fn strip_bucket(host: &str) -> Option<&str> {
    let at = host.rfind(".s3.").or_else(|| host.rfind(".s3-"))?;
    Some(&host[..at]).filter(|bucket| !bucket.is_empty())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A function may be named by its ARN, also URL-encoded.
fn last_of_arn(name: &str) -> &str {
    let mark = ["function:", "function%3A", "function%3a"]
        .iter()
        .find_map(|mark| name.find(mark).map(|at| at + mark.len()));
    let name = mark.map_or(name, |at| &name[at..]);
    let end = name.find([':', '%']).unwrap_or(name.len());
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, service: &str, region: Option<&str>, name: Option<&str>) {
        let endpoint = Endpoint::of(Url::of(url).unwrap()).unwrap_or_else(|| panic!("{url}"));
        assert_eq!(
            (endpoint.service, endpoint.region, endpoint.name),
            (service, region, name),
            "{url}"
        );
    }

    #[test]
    fn hosts_and_paths_name_service_region_and_resource() {
        let west = Some("eu-west-1");
        check(
            "https://sync-states.eu-west-1.amazonaws.com/?Action=StartSyncExecution",
            "states",
            west,
            None,
        );
        check(
            "https://a1b2.execute-api.eu-west-1.amazonaws.com/test/orders",
            "execute-api",
            west,
            Some("a1b2"),
        );
        check(
            "https://my.bucket.s3.eu-west-1.amazonaws.com/key",
            "s3",
            west,
            Some("my.bucket"),
        );
        check(
            "https://b.s3-eu-west-1.amazonaws.com/key",
            "s3",
            west,
            Some("b"),
        );
        check("https://s3.amazonaws.com/b/key", "s3", None, Some("b"));
        check(
            "https://b.s3.dualstack.eu-west-1.amazonaws.com/k",
            "s3",
            west,
            Some("b"),
        );
        check(
            "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs.fifo",
            "sqs",
            west,
            Some("jobs.fifo"),
        );
        check(
            "https://eu-west-1.queue.amazonaws.com/123456789012/jobs",
            "sqs",
            west,
            Some("jobs"),
        );
        check("https://sqs.eu-west-1.amazonaws.com/", "sqs", west, None);
        check(
            "https://dynamodb.cn-north-1.amazonaws.com.cn/",
            "dynamodb",
            Some("cn-north-1"),
            None,
        );
        check(
            "https://dynamodb-fips.us-gov-east-1.amazonaws.com/",
            "dynamodb",
            Some("us-gov-east-1"),
            None,
        );
        check(
            "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/pay/invocations",
            "lambda",
            west,
            Some("pay"),
        );
        check(
            "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Apay%3APROD/invocations",
            "lambda",
            west,
            Some("pay"),
        );
        check(
            "https://abc.lambda-url.eu-west-1.on.aws/",
            "lambda",
            west,
            Some("abc"),
        );
        check(
            "https://shop-123.eu-west-1.elb.amazonaws.com/x",
            "elasticloadbalancing",
            west,
            Some("shop-123"),
        );
        check(
            "https://shop.abc.eu-west-1.rds.amazonaws.com:5432/db",
            "rds",
            west,
            Some("shop"),
        );
        check("https://sts.amazonaws.com", "sts", None, None);
    }

    #[test]
    fn the_action_and_the_stage_are_kept() {
        let url = Url::of(
            "https://sync-states.eu-west-1.amazonaws.com/?Version=1&Action=StartSyncExecution",
        );
        let endpoint = Endpoint::of(url.unwrap()).unwrap();
        assert_eq!(endpoint.action, Some("StartSyncExecution"));
        assert_eq!(endpoint.kind, ResourceKind::StepFunctions);
        let url = Url::of("https://a1b2.execute-api.eu-west-1.amazonaws.com/test/orders");
        assert_eq!(Endpoint::of(url.unwrap()).unwrap().stage, Some("test"));
    }

    #[test]
    fn other_hosts_are_none_of_aws() {
        for text in [
            "https://api.example.com/v1",
            "https://evilamazonaws.com/",
            "https://amazonaws.com/",
            "https://x.amazonaws.com.evil.org/",
        ] {
            assert_eq!(Endpoint::of(Url::of(text).unwrap()), None, "{text}");
        }
        for text in ["", "no url", "://x", "https://", "https:///path"] {
            assert_eq!(Url::of(text), None, "{text}");
        }
    }

    #[test]
    fn users_ports_and_fragments_do_not_reach_the_host() {
        let url = Url::of("postgresql://user:secret@db.local:5432/shop?x=1#top").unwrap();
        assert_eq!(
            (url.host, url.path, url.query),
            ("db.local", "/shop", "x=1")
        );
        assert_eq!(Url::of("http://[::1]:80/a").unwrap().host, "::1");
    }
}
