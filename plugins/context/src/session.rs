//! Names of sessions and of their fragments.

use std::fmt;

use serde::{Deserialize, Serialize};
use universal_orchestrator::{IdError, Key, Tenant};

/// A session: its name, and whose it is. Sessions of two tenants with one name are two sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Tenant>,
    name: Key,
}

impl SessionId {
    /// A session of no tenant.
    ///
    /// # Errors
    /// [`IdError`] unless the name has 1 to 256 bytes and no control character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, IdError> {
        let name = Key::new(name)?;
        Ok(Self { tenant: None, name })
    }

    /// The session of this name of a tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{} of tenant {tenant}", self.name),
            None => self.name.fmt(f),
        }
    }
}

/// A fragment within its session: 1, 2, … in the order of arrival, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FragmentId(pub(crate) u64);

impl FragmentId {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FragmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
