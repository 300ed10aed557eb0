//! Random steps.

use proptest::prelude::*;
use universal_orchestrator_testkit::Ending;

use crate::sections::NAMES;

pub(crate) const AGENTS: usize = 4;
pub(crate) const CAPABILITIES: [&str; 3] = ["x", "y", "z"];

/// What a task asks for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) caller: usize,
    pub(crate) kind: usize,
    pub(crate) required: u8,
    pub(crate) level: usize,
    pub(crate) deadline: Option<u64>,
    pub(crate) attempts: u32,
    pub(crate) delay: u64,
    pub(crate) session: Option<usize>,
    pub(crate) keys: usize,
    pub(crate) tenant: bool,
    pub(crate) again: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentCall {
    Deregister,
    Sleep,
    Wake,
    Drain,
    Quarantine,
    Release,
    Heartbeat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Done,
    Retryable,
    Permanent,
}

/// One step. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Register {
        caller: usize,
        agent: usize,
        capabilities: u8,
        concurrency: u32,
        in_process: bool,
    },
    Concurrency(usize, u32),
    Agent(usize, AgentCall),
    Delegate(Plan),
    Submit(Plan),
    Pull(usize),
    /// A report of a delegation, twice, with an attempt that may be another.
    Report(usize, Told, u32),
    Puppet(usize, Ending),
    Cancel(usize),
    Advance(u64),
    /// The wall clock jumps by so many seconds.
    Wall(i64),
    /// A plugin is switched on or off.
    Switch(usize, bool),
    /// A plugin is given its section again, or one that is wrong.
    Reconfigure(usize, bool),
}

fn plan() -> impl Strategy<Value = Plan> {
    let what = (
        prop_oneof![4 => Just(0usize), 3 => Just(1usize), 3 => 0usize..6],
        prop_oneof![4 => Just(0usize), 3 => Just(1usize), 2 => 0usize..6],
        prop_oneof![3 => Just(1u8), 3 => Just(2u8), 1 => 0u8..8],
        0usize..4,
        prop_oneof![4 => Just(None), 1 => (1u64..2_000).prop_map(Some)],
        1u32..4,
    );
    let how = (
        prop_oneof![5 => Just(0u64), 1 => 1u64..500],
        proptest::option::of(0usize..4),
        prop_oneof![4 => 0usize..3, 1 => Just(5usize)],
        any::<bool>(),
        prop_oneof![12 => Just(None), 1 => any::<usize>().prop_map(Some)],
    );
    (what, how).prop_map(
        |((caller, kind, required, level, deadline, attempts), how)| {
            let (delay, session, keys, tenant, again) = how;
            Plan {
                caller,
                kind,
                required,
                level,
                deadline,
                attempts,
                delay,
                session,
                keys,
                tenant,
                again,
            }
        },
    )
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![3 => Just(Told::Done), 2 => Just(Told::Retryable), 1 => Just(Told::Permanent)]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        2 => Just(Ending::Succeed(serde_json::Value::Null)),
        2 => Just(Ending::Succeed("what came of it, in a few words".into())),
        2 => Just(Ending::FailRetryable),
        1 => Just(Ending::FailPermanent),
        1 => Just(Ending::Panic),
    ]
}

fn agent_call() -> impl Strategy<Value = AgentCall> {
    prop_oneof![
        1 => Just(AgentCall::Deregister),
        1 => Just(AgentCall::Sleep),
        4 => Just(AgentCall::Wake),
        1 => Just(AgentCall::Drain),
        1 => Just(AgentCall::Quarantine),
        4 => Just(AgentCall::Release),
        3 => Just(AgentCall::Heartbeat),
    ]
}

fn register() -> impl Strategy<Value = Step> {
    (
        prop_oneof![4 => Just(0usize), 1 => 0usize..6],
        0..AGENTS,
        1u8..8,
        1u32..4,
        any::<bool>(),
    )
        .prop_map(
            |(caller, agent, capabilities, concurrency, in_process)| Step::Register {
                caller,
                agent,
                capabilities,
                concurrency,
                in_process,
            },
        )
}

/// One step that leaves plugins and wall clock as they are.
pub(crate) fn plain_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => register(),
        2 => (0..AGENTS, 1u32..4).prop_map(|(agent, n)| Step::Concurrency(agent, n)),
        4 => (0..AGENTS, agent_call()).prop_map(|(agent, call)| Step::Agent(agent, call)),
        10 => plan().prop_map(Step::Delegate),
        20 => plan().prop_map(Step::Submit),
        8 => (0..AGENTS).prop_map(Step::Pull),
        16 => (any::<usize>(), told(), prop_oneof![6 => Just(0u32), 1 => 1u32..3])
            .prop_map(|(n, told, attempt)| Step::Report(n, told, attempt)),
        14 => (any::<usize>(), ending()).prop_map(|(n, ending)| Step::Puppet(n, ending)),
        3 => any::<usize>().prop_map(Step::Cancel),
        10 => prop_oneof![3 => 1u64..200, 1 => 200u64..2_500].prop_map(Step::Advance),
    ]
}

/// One step of any kind.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => plain_step(),
        1 => (-7_200i64..14_400).prop_map(Step::Wall),
        1 => (0..NAMES.len(), any::<bool>()).prop_map(|(n, on)| Step::Switch(n, on)),
        1 => (0..NAMES.len(), any::<bool>()).prop_map(|(n, right)| Step::Reconfigure(n, right)),
    ]
}
