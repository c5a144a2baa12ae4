//! The `cuwhy` command.
//!
//! The binary is a single call of [`start`]. One file in `commands/` per subcommand; printing
//! happens in [`output`] and nowhere else; what the process returns is one of [`exit`].

pub mod arguments;
pub mod collection;
pub mod commands;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod failure;
pub mod file;
pub mod inspect;
mod near;
pub mod output;
pub mod probe;
pub mod quantity;
mod start;
pub mod table;
pub mod truth;

pub use start::start;
