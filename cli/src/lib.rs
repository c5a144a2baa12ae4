//! The `cuwhy` command.
//!
//! The binary is a single call of [`start`]. One file in `commands/` per subcommand; printing
//! happens in [`output`] and nowhere else; what the process returns is one of [`exit`].

pub mod arguments;
pub mod commands;
pub mod demo;
pub mod exit;
pub mod failure;
pub mod output;
mod start;

pub use start::start;
