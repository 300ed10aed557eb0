//! kameo's actor pool: the least-loaded of its workers takes the call.

use kameo::mailbox::unbounded;
use kameo::prelude::*;
use kameo_actors::pool::{ActorPool, Dispatch};

use crate::RoundTrip;

#[derive(Actor)]
struct NoOpActor;

/// One call of the no-op.
struct NoOp(u64);

impl Message<NoOp> for NoOpActor {
    type Reply = u64;

    async fn handle(
        &mut self,
        NoOp(input): NoOp,
        _context: &mut Context<Self, Self::Reply>,
    ) -> u64 {
        input
    }
}

/// Asks the pool, which is an actor before its workers.
///
/// Configuration: as in the example of `kameo_actors::pool`, with `Dispatch` as the message that
/// goes to one worker, but with unbounded mailboxes, which the docs of `kameo::Actor` offer beside
/// the bounded default: ractor's and apalis' queues are unbounded too, and the bounded ones are up
/// to a fifth slower. Each call passes three mailboxes: the pool's, that of the worker's wrapper,
/// the worker's. A plain `ask` of a known actor passes one, but chooses nobody.
#[derive(Clone)]
pub struct KameoPool {
    pool: ActorRef<ActorPool<NoOpActor>>,
}

impl std::fmt::Debug for KameoPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KameoPool")
            .field("pool", &self.pool.id())
            .finish()
    }
}

impl KameoPool {
    /// Starts a pool of `workers` actors. Runs inside the runtime.
    #[must_use]
    pub fn setup(workers: usize) -> Self {
        let start = || NoOpActor::spawn_with_mailbox(NoOpActor, unbounded());
        let pool = ActorPool::new(workers, start);
        Self {
            pool: ActorPool::spawn_with_mailbox(pool, unbounded()),
        }
    }
}

impl RoundTrip for KameoPool {
    async fn call(&mut self, input: u64) -> u64 {
        self.pool
            .ask(Dispatch(NoOp(input)))
            .await
            .expect("a worker answers")
    }
}
