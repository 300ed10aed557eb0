//! The plugins of this workspace together: the promises of the core hold with each pair of them and with all four, whatever
//! they do to its tasks and agents, and each can be switched off and on without the others noticing.

mod attacks;
mod concurrent;
mod play;
mod production;
mod promises;
mod sections;
mod step;
mod switching;
