//! The open accounts, by name and by place.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use slotmap::SlotMap;
use smallvec::SmallVec;

use crate::budget::AccountId;
use crate::budget::account::Account;
use crate::budget::path::{AccountSlot, Path};

/// The open accounts.
#[derive(Debug, Default)]
pub(super) struct Books {
    by_name: HashMap<AccountId, AccountSlot>,
    accounts: SlotMap<AccountSlot, Account>,
}

/// The accounts of a path that are open, each with its step.
pub(super) type Found = SmallVec<[(usize, AccountSlot); 8]>;

impl Books {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn contains(&self, id: &AccountId) -> bool {
        self.by_name.contains_key(id)
    }

    pub(super) fn get(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(*self.by_name.get(id)?)
    }

    /// The account of this name, opened if it is not.
    pub(super) fn get_or_open(&mut self, id: AccountId) -> &mut Account {
        let accounts = &mut self.accounts;
        let slot = self.by_name.entry(id);
        let slot = *slot.or_insert_with(|| accounts.insert(Account::default()));
        &mut accounts[slot]
    }

    /// Opens an account; `false` when one of this name is open.
    pub(super) fn open(&mut self, id: AccountId, account: Account) -> bool {
        match self.by_name.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(self.accounts.insert(account));
                true
            }
        }
    }

    pub(super) fn close(&mut self, id: &AccountId) -> Option<Account> {
        let slot = self.by_name.remove(id)?;
        self.accounts.remove(slot)
    }

    /// Closes the accounts that do not stay.
    pub(super) fn retain(&mut self, stays: impl Fn(&AccountId, &Account) -> bool) {
        let accounts = &mut self.accounts;
        self.by_name.retain(|id, slot| {
            let stays = accounts.get(*slot).is_some_and(|a| stays(id, a));
            if !stays {
                accounts.remove(*slot);
            }
            stays
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&AccountId, &Account)> {
        let named = self.by_name.iter();
        named.filter_map(|(id, slot)| Some((id, self.accounts.get(*slot)?)))
    }

    /// The accounts of a path that are open. By name only where the path remembers nothing, or one that was closed.
    pub(super) fn find(&self, path: &Path) -> Found {
        let slot = |at: usize| {
            let remembered = path.slot(at);
            if self.accounts.contains_key(remembered) {
                return Some(remembered);
            }
            let slot = *self.by_name.get(&path[at])?;
            path.remember(at, slot);
            Some(slot)
        };
        (0..path.len())
            .filter_map(|at| Some((at, slot(at)?)))
            .collect()
    }

    /// An account that was found since the lock was taken.
    pub(super) fn at(&self, slot: AccountSlot) -> &Account {
        &self.accounts[slot]
    }

    /// As [`at`](Self::at), to be changed.
    pub(super) fn at_mut(&mut self, slot: AccountSlot) -> &mut Account {
        &mut self.accounts[slot]
    }
}
