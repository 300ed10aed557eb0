//! What every plugin must keep, checked by running it.
//!
//! The suite builds the plugin from an empty section and from its example, twice each, lets two orchestrators with it go through every hook there
//! is, and looks at what it did. It needs a current-thread runtime with paused time:
//!
//! ```
//! use universal_orchestrator::plugin::{HookSet, Plugin, PluginDescriptor, PluginManifest};
//! use universal_orchestrator_testkit::conformance::Suite;
//!
//! struct Quiet;
//! impl Plugin for Quiet {}
//! static QUIET: PluginDescriptor = PluginDescriptor::new(
//!     PluginManifest::new("quiet", "does nothing", HookSet::none()),
//!     |section| {
//!         let _: std::collections::BTreeMap<(), ()> = section.parse()?;
//!         Ok(Box::new(Quiet))
//!     },
//! );
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! Suite::of(&QUIET).run().await.assert_conforms();
//! # }
//! ```
//!
//! A plugin that refuses or rewrites what the suite does conforms; the rest of the flow is then skipped, and [`Report::not_called`] says which hooks
//! nobody looked at.

mod check;
mod flow;
mod probe;
mod suite;

pub use check::{Check, Report, Violation};
pub(crate) use probe::point_of;
pub use suite::Suite;
