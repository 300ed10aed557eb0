//! tower: the less loaded of two random services, behind a buffer that callers share.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PendingRequests};
use tower::{Service, ServiceExt};

use crate::RoundTrip;

/// The callers that can have a slot of the buffer at once: at least the calls in flight, as `Buffer::new` asks for.
const BUFFER: usize = 512;

/// An agent that is always ready and answers at once.
struct NoOpService;

impl Service<u64> for NoOpService {
    type Response = u64;
    type Error = Infallible;
    type Future = Ready<Result<u64, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: u64) -> Self::Future {
        ready(Ok(input))
    }
}

type Services = ServiceList<Vec<PendingRequests<NoOpService>>>;

/// What the buffer's worker hands back to the caller to wait for.
type Answer = <Balance<Services, u64> as Service<u64>>::Future;

/// Calls through a buffer and a power-of-two-choices balancer.
///
/// Configuration: a fixed list of services (`ServiceList`), as the docs of `tower::balance::p2c`
/// advise, with the pending requests as their load; `Buffer`, since `Balance` is not `Clone` and
/// the docs of `tower::buffer` name it for sharing. The services have one type and no box, and the
/// no-op runs in the caller's task: the cheapest that tower can be.
#[derive(Clone)]
pub struct TowerBalance {
    service: Buffer<u64, Answer>,
}

impl std::fmt::Debug for TowerBalance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TowerBalance").finish_non_exhaustive()
    }
}

impl TowerBalance {
    /// Starts the buffer's worker over `services` services. Runs inside the runtime.
    #[must_use]
    pub fn setup(services: usize) -> Self {
        let services: Vec<_> = (0..services)
            .map(|_| PendingRequests::new(NoOpService, CompleteOnResponse::default()))
            .collect();
        Self {
            service: Buffer::new(Balance::new(ServiceList::new(services)), BUFFER),
        }
    }
}

impl RoundTrip for TowerBalance {
    async fn call(&mut self, input: u64) -> u64 {
        let service = self
            .service
            .ready()
            .await
            .expect("the buffer's worker lives as long as the runtime");
        service.call(input).await.expect("a service answers")
    }
}
