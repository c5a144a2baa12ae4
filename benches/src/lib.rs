//! What the benches share: the machine they ran on, the time they may take, the memory they copy,
//! and the bounds that they hold.
//!
//! A bench file answers one question. It writes criterion's data, and beside it one
//! `cuwhy/<bench>.json` with the machine, the command, the date and the bounds that it measured;
//! `cargo xtask plots` reads both.

mod bound;
mod copy;
#[cfg(any(feature = "timing", test))]
mod date;
mod gpu;
mod machine;
mod paired;
pub mod recorded;
#[cfg(feature = "timing")]
mod suite;

pub use bound::{Bound, Compared};
pub use copy::{Copy, Direction, Layer};
pub use gpu::{Block, Class, Gpu, Stream};
pub use machine::Machine;
pub use paired::{Ratio, Times, in_turns, paired, times};
#[cfg(feature = "timing")]
pub use suite::{Group, Suite};
