//! Who calls, and what proves it.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use crate::id::{IdError, PrincipalName};

/// What proves that a caller is who it says; only the plugin that made it can read it.
type Credential = Arc<dyn Any + Send + Sync>;

struct Parts {
    name: PrincipalName,
    credential: Option<Credential>,
}

/// Who calls: a name, and what proves it. A cheap clone.
///
/// The core believes every name. A plugin that does not, offers a type of credential and asks for it in its guard.
/// A credential is never shown, written or serialised by the core; views of tasks hold the name alone.
///
/// ```
/// use universal_orchestrator::Principal;
/// struct Badge(u32);
/// let ann = Principal::new("ann")?.with_credential(Badge(7));
/// assert_eq!(ann.name().as_str(), "ann");
/// assert_eq!(ann.credential::<Badge>().map(|b| b.0), Some(7));
/// assert_eq!(format!("{ann:?}"), r#"Principal("ann", with a credential)"#);
/// # Ok::<(), universal_orchestrator::IdError>(())
/// ```
#[derive(Clone)]
pub struct Principal(Arc<Parts>);

impl Principal {
    /// A name without proof: 1 to 256 bytes, no control characters.
    ///
    /// # Errors
    /// [`IdError`] names what is wrong with the text.
    pub fn new(name: impl AsRef<str>) -> Result<Self, IdError> {
        PrincipalName::new(name).map(Self::from)
    }

    /// Adds what proves the name, replacing what did before.
    #[must_use]
    pub fn with_credential<T: Any + Send + Sync>(self, credential: T) -> Self {
        self.proven_by(Some(Arc::new(credential)))
    }

    fn proven_by(self, credential: Option<Credential>) -> Self {
        let name = self.0.name.clone();
        Self(Arc::new(Parts { name, credential }))
    }

    /// Another name with this one's proof: somebody calls on behalf of another, and a guard decides whether it may.
    #[must_use]
    pub fn on_behalf_of(&self, name: PrincipalName) -> Self {
        Self::from(name).proven_by(self.0.credential.clone())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &PrincipalName {
        &self.0.name
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.name.as_str()
    }

    /// What proves the name, when it is of this type.
    #[must_use]
    pub fn credential<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.credential.as_ref()?.downcast_ref()
    }

    /// Whether nobody said who calls.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.as_str() == ANONYMOUS
    }

    /// Someone who did not say a name.
    pub(crate) fn anonymous() -> &'static Self {
        static NOBODY: LazyLock<Principal> = LazyLock::new(|| match Principal::new(ANONYMOUS) {
            Ok(nobody) => nobody,
            Err(_) => unreachable!("the literal is a name"),
        });
        &NOBODY
    }
}

/// The name of a caller that said none.
const ANONYMOUS: &str = "anonymous";

impl From<PrincipalName> for Principal {
    fn from(name: PrincipalName) -> Self {
        Self(Arc::new(Parts {
            name,
            credential: None,
        }))
    }
}

impl TryFrom<&str> for Principal {
    type Error = IdError;
    fn try_from(name: &str) -> Result<Self, IdError> {
        Self::new(name)
    }
}

impl TryFrom<String> for Principal {
    type Error = IdError;
    fn try_from(name: String) -> Result<Self, IdError> {
        Self::new(name)
    }
}

impl TryFrom<&String> for Principal {
    type Error = IdError;
    fn try_from(name: &String) -> Result<Self, IdError> {
        Self::new(name)
    }
}

impl From<&Principal> for Principal {
    fn from(principal: &Principal) -> Self {
        principal.clone()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.name, f)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proof = match self.0.credential {
            Some(_) => "with a credential",
            None => "without a credential",
        };
        write!(f, "Principal({:?}, {proof})", self.0.name)
    }
}

/// Two principals of one name are the same caller, whatever proves them.
impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}
