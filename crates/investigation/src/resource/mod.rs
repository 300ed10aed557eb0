//! Resources: what an incident is about, how each is named, and who looks at it.

mod arn;
mod arn_forms;
mod attributes;
mod denial;
mod endpoint;
mod inventory;
mod kind;
mod next_read;
mod routing;
mod thresholds;

pub use arn::{ARN_BYTES_MAX, Arn, ArnError};
pub use attributes::Attributes;
pub use inventory::{Inventory, InventoryFull, RESOURCES_MAX, Resource};
pub use kind::ResourceKind;
pub use routing::{ROUTING_TABLE, Route, RoutingRow, route};
pub use thresholds::Thresholds;

pub(crate) use denial::{Denial, DeniedBy, is_denial_class};
pub(crate) use endpoint::{Endpoint, Url};
pub(crate) use next_read::{NextRead, next_read, quoted};
