//! A plugin's own part of the configuration.

use serde::de::DeserializeOwned;

use crate::plugin::PluginError;

/// The section `[plugins.<name>]`; empty when there is none.
#[derive(Debug, Clone, Default)]
pub struct PluginSection {
    plugin: String,
    table: toml::Table,
}

impl PluginSection {
    pub(crate) const fn new(plugin: String, table: toml::Table) -> Self {
        Self { plugin, table }
    }

    /// A section from TOML text, for tests of a plugin.
    ///
    /// # Errors
    /// [`PluginError::Section`] when the text is not TOML.
    pub fn from_toml(plugin: &str, text: &str) -> Result<Self, PluginError> {
        let table = text
            .parse()
            .map_err(|error: toml::de::Error| PluginError::Section {
                plugin: plugin.to_owned(),
                text: match error.span() {
                    Some(at) => format!("{} at byte {}", error.message(), at.start),
                    None => error.message().to_owned(),
                },
            })?;
        Ok(Self::new(plugin.to_owned(), table))
    }

    /// Whether nothing was configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Reads the section into the plugin's configuration type. Let that type `deny_unknown_fields`.
    ///
    /// # Errors
    /// [`PluginError::Section`] names the section and the key.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, PluginError> {
        T::deserialize(self.table.clone()).map_err(|error| PluginError::Section {
            plugin: self.plugin.clone(),
            text: error.message().to_owned(),
        })
    }
}
