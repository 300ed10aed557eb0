//! What one tick looks at.

use std::time::Duration;

use hashbrown::HashMap;
use universal_orchestrator::plugin::WaitingTasks;
use universal_orchestrator::{AgentId, AgentView, Status};

use crate::settings::Settings;

/// The orchestrator as one tick sees it: three looks, one after the other, so they may differ by what happened between them.
pub(crate) struct World<'a> {
    /// On the plugin's clock.
    pub(crate) now: Duration,
    /// Wall clock of this tick and of the one before, in milliseconds since 1970.
    pub(crate) wall_ms: u64,
    pub(crate) last_wall_ms: u64,
    pub(crate) settings: &'a Settings,
    pub(crate) status: &'a Status,
    pub(crate) views: &'a [AgentView],
    pub(crate) by_id: HashMap<&'a AgentId, &'a AgentView>,
    pub(crate) waiting: Vec<WaitingTasks>,
}

impl<'a> World<'a> {
    pub(crate) fn index(views: &'a [AgentView]) -> HashMap<&'a AgentId, &'a AgentView> {
        views.iter().map(|view| (&view.id, view)).collect()
    }

    /// The longest wait of a ready task.
    pub(crate) fn longest_wait(&self) -> Duration {
        let waits = self.waiting.iter().map(|one| one.longest);
        waits.max().unwrap_or_default()
    }
}
