//! Sets of capabilities and labels: sorted, hashed once, cheap to clone.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use foldhash::fast::FixedState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{Capability, IdError};

/// A set of capabilities. Equal sets are equal whatever the order in which they were written.
#[derive(Clone)]
pub struct CapabilitySet(Arc<Inner>);

struct Inner {
    hash: u64,
    items: Box<[Capability]>,
}

static EMPTY: LazyLock<CapabilitySet> =
    LazyLock::new(|| CapabilitySet::from_capabilities(Vec::new()));

impl CapabilitySet {
    /// The empty set, which every agent satisfies.
    #[must_use]
    pub fn empty() -> Self {
        EMPTY.clone()
    }

    /// Parses names; repeated names count once.
    ///
    /// # Errors
    /// [`IdError`] for the first name that is not a capability.
    pub fn new<I>(names: I) -> Result<Self, IdError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let items: Result<Vec<_>, _> = names.into_iter().map(Capability::new).collect();
        Ok(Self::from_capabilities(items?))
    }

    /// Collects parsed capabilities; repeated ones count once.
    #[must_use]
    pub fn from_capabilities(mut items: Vec<Capability>) -> Self {
        items.sort_unstable();
        items.dedup();
        Self(Arc::new(Inner {
            hash: FixedState::default().hash_one(&items),
            items: items.into_boxed_slice(),
        }))
    }

    /// The capabilities in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Capability> + '_ {
        self.0.items.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.items.is_empty()
    }

    /// Whether `name` is in the set.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0
            .items
            .binary_search_by(|item| item.as_str().cmp(name))
            .is_ok()
    }

    /// Whether every capability of `required` is in this set.
    #[must_use]
    pub fn contains_all(&self, required: &Self) -> bool {
        required.len() <= self.len() && required.iter().all(|c| self.contains(c.as_str()))
    }
}

impl Default for CapabilitySet {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialEq for CapabilitySet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash && self.0.items == other.0.items)
    }
}

impl Eq for CapabilitySet {}

impl Hash for CapabilitySet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for CapabilitySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for CapabilitySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Capability>::deserialize(deserializer).map(Self::from_capabilities)
    }
}

/// Labels of an agent, or the labels that a task demands: `name = value`, exact matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(Option<Arc<BTreeMap<Box<str>, Box<str>>>>);

impl Labels {
    /// No labels.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Sets one label, replacing an earlier value of the same name.
    pub fn insert(&mut self, name: &str, value: &str) {
        let map = self.0.get_or_insert_with(Arc::default);
        Arc::make_mut(map).insert(name.into(), value.into());
    }

    /// The value of one label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name).map(AsRef::as_ref)
    }

    /// Name and value of each label, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.0
            .iter()
            .flat_map(|map| map.iter().map(|(k, v)| (k.as_ref(), v.as_ref())))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every label of `required` is here with the same value.
    #[must_use]
    pub fn contains_all(&self, required: &Self) -> bool {
        required
            .iter()
            .all(|(name, value)| self.get(name) == Some(value))
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        let mut labels = Self::none();
        for (name, value) in items {
            labels.insert(name.as_ref(), value.as_ref());
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter() {
        let a = CapabilitySet::new(["rust", "python", "rust"]).unwrap();
        let b = CapabilitySet::new(["python", "rust"]).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.len(), 2);
    }

    #[test]
    fn matching_is_all_of_exact_and_case_sensitive() {
        let has = CapabilitySet::new(["python", "django"]).unwrap();
        for (required, expected) in [
            (vec![], true),
            (vec!["python"], true),
            (vec!["django", "python"], true),
            (vec!["Python"], false),
            (vec!["python", "rust"], false),
            (vec!["pyth"], false),
        ] {
            let required = CapabilitySet::new(&required).unwrap();
            assert_eq!(has.contains_all(&required), expected, "{required:?}");
        }
    }

    #[test]
    fn labels_match_by_name_and_value() {
        let has: Labels = [("zone", "eu"), ("gpu", "yes")].into_iter().collect();
        assert!(has.contains_all(&Labels::none()));
        assert!(has.contains_all(&[("zone", "eu")].into_iter().collect()));
        assert!(!has.contains_all(&[("zone", "us")].into_iter().collect()));
        assert!(!has.contains_all(&[("disk", "ssd")].into_iter().collect()));
    }
}
