//! `cuwhy truth`: random calls, predicted, made, compared.
//!
//! A case is a number: with the seed it decides everything. Cases of one epoch share a `world` of
//! memory of every class; `draw` makes a call over it, `worker` predicts and makes it in a process
//! that may die of it, `fleet` feeds the workers and `tally` counts.

mod draw;
mod entry;
mod execute;
mod fault;
mod fleet;
mod journal;
mod known;
mod libraries;
mod line;
mod random;
mod record;
mod tally;
mod worker;
mod world;

pub use entry::functions;
pub use fleet::{Fleet, Plan};
pub use libraries::{Machine, libraries};
pub use tally::{Counts, Tally};
pub use worker::work;
