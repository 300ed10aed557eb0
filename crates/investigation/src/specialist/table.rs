//! The table of specialists. Who adds one adds a line here.

use super::errors::Errors;
use super::events::Events;
use super::examine::Examine;
use super::host::Host;
use super::latency::Latency;
use super::logs::Logs;
use super::reported::Reported;
use super::resources;
use super::saturation::Saturation;
use super::trace::Traces;
use super::traffic::Traffic;

/// A specialist of the table.
pub(crate) type Expert = &'static dyn Examine;

/// All specialists, in the order of reports.
pub(crate) const SPECIALISTS: &[Expert] = &[
    &Latency,
    &Errors,
    &Traffic,
    &Saturation,
    &Traces,
    &Reported,
    &resources::LAMBDA,
    &resources::API_GATEWAY,
    &resources::STEP_FUNCTIONS,
    &resources::IAM,
    &resources::DYNAMO_DB,
    &resources::S3,
    &resources::SQS,
    &resources::SNS,
    &resources::EVENT_BRIDGE,
    &resources::VPC,
    &resources::ECS,
    &resources::DATABASE,
    &resources::LOAD_BALANCER,
    &resources::EXTERNAL_SERVICE,
    &resources::APPLICATION,
    &resources::NETWORK,
    &resources::HOST,
    &resources::GENERIC,
    &Logs,
    &Events,
    &Host,
];

/// The names of all specialists, in the order of reports.
#[must_use]
pub fn specialists() -> Vec<&'static str> {
    SPECIALISTS.iter().map(|expert| expert.name()).collect()
}

/// The capability of a specialist, which tasks for it require; `None` for a name that no specialist has.
#[must_use]
pub fn capability_of(name: &str) -> Option<&'static str> {
    let expert = SPECIALISTS.iter().find(|expert| expert.name() == name)?;
    Some(expert.capability())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_capabilities_are_unique() {
        let mut names = specialists();
        let mut capabilities: Vec<_> = SPECIALISTS.iter().map(|e| e.capability()).collect();
        for list in [&mut names, &mut capabilities] {
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), SPECIALISTS.len());
        }
    }
}
