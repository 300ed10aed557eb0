//! The accounts that something draws on.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use slotmap::{Key, KeyData};
use smallvec::SmallVec;

use crate::budget::AccountId;

slotmap::new_key_type! {
    /// Where the ledger keeps an open account. It is that of no other account, opened later in the same place.
    pub(super) struct AccountSlot;
}

/// The accounts that something draws on, the narrowest first. A cheap clone.
///
/// It remembers where the ledger keeps them, so that only its first use looks them up by name.
#[derive(Debug, Clone)]
pub(crate) struct Path(Arc<Steps>);

#[derive(Debug)]
struct Steps {
    ids: Box<[AccountId]>,
    /// Hints: the ledger checks each, under its lock.
    slots: SmallVec<[AtomicU64; 4]>,
}

impl Path {
    /// Where the account at this step was last seen.
    pub(super) fn slot(&self, at: usize) -> AccountSlot {
        let raw = self.0.slots[at].load(Ordering::Relaxed);
        KeyData::from_ffi(raw).into()
    }

    /// Remembers where the account at this step is.
    pub(super) fn remember(&self, at: usize, slot: AccountSlot) {
        self.0.slots[at].store(slot.data().as_ffi(), Ordering::Relaxed);
    }
}

impl Deref for Path {
    type Target = [AccountId];

    fn deref(&self) -> &[AccountId] {
        &self.0.ids
    }
}

impl FromIterator<AccountId> for Path {
    fn from_iter<I: IntoIterator<Item = AccountId>>(ids: I) -> Self {
        let ids: Box<[_]> = ids.into_iter().collect();
        let nowhere = AccountSlot::null().data().as_ffi();
        let slots = ids.iter().map(|_| AtomicU64::new(nowhere)).collect();
        Self(Arc::new(Steps { ids, slots }))
    }
}

impl From<Vec<AccountId>> for Path {
    fn from(ids: Vec<AccountId>) -> Self {
        ids.into_iter().collect()
    }
}
