//! What plugins can reach.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;

use crate::agent::{AgentChange, AgentFilter, AgentRole, AgentSpec, AgentView};
use crate::capability::{CapabilitySet, Labels};
use crate::clock::{SharedWallClock, WallClock};
use crate::config::Mode;
use crate::id::{AgentId, TaskId};
use crate::metrics::SharedRecorder;
use crate::plugin::{PluginSection, Services};
use crate::principal::Principal;
use crate::status::Status;
use crate::task::{Task, TaskView};

/// What a plugin is given when it starts.
#[derive(Clone)]
#[non_exhaustive]
pub struct PluginContext {
    /// What it can do to the orchestrator, from then on.
    pub control: Control,
    /// Services of plugins started before it; and where to offer its own.
    pub services: Arc<Services>,
    /// Where its metrics go: the orchestrator's recorder. No label may hold an agent id or a task id.
    pub metrics: SharedRecorder,
    /// Its section.
    pub section: PluginSection,
    /// The orchestrator's mode, for defaults that depend on it.
    pub mode: Mode,
    /// The time of day, for what happens outside of hooks; a hook reads [`HookContext::wall_time`].
    pub wall_clock: Arc<dyn WallClock>,
}

impl PluginContext {
    pub(crate) const fn new(
        control: Control,
        services: Arc<Services>,
        metrics: SharedRecorder,
        section: PluginSection,
        mode: Mode,
        wall_clock: Arc<dyn WallClock>,
    ) -> Self {
        Self {
            control,
            services,
            metrics,
            section,
            mode,
            wall_clock,
        }
    }
}

impl fmt::Debug for PluginContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginContext")
            .field("services", &self.services)
            .field("section", &self.section)
            .finish_non_exhaustive()
    }
}

/// What every hook is told besides its call.
#[derive(Debug)]
#[non_exhaustive]
pub struct HookContext<'a> {
    /// Who calls: whoever registers, deregisters or cancels; for the other hooks of a task, its submitter.
    pub principal: &'a Principal,
    /// What the plugin can do to the orchestrator: runs after the commit of what a shape or guard hook is asked about, and not at all when that does not take place.
    pub control: &'a Control,
    clock: &'a SharedWallClock,
    time: OnceLock<SystemTime>,
}

impl<'a> HookContext<'a> {
    pub(crate) const fn new(
        principal: &'a Principal,
        control: &'a Control,
        clock: &'a SharedWallClock,
    ) -> Self {
        Self {
            principal,
            control,
            clock,
            time: OnceLock::new(),
        }
    }

    /// The time of day: read when it is first asked for, and the same for all hooks of one call.
    #[must_use]
    pub fn wall_time(&self) -> SystemTime {
        *self.time.get_or_init(|| self.clock.0.now())
    }
}

/// A command of a plugin.
#[derive(Debug)]
pub(crate) enum Command {
    Sleep(AgentId),
    Wake(AgentId),
    Drain(AgentId),
    Quarantine(AgentId, String),
    Release(AgentId),
    Update(AgentId, Box<AgentChange>),
    Register(Box<AgentSpec>, Principal),
    Deregister(AgentId, Principal),
    Submit(Box<Task>, Principal),
    Cancel(TaskId),
    Notify { source: String, text: String },
}

/// Ready tasks that ask for the same and wait for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingTasks {
    /// What an agent must have.
    pub required: CapabilitySet,
    /// The role that an agent must play.
    pub role: Option<AgentRole>,
    /// The labels that an agent must carry.
    pub labels: Labels,
    /// How many wait.
    pub tasks: usize,
    /// How long the first of them has been ready; one behind it in the fair order of tenants may have waited longer.
    pub longest: Duration,
}

impl WaitingTasks {
    /// Whether an agent has what they ask for. Whether it may take work now is another question.
    #[must_use]
    pub fn fit(&self, agent: &AgentView) -> bool {
        self.role.is_none_or(|role| role == agent.role)
            && agent.capabilities.contains_all(&self.required)
            && agent.labels.contains_all(&self.labels)
    }
}

/// What a plugin can see of its orchestrator.
pub(crate) trait HostView: Send + Sync {
    fn status(&self) -> Status;
    fn agent(&self, id: &AgentId) -> Option<AgentView>;
    fn agents(&self, filter: &AgentFilter) -> Vec<AgentView>;
    fn waiting(&self) -> Vec<WaitingTasks>;
    fn task(&self, id: &TaskId) -> Option<TaskView>;
    fn control_dropped(&self);
}

/// A command that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// `hooks.control_depth_max` commands wait already. Counted in `orchestrator_control_dropped_total`.
    #[error(
        "the command queue is full at hooks.control_depth_max: send fewer commands, or raise the limit"
    )]
    Full,
    /// The orchestrator is gone.
    #[error("the orchestrator has shut down")]
    ShutDown,
}

/// Commands with their places in the queue; `None` once the decision that they wait for is made.
type Held = Mutex<Option<Vec<(OwnedPermit<Command>, Command)>>>;

/// Commands of hooks that decide, until their decision is committed. Dropped before, they do not run.
#[must_use = "dropped, the commands do not run"]
#[derive(Default)]
pub(crate) struct HeldCommands(Option<Arc<Held>>);

impl HeldCommands {
    /// The decision was committed.
    pub(crate) fn release(self) {
        for (permit, command) in self.take() {
            permit.send(command);
        }
    }

    fn take(&self) -> Vec<(OwnedPermit<Command>, Command)> {
        let held = self.0.as_ref().and_then(|held| held.lock().take());
        held.unwrap_or_default()
    }
}

impl Drop for HeldCommands {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What a plugin can do to its orchestrator. Commands are queued, bounded, and run one after the other outside of the hook.
///
/// The one in the context of a shape or guard hook keeps them back until what the hook was asked about is committed;
/// after a veto, or when the task goes elsewhere meanwhile, they do not run. The one that a plugin was started with sends at once.
#[derive(Clone)]
pub struct Control {
    sender: mpsc::Sender<Command>,
    host: Weak<dyn HostView>,
    held: Option<Arc<Held>>,
}

impl Control {
    pub(crate) const fn new(sender: mpsc::Sender<Command>, host: Weak<dyn HostView>) -> Self {
        Self {
            sender,
            host,
            held: None,
        }
    }

    /// One for the hooks before a decision, and what they command.
    pub(crate) fn holding(&self) -> (Self, HeldCommands) {
        let held = Arc::new(Mutex::new(Some(Vec::new())));
        let mut control = self.clone();
        control.held = Some(Arc::clone(&held));
        (control, HeldCommands(Some(held)))
    }

    fn send(&self, command: Command) -> Result<(), ControlError> {
        let place = self.sender.clone().try_reserve_owned();
        let permit = place.map_err(|error| match error {
            TrySendError::Full(_) => {
                if let Some(host) = self.host.upgrade() {
                    host.control_dropped();
                }
                ControlError::Full
            }
            TrySendError::Closed(_) => ControlError::ShutDown,
        })?;
        let mut held = self.held.as_ref().map(|held| held.lock());
        match held.as_mut().and_then(|held| held.as_mut()) {
            Some(held) => held.push((permit, command)),
            None => drop(permit.send(command)),
        }
        Ok(())
    }

    /// Puts an agent to sleep.
    ///
    /// # Errors
    /// [`ControlError`] when the queue is full or the orchestrator gone; so too for the other commands.
    pub fn sleep(&self, agent: &AgentId) -> Result<(), ControlError> {
        self.send(Command::Sleep(agent.clone()))
    }

    /// Wakes a sleeping or draining agent.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn wake(&self, agent: &AgentId) -> Result<(), ControlError> {
        self.send(Command::Wake(agent.clone()))
    }

    /// Lets an agent finish what it has and gives it nothing new.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn drain(&self, agent: &AgentId) -> Result<(), ControlError> {
        self.send(Command::Drain(agent.clone()))
    }

    /// Puts an agent in quarantine.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn quarantine(
        &self,
        agent: &AgentId,
        reason: impl Into<String>,
    ) -> Result<(), ControlError> {
        self.send(Command::Quarantine(agent.clone(), reason.into()))
    }

    /// Takes an agent out of quarantine.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn release(&self, agent: &AgentId) -> Result<(), ControlError> {
        self.send(Command::Release(agent.clone()))
    }

    /// Changes capabilities, labels, concurrency or metadata of an agent; a refusal is logged.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn update(&self, agent: &AgentId, change: AgentChange) -> Result<(), ControlError> {
        self.send(Command::Update(agent.clone(), Box::new(change)))
    }

    /// Registers an agent in somebody's name, past the same guards as any other; a refusal is logged.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn register(&self, agent: AgentSpec, principal: &Principal) -> Result<(), ControlError> {
        self.send(Command::Register(Box::new(agent), principal.clone()))
    }

    /// Takes an agent out in somebody's name; what it has is lost and retried as its policy allows. To let it finish, [`Self::drain`] first.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn deregister(&self, agent: &AgentId, principal: &Principal) -> Result<(), ControlError> {
        self.send(Command::Deregister(agent.clone(), principal.clone()))
    }

    /// Submits a task; a refusal is logged.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn submit(&self, task: Task, principal: &Principal) -> Result<(), ControlError> {
        self.send(Command::Submit(Box::new(task), principal.clone()))
    }

    /// Cancels a task.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn cancel(&self, task: &TaskId) -> Result<(), ControlError> {
        self.send(Command::Cancel(task.clone()))
    }

    /// Raises an alert: an event, a log line, and a place in the status.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn notify(
        &self,
        source: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<(), ControlError> {
        self.send(Command::Notify {
            source: source.into(),
            text: text.into(),
        })
    }

    /// The status, when the orchestrator is still there.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.host.upgrade().map(|host| host.status())
    }

    /// How an agent stands.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<AgentView> {
        self.host.upgrade()?.agent(id)
    }

    /// How the agents stand, by id; takes the engine's lock for as long as it looks at them.
    #[must_use]
    pub fn agents(&self, filter: &AgentFilter) -> Vec<AgentView> {
        self.host
            .upgrade()
            .map_or_else(Vec::new, |host| host.agents(filter))
    }

    /// What the ready tasks of the queue ask for, most tasks first, at most `status.list_max` entries; takes the engine's lock.
    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingTasks> {
        self.host
            .upgrade()
            .map_or_else(Vec::new, |host| host.waiting())
    }

    /// How a task stands.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<TaskView> {
        self.host.upgrade()?.task(id)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}
