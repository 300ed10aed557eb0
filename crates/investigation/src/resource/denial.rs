//! Who was denied what: read from the messages of AWS services.
//!
//! Forms: "Troubleshoot access denied error messages" of the IAM User Guide.

use super::arn::Arn;

/// What a message says about a denied call. What it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Denial {
    /// Who called, as it is written: mostly an ARN.
    pub(crate) principal: Option<String>,
    /// What was called, `service:Operation`.
    pub(crate) action: Option<String>,
    /// What it was called on.
    pub(crate) resource: Option<String>,
    /// Which policy denies it.
    pub(crate) by: Option<DeniedBy>,
}

/// Which policy is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeniedBy {
    /// The principal's own: identity-based, boundary, session or organisation.
    Principal,
    /// That of the resource.
    Resource,
}

/// Marks between the principal and the action.
const NOT_AUTHORIZED: &[&str] = &[
    " is not authorized to perform: ",
    " is not authorized to perform ",
    " is not authorized to: ",
];

/// Words of messages that deny without saying who, what or on what.
const BARE: &[&str] = &[
    "access denied",
    "accessdenied",
    "not authorized to perform",
    "is not authorized to access",
    "is not authorized to assume",
    "cannot be assumed by",
    "not authorized to invoke",
    "permission denied to",
    "authorization failure message",
];

impl Denial {
    /// The denial in a message, `None` when it denies nothing.
    pub(crate) fn in_message(message: &str) -> Option<Self> {
        let found = NOT_AUTHORIZED
            .iter()
            .find_map(|mark| message.find(mark).map(|at| (at, mark.len())));
        let Some((at, length)) = found else {
            let lower = message.to_ascii_lowercase();
            let bare = BARE.iter().any(|words| lower.contains(words));
            return bare.then(|| Self {
                by: by(&lower),
                action: operation(message),
                ..Self::default()
            });
        };
        let before = &message[..at];
        let principal = before.rsplit(char::is_whitespace).next().map(bare_word);
        let rest = &message[at + length..];
        let action = rest.split_whitespace().next().map(bare_word);
        let resource = rest
            .find("on resource: ")
            .map(|at| &rest[at + "on resource: ".len()..])
            .and_then(|rest| rest.split_whitespace().next())
            .map(bare_word);
        let present = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            principal: present(principal),
            action: present(action).filter(|action| action.contains(':')),
            resource: present(resource),
            by: by(&rest.to_ascii_lowercase()),
        })
    }

    /// The ARNs that it names, without patterns: who was denied, and what.
    pub(crate) fn arns(&self) -> Vec<Arn> {
        let resource = self.resource.as_deref().filter(|text| !text.contains('*'));
        let resource = resource.and_then(|text| text.parse().ok());
        self.principal_arn().into_iter().chain(resource).collect()
    }

    /// The principal's ARN, when it is one.
    pub(crate) fn principal_arn(&self) -> Option<Arn> {
        self.principal.as_deref()?.parse().ok()
    }
}

/// Whether a class of exceptions says "denied".
pub(crate) fn is_denial_class(class: &str) -> bool {
    let name = class.rsplit(['.', ':', '$', '#']).next().unwrap_or(class);
    [
        "AccessDenied",
        "UnauthorizedOperation",
        "AuthorizationError",
        "NotAuthorized",
        "UnauthorizedException",
        "Forbidden",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn by(lower: &str) -> Option<DeniedBy> {
    if lower.contains("resource-based policy")
        || lower.contains("resource policy")
        || lower.contains("bucket policy")
    {
        return Some(DeniedBy::Resource);
    }
    [
        "identity-based policy",
        "permissions boundary",
        "session policy",
        "service control policy",
    ]
    .iter()
    .any(|words| lower.contains(words))
    .then_some(DeniedBy::Principal)
}

/// `An error occurred (AccessDenied) when calling the PutObject operation`: the operation without its service.
fn operation(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("when calling the ")?;
    let (operation, _) = rest.split_once(" operation")?;
    Some(operation.to_owned())
        .filter(|operation| operation.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn bare_word(word: &str) -> &str {
    let word = word.trim_matches(|c: char| matches!(c, '"' | '\'' | '(' | ')' | '`' | ','));
    word.strip_suffix('.').unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "arn:aws:sts::123456789012:assumed-role/pay-role/pay";

    fn check(
        message: &str,
        principal: Option<&str>,
        action: Option<&str>,
        resource: Option<&str>,
        by: Option<DeniedBy>,
    ) {
        let denial = Denial::in_message(message).unwrap_or_else(|| panic!("{message}"));
        assert_eq!(
            (
                denial.principal.as_deref(),
                denial.action.as_deref(),
                denial.resource.as_deref(),
                denial.by
            ),
            (principal, action, resource, by),
            "{message}"
        );
    }

    #[test]
    fn p5_principal_action_and_resource_are_read_from_the_messages_of_services() {
        let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders";
        for message in [
            format!(
                "User: {USER} is not authorized to perform: dynamodb:PutItem on resource: {table} because no identity-based policy allows the dynamodb:PutItem action"
            ),
            format!(
                "An error occurred (AccessDeniedException) when calling the PutItem operation: User: {USER} is not authorized to perform: dynamodb:PutItem on resource: \"{table}\" because no identity-based policy allows it"
            ),
        ] {
            check(
                &message,
                Some(USER),
                Some("dynamodb:PutItem"),
                Some(table),
                Some(DeniedBy::Principal),
            );
        }
        check(
            &format!(
                "User: {USER} is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::my.bucket/a.csv\" with an explicit deny in a resource-based policy"
            ),
            Some(USER),
            Some("s3:GetObject"),
            Some("arn:aws:s3:::my.bucket/a.csv"),
            Some(DeniedBy::Resource),
        );
        check(
            &format!(
                "User: {USER} is not authorized to perform: SNS:Publish on resource: arn:aws:sns:eu-west-1:123456789012:alerts with an explicit deny in a service control policy"
            ),
            Some(USER),
            Some("SNS:Publish"),
            Some("arn:aws:sns:eu-west-1:123456789012:alerts"),
            Some(DeniedBy::Principal),
        );
        check(
            "User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********9012:a1/prod/GET/x",
            Some("anonymous"),
            Some("execute-api:Invoke"),
            Some("arn:aws:execute-api:eu-west-1:********9012:a1/prod/GET/x"),
            None,
        );
        check(
            &format!(
                "User: {USER} is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows it"
            ),
            Some(USER),
            Some("ecr:GetAuthorizationToken"),
            Some("*"),
            Some(DeniedBy::Principal),
        );
        check(
            &format!("User: {USER} is not authorized to perform: sts:AssumeRole"),
            Some(USER),
            Some("sts:AssumeRole"),
            None,
            None,
        );
        check("Access Denied", None, None, None, None);
        check(
            "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
            None,
            Some("PutObject"),
            None,
            None,
        );
        check(
            "The role defined for the function cannot be assumed by Lambda.",
            None,
            None,
            None,
            None,
        );
    }

    #[test]
    fn other_messages_deny_nothing() {
        for message in [
            "",
            "Task timed out after 3.00 seconds",
            "Rate exceeded",
            "The conditional request failed",
            "authorized",
        ] {
            assert_eq!(Denial::in_message(message), None, "{message}");
        }
        assert!(is_denial_class(
            "com.amazonaws.dynamodb.v20120810#AccessDeniedException"
        ));
        assert!(!is_denial_class("ValidationException"));
    }
}
