//! What agents, users and other plugins can ask of this plugin.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use universal_orchestrator::AgentId;

use crate::assemble::{AssembleError, AssembledContext};
use crate::engine::{Ask, Engine};
use crate::fragment::{FragmentView, NewFragment};
use crate::persist::{self, RestoreError, SaveError};
use crate::session::{FragmentId, SessionId};
use crate::store::{AddRefusal, Added, CreateError, SessionStats, StoreStats};
use crate::tokens::Encoding;
use crate::windows::WindowUsage;
use crate::worker::Worker;

/// The sessions of one orchestrator: `orchestrator.service::<ContextService>()`, in an agent `context.service::<ContextService>()`.
#[derive(Clone)]
pub struct ContextService {
    pub(crate) engine: Arc<Engine>,
    pub(crate) worker: Arc<Worker>,
}

/// A fragment that was not taken, with the reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("fragment was refused: {refusal}")]
pub struct AddRefused {
    /// The fragment.
    pub fragment: NewFragment,
    /// Why.
    #[source]
    pub refusal: AddRefusal,
}

impl ContextService {
    /// Opens a session.
    ///
    /// # Errors
    /// [`CreateError`] when there is one of this name, or as many as there may be.
    pub fn create(&self, session: &SessionId) -> Result<(), CreateError> {
        self.engine.store.create(session, &self.engine.config())
    }

    /// Adds a fragment. Content that the session has already is counted as a repetition of it; its priority is the more urgent of the two.
    ///
    /// A session that fills up compresses its fragments first, and then drops those used least recently; critical ones stay as they are.
    ///
    /// # Errors
    /// [`AddRefused`] with the fragment; nothing has changed then, but for fragments that were compressed.
    pub async fn add(
        &self,
        session: &SessionId,
        fragment: NewFragment,
    ) -> Result<Added, AddRefused> {
        let fragment = Arc::new(fragment);
        let added = self.engine.add(session, &fragment).await;
        added.map_err(|refusal| AddRefused {
            fragment: Arc::unwrap_or_clone(fragment),
            refusal,
        })
    }

    /// Waits until what tasks produced that ended before this call is in its session.
    pub async fn settled(&self) {
        if let Some(settled) = self.worker.settled() {
            settled.await;
        }
    }

    /// The best context under a budget of tokens, for a query if there is one. The same fragments, query and budget give the same context.
    ///
    /// Waits as [`Self::settled`] does, so what a task produced that ended before is part of it.
    ///
    /// # Errors
    /// [`AssembleError`] when there is no such session, or its critical fragments alone exceed the budget.
    pub async fn assemble(
        &self,
        session: &SessionId,
        query: Option<&str>,
        budget: usize,
    ) -> Result<AssembledContext, AssembleError> {
        self.settled().await;
        let ask = Ask {
            session: session.clone(),
            query: query.map(str::to_owned),
            budget,
            compressed_only: false,
            summaries: true,
        };
        self.engine.assemble_aside(ask).await
    }

    /// The fragments of a session, by number; `None` when there is no such session.
    #[must_use]
    pub fn fragments(&self, session: &SessionId) -> Option<Vec<FragmentView>> {
        let now = Instant::now();
        let held = self.engine.store.snapshot(session)?;
        Some(
            held.into_iter()
                .map(|(id, held)| held.view(id, now))
                .collect(),
        )
    }

    /// The content of a fragment, as far as it is kept.
    #[must_use]
    pub fn content(&self, session: &SessionId, fragment: FragmentId) -> Option<String> {
        let held = self.engine.store.snapshot(session)?;
        let (_, held) = held.into_iter().find(|(id, _)| *id == fragment)?;
        Some(held.fragment.text().to_owned())
    }

    /// Figures of a session.
    #[must_use]
    pub fn session_stats(&self, session: &SessionId) -> Option<SessionStats> {
        self.engine.store.session_stats(session)
    }

    /// Figures of all sessions, with the largest so many.
    #[must_use]
    pub fn stats(&self, top: usize) -> StoreStats {
        self.engine.store.stats(top)
    }

    /// Closes a session with all it has; `false` when there is none.
    pub fn close(&self, session: &SessionId) -> bool {
        self.engine.store.close(session)
    }

    /// Saves a session to a file, in the place of one that is there; a crash leaves the old or the new one. Returns its bytes.
    ///
    /// # Errors
    /// [`SaveError`] when there is no such session, or the file cannot be written.
    pub async fn save(&self, session: &SessionId, file: &Path) -> Result<u64, SaveError> {
        let no_session = || SaveError::NoSession {
            session: session.clone(),
        };
        let copy = self.engine.store.copy(session).ok_or_else(no_session)?;
        let (id, file) = (session.clone(), file.to_owned());
        let save = move |_: &Engine| persist::save(&id, &copy, &file);
        self.engine
            .aside(save)
            .await
            .ok_or(SaveError::RuntimeEnded)?
    }

    /// Restores a session from a file, in the place of one of its name. Ages go on where they stood when it was saved.
    ///
    /// # Errors
    /// [`RestoreError`] when the file cannot be read, is not whole, or does not fit the limits; nothing has changed then.
    pub async fn restore(&self, file: &Path) -> Result<SessionId, RestoreError> {
        let file = file.to_owned();
        let config = self.engine.config();
        let restore = move |engine: &Engine| {
            let (id, session) = persist::restore(&file, &config, engine.encoding)?;
            let placed = engine.store.replace(&id, session, &config);
            placed.map_err(|refusal| RestoreError::refused(file, refusal))?;
            Ok(id)
        };
        self.engine
            .aside(restore)
            .await
            .ok_or(RestoreError::RuntimeEnded)?
    }

    /// How full an agent's context window is; `None` when nothing was put into it.
    #[must_use]
    pub fn window(&self, agent: &AgentId) -> Option<WindowUsage> {
        self.engine.windows.usage(agent)
    }

    /// Says that an agent's context window is empty again; `false` when nothing was in it.
    pub fn clear_window(&self, agent: &AgentId) -> bool {
        self.engine.windows.clear(agent)
    }

    /// Whose tokens are counted.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.engine.encoding
    }
}

impl fmt::Debug for ContextService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextService")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
