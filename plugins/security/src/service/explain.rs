//! Which role grants what.

use crate::config::RoleConfig;
use crate::grants::Pattern;
use crate::policy::{Identity, Policy};
use crate::service::{Explanation, Request};

/// A part of a request: the key that decides, and the name that it decides on.
type Part<'a> = (&'static str, &'a str);

pub(super) fn explain(policy: &Policy, identity: &Identity, request: &Request) -> Explanation {
    let reasons: Vec<(bool, String)> = parts(request)
        .into_iter()
        .map(|part| reason(policy, identity, part))
        .collect();
    Explanation {
        granted: reasons.iter().all(|(granted, _)| *granted),
        reasons: reasons.into_iter().map(|(_, text)| text).collect(),
    }
}

fn parts(request: &Request) -> Vec<Part<'_>> {
    match request {
        Request::Submit {
            task_type,
            requires,
        } => {
            let required = requires
                .iter()
                .map(|name| ("require_capabilities", &**name));
            std::iter::once(("submit_types", &**task_type))
                .chain(required)
                .collect()
        }
        Request::Register {
            agent,
            role,
            capabilities,
        } => {
            let capabilities = capabilities
                .iter()
                .map(|name| ("register_capabilities", &**name));
            [("register_agents", &**agent), ("register_roles", &**role)]
                .into_iter()
                .chain(capabilities)
                .collect()
        }
    }
}

fn reason(policy: &Policy, identity: &Identity, (key, name): Part<'_>) -> (bool, String) {
    for role_name in &identity.roles {
        let Some(role) = policy.roles.get(role_name) else {
            continue;
        };
        let patterns = patterns_of(role, key);
        let grants = |text: &&String| Pattern::parse(text).is_some_and(|p| p.matches(name));
        if let Some(pattern) = patterns.iter().find(grants) {
            let text = format!("{name:?}: granted by {pattern:?} in {key} of role {role_name}");
            return (true, text);
        }
    }
    let roles = match identity.roles.join(", ") {
        roles if roles.is_empty() => "it has no role".to_owned(),
        roles => format!("roles {roles} do not grant it"),
    };
    (false, format!("{name:?}: not in {key}: {roles}"))
}

fn patterns_of<'a>(role: &'a RoleConfig, key: &str) -> &'a [String] {
    match key {
        "submit_types" => &role.submit_types,
        "require_capabilities" => &role.require_capabilities,
        "register_agents" => &role.register_agents,
        "register_roles" => &role.register_roles,
        _ => &role.register_capabilities,
    }
}
