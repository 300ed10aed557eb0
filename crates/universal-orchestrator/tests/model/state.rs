//! What the model knows.

use std::collections::{BTreeMap, VecDeque};

use universal_orchestrator::{Availability, TaskState};

/// The numbers of the configuration that the model is told.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) queue_max: usize,
    pub(crate) queue_unroutable: bool,
    pub(crate) unroutable_ttl: u64,
    pub(crate) lease: u64,
    pub(crate) attempt_timeout: u64,
    pub(crate) attempts: u32,
    pub(crate) base_delay: u64,
    pub(crate) max_delay: u64,
    pub(crate) ageing: u64,
    pub(crate) silence_factor: u64,
}

/// A registration of an agent: the same name registered again is another.
#[derive(Debug, Clone)]
pub(crate) struct ModelAgent {
    pub(crate) name: usize,
    pub(crate) capabilities: u8,
    pub(crate) concurrency: u32,
    pub(crate) in_process: bool,
    pub(crate) heartbeat: Option<u64>,
    pub(crate) asleep: Option<Availability>,
    pub(crate) quarantined: bool,
    pub(crate) reachable: bool,
    pub(crate) last_seen: u64,
    /// In the order of their slots.
    pub(crate) tasks: Vec<usize>,
    pub(crate) zombies: u32,
    pub(crate) order: u64,
    /// Waits in `next_task`.
    pub(crate) waits: bool,
}

impl ModelAgent {
    pub(crate) fn availability(&self) -> Availability {
        if self.quarantined {
            return Availability::Quarantined;
        }
        match self.asleep {
            Some(asleep) => asleep,
            None if !self.reachable => Availability::Unreachable,
            None => Availability::Available,
        }
    }

    pub(crate) fn taken(&self) -> u32 {
        self.tasks.len() as u32 + self.zombies
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.taken() < self.concurrency && self.availability() == Availability::Available
    }

    /// Whether the queue may push to it.
    pub(crate) fn takes_pushes(&self) -> bool {
        self.is_ready() && (self.in_process || self.waits)
    }

    pub(crate) fn can(&self, required: u8) -> bool {
        self.capabilities & required == required
    }
}

/// Where a live task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Ready,
    Delayed,
    Bound,
    Over,
}

#[derive(Debug, Clone)]
pub(crate) struct ModelTask {
    pub(crate) id: String,
    pub(crate) required: u8,
    pub(crate) level: usize,
    pub(crate) delegated: bool,
    pub(crate) retry: Option<(u32, u64)>,
    pub(crate) deadline: Option<u64>,
    pub(crate) timeout: Option<u64>,
    pub(crate) due: u64,
    pub(crate) state: TaskState,
    pub(crate) place: Place,
    pub(crate) attempt: u32,
    /// The registration of the current or last agent.
    pub(crate) agent: Option<u64>,
    pub(crate) leased: bool,
    pub(crate) active_at: u64,
    /// Its place among its equals.
    pub(crate) order: u64,
    pub(crate) ready_at: u64,
    /// Since when nobody registered could do it.
    pub(crate) unroutable_since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    Due(usize),
    Deadline(usize),
    Attempt(usize, u32),
    Lease(usize, u32),
    Zombie(usize, u32),
    Heartbeat(u64),
    Unroutable(usize),
}

/// What follows from a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Agent(u64),
    /// All tasks that require the same.
    Class(u8),
    All,
}

/// What the runtime does after a decision, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// An attempt in this process begins.
    Begin(usize, u32, u64),
    /// One that was cancelled ends.
    Stopped(u64),
    /// The test lets one end.
    End(usize, u32, crate::model::step::Told),
}

/// A delegation that was ever given out.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) task: usize,
    pub(crate) agent: usize,
    pub(crate) attempt: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) retries: u64,
    pub(crate) reports_refused: u64,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) now: u64,
    /// By registration.
    pub(crate) agents: BTreeMap<u64, ModelAgent>,
    pub(crate) tasks: Vec<ModelTask>,
    pub(crate) issued: Vec<Issued>,
    pub(crate) timers: BTreeMap<(u64, u64), Timer>,
    pub(crate) work: VecDeque<Work>,
    pub(crate) jobs: VecDeque<Job>,
    /// Attempts that the decision in hand has bound in this process.
    pub(crate) launches: VecDeque<Job>,
    /// Attempts in this process that it has cancelled.
    pub(crate) stops: VecDeque<Job>,
    /// External attempts that ended from outside and hold their slot.
    pub(crate) zombies: BTreeMap<(usize, u32), u64>,
    pub(crate) counts: Counts,
    pub(crate) queue_paused: bool,
    pub(crate) intake_paused: bool,
    pub(crate) paused: u8,
    pub(crate) order: u64,
    pub(crate) sequence: u64,
    pub(crate) timer_sequence: u64,
    pub(crate) registrations: u64,
}

impl Model {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            now: 0,
            agents: BTreeMap::new(),
            tasks: Vec::new(),
            issued: Vec::new(),
            timers: BTreeMap::new(),
            work: VecDeque::new(),
            jobs: VecDeque::new(),
            launches: VecDeque::new(),
            stops: VecDeque::new(),
            zombies: BTreeMap::new(),
            counts: Counts::default(),
            queue_paused: false,
            intake_paused: false,
            paused: 0,
            order: 0,
            sequence: 0,
            timer_sequence: 0,
            registrations: 0,
        }
    }

    /// The registration of a name.
    pub(crate) fn named(&self, name: usize) -> Option<u64> {
        let mut found = self.agents.iter().filter(|(_, a)| a.name == name);
        found.next().map(|(registration, _)| *registration)
    }

    pub(crate) fn capable(&self, required: u8) -> usize {
        self.agents.values().filter(|a| a.can(required)).count()
    }

    pub(crate) fn in_state(&self, state: TaskState) -> usize {
        self.tasks.iter().filter(|t| t.state == state).count()
    }

    pub(crate) fn in_place(&self, place: Place) -> usize {
        self.tasks.iter().filter(|t| t.place == place).count()
    }

    pub(crate) fn ready_of(&self, required: u8) -> usize {
        let of = |t: &&ModelTask| t.place == Place::Ready && t.required == required;
        self.tasks.iter().filter(of).count()
    }
}
