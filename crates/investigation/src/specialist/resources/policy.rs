//! Policy documents: what they grant to everybody, and what they deny.

use serde_json::Value;

use super::Reading;
use crate::evidence::weights::OPEN_POLICY;
use crate::evidence::{Category, FactKind, Findings, Unknown};

/// Names under which policies are given.
const POLICIES: &[&str] = &[
    "Policy",
    "PolicyDocument",
    "AssumeRolePolicyDocument",
    "ResourcePolicy",
    "BucketPolicy",
];
/// Statements of a policy that are read; AWS allows fewer.
const STATEMENTS_MAX: usize = 1_000;

/// Statements that allow everything, or anybody. A policy that cannot be read is unknown.
pub(super) fn policies(reading: &Reading<'_>, findings: &mut Findings) {
    for name in POLICIES {
        if reading.resource.attributes.get(&[name]).is_none() {
            continue;
        }
        let Some(policy) = reading.resource.attributes.document(&[name]) else {
            findings.unknown.push(Unknown {
                node: reading.name().to_owned(),
                what: (*name).to_owned(),
                reason: "it is no policy document in JSON".to_owned(),
            });
            continue;
        };
        for (number, statement) in statements(&policy).iter().take(STATEMENTS_MAX).enumerate() {
            let id = statement.get("Sid").and_then(Value::as_str);
            let id = id
                .filter(|id| !id.is_empty())
                .map_or_else(|| number.to_string(), str::to_owned);
            for grants in open_grants(statement) {
                let kind = FactKind::OpenPolicy {
                    statement: id.clone(),
                    grants: grants.to_owned(),
                };
                let text = format!("{name}, statement {id}: {grants}");
                findings.facts.push(reading.fact(
                    kind,
                    Category::Permission,
                    OPEN_POLICY,
                    text,
                    name,
                ));
            }
        }
    }
}

fn statements(policy: &Value) -> Vec<&Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => Vec::new(),
    }
}

fn open_grants(statement: &Value) -> Vec<&'static str> {
    let mut grants = Vec::new();
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return grants;
    }
    let has = |key: &str, wanted: &str| match statement.get(key) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(texts)) => texts.iter().any(|text| text == wanted),
        _ => false,
    };
    if has("Action", "*") && has("Resource", "*") {
        grants.push("every action on every resource");
    } else if has("Action", "*") {
        grants.push("every action");
    }
    let anybody = match statement.get("Principal") {
        Some(Value::String(text)) => text == "*",
        Some(Value::Object(principals)) => principals.values().any(|who| match who {
            Value::String(text) => text == "*",
            Value::Array(texts) => texts.iter().any(|text| text == "*"),
            _ => false,
        }),
        _ => false,
    };
    // A condition may narrow it; what it narrows is not judged here.
    if anybody && statement.get("Condition").is_none() {
        grants.push("access for anybody (Principal *)");
    }
    grants
}
