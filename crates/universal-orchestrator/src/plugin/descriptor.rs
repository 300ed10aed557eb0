//! What a plugin says of itself before it runs, and how it links in.

use std::fmt;

use crate::plugin::{HookSet, Plugin, PluginError, PluginSection};

/// Name, hooks and order of a plugin.
#[derive(Debug, Clone, Copy)]
pub struct PluginManifest {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) hooks: HookSet,
    pub(crate) after: &'static [&'static str],
    pub(crate) after_if_linked: &'static [&'static str],
    pub(crate) example: &'static str,
}

impl PluginManifest {
    /// A plugin with a name (lower-case words joined by `_`), one line about it, and the hooks that it wants.
    #[must_use]
    pub const fn new(name: &'static str, summary: &'static str, hooks: HookSet) -> Self {
        Self {
            name,
            summary,
            hooks,
            after: &[],
            after_if_linked: &[],
            example: "",
        }
    }

    /// Plugins whose hooks of the same stage run before this one's. Each must be linked; one that is switched off is not waited for.
    #[must_use]
    pub const fn after(mut self, names: &'static [&'static str]) -> Self {
        self.after = names;
        self
    }

    /// As [`Self::after`], for plugins that need not be there: a guard that acts on what it sees comes after one that says who calls, if there is one.
    #[must_use]
    pub const fn after_if_linked(mut self, names: &'static [&'static str]) -> Self {
        self.after_if_linked = names;
        self
    }

    /// An example of its section in TOML; the conformance suite builds the plugin from it.
    #[must_use]
    pub const fn example(mut self, toml: &'static str) -> Self {
        self.example = toml;
        self
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// One line about it.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// The hooks that it wants.
    #[must_use]
    pub const fn hooks(&self) -> HookSet {
        self.hooks
    }

    /// Plugins that come before it.
    #[must_use]
    pub const fn comes_after(&self) -> &'static [&'static str] {
        self.after
    }

    /// Plugins that come before it when they are linked.
    #[must_use]
    pub const fn comes_after_if_linked(&self) -> &'static [&'static str] {
        self.after_if_linked
    }

    /// An example of its section.
    #[must_use]
    pub const fn example_section(&self) -> &'static str {
        self.example
    }
}

/// Builds a plugin from its section.
pub type BuildPlugin = fn(&PluginSection) -> Result<Box<dyn Plugin>, PluginError>;

/// A manifest and a factory: what a plugin crate links in.
#[derive(Clone, Copy)]
pub struct PluginDescriptor {
    pub(crate) manifest: PluginManifest,
    pub(crate) build: BuildPlugin,
}

impl PluginDescriptor {
    /// Joins manifest and factory, in a `const`.
    #[must_use]
    pub const fn new(manifest: PluginManifest, build: BuildPlugin) -> Self {
        Self { manifest, build }
    }

    /// The manifest.
    #[must_use]
    pub const fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }

    /// Builds the plugin.
    ///
    /// # Errors
    /// What the plugin's factory says.
    pub fn build(&self, section: &PluginSection) -> Result<Box<dyn Plugin>, PluginError> {
        (self.build)(section)
    }
}

impl fmt::Debug for PluginDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PluginDescriptor")
            .field(&self.manifest.name)
            .finish()
    }
}

/// An entry of the link-time list. Made by [`register_plugin!`](crate::register_plugin).
#[derive(Debug)]
pub struct Linked(#[doc(hidden)] pub &'static PluginDescriptor);

inventory::collect!(Linked);

/// The plugins linked into this program, by name.
///
/// A plugin crate that the program names nowhere is not linked: write `use its_crate as _;`, or use the bundle crate.
#[must_use]
pub fn linked() -> Vec<&'static PluginDescriptor> {
    let mut all: Vec<_> = inventory::iter::<Linked>
        .into_iter()
        .map(|linked| linked.0)
        .collect();
    all.sort_by_key(|descriptor| descriptor.manifest.name);
    all
}

/// Links a plugin in: once, at the root of its crate.
///
/// ```
/// use universal_orchestrator::plugin::{HookSet, Plugin, PluginDescriptor, PluginManifest};
/// struct Quiet;
/// impl Plugin for Quiet {}
/// static QUIET: PluginDescriptor = PluginDescriptor::new(
///     PluginManifest::new("quiet", "does nothing", HookSet::none()),
///     |_section| Ok(Box::new(Quiet)),
/// );
/// universal_orchestrator::register_plugin!(QUIET);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! register_plugin {
    ($descriptor:path) => {
        $crate::__private::inventory::submit! {
            $crate::plugin::Linked(&$descriptor)
        }
    };
}
