//! A model of the engine: vectors and loops, no indices, no caches. Single-threaded, in milliseconds.

pub(crate) mod calls;
pub(crate) mod decide;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod step;
pub(crate) mod time;
pub(crate) mod words;
