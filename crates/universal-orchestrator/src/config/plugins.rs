//! The section `plugins`: a list of required ones, and one free table per plugin.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};

const REQUIRED: &str = "required";
const ENABLED: &str = "enabled";

/// Required plugins, and one table for each plugin that has settings.
///
/// In TOML the tables stand beside the list, as `[plugins.security]`. Each may hold `enabled`,
/// which the host reads; everything else in it belongs to the plugin, which checks it when it is
/// built.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PluginsConfig {
    /// Names of plugins without which the orchestrator does not start. Default empty.
    pub required: Vec<String>,

    /// The table of each plugin, by plugin name. Default empty.
    pub sections: BTreeMap<String, toml::Table>,
}

impl PluginsConfig {
    /// Gives what `plugins.<name>.enabled` says, if it says anything.
    pub fn enabled(&self, name: &str) -> Option<bool> {
        self.sections.get(name)?.get(ENABLED)?.as_bool()
    }

    /// Copies the settings that belong to the named plugin: its table without `enabled`.
    ///
    /// A plugin without a table gets an empty one.
    #[must_use]
    pub fn settings(&self, name: &str) -> toml::Table {
        let mut table = self.sections.get(name).cloned().unwrap_or_default();
        table.remove(ENABLED);
        table
    }
}

impl Serialize for PluginsConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.sections.len() + 1))?;
        map.serialize_entry(REQUIRED, &self.required)?;
        for (name, section) in &self.sections {
            map.serialize_entry(name, section)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for PluginsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PluginsVisitor)
    }
}

struct PluginsVisitor;

impl<'de> Visitor<'de> for PluginsVisitor {
    type Value = PluginsConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with `required` and one table per plugin")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PluginsConfig, A::Error> {
        let mut plugins = PluginsConfig::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == REQUIRED {
                plugins.required = map.next_value()?;
            } else {
                plugins.sections.insert(key, map.next_value()?);
            }
        }
        Ok(plugins)
    }
}

impl JsonSchema for PluginsConfig {
    fn schema_name() -> Cow<'static, str> {
        "PluginsConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Required plugins, and one table for each plugin that has settings.",
            "properties": {
                REQUIRED: {
                    "type": "array",
                    "items": { "type": "string" },
                    "default": [],
                    "description": "Names of plugins without which the orchestrator does not start. Default empty.",
                },
            },
            "additionalProperties": {
                "type": "object",
                "description": "Settings of one plugin, by plugin name; a table for a plugin that is not linked is \
                    an error at the start, and so is a key that the plugin does not know.",
                "properties": {
                    ENABLED: {
                        "type": ["boolean", "null"],
                        "default": null,
                        "examples": [true],
                        "description": "Whether the plugin takes part: true requires it, false keeps it out. \
                            Default unset: it takes part if it is linked.",
                    },
                },
            },
        })
    }
}
