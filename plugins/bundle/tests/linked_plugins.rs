//! Exactly the plugins whose features are on are linked, and no plugin of the workspace was forgotten.

use std::fs;
use std::path::Path;

use universal_orchestrator::plugin::linked;
use universal_orchestrator_bundle as _;

/// Each plugin with whether its feature is on, for example `("security", cfg!(feature = "security"))`.
const PLUGINS: &[(&str, bool)] = &[
    ("automation", cfg!(feature = "automation")),
    ("context", cfg!(feature = "context")),
    ("performance", cfg!(feature = "performance")),
    ("security", cfg!(feature = "security")),
];

#[test]
fn the_plugins_of_the_features_are_linked_and_no_others() {
    let names: Vec<&str> = linked().iter().map(|one| one.manifest().name()).collect();
    let mut expected: Vec<&str> = PLUGINS
        .iter()
        .filter(|(_, is_on)| *is_on)
        .map(|(name, _)| *name)
        .collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn every_plugin_crate_of_the_workspace_is_in_the_bundle() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<String> = fs::read_dir(plugins)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "bundle")
        .collect();
    folders.sort_unstable();
    let mut bundled: Vec<&str> = PLUGINS.iter().map(|(name, _)| *name).collect();
    bundled.sort_unstable();
    assert_eq!(folders, bundled);
}
