//! How full the context windows of agents are.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;
use universal_orchestrator::AgentId;

use crate::config::ContextConfig;

/// What the fill of a window asks for, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WindowStage {
    /// Nothing.
    Free,
    /// Somebody should know.
    Warn,
    /// The agent is shown compressed fragments only.
    Compress,
    /// The agent should sleep, so that it starts with an empty window.
    Sleep,
}

impl WindowStage {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Warn => "warn",
            Self::Compress => "compress",
            Self::Sleep => "sleep",
        }
    }

    fn of(used: u64, window: u64, config: &ContextConfig) -> Self {
        let percent = used.saturating_mul(100) / window.max(1);
        [
            (config.window_sleep_percent, Self::Sleep),
            (config.window_compress_percent, Self::Compress),
            (config.window_warn_percent, Self::Warn),
        ]
        .into_iter()
        .find_map(|(from, stage)| (percent >= u64::from(from)).then_some(stage))
        .unwrap_or(Self::Free)
    }
}

/// How full an agent's context window is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WindowUsage {
    /// The agent.
    pub agent: AgentId,
    /// Tokens that its window has.
    pub window_tokens: u64,
    /// Tokens put together for it and reported by its tasks since the window was last empty.
    pub used_tokens: u64,
    /// What that asks for.
    pub stage: WindowStage,
}

#[derive(Debug)]
struct Window {
    tokens: u64,
    used: u64,
    stage: WindowStage,
    touched: Instant,
}

/// The windows of all agents that were seen.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<HashMap<AgentId, Window>>);

impl Windows {
    /// Fills a window, and answers with its usage when it has reached another stage by that. `size` is asked once for an agent; 0 is not watched.
    pub(crate) fn fill(
        &self,
        agent: &AgentId,
        tokens: u64,
        config: &ContextConfig,
        size: impl FnOnce() -> u64,
    ) -> Option<WindowUsage> {
        let known = self.0.lock().contains_key(agent);
        // Asked outside of the lock: the answer comes from the engine, under its own.
        let size = if known { 0 } else { size() };
        if !known && size == 0 {
            return None;
        }
        let now = Instant::now();
        let mut windows = self.0.lock();
        if !windows.contains_key(agent) {
            if size == 0 {
                // Cleared in between: the next tokens begin anew.
                return None;
            }
            while windows.len() >= config.agents_max {
                let oldest = windows
                    .iter()
                    .min_by_key(|(id, window)| (window.touched, *id));
                let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                    break;
                };
                windows.remove(&oldest);
            }
            let stage = WindowStage::Free;
            windows.insert(
                agent.clone(),
                Window {
                    tokens: size,
                    used: 0,
                    stage,
                    touched: now,
                },
            );
        }
        let window = windows.get_mut(agent)?;
        window.used = window.used.saturating_add(tokens);
        window.touched = now;
        let stage = WindowStage::of(window.used, window.tokens, config);
        let risen = stage > window.stage;
        window.stage = stage;
        risen.then(|| usage(agent, window))
    }

    pub(crate) fn stage(&self, agent: &AgentId) -> WindowStage {
        self.0
            .lock()
            .get(agent)
            .map_or(WindowStage::Free, |window| window.stage)
    }

    pub(crate) fn usage(&self, agent: &AgentId) -> Option<WindowUsage> {
        self.0.lock().get(agent).map(|window| usage(agent, window))
    }

    /// Forgets an agent; its window is empty when it is seen again.
    pub(crate) fn clear(&self, agent: &AgentId) -> bool {
        self.0.lock().remove(agent).is_some()
    }

    /// The fullest windows, and how many are at the last stage.
    pub(crate) fn fullest(&self, top: usize) -> (Vec<WindowUsage>, usize) {
        let windows = self.0.lock();
        let mut all: Vec<WindowUsage> = windows
            .iter()
            .map(|(id, window)| usage(id, window))
            .collect();
        drop(windows);
        let asleep = all
            .iter()
            .filter(|usage| usage.stage == WindowStage::Sleep)
            .count();
        let share = |usage: &WindowUsage| usage.used_tokens as f64 / usage.window_tokens as f64;
        all.sort_by(|a, b| {
            share(b)
                .total_cmp(&share(a))
                .then_with(|| a.agent.cmp(&b.agent))
        });
        all.truncate(top);
        (all, asleep)
    }

    /// The agents that somebody was warned about.
    pub(crate) fn warned(&self) -> Vec<AgentId> {
        let windows = self.0.lock();
        let warned = windows
            .iter()
            .filter(|(_, window)| window.stage > WindowStage::Free);
        warned.map(|(id, _)| id.clone()).collect()
    }
}

fn usage(agent: &AgentId, window: &Window) -> WindowUsage {
    WindowUsage {
        agent: agent.clone(),
        window_tokens: window.tokens,
        used_tokens: window.used,
        stage: window.stage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_stage_is_told_once_and_the_least_recently_used_agent_gives_way() {
        let config = ContextConfig {
            agents_max: 2,
            ..ContextConfig::default()
        };
        let windows = Windows::default();
        let agent = |name: &str| AgentId::new(name).unwrap();
        let fill = |name: &str, tokens| {
            let told = windows.fill(&agent(name), tokens, &config, || 100);
            told.map(|usage| usage.stage)
        };
        assert_eq!(fill("a", 69), None);
        assert_eq!(fill("a", 1), Some(WindowStage::Warn));
        assert_eq!(fill("a", 1), None);
        assert_eq!(fill("a", 25), Some(WindowStage::Sleep));
        assert_eq!(windows.fullest(5).1, 1);
        assert!(windows.clear(&agent("a")));
        assert_eq!(fill("a", 85), Some(WindowStage::Compress));
        fill("b", 1);
        fill("c", 1);
        assert_eq!(windows.fullest(5).0.len(), 2);
        assert_eq!(windows.fill(&agent("d"), 50, &config, || 0), None);
        assert_eq!(windows.usage(&agent("d")), None);
    }
}
