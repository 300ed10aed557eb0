//! From what is linked, given and configured to the ordered list of plugins that run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plugin::error::write_told;
use crate::plugin::host::Loaded;
use crate::plugin::{Plugin, PluginDescriptor, PluginError, PluginManifest, PluginSection};

/// Why the set of plugins does not work. Each text says what to write instead.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Two plugins of one name.
    #[error(
        "two plugins are named {name:?} ({first} and {second}): remove one, or rename it in its manifest"
    )]
    Duplicate {
        /// The name.
        name: &'static str,
        /// Summary of the first.
        first: &'static str,
        /// Summary of the second.
        second: &'static str,
    },
    /// A plugin must be there and is not.
    #[error(
        "plugin {name:?} is required and not linked (linked: {linked}): add its crate to Cargo.toml and write `use its_crate as _;` in the program; plugins of this project can also come as a feature of universal-orchestrator-bundle"
    )]
    Required {
        /// The missing name.
        name: String,
        /// Those that are linked.
        linked: String,
    },
    /// A section for a plugin that is not there.
    #[error(
        "section [plugins.{name}] is for a plugin that is not linked (linked: {linked}): add its crate to Cargo.toml and write `use its_crate as _;` in the program, or remove the section; plugins of this project can also come as a feature of universal-orchestrator-bundle"
    )]
    SectionWithoutPlugin {
        /// The section.
        name: String,
        /// Those that are linked.
        linked: String,
    },
    /// `after` names a plugin that is not there.
    #[error(
        "plugin {name:?} comes after {after:?}, which is not part of this orchestrator: link it, or remove it from `after`"
    )]
    UnknownAfter {
        /// The plugin.
        name: &'static str,
        /// The unknown name.
        after: &'static str,
    },
    /// `after` goes in a circle.
    #[error("plugins come after each other in a circle: {}", .names.join(" -> "))]
    Cycle {
        /// The plugins of the circle.
        names: Vec<&'static str>,
    },
    /// A plugin could not be built.
    #[error("plugin {name:?} could not be built: {source}")]
    Build {
        /// The plugin.
        name: &'static str,
        /// Why.
        #[source]
        source: PluginError,
    },
}

impl fmt::Debug for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_told(self, f)
    }
}

/// Where a plugin comes from.
pub(crate) enum PluginSource {
    Descriptor(&'static PluginDescriptor),
    Value(PluginManifest, Box<dyn Plugin>),
}

impl PluginSource {
    const fn manifest(&self) -> &PluginManifest {
        match self {
            Self::Descriptor(descriptor) => &descriptor.manifest,
            Self::Value(manifest, _) => manifest,
        }
    }
}

/// What the configuration says about plugins.
pub(crate) struct PluginWishes {
    pub(crate) required: BTreeSet<String>,
    pub(crate) disabled: BTreeSet<String>,
    pub(crate) sections: BTreeMap<String, toml::Table>,
}

pub(crate) fn resolve(
    sources: Vec<PluginSource>,
    wishes: PluginWishes,
) -> Result<Vec<Loaded>, LinkError> {
    let mut by_name: BTreeMap<&'static str, PluginSource> = BTreeMap::new();
    for source in sources {
        let manifest = *source.manifest();
        if let Some(first) = by_name.insert(manifest.name, source) {
            return Err(LinkError::Duplicate {
                name: manifest.name,
                first: first.manifest().summary,
                second: manifest.summary,
            });
        }
    }
    let linked = || match by_name.keys().copied().collect::<Vec<_>>() {
        names if names.is_empty() => "none".to_owned(),
        names => names.join(", "),
    };
    if let Some(name) = wishes
        .required
        .iter()
        .find(|n| !by_name.contains_key(n.as_str()))
    {
        return Err(LinkError::Required {
            name: name.clone(),
            linked: linked(),
        });
    }
    if let Some(name) = wishes
        .sections
        .keys()
        .find(|n| !by_name.contains_key(n.as_str()))
    {
        return Err(LinkError::SectionWithoutPlugin {
            name: name.clone(),
            linked: linked(),
        });
    }
    let order = order(&by_name, &wishes.disabled)?;
    let mut loaded = Vec::with_capacity(order.len());
    for name in order {
        let Some(source) = by_name.remove(name) else {
            continue;
        };
        let table = wishes.sections.get(name).cloned().unwrap_or_default();
        let section = PluginSection::new(name.to_owned(), table);
        let (manifest, plugin) = match source {
            PluginSource::Value(manifest, plugin) => (manifest, plugin),
            PluginSource::Descriptor(descriptor) => {
                let plugin = descriptor
                    .build(&section)
                    .map_err(|source| LinkError::Build { name, source })?;
                (descriptor.manifest, plugin)
            }
        };
        loaded.push(Loaded::new(manifest, plugin, section));
    }
    Ok(loaded)
}

/// Declared order, ties by name: Kahn's algorithm on a sorted map. Nobody waits for a disabled plugin.
fn order(
    plugins: &BTreeMap<&'static str, PluginSource>,
    disabled: &BTreeSet<String>,
) -> Result<Vec<&'static str>, LinkError> {
    let runs = |name: &str| !disabled.contains(name);
    let mut waits_for: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
    for (name, source) in plugins.iter().filter(|(name, _)| runs(name)) {
        let after = source.manifest().after;
        if let Some(unknown) = after.iter().find(|a| !plugins.contains_key(*a)) {
            return Err(LinkError::UnknownAfter {
                name,
                after: unknown,
            });
        }
        let if_linked = source.manifest().after_if_linked.iter();
        let linked = if_linked.filter(|a| plugins.contains_key(*a));
        let after = after.iter().chain(linked).copied().filter(|a| runs(a));
        waits_for.insert(name, after.collect());
    }
    let mut order = Vec::with_capacity(waits_for.len());
    while !waits_for.is_empty() {
        let Some(next) = waits_for
            .iter()
            .find(|(_, after)| after.is_empty())
            .map(|(name, _)| *name)
        else {
            return Err(LinkError::Cycle {
                names: circle(&waits_for),
            });
        };
        waits_for.remove(next);
        for after in waits_for.values_mut() {
            after.remove(next);
        }
        order.push(next);
    }
    Ok(order)
}

/// Walks from the first waiting plugin until a name comes again.
fn circle(waits_for: &BTreeMap<&'static str, BTreeSet<&'static str>>) -> Vec<&'static str> {
    let mut path: Vec<&'static str> = Vec::new();
    let mut at = waits_for.keys().next().copied();
    while let Some(name) = at {
        if let Some(start) = path.iter().position(|n| *n == name) {
            path.drain(..start);
            path.push(name);
            return path;
        }
        path.push(name);
        at = waits_for
            .get(name)
            .and_then(|after| after.iter().next().copied());
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::HookSet;

    struct Quiet;
    impl Plugin for Quiet {}

    fn plugin(name: &'static str, after: &'static [&'static str]) -> PluginSource {
        PluginSource::Value(
            PluginManifest::new(name, "quiet", HookSet::none()).after(after),
            Box::new(Quiet),
        )
    }

    fn wishes() -> PluginWishes {
        PluginWishes {
            required: BTreeSet::new(),
            disabled: BTreeSet::new(),
            sections: BTreeMap::new(),
        }
    }

    fn names(sources: Vec<PluginSource>) -> Result<Vec<&'static str>, String> {
        resolve(sources, wishes())
            .map(|loaded| loaded.iter().map(|l| l.manifest.name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn order_is_after_then_name_whatever_the_link_order() {
        let expected = Ok(vec!["b", "a", "c"]);
        assert_eq!(
            names(vec![
                plugin("a", &["b"]),
                plugin("b", &[]),
                plugin("c", &[])
            ]),
            expected
        );
        assert_eq!(
            names(vec![
                plugin("c", &[]),
                plugin("b", &[]),
                plugin("a", &["b"])
            ]),
            expected
        );
    }

    #[test]
    fn one_that_need_not_be_linked_comes_before_when_it_is() {
        let late = || {
            let manifest = PluginManifest::new("a", "late", HookSet::none());
            PluginSource::Value(manifest.after_if_linked(&["b", "ghost"]), Box::new(Quiet))
        };
        assert_eq!(names(vec![late()]), Ok(vec!["a"]));
        assert_eq!(names(vec![late(), plugin("b", &[])]), Ok(vec!["b", "a"]));
        assert_eq!(
            names(vec![late(), plugin("b", &["a"])]).unwrap_err(),
            "plugins come after each other in a circle: a -> b -> a"
        );
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        assert!(
            names(vec![plugin("a", &[]), plugin("a", &[])])
                .unwrap_err()
                .contains("two plugins are named \"a\"")
        );
        assert!(
            names(vec![plugin("a", &["x"])])
                .unwrap_err()
                .contains("comes after \"x\"")
        );
        assert_eq!(
            names(vec![plugin("a", &["b"]), plugin("b", &["a"])]).unwrap_err(),
            "plugins come after each other in a circle: a -> b -> a"
        );
    }

    #[test]
    fn a_required_plugin_that_is_not_linked_says_what_to_write() {
        let mut wishes = wishes();
        wishes.required.insert("security".to_owned());
        let error = resolve(vec![plugin("a", &[])], wishes)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("add its crate to Cargo.toml and write `use its_crate as _;`"),
            "{error}"
        );
        assert!(error.contains("linked: a"), "{error}");
    }

    #[test]
    fn a_disabled_plugin_is_not_waited_for_and_keeps_nobody_from_starting() {
        let mut wishes = wishes();
        wishes.disabled.insert("b".to_owned());
        let sources = vec![
            plugin("a", &["b", "c"]),
            plugin("b", &["a", "ghost"]),
            plugin("c", &[]),
        ];
        let loaded = resolve(sources, wishes).unwrap();
        let names: Vec<_> = loaded.iter().map(|l| l.manifest.name).collect();
        assert_eq!(names, ["c", "a"]);
    }

    #[test]
    fn a_section_for_a_plugin_that_is_not_linked_is_an_error() {
        let mut wishes = wishes();
        wishes
            .sections
            .insert("contxt".to_owned(), toml::Table::new());
        assert!(matches!(
            resolve(vec![plugin("context", &[])], wishes),
            Err(LinkError::SectionWithoutPlugin { .. })
        ));
    }
}
