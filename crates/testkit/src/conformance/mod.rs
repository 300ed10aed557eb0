//! placeholder
pub(crate) use probe::point_of;
mod probe;
