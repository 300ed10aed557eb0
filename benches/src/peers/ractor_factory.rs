//! ractor's factory: the peer with the feature set nearest to ours (queue, routing, supervised workers).

use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{
    Factory, FactoryArguments, FactoryRef, Job, Worker, WorkerId, worker_builder,
};
use ractor::{Actor, ActorProcessingErr, RpcReplyPort};

use crate::RoundTrip;

/// One call of the no-op.
#[derive(Debug)]
struct NoOp {
    input: u64,
    reply: RpcReplyPort<u64>,
}

struct NoOpWorker;

impl Worker for NoOpWorker {
    type Key = ();
    type Message = NoOp;
    type Arguments = ();
    type State = ();

    async fn pre_start(
        &self,
        _worker: WorkerId,
        _factory: &FactoryRef<(), NoOp>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _worker: WorkerId,
        _factory: &FactoryRef<(), NoOp>,
        Job { msg, .. }: Job<(), NoOp>,
        _state: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(msg.reply.send(msg.input)?)
    }
}

/// Calls a factory's next free worker.
///
/// Configuration: queuer routing (the first free worker), which the docs of `ractor::factory`
/// advise for calls without a sequence, and the default queue; no TTL, no discarding, no
/// statistics layer, no dead man's switch, all of which are off by default. The crate's feature
/// `message_span_propogation`, on by default, is off. `call_job` is the typed round trip of
/// `FactoryRef`, without a timeout.
#[derive(Debug, Clone)]
pub struct RactorFactory {
    factory: FactoryRef<(), NoOp>,
}

impl RactorFactory {
    /// Starts a factory with `workers` workers. Runs inside the runtime.
    ///
    /// # Panics
    ///
    /// Panics when the factory does not start.
    pub async fn setup(workers: usize) -> Self {
        let definition = Factory::<
            (),
            NoOp,
            (),
            NoOpWorker,
            QueuerRouting<(), NoOp>,
            DefaultQueue<(), NoOp>,
        >::default();
        let arguments = FactoryArguments::builder()
            .worker_builder(Box::new(worker_builder(|_worker| (NoOpWorker, ()))))
            .queue(DefaultQueue::default())
            .router(QueuerRouting::default())
            .num_initial_workers(workers)
            .build();
        // The handle is not kept: the factory ends with the runtime.
        let (factory, _) = Actor::spawn(None, definition, arguments)
            .await
            .expect("the factory starts");
        Self { factory }
    }
}

impl RoundTrip for RactorFactory {
    async fn call(&mut self, input: u64) -> u64 {
        self.factory
            .call_job((), |reply| NoOp { input, reply }, None)
            .await
            .expect("the factory lives as long as the runtime")
            .expect("a worker answers")
    }
}
