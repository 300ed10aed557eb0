//! What is recorded: two sets of incidents.

use clap::ValueEnum;

use crate::order::Order;
use crate::role::{POSTGRES, Role};

/// Which incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Set {
    /// Shipped as examples; weights and thresholds may be looked at with them.
    First,
    /// Other places, strengths and loads, for judging only.
    Second,
}

/// One incident to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The folder's name.
    pub(crate) name: &'static str,
    /// The node that is the cause; none when nothing is wrong.
    pub(crate) node: Option<&'static str>,
    pub(crate) kind: &'static str,
    pub(crate) fault: Fault,
    /// In which metric and statistic of the gateway it is noticed.
    pub(crate) symptom: (&'static str, &'static str),
    /// How long it lasts.
    pub(crate) seconds: u64,
}

/// What is done to the system.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// More customers, by this factor.
    Surge(f64),
    /// A process gets an order.
    Process(Role, Order),
    /// An index goes; the text makes it again.
    DropIndex(&'static str, &'static str),
    /// A session takes locks again and again: what it runs, how long it holds them, and how long it rests, in milliseconds.
    Lock(&'static str, u64, u64),
    /// A file that somebody left fills the disk of a table.
    FillPaymentsDisk,
}

const LATENCY: (&str, &str) = ("latency", "Average");
const FAILURES: (&str, &str) = ("availability", "Average");

const fn of(
    name: &'static str,
    node: &'static str,
    kind: &'static str,
    fault: Fault,
    symptom: (&'static str, &'static str),
    seconds: u64,
) -> Plan {
    Plan {
        name,
        node: Some(node),
        kind,
        fault,
        symptom,
        seconds,
    }
}

const fn calm(name: &'static str, kind: &'static str, fault: Fault, seconds: u64) -> Plan {
    Plan {
        name,
        node: None,
        kind,
        fault,
        symptom: LATENCY,
        seconds,
    }
}

const FIRST: [Plan; 10] = [
    of(
        "lock-contention",
        POSTGRES,
        "lock_contention",
        Fault::Lock("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE", 700, 800),
        LATENCY,
        100,
    ),
    of(
        "missing-index",
        POSTGRES,
        "missing_index",
        Fault::DropIndex(
            "entries_account",
            "CREATE INDEX entries_account ON entries (account, at)",
        ),
        LATENCY,
        100,
    ),
    of(
        "pool-exhaustion",
        "payments",
        "pool_exhaustion",
        Fault::Process(Role::Payments, Order::LeakConnections { left: 1 }),
        LATENCY,
        100,
    ),
    of(
        "cpu-hog",
        "fraud-check",
        "cpu_hog",
        Fault::Process(Role::FraudCheck, Order::Hog { threads: 4 }),
        LATENCY,
        100,
    ),
    calm("traffic-surge", "traffic_surge", Fault::Surge(1.8), 100),
    of(
        "memory-leak",
        "notifications",
        "memory_leak",
        Fault::Process(Role::Notifications, Order::Leak { bytes: 160_000 }),
        FAILURES,
        110,
    ),
    of(
        "full-disk",
        "ledger",
        "full_disk",
        Fault::Process(
            Role::Ledger,
            Order::FillDisk {
                bytes_per_second: 4_000_000,
            },
        ),
        FAILURES,
        100,
    ),
    of(
        "slow-dependency",
        "card-network",
        "slow_dependency",
        Fault::Process(
            Role::CardNetwork,
            Order::Delay {
                share: 0.6,
                ms: 350,
            },
        ),
        LATENCY,
        100,
    ),
    of(
        "error-surge",
        "card-network",
        "error_surge",
        Fault::Process(Role::CardNetwork, Order::Fail { share: 0.3 }),
        FAILURES,
        90,
    ),
    calm("healthy", "none", Fault::None, 300),
];

const SECOND: [Plan; 10] = [
    of(
        "cpu-hog",
        "ledger",
        "cpu_hog",
        Fault::Process(Role::Ledger, Order::Hog { threads: 3 }),
        LATENCY,
        90,
    ),
    of(
        "error-surge",
        "fraud-check",
        "error_surge",
        Fault::Process(Role::FraudCheck, Order::Fail { share: 0.15 }),
        FAILURES,
        110,
    ),
    of(
        "full-disk",
        POSTGRES,
        "full_disk",
        Fault::FillPaymentsDisk,
        FAILURES,
        90,
    ),
    of(
        "slow-dependency",
        "mail-relay",
        "slow_dependency",
        Fault::Process(
            Role::MailRelay,
            Order::Delay {
                share: 0.4,
                ms: 250,
            },
        ),
        LATENCY,
        120,
    ),
    calm("traffic-surge", "traffic_surge", Fault::Surge(2.2), 120),
    of(
        "pool-exhaustion",
        "ledger",
        "pool_exhaustion",
        Fault::Process(Role::Ledger, Order::LeakConnections { left: 0 }),
        LATENCY,
        90,
    ),
    of(
        "lock-contention",
        POSTGRES,
        "lock_contention",
        Fault::Lock(
            "SELECT count(*) FROM (SELECT id FROM merchants WHERE id <= 60 FOR UPDATE) AS held",
            900,
            500,
        ),
        ("latency", "p95"),
        110,
    ),
    of(
        "missing-index",
        POSTGRES,
        "missing_index",
        Fault::DropIndex(
            "payments_card",
            "CREATE INDEX payments_card ON payments (card, at)",
        ),
        LATENCY,
        90,
    ),
    of(
        "memory-leak",
        "fraud-check",
        "memory_leak",
        Fault::Process(Role::FraudCheck, Order::Leak { bytes: 250_000 }),
        FAILURES,
        100,
    ),
    calm("healthy", "none", Fault::None, 300),
];

impl Set {
    /// The incidents in the order in which they are recorded.
    pub(crate) fn plans(self) -> &'static [Plan] {
        match self {
            Self::First => &FIRST,
            Self::Second => &SECOND,
        }
    }

    /// Requests each second.
    pub(crate) fn load(self) -> f64 {
        match self {
            Self::First => 40.0,
            Self::Second => 28.0,
        }
    }

    /// Seed of the customers.
    pub(crate) fn seed(self) -> u64 {
        match self {
            Self::First => 11,
            Self::Second => 4_242,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: Set) -> Vec<&'static str> {
        let mut names: Vec<_> = set.plans().iter().map(|plan| plan.name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn both_sets_have_the_same_incidents_once() {
        let first = names(Set::First);
        assert_eq!(first, names(Set::Second));
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]), "{first:?}");
    }

    #[test]
    fn every_cause_is_a_node() {
        for plan in Set::First.plans().iter().chain(Set::Second.plans()) {
            let is_node =
                |name| name == POSTGRES || Role::ALL.into_iter().any(|role| role.name() == name);
            assert!(plan.node.is_none_or(is_node), "{plan:?}");
            let is_calm = matches!(plan.fault, Fault::None | Fault::Surge(_));
            assert_eq!(plan.node.is_none(), is_calm, "{plan:?}");
        }
    }
}
