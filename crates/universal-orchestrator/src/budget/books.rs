//! The open accounts, by name and by place.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use slotmap::SlotMap;

use crate::budget::account::Account;
use crate::budget::path::{AccountSlot, Path};
use crate::budget::{AccountId, Limits};

/// The open accounts.
#[derive(Debug, Default)]
pub(super) struct Books {
    by_name: HashMap<AccountId, AccountSlot>,
    accounts: SlotMap<AccountSlot, Account>,
}

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
        let slot = *slot.or_insert_with(|| {
            accounts.insert(Account::within(Box::default(), Limits::unlimited()))
        });
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

    /// Where the account at a step of a path is kept, if it is open. Looked up by name only where the path remembers nothing, or one that was closed.
    pub(super) fn find(&self, path: &Path, at: usize) -> Option<AccountSlot> {
        let remembered = path.slot(at);
        if self.accounts.contains_key(remembered) {
            return Some(remembered);
        }
        let slot = *self.by_name.get(&path[at])?;
        path.remember(at, slot);
        Some(slot)
    }

    /// The accounts of a path that are open, each with its step.
    pub(super) fn along<'a>(
        &'a self,
        path: &'a Path,
    ) -> impl Iterator<Item = (usize, AccountSlot, &'a Account)> {
        let open = move |at| {
            let slot = self.find(path, at)?;
            Some((at, slot, self.accounts.get(slot)?))
        };
        (0..path.len()).filter_map(open)
    }

    /// Changes each account of a path that is open.
    pub(super) fn change_along(
        &mut self,
        path: &Path,
        mut change: impl FnMut(usize, &mut Account),
    ) {
        for at in 0..path.len() {
            if let Some(slot) = self.find(path, at)
                && let Some(account) = self.accounts.get_mut(slot)
            {
                change(at, account);
            }
        }
    }

    /// An account that was found since the lock was taken.
    pub(super) fn at_mut(&mut self, slot: AccountSlot) -> &mut Account {
        &mut self.accounts[slot]
    }
}
