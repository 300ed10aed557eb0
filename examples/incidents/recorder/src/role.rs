//! The processes of the payment service, and who calls whom.

use clap::ValueEnum;

/// A process that speaks HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Where customers come in.
    Gateway,
    /// Books a payment: checks it, asks the card network, tells ledger and customer.
    Payments,
    /// Keeps accounts and entries, and a journal of its own.
    Ledger,
    /// Scores a payment; the work is computing.
    FraudCheck,
    /// Hands messages to the mail relay.
    Notifications,
    /// A provider outside: a stub that answers after a while.
    CardNetwork,
    /// Another provider outside.
    MailRelay,
}

/// The database as a node.
pub(crate) const POSTGRES: &str = "postgres";
/// The machine as a node; nobody calls it.
pub(crate) const HOST: &str = "host";

impl Role {
    /// All processes; the first start first.
    pub(crate) const ALL: [Self; 7] = [
        Self::CardNetwork,
        Self::MailRelay,
        Self::FraudCheck,
        Self::Notifications,
        Self::Ledger,
        Self::Payments,
        Self::Gateway,
    ];

    /// The name of the node.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Payments => "payments",
            Self::Ledger => "ledger",
            Self::FraudCheck => "fraud-check",
            Self::Notifications => "notifications",
            Self::CardNetwork => "card-network",
            Self::MailRelay => "mail-relay",
        }
    }

    /// The nodes that it calls.
    pub(crate) fn callees(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &["payments", "ledger"],
            Self::Payments => &[
                "fraud-check",
                "ledger",
                "notifications",
                "card-network",
                POSTGRES,
            ],
            Self::Ledger => &[POSTGRES],
            Self::Notifications => &["mail-relay"],
            Self::FraudCheck | Self::CardNetwork | Self::MailRelay => &[],
        }
    }

    /// Its port, counted from the set-up's first.
    pub(crate) fn port(self, base: u16) -> u16 {
        base + 10 + self as u16
    }

    /// Whether it belongs to somebody else, who shows no metrics.
    pub(crate) fn is_provider(self) -> bool {
        matches!(self, Self::CardNetwork | Self::MailRelay)
    }

    /// Connections to the database that it keeps at most.
    pub(crate) fn pool_size(self) -> Option<usize> {
        matches!(self, Self::Payments | Self::Ledger).then_some(20)
    }
}

/// Ports besides those of the processes.
pub(crate) const POSTGRES_PORT: u16 = 1;
/// Where Prometheus listens.
pub(crate) const PROMETHEUS_PORT: u16 = 2;
/// Where the recorder shows what it measures of database, containers and host, and what the load sees.
pub(crate) const EXPORTER_PORT: u16 = 3;
/// How many ports a set-up takes from its first on.
pub(crate) const PORTS: u16 = 20;
