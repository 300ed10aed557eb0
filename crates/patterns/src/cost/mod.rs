//! What a run cost: estimates before, actuals after, by step and by agent.

mod table;
mod text;

pub use table::{CostRow, CostTable, Utilisation};
