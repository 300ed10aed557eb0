//! All resources of an incident: merged from every input, each once, with where it was named.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::arn::Arn;
use super::attributes::Attributes;
use super::kind::ResourceKind;
use super::routing::route;

/// Resources of one inventory at most.
pub const RESOURCES_MAX: usize = 10_000;
/// Sources that are kept for one resource; further ones say nothing new.
const SOURCES_MAX: usize = 16;

/// One resource. All but its type and name may be unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its type as the input calls it, for example `AWS::Lambda::Function` or `database`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its name.
    pub name: String,
    /// Its ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// A technical id beside the name, for example that of an API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The stage of an API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What is known about it besides.
    #[serde(
        default,
        alias = "metadata",
        skip_serializing_if = "Attributes::is_empty"
    )]
    pub attributes: Attributes,
    /// Where it was named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Resource {
    /// A resource of which only type and name are known.
    #[must_use]
    pub fn named(type_name: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            type_name: type_name.into(),
            name: name.into(),
            arn: None,
            id: None,
            region: None,
            account: None,
            stage: None,
            attributes: Attributes::default(),
            sources: Vec::new(),
        }
    }

    /// The resource behind an ARN. What belongs to another resource is that one:
    /// the index of a table is its table, a run of a state machine is the machine, a log stream its group.
    #[must_use]
    pub fn of_arn(arn: &Arn) -> Self {
        let owner = match (arn.service(), arn.resource_type()) {
            ("dynamodb", "index" | "stream" | "backup" | "export" | "import")
            | ("states", "execution" | "express" | "mapRun")
            | ("kinesis", "consumer")
            | ("logs", "log-stream") => arn.parent(),
            _ => None,
        };
        let mut resource = Self::named(arn.service(), owner.unwrap_or(arn.name()));
        resource.region = arn.region().map(str::to_owned);
        resource.account = arn.account().map(str::to_owned);
        if arn.kind() == ResourceKind::ApiGateway {
            resource.id = Some(arn.name().to_owned());
            resource.stage = arn.qualifier().map(str::to_owned);
        }
        resource.arn = Some(arn.clone());
        resource
    }

    /// The same, with where it was named.
    #[must_use]
    pub fn from_source(mut self, source: impl Into<String>) -> Self {
        self.sources.push(source.into());
        self
    }

    /// Who looks at it.
    #[must_use]
    pub fn kind(&self) -> ResourceKind {
        route(&self.type_name).kind
    }

    /// Whether both can be one resource: same kind, a common name, and nothing that tells them apart.
    fn is(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(own: &Option<T>, other: &Option<T>) -> bool {
            matches!((own, other), (Some(own), Some(other)) if own != other)
        }
        let names = self.name == other.name
            || self.id.is_some() && self.id == other.id
            || self.id.as_deref() == Some(&*other.name)
            || other.id.as_deref() == Some(&*self.name);
        names
            && self.kind() == other.kind()
            && (self.kind() != ResourceKind::Other || same_type(self, other))
            && !differ(&self.region, &other.region)
            && !differ(&self.account, &other.account)
            && !differ(&self.stage, &other.stage)
    }

    fn absorb(&mut self, other: Self) {
        // An id stands in for a name until somebody knows the name.
        if self.id.as_deref() == Some(&*self.name) && self.name != other.name {
            self.name = other.name;
        }
        if self.type_name.len() < other.type_name.len() && other.type_name.contains("::") {
            self.type_name = other.type_name;
        }
        self.arn = self.arn.take().or(other.arn);
        self.id = self.id.take().or(other.id);
        self.region = self.region.take().or(other.region);
        self.account = self.account.take().or(other.account);
        self.stage = self.stage.take().or(other.stage);
        self.attributes.merge(&other.attributes);
        for source in other.sources {
            if self.sources.len() < SOURCES_MAX && !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
    }
}

fn same_type(own: &Resource, other: &Resource) -> bool {
    own.type_name.eq_ignore_ascii_case(&other.type_name)
}

/// Resources in the order in which they were named, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    resources: Vec<Resource>,
    /// Places by kind and name or id.
    places: HashMap<(ResourceKind, String), Vec<usize>>,
}

/// No room for one more resource.
#[derive(Debug, thiserror::Error)]
#[error("more than {RESOURCES_MAX} resources, {} is one too many; investigate a smaller part", .0.name)]
pub struct InventoryFull(
    /// The refused resource.
    pub Box<Resource>,
);

impl Inventory {
    /// Adds a resource, or what is new about one that is there, and says its place.
    ///
    /// # Errors
    ///
    /// [`RESOURCES_MAX`] resources are there; the refused one comes back.
    pub fn add(&mut self, resource: Resource) -> Result<usize, InventoryFull> {
        let kind = resource.kind();
        let keys: Vec<String> = [Some(&resource.name), resource.id.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let candidates = keys
            .iter()
            .filter_map(|key| self.places.get(&(kind, key.clone())))
            .flatten();
        let found = candidates
            .copied()
            .find(|place| self.resources[*place].is(&resource));
        let place = match found {
            Some(place) => {
                self.resources[place].absorb(resource);
                place
            }
            None if self.resources.len() >= RESOURCES_MAX => {
                return Err(InventoryFull(Box::new(resource)));
            }
            None => {
                self.resources.push(resource);
                self.resources.len() - 1
            }
        };
        for key in keys {
            let places = self.places.entry((kind, key)).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Ok(place)
    }

    /// The resources.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// One name for each resource, in their order: its own name if no other has it, else with what tells them apart.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.resources.iter().map(|r| r.name.clone()).collect();
        let marks: [fn(&Resource) -> Option<String>; 5] = [
            |resource| Some(resource.kind().name().to_owned()),
            |resource| resource.stage.clone(),
            |resource| resource.region.clone(),
            |resource| resource.account.clone(),
            |resource| {
                resource
                    .id
                    .clone()
                    .or_else(|| Some(resource.type_name.clone()))
            },
        ];
        for mark in marks {
            let mut count: BTreeMap<String, usize> = BTreeMap::new();
            for name in &names {
                *count.entry(name.clone()).or_default() += 1;
            }
            for (name, resource) in names.iter_mut().zip(&self.resources) {
                if count[name] > 1
                    && let Some(mark) = mark(resource)
                {
                    *name = format!("{name} ({mark})");
                }
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arn(text: &str) -> Resource {
        Resource::of_arn(&text.parse().unwrap()).from_source("arn")
    }

    #[test]
    fn p8_several_resources_of_one_type_are_all_kept() {
        let mut inventory = Inventory::default();
        for name in ["orders", "payments", "orders"] {
            inventory.add(Resource::named("lambda", name)).unwrap();
        }
        inventory
            .add(Resource::named("dynamodb", "orders"))
            .unwrap();
        assert_eq!(inventory.resources().len(), 3);
        assert_eq!(
            inventory.node_names(),
            ["orders (lambda)", "payments", "orders (dynamodb)"]
        );
    }

    #[test]
    fn p8_a_target_without_arn_is_the_resource_that_has_one() {
        let mut inventory = Inventory::default();
        let mut target = Resource::named("lambda_function", "pay").from_source("request");
        target.attributes.insert("Timeout", json!(3));
        inventory.add(target).unwrap();
        inventory
            .add(arn(
                "arn:aws:lambda:eu-west-1:123456789012:function:pay:PROD",
            ))
            .unwrap();
        inventory
            .add(arn("arn:aws:lambda:eu-west-1:123456789012:function:pay"))
            .unwrap();
        let [resource] = inventory.resources() else {
            panic!("{inventory:?}");
        };
        assert_eq!(resource.region.as_deref(), Some("eu-west-1"));
        assert_eq!(resource.attributes.number(&["timeout"]), Some(3.0));
        assert_eq!(resource.sources, ["request", "arn"]);
    }

    #[test]
    fn equal_names_in_two_regions_accounts_or_stages_stay_apart() {
        let mut inventory = Inventory::default();
        for (region, account) in [
            ("eu-west-1", "111111111111"),
            ("us-east-1", "111111111111"),
            ("eu-west-1", "222222222222"),
        ] {
            inventory
                .add(arn(&format!(
                    "arn:aws:lambda:{region}:{account}:function:pay"
                )))
                .unwrap();
        }
        for stage in ["test", "prod"] {
            inventory
                .add(arn(&format!(
                    "arn:aws:apigateway:eu-west-1::/restapis/a1/stages/{stage}"
                )))
                .unwrap();
        }
        let names = inventory.node_names();
        assert_eq!(names.len(), 5);
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 5, "{names:?}");
    }

    #[test]
    fn an_api_is_found_by_its_id_and_keeps_name_and_stage() {
        let mut inventory = Inventory::default();
        inventory
            .add(arn(
                "arn:aws:apigateway:eu-west-1::/restapis/a1b2/stages/test",
            ))
            .unwrap();
        let mut api = Resource::named("AWS::ApiGateway::Stage", "orders-api");
        api.id = Some("a1b2".into());
        api.account = Some("123456789012".into());
        inventory.add(api).unwrap();
        let [resource] = inventory.resources() else {
            panic!("{inventory:?}");
        };
        assert_eq!(
            (&*resource.name, resource.stage.as_deref()),
            ("orders-api", Some("test"))
        );
        assert_eq!(resource.account.as_deref(), Some("123456789012"));
    }

    #[test]
    fn the_inventory_is_bounded_and_hands_back() {
        let mut inventory = Inventory::default();
        for number in 0..RESOURCES_MAX {
            inventory
                .add(Resource::named("host", format!("h{number}")))
                .unwrap();
        }
        let refused = inventory.add(Resource::named("host", "more")).unwrap_err();
        assert_eq!(refused.0.name, "more");
        inventory.add(Resource::named("host", "h0")).unwrap();
    }
}
