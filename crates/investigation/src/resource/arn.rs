//! Amazon Resource Names: which partition, service, region and account, and exactly which resource.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::arn_forms::{Form, form};
use super::kind::ResourceKind;
use super::routing::route;

/// Bytes of an ARN at most; AWS itself allows 2,048 at most, and S3 keys may have 1,024.
pub const ARN_BYTES_MAX: usize = 2_048;

/// One ARN, taken apart. Its text form is the one that was parsed.
///
/// # Examples
///
/// ```
/// use universal_orchestrator_investigation::{Arn, ResourceKind};
///
/// let arn: Arn = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:payments:PROD".parse()?;
/// assert_eq!((arn.resource_type(), arn.name(), arn.qualifier()), ("function", "payments", Some("PROD")));
/// assert_eq!(arn.kind(), ResourceKind::Lambda);
/// # Ok::<(), universal_orchestrator_investigation::ArnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    text: String,
    /// Ends of partition, service, region and account in `text`.
    ends: [usize; 4],
    resource_type: String,
    name: String,
    parent: Option<String>,
    qualifier: Option<String>,
}

/// Why a text is no ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArnError {
    /// It is too long.
    #[error("an ARN has at most {ARN_BYTES_MAX} bytes, this has {bytes}; check where it ends")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It lacks one of the six parts, or the part cannot be what it should be.
    #[error(
        "{text:?} is no ARN: its {part} {problem}; the form is arn:partition:service:region:account:resource"
    )]
    Part {
        /// What was given, cut short.
        text: String,
        /// Which part is wrong.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, `aws-iso`, …
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.text["arn:".len()..self.ends[0]]
    }

    /// The service's namespace, for example `lambda` or `states`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.text[self.ends[0] + 1..self.ends[1]]
    }

    /// The region; global resources have none.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        present(&self.text[self.ends[1] + 1..self.ends[2]])
    }

    /// The account of twelve digits, or `aws` for what AWS itself manages; S3 buckets and API Gateway have none.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        present(&self.text[self.ends[2] + 1..self.ends[3]])
    }

    /// Everything after the account, as it was written.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.text[self.ends[3] + 1..]
    }

    /// The type in the words of its service, for example `function`, `stateMachine`, `bucket` or `queue`.
    #[must_use]
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The name of the resource itself, without type, parent and qualifier.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the resource belongs to: the table of an index, the cluster of a task, the API of a stage, the path of a role.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Version, alias, revision, session or key.
    #[must_use]
    pub fn qualifier(&self) -> Option<&str> {
        self.qualifier.as_deref()
    }

    /// Who looks at it: by service and type.
    #[must_use]
    pub fn kind(&self) -> ResourceKind {
        route(self.service()).kind
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn present(part: &str) -> Option<&str> {
    (!part.is_empty()).then_some(part)
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        if text.len() > ARN_BYTES_MAX {
            return Err(ArnError::TooLong { bytes: text.len() });
        }
        let refuse = |part, problem| {
            Err(ArnError::Part {
                text: text.chars().take(80).collect(),
                part,
                problem,
            })
        };
        let Some(rest) = text.strip_prefix("arn:") else {
            return refuse("beginning", "is not \"arn:\"");
        };
        let mut ends = [0; 4];
        let mut from = text.len() - rest.len();
        for end in &mut ends {
            let Some(length) = text[from..].find(':') else {
                return refuse("resource", "is missing");
            };
            *end = from + length;
            from = *end + 1;
        }
        let parts = [
            &text[4..ends[0]],
            &text[ends[0] + 1..ends[1]],
            &text[ends[1] + 1..ends[2]],
            &text[ends[2] + 1..ends[3]],
        ];
        let word = |part: &str| {
            part.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if parts[0] != "aws" && !(parts[0].starts_with("aws-") && word(parts[0])) {
            return refuse("partition", "is none of AWS");
        }
        if parts[1].is_empty() || !word(parts[1]) {
            return refuse(
                "service",
                "is not in lower-case letters, digits and hyphens",
            );
        }
        if !word(parts[2]) {
            return refuse("region", "is not in lower-case letters, digits and hyphens");
        }
        let digits =
            |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !(parts[3].is_empty() || parts[3] == "aws" || digits(parts[3])) {
            return refuse("account", "does not have twelve digits");
        }
        let resource = &text[from..];
        if resource.is_empty() || resource.chars().any(char::is_control) {
            return refuse("resource", "is empty or has control characters");
        }
        let Some(Form {
            resource_type,
            name,
            parent,
            qualifier,
        }) = form(parts[1], resource)
        else {
            return refuse("resource", "has no name");
        };
        Ok(Self {
            ends,
            resource_type: resource_type.to_owned(),
            name: name.to_owned(),
            parent: parent.map(str::to_owned),
            qualifier: qualifier.map(str::to_owned),
            text: text.to_owned(),
        })
    }
}

impl TryFrom<String> for Arn {
    type Error = ArnError;

    fn try_from(text: String) -> Result<Self, ArnError> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.text
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
