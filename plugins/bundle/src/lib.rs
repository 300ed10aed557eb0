//! Links the plugins of this workspace into a program, a feature each.
//!
//! A plugin registers itself when its crate is linked, and a crate that is listed in `Cargo.toml` but named
//! nowhere is not linked: it would be missing without a word. So a program names this crate once,
//!
//! ```
//! use universal_orchestrator_bundle as _;
//! ```
//!
//! and this crate names the plugins, one line for each feature:
//!
//! ```text
//! #[cfg(feature = "security")]
//! pub use universal_orchestrator_security as security;
//! ```
//!
//! Their types are reached through it: `universal_orchestrator_bundle::security::BearerToken`.
//!
//! The features of all plugins are on by default. To choose, switch the defaults off:
//!
//! ```toml
//! universal-orchestrator-bundle = { version = "0.1", default-features = false, features = ["security"] }
//! ```
//!
//! What a program cannot do without it lists under `plugins.required` in its configuration: the start fails
//! when it is not linked. A single plugin needs no bundle: `use universal_orchestrator_security as _;`.
//!
//! # To add a plugin
//!
//! Its feature and its optional dependency in `Cargo.toml`, its line here, and its name in
//! `tests/linked_plugins.rs`, which fails until all of it is done.

// A plugin that is listed in Cargo.toml and has no line below would not be linked; this lint says so.
// Built for unit tests, of which there are none, it would complain about the dependencies of `tests/`.
#![cfg_attr(not(test), warn(unused_crate_dependencies))]

#[cfg(feature = "automation")]
#[doc(no_inline)]
pub use universal_orchestrator_automation as automation;
#[cfg(feature = "context")]
#[doc(no_inline)]
pub use universal_orchestrator_context as context;
#[cfg(feature = "performance")]
#[doc(no_inline)]
pub use universal_orchestrator_performance as performance;
#[cfg(feature = "security")]
#[doc(no_inline)]
pub use universal_orchestrator_security as security;
