//! The tasks, live and retained.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde_json::Value;
use slotmap::SlotMap;

use crate::agent::AttemptCell;
use crate::budget::{AccountId, Amount, Hold, Path};
use crate::clock::Stamp;
use crate::engine::effects::Signal;
use crate::engine::pools::ClassIx;
use crate::engine::queue::{OrderKey, Spot};
use crate::engine::{AgentKey, TaskKey};
use crate::id::TaskId;
use crate::task::{TaskOutcome, TaskRecord, TaskState};

/// Which door a task came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Delegate,
    Submit,
    /// Like `Submit`; whoever called awaits the outcome.
    Execute,
}

/// Where a live task is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A reservation of `delegate_task` whose hooks run; not accepted yet.
    Provisional,
    /// In the ready queue.
    Ready,
    /// Waits for a timer.
    Delayed,
    /// Waits for so many other tasks.
    Blocked(u32),
    /// Ready but for its concurrency key.
    KeyLimited,
    /// Ready but for an account that has no room now.
    BudgetLimited,
    /// A failed attempt whose retry guard runs.
    Gate,
    /// Holds a slot; hooks before the delegation run.
    Reserved,
    /// Holds a slot.
    Bound,
    /// Over.
    Over,
}

/// One task.
pub(crate) struct TaskEntry {
    pub(crate) record: Arc<TaskRecord>,
    pub(crate) state: TaskState,
    pub(crate) door: Door,
    pub(crate) place: Place,
    pub(crate) level: u8,
    /// Whether the current attempt holds a lease: it was pulled by an external agent.
    pub(crate) leased: bool,
    pub(crate) attempt: u32,
    /// Position in its agent's list.
    pub(crate) slot: u32,
    pub(crate) class: ClassIx,
    pub(crate) order: OrderKey,
    /// Place in the order of acceptance; 0 before it.
    pub(crate) number: u64,
    pub(crate) accepted_at: Stamp,
    pub(crate) ready_at: Stamp,
    pub(crate) assigned_at: Stamp,
    pub(crate) deadline: Stamp,
    pub(crate) agent: Option<AgentKey>,
    pub(crate) cell: Option<Arc<AttemptCell>>,
    pub(crate) outcome: Option<TaskOutcome>,
    pub(crate) cold: Option<Box<Cold>>,
}

/// What few tasks have.
#[derive(Default)]
pub(crate) struct Cold {
    pub(crate) signal: Option<Arc<Signal>>,
    /// Tasks that come after this one.
    pub(crate) dependents: Vec<TaskKey>,
    pub(crate) children: Vec<TaskKey>,
    pub(crate) parent: Option<TaskKey>,
    pub(crate) progress: Option<Arc<Value>>,
    /// Last sign of life of the attempt.
    pub(crate) activity: Stamp,
    /// When a delayed task may run.
    pub(crate) due: Stamp,
    /// Since when nobody registered could do it.
    pub(crate) unroutable_since: Stamp,
    pub(crate) accounts: Option<Path>,
    /// Reservation of an external attempt; an in-process one has it in its cell.
    pub(crate) hold: Option<Hold>,
    pub(crate) spent: Amount,
    /// The account for which it waits, or waited before it became the turn of its lot.
    pub(crate) waits_for: Option<AccountId>,
    /// A key's place that the attempt holds.
    pub(crate) holds_key: bool,
}

impl TaskEntry {
    pub(crate) fn cold_mut(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    pub(crate) fn id(&self) -> &TaskId {
        self.record.id()
    }

    /// Its place in the queue.
    pub(crate) const fn spot(&self) -> Spot {
        Spot {
            class: self.class,
            level: self.level,
            order: self.order,
        }
    }

    pub(crate) fn holds_slot(&self) -> bool {
        matches!(self.place, Place::Reserved | Place::Bound)
            || (self.place == Place::Provisional && self.agent.is_some())
    }

    pub(crate) fn activity(&self) -> Stamp {
        self.cold
            .as_ref()
            .map_or(self.assigned_at, |c| c.activity.max(self.assigned_at))
    }
}

/// All tasks by key and by id.
#[derive(Default)]
pub(crate) struct TaskTable {
    pub(crate) entries: SlotMap<TaskKey, TaskEntry>,
    index: HashTable<TaskKey>,
    hasher: RandomState,
}

impl TaskTable {
    pub(crate) fn key(&self, id: &TaskId) -> Option<TaskKey> {
        let hash = self.hasher.hash_one(id);
        self.index
            .find(hash, |key| self.entries[*key].id() == id)
            .copied()
    }

    pub(crate) fn insert(&mut self, entry: TaskEntry) -> TaskKey {
        let hash = self.hasher.hash_one(entry.id());
        let key = self.entries.insert(entry);
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index
            .insert_unique(hash, key, |key| hasher.hash_one(entries[*key].id()));
        key
    }

    pub(crate) fn remove(&mut self, key: TaskKey) -> Option<TaskEntry> {
        let hash = self.hasher.hash_one(self.entries.get(key)?.id());
        if let Ok(entry) = self.index.find_entry(hash, |k| *k == key) {
            entry.remove();
        }
        self.entries.remove(key)
    }
}
