//! What hooks, worker and service share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use universal_orchestrator::AgentId;
use universal_orchestrator::plugin::Control;

use crate::assemble::{AssembleError, AssembledContext, Blocks, Candidate, Request, Shown, plan};
use crate::compress::{QueryTerms, Summarizer, SummaryRequest};
use crate::config::ContextConfig;
use crate::fragment::{Fragment, NewFragment, block_tokens};
use crate::metrics::{Lost, Metrics};
use crate::session::{FragmentId, SessionId};
use crate::store::{AddRefusal, Added, Store};
use crate::tokens::Encoding;
use crate::windows::{WindowUsage, Windows};

/// Texts up to here are analysed where they come; longer ones on a thread for work that blocks.
const INLINE_BYTES_MAX: usize = 8_192;
/// Sessions up to here are put together where they are asked for.
const INLINE_TOKENS_MAX: usize = 4_096;

pub(crate) struct Engine {
    pub(crate) encoding: Encoding,
    config: RwLock<Arc<ContextConfig>>,
    pub(crate) store: Store,
    pub(crate) windows: Windows,
    summarizer: Option<Arc<dyn Summarizer>>,
    pub(crate) metrics: OnceLock<Metrics>,
    pub(crate) control: OnceLock<Control>,
    /// Whether the vocabulary is there: loading it takes tens of milliseconds.
    loaded: AtomicBool,
    asked_for: AtomicBool,
}

impl Engine {
    pub(crate) fn new(
        config: ContextConfig,
        encoding: Encoding,
        summarizer: Option<Arc<dyn Summarizer>>,
    ) -> Self {
        Self {
            encoding,
            config: RwLock::new(Arc::new(config)),
            store: Store::default(),
            windows: Windows::default(),
            summarizer,
            metrics: OnceLock::new(),
            control: OnceLock::new(),
            loaded: AtomicBool::new(false),
            asked_for: AtomicBool::new(false),
        }
    }

    pub(crate) fn config(&self) -> Arc<ContextConfig> {
        Arc::clone(&self.config.read())
    }

    pub(crate) fn set_config(&self, config: ContextConfig) {
        *self.config.write() = Arc::new(config);
    }

    pub(crate) fn lost(&self, lost: Lost) {
        if let Some(metrics) = self.metrics.get() {
            metrics.lost(lost);
        }
    }

    /// Whether nobody has asked for the vocabulary so far; asked once, it says no.
    pub(crate) fn wants_vocabulary(&self) -> bool {
        !self.asked_for.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Whether work of so many bytes may be done in an async task.
    fn may_inline(&self, bytes: usize) -> bool {
        bytes <= INLINE_BYTES_MAX && self.is_loaded()
    }

    /// Runs work on a thread for work that blocks; `None` when the runtime ends.
    pub(crate) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let engine = Arc::clone(self);
        let work = move || {
            engine.encoding.load();
            engine.loaded.store(true, Ordering::Release);
            work(&engine)
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Adds a fragment; compresses others before it drops any.
    pub(crate) async fn add(
        self: &Arc<Self>,
        session: &SessionId,
        new: &Arc<NewFragment>,
    ) -> Result<Added, AddRefusal> {
        let config = self.config();
        let (bytes, max) = (new.content.len(), config.fragment_bytes_max);
        if bytes > max {
            return Err(AddRefusal::TooLong { bytes, max });
        }
        if new.content.trim().is_empty() {
            return Err(AddRefusal::Empty);
        }
        if !self.store.exists(session) {
            return Err(AddRefusal::NoSession {
                session: session.clone(),
            });
        }
        let new = Arc::clone(new);
        let encoding = self.encoding;
        let fragment = if self.may_inline(bytes) {
            Fragment::of(new, encoding)
        } else {
            let of = move |_: &Self| Fragment::of(new, encoding);
            self.aside(of).await.ok_or(AddRefusal::RuntimeEnded)?
        };
        let fragment = Arc::new(fragment);
        if self.store.crowded(session, &fragment, &config).is_some() {
            let (session, more, config) =
                (session.clone(), Arc::clone(&fragment), Arc::clone(&config));
            let relieve = move |engine: &Self| engine.relieve(&session, &more, &config);
            self.aside(relieve).await.ok_or(AddRefusal::RuntimeEnded)?;
        }
        self.store.add(session, fragment, &config)
    }

    /// Compresses fragments of a crowded session until it is not crowded any more.
    fn relieve(&self, session: &SessionId, more: &Fragment, config: &ContextConfig) {
        let Some(crowded) = self.store.crowded(session, more, config) else {
            return;
        };
        for (id, old) in crowded.fragments {
            if self.store.full_percent(session, more, config) < crowded.from_percent {
                break;
            }
            if let Some(new) = old.compressed(crowded.level, self.encoding) {
                // One that went or was raised to critical meanwhile stays as it is.
                self.store.swap(session, id, &old, Arc::new(new));
            }
        }
    }

    /// Whether a context of a session is put together fast enough for a hook.
    pub(crate) fn is_small(&self, session: &SessionId) -> bool {
        self.may_inline(0) && self.store.tokens(session).unwrap_or(0) <= INLINE_TOKENS_MAX
    }

    fn blocks(&self, ask: &Ask) -> Result<Blocks, AssembleError> {
        let no_session = || AssembleError::NoSession {
            session: ask.session.clone(),
        };
        let held = self.store.snapshot(&ask.session).ok_or_else(no_session)?;
        let candidates = held.into_iter().map(|(id, held)| Candidate {
            id,
            priority: held.priority,
            fragment: held.fragment,
        });
        let config = self.config();
        let query = ask
            .query
            .as_deref()
            .map(QueryTerms::of)
            .filter(|query| !query.is_empty());
        let request = Request {
            query: query.as_ref(),
            budget: ask.budget,
            encoding: self.encoding,
            excerpt_tokens_min: config.excerpt_tokens_min,
            near_duplicate_bits: config.near_duplicate_bits,
            compressed_only: ask.compressed_only,
        };
        plan(candidates.collect(), &request).map_err(|too_large| {
            AssembleError::CriticalExceedsBudget {
                session: ask.session.clone(),
                tokens: too_large.tokens,
                budget: ask.budget,
            }
        })
    }

    /// Puts a context together here and now.
    pub(crate) fn assemble(&self, ask: &Ask) -> Result<AssembledContext, AssembleError> {
        let begun = std::time::Instant::now();
        let blocks = self.blocks(ask)?;
        Ok(self.finish(ask, &blocks, begun.elapsed()))
    }

    /// Puts a context together where it blocks nobody, with summaries if there is a summarizer.
    pub(crate) async fn assemble_aside(
        self: &Arc<Self>,
        ask: Ask,
    ) -> Result<AssembledContext, AssembleError> {
        let work = move |engine: &Self| {
            let begun = std::time::Instant::now();
            let blocks = engine.blocks(&ask)?;
            Ok((ask, blocks, begun.elapsed()))
        };
        let done = self.aside(work).await.ok_or(AssembleError::RuntimeEnded)?;
        let (ask, mut blocks, took) = done?;
        if ask.summaries {
            self.summarize(&ask, &mut blocks).await;
        }
        Ok(self.finish(&ask, &blocks, took))
    }

    fn finish(&self, ask: &Ask, blocks: &Blocks, took: Duration) -> AssembledContext {
        let tokens = blocks.tokens();
        let shown: Vec<FragmentId> = blocks
            .candidates
            .iter()
            .zip(&blocks.blocks)
            .filter_map(|(candidate, block)| block.as_ref().map(|_| candidate.id))
            .collect();
        self.store.shown(&ask.session, &shown);
        if let Some(metrics) = self.metrics.get() {
            metrics.tokens_of_context.record(tokens as f64);
            metrics.duration.record(took.as_secs_f64());
        }
        AssembledContext {
            session: ask.session.clone(),
            text: blocks.text().into(),
            tokens,
            budget: ask.budget,
            explanation: Arc::new(blocks.explain()),
        }
    }

    /// Puts summaries in the place of excerpts, as long as they are no longer.
    async fn summarize(&self, ask: &Ask, blocks: &mut Blocks) {
        let Some(summarizer) = &self.summarizer else {
            return;
        };
        let config = self.config();
        let limit = Duration::from_millis(config.summary_timeout_ms);
        let excerpts: Vec<usize> = (0..blocks.blocks.len())
            .filter(|n| {
                blocks.blocks[*n]
                    .as_ref()
                    .is_some_and(|block| block.shown == Shown::Excerpt)
            })
            .take(config.summaries_max)
            .collect();
        for n in excerpts {
            let Some(room) = blocks.room_for_summary(n, self.encoding) else {
                continue;
            };
            let fragment = &blocks.candidates[n].fragment;
            let query = ask.query.as_deref().map(Arc::from);
            let request = SummaryRequest::new(fragment.text().into(), fragment.kind, query, room);
            let answer = tokio::time::timeout(limit, summarizer.summarize(request)).await;
            let summary = match answer {
                Ok(Ok(summary)) if block_tokens(&summary, self.encoding) <= room => summary,
                Ok(Ok(_)) => {
                    tracing::warn!(room, "a summary is longer than its room and is not used");
                    self.lost(Lost::Summary);
                    continue;
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "a summary was not written");
                    self.lost(Lost::Summary);
                    continue;
                }
                Err(_) => {
                    tracing::warn!(limit = ?limit, "a summary came too late");
                    self.lost(Lost::Summary);
                    continue;
                }
            };
            blocks.use_summary(n, &summary, self.encoding);
        }
    }

    /// Counts tokens into an agent's window, and says so when it gets full.
    pub(crate) fn fill_window(&self, agent: &AgentId, tokens: u64, control: &Control) {
        let config = self.config();
        let size = || {
            let metadata = control.agent(agent).map(|view| view.metadata);
            let own = metadata
                .as_ref()
                .and_then(|m| m.get("context_window_tokens")?.as_u64());
            own.unwrap_or(config.window_tokens as u64)
        };
        let Some(usage) = self.windows.fill(agent, tokens, &config, size) else {
            return;
        };
        if let Some(metrics) = self.metrics.get() {
            metrics.stage(usage.stage);
        }
        let text = window_text(&usage);
        // A full queue is counted by the host; the status shows the window all the same.
        let _ = control.notify("context", text);
    }

    /// Empties the windows of agents that sleep: they start anew.
    pub(crate) fn empty_windows_of_sleepers(&self) {
        let Some(control) = self.control.get() else {
            return;
        };
        for agent in self.windows.warned() {
            let view = control.agent(&agent);
            let sleeps = universal_orchestrator::Availability::Sleeping;
            if view.is_none_or(|view| view.availability == sleeps) {
                self.windows.clear(&agent);
            }
        }
    }
}

fn window_text(usage: &WindowUsage) -> String {
    use crate::windows::WindowStage;
    let what = match usage.stage {
        WindowStage::Sleep => "let it sleep, so that it starts with an empty window",
        WindowStage::Compress => "it is shown compressed fragments only",
        _ => "it fills up",
    };
    format!(
        "agent {} has {} of {} tokens in its context window: {what}",
        usage.agent, usage.used_tokens, usage.window_tokens
    )
}

/// What a context is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) session: SessionId,
    pub(crate) query: Option<String>,
    pub(crate) budget: usize,
    pub(crate) compressed_only: bool,
    /// Whether the summarizer may be asked: it takes longer than a hook may.
    pub(crate) summaries: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
