//! Which crate of ours may depend on which: the table. Edit it here and in the design together.

/// A place in the workspace; a crate's folder decides its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Core,
    Patterns,
    Testkit,
    Investigation,
    Cli,
    Plugin,
    Bundle,
    Benches,
    Examples,
    Xtask,
}

/// What the crates of one room may name.
#[derive(Debug)]
pub(crate) struct RoomRule {
    pub(crate) room: Room,
    /// The folder of the room's crate; `*` stands for one part that no other row names.
    pub(crate) folder: &'static str,
    /// Allowed in `[dependencies]` and `[build-dependencies]`, and so in `[dev-dependencies]`.
    pub(crate) normal: &'static [Room],
    /// Allowed in `[dev-dependencies]` besides.
    pub(crate) dev: &'static [Room],
}

/// One row a room.
pub(crate) const ROOM_RULES: &[RoomRule] = &[
    RoomRule {
        room: Room::Core,
        folder: "crates/universal-orchestrator",
        normal: &[],
        dev: &[Room::Testkit],
    },
    RoomRule {
        room: Room::Testkit,
        folder: "crates/testkit",
        normal: &[Room::Core],
        dev: &[],
    },
    RoomRule {
        room: Room::Patterns,
        folder: "crates/patterns",
        normal: &[Room::Core],
        dev: &[Room::Testkit],
    },
    RoomRule {
        room: Room::Investigation,
        folder: "crates/investigation",
        normal: &[Room::Core, Room::Patterns],
        dev: &[Room::Testkit],
    },
    RoomRule {
        room: Room::Cli,
        folder: "crates/cli",
        normal: &[
            Room::Core,
            Room::Patterns,
            Room::Investigation,
            Room::Bundle,
        ],
        dev: &[Room::Testkit],
    },
    RoomRule {
        room: Room::Bundle,
        folder: "plugins/bundle",
        normal: &[Room::Core, Room::Plugin],
        dev: &[Room::Testkit],
    },
    RoomRule {
        room: Room::Plugin,
        folder: "plugins/*",
        normal: &[Room::Core],
        dev: &[Room::Testkit],
    },
    RoomRule {
        room: Room::Benches,
        folder: "benches",
        normal: &[
            Room::Core,
            Room::Patterns,
            Room::Investigation,
            Room::Testkit,
            Room::Bundle,
        ],
        dev: &[],
    },
    RoomRule {
        room: Room::Examples,
        folder: "examples",
        normal: &[
            Room::Core,
            Room::Patterns,
            Room::Investigation,
            Room::Testkit,
            Room::Bundle,
        ],
        dev: &[],
    },
    RoomRule {
        room: Room::Xtask,
        folder: "xtask",
        normal: &[Room::Core, Room::Investigation, Room::Bundle],
        dev: &[],
    },
];

/// Packages that the core reaches neither directly nor through another; `*` ends a prefix.
///
/// The core emits metrics and spans; servers, clients, exporters and command lines belong to those who use it.
pub(crate) const NOT_IN_CORE: &[&str] = &[
    "actix-*",
    "anyhow",
    "axum*",
    "clap*",
    "eyre",
    "h2",
    "hyper*",
    "isahc",
    "metrics-exporter-*",
    "opentelemetry*",
    "prometheus*",
    "reqwest*",
    "rocket",
    "surf",
    "tonic*",
    "tower-http",
    "tracing-opentelemetry",
    "tracing-subscriber",
    "ureq*",
    "warp",
];
