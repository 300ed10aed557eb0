//! The cancellation of a context, which most contexts never need.

use std::sync::OnceLock;

use universal_orchestrator::CancellationToken;

use crate::context::OrchestrationContext;

/// Cancels a context, and is cancelled with what lies above. Its token is made when somebody first asks for it.
pub(super) struct Cancellation {
    own: OnceLock<CancellationToken>,
    above: Option<OrchestrationContext>,
}

impl Cancellation {
    /// Below nothing, or below the token of a program.
    pub(super) fn of_root(token: Option<CancellationToken>) -> Self {
        Self {
            own: token.map(OnceLock::from).unwrap_or_default(),
            above: None,
        }
    }

    /// Cancelled with another context too.
    pub(super) const fn below(above: OrchestrationContext) -> Self {
        Self {
            own: OnceLock::new(),
            above: Some(above),
        }
    }

    pub(super) fn token(&self) -> &CancellationToken {
        self.own.get_or_init(|| match &self.above {
            Some(above) => above.cancellation().child_token(),
            None => CancellationToken::new(),
        })
    }

    pub(super) fn is_cancelled(&self) -> bool {
        match (self.own.get(), &self.above) {
            (Some(own), _) => own.is_cancelled(),
            (None, Some(above)) => above.is_cancelled(),
            (None, None) => false,
        }
    }
}
