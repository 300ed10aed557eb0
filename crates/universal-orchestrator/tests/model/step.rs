//! The calls of a random sequence.

use proptest::prelude::*;

/// What a task asks.
#[derive(Debug, Clone)]
pub(crate) struct TaskPlan {
    /// Bits of the required capabilities.
    pub(crate) required: u8,
    pub(crate) level: usize,
    pub(crate) deadline: Option<u64>,
    pub(crate) timeout: Option<u64>,
    pub(crate) retry: Option<(u32, u64)>,
    pub(crate) delay: u64,
    /// Takes the id of an earlier task.
    pub(crate) again: Option<usize>,
}

/// What is reported of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Done,
    Retryable,
    Permanent,
}

/// How a report is forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forged {
    No,
    /// Under the name of this agent.
    Agent(usize),
    /// The attempt before.
    Before,
    /// The attempt after.
    After,
    /// Of a task that does not exist.
    Nowhere,
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

/// One step of a sequence. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Register {
        agent: usize,
        capabilities: u8,
        concurrency: u32,
        in_process: bool,
        heartbeat: Option<u64>,
    },
    Update {
        agent: usize,
        capabilities: Option<u8>,
        concurrency: Option<u32>,
    },
    Agent(usize, AgentCall),
    Delegate(TaskPlan),
    Submit(TaskPlan),
    Pull(usize),
    /// A burst of pulls, as waiting agents would make.
    PullAll,
    Report(usize, Told, Forged),
    Progress(usize),
    Start(usize),
    Cancel(usize),
    Puppet(usize, Told),
    Queue(bool),
    Intake(bool),
    Capability(u8, bool),
    Advance(u64),
}

pub(crate) const AGENTS: usize = 5;
pub(crate) const CAPABILITIES: [&str; 3] = ["x", "y", "z"];

fn plan() -> impl Strategy<Value = TaskPlan> {
    (
        prop_oneof![4 => 1u8..8, 1 => Just(0u8)],
        0usize..4,
        prop_oneof![4 => Just(None), 1 => (1u64..3000).prop_map(Some)],
        prop_oneof![4 => Just(None), 1 => (1u64..3000).prop_map(Some)],
        prop_oneof![
            3 => Just(None),
            1 => (1u32..4).prop_map(|n| Some((n, 0))),
            1 => (2u32..5, 1u64..400).prop_map(Some),
        ],
        prop_oneof![5 => Just(0u64), 1 => 1u64..500],
        prop_oneof![12 => Just(None), 1 => any::<usize>().prop_map(Some)],
    )
        .prop_map(
            |(required, level, deadline, timeout, retry, delay, again)| TaskPlan {
                required,
                level,
                deadline,
                timeout,
                retry,
                delay,
                again,
            },
        )
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![3 => Just(Told::Done), 2 => Just(Told::Retryable), 1 => Just(Told::Permanent)]
}

fn forged() -> impl Strategy<Value = Forged> {
    prop_oneof![
        12 => Just(Forged::No),
        1 => (0..AGENTS).prop_map(Forged::Agent),
        1 => Just(Forged::Before),
        1 => Just(Forged::After),
        1 => Just(Forged::Nowhere),
    ]
}

fn agent_call() -> impl Strategy<Value = AgentCall> {
    prop_oneof![
        1 => Just(AgentCall::Deregister),
        2 => Just(AgentCall::Sleep),
        4 => Just(AgentCall::Wake),
        1 => Just(AgentCall::Drain),
        1 => Just(AgentCall::Quarantine),
        3 => Just(AgentCall::Release),
        4 => Just(AgentCall::Heartbeat),
    ]
}

fn register() -> impl Strategy<Value = Step> {
    (
        0..AGENTS,
        1u8..8,
        1u32..4,
        any::<bool>(),
        prop_oneof![3 => Just(None), 1 => (50u64..400).prop_map(Some)],
    )
        .prop_map(
            |(agent, capabilities, concurrency, in_process, heartbeat)| Step::Register {
                agent,
                capabilities,
                concurrency,
                in_process,
                heartbeat: heartbeat.filter(|_| !in_process),
            },
        )
}

fn update() -> impl Strategy<Value = Step> {
    (
        0..AGENTS,
        proptest::option::of(1u8..8),
        proptest::option::of(1u32..4),
    )
        .prop_map(|(agent, capabilities, concurrency)| Step::Update {
            agent,
            capabilities,
            concurrency,
        })
}

/// One step.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => register(),
        2 => update(),
        4 => (0..AGENTS, agent_call()).prop_map(|(agent, call)| Step::Agent(agent, call)),
        10 => plan().prop_map(Step::Delegate),
        20 => plan().prop_map(Step::Submit),
        8 => (0..AGENTS).prop_map(Step::Pull),
        3 => Just(Step::PullAll),
        16 => (any::<usize>(), told(), forged()).prop_map(|(n, told, forged)| Step::Report(n, told, forged)),
        2 => any::<usize>().prop_map(Step::Progress),
        2 => any::<usize>().prop_map(Step::Start),
        3 => any::<usize>().prop_map(Step::Cancel),
        14 => (any::<usize>(), told()).prop_map(|(n, told)| Step::Puppet(n, told)),
        2 => prop_oneof![1 => Just(true), 3 => Just(false)].prop_map(Step::Queue),
        1 => prop_oneof![1 => Just(true), 4 => Just(false)].prop_map(Step::Intake),
        2 => (0u8..3, prop_oneof![1 => Just(true), 2 => Just(false)]).prop_map(|(c, on)| Step::Capability(c, on)),
        8 => prop_oneof![3 => 1u64..200, 1 => 200u64..3000].prop_map(Step::Advance),
    ]
}
