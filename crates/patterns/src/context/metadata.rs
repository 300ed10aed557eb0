//! Typed values that a context carries.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::context::ContextError;

/// The most values that a context carries, one of each type.
pub const METADATA_MAX: usize = 32;

type Entry = (TypeId, Arc<dyn Any + Send + Sync>);

/// Typed values, shared with the contexts below until one of them adds its own.
#[derive(Clone, Default)]
pub(super) struct Metadata(Option<Arc<[Entry]>>);

impl Metadata {
    pub(super) fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        let wanted = TypeId::of::<T>();
        let entries = self.0.as_deref()?;
        let (_, value) = entries.iter().find(|(id, _)| *id == wanted)?;
        value.downcast_ref()
    }

    /// The same with further values; a value replaces one of its type.
    pub(super) fn with(&self, added: Added) -> Result<Self, ContextError> {
        if added.0.is_empty() {
            return Ok(self.clone());
        }
        let mut entries: Vec<Entry> = self.0.as_deref().unwrap_or_default().to_vec();
        for entry in added.0 {
            match entries.iter_mut().find(|(id, _)| *id == entry.0) {
                Some(place) => *place = entry,
                None => entries.push(entry),
            }
        }
        if entries.len() > METADATA_MAX {
            return Err(ContextError::TooMuchMetadata { max: METADATA_MAX });
        }
        Ok(Self(Some(entries.into())))
    }
}

/// Values to be added.
#[derive(Default)]
pub(super) struct Added(Vec<Entry>);

impl Added {
    pub(super) fn push<T: Any + Send + Sync>(&mut self, value: T) {
        self.0.push((TypeId::of::<T>(), Arc::new(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T: Any + Send + Sync>(metadata: &Metadata, value: T) -> Metadata {
        let mut added = Added::default();
        added.push(value);
        metadata.with(added).expect("there is room")
    }

    #[test]
    fn a_child_s_value_hides_its_parent_s_and_changes_nothing_there() {
        let parent = with(&with(&Metadata::default(), 1_u32), "a");
        let child = with(&parent, 2_u32);
        assert_eq!(
            (parent.get::<u32>(), child.get::<u32>()),
            (Some(&1), Some(&2))
        );
        assert_eq!(child.get::<&str>(), Some(&"a"));
        assert_eq!(child.get::<u8>(), None);
    }

    #[test]
    fn it_is_bounded() {
        struct Of<const N: usize>;
        macro_rules! add {
            ($added:ident, $($n:literal)*) => { $($added.push(Of::<$n>);)* };
        }
        let mut added = Added::default();
        add!(added, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        let full = Metadata::default().with(added).expect("thirty-two fit");
        let mut one_more = Added::default();
        one_more.push(Of::<32>);
        assert_eq!(
            full.with(one_more).err(),
            Some(ContextError::TooMuchMetadata { max: 32 })
        );
    }
}
