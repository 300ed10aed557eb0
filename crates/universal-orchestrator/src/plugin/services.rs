//! What plugins offer to agents, users and each other, by type.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use dashmap::DashMap;

/// Services by type. Offer a trait object: `services.offer::<dyn Clock>(Arc::new(MyClock))`.
#[derive(Default)]
pub struct Services(DashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Services {
    /// Offers a service, and returns the one of its type that it replaces.
    pub fn offer<T: ?Sized + Send + Sync + 'static>(&self, service: Arc<T>) -> Option<Arc<T>> {
        let before = self.0.insert(TypeId::of::<Arc<T>>(), Arc::new(service))?;
        before.downcast_ref::<Arc<T>>().cloned()
    }

    /// The service of a type.
    #[must_use]
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let service = self.any(TypeId::of::<Arc<T>>())?;
        service.downcast_ref::<Arc<T>>().cloned()
    }

    pub(crate) fn any(&self, id: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.get(&id).map(|service| Arc::clone(&service))
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Services({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    trait Greeter: Send + Sync {
        fn greet(&self) -> String;
    }

    struct English;

    impl Greeter for English {
        fn greet(&self) -> String {
            "hello".to_owned()
        }
    }

    #[test]
    fn a_service_is_found_by_its_trait() {
        let services = Services::default();
        assert!(services.get::<dyn Greeter>().is_none());
        services.offer::<dyn Greeter>(Arc::new(English));
        assert_eq!(services.get::<dyn Greeter>().unwrap().greet(), "hello");
    }
}
